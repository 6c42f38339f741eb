/**
 * The edge of the endpoints that need an access token: credential, deferred credential, notification.
 *
 * Owns the first checks in their order (media type, token, proof) on every call, and the `WWW-Authenticate` of
 * a refusal. The DPoP proof is verified here and spent by the commit of the endpoint, so that a refused request
 * leaves no trace; a proof that was used before is therefore noticed last, by that commit.
 *
 * Source: OpenID4VCI 1.0, sections 8.3.1.1 and 11.3; RFC 9449, sections 7 to 9; RFC 6750, section 3.
 *
 * @module
 */
import {
  type Clock,
  endpoint,
  type Log,
  mediaType,
  type NumericDate,
  ProtocolError,
  type Random,
  type Route,
  type Store,
} from '@attache/core'
import type { JwsAlgorithm } from '@attache/keys'
import {
  createResourceChallenge,
  createWwwAuthenticate,
  type DpopProof,
  PROTECTED_RESOURCE_ERRORS,
  type PresentedToken,
  parsePresentedToken,
  rememberProof,
  replayedProof,
  requireConfirmation,
  type ServerNonces,
  verifyDpopProof,
} from '@attache/oauth'
import { OPENID4VCI_ERRORS } from '@attache/openid4vci'
import type { Guard } from './commit-once.js'
import { pathOf } from './endpoint-urls.js'
import { type GrantRecord, migrateAccessTokenRecord, migrateGrantRecord } from './grant-record.js'
import type { RecordKeys } from './stored-record.js'

// Stands in the log alone: the answer says how to come in and nothing else.
const TOKEN_MISSING = 'token_missing'

/** What a request with a good token brings. */
export interface AuthorizedRequest {
  readonly grant: GrantRecord
  /** How the token was sent. */
  readonly scheme: PresentedToken['scheme']
  /** To be committed with whatever the request does. */
  readonly guards: readonly Guard[]
  readonly now: NumericDate
}

