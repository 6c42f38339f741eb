/**
 * The types of `request.presentation`: what the handlers after a guard know.
 *
 * @module
 */
import type { IncomingMessage } from 'node:http'
import type { AcceptedPresentation } from '@attache/verifier'
import type { NextFunction, Request, Response } from 'express'

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
