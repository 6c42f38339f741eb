/**
 * A credential that a wallet holds: what it says with everything disclosed, and what of it can be withheld.
 *
 * Reading is not judging: a wallet runs `verifySdJwtVc` on receipt and stores only what held.
 *
 * Source: RFC 9901, section 7.2.
 *
 * @module
 */
import { type ClaimsPath, type ConfigurationError, configurationError, type JsonObject } from '@attache/core'
import { type HashAlgorithm, type PublicJwk, parseJws } from '@attache/keys'
import { type CompactSdJwt, parseCompactSdJwt } from './compact.js'
import { parseCredentialType, parseHolderKey } from './credential-claims.js'
import { refusal } from './errors.js'
import { selectIssuedClaims } from './issued-claims.js'
import { DEFAULT_LIMITS } from './limits.js'
import { type DisclosedClaim, processDisclosures } from './process-disclosures.js'
import { parseSdAlg } from './sd-alg.js'

/** A held credential, taken apart. */
export interface HeldSdJwtVc {
  readonly vct: string
  readonly akaVcts: readonly string[]
  /** Protected header of the issuer-signed JWT. */
  readonly header: JsonObject
  /** All claims, disclosed and visible. */
  readonly claims: JsonObject
  /** Every claim that can be withheld. */
  readonly disclosable: readonly DisclosedClaim[]
  /** Array elements whose Disclosure did not come along, decoys for example. */
  readonly hiddenElements: readonly ClaimsPath[]
  readonly holderKey: PublicJwk | undefined
  readonly sdAlg: HashAlgorithm
  /** The text in its parts. */
  readonly compact: CompactSdJwt
}

/**
 * Reads a held credential.
 *
 * @throws {VerificationError} A code of `SD_JWT_ERRORS`; `key_binding_unexpected`: an SD-JWT+KB, which nobody
 *   may be issued.
 */
export function parseHeldSdJwtVc(credential: string): HeldSdJwtVc {
  const compact = parseCompactSdJwt(credential, DEFAULT_LIMITS)
  if (compact.keyBindingJwt !== undefined) throw refusal('key_binding_unexpected')
  const { header, payload } = parseJws(compact.issuerJwt, { maxDepth: DEFAULT_LIMITS.maxDepth })
  const sdAlg = parseSdAlg(payload)
  const processed = processDisclosures(payload, compact.disclosures, { sdAlg, limits: DEFAULT_LIMITS })
  return {
    ...parseCredentialType(payload),
    header,
    claims: processed.claims,
    disclosable: processed.disclosed,
    hiddenElements: processed.hiddenElements,
    holderKey: parseHolderKey(payload),
    sdAlg,
    compact,
  }
}

/**
 * Chooses the Disclosures that show the claims at some paths.
 *
 * A claim is shown whole, with everything inside it, and drags in what it stands in; nothing else comes
 * along. Naming a claim twice, or one that is visible anyway, changes nothing.
 *
 * @param paths Claims paths; indexes and `null` count arrays as issued.
 * @returns Encoded Disclosures, each once, in the order they came with the credential.
 * @throws {TypeError} `presented_path_absent`: a path selects nothing in this credential.
 *
 * Source: RFC 9901, sections 4.2.6 and 7.2.
 */
export function selectDisclosures(held: HeldSdJwtVc, paths: readonly ClaimsPath[]): readonly string[] {
  const wanted = paths.flatMap((path) => {
    const selected = selectIssuedClaims(held, path)?.filter(({ value }) => value !== undefined) ?? []
    if (selected.length === 0) throw absent()
    return selected.map((claim) => claim.path)
  })
  const chosen = new Set(
    held.disclosable
      .filter(({ path }) => wanted.some((claim) => isSameBranch(path, claim)))
      .map(({ encoded }) => encoded),
  )
  return held.compact.disclosures.filter((encoded) => chosen.has(encoded))
}

/** Whether one path leads through the other: the claim itself, what it stands in, or what stands in it. */
function isSameBranch(one: readonly unknown[], other: readonly unknown[]): boolean {
  const shorter = one.length < other.length ? one : other
  return shorter.every((_, at) => one[at] === other[at])
}

function absent(): ConfigurationError {
  return configurationError(
    'presented_path_absent',
    'A path selects no claim of this credential. Match first.',
  )
}
