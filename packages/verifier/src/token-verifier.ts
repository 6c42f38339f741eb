/**
 * A verifier's tokens at another service: judged offline, with nothing but the issuer's keys.
 *
 * For services behind the API that granted the token. Token, DPoP proof and its one use are checked on every call,
 * like at the gate. What the gate sees and this cannot: status, expiry and claims of the credential behind the token.
 * So a revocation is felt when the token ends, at most `maxLifetimeSeconds` after it was made; a route that cannot
 * wait that long belongs behind a gate.
 *
 * Source: RFC 9068, section 4; RFC 9449, section 7; RFC 7517, section 5.
 *
 * @module
 */
import {
  type Clock,
  configurationError,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type Log,
  member,
  type NumericDate,
  type OutboundFetch,
  ProtocolError,
  parseHttpsUrl,
  type Random,
  randomId,
  SILENT_LOG,
  type Store,
  VerificationError,
} from '@attache/core'
import {
  createJwksCache,
  createKeyPool,
  type JwsAlgorithm,
  type KeyPool,
  type PublicJwk,
  parseAlgorithms,
  parseJwks,
  parseJws,
} from '@attache/keys'
import {
  type AccessTokenClaims,
  externalUrl,
  parsePresentedToken,
  rememberProof,
  replayedProof,
  requireConfirmation,
  verifyAccessToken,
  verifyDpopProof,
} from '@attache/oauth'
import { PLACE } from './client-authentication.js'
import { tokenProblem } from './errors.js'
import { isPlainRequest } from './plain-request.js'
import { PRESENTATION_CLAIM } from './presentation-token.js'
import { problemResponse } from './problem.js'
import { shownCertificate, type TrustedCertificateField } from './shown-certificate.js'

/** What a service that takes another one's tokens is told. */
export interface TokenVerifierOptions {
  /** Who grants the tokens: `origin` of the verifier, to the character. */
  readonly issuer: string
  /** The resource the tokens are for; a token for another one is refused. */
  readonly audience: string
  /** Keys of the issuer: where it publishes them, or a copy that somebody else keeps fresh. */
  readonly keys: { readonly jwksUri: string } | { readonly jwks: JsonObject }
  /** Public origin of this service, as clients call it and proofs name it. @default `audience` */
  readonly origin?: string
  /** Accepted signature algorithms, of tokens and proofs. @default ES256 */
  readonly algorithms?: readonly string[]
  /** Longest life of a token that counts here: how late a revocation may be felt, in seconds. @default 300 */
  readonly maxLifetimeSeconds?: number
  /** Field in which a proxy names the client certificate. @default certificates are not looked at */
  readonly clientCertificate?: TrustedCertificateField
}

/** With what it works. */
export interface TokenVerifierDeps {
  /** Remembers proofs; shared by all processes of this service. */
  readonly store: Pick<Store, 'commit'>
  /** Fetches the issuer's keys; not called where they are given. */
  readonly fetch: OutboundFetch
  readonly clock: Clock
  readonly random: Random
  /** @default none */
  readonly log?: Log
}

/** What a token that counts says. */
export interface VerifiedToken {
  /** The client it was granted to. */
  readonly clientId: string
  readonly scopes: readonly string[]
  readonly jti: string
  readonly expiresAt: NumericDate
  /** Id of the presentation behind it, as the verifier's log knows it. */
  readonly presented: string | undefined
  /** Whose credentials stand behind it: who issued what to which key, and nothing of what they say. */
  readonly credentials: readonly TokenCredential[]
}

/** One credential behind a token. */
export interface TokenCredential {
  readonly queryId: string
  readonly issuer: string
  readonly vct: string
  /** RFC 7638 thumbprint; absent without holder binding. */
  readonly holderKey: string | undefined
}

/** Let in, with what the token says; or kept out, with the answer to send. */
export type TokenOutcome =
  | { readonly allowed: true; readonly token: VerifiedToken }
  | { readonly allowed: false; readonly response: Response }

