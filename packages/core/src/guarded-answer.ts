/**
 * The receiving half of the guarded fetch: an answer is read within its limits, or not at all.
 *
 * @module
 */
import type { IncomingMessage } from 'node:http'
import { VerificationError } from './errors.js'
import { OUTBOUND_ERRORS } from './outbound.js'

/** What an answer may be. */
export interface AnswerLimits {
  readonly maxBytes: number
  /** Media types accepted on 2xx; empty accepts any. */
  readonly contentTypes: readonly string[]
  /** Whether a redirect is an answer like any other. */
  readonly redirects: boolean
}

const WITHOUT_BODY = new Set([204, 205, 304])

/**
 * Reads an answer to the end.
 *
 * @throws {VerificationError} `fetch_redirect_refused` for 3xx other than 304 (unless redirects are answers),
 * `fetch_content_type` for a 2xx of another media type or any content coding (none was asked for),
 * `fetch_too_large`.
 */
export async function readAnswer(
  incoming: IncomingMessage,
  url: URL,
  limits: AnswerLimits,
): Promise<Response> {
  const status = incoming.statusCode ?? 0
  const headers = readHeaders(incoming)
  const refused = judgeHead(status, headers, limits)
  if (refused !== undefined) {
    incoming.destroy()
    throw new VerificationError(refused, `${OUTBOUND_ERRORS[refused]} (${url.origin})`)
  }
  const body = await readBounded(incoming, url, limits.maxBytes)
  return new Response(WITHOUT_BODY.has(status) ? null : body, { status, headers })
}

function judgeHead(
  status: number,
  headers: Headers,
  limits: AnswerLimits,
): keyof typeof OUTBOUND_ERRORS | undefined {
  // 200 to 599 is what a Response can say; an informational answer never ends up here.
  if (status < 200 || status > 599) return 'fetch_failed'
  if (status >= 300 && status < 400 && status !== 304 && !limits.redirects) return 'fetch_redirect_refused'
  // Content codings are not offered, so a bomb cannot hide in one.
  if ((headers.get('Content-Encoding') ?? 'identity') !== 'identity') return 'fetch_content_type'
  const announced = Number(headers.get('Content-Length') ?? '0')
  if (announced > limits.maxBytes) return 'fetch_too_large'
  if (status >= 300 || status === 204 || limits.contentTypes.length === 0) return undefined
  const [type = ''] = (headers.get('Content-Type') ?? '').split(';')
  return limits.contentTypes.includes(type.trim().toLowerCase()) ? undefined : 'fetch_content_type'
}

function readHeaders(incoming: IncomingMessage): Headers {
  const headers = new Headers()
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    headers.append(incoming.rawHeaders[at] ?? '', incoming.rawHeaders[at + 1] ?? '')
  }
  return headers
}

async function readBounded(incoming: IncomingMessage, url: URL, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of incoming) {
    const bytes: Uint8Array = chunk
    size += bytes.byteLength
    if (size > maxBytes) {
      incoming.destroy()
      throw new VerificationError('fetch_too_large', `${OUTBOUND_ERRORS.fetch_too_large} (${url.origin})`)
    }
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}
