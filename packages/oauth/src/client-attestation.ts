/**
 * Attestation-based client authentication: an attester vouches for a client instance and its key, and the
 * instance shows with every request that it holds that key.
 *
 * Owns both halves of both JWTs. The server half receives drafts -07 to -11: `iss` may be absent, when it is
 * present it must match. Challenges are in `attestation-challenge.ts`, the trust in attesters is in
 * `client-attester.ts`.
 *
 * Source: draft-ietf-oauth-attestation-based-client-auth-11, sections 4, 5, 7 and 10.
 *
 * @module
 */
import {
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  member,
  type NumericDate,
  ProtocolError,
  type Random,
  randomText,
  SPENT_MARGIN_SECONDS,
  type StoreStep,
  storeKey,
  utf8,
} from '@attache/core'
import {
  bareJwk,
  checkTimes,
  type JwsAlgorithm,
  jwkThumbprint,
  type ParsedJws,
  type PublicJwk,
  parseJws,
  parsePublicJwk,
  type Signer,
  sha256,
  signJws,
  verifyJws,
} from '@attache/keys'
import { requireChallenge } from './attestation-challenge.js'
import { type TrustedAttester, verifyAttester } from './client-attester.js'
import type { DpopProof } from './dpop.js'
import { jsonMembers } from './message-members.js'
import type { ServerNonces } from './server-nonces.js'

/** Header field of the attestation. */
export const CLIENT_ATTESTATION_HEADER = 'OAuth-Client-Attestation'
/** Header field of the proof of possession. */
export const CLIENT_ATTESTATION_POP_HEADER = 'OAuth-Client-Attestation-PoP'

const ATTESTATION_TYP = 'oauth-client-attestation+jwt'
const POP_TYP = 'oauth-client-attestation-pop+jwt'
const POP_LIFETIME_SECONDS = 300
const MAX_JWT_BYTES = 16_384
const MAX_JTI_LENGTH = 256

/** What an attester states about one client instance. */
export interface ClientAttestationStatement {
  /** The attested client; `sub`. */
  readonly clientId: string
  /** Public key of the instance, for `cnf.jwk`; one key per authorization server keeps servers apart. */
  readonly instanceKey: PublicJwk
  readonly expiresAt: NumericDate
  /** Identifier of the attester; required up to draft -07, optional since. */
  readonly issuer?: string | undefined
  /** Further claims, for example of a wallet attestation; they cannot replace the ones above. */
  readonly claims?: JsonObject | undefined
}

/**
 * Creates a client attestation, which the instance may use for many requests until it expires.
 *
 * @param signer Key of the attester; its certificate chain travels in `x5c` when it has one.
 *
 * Source: attestation-based client authentication -11, section 4.
 */
export function createClientAttestation(
  statement: ClientAttestationStatement,
  signer: Signer,
  now: NumericDate,
): Promise<string> {
  const trust = signer.x5c === undefined ? { kid: signer.kid } : { kid: signer.kid, x5c: [...signer.x5c] }
  const payload = jsonMembers({
    ...statement.claims,
    iss: statement.issuer,
    sub: statement.clientId,
    iat: now,
    exp: statement.expiresAt,
    cnf: { jwk: jsonMembers({ ...bareJwk(statement.instanceKey) }) },
  })
  return signJws({ header: { typ: ATTESTATION_TYP, ...trust }, payload }, signer)
}

/** What one proof of possession says. */
export interface ClientAttestationPopStatement {
  /** Issuer identifier of the authorization server, or resource identifier; never an endpoint. */
  readonly audience: string
  /** Sent as `iss`, which drafts up to -07 require; leave out for a peer that refuses it. */
  readonly clientId?: string | undefined
  /** The latest challenge of this server. */
  readonly challenge?: string | undefined
}

/**
 * Creates the proof of possession for one request.
 *
 * @param signer Key of the client instance, the one in the attestation's `cnf`.
 *
 * Source: attestation-based client authentication -11, section 5.1.
 */
export function createClientAttestationPop(
  statement: ClientAttestationPopStatement,
  signer: Signer,
  facts: { readonly now: NumericDate; readonly random: Random },
): Promise<string> {
  const payload = jsonMembers({
    iss: statement.clientId,
    aud: statement.audience,
    jti: randomText(facts.random, 16),
    iat: facts.now,
    // Older drafts require it; current ones judge `iat` and say nothing against it.
    exp: facts.now + POP_LIFETIME_SECONDS,
    challenge: statement.challenge,
  })
  return signJws({ header: { typ: POP_TYP }, payload }, signer)
}

