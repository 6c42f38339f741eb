/**
 * The authorization code flow: a person logs in at the authorization server, once, for an agent's credential.
 *
 * Owns the pushed request, the link for the operator, and the answer that comes back. The browser sees two
 * parameters. An answer counts once, for the request it belongs to, from the server that was asked.
 *
 * Source: OpenID4VCI 1.0, section 5; RFC 9126; RFC 9207; FAPI 2.0, section 5.3.3.
 *
 * @module
 */
import type { ReceiveReply } from '@attache/agent'
import { type JsonObject, type NumericDate, randomId, randomText, VerificationError } from '@attache/core'
import {
  createPkce,
  createPushedAuthorizationRequest,
  createPushedAuthorizationUrl,
  parseAuthorizationResponse,
  parsePushedAuthorizationResponse,
} from '@attache/oauth'
import { makeCredentialAuthorizationDetail } from '@attache/openid4vci'
import { abort, abortWith, serverError } from './abort.js'
import { callAuthorizationServer } from './authorization-server-call.js'
import { refreshChallenge, requireAttestationSupport } from './client-authentication.js'
import { type ClientInstance, clientInstanceAt } from './client-instance.js'
import { discoverIssuer, fetchServer } from './discover-issuer.js'
import { requestIssuanceToken } from './issuance-token.js'
import type { WalletAgent } from './options.js'
import type { PendingAuthorization } from './pending-issuance.js'
import { checkPlan, type IssuancePlan, wantedConfigurations } from './plan-issuance.js'
import { type ReceiveDeps, redeem } from './redeem-token.js'

/** How long a person may take to log in, in seconds. */
const LOGIN_SECONDS = 900

/** Pushes the request and returns the link for the operator. */
export async function startAuthorization(
  facts: {
    readonly plan: IssuancePlan
    readonly client: ClientInstance
    readonly issuerState: string | undefined
    readonly now: NumericDate
  },
  deps: ReceiveDeps,
): Promise<ReceiveReply> {
  const { plan, client, now } = facts
  const { redirectUri } = deps.options
  const { authorizationEndpoint, pushedAuthorizationRequestEndpoint: url } = plan.server
  if (redirectUri === undefined) throw abort('no_redirect_uri')
  if (authorizationEndpoint === undefined || url === undefined) throw abort('metadata')

  const pkce = createPkce(deps.random)
  const state = randomText(deps.random)
  const asked = askFor(plan)
  const { clientId } = client
  const { codeChallenge, codeVerifier } = pkce
  const request = {
    clientId,
    redirectUri,
    state,
    codeChallenge,
    issuerState: facts.issuerState,
    ...asked.parameters,
  }
  const requestUri = await push({ ...facts, url, form: createPushedAuthorizationRequest(request) }, deps)

  const pending: PendingAuthorization = {
    stage: 'authorization',
    id: randomId(deps.random, 'txn'),
    agent: plan.agent.id,
    credentialIssuer: plan.issuer.credentialIssuer,
    authorizationServer: plan.server.issuer,
    configurationIds: plan.wanted.map(({ id }) => id),
    createdAt: now,
    deadline: now + LOGIN_SECONDS,
    state,
    codeVerifier,
    redirectUri,
    resource: asked.parameters.resource,
    detailsRequested: asked.details,
  }
  await deps.pendings.commit([await deps.pendings.storing(pending)])
  const authorizationUrl = createPushedAuthorizationUrl(authorizationEndpoint, { clientId, requestUri })
  return { outcome: 'authorization_required', authorizationUrl, issuer: plan.issuer.credentialIssuer }
}

