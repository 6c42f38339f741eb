/**
 * Calls that stay in the process: an outgoing call is answered by routes, or by a handler.
 *
 * @module
 */
import { type Handler, type OutboundFetch, type Route, routeRequests } from '@attache/core'

/** Makes an outgoing call of a handler. */
export function fetchFromHandler(handle: Handler): OutboundFetch {
  return (url, { method = 'GET', headers = {}, body } = {}) =>
    handle(new Request(url, { method, headers, ...(body === undefined ? {} : { body: bytesOf(body) }) }))
}

/** Makes an outgoing call of routes; a path that none has is a 404. */
export function fetchFromRoutes(routes: readonly Route[]): OutboundFetch {
  const answer = routeRequests(routes)
  return fetchFromHandler(async (request) => (await answer(request)) ?? new Response(null, { status: 404 }))
}

function bytesOf(body: string | Uint8Array): string | Uint8Array<ArrayBuffer> {
  return typeof body === 'string' ? body : new Uint8Array(body)
}