/** Judges one call; the scope is what this route asks of a token. */
export type TokenVerifier = (request: Request, wanted: { readonly scope: string }) => Promise<TokenOutcome>

/**
 * Creates the verifier of a service that knows its tokens' issuer by its keys alone.
 *
 * @throws {TypeError} `token_issuer`: issuer, audience or origin is no https URL. `token_keys`: neither an https
 * `jwksUri` nor a usable key. `lifetime`, `algorithm_refused`.
 *
 * Source: RFC 9068, section 4; RFC 9449, section 7.1.
 */
export function createTokenVerifier(options: TokenVerifierOptions, deps: TokenVerifierDeps): TokenVerifier {
  const settings = readOptions(options)
  const { algorithms, audience } = settings
  const judge = createJudge(settings, deps)
  const log = deps.log ?? SILENT_LOG
  return async (request, { scope }) => {
    const transaction = randomId(deps.random, 'txn')
    try {
      const token = await judge(request, scope)
      log.info('verifier.token.accepted', { transaction, scope, presented: token.presented })
      return { allowed: true, token }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      const code = tokenProblem(error.code)
      log.warn('verifier.token.refused', { transaction, scope, code })
      const silent = error.code === 'token_missing' || error.code === 'keys_unavailable'
      const oauthError = silent ? undefined : error.code
      const problem = { code, error: oauthError, scope, transaction, headers: error.headers }
      return { allowed: false, response: problemResponse(problem, { origin: audience, algorithms }) }
    }
  }
}

interface ReadOptions {
  readonly issuer: string
  readonly audience: string
  readonly origin: string
  readonly algorithms: readonly JwsAlgorithm[]
  readonly maxLifetimeSeconds: number
  readonly clientCertificate: TrustedCertificateField | undefined
  readonly jwksUri: string | undefined
  readonly known: readonly PublicJwk[]
}

function readOptions(options: TokenVerifierOptions): ReadOptions {
  const { issuer, audience, origin = audience, maxLifetimeSeconds = 300, clientCertificate } = options
  if (![issuer, audience, origin].every((text) => parseHttpsUrl(text) !== undefined)) {
    throw configurationError('token_issuer', 'Issuer, audience and origin are https URLs.')
  }
  if (!Number.isSafeInteger(maxLifetimeSeconds) || maxLifetimeSeconds < 1 || maxLifetimeSeconds > 3600) {
    throw configurationError('lifetime', 'maxLifetimeSeconds is a whole number between 1 and 3600.')
  }
  const jwksUri = 'jwksUri' in options.keys ? options.keys.jwksUri : undefined
  const known = 'jwks' in options.keys ? parseJwks(options.keys.jwks) : []
  if (known.length === 0 && parseHttpsUrl(jwksUri) === undefined) {
    throw configurationError('token_keys', 'Give an https jwksUri, or a JWK Set with a usable key.')
  }
  const algorithms = parseAlgorithms(options.algorithms ?? ['ES256'])
  return { issuer, audience, origin, algorithms, maxLifetimeSeconds, clientCertificate, jwksUri, known }
}

function createJudge(settings: ReadOptions, deps: TokenVerifierDeps) {
  const keysFor = createKeyFinder(settings, deps)
  const proofKeys = createKeyPool()
  return async (request: Request, scope: string): Promise<VerifiedToken> => {
    const now = deps.clock()
    if (!isPlainRequest(request)) throw new ProtocolError('invalid_request', 'Send a plain path and method.')
    const presented = parsePresentedToken(request.headers.get('Authorization'), request.url)
    if (presented === undefined) throw new ProtocolError('token_missing', 'Send an access token.')
    const { accessToken, scheme } = presented
    const { issuer, audience, algorithms } = settings
    const keys = await keysFor(accessToken, now)
    const token = verifyAccessToken(accessToken, { issuer, audience, keys, algorithms }, now)
    // The tolerance for clocks lets a token live on: what was promised of revocations holds without it.
    if (Math.max(token.expiresAt, now) - token.issuedAt > settings.maxLifetimeSeconds) {
      throw new ProtocolError('invalid_token', 'The access token lives longer than this service accepts.')
    }
    await verifySender(
      { request, token, scheme, accessToken, now },
      { settings, store: deps.store, proofKeys },
    )
    const scopes = (token.scope ?? '').split(' ').filter((value) => value !== '')
    // After the proof: who holds no token of this issuer learns nothing about scopes.
    if (!scopes.includes(scope))
      throw new ProtocolError('insufficient_scope', 'The token grants another scope.')
    return readToken(token, scopes)
  }
}

