/**
 * Matching a DCQL query: the wallet chooses, from what it holds, one complete answer or none.
 *
 * The rule for a single credential lives in `dcql-credential.ts`, the one for sets in
 * `dcql-credential-sets.ts`. Release policy is the caller's.
 *
 * Source: OpenID4VP 1.0, section 6.4.
 *
 * @module
 */
import type { ClaimsPath } from '@attache/core'
import { type DcqlCredential, matchCredential } from './dcql-credential.js'
import { satisfyCredentialSets } from './dcql-credential-sets.js'
import type { CredentialQuery, DcqlQuery } from './dcql-query.js'

/** One presentation to make. */
export interface DcqlSelection {
  /** Id of the credential query that is answered. */
  readonly queryId: string
  /** Id of the chosen credential, as handed in. */
  readonly credentialId: string
  /** Concrete paths to disclose; empty: nothing selectively disclosable. */
  readonly paths: readonly ClaimsPath[]
  /** Whether the presentation must carry a KB-JWT. */
  readonly requireCryptographicHolderBinding: boolean
}

/** What a wallet can answer: everything that is required, or nothing at all. */
export type DcqlMatch =
  | { readonly satisfied: true; readonly selections: readonly DcqlSelection[] }
  | { readonly satisfied: false; readonly unanswered: readonly string[] }

/** Credentials arranged so that a query does not look at all of them. */
export interface DcqlIndex {
  /** Credentials of one type, in the order in which they were handed in. */
  ofType(vct: string): readonly DcqlCredential[]
}

/**
 * Arranges credentials by their type.
 *
 * @param held In order of preference: of several candidates the first is chosen.
 */
export function indexCredentials(held: readonly DcqlCredential[]): DcqlIndex {
  const byType = new Map<string, DcqlCredential[]>()
  for (const credential of held) {
    const known = byType.get(credential.vct)
    if (known === undefined) byType.set(credential.vct, [credential])
    else known.push(credential)
  }
  return { ofType: (vct) => byType.get(vct) ?? [] }
}

/**
 * Chooses the credentials and claims that answer a query.
 *
 * @param held Credentials in order of preference, or an index made of them.
 * @param options.mostPerQuery Presentations for a query with `multiple`. Default 1.
 * @param options.optionalSets Whether optional credential sets that can be met are answered. Default `include`.
 * @returns All presentations of a complete answer, or the ids of required queries that have none.
 *
 * Source: OpenID4VP 1.0, section 6.4.
 */
export function matchDcqlQuery(
  query: DcqlQuery,
  held: readonly DcqlCredential[] | DcqlIndex,
  options: { readonly mostPerQuery?: number; readonly optionalSets?: 'include' | 'omit' } = {},
): DcqlMatch {
  const index = 'ofType' in held ? held : indexCredentials(held)
  const answers = new Map(
    query.credentials.map((credential) => [
      credential.id,
      select(credential, index, options.mostPerQuery ?? 1),
    ]),
  )
  const answered = (id: string): boolean => (answers.get(id) ?? []).length > 0
  const outcome = satisfyCredentialSets(query, answered, options.optionalSets ?? 'include')
  if (!outcome.satisfied) return { satisfied: false, unanswered: outcome.unanswered }
  return { satisfied: true, selections: outcome.queryIds.flatMap((id) => answers.get(id) ?? []) }
}

function select(query: CredentialQuery, index: DcqlIndex, most: number): readonly DcqlSelection[] {
  const selections: DcqlSelection[] = []
  const candidates = [...new Set(query.vctValues)].flatMap((vct) => index.ofType(vct))
  for (const credential of candidates) {
    if (selections.length === (query.multiple ? most : 1)) break
    const match = matchCredential(query, credential)
    if (!match.matches) continue
    const { requireCryptographicHolderBinding } = query
    selections.push({
      queryId: query.id,
      credentialId: credential.id,
      paths: match.paths,
      requireCryptographicHolderBinding,
    })
  }
  return selections
}
