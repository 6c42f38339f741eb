/**
 * Judging an SD-JWT: the steps every kind of SD-JWT shares, in the order of the standard.
 *
 * `verifySdJwt` is for SD-JWTs that are no SD-JWT VC; credentials go through `verifySdJwtVc`, which adds the
 * rules of the type. Whether key binding is wanted is stated by the caller and never read off the text.
 *
 * Source: RFC 9901, sections 7.1 and 7.3; RFC 8725, sections 3.1 to 3.11.
 *
 * @module
 */
import {
  type ClaimsPath,
  configurationError,
  type JsonObject,
  type JsonValue,
  member,
  type NumericDate,
} from '@attache/core'
import {
  checkTimes,
  digest,
  type HashAlgorithm,
  type JwsAlgorithm,
  type KeyPool,
  type ParsedJws,
  type PublicJwk,
  parseAlgorithms,
  parseJws,
  verifyJws,
} from '@attache/keys'
import { type CompactSdJwt, parseCompactSdJwt } from './compact.js'
import { findHolderJwk, parseHolderKey } from './credential-claims.js'
import { refusal } from './errors.js'
import type { IssuerKeyResolver, ResolvedIssuerKey } from './issuer-key.js'
import { type KeyBindingExpectation, type VerifiedKeyBinding, verifyKeyBindingJwt } from './key-binding.js'
import { DEFAULT_LIMITS, type SdJwtLimits } from './limits.js'
import { type ProcessedClaims, processDisclosures } from './process-disclosures.js'
import { parseSdAlg } from './sd-alg.js'
import { cacheKey, type VerifiedIssuerCache, type VerifiedIssuerJwt } from './verified-issuer-cache.js'

/** What a verifier expects of any SD-JWT. What decides security has no default. */
export interface SdJwtExpectation {
  /** Finds the issuer's key, after the cheap checks. */
  readonly resolveIssuerKey: IssuerKeyResolver
  /** Accepted `alg` values, of the issuer JWT and of the KB-JWT. An empty list accepts none. */
  readonly algorithms: readonly JwsAlgorithm[]
  /** Stated, never guessed: what a KB-JWT must say, or `not-required`, where one is refused. */
  readonly keyBinding: KeyBindingExpectation | 'not-required'
  /** NumericDate, read once per request. */
  readonly now: NumericDate
  /** How far a peer's clock may be off, in seconds. @default 60 */
  readonly toleranceSeconds?: number
  /** Accepted `_sd_alg` values. @default sha-256, sha-384, sha-512 */
  readonly sdAlgs?: readonly HashAlgorithm[]
  /** Top-level claims that must be there after processing. @default none */
  readonly requiredClaims?: readonly string[]
  /**
   * Identifiers that count where the issuer states an `aud`; `any` is for a wallet, which is not the audience.
   * @default the audiences of `keyBinding`
   */
  readonly credentialAudience?: readonly string[] | 'any'
  /** Remembers verified issuer signatures; the fingerprint changes with the trust configuration. @default none */
  readonly verifiedIssuers?: { readonly cache: VerifiedIssuerCache; readonly trustFingerprint: string }
  /** Remembers imported `cnf` keys, for importing one costs as much as verifying with it. @default none */
  readonly holderKeys?: KeyPool
  /** @default DEFAULT_LIMITS */
  readonly limits?: Partial<SdJwtLimits>
}

/** What this house allows a peer's clock to be off. */
const DEFAULT_TOLERANCE_SECONDS = 60

/** An SD-JWT that held. */
export interface VerifiedSdJwt {
  readonly header: JsonObject
  /** Payload with disclosed claims in place; no `_sd`, no `_sd_alg`, no placeholder. */
  readonly claims: JsonObject
  /** Where disclosed claims stand, indexes as issued. Disclosures themselves are not kept: they hold salts. */
  readonly disclosedPaths: readonly ClaimsPath[]
  /** Array elements that stayed hidden (or are decoys), indexes as issued. */
  readonly hiddenElements: readonly ClaimsPath[]
  /** Who the resolver has shown the issuer to be. */
  readonly issuer: string
  /** The resolver's whole answer: the key that signed, and how long it is good. */
  readonly issuerKey: ResolvedIssuerKey
  /** The public key in `cnf.jwk`. */
  readonly holderKey: PublicJwk | undefined
  /** Present exactly when key binding was required. */
  readonly keyBinding: VerifiedKeyBinding | undefined
  /** SHA-256 of the issuer-signed JWT, base64url: the name of this credential, without its contents. */
  readonly credentialHash: string
}