interface Sent {
  readonly request: Request
  readonly token: AccessTokenClaims
  readonly scheme: 'dpop' | 'bearer'
  readonly accessToken: string
  readonly now: NumericDate
}

async function verifySender(
  { request, token, scheme, accessToken, now }: Sent,
  deps: {
    readonly settings: ReadOptions
    readonly store: Pick<Store, 'commit'>
    readonly proofKeys: KeyPool
  },
): Promise<void> {
  const { confirmation } = token
  const { origin, algorithms, clientCertificate } = deps.settings
  const certificateThumbprint = shownCertificate(request.headers, clientCertificate)
  // Bound to a certificate alone: there is no proof, and nothing that could be used twice (RFC 8705, section 3).
  if (scheme === 'bearer') return requireConfirmation({ scheme, confirmation }, { certificateThumbprint })
  const url = externalUrl(origin, request.url)
  const expected = { method: request.method, url, algorithms, accessToken, keys: deps.proofKeys }
  const proof = verifyDpopProof(request.headers.get('DPoP'), expected, now)
  requireConfirmation({ scheme, confirmation }, { jkt: proof.jkt, certificateThumbprint })
  // Last: a proof that fails another check must not use up the number of one that would hold.
  if (!(await deps.store.commit([rememberProof(proof, PLACE)]))) throw replayedProof()
}

function createKeyFinder({ issuer, jwksUri, known }: ReadOptions, deps: TokenVerifierDeps) {
  if (jwksUri === undefined) return async () => known
  const cache = createJwksCache({}, deps)
  return async (accessToken: string, now: NumericDate): Promise<readonly PublicJwk[]> => {
    try {
      const { header, payload } = parseJws(accessToken)
      // A stranger's token must not make this service fetch anything.
      if (member(payload, 'iss') !== issuer) return []
      return [await cache.find(jwksUri, header, now)]
    } catch (cause) {
      if (!(cause instanceof VerificationError)) throw cause
      if (cause.code !== 'issuer_keys_unavailable') return []
      throw new ProtocolError('keys_unavailable', 'The keys of the issuer cannot be learned now.', { cause })
    }
  }
}

function readToken(token: AccessTokenClaims, scopes: readonly string[]): VerifiedToken {
  const { clientId, jti, expiresAt, claims } = token
  const behind = member(claims, PRESENTATION_CLAIM)
  const entries = isJsonObject(behind) ? member(behind, 'credentials') : undefined
  const presented = isJsonObject(behind) ? member(behind, 'transaction') : undefined
  return {
    clientId,
    scopes,
    jti,
    expiresAt,
    presented: typeof presented === 'string' ? presented : undefined,
    credentials: isJsonArray(entries) ? entries.flatMap(readCredential) : [],
  }
}

function readCredential(value: JsonValue): readonly TokenCredential[] {
  if (!isJsonObject(value)) return []
  const [queryId, issuer, vct, holder] = ['query', 'iss', 'vct', 'holder'].map((name) => member(value, name))
  if (typeof queryId !== 'string' || typeof issuer !== 'string' || typeof vct !== 'string') return []
  return [{ queryId, issuer, vct, holderKey: typeof holder === 'string' ? holder : undefined }]
}
