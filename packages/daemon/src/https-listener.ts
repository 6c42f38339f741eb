/**
 * A listener: carries routes over node:https.
 *
 * Owns TLS settings, limits, and turning Node's messages into `Request` and `Response`. The URL of a request
 * is made from the configured origin, never from the Host header.
 *
 * Source: FAPI 2.0 Security Profile, section 5.2.2 (TLS suites); RFC 9110, section 5.3 (repeated fields).
 *
 * @module
 */

import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { json, type Log, REQUEST_ID, type Router, randomId, systemRandom } from '@attache/core'
import type { ConfiguredFiles } from './configured-files.js'
import { systemFailure } from './start-up-error.js'

/** Where to listen, with which certificate. Paths are relative to the configuration file. */
export interface ListenerConfiguration {
  readonly host: string
  readonly port: number
  /** Undefined only on the public listener behind a proxy that ends TLS. */
  readonly tls?: TlsFiles | undefined
  /** A prefix of the public paths that a proxy takes away before it forwards. */
  readonly pathPrefix?: string | undefined
}

/** A server's certificate chain and its key, as files. */
export interface TlsFiles {
  readonly certificate: string
  readonly key: string
}

/** A listener that is up. */
export interface RunningListener {
  readonly port: number
  close(): Promise<void>
}

/** What a listener needs. */
export interface ListenerDeps {
  readonly files: ConfiguredFiles
  readonly log: Log
}

// TLS 1.2 with what BCP 195 recommends and FAPI 2.0 allows; TLS 1.3 has no weak suite and is preferred.
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
].join(':')

// Two attestation JWTs with certificate chains and a DPoP proof must fit.
const MAX_HEADER_BYTES = 65_536
const MAX_BODY_BYTES = 4_194_304

/**
 * Starts a listener.
 *
 * @param origin What clients see before the path.
 * @throws {TypeError} `port_in_use`, `start_up_failed`: one line that says what to do.
 */
export async function startListener(
  configuration: ListenerConfiguration,
  served: { readonly origin: string; readonly router: Router },
  deps: ListenerDeps,
): Promise<RunningListener> {
  const server = createServer(configuration, deps.files)
  server.headersTimeout = 10_000
  server.requestTimeout = 30_000
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { log } = deps
    answer(incoming, outgoing, { ...served, prefix: configuration.pathPrefix ?? '', log }).catch(() => {
      // The peer went away in the middle, or sent more than is read; there is nobody left to answer.
      deps.log.warn('listener.broken_exchange', {})
      outgoing.destroy()
    })
  })
  const port = await listenOn(server, configuration)
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
      }),
  }
}

function createServer(configuration: ListenerConfiguration, files: ConfiguredFiles): Server {
  const { tls } = configuration
  return tls === undefined
    ? createHttpServer({ maxHeaderSize: MAX_HEADER_BYTES })
    : createTlsServer(tls, files)
}

/**
 * Makes a server that speaks TLS alone; it does not listen yet.
 *
 * @param clients.authority PEM file; given, nobody gets in without a certificate under it, and TLS is 1.3.
 * @throws {TypeError} `start_up_failed`: the certificate or its key cannot be used.
 */
export function createTlsServer(
  tls: TlsFiles,
  files: ConfiguredFiles,
  clients?: { readonly authority: string },
): Server {
  const mutual =
    clients === undefined
      ? ({ minVersion: 'TLSv1.2' } as const)
      : // A certificate of a client is personal: only 1.3 sends it encrypted.
        ({
          minVersion: 'TLSv1.3',
          requestCert: true,
          rejectUnauthorized: true,
          ca: files.text(clients.authority),
        } as const)
  try {
    return createHttpsServer({
      cert: files.text(tls.certificate),
      key: files.text(tls.key),
      ciphers: CIPHERS,
      honorCipherOrder: true,
      maxHeaderSize: MAX_HEADER_BYTES,
      ...mutual,
    })
  } catch (error) {
    if (error instanceof TypeError) throw error
    throw systemFailure(error, `The TLS certificate ${files.path(tls.certificate)} or its key`)
  }
}

/**
 * Listens.
 *
 * @returns The port, which 0 leaves to the system.
 * @throws {TypeError} `port_in_use`, `start_up_failed`.
 */
export function listenOn(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(systemFailure(error, `Port ${port} on ${host}`)))
    server.listen(port, host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  served: { readonly origin: string; readonly prefix: string; readonly router: Router; readonly log: Log },
): Promise<void> {
  const response = await routed(incoming, served)
  // What no endpoint answered has no id yet: an unknown path, another method, a body beyond every limit.
  if (!response.headers.has(REQUEST_ID)) {
    const requestId = randomId(systemRandom, 'req')
    response.headers.set(REQUEST_ID, requestId)
    const code = String(response.status)
    served.log.warn('listener.refused', { code, reason: REASONS[code], request_id: requestId })
  }
  await send(outgoing, response)
}

const REASONS: Readonly<Record<string, string>> = {
  '400': 'The request line or a header field is not one that is read here. Send the path alone.',
  '404': 'Nothing lies at this path. See the metadata for the endpoints.',
  '405': 'The path is known, the method is not. See the Allow header field.',
  '413': 'The body is larger than any endpoint reads. Send less.',
}

async function routed(
  incoming: IncomingMessage,
  served: { readonly origin: string; readonly prefix: string; readonly router: Router },
): Promise<Response> {
  const body = await readAll(incoming)
  if (body === undefined) return json(413, { error: 'request_too_large' })
  const request = toRequest(incoming, body, served)
  if (request === undefined) return json(400, { error: 'invalid_request' })
  return (await served.router(request)) ?? json(404, { error: 'not_found' })
}

function toRequest(
  incoming: IncomingMessage,
  body: Buffer,
  { origin, prefix }: { readonly origin: string; readonly prefix: string },
): Request | undefined {
  const { method = 'GET', url = '/', rawHeaders } = incoming
  const headers = new Headers()
  try {
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
    }
    // Only the path and query are the client's; an absolute-form target brings its own host and is refused.
    if (!url.startsWith('/')) return undefined
    // A well-known path stands before the prefix, so no proxy can have taken that away.
    const path = url.startsWith('/.well-known/') ? url : `${prefix}${url}`
    const bare = method === 'GET' || method === 'HEAD'
    return new Request(`${origin}${path}`, bare ? { method, headers } : { method, headers, body })
  } catch {
    return undefined // A method or header that the platform does not take.
  }
}

/** The whole body; undefined when it is larger than any endpoint reads. */
async function readAll(incoming: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > MAX_BODY_BYTES) return undefined
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

async function send(outgoing: ServerResponse, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer())
  const headers: Record<string, string | string[]> = {}
  response.headers.forEach((value, name) => {
    headers[name] = value
  })
  if (body.length > 0 || response.status !== 204) headers['content-length'] = String(body.length)
  outgoing.writeHead(response.status, headers)
  outgoing.end(body)
}
