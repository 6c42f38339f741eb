/**
 * Workload identity tokens: JWTs by which a platform says which workload this is (a projected Kubernetes service
 * account token, the OIDC token of a CI job, a SPIFFE JWT-SVID that has an `iss`).
 *
 * Owns every check that makes such a token count for one attester: issuer, audience, times, length of life, type,
 * algorithm, key. Which of those workloads may be which client is `workload-rules.ts`.
 *
 * A workload token is a bearer token, and the same one is good until it expires: that is how platforms hand them
 * out, one file for many uses. Whoever steals it can have a key of its own attested until then, so it has to be made
 * for this attester alone (`aud` names nobody else), live shortly, and lie in a file that the wallet alone reads.
 *
 * Source: OpenID Connect Core 1.0, section 3.1.3.7; RFC 7523, section 3; RFC 8725, sections 3.1 to 3.12;
 * requirements/sender-constraint.md, WL-05 and WL-06.
 *
 * @module
 */
import {
  isJsonArray,
  type JsonObject,
  type Log,
  member,
  type NumericDate,
  type OutboundFetch,
  VerificationError,
} from '@attache/core'
import {
  checkTimes,
  createIssuerKeys,
  type IssuerKeys,
  type IssuerTrust,
  isJwsAlgorithm,
  type JwsAlgorithm,
  type KeySetCacheOptions,
  type ParsedJws,
  parseJws,
  verifyJws,
} from '@attache/keys'
import { failedCheck, invalidAttester } from './attester-errors.js'
import { MAX_WORKLOAD_TOKEN_LENGTH } from './attester-messages.js'

/** Where the keys of a token issuer come from. Never from a token. */
export type WorkloadKeys =
  | { readonly jwksUri: string }
  /** The `jwks_uri` in `<issuer>/.well-known/openid-configuration`. */
  | { readonly discovery: true }
  /** A literal JWK Set. It does not rotate by itself: every new key is a new configuration. */
  | { readonly jwks: JsonObject }

/** A platform whose tokens count. */
export interface WorkloadTokenIssuer {
  /** The `iss` of its tokens, compared character by character. */
  readonly issuer: string
  /** The one `aud` that its tokens for this attester carry. */
  readonly audience: string
  readonly keys: WorkloadKeys
  /** Accepted `alg` values. */
  readonly algorithms: readonly JwsAlgorithm[]
  /** The longest life, `exp` less `iat`, of a token that is taken, in seconds. @default 3600 */
  readonly maxLifetimeSeconds?: number
}

/** What a token says about who holds it, once it holds. */
export interface WorkloadIdentity {
  readonly issuer: string
  readonly subject: string
  readonly claims: JsonObject
}

const DEFAULT_MAX_LIFETIME_SECONDS = 3600

/** Verifies workload tokens of the configured issuers. */
export interface WorkloadTokens {
  /**
   * Verifies one token, the cheap checks first: nothing is fetched for a token that could not count anyway.
   *
   * @throws {VerificationError} A code of `ATTESTER_CHECKS`; `jws_malformed`, `jws_too_large`; `jwt_expired`,
   *   `jwt_not_yet_valid`, `jwt_issued_in_future`, `jwt_time_malformed`.
   */
  verify(text: string, now: NumericDate): Promise<WorkloadIdentity>
}

/**
 * Makes the verifier of workload tokens. Keys are fetched when the first token asks for them and kept: a key that
 * is new is found by one refetch, a key that is gone stops counting with the next one, and while the issuer does not
 * answer, the last set serves up to its stated age.
 *
 * @throws {TypeError} `attester_options_invalid`: the keys of an issuer are none, or lie at no https URL.
 */
