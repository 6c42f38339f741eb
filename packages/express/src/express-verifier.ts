/**
 * A verifier for Express: what it works with filled in, its routes and guards as handlers.
 *
 * @module
 */
import { createGuardedFetch, SILENT_LOG, systemClock, systemRandom } from '@attache/core'
import {
  createVerifier,
  type Requirement,
  type Verifier,
  type VerifierDeps,
  type VerifierOptions,
} from '@attache/verifier'
import type { RequestHandler } from 'express'
import { guard } from './require-presentation.js'
import { createRouter } from './router.js'

/** A verifier whose routes and gates are Express handlers. */
export interface ExpressVerifier extends Pick<Verifier, 'startTransaction' | 'redeemResult'> {
  /** `app.use(verifier.routes)`, at the root and before any body parser. */
  readonly routes: RequestHandler
  /** `app.post(path, verifier.requirePresentation(…), handler)`. */
  requirePresentation(requirement: Requirement): RequestHandler
}

/**
 * Creates a verifier for Express.
 *
 * @param deps `signer` and `store`; clock, randomness, log and guarded fetch are the system's unless given.
 * @throws {TypeError} As `createVerifier`.
 */
export function createExpressVerifier(
  options: VerifierOptions,
  deps: Pick<VerifierDeps, 'signer' | 'store'> & Partial<VerifierDeps>,
): ExpressVerifier {
  const system = { clock: systemClock, random: systemRandom, log: SILENT_LOG }
  const verifier = createVerifier(options, {
    ...system,
    fetch: deps.fetch ?? createGuardedFetch({}),
    ...deps,
  })
  return {
    routes: createRouter(verifier.routes),
    requirePresentation: (requirement) => guard(verifier.requirePresentation(requirement)),
    startTransaction: verifier.startTransaction,
    redeemResult: verifier.redeemResult,
  }
}