/** What these endpoints need. */
export interface ProtectedEndpointDeps {
  readonly store: Store
  readonly keys: RecordKeys
  readonly algorithms: readonly JwsAlgorithm[]
  /** Of the resource; nonces of the authorization server do not count here. */
  readonly resourceNonces: ServerNonces | undefined
  /** Whether tokens are issued that are bound to no key: base mode without DPoP. */
  readonly bearerTokens: boolean
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Where an endpoint lies, and what it reads. */
export interface ProtectedPlace {
  readonly url: string
  readonly event: string
  /** Media types of its bodies, and the code that refuses others. */
  readonly accepts: { readonly types: readonly string[]; readonly code: string }
}

/** Makes a POST route that needs an access token. */
export function protectedEndpoint(
  place: ProtectedPlace,
  work: (request: Request, authorized: AuthorizedRequest) => Promise<Response>,
  deps: ProtectedEndpointDeps,
): Route {
  const statuses = { ...PROTECTED_RESOURCE_ERRORS, ...OPENID4VCI_ERRORS, [TOKEN_MISSING]: 401 }
  const handle = endpoint(
    async (request) => {
      const now = deps.clock()
      requireMediaType(request, place.accepts)
      const token = presentedToken(request, deps)
      const authorized = await authorize({ request, url: place.url, token, now }, deps)
      const response = await work(request, authorized)
      if (deps.resourceNonces) response.headers.set('DPoP-Nonce', deps.resourceNonces.issue(now))
      return response
    },
    { ...deps, statuses, event: place.event, bodyless: [TOKEN_MISSING] },
  )
  return { method: 'POST', path: pathOf(place.url), handle }
}

function requireMediaType(request: Request, { types, code }: ProtectedPlace['accepts']): void {
  if (types.includes(mediaType(request.headers))) return
  throw new ProtocolError(code, `Send the body with Content-Type ${types.join(' or ')}.`)
}

/**
 * Checks the token and its proof.
 *
 * @throws {ProtocolError} `invalid_token`, `invalid_dpop_proof`, `use_dpop_nonce`, each with its challenge.
 */
async function authorize(
  facts: {
    readonly request: Request
    readonly url: string
    readonly token: PresentedToken
    readonly now: NumericDate
  },
  deps: ProtectedEndpointDeps,
): Promise<AuthorizedRequest> {
  const { request, token, now } = facts
  const { jkt, grant } = await grantBehind(token, now, deps)
  if (jkt === null) {
    if (token.scheme === 'bearer') return { grant, scheme: token.scheme, guards: [], now }
    throw challenged(new ProtocolError('invalid_token', 'The access token is not bound to a key.'), deps)
  }
  try {
    requireDpopScheme(token)
    const proof = proofOf(request, facts, deps)
    requireConfirmation({ scheme: token.scheme, confirmation: { jkt } }, { jkt: proof.jkt })
    return { grant, scheme: token.scheme, guards: [proofGuard(proof, deps)], now }
  } catch (error) {
    throw error instanceof ProtocolError ? challenged(error, deps) : error
  }
}

// Before the proof is looked at: a thief who sends a bound token as Bearer learns nothing about proofs.
function requireDpopScheme(token: PresentedToken): void {
  if (token.scheme === 'dpop') return
  throw new ProtocolError(
    'invalid_token',
    'This access token is bound to a key. Send it with the DPoP scheme.',
  )
}

function proofOf(
  request: Request,
  facts: { readonly url: string; readonly token: PresentedToken; readonly now: NumericDate },
  deps: ProtectedEndpointDeps,
): DpopProof {
  const expected = {
    method: 'POST',
    url: facts.url,
    algorithms: deps.algorithms,
    accessToken: facts.token.accessToken,
    nonces: deps.resourceNonces,
  }
  return verifyDpopProof(request.headers.get('DPoP'), expected, facts.now)
}

function proofGuard(proof: DpopProof, deps: ProtectedEndpointDeps): Guard {
  return { step: rememberProof(proof, deps.keys.place), refusal: () => challenged(replayedProof(), deps) }
}

/** The grant of a token that is known and unexpired, and whose grant was not revoked. */
async function grantBehind(
  token: PresentedToken,
  now: NumericDate,
  deps: ProtectedEndpointDeps,
): Promise<{ readonly jkt: string | null; readonly grant: GrantRecord }> {
  const stored = await deps.store.get(deps.keys.hashed('access-token', token.accessToken))
  const record = stored && migrateAccessTokenRecord(stored.value)
  const grant = record && (await deps.store.get(deps.keys.of('grant', record.grantId)))
  if (!record || !grant || record.expiresAt <= now) {
    const error = new ProtocolError(
      'invalid_token',
      'The access token is not good (any more). Get a new one.',
    )
    throw challenged(error, deps, { sent: token.scheme })
  }
  return { jkt: record.jkt, grant: migrateGrantRecord(grant.value) }
}

function presentedToken(request: Request, deps: ProtectedEndpointDeps): PresentedToken {
  const token = attempt(request, deps)
  if (token !== undefined) return token
  // RFC 6750, section 3.1: the answer has no error code where no token was sent at all.
  const ways = [
    createResourceChallenge({ algorithms: deps.algorithms }),
    ...(deps.bearerTokens ? ['Bearer'] : []),
  ]
  throw new ProtocolError(TOKEN_MISSING, 'Send the access token in the Authorization header field.', {
    headers: { 'WWW-Authenticate': ways.join(', ') },
  })
}

function attempt(request: Request, deps: ProtectedEndpointDeps): PresentedToken | undefined {
  try {
    return parsePresentedToken(request.headers.get('Authorization'), request.url)
  } catch (error) {
    throw error instanceof ProtocolError ? challenged(error, deps) : error
  }
}

/**
 * The same refusal with the challenge that goes with it.
 *
 * @param more.sent How the token came: where tokens without a key are issued, such a one is answered in kind.
 */
export function challenged(
  error: ProtocolError,
  deps: Pick<ProtectedEndpointDeps, 'algorithms' | 'bearerTokens'>,
  more: { readonly scope?: string | undefined; readonly sent?: PresentedToken['scheme'] } = {},
): ProtocolError {
  const { scope } = more
  const challenge =
    more.sent === 'bearer' && deps.bearerTokens
      ? bearerChallenge(error.code, scope)
      : createResourceChallenge({ algorithms: deps.algorithms, error: error.code, scope })
  return new ProtocolError(error.code, error.message, {
    cause: error.cause,
    headers: { ...error.headers, 'WWW-Authenticate': challenge },
    members: error.members,
  })
}

function bearerChallenge(error: string, scope: string | undefined): string {
  const parameters = new Map([['error', error], ...(scope === undefined ? [] : [['scope', scope] as const])])
  return createWwwAuthenticate([{ scheme: 'Bearer', parameters }])
}