export function createWorkloadTokens(
  options: {
    readonly issuers: readonly WorkloadTokenIssuer[]
    readonly cache?: KeySetCacheOptions | undefined
  },
  deps: { readonly fetch: OutboundFetch; readonly log: Log },
): WorkloadTokens {
  const trusted = new Map(
    options.issuers.map((issuer, at) => [
      issuer.issuer,
      { issuer, keys: keysOf(issuer, at, { ...options, ...deps }) },
    ]),
  )
  return {
    async verify(text, now) {
      const jws = parseJws(text, { maxBytes: MAX_WORKLOAD_TOKEN_LENGTH })
      const iss = member(jws.payload, 'iss')
      const known = typeof iss === 'string' ? trusted.get(iss) : undefined
      if (known === undefined) throw failedCheck('workload_token_issuer')
      const { issuer, keys } = known
      const typ = acceptedType(jws)
      // Whoever made it wants its key to be shown with it, and nothing here would look at that key.
      if (Object.hasOwn(jws.payload, 'cnf')) throw failedCheck('workload_token_bound')
      requireAudience(jws.payload, issuer)
      const subject = requireClaims(jws.payload, issuer, now)
      requireAlgorithm(jws, issuer)
      await requireSignature(jws, { issuer, typ, keys }, now)
      return { issuer: issuer.issuer, subject, claims: jws.payload }
    },
  }
}

// Each issuer has a cache of its own, so that a kid means a key of this issuer and of no other.
function keysOf(
  { issuer, keys }: WorkloadTokenIssuer,
  at: number,
  { cache, fetch, log }: { cache?: KeySetCacheOptions | undefined; fetch: OutboundFetch; log: Log },
): IssuerKeys {
  try {
    const issuers = { [issuer]: trustOf(keys) }
    return createIssuerKeys(cache === undefined ? { issuers } : { issuers, cache }, { fetch, log })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw invalidAttester(`tokenIssuers[${at}].keys: ${error.message.replace(/\.$/, '')}`)
  }
}

function trustOf(keys: WorkloadKeys): IssuerTrust {
  if ('jwksUri' in keys) return { mechanism: 'jwks_uri', uri: keys.jwksUri }
  return 'jwks' in keys ? { mechanism: 'jwks', jwks: keys.jwks } : { mechanism: 'openid-configuration' }
}

/**
 * Kubernetes sends no type, others `JWT`, SPIRE also `JOSE`. Every other type is another kind of token (an access
 * token, a logout token), and an issuer that makes both must not have one taken for the other.
 */
function acceptedType(jws: ParsedJws): string | undefined {
  const typ = member(jws.header, 'typ')
  if (typ === undefined || typ === 'JWT' || typ === 'JOSE') return typ
  throw failedCheck('workload_token_type')
}

// One audience, ours. Beside another one, whoever runs that other service could come here with the token.
function requireAudience(payload: JsonObject, { audience }: WorkloadTokenIssuer): void {
  const aud = member(payload, 'aud')
  const only = isJsonArray(aud) && aud.length === 1 ? aud[0] : aud
  if (only !== audience) throw failedCheck('workload_token_audience')
}

function requireClaims(payload: JsonObject, issuer: WorkloadTokenIssuer, now: NumericDate): string {
  const [sub, iat, exp] = [member(payload, 'sub'), member(payload, 'iat'), member(payload, 'exp')]
  if (typeof sub !== 'string' || sub === '' || typeof iat !== 'number' || typeof exp !== 'number') {
    throw failedCheck('workload_token_claims')
  }
  checkTimes(payload, now)
  if (exp - iat > (issuer.maxLifetimeSeconds ?? DEFAULT_MAX_LIFETIME_SECONDS)) {
    throw failedCheck('workload_token_life')
  }
  return sub
}

function requireAlgorithm({ header }: ParsedJws, { algorithms }: WorkloadTokenIssuer): void {
  const alg = member(header, 'alg')
  // Before any key is looked for: none and MACs are not in the list and never reach a key.
  if (!isJwsAlgorithm(alg) || !algorithms.includes(alg)) throw failedCheck('workload_token_algorithm')
}

async function requireSignature(
  jws: ParsedJws,
  expected: {
    readonly issuer: WorkloadTokenIssuer
    readonly typ: string | undefined
    readonly keys: IssuerKeys
  },
  now: NumericDate,
): Promise<void> {
  const { issuer, typ, keys } = expected
  try {
    const { key } = await keys.resolve({ header: jws.header, issuer: issuer.issuer, now })
    verifyJws(jws, { typ, algorithms: issuer.algorithms, key })
  } catch (cause) {
    if (cause instanceof VerificationError) throw failedCheck('workload_token_key', cause)
    throw cause
  }
}