/** What a request carries of client authentication by attestation. */
export interface PresentedClientAttestation {
  /** The field as `Headers.get` gives it; two fields arrive joined by a comma and are refused. */
  readonly attestation: string | null | undefined
  readonly pop: string | null | undefined
  /** The request's verified DPoP proof, when it carried one; it stands in for the PoP in combined mode. */
  readonly dpop?: DpopProof | undefined
  /** The `client_id` parameter, when it was sent. */
  readonly clientId?: string | undefined
}

/** What a server expects of client authentication by attestation. */
export interface ClientAttestationExpectation {
  /** Issuer identifier of this authorization server, or identifier of this resource. */
  readonly audience: string
  /** Nobody is trusted by default. */
  readonly attesters: readonly TrustedAttester[]
  /** Accepted `alg` values of both JWTs. */
  readonly algorithms: readonly JwsAlgorithm[]
  /** When given, a PoP without one of these challenges is answered with a fresh one. */
  readonly challenges?: ServerNonces | undefined
  /** Whether a DPoP proof may stand in for the PoP: method `attest_jwt_client_auth_dpop`. */
  readonly dpopCombined: boolean
  /** Greatest age of the attestation by its `iat`, in seconds; without it `exp` alone decides. */
  readonly maxAttestationAgeSeconds?: number | undefined
  /** Greatest age of the PoP, in seconds. @default 60 */
  readonly maxAgeSeconds?: number | undefined
  /** How far the PoP's `iat` may lie ahead, in seconds. @default 10 */
  readonly maxAheadSeconds?: number | undefined
}

/** A client instance that passed every check but one: that its proof was not used before. */
export interface AttestedClient {
  readonly clientId: string
  /** Name of the trusted attester that vouched. */
  readonly attester: string
  readonly instanceKey: PublicJwk
  /** Thumbprint of the instance key: what codes and refresh tokens remember. */
  readonly instanceJkt: string
  /** Claims of the attestation, for policy. */
  readonly claims: JsonObject
  /** The PoP to remember; nothing in combined mode, where the DPoP proof is remembered. */
  readonly pop?: { readonly replayKey: string; readonly expiresAt: NumericDate } | undefined
}

/**
 * Verifies client authentication by attestation. Use it only after {@link rememberPop} was committed too.
 *
 * @throws {ProtocolError} `invalid_client`: a check failed; `use_fresh_attestation`: only its age is wrong;
 *   `use_attestation_challenge`: everything else holds, the fresh challenge is in the error's headers.
 *
 * Source: attestation-based client authentication -11, sections 7.1 to 7.5.
 */
export function verifyClientAttestation(
  presented: PresentedClientAttestation,
  expected: ClientAttestationExpectation,
  now: NumericDate,
): AttestedClient {
  const client = verifyAttestation(presented, expected, now)
  if (presented.pop !== null && presented.pop !== undefined) {
    return { ...client, pop: verifyPop(presented.pop, client, { ...expected, now }) }
  }
  if (presented.dpop === undefined) throw refused('Send a client attestation PoP beside the attestation.')
  if (!expected.dpopCombined) throw refused('A DPoP proof does not stand in for the attestation PoP here.')
  if (presented.dpop.jkt !== client.instanceJkt) {
    throw refused('The DPoP proof is not made with the attested key.')
  }
  return client
}

/**
 * The store step that makes a PoP single-use: the first one in wins. Commit it as the last check.
 *
 * Source: attestation-based client authentication -11, sections 10.7 and 12.1.
 */
export function rememberPop(
  pop: { readonly replayKey: string; readonly expiresAt: NumericDate },
  place: { readonly tenant: string; readonly room: string },
): Extract<StoreStep, { op: 'putIfAbsent' }> {
  const key = storeKey({ ...place, kind: 'attestation-pop', id: pop.replayKey })
  return { op: 'putIfAbsent', key, value: { v: 1 }, expiresAt: pop.expiresAt + SPENT_MARGIN_SECONDS }
}

/**
 * The refusal of a PoP that was seen before.
 *
 * Source: attestation-based client authentication -11, sections 7.4 and 12.1.
 */
export function replayedPop(): ProtocolError {
  return refused('The client attestation PoP was used before. Make a new one for every request.')
}

