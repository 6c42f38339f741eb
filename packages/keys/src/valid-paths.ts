/**
 * What a valid chain says, and a memory of chains found valid: the same few issuers sign everything a verifier sees.
 *
 * Signatures, names and constraints of a chain do not change; its times are looked at on every call.
 *
 * Source: RFC 5280, section 6.1.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import type { PublicJwk } from './jwk.js'

/** What a valid chain says about its leaf. */
export interface VerifiedChain {
  readonly leafKey: PublicJwk
  /** Subject of the leaf, one line. */
  readonly subject: string
  readonly dnsNames: readonly string[]
  readonly uris: readonly string[]
  /** SHA-256 of the leaf's DER, base64url: the value behind `x509_hash:`. */
  readonly sha256: string
  /** Latest start of validity in the whole path, anchor included. */
  readonly notBefore: NumericDate
  /** Earliest end of validity in the whole path, anchor included. */
  readonly notAfter: NumericDate
  /** `keyIdentifier` of every Authority Key Identifier in the sent chain, base64url (`aki` of OpenID4VP 6.1.1.1). */
  readonly authorityKeyIds: readonly string[]
  /** Name of the anchor list that matched. */
  readonly anchors: string
}

/** Chains found valid below one list of anchors. */
export interface ValidPaths {
  /** The facts of a chain that is known to be valid at a time, for a usage. */
  get(
    x5c: readonly string[],
    expected: { now: NumericDate; extendedKeyUsage?: string },
  ): VerifiedChain | undefined
  /** Remembers a chain. */
  add(x5c: readonly string[], path: { verified: VerifiedChain; extendedKeyUsage?: string }): void
}

/** Only who holds a certificate below an anchor gets in here, so a few are many. */
const MAX_PATHS = 256

/** Makes an empty memory of 256 chains; the oldest goes first. */
export function createValidPaths(): ValidPaths {
  const paths = new Map<string, VerifiedChain>()
  const nameOf = (x5c: readonly string[], usage = '') => [usage, ...x5c].join(' ')
  return {
    get(x5c, { now, extendedKeyUsage }) {
      const path = paths.get(nameOf(x5c, extendedKeyUsage))
      return path === undefined || now < path.notBefore || now > path.notAfter ? undefined : path
    },
    add(x5c, { verified, extendedKeyUsage }) {
      paths.set(nameOf(x5c, extendedKeyUsage), verified)
      const [oldest] = paths.keys()
      if (paths.size > MAX_PATHS && oldest !== undefined) paths.delete(oldest)
    },
  }
}
