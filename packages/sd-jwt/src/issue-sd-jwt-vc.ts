/**
 * Making an SD-JWT VC.
 *
 * The library packs and joins; this file hands it checked claims, our signer, our hashes and our salts, and
 * judges what came out with the same code a receiver uses, before anybody gets to see it.
 *
 * Source: RFC 9901, sections 4.1 to 4.2 and 9; SD-JWT VC (draft 19), section 2.2.
 *
 * @module
 */
import {
  type ClaimsPath,
  canonicalJson,
  decodeBase64url,
  encodeBase64url,
  type JsonObject,
  type Random,
  randomText,
  utf8,
  VerificationError,
} from '@attache/core'
import {
  bareJwk,
  digest,
  type HashAlgorithm,
  type PublicJwk,
  parseAlgorithms,
  parseJws,
  type Signer,
} from '@attache/keys'
import { SDJwtVcInstance, type SdJwtVcPayload } from '@sd-jwt/sd-jwt-vc'
import { checkClaims } from './claims-guard.js'
import { parseCompactSdJwt } from './compact.js'
import { type DecoyTarget, type FramedClaims, frameClaims } from './disclosure-frame.js'
import { issuanceError } from './issuance-errors.js'
import { DEFAULT_LIMITS } from './limits.js'
import { type ProcessedClaims, processDisclosures } from './process-disclosures.js'
import { SD_ALGS } from './sd-alg.js'
import type { TypeMetadata } from './type-metadata.js'
import { checkTypeRules } from './type-rules.js'

/** One credential to be made. */
export interface SdJwtVcContent {
  /** All claims but `cnf`: `vct`, `iss`, times, `status` and what the type defines. */
  readonly claims: JsonObject
  /** Which claims the holder may withhold. A claim and its parent may both be named; `null` is each element. */
  readonly disclosable: readonly ClaimsPath[]
  /** The key to bind to; required members are copied into `cnf.jwk`, nothing else. */
  readonly holderKey?: PublicJwk
  /** Where to add decoys. @default none */
  readonly decoys?: readonly DecoyTarget[]
  /** Hash of the digests. @default the one as strong as the signature: sha-256 for ES256 */
  readonly sdAlg?: HashAlgorithm
  /** The complete type; a credential that breaks its rules is not issued. @default not judged */
  readonly type?: TypeMetadata
}

/** What making a credential needs. */
export interface IssueSdJwtVcDeps {
  /** The issuer's key; its `kid` and `x5c` go into the header. */
  readonly signer: Signer
  readonly random: Random
}

/** 128 bits, which is what the standard recommends. */
const SALT_BYTES = 16

/**
 * Makes an SD-JWT VC.
 *
 * @returns The compact text with all Disclosures, ending in a tilde.
 * @throws {TypeError} A code of `ISSUANCE_ERRORS`: the template, the claims or the randomness is at fault.
 *
 * Source: SD-JWT VC, section 2.2; RFC 9901, section 4.
 */
export async function issueSdJwtVc(content: SdJwtVcContent, deps: IssueSdJwtVcDeps): Promise<string> {
  parseAlgorithms([deps.signer.alg])
  checkClaims(content.claims, DEFAULT_LIMITS.maxDepth - 1)
  const sdAlg = chooseSdAlg(content.sdAlg, deps.signer)
  const framed = frameClaims(content.claims, content.disclosable, content.decoys ?? [])
  if (framed.disclosureCount > DEFAULT_LIMITS.maxDisclosures) throw issuanceError('too_many_disclosures')

  const claims = {
    ...content.claims,
    ...(content.holderKey === undefined ? {} : { cnf: { jwk: bareJwk(content.holderKey) } }),
  }
  const text = await pack(claims, framed, { ...deps, sdAlg })
  const processed = selfCheck(text, claims, { framed, sdAlg })
  if (content.type !== undefined) checkType(content.type, processed)
  return text
}

async function pack(
  claims: JsonObject,
  framed: FramedClaims,
  deps: IssueSdJwtVcDeps & { readonly sdAlg: HashAlgorithm },
): Promise<string> {
  const { signer, sdAlg } = deps
  const salts = saltSource(deps.random)
  const instance = new SDJwtVcInstance({
    signer: async (data) => encodeBase64url(await signer.sign(utf8(data))),
    signAlg: signer.alg,
    hashAlg: sdAlg,
    hasher: (data) => hashBytes(sdAlg, salts.isDecoy(data) ? salts.decoyContent() : asText(data)),
    saltGenerator: salts.next,
  })
  const header = { kid: signer.kid, ...(signer.x5c === undefined ? {} : { x5c: signer.x5c }) }
  const { frame } = framed
  if (!isVcPayload(claims) || !isLibraryFrame(frame)) throw issuanceError('vct_missing')
  return instance.issue<SdJwtVcPayload>(claims, frame, { header })
}

