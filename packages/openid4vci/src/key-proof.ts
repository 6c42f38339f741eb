/**
 * Key proofs: a wallet shows that it holds the key a credential will be bound to.
 *
 * Owns both halves of `openid4vci-proof+jwt`: `createKeyProof` (wallet) and `verifyKeyProof` (issuer).
 * Does not know whether a nonce is fresh; the issuer asks its own nonce seal.
 *
 * Source: OpenID4VCI 1.0, Appendices F.1 and F.4.
 *
 * @module
 */
import {
  type JsonObject,
  type JsonValue,
  member,
  type NumericDate,
  ProtocolError,
  VerificationError,
} from '@attache/core'
import {
  bareJwk,
  type JwsAlgorithm,
  jwkThumbprint,
  type ParsedJws,
  type PublicJwk,
  parseJws,
  parsePublicJwk,
  type Signer,
  signJws,
  verifyJws,
} from '@attache/keys'
import { isCredentialIssuerIdentifier } from './issuer-identifier.js'
import {
  type ExpectedKeyAttestation,
  type KeyAttestation,
  readKeyAttestation,
  verifyKeyAttestation,
} from './key-attestation.js'
import { made, wireObject } from './make-message.js'

/** Header `typ` of a key proof. Source: OpenID4VCI 1.0, Appendix F.1. */
export const KEY_PROOF_TYP = 'openid4vci-proof+jwt'

const CODE = 'invalid_proof'
const FUTURE_TOLERANCE_SECONDS = 60

/**
 * What a wallet puts into a key proof.
 *
 * Source: OpenID4VCI 1.0, Appendix F.1.
 */
export interface KeyProofFacts {
  /** Credential Issuer Identifier. */
  readonly audience: string
  /** `c_nonce`; left out only when the issuer has no nonce endpoint. */
  readonly nonce?: string | undefined
  /** Client identifier; left out after anonymous pre-authorized access. */
  readonly clientId?: string | undefined
  /** Key attestation that lists the signer's key. */
  readonly keyAttestation?: string | undefined
}

/**
 * Makes one key proof, with the public key in the header as `jwk`.
 *
 * @param signer Holds the key the credential will be bound to.
 * @param now Whole seconds.
 * @throws {TypeError} `message_refused`: an audience that is no issuer, an empty nonce, or a key attestation
 *   that does not expire, answers another nonce or does not list the signer's key.
 *
 * Source: OpenID4VCI 1.0, Appendices D.1 and F.1.
 */
export async function createKeyProof(
  facts: KeyProofFacts,
  signer: Signer,
  now: NumericDate,
): Promise<string> {
  made(facts, () => checkFacts(facts, signer))
  const header = wireObject({
    typ: KEY_PROOF_TYP,
    jwk: wireObject({ ...bareJwk(signer.publicJwk) }),
    key_attestation: facts.keyAttestation,
  })
  const payload = wireObject({ iss: facts.clientId, aud: facts.audience, iat: now, nonce: facts.nonce })
  return signJws({ header, payload }, signer)
}

function checkFacts({ audience, nonce, keyAttestation }: KeyProofFacts, signer: Signer): void {
  if (!isCredentialIssuerIdentifier(audience)) {
    throw new ProtocolError(CODE, 'The audience of a key proof is a Credential Issuer Identifier.')
  }
  if (nonce === '') throw new ProtocolError(CODE, 'An empty c_nonce proves nothing. Leave it out.')
  if (keyAttestation === undefined) return
  const stated = readKeyAttestation(keyAttestation)
  if (!stated.expires) throw new ProtocolError(CODE, 'A key attestation inside a jwt proof must have an exp.')
  if (stated.nonce !== nonce) {
    throw new ProtocolError(CODE, 'The key attestation must carry the c_nonce of the proof.')
  }
  if (!attests(stated, signer.publicJwk)) {
    throw new ProtocolError(CODE, 'The key attestation must list the key that signs the proof.')
  }
}

/**
 * What an issuer expects of a key proof.
 *
 * Source: OpenID4VCI 1.0, Appendix F.4.
 */
export interface ExpectedKeyProof {
  /** Credential Issuer Identifier, compared character by character. */
  readonly audience: string
  /** Accepted `alg` values. An empty list accepts none. */
  readonly algorithms: readonly JwsAlgorithm[]
  /** Greatest age of `iat`, in seconds. */
  readonly maxAgeSeconds: number
  /** `required` wherever a nonce endpoint is published. */
  readonly nonce: 'required' | 'optional'
  /** The authenticated client; undefined after anonymous access, where `iss` is forbidden. */
  readonly clientId: string | undefined
  /** Whose key attestations count. Undefined: an attestation is not read and binds nothing. */
  readonly keyAttestation?: (ExpectedKeyAttestation & { readonly demanded: boolean }) | undefined
  /** Gives the key of the leaf of an `x5c` header, judged by policy. Undefined: `x5c` is refused. */
  readonly leafKey?: ((x5c: readonly string[]) => PublicJwk) | undefined
}

/**
 * What a verified key proof shows.
 *
 * Source: OpenID4VCI 1.0, Appendix F.4.
 */
export interface VerifiedKeyProof {
  /** The public key to bind to: required members only. */
  readonly holderKey: PublicJwk
  /** The nonce the proof carries; the issuer judges it. */
  readonly nonce: string | undefined
  /** The attestation it carried, when one was read. */
  readonly keyAttestation?: KeyAttestation | undefined
}

