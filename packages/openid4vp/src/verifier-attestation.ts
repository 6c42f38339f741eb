/**
 * Verifier attestations: a third party vouches for who a verifier is, and for the key it signs requests with.
 *
 * Owns the check of one attestation, in the header of a request object or as an entry of `verifier_info`, by whoever
 * it is shown to; and the look its own verifier takes before sending it.
 * Attesters are trusted by configuration; nothing in the message makes one trusted.
 *
 * Source: OpenID4VP 1.0, sections 5.9.3, 5.11 and 12.
 *
 * @module
 */
import { isJsonArray, isJsonObject, member, type NumericDate, VerificationError } from '@attache/core'
import {
  checkTimes,
  type JwsAlgorithm,
  jwkThumbprint,
  type ParsedJws,
  type PublicJwk,
  parseJws,
  parsePublicJwk,
  verifyJws,
} from '@attache/keys'
import type { VerifierInfo } from './verifier-info.js'

const TYPE = 'verifier-attestation+jwt'
const MOST_BYTES = 16_384

/** What an attestation is held against. */
export interface VerifierAttestationExpectation {
  /** The verifier it must be made for: the Client Identifier without its prefix. */
  readonly subject: string
  /** Keys of a trusted attester; `undefined`: nobody here trusts it. */
  readonly attesters: ((issuer: string) => readonly PublicJwk[] | undefined) | undefined
  readonly algorithms: readonly JwsAlgorithm[]
  readonly now: NumericDate
}

/** What a trusted attester says. */
export interface VerifierAttestation {
  readonly issuer: string
  /** The key that the verifier's requests are signed with. */
  readonly key: PublicJwk
  /** Where answers may go, to the letter; absent: the attester says nothing about it. */
  readonly redirectUris: readonly string[] | undefined
}

/**
 * Verifies an attestation. Claims that are not known are ignored.
 *
 * @throws {VerificationError} `attestation`: not one, not by a trusted attester, not for this verifier, or not now.
 *
 * Source: OpenID4VP 1.0, section 12.
 */
export function verifyVerifierAttestation(
  text: unknown,
  expected: VerifierAttestationExpectation,
): VerifierAttestation {
  if (typeof text !== 'string') throw refused('is missing')
  try {
    const jws = parseJws(text, { maxBytes: MOST_BYTES })
    const issuer = member(jws.payload, 'iss')
    const keys = typeof issuer === 'string' ? expected.attesters?.(issuer) : undefined
    if (typeof issuer !== 'string' || keys === undefined) throw refused('comes from nobody trusted here')
    verifyByOne(jws, keys, expected.algorithms)
    if (typeof member(jws.payload, 'exp') !== 'number') throw refused('has no exp')
    checkTimes(jws.payload, expected.now)
    if (member(jws.payload, 'sub') !== expected.subject) throw refused('is made for another verifier')
    return { issuer, key: confirmedKey(jws), redirectUris: redirectUris(jws) }
  } catch (cause) {
    if (!(cause instanceof VerificationError) || cause.code === 'attestation') throw cause
    throw refused('does not hold', cause)
  }
}

/**
 * The entries of `verifier_info` that a decision may use: attestations by a trusted attester for this verifier.
 * Every other entry is left aside, whatever it says.
 *
 * Source: OpenID4VP 1.0, sections 5.1 and 5.11.1.
 */
export function usableVerifierInfo(
  entries: readonly VerifierInfo[],
  expected: VerifierAttestationExpectation,
): readonly { readonly info: VerifierInfo; readonly attestation: VerifierAttestation }[] {
  return entries.flatMap((info) => {
    if (info.format !== 'jwt') return []
    try {
      return [{ info, attestation: verifyVerifierAttestation(info.data, expected) }]
    } catch (error) {
      if (error instanceof VerificationError) return []
      throw error
    }
  })
}

/**
 * What is wrong with an attestation from the side of whoever it is about, who need not know the attester's keys.
 *
 * @returns Nothing when it can be sent.
 *
 * Source: OpenID4VP 1.0, section 12.
 */
export function attestationProblem(
  text: string,
  expected: { readonly subject: string; readonly key: PublicJwk; readonly now: NumericDate },
): string | undefined {
  try {
    const jws = parseJws(text, { maxBytes: MOST_BYTES })
    const { iss, sub, exp } = jws.payload
    if (member(jws.header, 'typ') !== TYPE) return 'has another type'
    if (typeof iss !== 'string' || typeof exp !== 'number') return 'needs iss and exp'
    if (sub !== expected.subject) return 'is made for another client identifier'
    checkTimes(jws.payload, expected.now, 0)
    redirectUris(jws)
    return jwkThumbprint(confirmedKey(jws)) === jwkThumbprint(expected.key) ? undefined : 'names another key'
  } catch (error) {
    if (error instanceof VerificationError) return 'is malformed or not in force'
    throw error
  }
}

function verifyByOne(jws: ParsedJws, keys: readonly PublicJwk[], algorithms: readonly JwsAlgorithm[]): void {
  let cause: unknown
  for (const key of keys) {
    try {
      verifyJws(jws, { typ: TYPE, algorithms, key })
      return
    } catch (failure) {
      cause = failure
    }
  }
  throw refused('is not signed by its attester', cause)
}

function confirmedKey({ payload }: ParsedJws): PublicJwk {
  const cnf = member(payload, 'cnf')
  return parsePublicJwk(isJsonObject(cnf) ? member(cnf, 'jwk') : undefined)
}

function redirectUris({ payload }: ParsedJws): readonly string[] | undefined {
  const value = member(payload, 'redirect_uris')
  if (value === undefined) return undefined
  const uris = isJsonArray(value) ? value.filter((uri) => typeof uri === 'string') : []
  if (!isJsonArray(value) || uris.length !== value.length) throw refused('has malformed redirect_uris')
  return uris
}

function refused(what: string, cause?: unknown): VerificationError {
  return new VerificationError('attestation', `The verifier attestation ${what}.`, { cause })
}
