/**
 * The `vp_token`: presentations by the id of the credential query they answer.
 *
 * Owns its structure. What stands inside a presentation is judged by whoever verifies it.
 *
 * Source: OpenID4VP 1.0, section 8.1; HAIP 1.0, section 6.1.
 *
 * @module
 */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, VerificationError } from '@attache/core'
import type { DcqlQuery } from './dcql-query.js'

/** Compact presentations by credential query id, never an empty list. */
export type VpToken = ReadonlyMap<string, readonly string[]>

const MOST_PRESENTATIONS = 32

/**
 * Reads a `vp_token` against the query it answers.
 *
 * @throws {VerificationError} `vp_token_malformed`, `unknown_credential_id`, `too_many_presentations`.
 *
 * Source: OpenID4VP 1.0, section 8.1.
 */
export function parseVpToken(value: JsonValue | undefined, query: DcqlQuery): VpToken {
  if (!isJsonObject(value)) throw malformed('it is no object')
  const token = new Map<string, readonly string[]>()
  let count = 0
  for (const [id, entry] of Object.entries(value)) {
    const asked = query.credentials.find((credential) => credential.id === id)
    if (asked === undefined) {
      throw new VerificationError('unknown_credential_id', 'The vp_token answers a query that was not asked.')
    }
    const presentations = parsePresentations(entry)
    count += presentations.length
    if ((presentations.length > 1 && !asked.multiple) || count > MOST_PRESENTATIONS) {
      throw new VerificationError(
        'too_many_presentations',
        'The vp_token holds more presentations than asked.',
      )
    }
    token.set(id, presentations)
  }
  return token
}

function parsePresentations(entry: JsonValue): readonly string[] {
  if (!isJsonArray(entry) || entry.length === 0) throw malformed('an entry is no non-empty array')
  const presentations = entry.filter((presentation) => typeof presentation === 'string')
  if (presentations.length !== entry.length) throw malformed('a presentation is no compact text')
  return presentations
}

function malformed(what: string): VerificationError {
  return new VerificationError('vp_token_malformed', `The vp_token cannot be read: ${what}.`)
}

/**
 * Writes a `vp_token`: always arrays, also for a single presentation.
 *
 * Source: OpenID4VP 1.0, section 8.1.
 */
export function encodeVpToken(token: VpToken): JsonObject {
  return Object.fromEntries(token)
}