/**
 * Verifies one key proof.
 *
 * @param jwt Compact JWS, one entry of `proofs.jwt`.
 * @param now Whole seconds.
 * @returns The public key to bind to and the nonce the proof carries.
 * @throws {ProtocolError} `invalid_proof`: wrong type, algorithm, key, audience, issuer, age or signature, no
 *   nonce where one is required, or no acceptable key attestation where one is demanded.
 *
 * Source: OpenID4VCI 1.0, Appendix F.4.
 */
export function verifyKeyProof(jwt: string, expected: ExpectedKeyProof, now: NumericDate): VerifiedKeyProof {
  try {
    const jws = parseJws(jwt)
    const keyAttestation = attestationOf(jws, expected, now)
    const key = proofKey(jws.header, expected, keyAttestation)
    verifyJws(jws, { typ: KEY_PROOF_TYP, algorithms: expected.algorithms, key })
    const holderKey = bareJwk(key)
    if (keyAttestation && !attests(keyAttestation, holderKey)) {
      throw new ProtocolError(CODE, 'The key proof must be signed by one of the attested keys.')
    }
    checkPayload(jws.payload, expected, now)
    return {
      holderKey,
      nonce: nonceOf(jws.payload, expected.nonce),
      ...(keyAttestation && { keyAttestation }),
    }
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    throw new ProtocolError(CODE, 'The key proof is not valid. Make a new one as OpenID4VCI F.1 says.', {
      cause: error,
    })
  }
}

function attestationOf(
  jws: ParsedJws,
  expected: ExpectedKeyProof,
  now: NumericDate,
): KeyAttestation | undefined {
  const rules = expected.keyAttestation
  if (rules === undefined) return undefined
  const attestation = member(jws.header, 'key_attestation')
  if (attestation === undefined) {
    if (!rules.demanded) return undefined
    throw new ProtocolError(CODE, 'This credential demands a key attestation in the key proof.')
  }
  if (typeof attestation !== 'string') throw new ProtocolError(CODE, 'key_attestation must be a compact JWT.')
  return verifyKeyAttestation(attestation, { ...rules, expiry: 'required' }, now)
}

function proofKey(
  header: JsonObject,
  expected: ExpectedKeyProof,
  attestation: KeyAttestation | undefined,
): PublicJwk {
  const named = ['jwk', 'kid', 'x5c'].filter((name) => member(header, name) !== undefined)
  if (named.length !== 1)
    throw new ProtocolError(CODE, 'A key proof must have exactly one of jwk, kid and x5c.')

  if (named[0] === 'jwk') return parsePublicJwk(member(header, 'jwk'))
  if (named[0] === 'kid') return attestedKey(member(header, 'kid'), attestation)
  return certifiedKey(member(header, 'x5c'), expected)
}

// Without DIDs a kid leads nowhere, except into the attestation beside it, and there only when it is unique.
function attestedKey(kid: JsonValue | undefined, attestation: KeyAttestation | undefined): PublicJwk {
  const [key, second] =
    attestation?.attestedKeys.filter((each) => each.kid !== undefined && each.kid === kid) ?? []
  if (key === undefined || second !== undefined) {
    throw new ProtocolError(CODE, 'kid must name exactly one key of the key attestation. Send jwk instead.')
  }
  return key
}

function certifiedKey(x5c: JsonValue | undefined, expected: ExpectedKeyProof): PublicJwk {
  if (expected.leafKey === undefined || !Array.isArray(x5c) || x5c.length === 0) {
    throw new ProtocolError(CODE, 'x5c is not accepted in a key proof here. Send jwk instead.')
  }
  if (!x5c.every((entry) => typeof entry === 'string'))
    throw new ProtocolError(CODE, 'x5c must be an array of texts.')
  return expected.leafKey(x5c)
}

function attests(attestation: KeyAttestation, key: PublicJwk): boolean {
  const thumbprint = jwkThumbprint(key)
  return attestation.attestedKeys.some((attested) => jwkThumbprint(attested) === thumbprint)
}

function checkPayload(payload: JsonObject, expected: ExpectedKeyProof, now: NumericDate): void {
  if (member(payload, 'aud') !== expected.audience) {
    throw new ProtocolError(CODE, 'aud of the key proof must be the Credential Issuer Identifier.')
  }
  const iat = member(payload, 'iat')
  if (typeof iat !== 'number' || iat > now + FUTURE_TOLERANCE_SECONDS || iat < now - expected.maxAgeSeconds) {
    throw new ProtocolError(CODE, 'iat of the key proof must be the current time. Make a new one.')
  }
  const iss = member(payload, 'iss')
  if (iss !== undefined && iss !== expected.clientId) {
    throw new ProtocolError(CODE, 'iss of the key proof must be the client_id, or be left out.')
  }
}

function nonceOf(payload: JsonObject, rule: 'required' | 'optional'): string | undefined {
  const nonce = member(payload, 'nonce')
  if (nonce === undefined && rule === 'optional') return undefined
  if (typeof nonce !== 'string' || nonce === '') {
    throw new ProtocolError(CODE, 'The key proof must carry a c_nonce. Fetch one from the nonce endpoint.')
  }
  return nonce
}
