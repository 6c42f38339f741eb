/**
 * Routes as an Express handler.
 *
 * @module
 */
import { type Route, routeRequests } from '@attache/core'
import type { RequestHandler } from 'express'
import { type ConnectionOptions, sendWebResponse, webRequest } from './web-request.js'

/**
 * Makes a handler of routes, to be mounted at the root and before any body parser.
 *
 * What no route knows goes on to the next handler, its body unread.
 */
export function createRouter(routes: readonly Route[], connection: ConnectionOptions = {}): RequestHandler {
  const answer = routeRequests(routes)
  const beginnings = routes.map(({ path }) => path.replace(/[:*].*$/, ''))
  return (request, response, next) => {
    const mayBeOurs = beginnings.some((beginning) => request.originalUrl.startsWith(beginning))
    const asked = mayBeOurs
      ? webRequest(request, { ...connection, target: request.originalUrl, body: true })
      : undefined
    if (asked === undefined) {
      next()
      return
    }
    answer(asked)
      .then((answered) => (answered === undefined ? next() : sendWebResponse(answered, response)))
      .catch(next)
  }
}
