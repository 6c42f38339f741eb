/**
 * The compact form: taken apart once, at its tildes, and never put together again from decoded parts.
 *
 * Every later hash is made over these substrings as they were received.
 *
 * Source: RFC 9901, section 4 and Appendix B (form), section 7.1 step 1.
 *
 * @module
 */
import { isJsonObject, type JsonValue } from '@attache/core'
import { refusal } from './errors.js'
import type { SdJwtLimits } from './limits.js'

/** An SD-JWT in its parts, nothing decoded yet. */
export interface CompactSdJwt {
  /** The issuer-signed JWT. */
  readonly issuerJwt: string
  /** The encoded Disclosures, in the order received. */
  readonly disclosures: readonly string[]
  /** What follows the last tilde; `undefined` when nothing does. */
  readonly keyBindingJwt: string | undefined
  /** Everything up to and including the last tilde: what `sd_hash` is made over. */
  readonly presented: string
}

const DISCLOSURE = /^[A-Za-z0-9_-]+$/

/**
 * Takes an SD-JWT or SD-JWT+KB apart. The form of the two JWTs is checked where they are parsed.
 *
 * @param credential The compact text. An object (the JWS JSON form) is refused by its own code.
 * @throws {VerificationError} `sd_jwt_json_serialization`, `sd_jwt_malformed`, `sd_jwt_too_large`,
 *   `disclosures_too_many`: nothing was decoded yet.
 *
 * Source: RFC 9901, section 4.
 */
export function parseCompactSdJwt(credential: JsonValue, limits: SdJwtLimits): CompactSdJwt {
  if (isJsonObject(credential)) throw refusal('sd_jwt_json_serialization')
  if (typeof credential !== 'string') throw refusal('sd_jwt_malformed')
  if (credential.length > limits.maxBytes) throw refusal('sd_jwt_too_large')

  // Issuer JWT, Disclosures, tail, and one more part that tells whether there were too many.
  const parts = credential.split('~', limits.maxDisclosures + 3)
  if (parts.length > limits.maxDisclosures + 2) throw refusal('disclosures_too_many')
  const issuerJwt = parts[0] ?? ''
  const tail = parts.at(-1) ?? ''
  const disclosures = parts.slice(1, -1)
  if (parts.length < 2) throw refusal('sd_jwt_malformed')

  checkSizes({ issuerJwt, disclosures, tail }, limits)
  if (!disclosures.every((disclosure) => DISCLOSURE.test(disclosure))) throw refusal('sd_jwt_malformed')
  return {
    issuerJwt,
    disclosures,
    keyBindingJwt: tail === '' ? undefined : tail,
    presented: tail === '' ? credential : credential.slice(0, -tail.length),
  }
}

function checkSizes(
  parts: { issuerJwt: string; disclosures: readonly string[]; tail: string },
  limits: SdJwtLimits,
): void {
  const tooLarge =
    parts.issuerJwt.length > limits.maxIssuerJwtBytes ||
    parts.tail.length > limits.maxKeyBindingJwtBytes ||
    parts.disclosures.some((disclosure) => disclosure.length > limits.maxDisclosureBytes)
  if (tooLarge) throw refusal('sd_jwt_too_large')
}