/** By scope where every configuration has one, else by authorization details. */
function askFor(plan: IssuancePlan): {
  readonly details: boolean
  readonly parameters: { scope?: string; resource?: string; authorizationDetails?: readonly JsonObject[] }
} {
  const { credentialIssuer } = plan.issuer
  const separate = plan.metadata.authorizationServers !== undefined
  const scopes = plan.wanted.flatMap(({ configuration }) => configuration.scope ?? [])
  if (scopes.length === plan.wanted.length) {
    const scope = [...new Set(scopes)].join(' ')
    return { details: false, parameters: separate ? { scope, resource: credentialIssuer } : { scope } }
  }
  const authorizationDetails = plan.wanted.map(({ id }) =>
    makeCredentialAuthorizationDetail({
      credentialConfigurationId: id,
      locations: separate ? [credentialIssuer] : undefined,
    }),
  )
  return { details: true, parameters: { authorizationDetails } }
}

async function push(
  facts: {
    readonly plan: IssuancePlan
    readonly client: ClientInstance
    readonly url: string
    readonly form: ReadonlyMap<string, string>
  },
  deps: ReceiveDeps,
): Promise<string> {
  await abortWith('client_auth', async () => {
    requireAttestationSupport(facts.plan.server)
    await refreshChallenge(facts.client, facts.plan.server, deps)
  })
  const { status, body } = await abortWith('token_response', () => callAuthorizationServer(facts, deps))
  if (status !== 201 && status !== 200) throw abort('client_auth')
  return abortWith('token_response', () => parsePushedAuthorizationResponse(body).requestUri)
}

/**
 * Takes the answer that the operator's browser brought back.
 *
 * @param facts.url The redirect URI as it was called, whole.
 */
export async function finishAuthorization(
  facts: { readonly agent: WalletAgent; readonly url: string; readonly now: NumericDate },
  deps: ReceiveDeps,
): Promise<ReceiveReply> {
  const { agent, now } = facts
  const pending = await openRequest(facts, deps)
  const issuer = deps.options.issuers.find(
    ({ credentialIssuer }) => credentialIssuer === pending.credentialIssuer,
  )
  if (issuer === undefined) throw abort('untrusted_issuer')

  const server = await fetchServer(pending.authorizationServer, deps)
  const response = await abortWith('mix_up', () =>
    parseAuthorizationResponse(facts.url, {
      state: pending.state,
      issuer: server.issuer,
      issuerRequired:
        server.authorizationResponseIssParameterSupported === true || deps.options.profile === 'haip',
    }),
  )
  if (response.kind === 'error') {
    const code = serverError(response.error)
    throw new VerificationError(code, 'The authorization server refused the authorization.')
  }
  const metadata = await discoverIssuer(issuer, {
    fetch: deps.fetch,
    algorithms: deps.options.algorithms,
    now,
  })
  const wanted = wantedConfigurations(pending.configurationIds, metadata, issuer)
  const plan: IssuancePlan = { agent, issuer, metadata, server, wanted, profile: deps.options.profile }
  checkPlan(plan, 'authorization_code')

  const client = await clientInstanceAt(
    { agent: agent.id, clientId: agent.clientId, authorizationServer: server.issuer },
    deps,
  )
  const { codeVerifier, redirectUri, resource, detailsRequested } = pending
  const request = {
    grantType: 'authorization_code',
    code: response.code,
    codeVerifier,
    redirectUri,
    resource,
    detailsRequested,
  } as const
  const token = await requestIssuanceToken({ plan, client, request, now }, deps)
  return redeem({ plan, client, token, now }, deps)
}

// Taken before the code is looked at: a second answer with the same state finds nothing.
async function openRequest(
  facts: { readonly agent: WalletAgent; readonly url: string; readonly now: NumericDate },
  deps: ReceiveDeps,
): Promise<PendingAuthorization> {
  const state = URL.canParse(facts.url) ? new URL(facts.url).searchParams.get('state') : null
  const pendings = await deps.pendings.list(facts.agent.id)
  const pending = pendings.find(
    (one) => one.stage === 'authorization' && one.state === state && one.deadline > facts.now,
  )
  if (pending?.stage !== 'authorization' || !facts.url.startsWith(`${pending.redirectUri}?`))
    throw abort('unknown_state')
  if (!(await deps.vault.spend(facts.agent.id, pending.id, pending.deadline))) throw abort('unknown_state')
  await deps.pendings.commit([deps.pendings.removing(pending)])
  return pending
}
