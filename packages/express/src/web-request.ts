/**
 * Between Node's messages, which Express hands on, and the web's `Request` and `Response`: the only place that
 * knows both.
 *
 * A header field that was sent twice stays visible as such: raw fields are joined, never dropped.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { hasBody, keptBody } from './kept-body.js'

// Nobody below looks at it: the public origin comes from the verifier's configuration.
const ANY_ORIGIN = 'https://origin.invalid'

/** What a host says about the connections it ends. */
export interface ConnectionOptions {
  /**
   * Field in which the client certificate of this very TLS connection is handed on (RFC 9440); what a client sent
   * under that name is dropped. For servers with `requestCert`. @default none
   */
  readonly clientCertificateField?: string | undefined
  /**
   * Field in which a proxy names the client certificate, and which peers are that proxy: what anybody else sends under
   * that name is dropped. @default none
   */
  readonly proxyCertificate?:
    | { readonly field: string; readonly isProxy: (address: string | undefined) => boolean }
    | undefined
}

/** How a message becomes a request. */
export interface WebRequestOptions extends ConnectionOptions {
  /** The request target as it was sent. */
  readonly target: string
  /** Whether the body is handed on; a guard leaves it to its route, or reads it and puts it back. */
  readonly body: boolean | 'kept'
}

/**
 * Makes a web request of a Node message.
 *
 * @returns Nothing for what the web's form cannot hold: a target that is no path, TRACE and its like; where the body is
 * verified, one that GET or HEAD brings.
 */
export function webRequest(message: IncomingMessage, options: WebRequestOptions): Request | undefined {
  const { method = 'GET', rawHeaders } = message
  const url = `${ANY_ORIGIN}${options.target}`
  const unknown = ['TRACE', 'TRACK', 'CONNECT'].includes(method.toUpperCase())
  // The path itself may hold anything, //host included; it stays a path.
  if (unknown || !options.target.startsWith('/') || !URL.canParse(url)) return undefined
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
  }
  nameCertificate(headers, message, options)
  const { proxyCertificate: proxy } = options
  if (proxy !== undefined && !proxy.isProxy(message.socket.remoteAddress)) headers.delete(proxy.field)
  const bodiless = method === 'GET' || method === 'HEAD'
  // The gate would verify a call without a body, and a parser behind it would read one.
  if (options.body === 'kept' && bodiless && hasBody(message)) return undefined
  if (!options.body || bodiless) return new Request(url, { method, headers })
  if (options.body !== 'kept') return new Request(url, { method, headers, ...streamed(message) })
  return new Request(url, {
    method,
    headers,
    ...(hasBody(message) ? { body: keptBody(message), duplex: 'half' as const } : {}),
  })
}

// Source: RFC 9440, sections 2.2 and 3.
function nameCertificate(
  headers: Headers,
  { socket }: IncomingMessage,
  { clientCertificateField: field }: ConnectionOptions,
): void {
  if (field === undefined) return
  headers.delete(field)
  if (!('getPeerCertificate' in socket) || typeof socket.getPeerCertificate !== 'function') return
  const certificate: unknown = Reflect.apply(socket.getPeerCertificate, socket, [])
  if (typeof certificate !== 'object' || certificate === null || !('raw' in certificate)) return
  if (Buffer.isBuffer(certificate.raw)) headers.set(field, `:${certificate.raw.toString('base64')}:`)
}

// Pulled as it is read, so that a body over its limit is never taken in whole.
function streamed(message: IncomingMessage) {
  const chunks = message[Symbol.asyncIterator]()
  // Nothing ahead of time: a body that is refused by its announced length is not begun.
  const strategy = { highWaterMark: 0 }
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await chunks.next()
        if (next.done === true) controller.close()
        else controller.enqueue(new Uint8Array(next.value))
      },
    },
    strategy,
  )
  return { body, duplex: 'half' as const }
}

/**
 * Sends a web response by Node: whole, or as it comes where it is a stream of events.
 *
 * @returns When everything is sent, or the other side has gone.
 */
export async function sendWebResponse(from: Response, to: ServerResponse): Promise<void> {
  to.statusCode = from.status
  from.headers.forEach((value, name) => {
    to.appendHeader(name, value)
  })
  const isStream = from.headers.get('Content-Type')?.startsWith('text/event-stream') === true
  if (isStream && from.body !== null) return sendEvents(from.body.getReader(), to)
  if (to.req.readableDidRead && !to.req.complete) discardRest(to.req)
  to.end(Buffer.from(await from.arrayBuffer()))
}

// Who went away must not be followed on: the source is told at once.
async function sendEvents(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  to: ServerResponse,
): Promise<void> {
  const gone = new Promise<void>((resolve) => {
    to.once('close', resolve)
  })
  void gone.then(() => reader.cancel()).catch(() => undefined)
  to.flushHeaders()
  for (;;) {
    const { value } = await reader.read()
    if (value === undefined) break
    if (!to.write(value)) await Promise.race([gone, new Promise((resolve) => to.once('drain', resolve))])
  }
  to.end()
}

// As Node does with a body that nobody began to read; else the sender would wait for somebody to take the rest.
function discardRest(message: IncomingMessage): void {
  message.removeAllListeners('readable')
  // Node notices in the next tick that nobody listens any more.
  process.nextTick(() => message.resume())
}
