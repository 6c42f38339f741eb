/**
 * The guard of an Express route.
 *
 * @module
 */
import type { AcceptedPresentation, Gate } from '@attache/verifier'
import type { RequestHandler } from 'express'
import { sendWebResponse, webRequest } from './web-request.js'

declare global {
  namespace Express {
    interface Request {
      /** What was presented for this call; there exactly on routes behind a guard. */
      presentation?: AcceptedPresentation
    }
  }
}

/**
 * Makes a middleware of a gate: lets a call on with `request.presentation`, or answers it.
 *
 * The body is left alone, so that it may stand before or after a body parser.
 */
export function guard(gate: Gate): RequestHandler {
  return (request, response, next) => {
    const asked = webRequest(request, { body: false })
    if (asked === undefined) {
      response.status(400).end()
      return
    }
    gate(asked)
      .then(async (outcome) => {
        if (!outcome.allowed) {
          await sendWebResponse(outcome.response, response)
          return
        }
        request.presentation = outcome.presentation
        next()
      })
      .catch(next)
  }
}
