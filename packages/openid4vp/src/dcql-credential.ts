/**
 * One credential against one credential query: the rule that wallet and verifier share.
 *
 * What a wallet selects is what a verifier accepts, because both ask here. Member names are own members
 * throughout. Release policy and freshness of credentials are the caller's.
 *
 * Source: OpenID4VP 1.0, sections 6.1, 6.3, 6.4.1 and 7.
 *
 * @module
 */
import type { ClaimsPath, JsonObject, JsonValue } from '@attache/core'
import { selectWithPaths } from './dcql-path.js'
import type { ClaimsQuery, CredentialQuery } from './dcql-query.js'

/** What matching looks at in one credential; held by the wallet or verified by the verifier. */
export interface DcqlCredential {
  /** The holder's own name for it; opaque here. */
  readonly id: string
  /** Credential Format Identifier. */
  readonly format: string
  readonly vct: string
  /**
   * All claims, with every disclosure that is at hand applied; see `withHiddenElements` where array elements
   * are hidden.
   */
  readonly claims: JsonObject
  /** Whether key binding can be proven (wallet) or was proven (verifier). */
  readonly holderBound: boolean
  /** Key identifiers of the authorities in the certificate chain, base64url, for `aki`. */
  readonly authorityKeyIds?: readonly string[] | undefined
}

/** Why one credential does not answer one credential query. */
export type DcqlMismatch =
  | 'format_mismatch'
  | 'vct_mismatch'
  | 'holder_binding_missing'
  | 'authority_mismatch'
  | 'claim_missing'
  | 'value_mismatch'

/** The outcome for one credential and one credential query. */
export type CredentialMatch =
  | {
      readonly matches: true
      /** Concrete paths (no `null`) of what answers the query; empty when only the credential is asked for. */
      readonly paths: readonly ClaimsPath[]
    }
  | {
      readonly matches: false
      readonly reason: DcqlMismatch
      /** Paths that found nothing acceptable. */
      readonly missing: readonly ClaimsPath[]
    }

/**
 * Judges one credential against one credential query.
 *
 * @returns The paths that answer the query, or the first reason why it does not match.
 *
 * Source: OpenID4VP 1.0, sections 6.1, 6.3 and 6.4.1.
 */
export function matchCredential(query: CredentialQuery, credential: DcqlCredential): CredentialMatch {
  if (query.format !== 'dc+sd-jwt' || credential.format !== query.format) return refusal('format_mismatch')
  if (!query.vctValues.includes(credential.vct)) return refusal('vct_mismatch')
  if (query.requireCryptographicHolderBinding && !credential.holderBound) {
    return refusal('holder_binding_missing')
  }
  if (!matchesAuthority(query, credential)) return refusal('authority_mismatch')
  if (query.claims === undefined) return { matches: true, paths: [] }
  return matchClaims(claimOptions(query, query.claims), credential.claims)
}

function refusal(reason: DcqlMismatch): CredentialMatch {
  return { matches: false, reason, missing: [] }
}

function matchesAuthority(query: CredentialQuery, credential: DcqlCredential): boolean {
  if (query.trustedAuthorities === undefined) return true
  const held = credential.authorityKeyIds ?? []
  return query.trustedAuthorities.some(
    ({ type, values }) => type === 'aki' && values.some((value) => held.includes(value)),
  )
}

function claimOptions(
  query: CredentialQuery,
  claims: readonly ClaimsQuery[],
): readonly (readonly ClaimsQuery[])[] {
  if (query.claimSets === undefined) return [claims]
  return query.claimSets.map((ids) => ids.flatMap((id) => claims.filter((claim) => claim.id === id)))
}

// The options in their order; when none is complete, the first one says what was missing.
function matchClaims(options: readonly (readonly ClaimsQuery[])[], claims: JsonObject): CredentialMatch {
  const outcomes = options.map((option) => matchOption(option, claims))
  return outcomes.find(({ matches }) => matches) ?? outcomes[0] ?? { matches: true, paths: [] }
}

function matchOption(option: readonly ClaimsQuery[], claims: JsonObject): CredentialMatch {
  const found = option.map((claim) => ({ claim, selected: selectWithPaths(claims, claim.path) }))
  const absent = found.filter(({ selected }) => selected.length === 0)
  if (absent.length > 0) {
    return { matches: false, reason: 'claim_missing', missing: absent.map(({ claim }) => claim.path) }
  }

  const accepted = found.map(({ claim, selected }) => ({
    claim,
    selected: selected.filter(({ value }) => hasAcceptedValue(claim, value)),
  }))
  const wrong = accepted.filter(({ selected }) => selected.length === 0)
  if (wrong.length > 0) {
    return { matches: false, reason: 'value_mismatch', missing: wrong.map(({ claim }) => claim.path) }
  }
  return {
    matches: true,
    paths: distinct(accepted.flatMap(({ selected }) => selected.map(({ path }) => path))),
  }
}

// Identical type and value: no coercion, no folding; an object or array never equals a value.
function hasAcceptedValue(claim: ClaimsQuery, value: JsonValue): boolean {
  return claim.values === undefined || claim.values.some((accepted) => accepted === value)
}

function distinct(paths: readonly ClaimsPath[]): readonly ClaimsPath[] {
  return [...new Map(paths.map((path) => [JSON.stringify(path), path])).values()]
}
