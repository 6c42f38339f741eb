/**
 * Judging an SD-JWT VC: the steps of an SD-JWT, and between them the rules of the credential.
 *
 * Answers whether this is a credential of an accepted type, signed by the issuer's key, with exactly these
 * claims, held by this key. Whether its status is good is the caller's next question, with the reference
 * returned; so is whether this issuer may issue this type.
 *
 * Source: SD-JWT VC (draft 19), section 2.4; RFC 9901, section 7.
 *
 * @module
 */
import { type JsonValue, member, type NumericDate } from '@attache/core'
import {
  type CredentialStatus,
  checkDisclosedPaths,
  checkVisibleClaims,
  matchedType,
  parseCredentialType,
  parseIssuer,
  parseStatus,
} from './credential-claims.js'
import { refusal } from './errors.js'
import { processDisclosures } from './process-disclosures.js'
import type { TypeMetadata } from './type-metadata.js'
import type { TypeMetadataResolver } from './type-metadata-resolver.js'
import { checkTypeRules } from './type-rules.js'
import {
  finishSdJwt,
  openSdJwt,
  type SdJwtExpectation,
  type VerifiedSdJwt,
  verifyIssuerSignature,
} from './verify-sd-jwt.js'

/** What a verifier, or a wallet on receipt, expects of a credential. */
export interface SdJwtVcExpectation extends SdJwtExpectation {
  /** Accepted types; `vct` or an entry of `aka_vcts` must be among them. An empty list accepts none. */
  readonly acceptedTypes: readonly string[]
  /** Also accept the former `typ` `vc+sd-jwt`; the result says when that happened. @default false */
  readonly acceptLegacyTyp?: boolean
  /**
   * Judge the credential by its type metadata; then an unavailable or broken document refuses it.
   * `seen` is `complete` for a wallet on receipt, `presented` for a verifier. @default not judged
   */
  readonly typeMetadata?: {
    readonly resolver: TypeMetadataResolver
    readonly seen: 'complete' | 'presented'
  }
}

/** A credential that held. */
export interface VerifiedSdJwtVc extends VerifiedSdJwt {
  readonly vct: string
  readonly akaVcts: readonly string[]
  /** `iss` as claimed; who the issuer was shown to be stands in `issuer`. */
  readonly claimedIssuer: string | undefined
  /** Where to ask for the status, form already checked; `undefined` when the credential names none. */
  readonly status: CredentialStatus | undefined
  readonly issuedAt: NumericDate | undefined
  readonly expiresAt: NumericDate | undefined
  /** The complete type, where it was judged by it. */
  readonly type: TypeMetadata | undefined
  /** The credential came with the former `typ`; worth a warning in the log. */
  readonly legacyTyp: boolean
}

/**
 * Verifies an SD-JWT VC, with or without key binding as the caller states.
 *
 * @param credential The compact text; an object is refused with `sd_jwt_json_serialization`.
 * @returns Everything, or nothing: no claim leaves before the last check has passed.
 * @throws {VerificationError} A code of `SD_JWT_ERRORS`, or one of the resolver's own.
 * @throws {TypeError} `key_binding_expectation`: required key binding without audience, nonce or age.
 *
 * Source: SD-JWT VC, section 2.4; RFC 9901, sections 7.1 and 7.3.
 */
export async function verifySdJwtVc(
  credential: JsonValue,
  expected: SdJwtVcExpectation,
): Promise<VerifiedSdJwtVc> {
  const typs = expected.acceptLegacyTyp === true ? ['dc+sd-jwt', 'vc+sd-jwt'] : ['dc+sd-jwt']
  const opened = openSdJwt(credential, expected, typs)
  const { payload, header } = opened.jws

  const names = parseCredentialType(payload)
  const acceptedAs = matchedType(names, expected.acceptedTypes)
  if (acceptedAs === undefined) throw refusal('vct_not_accepted')
  const claimedIssuer = parseIssuer(payload, header)
  const status = parseStatus(payload)
  checkVisibleClaims(payload)

  const signed = await verifyIssuerSignature(opened, expected, acceptedAs)
  const processed = processDisclosures(payload, opened.compact.disclosures, opened)
  checkDisclosedPaths(processed.disclosed)
  const verified = finishSdJwt(opened, { signed, processed }, expected)
  // Last, since it may cost a request: whoever gets this far has shown a good credential.
  const type =
    expected.typeMetadata === undefined
      ? undefined
      : await judgeByType(verified, { vct: names.vct, now: expected.now, ...expected.typeMetadata })
  // Member by member: spreading two objects costs more here than all other checks but the signatures.
  return {
    vct: names.vct,
    akaVcts: names.akaVcts,
    header: verified.header,
    claims: verified.claims,
    disclosedPaths: verified.disclosedPaths,
    hiddenElements: verified.hiddenElements,
    issuer: verified.issuer,
    issuerKey: verified.issuerKey,
    claimedIssuer,
    holderKey: verified.holderKey,
    keyBinding: verified.keyBinding,
    status,
    issuedAt: numberOf(member(verified.claims, 'iat')),
    expiresAt: numberOf(member(verified.claims, 'exp')),
    credentialHash: verified.credentialHash,
    type,
    legacyTyp: member(header, 'typ') === 'vc+sd-jwt',
  }
}

async function judgeByType(
  verified: VerifiedSdJwt,
  judged: NonNullable<SdJwtVcExpectation['typeMetadata']> & {
    readonly vct: string
    readonly now: NumericDate
  },
): Promise<TypeMetadata> {
  const { vct, now, resolver, seen } = judged
  const integrity = member(verified.claims, 'vct#integrity')
  if (integrity !== undefined && typeof integrity !== 'string') throw refusal('integrity_malformed')
  const type = await resolver.resolve(integrity === undefined ? { vct } : { vct, integrity }, now)
  checkTypeRules(type, verified, seen)
  return type
}

function numberOf(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}