/** An SD-JWT taken apart, with everything that costs no signature already judged. */
export interface OpenedSdJwt {
  readonly compact: CompactSdJwt
  readonly jws: ParsedJws
  readonly sdAlg: HashAlgorithm
  readonly credentialHash: string
  readonly limits: SdJwtLimits
  /** From the cache: the signature over exactly these bytes is known to hold. */
  readonly known: VerifiedIssuerJwt | undefined
}

/**
 * Verifies an SD-JWT that is no SD-JWT VC.
 *
 * @param credential The compact text.
 * @param expected.typ The one `typ` accepted, compared character by character.
 * @returns Everything, or nothing: no claim leaves before the last check has passed.
 * @throws {VerificationError} A code of `SD_JWT_ERRORS`, or one of the resolver's own.
 * @throws {TypeError} `key_binding_expectation`, `algorithm_refused`: the caller's expectation is no policy.
 *
 * Source: RFC 9901, sections 7.1 and 7.3.
 */
export async function verifySdJwt(
  credential: JsonValue,
  expected: SdJwtExpectation & { readonly typ: string },
): Promise<VerifiedSdJwt> {
  const opened = openSdJwt(credential, expected, [expected.typ])
  const signed = await verifyIssuerSignature(opened, expected, undefined)
  const processed = processDisclosures(opened.jws.payload, opened.compact.disclosures, opened)
  return finishSdJwt(opened, { signed, processed }, expected)
}

/**
 * The cheap checks: sizes, form, `typ`, `alg`, `crit`, `_sd_alg`, presence of the KB-JWT, form of `cnf`.
 *
 * @throws {VerificationError} The codes of form, header, `cnf` and `key_binding_missing`,
 *   `key_binding_unexpected`, `key_binding_no_key`.
 */
export function openSdJwt(
  credential: JsonValue,
  expected: SdJwtExpectation,
  typs: readonly string[],
): OpenedSdJwt {
  checkExpectation(expected)
  const limits = expected.limits === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...expected.limits }
  const compact = parseCompactSdJwt(credential, limits)
  checkKeyBindingPresence(compact, expected)

  const credentialHash = digest('sha-256', compact.issuerJwt)
  const known = knownIssuerJwt(credentialHash, expected)
  const jws =
    known?.jws ??
    parseJws(compact.issuerJwt, { maxBytes: limits.maxIssuerJwtBytes, maxDepth: limits.maxDepth })
  checkHeader(jws.header, expected, typs)
  const sdAlg = parseSdAlg(jws.payload, expected.sdAlgs)
  const isBound = findHolderJwk(jws.payload) !== undefined
  if (expected.keyBinding !== 'not-required' && !isBound) throw refusal('key_binding_no_key')
  return { compact, jws, sdAlg, credentialHash, limits, known }
}

/**
 * The issuer's signature, with the key the resolver gives; not asked again where the cache knows the answer.
 *
 * @returns What is now known of the issuer-signed JWT, with the key it binds to: imported only here, for
 *   whoever can not sign must not make us import keys either.
 * @throws {VerificationError} `jws_*`, `jwk_*`, or a code of the resolver.
 *
 * Source: RFC 9901, section 7.1, step 2.
 */
export async function verifyIssuerSignature(
  opened: OpenedSdJwt,
  expected: SdJwtExpectation,
  vct: string | undefined,
): Promise<VerifiedIssuerJwt> {
  // Known for another type, the issuer was not asked about for this one.
  if (opened.known !== undefined && opened.known.vct === vct) return opened.known
  const { header, payload } = opened.jws
  const iss = member(payload, 'iss')
  const issuer = typeof iss === 'string' ? iss : undefined
  const resolved = await expected.resolveIssuerKey({ header, issuer, vct, now: expected.now })

  const typ = member(header, 'typ')
  if (typeof typ !== 'string') throw refusal('jws_typ')
  verifyJws(opened.jws, { typ, algorithms: expected.algorithms, key: resolved.key })
  const signed = { jws: opened.jws, vct, resolved, holderKey: parseHolderKey(payload, expected.holderKeys) }
  const { verifiedIssuers } = expected
  if (verifiedIssuers !== undefined) {
    const name = cacheKey(opened.credentialHash, verifiedIssuers.trustFingerprint)
    verifiedIssuers.cache.put(name, signed, expected.now)
  }
  return signed
}

/**
 * The checks on processed claims, then key binding; the last word on an SD-JWT.
 *
 * @throws {VerificationError} `jwt_*`, `claim_required`, `audience_mismatch`, `key_binding_*`.
 *
 * Source: RFC 9901, section 7.1, step 6; section 7.3.
 */
