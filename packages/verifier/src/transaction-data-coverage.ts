/**
 * Transaction data in the answer: each entry signed once, by one of the credentials it names.
 *
 * Source: OpenID4VP 1.0, sections 5.1 and 8.4; Appendix B.3.3.1.
 *
 * @module
 */
import { isJsonArray, type JsonObject, type JsonValue, member } from '@attache/core'
import {
  type DcqlQuery,
  hashTransactionData,
  parseTransactionData,
  TRANSACTION_DATA_HASHES,
  type TransactionData,
  type TransactionDataHash,
} from '@attache/openid4vp'
import { refusedPresentation } from './errors.js'

/** A KB-JWT that held, and the query it answers. */
export interface SignedStatement {
  readonly queryId: string
  /** Payload of the KB-JWT. */
  readonly payload: JsonObject
}

/**
 * Checks that every entry is covered, once, and nothing else is signed.
 *
 * @param entries The texts exactly as they were sent.
 * @throws {VerificationError} `td_missing`, `td_ambiguous`, `td_hash_mismatch`, `td_malformed`.
 *
 * Source: OpenID4VP 1.0, Appendix B.3.3.1.
 */
export function requireTransactionData(
  entries: readonly string[],
  query: DcqlQuery,
  statements: readonly SignedStatement[],
): void {
  const wanted = entries.map((text) => parseTransactionData(text, query))
  const covered = statements.flatMap((statement) => coveredBy(statement, wanted))
  for (const entry of wanted) {
    const queries = new Set(covered.filter(({ text }) => text === entry.text).map(({ queryId }) => queryId))
    if (queries.size === 0) throw refusedPresentation('td_missing')
    if (queries.size > 1) throw refusedPresentation('td_ambiguous')
  }
}

function coveredBy(
  { queryId, payload }: SignedStatement,
  wanted: readonly TransactionData[],
): readonly { readonly queryId: string; readonly text: string }[] {
  const hashes = member(payload, 'transaction_data_hashes')
  if (hashes === undefined) return []
  const texts = isJsonArray(hashes) ? hashes.filter((hash) => typeof hash === 'string') : []
  if (!isJsonArray(hashes) || texts.length === 0 || texts.length !== hashes.length) {
    throw refusedPresentation('td_malformed')
  }
  const echo = member(payload, 'transaction_data_hashes_alg')
  return texts.map((hash) => {
    const entry = wanted.find((candidate) => isHashOf(hash, candidate, { queryId, echo }))
    if (entry === undefined) throw refusedPresentation('td_hash_mismatch')
    return { queryId, text: entry.text }
  })
}

function isHashOf(
  hash: string,
  entry: TransactionData,
  { queryId, echo }: { readonly queryId: string; readonly echo: JsonValue | undefined },
): boolean {
  const algorithm = algorithmFor(entry, echo)
  if (algorithm === undefined || !entry.credentialIds.includes(queryId)) return false
  return hashTransactionData(entry.text, algorithm) === hash
}

// A list that was offered is answered with a choice from it; without a list SHA-256 goes without saying.
function algorithmFor(entry: TransactionData, echo: JsonValue | undefined): TransactionDataHash | undefined {
  if (entry.hashAlgorithms === undefined)
    return echo === undefined || echo === 'sha-256' ? 'sha-256' : undefined
  const chosen = TRANSACTION_DATA_HASHES.find((known) => known === echo)
  return chosen !== undefined && entry.hashAlgorithms.includes(chosen) ? chosen : undefined
}
