/**
 * The status of our own credentials, asked before they are shown.
 *
 * Owns the mapping from a Status List's words to ours, and that an unreachable list is no answer. The list is
 * fetched whole and cached by the resolver, so its server learns no index.
 *
 * Source: Token Status List -20, section 8.3; SD-JWT VC, section 2.4; threat model, row 14.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import type { HeldCredential } from './held-credential.js'

/** What is known about a credential. */
export type KnownState = 'active' | 'suspended' | 'revoked' | 'unreachable'

/** Where the status of one token stands. */
export interface StatusPlace {
  readonly uri: string
  readonly index: number
}

/** Reads one status: the raw value of the list, or `undefined` when the list cannot be had or believed. */
export type ReadStatus = (
  place: StatusPlace,
  facts: { readonly credentialIssuer: string; readonly now: NumericDate },
) => Promise<number | undefined>

/** Asks for states. */
export interface OwnStatus {
  stateOf(held: Pick<HeldCredential, 'credentialIssuer' | 'copies'>, now: NumericDate): Promise<KnownState>
}

/** Makes the question over a reader. */
export function createOwnStatus(deps: { readonly read: ReadStatus }): OwnStatus {
  return {
    async stateOf(held, now) {
      const states = await Promise.all(
        held.copies.flatMap(({ status }) =>
          status === undefined ? [] : [deps.read(status, { credentialIssuer: held.credentialIssuer, now })],
        ),
      )
      if (states.some((state) => state === 1)) return 'revoked'
      if (states.some((state) => state === 2)) return 'suspended'
      if (states.some((state) => state === undefined)) return 'unreachable'
      // Application-specific values say nothing that a verifier would accept as good.
      return states.every((state) => state === 0) ? 'active' : 'revoked'
    },
  }
}
