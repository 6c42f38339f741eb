/**
 * Credential sets: which credential queries together make a complete answer.
 *
 * Source: OpenID4VP 1.0, sections 6.2 and 6.4.2.
 *
 * @module
 */
import type { DcqlQuery } from './dcql-query.js'

/** Which credential queries make up a complete answer, or which ones are missing for it. */
export type CredentialSetOutcome =
  | { readonly satisfied: true; readonly queryIds: readonly string[] }
  | { readonly satisfied: false; readonly unanswered: readonly string[] }

/**
 * Decides which credential queries belong to a complete answer.
 *
 * @param answered Tells whether a credential query has at least one valid answer.
 * @returns The ids to return, each once; or the ids that keep a required set from being complete.
 *
 * Source: OpenID4VP 1.0, section 6.4.2.
 */
export function satisfyCredentialSets(
  query: DcqlQuery,
  answered: (queryId: string) => boolean,
  optionalSets: 'include' | 'omit' = 'include',
): CredentialSetOutcome {
  if (query.credentialSets === undefined) {
    const ids = query.credentials.map(({ id }) => id)
    const unanswered = ids.filter((id) => !answered(id))
    return unanswered.length > 0 ? { satisfied: false, unanswered } : { satisfied: true, queryIds: ids }
  }

  const chosen = new Set<string>()
  const allOptional = query.credentialSets.every(({ required }) => !required)
  for (const { options, required } of query.credentialSets) {
    const option = options.find((ids) => ids.every(answered))
    if (option === undefined && required) {
      return { satisfied: false, unanswered: (options[0] ?? []).filter((id) => !answered(id)) }
    }
    // Where every set is optional, an answer without any of them would be empty.
    if (required || allOptional || optionalSets === 'include') for (const id of option ?? []) chosen.add(id)
  }
  if (chosen.size === 0) return { satisfied: false, unanswered: query.credentials.map(({ id }) => id) }
  return { satisfied: true, queryIds: [...chosen] }
}
