/**
 * The guard of an Express route.
 *
 * @module
 */
import { type Gate, isPlainPath } from '@attache/verifier'
import { holdResponse } from './held-response.js'
import { requireUnread } from './kept-body.js'
import type { Guard } from './presented-request.js'
import { type ConnectionOptions, sendWebResponse, webRequest } from './web-request.js'

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
 * The body is left alone, so that it may stand before or after a body parser. A gate that verifies signatures reads
 * it and puts it back: such a guard stands before every body parser, or the call is a fault (`body_consumed`). A path
 * that parsers read differently is answered with 400: Express and the gate must mean the same route.
 */
export function guard<Claims>(gate: Gate<Claims>, options: GuardOptions = {}): Guard<Claims> {
  const handler: Guard<Claims> = (request, response, next) => {
    const target = `${options.pathPrefix ?? ''}${request.originalUrl}`
    const body = gate.readsBody === true && 'kept'
    if (body) requireUnread(request)
    const asked =
      isPlainPath(target.replace(/\?.*$/, '')) && webRequest(request, { ...options, target, body })
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
        if (outcome.signResponse !== undefined) holdResponse(response, outcome.signResponse, next)
        response.locals.presentation = outcome.presentation
        Object.assign(request, { presentation: outcome.presentation })
        next()
      })
      .catch(next)
  }
  return Object.assign(handler, { [GUARD]: true })
}
