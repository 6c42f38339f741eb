/**
 * Access tokens as JWTs (`at+jwt`), bound to a key; both halves, verified offline.
 *
 * Owns the claims and the confirmation member. Refresh tokens are opaque texts and have no file here. Does not
 * match the token to a request (`protected-request.ts`).
 *
 * Source: RFC 9068, sections 2 to 4; RFC 9449, section 6.1; RFC 8705, section 3.1; RFC 7800, section 3.1.
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
} from '@attache/core'
import {
  checkTimes,
  type JwsAlgorithm,
  type ParsedJws,
  type PublicJwk,
  parseJws,
  type Signer,
  signJws,
  verifyJws,
} from '@attache/keys'
import { jsonMembers, readable } from './message-members.js'
import type { Confirmation } from './protected-request.js'

const TYP = 'at+jwt'
const RESERVED = new Set(['iss', 'sub', 'aud', 'client_id', 'scope', 'iat', 'exp', 'nbf', 'jti', 'cnf'])

/** What an access token says. */
export interface AccessTokenClaims {
  /** Identifier of the authorization server. */
  readonly issuer: string
  readonly subject: string
  /** The resource the token is for. */
  readonly audience: string
  readonly clientId: string
  /** Space-separated scope values. */
  readonly scope?: string | undefined
  readonly issuedAt: NumericDate
  readonly expiresAt: NumericDate
  /** Unique identifier of the token. */
  readonly jti: string
  /** The key or certificate the token is bound to. */
  readonly confirmation: Confirmation
  /** Further claims, for example the credential behind the token; they cannot replace the ones above. */
  readonly claims: JsonObject
}

/**
 * Creates a signed access token.
 *
 * @throws {TypeError} `claim_reserved`: a further claim has the name of one of the token's own;
 *   `message_unusable`: a claim is empty or malformed.
 *
 * Source: RFC 9068, section 2.
 */
export function createAccessToken(token: AccessTokenClaims, signer: Signer): Promise<string> {
  const payload = jsonMembers({
    ...furtherClaims(token.claims),
    iss: token.issuer,
    sub: token.subject,
    aud: token.audience,
    client_id: token.clientId,
    scope: token.scope,
    iat: token.issuedAt,
    exp: token.expiresAt,
    jti: token.jti,
    cnf: createConfirmation(token.confirmation),
  })
  const header = { typ: TYP, kid: signer.kid }
  return signJws({ header, payload: readable(payload, parseClaims) }, signer)
}

/** What a resource expects of an access token. */
export interface AccessTokenExpectation {
  readonly issuer: string
  /** Identifier of this resource; the token's `aud` is this one value. */
  readonly audience: string
  /** Keys of the issuer, chosen by `kid` where the token names one. */
  readonly keys: readonly PublicJwk[]
  readonly algorithms: readonly JwsAlgorithm[]
  /** Tolerance for the issuer's clock, in seconds. @default 60 */
  readonly toleranceSeconds?: number
}

/**
 * Verifies an access token without asking its issuer.
 *
 * @throws {ProtocolError} `invalid_token`: wrong type, key, issuer, audience, time or confirmation.
 *
 * Source: RFC 9068, section 4.
 */
export function verifyAccessToken(
  text: string,
  expected: AccessTokenExpectation,
  now: NumericDate,
): AccessTokenClaims {
  const jws = attempt('The access token is malformed.', () => parseJws(text))
  verifySignature(jws, expected)
  attempt('The access token is expired or not valid yet.', () =>
    checkTimes(jws.payload, now, expected.toleranceSeconds),
  )
  const token = parseClaims(jws.payload)
  if (token.issuer !== expected.issuer) throw refused('The access token comes from another issuer.')
  if (token.audience !== expected.audience) throw refused('The access token is for another resource.')
  return token
}

