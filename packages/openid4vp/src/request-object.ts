/**
 * Request objects: a signed request, and how a wallet becomes sure who asks.
 *
 * Owns both halves: `signRequestObject` (verifier) and `verifyRequestObject` (wallet). Whether the wallet
 * wants to answer this client, and where its answers may go, is asked afterwards (`response-uri.ts`).
 *
 * Source: OpenID4VP 1.0, sections 5, 5.8 to 5.10; RFC 9101, sections 4 and 6.
 *
 * @module
 */
import {
  decodeUtf8,
  type JsonObject,
  type JsonValue,
  member,
  type NumericDate,
  VerificationError,
} from '@attache/core'
import {
  checkTimes,
  type DecryptionKey,
  decryptJwe,
  type JwsAlgorithm,
  type ParsedJws,
  parseJws,
  type Signer,
  signJws,
} from '@attache/keys'
import {
  type AuthorizationRequest,
  encodeAuthorizationRequest,
  parseAuthorizationRequest,
} from './authorization-request.js'
import { type AuthenticatedClient, authenticateClient, type ClientTrust } from './client-authentication.js'
import { parseClientIdentifier } from './client-identifier.js'

/** `aud` of a request object for a wallet found by static discovery. */
export const STATIC_AUDIENCE = 'https://self-issued.me/v2'

const TYPE = 'oauth-authz-req+jwt'
const MOST_BYTES = 65_536
const ENCS = ['A256GCM', 'A128GCM'] as const
const MOST_AGE_WITHOUT_EXP_SECONDS = 600

/**
 * Signs a request object; its certificate chain travels in `x5c`, or its key's name in `kid`.
 *
 * @param input.audience The wallet's `issuer`, or {@link STATIC_AUDIENCE}.
 * @param input.lifetimeSeconds From `iat` to `exp`.
 * @param input.kid For prefixes whose key is found by name (`decentralized_identifier`, pre-registered).
 * @param input.attestation For `verifier_attestation`: who vouches for the key; goes into `jwt`.
 * @param input.trustChain For `openid_federation`: statements from the verifier up to a trust anchor.
 *
 * Source: OpenID4VP 1.0, sections 5, 5.8, 5.9.3 and 12.
 */
export function signRequestObject(
  input: {
    readonly request: AuthorizationRequest
    readonly audience: string
    readonly issuedAt: NumericDate
    readonly lifetimeSeconds: number
    readonly kid?: string | undefined
    readonly attestation?: string | undefined
    readonly trustChain?: readonly string[] | undefined
  },
  signer: Signer,
): Promise<string> {
  const header: Record<string, JsonValue> = { typ: TYPE }
  if (input.kid !== undefined) header['kid'] = input.kid
  if (input.trustChain !== undefined) header['trust_chain'] = input.trustChain
  if (input.attestation !== undefined) header['jwt'] = input.attestation
  else if (input.kid === undefined && signer.x5c !== undefined) header['x5c'] = signer.x5c
  const times = { iat: input.issuedAt, exp: input.issuedAt + input.lifetimeSeconds }
  const payload = { aud: input.audience, ...times, ...encodeAuthorizationRequest(input.request) }
  return signJws({ header, payload }, signer)
}

/** What a wallet expects of a request object before it looks inside. */
export interface RequestObjectExpectation {
  /** The `client_id` beside the request object; absent where the protocol gives none (`ia_post`). */
  readonly clientId?: string
  /** Accepted `aud` values; {@link STATIC_AUDIENCE} and, if sent as wallet metadata, the own issuer. */
  readonly audiences: readonly string[]
  readonly algorithms: readonly JwsAlgorithm[]
  /** The nonce sent with the request_uri POST. */
  readonly walletNonce?: string
  /** Keys that were offered for encrypted request objects; without them none is opened. @default none */
  readonly decryptionKeys?: readonly DecryptionKey[]
  /** Whom to believe, per Client Identifier Prefix. */
  readonly trust: ClientTrust
  readonly now: NumericDate
}

