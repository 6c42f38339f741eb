/**
 * The wallet's half of the challenge route: from nothing to an access token.
 *
 * @module
 */
import { systemClock, systemRandom } from '@attache/core'
import {
  createAuthorizationChallengeRequest,
  createClientAttestationPop,
  createDpopProof,
  createPkce,
  createTokenRequest,
  encodeForm,
} from '@attache/oauth'
import {
  encodeIaResponse,
  IA_OPENID4VP_PRESENTATION,
  iaAudience,
  parseIaRequest,
  STATIC_AUDIENCE,
  verifyRequestObject,
} from '@attache/openid4vp'
import { presentSdJwtVc } from '@attache/sd-jwt'
import { FORM, jsonOf } from './http-client.mjs'

const SCOPE = 'payroll:export'

async function post(path, form, { wallet, server, client, now = systemClock() }) {
  const url = `${server.origin}${path}`
  const facts = { now, random: systemRandom }
  const headers = {
    ...FORM,
    DPoP: await createDpopProof({ method: 'POST', url }, wallet.dpop, facts),
    'OAuth-Client-Attestation': wallet.attestation,
    'OAuth-Client-Attestation-PoP': await createClientAttestationPop(
      { audience: server.origin },
      wallet.instance,
      facts,
    ),
  }
  return client.send(url, { method: 'POST', headers, body: encodeForm(form) })
}

/** The first half: what to present. */
export async function beginChallenge(facts) {
  const pkce = createPkce(systemRandom)
  const form = createAuthorizationChallengeRequest({
    kind: 'initial',
    request: { clientId: facts.wallet.clientId, scope: SCOPE, codeChallenge: pkce.codeChallenge },
    interactionTypesSupported: [IA_OPENID4VP_PRESENTATION],
  })
  const answer = await post('/attache/challenge', form, facts)
  if (!answer.text.includes('auth_session')) throw new Error(`No challenge: ${answer.status} ${answer.text}`)
  return { body: JSON.parse(answer.text), codeVerifier: pkce.codeVerifier }
}

/** The whole route. @returns {Promise<string>} The access token. */
export async function obtainToken(facts) {
  const { wallet, server, trust } = facts
  const { body, codeVerifier } = await beginChallenge(facts)
  const now = systemClock()
  const { requestObject } = parseIaRequest(body.openid4vp_request)
  const expected = { audiences: [STATIC_AUDIENCE], algorithms: ['ES256'], trust, now }
  const { request } = await verifyRequestObject(requestObject, expected)
  const keyBinding = {
    signer: wallet.holder,
    audience: iaAudience(`${server.origin}/attache/challenge`),
    nonce: request.nonce,
    issuedAt: now,
  }
  const disclose = [['role'], ['region']]
  const presented = await presentSdJwtVc(wallet.credential, { disclose, keyBinding })
  const vpToken = new Map([['role_cred', [presented]]])
  const form = createAuthorizationChallengeRequest({
    kind: 'follow_up',
    authSession: body.auth_session,
    clientId: wallet.clientId,
    interaction: new Map([['openid4vp_response', await encodeIaResponse(request, { vpToken })]]),
  })
  const { authorization_code: code } = jsonOf(await post('/attache/challenge', form, facts))
  const redeeming = createTokenRequest({ grantType: 'authorization_code', code, codeVerifier })
  return jsonOf(await post('/attache/token', redeeming, facts)).access_token
}
