/**
 * Transaction data: what a holder agrees to by signing its hash in the KB-JWT.
 *
 * Owns the entries and their hashes. Which types exist and what they mean is the caller's.
 *
 * Source: OpenID4VP 1.0, sections 5.1 and 8.4; Appendix B.3.3.1.
 *
 * @module
 */
import {
  decodeBase64url,
  decodeUtf8,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  ProtocolError,
  parseJson,
  utf8,
} from '@attache/core'
import { digest } from '@attache/keys'
import { z } from 'zod'
import type { DcqlQuery } from './dcql-query.js'

/** Hash algorithms understood here, most wanted first. */
export const TRANSACTION_DATA_HASHES = ['sha-256', 'sha-384', 'sha-512'] as const

/** A hash algorithm of transaction data. */
export type TransactionDataHash = (typeof TRANSACTION_DATA_HASHES)[number]

/** One entry, read. */
export interface TransactionData {
  /** The text exactly as sent: what is hashed. */
  readonly text: string
  readonly type: string
  /** Credential queries of which one signs this entry. */
  readonly credentialIds: readonly string[]
  /** Algorithms to choose from; absent: SHA-256 and no echo. */
  readonly hashAlgorithms?: readonly string[] | undefined
  /** All members, for the processing of its type. */
  readonly content: JsonObject
}

const entrySchema = z.object({
  type: z.string().min(1),
  credential_ids: z.array(z.string().min(1)).min(1),
  transaction_data_hashes_alg: z.array(z.string().min(1)).min(1).optional(),
})

/**
 * Reads one `transaction_data` entry.
 *
 * @param text The base64url text as received.
 * @param query The query whose ids may be named, all of them with holder binding.
 * @throws {ProtocolError} `invalid_transaction_data`.
 *
 * Source: OpenID4VP 1.0, section 5.1; Appendix B.3.3.
 */
export function parseTransactionData(text: string, query: DcqlQuery): TransactionData {
  const bytes = decodeBase64url(text)
  const json = bytes === undefined ? undefined : decodeUtf8(bytes)
  const content = json === undefined ? undefined : parseJson(json)
  if (content?.ok !== true || !isJsonObject(content.value))
    throw entryError('is not base64url of a JSON object')
  const parsed = entrySchema.safeParse(content.value)
  if (!parsed.success) throw entryError('lacks type or credential_ids, or has them malformed')

  for (const id of parsed.data.credential_ids) {
    const named = query.credentials.find((credential) => credential.id === id)
    if (named === undefined) throw entryError('names an unknown credential query')
    if (!named.requireCryptographicHolderBinding) throw entryError('names a query without holder binding')
  }
  return {
    text,
    type: parsed.data.type,
    credentialIds: parsed.data.credential_ids,
    hashAlgorithms: parsed.data.transaction_data_hashes_alg,
    content: content.value,
  }
}

function entryError(what: string): ProtocolError {
  return new ProtocolError('invalid_transaction_data', `A transaction_data entry ${what}. Correct the entry.`)
}

/**
 * Writes one entry as the text that travels and is hashed.
 *
 * Source: OpenID4VP 1.0, section 5.1.
 */
export function encodeTransactionData(content: JsonObject): string {
  return encodeBase64url(utf8(JSON.stringify(content)))
}

/**
 * Hashes an entry as it stands on the wire.
 *
 * Source: OpenID4VP 1.0, Appendix B.3.3.1.
 */
export function hashTransactionData(text: string, algorithm: TransactionDataHash): string {
  return digest(algorithm, text)
}
