/**
 * What type metadata demands of a credential: which claims must be there, which must be hidden or visible.
 *
 * Source: SD-JWT VC (draft 19), sections 5.6.1.2, 5.6.3 and 5.6.4.
 *
 * @module
 */
import type { ClaimsPath } from '@attache/core'
import { refusal } from './errors.js'
import { type IssuedClaims, selectIssuedClaims } from './issued-claims.js'
import type { ClaimMetadata, TypeMetadata } from './type-metadata.js'

/** A credential whose type is judged. */
export interface TypedClaims extends IssuedClaims {
  /** Claims that came in Disclosures. */
  readonly disclosedPaths: readonly ClaimsPath[]
}

/**
 * Judges a credential by its type.
 *
 * @param seen `complete`: all Disclosures are here, as for the issuer and for a wallet on receipt.
 *   `presented`: claims may be withheld, so that absence proves nothing and `mandatory` is not judged.
 * @throws {VerificationError} `type_claim_path`, `type_claim_sd`, `type_claim_mandatory`.
 *
 * Source: SD-JWT VC, sections 5.6.1.2, 5.6.3 and 5.6.4.
 */
export function checkTypeRules(
  type: Pick<TypeMetadata, 'claims'>,
  credential: TypedClaims,
  seen: 'complete' | 'presented',
): void {
  const disclosed = new Set(credential.disclosedPaths.map((path) => JSON.stringify(path)))
  for (const claim of type.claims ?? []) checkClaim(claim, { credential, disclosed, seen })
}

function checkClaim(
  claim: ClaimMetadata,
  facts: { credential: TypedClaims; disclosed: ReadonlySet<string>; seen: 'complete' | 'presented' },
): void {
  const selected = selectIssuedClaims(facts.credential, claim.path)
  if (selected === undefined) throw refusal('type_claim_path')
  if (claim.mandatory === true && facts.seen === 'complete' && selected.length === 0) {
    throw refusal('type_claim_mandatory')
  }
  for (const { path, value } of selected) {
    // An element that stayed hidden is there, and hidden is what it can only be as a Disclosure.
    const isDisclosure = value === undefined || facts.disclosed.has(JSON.stringify(path))
    if (claim.sd === 'always' && !isDisclosure) throw refusal('type_claim_sd')
    if (claim.sd === 'never' && isDisclosure) throw refusal('type_claim_sd')
  }
}
