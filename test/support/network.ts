/**
 * A network inside the process: outgoing calls are answered by handlers, chosen by origin.
 *
 * Keeps what the guarded fetch promises (https only, no redirect followed, bounded body, media types), so that a
 * flow behaves as it does over sockets; addresses, TLS and time limits are not its matter.
 *
 * @module
 */
import { type OutboundFetch, type OutboundRequest, VerificationError } from '@attache/core'

/** What answers for one origin. */
export type OriginHandler = (request: Request) => Promise<Response>

/** One call that was made, in order. */
export interface RecordedCall {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  /** Body as text; empty without one. */
  readonly body: string
}

export interface Network {
  readonly fetch: OutboundFetch
  /** Every call so far, also those to origins that nobody answers for. */
  readonly calls: readonly RecordedCall[]
  /** Answers for an origin from now on. */
  serve(origin: string, handler: OriginHandler): void
}

const DEFAULT_MAX_BYTES = 262_144

export function createNetwork(origins: Readonly<Record<string, OriginHandler>> = {}): Network {
  const handlers = new Map(Object.entries(origins))
  const calls: RecordedCall[] = []
  return {
    calls,
    serve: (origin, handler) => {
      handlers.set(origin, handler)
    },
    fetch: async (url, init = {}) => {
      const target = new URL(url)
      if (target.protocol !== 'https:')
        throw new VerificationError('fetch_not_https', 'Only https is called.')

      calls.push(recordCall(url, init))
      const handler = handlers.get(target.origin)
      if (handler === undefined)
        throw new VerificationError('fetch_failed', 'Nobody answers for this origin.')

      return boundedAnswer(await handler(toRequest(url, init)), init)
    },
  }
}

function bodyText(body: string | Uint8Array | undefined): string {
  return typeof body === 'string' ? body : new TextDecoder().decode(body ?? new Uint8Array())
}

function recordCall(url: string, init: OutboundRequest): RecordedCall {
  return { method: init.method ?? 'GET', url, headers: new Headers(init.headers), body: bodyText(init.body) }
}

function toRequest(url: string, init: OutboundRequest): Request {
  const method = init.method ?? 'GET'
  const base = { method, headers: new Headers(init.headers) }
  return new Request(url, init.body === undefined ? base : { ...base, body: bodyText(init.body) })
}

async function boundedAnswer(answer: Response, init: OutboundRequest): Promise<Response> {
  const redirect = answer.status >= 300 && answer.status < 400 && answer.status !== 304
  if (redirect && init.redirects !== 'return') {
    throw new VerificationError('fetch_redirect_refused', 'The answer is a redirect; none is followed.')
  }
  const body = new Uint8Array(await answer.arrayBuffer())
  if (body.length > (init.maxBytes ?? DEFAULT_MAX_BYTES)) {
    throw new VerificationError('fetch_too_large', 'The answer is larger than its limit.')
  }
  const mediaType = (answer.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  if (answer.ok && init.contentTypes !== undefined && !init.contentTypes.includes(mediaType)) {
    throw new VerificationError('fetch_content_type', 'The answer has another media type than asked for.')
  }
  return new Response(body.length === 0 ? null : body, { status: answer.status, headers: answer.headers })
}
