/**
 * The edge: the one place where errors become HTTP.
 *
 * A `ProtocolError` becomes its status and `{"error", "error_description"}`; everything else is a fault,
 * logged and answered with `server_error`. Answer and log line carry the same request id.
 *
 * Source: RFC 6749, section 5.2; the tables of each room give the statuses.
 *
 * @module
 */
import { ProtocolError } from './errors.js'
import type { RouteHandler } from './handler.js'
import type { Log } from './log.js'
import { json, NO_STORE } from './messages.js'
import { type Random, randomId } from './random.js'

/** What an edge needs. */
export interface EndpointDeps {
  /** HTTP status per error code; one not listed answers 400, `request_too_large` 413, `request_timed_out` 408. */
  readonly statuses: Readonly<Record<string, number>>
  /** Where refusals (`warn`) and faults (`error`) are written, with `code`, `request_id` and causes. */
  readonly log: Log
  /** For request ids. */
  readonly random: Random
  /** The name of this endpoint in the log, for example `issuer.credential`. */
  readonly event: string
  /**
   * Codes that are answered with status and header fields alone: a request without a token is told how to come
   * in, and nothing about an error (RFC 6750, section 3.1). The log line is whole. @default none
   */
  readonly bodyless?: readonly string[]
}

/** The header field that carries the id under which the log knows a request. */
export const REQUEST_ID = 'X-Request-Id'

/**
 * Wraps an endpoint's work.
 *
 * @returns A handler that never rejects.
 */
export function endpoint(work: RouteHandler, deps: EndpointDeps): RouteHandler {
  return async (request, parameters) => {
    const requestId = randomId(deps.random, 'req')
    try {
      const response = await work(request, parameters)
      response.headers.set(REQUEST_ID, requestId)
      return response
    } catch (error) {
      return error instanceof ProtocolError
        ? refuse(error, requestId, deps)
        : answerFault(error, requestId, deps)
    }
  }
}

function refuse(error: ProtocolError, requestId: string, deps: EndpointDeps): Response {
  deps.log.warn(`${deps.event}.refused`, {
    code: error.code,
    reason: error.message,
    cause: describeCause(error.cause),
    request_id: requestId,
  })
  const body = { ...error.members, error: error.code, error_description: describable(error.message) }
  const status = statusOf(error.code, deps.statuses)
  const headers = { ...NO_STORE, ...error.headers, [REQUEST_ID]: requestId }
  const bare = deps.bodyless?.includes(error.code) === true
  return bare ? new Response(null, { status, headers }) : json(status, body, headers)
}

function statusOf(code: string, statuses: Readonly<Record<string, number>>): number {
  if (code === 'request_too_large') return 413
  if (code === 'request_timed_out') return 408
  return Object.hasOwn(statuses, code) ? (statuses[code] ?? 400) : 400
}

function answerFault(error: unknown, requestId: string, deps: EndpointDeps): Response {
  deps.log.error(`${deps.event}.fault`, { cause: describeFault(error), request_id: requestId })
  return json(500, { error: 'server_error' }, { ...NO_STORE, [REQUEST_ID]: requestId })
}

// The characters that error_description may have: printable ASCII without double quote and backslash.
function describable(text: string): string {
  return text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, ' ')
}

/** The codes of a chain of causes, outermost first; messages of unknown errors may hold anything. */
export function describeCause(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined
  const code = 'code' in cause ? String(cause.code) : cause.name
  const next = describeCause(cause.cause)
  return next === undefined ? code : `${code} <- ${next}`
}

// A fault's name, code and where it happened: never its message, which may quote what was being worked on.
function describeFault(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const frames = (error.stack ?? '').split('\n').filter((line) => line.trimStart().startsWith('at '))
  const where = frames.slice(0, 6).map((line) => line.trim())
  return [describeCause(error) ?? error.name, ...where].join(' | ')
}
