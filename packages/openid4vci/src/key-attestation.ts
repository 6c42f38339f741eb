/**
 * Key attestation: a wallet provider states how keys are kept.
 *
 * Owns both halves of `key-attestation+jwt`, used as the `attestation` proof and as the `key_attestation`
 * header of a `jwt` proof. Does not know whether its nonce is fresh; the issuer asks its own nonce seal.
 *
 * Source: OpenID4VCI 1.0, Appendices D.1, D.2, F.1 and F.3; HAIP 1.0, section 4.5.1.
 *
 * @module
 */
import {
  configurationError,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  type NumericDate,
  ProtocolError,
  VerificationError,
} from '@attache/core'
import {
  bareJwk,
  checkTimes,
  type JwsAlgorithm,
  type ParsedJws,
  type PublicJwk,
  parseJws,
  parsePublicJwk,
  requireOwnChain,
  type Signer,
  signJws,
  type TrustAnchors,
  verifyCertificateChain,
  verifyJws,
} from '@attache/keys'
import type { KeyAttestationRequirement } from './credential-configuration.js'
import { made, wireObject } from './make-message.js'
import { openMembers, optional, readersFor, refusal, required } from './read-members.js'

/** Header `typ` of a key attestation. Source: OpenID4VCI 1.0, Appendix D.1. */
export const KEY_ATTESTATION_TYP = 'key-attestation+jwt'

/**
 * What a key attestation states.
 *
 * Source: OpenID4VCI 1.0, Appendix D.1.
 */
export interface KeyAttestation {
  readonly attestedKeys: readonly PublicJwk[]
  readonly nonce?: string | undefined
  /** Attack potential resistance of the key store, such as `iso_18045_moderate`. */
  readonly keyStorage?: readonly string[] | undefined
  /** Attack potential resistance of the user authentication. */
  readonly userAuthentication?: readonly string[] | undefined
  /** URL of the certification of the key store. */
  readonly certification?: string | undefined
  /** Status reference; the issuer's policy looks at it. */
  readonly status?: JsonObject | undefined
}

/**
 * Which key attestations count. Nobody is trusted by default.
 *
 * Source: OpenID4VCI 1.0, Appendix D.1; HAIP 1.0, section 4.5.1.
 */
export interface ExpectedKeyAttestation {
  /** Anchors of the wallet providers; the chain comes in `x5c`, without the anchor. */
  readonly anchors: TrustAnchors
  readonly algorithms: readonly JwsAlgorithm[]
  /** What must be stated, as announced in the metadata. */
  readonly requirement?: KeyAttestationRequirement | undefined
}

const CODE = 'invalid_proof'
const read = readersFor(CODE)

/**
 * Makes a key attestation (the wallet provider's half).
 *
 * @param signer The wallet provider's key; its certificate chain goes into `x5c`.
 * @param times Issue and expiry; `exp` must be there inside a `jwt` proof.
 * @throws {TypeError} `message_refused`: no public keys, an empty list, or an expiry that is over.
 *   `self_signed`, `x5c_anchor`, `x5c_key_mismatch`, `x5c_malformed`: a chain that must not be sent.
 *
 * Source: OpenID4VCI 1.0, Appendix D.1; HAIP 1.0, section 4.5.1.
 */
export async function createKeyAttestation(
  attestation: KeyAttestation,
  signer: Signer,
  times: { readonly now: NumericDate; readonly expiresAt?: NumericDate | undefined },
): Promise<string> {
  requireOwnChain(signer.x5c ?? [], signer.publicJwk)
  if (times.expiresAt !== undefined && times.expiresAt <= times.now) {
    throw configurationError('message_refused', 'A key attestation must expire after it is made.')
  }
  const payload = wireObject({
    iat: times.now,
    exp: times.expiresAt,
    nonce: attestation.nonce,
    attested_keys: attestation.attestedKeys.map((jwk) => wireObject({ ...jwk })),
    key_storage: attestation.keyStorage,
    user_authentication: attestation.userAuthentication,
    certification: attestation.certification,
    status: attestation.status,
  })
  const header = wireObject({ typ: KEY_ATTESTATION_TYP, x5c: signer.x5c })
  return signJws({ header, payload: made(payload, parseKeyAttestation) }, signer)
}