export function finishSdJwt(
  opened: OpenedSdJwt,
  found: { readonly signed: VerifiedIssuerJwt; readonly processed: ProcessedClaims },
  expected: SdJwtExpectation,
): VerifiedSdJwt {
  const { processed, signed } = found
  checkTimes(processed.claims, expected.now, expected.toleranceSeconds ?? DEFAULT_TOLERANCE_SECONDS)
  const missing = expected.requiredClaims?.some((name) => !Object.hasOwn(processed.claims, name))
  if (missing === true) throw refusal('claim_required')
  checkCredentialAudience(processed.claims, expected)
  return {
    header: opened.jws.header,
    claims: processed.claims,
    disclosedPaths: processed.disclosed.map(({ path }) => path),
    hiddenElements: processed.hiddenElements,
    issuer: signed.resolved.issuer,
    issuerKey: signed.resolved,
    holderKey: signed.holderKey,
    keyBinding: bindHolder(opened, signed.holderKey, expected),
    credentialHash: opened.credentialHash,
  }
}

function bindHolder(
  opened: OpenedSdJwt,
  holderKey: PublicJwk | undefined,
  expected: SdJwtExpectation,
): VerifiedKeyBinding | undefined {
  const { keyBinding, algorithms, now, toleranceSeconds = DEFAULT_TOLERANCE_SECONDS } = expected
  if (keyBinding === 'not-required') return undefined
  const { compact, sdAlg, limits } = opened
  if (compact.keyBindingJwt === undefined) throw refusal('key_binding_missing')
  if (holderKey === undefined) throw refusal('key_binding_no_key')
  return verifyKeyBindingJwt(compact.keyBindingJwt, {
    expected: keyBinding,
    presented: compact.presented,
    sdAlg,
    holderKey,
    algorithms,
    now,
    toleranceSeconds,
    maxBytes: limits.maxKeyBindingJwtBytes,
  })
}

// A policy with a hole must not look like a policy: an unset nonce would let every KB-JWT pass.
function checkExpectation(expected: SdJwtExpectation): void {
  const { keyBinding } = expected
  parseAlgorithms(expected.algorithms)
  if (keyBinding === 'not-required') return
  const audiences: readonly unknown[] =
    typeof keyBinding?.audience === 'string' ? [keyBinding.audience] : (keyBinding?.audience ?? [])
  const stated =
    audiences.length > 0 &&
    audiences.every((audience) => typeof audience === 'string' && audience !== '') &&
    typeof keyBinding.nonce === 'string' &&
    keyBinding.nonce !== '' &&
    keyBinding.maxAgeSeconds > 0
  if (stated) return
  throw configurationError(
    'key_binding_expectation',
    'Required key binding needs audience, nonce and maxAgeSeconds; say not-required to go without.',
  )
}

function checkKeyBindingPresence(compact: CompactSdJwt, expected: SdJwtExpectation): void {
  if (expected.keyBinding === 'not-required') {
    if (compact.keyBindingJwt !== undefined) throw refusal('key_binding_unexpected')
  } else if (compact.keyBindingJwt === undefined) {
    throw refusal('key_binding_missing')
  }
}

function knownIssuerJwt(credentialHash: string, expected: SdJwtExpectation) {
  const { verifiedIssuers, now } = expected
  return verifiedIssuers?.cache.get(cacheKey(credentialHash, verifiedIssuers.trustFingerprint), now)
}

// Before the key is resolved, so that junk never causes a request.
function checkHeader(header: JsonObject, expected: SdJwtExpectation, typs: readonly string[]): void {
  const typ = member(header, 'typ')
  const alg = member(header, 'alg')
  if (typeof typ !== 'string' || !typs.includes(typ)) throw refusal('jws_typ')
  if (!expected.algorithms.some((accepted) => accepted === alg)) throw refusal('jws_algorithm')
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) throw refusal('jws_crit')
}

function checkCredentialAudience(claims: JsonObject, expected: SdJwtExpectation): void {
  const stated = member(claims, 'aud')
  if (stated === undefined || expected.credentialAudience === 'any') return
  const own = expected.credentialAudience ?? keyBindingAudiences(expected)
  const named: readonly unknown[] = Array.isArray(stated) ? stated : [stated]
  if (!named.some((audience) => typeof audience === 'string' && own.includes(audience))) {
    throw refusal('audience_mismatch')
  }
}

function keyBindingAudiences(expected: SdJwtExpectation): readonly string[] {
  if (expected.keyBinding === 'not-required') return []
  const { audience } = expected.keyBinding
  return typeof audience === 'string' ? [audience] : audience
}
