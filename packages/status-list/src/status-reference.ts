/**
 * The `status` claim of a Referenced Token: where its status stands.
 *
 * Source: Token Status List -20, sections 6.1 and 6.2.
 *
 * @module
 */
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  parseHttpsUrl,
  VerificationError,
} from '@attache/core'

/** One entry of one Status List, in the words of the claim. */
export interface StatusReference {
  /** Position in the list, from 0. */
  readonly idx: number
  /** URI of the Status List Token; compared byte for byte. */
  readonly uri: string
}

/** Makes the `status` claim. */
export function statusClaim({ idx, uri }: StatusReference): JsonObject {
  return { status_list: { idx, uri } }
}

/**
 * Parses the `status` claim.
 *
 * @param claim What the verified payload holds under `status`.
 * @throws {VerificationError} `status_malformed`: no object, no mechanism, `idx` no non-negative safe integer,
 *   `uri` no https URL.
 * @throws {VerificationError} `status_mechanism_unknown`: only mechanisms other than `status_list`: nothing is
 *   known about the status, which is not the same as valid.
 *
 * Source: Token Status List -20, sections 6.1 and 6.2.
 */
export function parseStatusReference(claim: JsonValue): StatusReference {
  if (!isJsonObject(claim) || Object.keys(claim).length === 0)
    throw malformed('status is no object with a mechanism')
  const reference = member(claim, 'status_list')
  if (reference === undefined) {
    throw new VerificationError(
      'status_mechanism_unknown',
      'The credential states its status by a mechanism that is not understood here.',
    )
  }
  if (!isJsonObject(reference)) throw malformed('status_list is no object')

  const idx = member(reference, 'idx')
  const uri = member(reference, 'uri')
  if (typeof idx !== 'number' || !Number.isSafeInteger(idx) || idx < 0) throw malformed('idx is no index')
  if (typeof uri !== 'string' || parseHttpsUrl(uri) === undefined) throw malformed('uri is no https URL')
  return { idx, uri }
}

const malformed = (what: string) =>
  new VerificationError('status_malformed', `The status claim is malformed: ${what}.`)
