/**
 * Writing a DCQL query well: what a verifier's own query must and should not contain.
 *
 * Stricter than reading one: a wallet tolerates, an author is told. Refusals are configuration errors, thrown
 * while a verifier is built; advice comes back as text for the log.
 *
 * Source: OpenID4VP 1.0, section 6; SD-JWT VC, section 2.2.2.3; HAIP 1.0, section 5.3.2.
 *
 * @module
 */
import { type ClaimsPath, configurationError } from '@attache/core'
import type { CredentialQuery, DcqlQuery } from './dcql-query.js'

// Never selectively disclosable: asking for them asks for nothing.
const ALWAYS_VISIBLE = ['iss', 'nbf', 'exp', 'cnf', 'vct', 'vct#integrity', 'status', 'aka_vcts']

/**
 * Checks a query as its author.
 *
 * @param options.allowIndexes Whether array indexes may be used: decoys make them undecidable. Default no.
 * @param options.strict Whether advice on always visible claims and unreachable claims is a refusal. Default no.
 * @returns Advice: claims that are always visible, claim sets that waste disclosures.
 * @throws {TypeError} `query_format`: a format other than `dc+sd-jwt`. `query_duplicate_path`: one claim twice.
 * `query_index_path`: an array index. With `strict`: `query_advice`.
 *
 * Source: OpenID4VP 1.0, sections 6.1 to 6.4; requirements/verifier.md, DQ rows.
 */
export function lintDcqlQuery(
  query: DcqlQuery,
  options: { readonly allowIndexes?: boolean; readonly strict?: boolean } = {},
): readonly string[] {
  for (const credential of query.credentials) {
    if (credential.format !== 'dc+sd-jwt') {
      throw configurationError('query_format', 'Ask for the format dc+sd-jwt; others are not verified here.')
    }
    const paths = (credential.claims ?? []).map(({ path }) => path)
    if (new Set(paths.map((path) => JSON.stringify(path))).size !== paths.length) {
      throw configurationError('query_duplicate_path', 'A query asks for the same claim twice.')
    }
    if (options.allowIndexes !== true && paths.some(hasIndex)) {
      throw configurationError('query_index_path', 'A path counts array elements; use null for all of them.')
    }
  }
  const advice = query.credentials.flatMap(adviceFor)
  const [first] = advice
  if (options.strict === true && first !== undefined) throw configurationError('query_advice', first)
  return advice
}

function hasIndex(path: ClaimsPath): boolean {
  return path.some((element) => typeof element === 'number')
}

function adviceFor({ id, claims = [], claimSets }: CredentialQuery): readonly string[] {
  const visible = claims
    .filter(({ path: [first] }) => ALWAYS_VISIBLE.some((name) => name === first))
    .map(({ path: [first] }) => `Query ${id} asks for ${first}, which is always visible.`)
  const named = new Set(claimSets?.flat())
  const unnamed = claimSets === undefined ? [] : claims.filter((claim) => !named.has(claim.id ?? ''))
  return [
    ...visible,
    ...unnamed.map((claim) => `Query ${id} has the claim ${claim.id} in no claim set; it is never returned.`),
    ...(isGreedy(claimSets ?? []) ? [`Query ${id} prefers a claim set that contains a later one.`] : []),
  ]
}

// An option that contains a later one discloses more than would do.
function isGreedy(sets: readonly (readonly string[])[]): boolean {
  return sets.some((set, at) => sets.slice(at + 1).some((later) => later.every((id) => set.includes(id))))
}
