/**
 * The wallet's half of the challenge route: from a refused request to an access token.
 *
 * Source: first-party apps -03, section 5; OpenID4VCI 1.1 draft -01, section 6; RFC 9728, section 5.
 *
 * @module
 */
import type { OutboundFetch } from '@attache/core'
import {
  authorizationServerMetadataUrl,
  CLIENT_ATTESTATION_HEADER,
  CLIENT_ATTESTATION_POP_HEADER,
  createAuthorizationChallengeRequest,
  createClientAttestationPop,
  createDpopFetch,
  createDpopNonceMemory,
  createPkce,
  createTokenRequest,
  encodeForm,
  FORM_MEDIA_TYPE,
  type FormParameters,
  type InsufficientAuthorization,
  parseAuthorizationChallengeResponse,
  parseAuthorizationServerMetadata,
  parseProtectedResourceMetadata,
  parseTokenResponse,
} from '@attache/oauth'
import {
  checkIaRequest,
  encodeIaResponse,
  IA_OPENID4VP_PRESENTATION,
  iaAudience,
  parseIaRequest,
} from '@attache/openid4vp'
import { readRequestObject } from './answer-transaction.js'
import type { WalletParts } from './wallet-parts.js'

/** What a refused request said it takes. */
export interface Demand {
  /** URL of the protected resource metadata. */
  readonly resourceMetadata: string
  readonly scope: string
}

/**
 * Presents for a scope.
 *
 * @returns Nothing when the server does not grant it, whatever the reason: the API's own answer stands.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6.
 */
export async function obtainToken(
  demand: Demand,
  fetch: OutboundFetch,
  wallet: WalletParts,
): Promise<string | undefined> {
  const server = await findServer(demand, fetch)
  if (server === undefined) return undefined
  const post = createClient({ server: server.issuer, fetch, wallet })
  const { codeVerifier, codeChallenge } = createPkce(wallet.random)
  const first = createAuthorizationChallengeRequest({
    kind: 'initial',
    request: { clientId: wallet.clientId, scope: demand.scope, codeChallenge },
    interactionTypesSupported: [IA_OPENID4VP_PRESENTATION],
  })
  const asked = await readChallenge(await post(server.challenge, first))
  if (asked.kind !== 'insufficient_authorization') return undefined
  const second = await answerChallenge(asked, server.challenge, wallet)
  if (second === undefined) return undefined
  const answered = await readChallenge(await post(server.challenge, second))
  if (answered.kind !== 'code') return undefined
  const code = answered.authorizationCode
  const wanted = createTokenRequest({ grantType: 'authorization_code', code, codeVerifier })
  const granted = await post(server.token, wanted)
  if (!granted.ok) return undefined
  return parseTokenResponse(await granted.json(), { dpopBound: true }).accessToken
}

async function findServer({ resourceMetadata }: Demand, fetch: OutboundFetch) {
  const resource = await fetch(resourceMetadata)
  const { origin } = new URL(resourceMetadata)
  const { authorizationServers: [issuer] = [] } = parseProtectedResourceMetadata(await resource.json(), {
    resource: origin,
  })
  if (issuer === undefined) return undefined
  const answer = await fetch(authorizationServerMetadataUrl(issuer))
  const metadata = parseAuthorizationServerMetadata(await answer.json(), { issuer })
  const { authorizationChallengeEndpoint: challenge, tokenEndpoint: token } = metadata
  return challenge === undefined || token === undefined ? undefined : { issuer, challenge, token }
}

async function readChallenge(answer: Response) {
  const expected = { interactionTypesSupported: [IA_OPENID4VP_PRESENTATION] }
  return parseAuthorizationChallengeResponse(await answer.json(), expected)
}

async function answerChallenge(
  { interaction, authSession }: InsufficientAuthorization,
  endpoint: string,
  wallet: WalletParts,
): Promise<FormParameters | undefined> {
  const asked = parseIaRequest(interaction['openid4vp_request'])
  const signed = asked.kind === 'signed'
  const request = asked.kind === 'signed' ? readRequestObject(asked.requestObject) : asked.request
  checkIaRequest(request, { endpoint, signed })
  const vpToken = await wallet.present(request, iaAudience(endpoint))
  if (vpToken === undefined) return undefined
  const response = await encodeIaResponse(request, { vpToken })
  return createAuthorizationChallengeRequest({
    kind: 'follow_up',
    authSession,
    clientId: wallet.clientId,
    interaction: new Map([['openid4vp_response', response]]),
  })
}

// Posts forms as an attested client, each with fresh proofs.
function createClient(parts: {
  readonly server: string
  readonly fetch: OutboundFetch
  readonly wallet: WalletParts
}): (url: string, form: FormParameters) => Promise<Response> {
  const { wallet, server: audience } = parts
  const attested: OutboundFetch = async (url, init = {}) => {
    const facts = { now: wallet.clock(), random: wallet.random }
    const headers = {
      ...init.headers,
      [CLIENT_ATTESTATION_HEADER]: await wallet.attestation(),
      [CLIENT_ATTESTATION_POP_HEADER]: await createClientAttestationPop({ audience }, wallet.instance, facts),
    }
    return parts.fetch(url, { ...init, headers })
  }
  const nonces = createDpopNonceMemory()
  const send = createDpopFetch({ ...wallet, fetch: attested, signer: wallet.dpop, nonces })
  return (url, form) =>
    send(url, { method: 'POST', headers: { 'Content-Type': FORM_MEDIA_TYPE }, body: encodeForm(form) })
}
