/**
 * `c_nonce`: sealed, not stored, and spent by the request that succeeds with it.
 *
 * Owns making, opening and the store step that spends one. The public nonce endpoint writes nothing.
 *
 * Source: OpenID4VCI 1.0, sections 7 and 13.8.
 *
 * @module
 */
import {
  isJsonObject,
  member,
  type NumericDate,
  ProtocolError,
  type Random,
  randomText,
  SPENT_MARGIN_SECONDS,
} from '@attache/core'
import type { Seal } from '@attache/keys'
import type { Guard } from './commit-once.js'
import type { RecordKeys } from './stored-record.js'

/** The nonces of one issuer. */
export interface CredentialNonces {
  issue(now: NumericDate): string
  /**
   * Opens a nonce that a verified proof carries.
   *
   * @returns The guard that spends it.
   * @throws {ProtocolError} `invalid_nonce`: not ours, changed or expired.
   */
  open(nonce: string, now: NumericDate): Guard
}

/** Makes the nonces of one issuer. `lifetimeSeconds` is how long one is accepted. */
export function createCredentialNonces(
  options: { readonly credentialIssuer: string; readonly lifetimeSeconds: number },
  deps: { readonly seal: Seal; readonly random: Random; readonly keys: RecordKeys },
): CredentialNonces {
  const purpose = `c_nonce ${options.credentialIssuer}`
  return {
    issue(now) {
      const expiresAt = now + options.lifetimeSeconds
      return deps.seal.seal({ id: randomText(deps.random, 16), expiresAt }, { purpose, expiresAt })
    },
    open(nonce, now) {
      const content = deps.seal.open(nonce, { purpose, now })
      const id = isJsonObject(content) ? member(content, 'id') : undefined
      const expiresAt = isJsonObject(content) ? member(content, 'expiresAt') : undefined
      if (typeof id !== 'string' || typeof expiresAt !== 'number') throw refusal()
      const key = deps.keys.of('nonce-used', id)
      const until = expiresAt + SPENT_MARGIN_SECONDS
      return { step: { op: 'putIfAbsent', key, value: { v: 1 }, expiresAt: until }, refusal }
    },
  }
}

function refusal(): ProtocolError {
  return new ProtocolError('invalid_nonce', 'The c_nonce is no longer accepted. Fetch a new one.')
}
