/**
 * DPoP proofs: a client shows, request by request, that it holds the key a token is or will be bound to.
 *
 * Owns both halves of `dpop+jwt`: `createDpopProof` (client) and `verifyDpopProof` (server), and the step by
 * which a server remembers a proof. Does not know tokens (see `protected-request.ts`) nor who keeps nonces on
 * the client's side (see `dpop-fetch.ts`).
 *
 * Source: RFC 9449, sections 4, 7, 8, 9 and 11.
 *
 * @module
 */
import {
  encodeBase64url,
  equalText,
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
  digest,
  type JwsAlgorithm,
  jwkThumbprint,
  type KeyPool,
  type ParsedJws,
  type PublicJwk,
  parseJws,
  parsePublicJwk,
  type Signer,
  sha256,
  signJws,
  verifyJws,
} from '@attache/keys'
import { jsonMembers } from './message-members.js'
import type { OpenedNonce, ServerNonces } from './server-nonces.js'
import { normalizeTargetUri } from './target-uri.js'

/** The algorithms a server takes unless its configuration says otherwise. */
export const DPOP_ALGORITHMS: readonly JwsAlgorithm[] = ['ES256', 'EdDSA', 'Ed25519']

const TYP = 'dpop+jwt'
const MAX_PROOF_BYTES = 8192
const MAX_JTI_LENGTH = 256

/** The request that a proof speaks about, and what goes with it. */
export interface DpopProofRequest {
  /** HTTP method, exactly as sent. */
  readonly method: string
  /** The URL the request goes to; query and fragment are left out of the proof. */
  readonly url: string
  /** The access token sent with the request; none at an authorization server. */
  readonly accessToken?: string | undefined
  /** The latest `DPoP-Nonce` of this server. */
  readonly nonce?: string | undefined
}

/**
 * Creates the proof for one request. A retry is another request and needs another proof.
 *
 * @param now NumericDate: whole seconds since 1970-01-01T00:00:00Z.
 * @returns The value of the `DPoP` header field.
 *
 * Source: RFC 9449, sections 4.2, 7 and 7.3.
 */
