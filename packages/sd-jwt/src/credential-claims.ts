/**
 * What makes an SD-JWT an SD-JWT VC: the rules on its claims, for receivers.
 *
 * Source: SD-JWT VC (draft 19), section 2.2.2; Token Status List, sections 6.1 and 6.2 (form only).
 *
 * @module
 */
import {
  type ClaimsPath,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  parseHttpsUrl,
} from '@attache/core'
import { type KeyPool, type PublicJwk, parsePublicJwk } from '@attache/keys'
import { refusal } from './errors.js'

/**
 * Claims that stand in the clear, whole and in part.
 *
 * Source: SD-JWT VC, section 2.2.2.3.
 */
export const NEVER_DISCLOSABLE: readonly string[] = [
  'iss',
  'nbf',
  'exp',
  'cnf',
  'vct',
  'vct#integrity',
  'aka_vcts',
  'status',
]

/** Where the status of a credential is published; `unknown` when only foreign mechanisms are named. */
export type CredentialStatus =
  | { readonly mechanism: 'status_list'; readonly uri: string; readonly idx: number }
  | { readonly mechanism: 'unknown' }

/** The type of a credential and the other names it goes by. */
export interface CredentialType {
  readonly vct: string
  readonly akaVcts: readonly string[]
}

/**
 * Reads `vct` and `aka_vcts`.
 *
 * @throws {VerificationError} `vct_malformed`, `aka_vcts_malformed`.
 *
 * Source: SD-JWT VC, sections 2.2.2.1 and 2.2.2.2.
 */
export function parseCredentialType(payload: JsonObject): CredentialType {
  const vct = member(payload, 'vct')
  if (typeof vct !== 'string' || vct === '') throw refusal('vct_malformed')
  const named = member(payload, 'aka_vcts')
  if (named === undefined) return { vct, akaVcts: [] }
  if (!isJsonArray(named) || named.length === 0) throw refusal('aka_vcts_malformed')
  const akaVcts = named.map((name) => {
    if (typeof name !== 'string' || name === '' || name === vct) throw refusal('aka_vcts_malformed')
    return name
  })
  return { vct, akaVcts }
}

/**
 * Whether a credential type is among the accepted ones, by `vct` or `aka_vcts`, compared case-sensitively.
 * Says nothing about who may issue it.
 *
 * Source: SD-JWT VC, section 2.2.2.2.
 */
export function matchesType(type: CredentialType, accepted: readonly string[]): boolean {
  return matchedType(type, accepted) !== undefined
}

/** The accepted name that a credential type goes by: `vct` where that is accepted, else one of `aka_vcts`. */
export function matchedType(type: CredentialType, accepted: readonly string[]): string | undefined {
  return [type.vct, ...type.akaVcts].find((name) => accepted.includes(name))
}

/**
 * Reads `iss`. Only a credential whose header carries `x5c` may go without.
 *
 * @throws {VerificationError} `issuer_malformed`.
 *
 * Source: SD-JWT VC, sections 2.2.2.3 and 2.5.
 */
export function parseIssuer(payload: JsonObject, header: JsonObject): string | undefined {
  const issuer = member(payload, 'iss')
  if (issuer === undefined && Object.hasOwn(header, 'x5c')) return undefined
  if (typeof issuer !== 'string' || issuer === '') throw refusal('issuer_malformed')
  return issuer
}

/**
 * Reads the status reference, form only.
 *
 * @throws {VerificationError} `status_malformed`: not an object with at least one mechanism, or a
 *   `status_list` whose `idx` is no safe non-negative integer or whose `uri` is no https URL.
 *
 * Source: Token Status List, sections 6.1 and 6.2.
 */
export function parseStatus(payload: JsonObject): CredentialStatus | undefined {
  const status = member(payload, 'status')
  if (status === undefined) return undefined
  if (!isJsonObject(status) || Object.keys(status).length === 0) throw refusal('status_malformed')
  const list = member(status, 'status_list')
  if (list === undefined) return { mechanism: 'unknown' }
  if (!isJsonObject(list)) throw refusal('status_malformed')
  const idx = member(list, 'idx')
  const uri = member(list, 'uri')
  if (typeof idx !== 'number' || !Number.isSafeInteger(idx) || idx < 0) throw refusal('status_malformed')
  if (typeof uri !== 'string' || parseHttpsUrl(uri) === undefined) throw refusal('status_malformed')
  return { mechanism: 'status_list', uri, idx }
}

/**
 * Finds the JWK a credential is bound to, without importing it: that costs as much as a signature.
 *
 * @returns The value of `cnf.jwk`; `undefined` when there is no `cnf` or it confirms in another way.
 * @throws {VerificationError} `cnf_malformed`; `cnf_remote_key`: it points at a key elsewhere, which is
 *   never fetched.
 *
 * Source: SD-JWT VC, sections 2.2.2.3 and 8.3.
 */
export function findHolderJwk(payload: JsonObject): JsonValue | undefined {
  const cnf = member(payload, 'cnf')
  if (cnf === undefined) return undefined
  if (!isJsonObject(cnf)) throw refusal('cnf_malformed')
  const kid = member(cnf, 'kid')
  const jwk = member(cnf, 'jwk')
  const remote =
    namesRemoteKey(cnf) ||
    (typeof kid === 'string' && kid.includes('://')) ||
    (isJsonObject(jwk) && namesRemoteKey(jwk))
  if (remote) throw refusal('cnf_remote_key')
  return jwk
}

function namesRemoteKey(object: JsonObject): boolean {
  return Object.hasOwn(object, 'jku') || Object.hasOwn(object, 'x5u')
}

/**
 * Reads the key a credential is bound to.
 *
 * @param pool Imports each key once, where holders come again.
 * @throws {VerificationError} As {@link findHolderJwk}, and `jwk_*`.
 *
 * Source: RFC 9901, section 4.1.2.
 */
export function parseHolderKey(payload: JsonObject, pool?: KeyPool): PublicJwk | undefined {
  const jwk = findHolderJwk(payload)
  if (jwk === undefined) return undefined
  return pool === undefined ? parsePublicJwk(jwk) : pool.parse(jwk)
}

/**
 * Refuses digests inside a claim that must be visible, before any Disclosure is looked at.
 *
 * @throws {VerificationError} `claim_not_disclosable`.
 *
 * Source: SD-JWT VC, section 2.2.2.3.
 */
export function checkVisibleClaims(payload: JsonObject): void {
  for (const name of NEVER_DISCLOSABLE) {
    const value = member(payload, name)
    if (value !== undefined && holdsDigest(value)) throw refusal('claim_not_disclosable')
  }
}

/**
 * Refuses Disclosures of claims that must be visible.
 *
 * @throws {VerificationError} `claim_not_disclosable`.
 *
 * Source: SD-JWT VC, section 2.2.2.3.
 */
export function checkDisclosedPaths(disclosed: readonly { readonly path: ClaimsPath }[]): void {
  if (disclosed.some(({ path: [first] }) => typeof first === 'string' && NEVER_DISCLOSABLE.includes(first))) {
    throw refusal('claim_not_disclosable')
  }
}

function holdsDigest(value: JsonValue): boolean {
  if (isJsonArray(value)) return value.some(holdsDigest)
  if (!isJsonObject(value)) return false
  return Object.keys(value).some(
    (name) => name === '_sd' || name === '...' || holdsDigest(value[name] ?? null),
  )
}
