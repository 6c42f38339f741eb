/**
 * How much of an untrusted SD-JWT is looked at before it is refused.
 *
 * All are enforced before the work they bound: sizes before any decoding, counts before any hashing.
 *
 * @module
 */

/** Limits of one SD-JWT; sizes count characters, which are bytes since only ASCII is accepted. */
export interface SdJwtLimits {
  /** Whole text. In a header field use 65,536. @default 262144 */
  readonly maxBytes: number
  /** The issuer-signed JWT. @default 65536 */
  readonly maxIssuerJwtBytes: number
  /** One Disclosure, encoded. @default 65536 */
  readonly maxDisclosureBytes: number
  /** The KB-JWT. @default 8192 */
  readonly maxKeyBindingJwtBytes: number
  /** Disclosures in one text. @default 256 */
  readonly maxDisclosures: number
  /** Digests in the payload and in all Disclosures together. @default 4096 */
  readonly maxDigests: number
  /** Nesting of JSON, counted through Disclosures. @default 32 */
  readonly maxDepth: number
}

/** The limits used where a caller states none. */
export const DEFAULT_LIMITS: SdJwtLimits = {
  maxBytes: 262_144,
  maxIssuerJwtBytes: 65_536,
  maxDisclosureBytes: 65_536,
  maxKeyBindingJwtBytes: 8_192,
  maxDisclosures: 256,
  maxDigests: 4_096,
  maxDepth: 32,
}
