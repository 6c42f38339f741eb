/**
 * Gates in front of `Request -> Response` handlers, and a router in which a route without a gate does not exist.
 *
 * Lies here and not with the hosts: it needs nothing but a gate, and serves every server that speaks the web's own
 * `Request` and `Response` (fetch handlers, Hono, Deno, workers). Hosts are for what brings a framework along.
 *
 * @module
 */
import {
  configurationError,
  type Handler,
  type JsonObject,
  type PathParameters,
  type Route,
  type RouteHandler,
  routeRequests,
} from '@attache/core'
import type { AcceptedPresentation, Gate } from './gate.js'

/** Answers a call that was let in. */
export type GuardedHandler<Claims = JsonObject> = (
  request: Request,
  presentation: AcceptedPresentation<Claims>,
  parameters: PathParameters,
) => Promise<Response> | Response

/** Puts a gate in front of a handler: what is not let in gets the gate's answer. */
export function guardHandler<Claims>(
  gate: Gate<Claims>,
  handle: GuardedHandler<Claims>,
): RouteHandler & Handler {
  return async (request: Request, parameters: PathParameters = {}) => {
    const outcome = await gate(request)
    if (!outcome.allowed) return outcome.response
    const response = await handle(request, outcome.presentation, parameters)
    return outcome.signResponse === undefined ? response : outcome.signResponse(response)
  }
}

/** A route that says how it is guarded. */
export type GuardedRoute = Pick<Route, 'method' | 'path'> &
  (
    | { readonly gate: Gate; readonly handle: GuardedHandler }
    | { readonly gate: 'public'; readonly handle: RouteHandler }
  )

/**
 * Makes one handler of routes that each name their gate, or say `public` out loud.
 *
 * Everything else is a 404: nothing is served because nobody thought of it.
 *
 * @throws {TypeError} `route_unguarded`: a route has no gate. `route_twice`: method and path stand there twice,
 * and which gate counts would depend on the order.
 */
export function routeGuarded(routes: readonly GuardedRoute[]): Handler {
  const seen = new Set<string>()
  const guarded = routes.map((route): Route => {
    const { method, path } = route
    const name = `${method} ${path}`
    if (route.gate !== 'public' && typeof route.gate !== 'function') {
      throw configurationError(
        'route_unguarded',
        `The route ${name} has no gate. Give it one, or say public.`,
      )
    }
    if (seen.has(name)) throw configurationError('route_twice', `The route ${name} stands there twice.`)
    seen.add(name)
    return {
      method,
      path,
      handle: route.gate === 'public' ? route.handle : guardHandler(route.gate, route.handle),
    }
  })
  const answer = routeRequests(guarded)
  return async (request) => (await answer(request)) ?? new Response(null, { status: 404 })
}
