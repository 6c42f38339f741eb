/**
 * One Disclosure: text to content.
 *
 * Source: RFC 9901, sections 4.2.1 to 4.2.3; section 7.1, steps 3c.ii.1 and 3c.iii.1.
 *
 * @module
 */
import { decodeBase64url, decodeUtf8, isJsonArray, type JsonValue, parseJson } from '@attache/core'
import { refusal } from './errors.js'

/** What a Disclosure says: `name` is absent for an array element. */
export interface DisclosureContent {
  readonly name: string | undefined
  readonly value: JsonValue
}

/**
 * Decodes one Disclosure for the place where its digest was found.
 *
 * @param kind `member`: the digest stood in `_sd`, three elements. `element`: in an array, two elements.
 * @throws {VerificationError} `disclosure_malformed`, `disclosure_kind`, `sd_jwt_too_deep`,
 *   `claim_name_reserved`.
 *
 * Source: RFC 9901, section 7.1, step 3c.
 */
export function decodeDisclosure(
  encoded: string,
  kind: 'member' | 'element',
  limits: { readonly maxDepth: number },
): DisclosureContent {
  const elements = parseElements(encoded, limits.maxDepth)
  const isMember = elements.length === 3
  if (!isMember && elements.length !== 2) throw refusal('disclosure_malformed')
  if (isMember !== (kind === 'member')) throw refusal('disclosure_kind')

  const [salt, second, third] = elements
  if (typeof salt !== 'string' || second === undefined) throw refusal('disclosure_malformed')
  if (!isMember) return { name: undefined, value: second }
  if (typeof second !== 'string' || third === undefined) throw refusal('disclosure_malformed')
  if (second === '_sd' || second === '...') throw refusal('claim_name_reserved')
  // Allowed by name at the top level, but it would change the hash algorithm after the fact.
  if (second === '_sd_alg') throw refusal('sd_alg_misplaced')
  return { name: second, value: third }
}

function parseElements(encoded: string, maxDepth: number): readonly JsonValue[] {
  const bytes = decodeBase64url(encoded)
  const text = bytes && decodeUtf8(bytes)
  if (text === undefined) throw refusal('disclosure_malformed')
  // The array of the Disclosure itself is no nesting of the claim.
  const parsed = parseJson(text, { maxDepth: maxDepth + 1 })
  if (!parsed.ok) throw refusal(parsed.reason === 'too_deep' ? 'sd_jwt_too_deep' : 'disclosure_malformed')
  if (!isJsonArray(parsed.value)) throw refusal('disclosure_malformed')
  return parsed.value
}
