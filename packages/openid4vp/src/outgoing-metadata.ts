/**
 * The rules for what an outgoing request announces: formats, algorithms, keys, transaction data, attestations.
 *
 * Source: OpenID4VP 1.0, sections 5.1, 8.3 and 11.1; Appendix B.3.3 and B.3.4; HAIP 1.0, section 5.
 *
 * @module
 */
import {
  type ConfigurationError,
  configurationError,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  ProtocolError,
} from '@attache/core'
import { hasPrivateMember } from '@attache/keys'
import { parseDcqlQuery } from './dcql-query.js'
import { parseTransactionData } from './transaction-data.js'
import { parseVerifierInfo } from './verifier-info.js'

// Names that leave the curve open say less than a verifier has to know.
const FULLY_SPECIFIED = ['ES256', 'ES384', 'ES512', 'Ed25519', 'PS256', 'PS384', 'PS512']

/**
 * Refuses a request whose announcements do not hold together.
 *
 * @throws {TypeError} `metadata_missing`, `metadata_algorithms`, `metadata_keys`, `metadata_enc`,
 * `metadata_private_key`, `td_credential_ids`, `td_hashes`, `verifier_info`.
 *
 * Source: OpenID4VP 1.0, section 5.1.
 */
export function checkOutgoingMetadata(
  parameters: JsonObject,
  options: { readonly registeredMetadata?: boolean; readonly profile?: 'base' | 'haip' },
): void {
  const metadata = member(parameters, 'client_metadata')
  if (!isJsonObject(metadata)) {
    if (options.registeredMetadata !== true) {
      throw refused('metadata_missing', 'A request carries client_metadata unless the wallet has it.')
    }
    checkExtras(parameters)
    return
  }
  const formats = member(metadata, 'vp_formats_supported')
  const format = isJsonObject(formats) ? member(formats, 'dc+sd-jwt') : undefined
  if (!isJsonObject(format))
    throw refused('metadata_missing', 'vp_formats_supported has the format dc+sd-jwt.')
  for (const name of ['sd-jwt_alg_values', 'kb-jwt_alg_values']) checkAlgorithms(member(format, name))
  const encrypted = String(member(parameters, 'response_mode')).endsWith('.jwt')
  checkEncryption(metadata, encrypted, options.profile === 'haip')
  checkExtras(parameters)
}

function checkAlgorithms(values: JsonValue | undefined): void {
  if (values === undefined) return
  const named = isJsonArray(values) ? values : []
  if (named.length === 0 || !named.every((value) => FULLY_SPECIFIED.some((known) => known === value))) {
    throw refused('metadata_algorithms', 'Algorithm lists are not empty and name the curve, as Ed25519 does.')
  }
}

function checkEncryption(metadata: JsonObject, encrypted: boolean, haip: boolean): void {
  const encs = member(metadata, 'encrypted_response_enc_values_supported')
  const jwks = member(metadata, 'jwks')
  const keys = isJsonObject(jwks) ? member(jwks, 'keys') : undefined
  const found = isJsonArray(keys) ? keys.filter(isJsonObject) : []
  if (found.some(hasPrivateMember))
    throw refused('metadata_private_key', 'client_metadata holds a private key.')
  if (encs !== undefined && (!isJsonArray(encs) || encs.length === 0 || !encrypted)) {
    throw refused(
      'metadata_enc',
      'Content encryptions are listed, not empty, and only for encrypted answers.',
    )
  }
  if (!encrypted) return
  const kids = found.map((jwk) => member(jwk, 'kid'))
  const named = found.every((jwk) => typeof jwk['kid'] === 'string' && typeof jwk['alg'] === 'string')
  if (found.length === 0 || !named || new Set(kids).size !== kids.length) {
    throw refused('metadata_keys', 'Encrypted answers need a key; each key has its own kid and an alg.')
  }
  const both = isJsonArray(encs) && ['A128GCM', 'A256GCM'].every((enc) => encs.includes(enc))
  const curve = found.some((jwk) => jwk['crv'] === 'P-256' && jwk['alg'] === 'ECDH-ES')
  if (haip && !(both && curve))
    throw refused('metadata_enc', 'The profile needs ECDH-ES, A128GCM and A256GCM.')
}

function checkExtras(parameters: JsonObject): void {
  const query = member(parameters, 'dcql_query')
  const info = member(parameters, 'verifier_info')
  const entries = member(parameters, 'transaction_data')
  if (query === undefined || (info === undefined && entries === undefined)) return
  const parsed = parseDcqlQuery(query)
  if (info !== undefined) asConfiguration('verifier_info', () => parseVerifierInfo(info, parsed))
  if (entries === undefined) return
  const texts = isJsonArray(entries) ? entries.filter((entry) => typeof entry === 'string') : []
  if (texts.length === 0) throw refused('td_credential_ids', 'transaction_data is not empty.')
  for (const text of texts) {
    const { hashAlgorithms } = asConfiguration('td_credential_ids', () => parseTransactionData(text, parsed))
    const known = ['sha-256', 'sha-384', 'sha-512']
    if (hashAlgorithms !== undefined && !hashAlgorithms.every((name) => known.includes(name))) {
      throw refused('td_hashes', 'Hash algorithms have their registered names, such as sha-256.')
    }
  }
}

function asConfiguration<T>(code: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof ProtocolError) throw refused(code, error.message)
    throw error
  }
}

function refused(code: string, message: string): ConfigurationError {
  return configurationError(code, message)
}
