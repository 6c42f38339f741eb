/**
 * Transaction data: what a wallet agrees to for its agent, by signing hashes of it.
 *
 * Owns which types are known (configuration names each with its members), the question put to the mandate, and
 * which presentation carries which hashes. Only the hashes profile is spoken: a type that wants another claim in
 * the KB-JWT is not configurable. A request with one entry that fails is refused whole.
 *
 * In a policy the question reads: principal `Agent`, action `agree`, resource `Verifier`, and as context `type`
 * and `data` (all members of the entry): limits of an amount are conditions on `data`.
 *
 * Source: OpenID4VP 1.0, sections 5.1, 8.4, 8.5 and 15.1; Appendix B.3.3.
 *
 * @module
 */
import {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  ProtocolError,
} from '@attache/core'
import {
  type AuthorizationRequest,
  type DcqlQuery,
  hashTransactionData,
  parseTransactionData,
  TRANSACTION_DATA_HASHES,
  type TransactionData,
  type TransactionDataHash,
} from '@attache/openid4vp'
import type { Pdp } from '@attache/policy'
import type { ReleaseDecision, ReleaseFacts } from './decide-release.js'

/** A type of transaction data, with the members an entry of it has beside those of the standard. */
export interface TransactionDataType {
  readonly type: string
  /** Members that must be there, with their JSON types. */
  readonly required?: Readonly<Record<string, JsonType>> | undefined
  /** Members that may be there. */
  readonly optional?: Readonly<Record<string, JsonType>> | undefined
}

/** Type of a JSON value. */
export type JsonType = 'string' | 'number' | 'boolean' | 'object' | 'array'

const STANDARD_MEMBERS = ['type', 'credential_ids', 'transaction_data_hashes_alg']

/**
 * Reads the entries of a request.
 *
 * @throws {ProtocolError} `invalid_transaction_data`: an entry is malformed, of an unknown type, or its members are
 *   not exactly those of its type.
 */
export function readTransactionData(
  request: AuthorizationRequest,
  query: DcqlQuery,
  types: readonly TransactionDataType[],
): readonly TransactionData[] {
  return (request.transactionData ?? []).map((text) => {
    const entry = parseTransactionData(text, query)
    const known = types.find(({ type }) => type === entry.type)
    if (known === undefined) throw invalid('An entry is of a type that this wallet agrees to nowhere.')
    checkMembers(entry.content, known)
    return entry
  })
}

function checkMembers(content: JsonObject, { required = {}, optional = {} }: TransactionDataType): void {
  const missing = Object.keys(required).some((name) => member(content, name) === undefined)
  const wrong = Object.keys(content).some((name) => {
    if (STANDARD_MEMBERS.includes(name)) return false
    const wanted = Object.hasOwn(required, name) ? required[name] : undefined
    const allowed = Object.hasOwn(optional, name) ? optional[name] : wanted
    return allowed === undefined || jsonType(member(content, name)) !== allowed
  })
  if (missing || wrong) throw invalid('The members of an entry are not those of its type.')
}

function jsonType(value: JsonValue | undefined): JsonType | undefined {
  if (value === undefined || value === null) return undefined
  if (isJsonArray(value)) return 'array'
  if (isJsonObject(value)) return 'object'
  if (typeof value === 'string') return 'string'
  return typeof value === 'number' ? 'number' : 'boolean'
}

/** Asks the mandate about each entry. */
export async function decideOnTransactionData(
  facts: ReleaseFacts,
  entries: readonly TransactionData[],
  deps: { readonly pdp: Pdp },
): Promise<ReleaseDecision<undefined>> {
  for (const { type, content } of entries) {
    const { decision, reason, policies } = await deps.pdp.decide({
      principal: { type: 'Agent', id: facts.agent },
      action: 'agree',
      resource: { type: 'Verifier', id: facts.verifier },
      context: { type, data: content },
    })
    if (decision !== 'allow') return { released: false, code: reason, policies }
  }
  return { released: true, value: undefined }
}

/**
 * Gives each entry to the first of its queries that is answered.
 *
 * @param answered Ids of the queries that a presentation answers.
 * @returns KB-JWT members by query id; `undefined` when an entry has no query that is answered.
 * @throws {ProtocolError} `invalid_transaction_data`: entries of one presentation share no hash algorithm.
 */
export function hashesByQuery(
  entries: readonly TransactionData[],
  answered: readonly string[],
): ReadonlyMap<string, JsonObject> | undefined {
  const byQuery = new Map<string, readonly TransactionData[]>()
  for (const entry of entries) {
    const id = entry.credentialIds.find((candidate) => answered.includes(candidate))
    if (id === undefined) return undefined
    byQuery.set(id, [...(byQuery.get(id) ?? []), entry])
  }
  return new Map([...byQuery].map(([id, carried]) => [id, keyBindingMembers(carried)]))
}

function keyBindingMembers(entries: readonly TransactionData[]): JsonObject {
  const algorithm = commonAlgorithm(entries)
  const asked = entries.some(({ hashAlgorithms }) => hashAlgorithms !== undefined)
  return {
    transaction_data_hashes: entries.map(({ text }) => hashTransactionData(text, algorithm)),
    ...(asked ? { transaction_data_hashes_alg: algorithm } : {}),
  }
}

function commonAlgorithm(entries: readonly TransactionData[]): TransactionDataHash {
  const common = TRANSACTION_DATA_HASHES.find((algorithm) =>
    entries.every(({ hashAlgorithms = ['sha-256'] }) => hashAlgorithms.includes(algorithm)),
  )
  if (common === undefined)
    throw invalid('Entries of one presentation share no hash algorithm that is known here.')
  return common
}

function invalid(message: string): ProtocolError {
  return new ProtocolError('invalid_transaction_data', message)
}