function verifyAttestation(
  presented: PresentedClientAttestation,
  expected: ClientAttestationExpectation,
  now: NumericDate,
): AttestedClient {
  const jws = parseOne(presented.attestation, CLIENT_ATTESTATION_HEADER)
  const clientId = member(jws.payload, 'sub')
  if (typeof clientId !== 'string' || clientId === '') throw refused('The client attestation needs a sub.')
  if (typeof member(jws.payload, 'exp') !== 'number') throw refused('The client attestation needs an exp.')
  const instanceKey = parseConfirmationKey(member(jws.payload, 'cnf'))
  const attester = attempt('The client attestation is not signed by a trusted attester.', () =>
    verifyAttester(jws, { ...expected, typ: ATTESTATION_TYP, clientId }, now),
  )
  attempt('The client attestation is expired or not valid yet.', () => checkTimes(jws.payload, now))
  if (presented.clientId !== undefined && presented.clientId !== clientId) {
    throw refused('The client_id is not the attested client.')
  }
  requireFreshness(jws.payload, expected.maxAttestationAgeSeconds, now)
  const instanceJkt = jwkThumbprint(instanceKey)
  return { clientId, attester: attester.name, instanceKey, instanceJkt, claims: jws.payload }
}

function parseConfirmationKey(cnf: unknown): PublicJwk {
  const jwk = isJsonObject(cnf) ? member(cnf, 'jwk') : undefined
  return attempt('The client attestation needs cnf with a public jwk.', () => parsePublicJwk(jwk))
}

function requireFreshness(payload: JsonObject, maxAge: number | undefined, now: NumericDate): void {
  if (maxAge === undefined) return
  const iat = member(payload, 'iat')
  // Without iat nobody can say how old it is; a policy about age then asks for a new one.
  if (typeof iat === 'number' && iat >= now - maxAge) return
  throw new ProtocolError('use_fresh_attestation', 'The client attestation is too old. Get a new one.')
}

function verifyPop(
  text: string,
  client: AttestedClient,
  expected: ClientAttestationExpectation & { readonly now: NumericDate },
): { replayKey: string; expiresAt: NumericDate } {
  const { now, algorithms, maxAgeSeconds = 60, maxAheadSeconds = 10 } = expected
  const jws = parseOne(text, CLIENT_ATTESTATION_POP_HEADER)
  attempt('The client attestation PoP is not signed with the attested key.', () =>
    verifyJws(jws, { typ: POP_TYP, algorithms, key: client.instanceKey }),
  )
  requireAudience(member(jws.payload, 'aud'), expected.audience)
  const [iss, jti, iat] = ['iss', 'jti', 'iat'].map((name) => member(jws.payload, name))
  if (iss !== undefined && iss !== client.clientId)
    throw refused('The iss of the PoP is not the attested client.')
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) {
    throw refused('The client attestation PoP needs a jti of 1 to 256 characters.')
  }
  if (typeof iat !== 'number') throw refused('The client attestation PoP needs an iat.')
  if (iat < now - maxAgeSeconds || iat > now + maxAheadSeconds) {
    throw refused('The client attestation PoP is too old or from the future. Check the clock.')
  }
  attempt('The client attestation PoP is expired or not valid yet.', () => checkTimes(jws.payload, now))
  requireChallenge(member(jws.payload, 'challenge'), expected.challenges, now)
  const replayKey = encodeBase64url(sha256(utf8(JSON.stringify([client.instanceJkt, jti]))))
  return { replayKey, expiresAt: Math.ceil(iat) + maxAgeSeconds + maxAheadSeconds }
}

function requireAudience(aud: unknown, audience: string): void {
  const values: unknown = isArray(aud) && aud.length === 1 ? aud[0] : aud
  if (values !== audience) throw refused('The client attestation PoP is made for another server.')
}

function isArray(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

function parseOne(text: string | null | undefined, header: string): ParsedJws {
  if (text === null || text === undefined) throw refused(`The header field ${header} is missing.`)
  return attempt(`Send exactly one ${header} header field with one compact JWS.`, () =>
    parseJws(text, { maxBytes: MAX_JWT_BYTES }),
  )
}

function attempt<T>(description: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw refused(description, cause)
  }
}

function refused(description: string, cause?: unknown): ProtocolError {
  return new ProtocolError('invalid_client', description, cause === undefined ? {} : { cause })
}