function verifySignature(jws: ParsedJws, expected: AccessTokenExpectation): void {
  const kid = member(jws.header, 'kid')
  const keys = expected.keys.filter((key) => kid === undefined || key.kid === undefined || key.kid === kid)
  // Both spellings are the same media type (RFC 9068, section 4).
  const typ = member(jws.header, 'typ') === 'application/at+jwt' ? 'application/at+jwt' : TYP
  const verifies = (key: PublicJwk): boolean => {
    try {
      verifyJws(jws, { typ, algorithms: expected.algorithms, key })
      return true
    } catch {
      return false
    }
  }
  if (!keys.some(verifies)) throw refused('The access token is not signed by its issuer.')
}

function parseClaims(payload: JsonObject): AccessTokenClaims {
  const text = (name: string): string => {
    const value = member(payload, name)
    if (typeof value !== 'string' || value === '') throw refused(`The access token needs ${name}.`)
    return value
  }
  const time = (name: string): NumericDate => {
    const value = member(payload, name)
    if (typeof value !== 'number') throw refused(`The access token needs ${name}.`)
    return value
  }
  return {
    issuer: text('iss'),
    subject: text('sub'),
    audience: singleAudience(member(payload, 'aud')),
    clientId: text('client_id'),
    scope: member(payload, 'scope') === undefined ? undefined : text('scope'),
    issuedAt: time('iat'),
    expiresAt: time('exp'),
    jti: text('jti'),
    confirmation: parseConfirmation(member(payload, 'cnf')),
    claims: furtherMembers(payload),
  }
}

function singleAudience(aud: JsonValue | undefined): string {
  // A token for two resources can be carried from one to the other: ours name one.
  const value: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  if (typeof value !== 'string' || value === '') throw refused('The access token needs one aud.')
  return value
}

/**
 * The `cnf` member of a token or an introspection answer.
 *
 * Source: RFC 9449, sections 6.1 and 6.2; RFC 8705, sections 3.1 and 3.2.
 */
export function createConfirmation(confirmation: Confirmation): JsonObject {
  return jsonMembers({ jkt: confirmation.jkt, 'x5t#S256': confirmation.certificateThumbprint })
}

/**
 * Parses the `cnf` member of a token or an introspection answer; absent means not bound.
 *
 * @throws {ProtocolError} `invalid_token` for a method we do not know: ignoring it would unbind the token.
 *
 * Source: RFC 7800, section 3.1; requirements/sender-constraint.md, MTLS-06.
 */
export function parseConfirmation(cnf: JsonValue | undefined): Confirmation {
  if (cnf === undefined) return {}
  if (!isJsonObject(cnf) || Object.keys(cnf).length === 0) {
    throw refused('The cnf of the access token is malformed.')
  }
  for (const [name, value] of Object.entries(cnf)) {
    const known = name === 'jkt' || name === 'x5t#S256'
    if (!known || typeof value !== 'string' || !/^[A-Za-z0-9_-]{43}$/.test(value)) {
      throw refused('The cnf of the access token has a member that is unknown or malformed here.')
    }
  }
  const [jkt, thumbprint] = [member(cnf, 'jkt'), member(cnf, 'x5t#S256')]
  return {
    jkt: typeof jkt === 'string' ? jkt : undefined,
    certificateThumbprint: typeof thumbprint === 'string' ? thumbprint : undefined,
  }
}

function furtherMembers(payload: JsonObject): JsonObject {
  return jsonMembers(Object.fromEntries(Object.entries(payload).filter(([name]) => !RESERVED.has(name))))
}

function furtherClaims(claims: JsonObject): JsonObject {
  if (Object.keys(claims).every((name) => !RESERVED.has(name))) return claims
  throw configurationError(
    'claim_reserved',
    'A further claim has the name of one the access token itself owns.',
  )
}

function attempt<T>(description: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    throw new ProtocolError('invalid_token', description, { cause })
  }
}

function refused(description: string): ProtocolError {
  return new ProtocolError('invalid_token', description)
}
