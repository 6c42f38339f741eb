/**
 * One HTTP request over node:https, answered with a web `Response`.
 *
 * Owns the connection to the API: trust in one extra CA, aborts, a streamed body. The global `fetch`
 * takes no CA per call, hence this file. Follows no redirect and retries nothing.
 *
 * Source: RFC 9110; Fetch Standard, Response.
 *
 * @module
 */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { Readable } from 'node:stream'
import { rootCertificates } from 'node:tls'

/** A request whose body lies in memory, so that it can be sent again. */
export interface WireRequest {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body?: Uint8Array
  readonly signal?: AbortSignal
  /** PEM certificates trusted beside the system's own. */
  readonly ca?: readonly string[]
}

/** Statuses whose responses have no body (Fetch Standard, null body status). */
const NULL_BODY: readonly number[] = [204, 205, 304]

/**
 * Sends one request.
 *
 * @throws {TypeError} As the standard `fetch` does when no response arrives; the cause is kept.
 * @throws The signal's reason when the caller aborts.
 */
export function sendRequest(request: WireRequest): Promise<Response> {
  return new Promise((resolve, reject) => {
    if (request.signal?.aborted) return reject(request.signal.reason)

    const secure = request.url.protocol === 'https:'
    const options = {
      method: request.method,
      headers: wireHeaders(request),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
      ...(secure && request.ca ? { ca: [...rootCertificates, ...request.ca] } : {}),
    }
    const send = secure ? httpsRequest : httpRequest
    const outgoing = send(request.url, options, (incoming) => resolve(webResponse(incoming, request)))
    outgoing.on('error', (cause) => reject(request.signal?.aborted ? request.signal.reason : failed(cause)))
    outgoing.end(request.body)
  })
}

/** What TLS says of a certificate that leads to no authority we know. */
const UNTRUSTED: readonly unknown[] = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]

// The words of the standard fetch; one mistake of every first call is named with its way out.
function failed(cause: Error): TypeError {
  const untrusted = 'code' in cause && UNTRUSTED.includes(cause.code)
  const hint = ': no trusted authority signed the certificate of the API. Name its CA in ATTACHE_CA_FILE.'
  return new TypeError(`fetch failed${untrusted ? hint : ''}`, { cause })
}

function wireHeaders(request: WireRequest): Record<string, string> {
  const headers = Object.fromEntries(request.headers)
  // The body is handed on as it arrives; nothing here unpacks it.
  headers['accept-encoding'] = 'identity'
  headers['accept'] ??= '*/*'
  if (request.body !== undefined) headers['content-length'] = String(request.body.byteLength)
  else if (request.method !== 'GET' && request.method !== 'HEAD') headers['content-length'] = '0'
  return headers
}

function webResponse(incoming: IncomingMessage, request: WireRequest): Response {
  const headers = new Headers()
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at] ?? '', incoming.rawHeaders[at + 1] ?? '')
  }
  const status = incoming.statusCode ?? 0
  const empty = request.method === 'HEAD' || NULL_BODY.includes(status)
  if (empty) incoming.resume()
  else endWithAbort(incoming, request.signal)
  const response = new Response(empty ? null : Readable.toWeb(incoming), {
    status,
    statusText: incoming.statusMessage ?? '',
    headers,
  })
  Object.defineProperty(response, 'url', { value: request.url.href })
  return response
}

// A body breaks off with the reason of the abort, as the standard has it; Node alone would say ECONNRESET.
function endWithAbort(incoming: IncomingMessage, signal: AbortSignal | undefined): void {
  if (signal === undefined) return
  const stop = () => {
    const { reason } = signal
    incoming.destroy(reason instanceof Error ? reason : new Error('The call was aborted.', { cause: reason }))
  }
  signal.addEventListener('abort', stop, { once: true })
  incoming.once('close', () => signal.removeEventListener('abort', stop))
}