export function createDpopProof(
  request: DpopProofRequest,
  signer: Signer,
  facts: { readonly now: NumericDate; readonly random: Random },
): Promise<string> {
  const header = { typ: TYP, jwk: jsonMembers({ ...bareJwk(signer.publicJwk) }) }
  const payload = jsonMembers({
    jti: randomText(facts.random, 16),
    htm: request.method,
    htu: request.url.replace(/[?#].*$/, ''),
    iat: facts.now,
    ath: request.accessToken === undefined ? undefined : digest('sha-256', request.accessToken),
    nonce: request.nonce,
  })
  return signJws({ header, payload }, signer)
}

/** What a server expects of a proof. */
export interface DpopExpectation {
  /** HTTP method of the request; compared with its case. */
  readonly method: string
  /** The URL as the client sees it, from configuration and path: see `externalUrl`. */
  readonly url: string
  /** Accepted `alg` values. An empty list accepts none. */
  readonly algorithms: readonly JwsAlgorithm[]
  /** The access token that came with the request; then the proof must carry its hash. */
  readonly accessToken?: string | undefined
  /** When given, a proof without one of these nonces is answered with a fresh one. */
  readonly nonces?: ServerNonces | undefined
  /** Greatest age of `iat`, in seconds. @default 60 */
  readonly maxAgeSeconds?: number
  /** How far `iat` may lie ahead, in seconds. @default 10 */
  readonly maxAheadSeconds?: number
  /** Imports each key once, where the same clients come again. @default every proof's key is imported anew */
  readonly keys?: KeyPool | undefined
}

/** A proof that passed every check but one: that it was not used before. */
export interface DpopProof {
  readonly publicJwk: PublicJwk
  /** RFC 7638 thumbprint of the key, for `cnf.jkt`. */
  readonly jkt: string
  readonly jti: string
  readonly iat: NumericDate
  readonly nonce?: string | undefined
  /** Hash over key, target and `jti`; never over the text, which has more than one spelling. */
  readonly replayKey: string
  /** Until when a copy would be accepted: how long the proof must be remembered. */
  readonly expiresAt: NumericDate
}

/**
 * Verifies one proof. Use it only after {@link rememberProof} was committed too.
 *
 * @param proof The `DPoP` field as `Headers.get` gives it: two fields arrive joined by a comma and are refused.
 * @throws {ProtocolError} `invalid_dpop_proof`: a check failed; `use_dpop_nonce`: everything else holds, but
 *   the nonce is absent or not ours; a fresh one is in the error's headers.
 *
 * Source: RFC 9449, section 4.3.
 */
export function verifyDpopProof(
  proof: string | null | undefined,
  expected: DpopExpectation,
  now: NumericDate,
): DpopProof {
  const jws = parseProof(proof)
  // What costs little comes first: anybody may send proofs, and a signature costs more than all the rest.
  const { jti, iat } = verifyClaims(jws.payload, expected, now)
  const publicJwk = verifySignature(jws, expected)
  const nonce = verifyNonce(jws.payload, expected.nonces, now)
  const jkt = jwkThumbprint(publicJwk)
  const target = normalizeTargetUri(expected.url) ?? expected.url
  const acceptedUntil = Math.ceil(iat) + (expected.maxAgeSeconds ?? 60) + (expected.maxAheadSeconds ?? 10)
  return {
    publicJwk,
    jkt,
    jti,
    iat,
    nonce: nonce?.text,
    replayKey: encodeBase64url(sha256(utf8(JSON.stringify([jkt, target, jti])))),
    expiresAt: Math.max(acceptedUntil, nonce?.opened.expiresAt ?? 0),
  }
}

/**
 * The store step that makes a proof single-use: the first one in wins. Commit it as the last check, so that a
 * refused request leaves no trace and cannot use up somebody's `jti`.
 *
 * Source: RFC 9449, section 11.1.
 */
export function rememberProof(
  proof: Pick<DpopProof, 'replayKey' | 'expiresAt'>,
  place: { readonly tenant: string; readonly room: string },
): Extract<StoreStep, { op: 'putIfAbsent' }> {
  const key = storeKey({ ...place, kind: 'dpop', id: proof.replayKey })
  return { op: 'putIfAbsent', key, value: { v: 1 }, expiresAt: proof.expiresAt + SPENT_MARGIN_SECONDS }
}

/**
 * The refusal of a proof that was seen before.
 *
 * Source: RFC 9449, sections 5, 7.1 and 11.1.
 */
export function replayedProof(): ProtocolError {
  return refused('The DPoP proof was used before. Make a new one for every request.')
}

function parseProof(proof: string | null | undefined): ParsedJws {
  if (proof === null || proof === undefined) throw refused('The DPoP header field is missing.')
  return refusing('Send exactly one DPoP header field with one compact JWS.', () =>
    parseJws(proof, { maxBytes: MAX_PROOF_BYTES, maxDepth: 4 }),
  )
}

function verifySignature(jws: ParsedJws, { algorithms, keys }: DpopExpectation): PublicJwk {
  return refusing('The type, algorithm, key or signature of the DPoP proof is not accepted.', () => {
    const jwk = member(jws.header, 'jwk')
    const key = keys === undefined ? parsePublicJwk(jwk) : keys.parse(jwk)
    verifyJws(jws, { typ: TYP, algorithms, key })
    return key
  })
}

function verifyClaims(
  payload: JsonObject,
  expected: DpopExpectation,
  now: NumericDate,
): { jti: string; iat: number } {
  const [jti, htm, htu] = ['jti', 'htm', 'htu'].map((name) => member(payload, name))
  const iat = member(payload, 'iat')
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) {
    throw refused('The DPoP proof needs a jti of 1 to 256 characters.')
  }
  if (htm !== expected.method) throw refused('The DPoP proof was made for another method.')
  const target = typeof htu === 'string' ? normalizeTargetUri(htu) : undefined
  if (target === undefined || target !== normalizeTargetUri(expected.url)) {
    throw refused('The DPoP proof was made for another URI.')
  }
  if (typeof iat !== 'number') throw refused('The DPoP proof needs iat as a number.')
  if (iat < now - (expected.maxAgeSeconds ?? 60) || iat > now + (expected.maxAheadSeconds ?? 10)) {
    throw refused('The DPoP proof is too old or from the future. Check the clock and make a new one.')
  }
  // Neither claim is asked for; one that is there is meant (RFC 7519, sections 4.1.4 and 4.1.5).
  refusing('The DPoP proof is expired or not valid yet.', () => checkTimes(payload, now))
  verifyTokenHash(member(payload, 'ath'), expected.accessToken)
  return { jti, iat }
}

function verifyTokenHash(ath: unknown, accessToken: string | undefined): void {
  if (accessToken === undefined) return
  if (typeof ath === 'string' && equalText(ath, digest('sha-256', accessToken))) return
  throw refused('The DPoP proof was not made for this access token.')
}

function verifyNonce(
  payload: JsonObject,
  nonces: ServerNonces | undefined,
  now: NumericDate,
): { text: string; opened: OpenedNonce } | undefined {
  if (nonces === undefined) return undefined
  const text = member(payload, 'nonce')
  const opened = typeof text === 'string' ? nonces.open(text, now) : undefined
  if (typeof text === 'string' && opened !== undefined) return { text, opened }
  throw new ProtocolError('use_dpop_nonce', 'Make a new DPoP proof with the nonce of this answer.', {
    headers: { 'DPoP-Nonce': nonces.issue(now) },
  })
}

function refusing<T>(description: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw refused(description, cause)
  }
}

function refused(description: string, cause?: unknown): ProtocolError {
  return new ProtocolError('invalid_dpop_proof', description, cause === undefined ? {} : { cause })
}
