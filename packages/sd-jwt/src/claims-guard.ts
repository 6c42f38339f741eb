/**
 * What may go into a credential: checked before the library sees it, because the library does not.
 *
 * Source: RFC 9901, sections 4.1 and 9.7; SD-JWT VC, section 2.2.2.
 *
 * @module
 */
import {
  isJsonArray,
  isJsonObject,
  isJsonValue,
  type JsonObject,
  type JsonValue,
  member,
  VerificationError,
} from '@attache/core'
import { parseCredentialType, parseStatus } from './credential-claims.js'
import { type IssuanceErrorCode, issuanceError } from './issuance-errors.js'

const RESERVED = ['_sd', '...', '_sd_alg']
// The library drops a member of the first name and takes the second for its own instruction.
const UNSAFE = ['__proto__', '_sd_decoy']

/**
 * Checks the claims of a credential to be issued.
 *
 * @param maxDepth Deepest nesting; what receivers accept, less one level for `cnf`.
 * @throws {TypeError} A code of `ISSUANCE_ERRORS`.
 */
export function checkClaims(claims: JsonObject, maxDepth: number): void {
  if (!isJsonObject(claims)) throw issuanceError('claims_not_json')
  checkNames(claims, maxDepth)
  if (!isJsonValue(claims)) throw issuanceError('claims_not_json')
  if (Object.hasOwn(claims, 'cnf')) throw issuanceError('cnf_given')
  asIssuance('vct_missing', 'vct_malformed', () => parseCredentialType(claims))
  asIssuance('status_malformed', 'status_malformed', () => parseStatus(claims))
  for (const name of ['iat', 'nbf', 'exp']) {
    const time = member(claims, name)
    if (time !== undefined && !Number.isSafeInteger(time)) throw issuanceError('time_malformed')
  }
}

function checkNames(value: JsonValue, depth: number): void {
  if (depth < 0) throw issuanceError('claims_too_deep')
  if (isJsonArray(value)) {
    for (const element of value) checkNames(element, depth - 1)
  } else if (isJsonObject(value)) {
    for (const [name, inner] of Object.entries(value)) {
      if (RESERVED.includes(name)) throw issuanceError('claim_name_reserved')
      if (UNSAFE.includes(name)) throw issuanceError('claim_name_refused')
      checkNames(inner, depth - 1)
    }
  }
}

// The receiver's own parsers are the rule; their refusals become the issuer's mistakes.
function asIssuance(code: IssuanceErrorCode, expected: string, check: () => unknown): void {
  try {
    check()
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause
    throw issuanceError(cause.code === expected ? code : 'aka_vcts_malformed')
  }
}
