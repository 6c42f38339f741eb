/**
 * The guard of an Express route.
 *
 * @module
 */
import type { IncomingMessage } from 'node:http'
import { type AcceptedPresentation, type Gate, isPlainPath } from '@attache/verifier'
import type { NextFunction, Request, Response } from 'express'
import { type ConnectionOptions, sendWebResponse, webRequest } from './web-request.js'

declare global {
  namespace Express {
    interface Request {
      /** What was presented for this call; there exactly on routes behind a guard. */
      presentation?: AcceptedPresentation | undefined
    }
  }
}

declare module 'express-serve-static-core' {
  // Express types one thing across the handlers of a route: its locals. The guard says there what it found, and
  // `request.presentation` has that type in every handler declared after it.
  interface Request<P, ResBody, ReqBody, ReqQuery, LocalsObj> {
    presentation: LocalsObj extends { presentation: infer Presented extends AcceptedPresentation }
      ? Presented
      : AcceptedPresentation | undefined
  }
}

/** What a guard leaves for the handlers after it. */
export interface GuardedLocals<Claims> {
  presentation: AcceptedPresentation<Claims>
}

/**
 * A guard; the handlers after it know the types of the claims. It asks of a request only what it needs, so that
 * Express goes on typing parameters and bodies by the route and by the other handlers.
 */
export type Guard<Claims> = (
  request: IncomingMessage & { readonly originalUrl: string },
  response: Response<Request['body'], GuardedLocals<Claims>>,
  next: NextFunction,
) => void

/** What a guard is told about its host. */
export interface GuardOptions extends ConnectionOptions {
  /** Path that a proxy takes away before a request arrives here: clients see it before every path. @default none */
  readonly pathPrefix?: string | undefined
}

/** The mark by which guards are told from other handlers. */
export const GUARD: unique symbol = Symbol('attache.guard')

/**
 * Makes a middleware of a gate: lets a call on with `request.presentation`, or answers it.
 *
 * The body is left alone, so that it may stand before or after a body parser. A path that parsers read
 * differently is answered with 400: Express and the gate must mean the same route.
 */
export function guard<Claims>(gate: Gate<Claims>, options: GuardOptions = {}): Guard<Claims> {
  const handler: Guard<Claims> = (request, response, next) => {
    const target = `${options.pathPrefix ?? ''}${request.originalUrl}`
    const asked =
      isPlainPath(target.replace(/\?.*$/, '')) && webRequest(request, { ...options, target, body: false })
    if (!asked) {
      response.status(400).end()
      return
    }
    gate(asked)
      .then(async (outcome) => {
        if (!outcome.allowed) {
          await sendWebResponse(outcome.response, response)
          return
        }
        response.locals.presentation = outcome.presentation
        Object.assign(request, { presentation: outcome.presentation })
        next()
      })
      .catch(next)
  }
  return Object.assign(handler, { [GUARD]: true })
}