type LibraryFrame = Parameters<SDJwtVcInstance['issue']>[1]

// The library derives the type of a frame from the claims it knows and allows no other name in it.
function isLibraryFrame(frame: unknown): frame is LibraryFrame {
  return typeof frame === 'object' && frame !== null
}

// What checkClaims has established, said to the compiler in the library's words.
function isVcPayload(claims: JsonObject): claims is JsonObject & SdJwtVcPayload {
  return typeof claims['vct'] === 'string'
}

/**
 * Salts for one credential. A repeated salt stops the issuance: a broken source would let anyone guess claims.
 *
 * The library hashes a bare salt to make a decoy; that is how one is recognised, and its content replaced by
 * as many random bits as the longest hash has, so that a decoy is no easier to invert than a digest.
 */
function saltSource(random: Random) {
  const given = new Set<string>()
  return {
    next: (): string => {
      const salt = randomText(random, SALT_BYTES)
      if (given.has(salt)) throw issuanceError('salt_repeated')
      given.add(salt)
      return salt
    },
    isDecoy: (data: string | ArrayBuffer): boolean => typeof data === 'string' && given.has(data),
    decoyContent: (): string => randomText(random, 64),
  }
}

function asText(data: string | ArrayBuffer): string {
  if (typeof data === 'string') return data
  throw issuanceError('self_check_failed')
}

function hashBytes(sdAlg: HashAlgorithm, text: string): Uint8Array {
  const bytes = decodeBase64url(digest(sdAlg, text))
  if (bytes === undefined) throw issuanceError('self_check_failed')
  return bytes
}

// RFC 9901, section 9.4: a digest weaker than the signature would be the way in.
function chooseSdAlg(wanted: HashAlgorithm | undefined, signer: Signer): HashAlgorithm {
  const least = leastSdAlg(signer.alg)
  if (wanted === undefined) return least
  if (!SD_ALGS.includes(wanted)) throw issuanceError('sd_alg_refused')
  if (SD_ALGS.indexOf(wanted) < SD_ALGS.indexOf(least)) throw issuanceError('sd_alg_weak')
  return wanted
}

function leastSdAlg(alg: string): HashAlgorithm {
  if (alg.endsWith('384')) return 'sha-384'
  return alg.endsWith('512') ? 'sha-512' : 'sha-256'
}

function checkType(type: TypeMetadata, processed: ProcessedClaims): void {
  const disclosedPaths = processed.disclosed.map(({ path }) => path)
  try {
    checkTypeRules(type, { ...processed, disclosedPaths }, 'complete')
  } catch (cause) {
    if (cause instanceof VerificationError) throw issuanceError('type_rules')
    throw cause
  }
}

/**
 * Reads the finished text as a receiver would: every digest unique, every Disclosure in its place, exactly
 * the claims asked for. Catches what the library lets pass and what it would get wrong tomorrow.
 */
function selfCheck(
  text: string,
  claims: JsonObject,
  expected: { readonly framed: FramedClaims; readonly sdAlg: HashAlgorithm },
): ProcessedClaims {
  try {
    const compact = parseCompactSdJwt(text, DEFAULT_LIMITS)
    const { header, payload } = parseJws(compact.issuerJwt, { maxDepth: DEFAULT_LIMITS.maxDepth })
    const processed = processDisclosures(payload, compact.disclosures, {
      sdAlg: expected.sdAlg,
      limits: DEFAULT_LIMITS,
    })
    const asAsked =
      header['typ'] === 'dc+sd-jwt' &&
      payload['_sd_alg'] === expected.sdAlg &&
      compact.keyBindingJwt === undefined &&
      compact.disclosures.length === expected.framed.disclosureCount &&
      canonicalJson(processed.claims) === canonicalJson(claims)
    if (!asAsked) throw issuanceError('self_check_failed')
    return processed
  } catch (cause) {
    if (cause instanceof VerificationError) throw issuanceError('self_check_failed')
    throw cause
  }
}
