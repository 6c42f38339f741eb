/**
 * Pushed authorization requests: the endpoint's shell and its use case.
 *
 * Owns what a request must bring here: PKCE, a redirect URI, and something to ask for. `issuer_state` names
 * the offer it came from; it neither authenticates anybody nor widens what is granted.
 *
 * Source: RFC 9126, section 2; OpenID4VCI 1.0, sections 5.1 and 5.1.3; HAIP 1.0, section 4.3; FAPI 2.0
 * Security Profile, section 5.3.2.2.
 *
 * @module
 */
import {
  type NumericDate,
  ProtocolError,
  parseHttpsUrl,
  type Random,
  randomText,
  type Store,
} from '@attache/core'
import { type AuthorizationRequest, dpopKeyOfRequest, REQUEST_URI_PREFIX } from '@attache/oauth'
import { askedConfigurations } from './asked-configurations.js'
import type { AuthenticatedClient } from './authenticate-client.js'
import { commitOnce } from './commit-once.js'
import type { CredentialTemplate } from './credential-template.js'
import { migrateOfferRecord } from './offer-record.js'
import type { PushedRequestRecord } from './pushed-request-record.js'
import type { RecordKeys } from './stored-record.js'

/** What taking a request needs. */
export interface PushAuthorizationRequestDeps {
  readonly credentialIssuer: string
  readonly templates: ReadonlyMap<string, CredentialTemplate>
  readonly requestUriSeconds: number
  /** Undefined: every https redirect URI of an authenticated client. */
  readonly redirectUris: readonly string[] | undefined
  readonly store: Pick<Store, 'get' | 'commit'>
  readonly keys: RecordKeys
  readonly random: Random
}

const MAX_STATE_LENGTH = 2000
// Time to sign in and decide, after the browser has arrived.
const INTERACTION_SECONDS = 600
const SIGN_IN_ATTEMPTS = 5

/**
 * Takes a pushed request.
 *
 * @returns The `request_uri`, good for `expiresInSeconds`.
 * @throws {ProtocolError} `invalid_request`, `invalid_client`, `invalid_scope`,
 *   `invalid_authorization_details`, `invalid_target`, `invalid_dpop_proof`.
 */
export async function pushAuthorizationRequest(
  facts: {
    readonly request: AuthorizationRequest
    readonly client: AuthenticatedClient
    readonly now: NumericDate
  },
  deps: PushAuthorizationRequestDeps,
): Promise<{ readonly requestUri: string; readonly expiresInSeconds: number }> {
  const { request, client, now } = facts
  const clientId = client.clientId
  if (clientId === undefined) throw new ProtocolError('invalid_client', 'Send a client_id.')
  if (request.codeChallenge === undefined) {
    throw new ProtocolError('invalid_request', 'Send a code_challenge with code_challenge_method S256.')
  }
  if ((request.state?.length ?? 0) > MAX_STATE_LENGTH)
    throw new ProtocolError('invalid_request', 'state is too long.')
  const asked = askedConfigurations(request, deps)
  const arriveBy = now + deps.requestUriSeconds
  const expiresAt = arriveBy + INTERACTION_SECONDS
  const record: PushedRequestRecord = {
    v: 1,
    clientId,
    instanceJkt: client.instanceJkt ?? null,
    jkt: dpopKeyOfRequest(request, client.jkt) ?? null,
    redirectUri: checkedRedirectUri(request.redirectUri, deps.redirectUris),
    codeChallenge: request.codeChallenge,
    ...asked,
    state: request.state ?? null,
    offeredAgent: await offeredAgent(request.issuerState, asked.configurationIds, { now, deps }),
    arriveBy,
    signInAttemptsLeft: SIGN_IN_ATTEMPTS,
    expiresAt,
  }
  const secret = randomText(deps.random)
  const step = {
    op: 'put',
    key: deps.keys.hashed('pushed-request', secret),
    value: record,
    expiresAt,
  } as const
  if (!(await commitOnce(deps.store, client.guards, [step]))) throw new Error('A put cannot be refused.')
  return { requestUri: `${REQUEST_URI_PREFIX}${secret}`, expiresInSeconds: deps.requestUriSeconds }
}

// RFC 3986, section 2, without the fragment: parsers read further characters as they like, browsers among them.
const URI = /^[A-Za-z0-9\-._~:/?[\]@!$&'()*+,;=%]+$/

/** https, or http on the loopback of a native app. */
function checkedRedirectUri(redirectUri: string | undefined, allowed: readonly string[] | undefined): string {
  const url = redirectUri !== undefined && URL.canParse(redirectUri) ? new URL(redirectUri) : undefined
  const loopback = url?.protocol === 'http:' && ['127.0.0.1', '[::1]'].includes(url.hostname)
  const fits = parseHttpsUrl(redirectUri) !== undefined || (loopback && url.username === '')
  const listed = redirectUri !== undefined && (allowed === undefined || allowed.includes(redirectUri))
  if (listed && fits && URI.test(redirectUri)) return redirectUri
  throw new ProtocolError('invalid_request', 'Send a redirect_uri: https, or http on a loopback address.')
}

async function offeredAgent(
  issuerState: string | undefined,
  configurationIds: readonly string[],
  { now, deps }: { readonly now: NumericDate; readonly deps: PushAuthorizationRequestDeps },
): Promise<string | null> {
  if (issuerState === undefined) return null
  const stored = await deps.store.get(deps.keys.hashed('offer', issuerState))
  const offer = stored && migrateOfferRecord(stored.value)
  const fits =
    offer?.grant === 'authorization_code' &&
    offer.expiresAt > now &&
    configurationIds.every((id) => offer.configurationIds.includes(id))
  if (fits) return offer.agent
  throw new ProtocolError(
    'invalid_request',
    'The issuer_state belongs to no open offer of these credentials.',
  )
}
