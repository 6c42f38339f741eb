/**
 * How the key of an issuer is found: a port, filled by whoever holds the trust configuration.
 *
 * It is called after every check that needs no signature, and before anything the credential points at is
 * looked at. Keys in the header are facts for the resolver; here they count for nothing.
 *
 * Source: RFC 9901, section 7.1, step 2b; SD-JWT VC, section 2.5.
 *
 * @module
 */
import type { JsonObject, NumericDate } from '@attache/core'
import type { PublicJwk } from '@attache/keys'

/** What a resolver learns of a credential that is not verified yet. */
export interface IssuerFacts {
  /** Protected header: `kid` and `x5c` name a key, and say nothing about trust. */
  readonly header: JsonObject
  /** `iss`; absent only where the header carries `x5c`. */
  readonly issuer: string | undefined
  /**
   * The type the credential is to be accepted as: `vct`, or the accepted name in `aka_vcts` where `vct` is not
   * accepted. Whoever may issue one type does not by that name itself an issuer of another. Absent for an
   * SD-JWT that is no SD-JWT VC.
   */
  readonly vct: string | undefined
  readonly now: NumericDate
}

/** The key that counts for an issuer. */
export interface ResolvedIssuerKey {
  readonly key: PublicJwk
  /** Who the mechanism has shown the issuer to be; for `x5c` the subject of the leaf, never a bare `iss`. */
  readonly issuer: string
  /** When this answer stops being good, for example the end of a certificate; NumericDate. */
  readonly validUntil?: NumericDate
}

/**
 * Finds the key of an issuer by a permitted mechanism.
 *
 * @throws {VerificationError} A code of its own, or `issuer_not_trusted`, when no mechanism shows one.
 */
export type IssuerKeyResolver = (facts: IssuerFacts) => Promise<ResolvedIssuerKey>