/** A request whose sender is known. */
export interface VerifiedRequest {
  readonly request: AuthorizationRequest
  readonly client: AuthenticatedClient
}

/**
 * Verifies a request object and the client behind it; only then are its parameters read.
 *
 * @throws {VerificationError} A stop of `REQUEST_STOPS`: nothing is sent to the verifier.
 * @throws {ProtocolError} The client is authentic and its request unusable: the code may be sent to it.
 *
 * Source: OpenID4VP 1.0, sections 5.9.3 and 5.10.1; RFC 9101, section 6.
 */
export async function verifyRequestObject(
  text: string,
  expected: RequestObjectExpectation,
): Promise<VerifiedRequest> {
  const signed = await openRequestObject(text, expected.decryptionKeys ?? [])
  const jws = parseRequestObject(signed)
  const clientId = member(jws.payload, 'client_id')
  if (expected.clientId !== undefined && clientId !== expected.clientId) {
    throw new VerificationError('client_id_mismatch', 'The client_id inside and outside the request differ.')
  }
  const identifier = parseClientIdentifier(
    clientId,
    (id) => expected.trust.registeredClient?.(id) !== undefined,
  )
  const client = await authenticateClient(jws, identifier, expected)
  checkEnvelope(jws.payload, expected)
  return { request: parseAuthorizationRequest(jws.payload), client }
}

/** An encrypted object holds a signed one: encryption says nothing about who asks (RFC 9101, section 6.1). */
async function openRequestObject(text: string, keys: readonly DecryptionKey[]): Promise<string> {
  if (text.split('.', 6).length !== 5) return text
  let inside: string | undefined
  try {
    const opened = await decryptJwe(text, { keys, encs: ENCS, maxBytes: MOST_BYTES })
    inside = decodeUtf8(opened.plaintext)
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause
    throw new VerificationError('invalid_request_object', 'The Request Object cannot be decrypted.', {
      cause,
    })
  }
  if (inside?.split('.', 4).length === 3) return inside
  throw new VerificationError('invalid_request_object', 'The encrypted Request Object holds nothing signed.')
}

function parseRequestObject(text: string): ParsedJws {
  if (text.length > MOST_BYTES) throw new VerificationError('limits', 'The Request Object is too large.')
  let jws: ParsedJws
  try {
    jws = parseJws(text, { maxBytes: MOST_BYTES })
  } catch (cause) {
    throw new VerificationError('malformed', 'The Request Object is no signed JWT.', { cause })
  }
  if (member(jws.header, 'typ') !== TYPE) {
    throw new VerificationError('typ', 'The Request Object is not of type oauth-authz-req+jwt.')
  }
  const nested = ['request', 'request_uri', 'request_uri_method'].some((name) =>
    Object.hasOwn(jws.payload, name),
  )
  if (nested) throw new VerificationError('malformed', 'The Request Object refers to another request.')
  return jws
}

function checkEnvelope(payload: JsonObject, expected: RequestObjectExpectation): void {
  const audience = member(payload, 'aud')
  if (typeof audience !== 'string' || !expected.audiences.includes(audience)) {
    throw new VerificationError('aud', 'The Request Object is made for another wallet.')
  }
  if (expected.walletNonce !== undefined && member(payload, 'wallet_nonce') !== expected.walletNonce) {
    throw new VerificationError('wallet_nonce', 'The Request Object does not repeat the wallet_nonce.')
  }
  try {
    checkTimes(payload, expected.now)
  } catch (cause) {
    throw new VerificationError('expired', 'The Request Object is outside its validity.', { cause })
  }
  const issuedAt = member(payload, 'iat')
  const old = typeof issuedAt === 'number' && expected.now - issuedAt > MOST_AGE_WITHOUT_EXP_SECONDS
  if (member(payload, 'exp') === undefined && old) {
    throw new VerificationError('expired', 'The Request Object has no exp and is too old.')
  }
}