/**
 * Reads what a key attestation states, unverified: for the wallet, which got it from its own provider.
 *
 * @returns The statement, and whether it expires.
 * @throws {ProtocolError} `invalid_proof`: not a key attestation.
 *
 * Source: OpenID4VCI 1.0, Appendix D.1.
 */
export function readKeyAttestation(jwt: string): KeyAttestation & { readonly expires: boolean } {
  try {
    const { payload } = parseJws(jwt)
    return { ...parseKeyAttestation(payload), expires: member(payload, 'exp') !== undefined }
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause
    throw new ProtocolError(CODE, 'The key attestation must be a compact JWT.', { cause })
  }
}

/**
 * Verifies a key attestation (the issuer's half).
 *
 * @param jwt Compact JWS.
 * @param expected.expiry `required` inside a `jwt` proof, `optional` as an `attestation` proof; honoured
 *   whenever present.
 * @param now Whole seconds.
 * @returns What it states. The nonce is returned, not judged.
 * @throws {ProtocolError} `invalid_proof`: wrong type, algorithm, signer, age, or a statement that is missing
 *   or below the requirement.
 *
 * Source: OpenID4VCI 1.0, Appendices D.1, F.1 and F.3.
 */
export function verifyKeyAttestation(
  jwt: string,
  expected: ExpectedKeyAttestation & { readonly expiry: 'required' | 'optional' },
  now: NumericDate,
): KeyAttestation {
  try {
    const jws = parseJws(jwt)
    const chain = verifyCertificateChain(signerChain(jws), { anchors: expected.anchors, now })
    verifyJws(jws, { typ: KEY_ATTESTATION_TYP, algorithms: expected.algorithms, key: chain.leafKey })
    checkTimes(jws.payload, now)
    requireTimes(jws.payload, expected.expiry)
    const attestation = parseKeyAttestation(jws.payload)
    checkRequirement(attestation, expected.requirement)
    return attestation
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    throw new ProtocolError(
      CODE,
      'The key attestation is not accepted. Send a current one of a trusted provider.',
      {
        cause: error,
      },
    )
  }
}

function signerChain(jws: ParsedJws): readonly string[] {
  const x5c = member(jws.header, 'x5c')
  if (!Array.isArray(x5c) || !x5c.every((entry) => typeof entry === 'string')) {
    // `trust_chain` (OpenID Federation) and `kid` alone lead to no key here.
    throw new ProtocolError(CODE, 'The key attestation must carry its certificate chain in x5c.')
  }
  return x5c
}

function requireTimes(payload: JsonObject, expiry: 'required' | 'optional'): void {
  if (member(payload, 'iat') === undefined)
    throw new ProtocolError(CODE, 'The key attestation must have an iat.')
  if (expiry === 'required' && member(payload, 'exp') === undefined) {
    throw new ProtocolError(CODE, 'A key attestation inside a jwt proof must have an exp.')
  }
}

function parseKeyAttestation(payload: JsonObject): KeyAttestation {
  const from = openMembers(payload, '', CODE)
  const status = member(payload, 'status')
  if (status !== undefined && !isJsonObject(status)) throw refusal(from, 'status', 'must be an object.')
  return {
    attestedKeys: required(from, 'attested_keys', read.list(parseAttestedKey)),
    nonce: optional(from, 'nonce', read.text),
    keyStorage: optional(from, 'key_storage', read.list(read.text)),
    userAuthentication: optional(from, 'user_authentication', read.list(read.text)),
    certification: optional(from, 'certification', read.text),
    status,
  }
}

function parseAttestedKey(value: JsonValue, path: string): PublicJwk {
  try {
    const jwk = parsePublicJwk(value)
    // The kid is kept: a proof may name its key by it. Everything else a provider adds is not.
    return jwk.kid === undefined ? bareJwk(jwk) : { ...bareJwk(jwk), kid: jwk.kid }
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause
    throw new ProtocolError(CODE, `${path} must be a public JWK.`, { cause })
  }
}

function checkRequirement(attestation: KeyAttestation, requirement: KeyAttestationRequirement = {}): void {
  const pairs = [
    [attestation.keyStorage, requirement.keyStorage],
    [attestation.userAuthentication, requirement.userAuthentication],
  ] as const
  for (const [stated, accepted] of pairs) {
    if (accepted !== undefined && !stated?.some((value) => accepted.includes(value))) {
      throw new ProtocolError(
        CODE,
        'The keys are not kept as this credential demands. See key_attestations_required.',
      )
    }
  }
}
