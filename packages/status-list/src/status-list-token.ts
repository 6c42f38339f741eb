/**
 * The Status List Token, both halves: `createStatusListToken` (issuer) and `verifyStatusListToken` (verifier).
 *
 * The verifier's half decides about the token alone. Which key counts is handed in; freshness over several
 * tokens (rollback, `ttl`) is the resolver's matter.
 *
 * Source: Token Status List -20, sections 4.2, 5.1, 8.3 and 8.4.
 *
 * @module
 */
import { isJsonObject, type JsonObject, member, type NumericDate, VerificationError } from '@attache/core'
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
import {
  isStatusBits,
  packStatusList,
  type StatusBits,
  type StatusList,
  unpackStatusList,
} from './status-list.js'

/** `typ` of the token. */
export const STATUS_LIST_TOKEN_TYPE = 'statuslist+jwt'

/** Media type of the token. */
export const STATUS_LIST_MEDIA_TYPE = 'application/statuslist+jwt'

/** What a Status List Token says. */
export interface StatusListToken {
  /** `sub`: its own URI. */
  readonly uri: string
  readonly iat: NumericDate
  readonly exp?: NumericDate
  /** After how many seconds a copy should be fetched anew; any positive number. */
  readonly ttl?: number
  readonly aggregationUri?: string
  readonly list: StatusList
}

/** Signs a Status List Token; compact JWS with the signer's `x5c` when it has one. */
export function createStatusListToken(token: StatusListToken, signer: Signer): Promise<string> {
  const { uri, iat, exp, ttl, aggregationUri, list } = token
  const payload: JsonObject = {
    sub: uri,
    iat,
    ...(exp === undefined ? {} : { exp }),
    ...(ttl === undefined ? {} : { ttl }),
    status_list: {
      bits: list.bits,
      lst: packStatusList(list),
      ...(aggregationUri === undefined ? {} : { aggregation_uri: aggregationUri }),
    },
  }
  const certificates = signer.x5c === undefined ? {} : { x5c: signer.x5c }
  return signJws(
    { header: { typ: STATUS_LIST_TOKEN_TYPE, kid: signer.kid, ...certificates }, payload },
    signer,
  )
}

/** What a Status List Token is held against. */
export interface ExpectedStatusListToken {
  /** `uri` of the Referenced Token. */
  readonly uri: string
  /** The key that counts; from configuration or a validated chain, never just because the token names it. */
  readonly key: PublicJwk
  readonly algorithms: readonly JwsAlgorithm[]
  readonly now: NumericDate
  /** How far the signer's clock may be off, in seconds. @default 60 */
  readonly toleranceSeconds?: number
  /** Greatest decompressed size, in bytes. @default 16 MiB */
  readonly maxInflatedBytes?: number
  /** Ask about this moment in the past instead of now: the token must have been in force then (section 8.4). */
  readonly at?: NumericDate
}

/** Greatest length of a Status List Token, in characters: 16 MiB that do not compress, and room for `x5c`. */
export const MAX_STATUS_LIST_TOKEN_LENGTH = 24_000_000

/** Parses without judging, to find out which key would have to count. @throws {VerificationError} `jws_*`. */
export function parseStatusListToken(text: string, maxBytes = MAX_STATUS_LIST_TOKEN_LENGTH): ParsedJws {
  return parseJws(text, { maxBytes })
}

/**
 * Verifies a Status List Token in the order of the standard and decompresses its list.
 *
 * @param token Compact JWS as received, or parsed by {@link parseStatusListToken}.
 * @throws {VerificationError} `jws_*`: not a JWS of this type, algorithm, key and signature.
 * @throws {VerificationError} `status_token_malformed`: a required claim is missing or has the wrong type.
 * @throws {VerificationError} `status_token_subject`: `sub` is not `uri`, byte for byte.
 * @throws {VerificationError} `jwt_*`: expired, issued in the future, or not in force at `at`.
 * @throws {VerificationError} `status_list_malformed`, `status_list_too_large`.
 *
 * Source: Token Status List -20, section 8.3, steps 3 to 5, and section 8.4.
 */
export function verifyStatusListToken(
  token: string | ParsedJws,
  expected: ExpectedStatusListToken,
): StatusListToken {
  const jws = typeof token === 'string' ? parseStatusListToken(token) : token
  const { key, algorithms } = expected
  verifyJws(jws, { typ: STATUS_LIST_TOKEN_TYPE, algorithms, key })

  const claims = parseClaims(jws.payload)
  if (claims.uri !== expected.uri) {
    throw new VerificationError('status_token_subject', 'The Status List Token speaks for another URI.')
  }
  checkInForce(jws.payload, claims, expected)

  const { bits, lst, ...rest } = claims
  const limit = expected.maxInflatedBytes
  return { ...rest, list: unpackStatusList({ bits, lst }, limit === undefined ? {} : { maxBytes: limit }) }
}

function checkInForce(
  payload: JsonObject,
  { iat, exp }: { readonly iat: NumericDate; readonly exp?: NumericDate },
  { at, now, toleranceSeconds }: ExpectedStatusListToken,
): void {
  if (at === undefined) {
    checkTimes(payload, now, toleranceSeconds)
    return
  }

  // A static host ignores the query and answers with today's list: the times decide, not the request.
  if (iat <= at && exp !== undefined && at < exp) return
  throw new VerificationError('jwt_expired', 'The Status List Token was not in force at the time asked for.')
}

type TokenClaims = Omit<StatusListToken, 'list'> & { readonly bits: StatusBits; readonly lst: string }

function parseClaims(payload: JsonObject): TokenClaims {
  const uri = member(payload, 'sub')
  const iat = member(payload, 'iat')
  const exp = member(payload, 'exp')
  const ttl = member(payload, 'ttl')
  const list = member(payload, 'status_list')
  if (typeof uri !== 'string') throw malformed('sub is no text')
  if (typeof iat !== 'number') throw malformed('iat is no number')
  if (exp !== undefined && typeof exp !== 'number') throw malformed('exp is no number')
  if (ttl !== undefined && !(typeof ttl === 'number' && ttl > 0)) throw malformed('ttl is no positive number')
  if (!isJsonObject(list)) throw malformed('status_list is no object')

  return {
    uri,
    iat,
    ...(exp === undefined ? {} : { exp }),
    ...(ttl === undefined ? {} : { ttl }),
    ...parseList(list),
  }
}

function parseList(list: JsonObject): Pick<TokenClaims, 'bits' | 'lst' | 'aggregationUri'> {
  const bits = member(list, 'bits')
  const lst = member(list, 'lst')
  const aggregationUri = member(list, 'aggregation_uri')
  if (!isStatusBits(bits)) throw malformed('bits is not 1, 2, 4 or 8')
  if (typeof lst !== 'string') throw malformed('lst is no text')
  if (aggregationUri === undefined) return { bits, lst }
  if (typeof aggregationUri !== 'string') throw malformed('aggregation_uri is no text')
  return { bits, lst, aggregationUri }
}

const malformed = (what: string) =>
  new VerificationError('status_token_malformed', `The Status List Token is malformed: ${what}.`)
