import * as oauth from 'oauth4webapi'
import { afterAll, describe, expect, test } from 'vitest'
import { approveInBrowser } from './approve-in-browser.js'
import { attestedBy } from './attested-client.js'
import { AGENT, serveIssuer } from './our-issuer.js'
import { createPeerFetch } from './peer-fetch.js'
import { closeAll, closeAtEnd } from './world.js'

const PRE_AUTHORIZED_CODE = 'urn:ietf:params:oauth:grant-type:pre-authorized_code'
const REDIRECT_URI = 'https://wallet.example/callback'
const client: oauth.Client = { client_id: 'https://wallet.example/agents' }
afterAll(closeAll)

async function meet(options: Parameters<typeof serveIssuer>[0] = {}) {
  const ours = closeAtEnd(await serveIssuer(options))
  const { fetch, calls } = createPeerFetch()
  const http = { [oauth.customFetch]: fetch }
  const issuer = new URL(ours.credentialIssuer)
  const found = await oauth.discoveryRequest(issuer, { ...http, algorithm: 'oauth2' })
  const server = await oauth.processDiscoveryResponse(issuer, found)
  const proof = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  const authentication = await attestedBy(ours.provider.signer, client.client_id)
  return { ours, fetch, calls, http, server, proof, authentication }
}

type Meeting = Awaited<ReturnType<typeof meet>>

async function offered({ ours }: Meeting): Promise<Record<string, string>> {
  const { offer, txCode = '' } = await ours.offer()
  const code = offer?.grants?.preAuthorizedCode?.preAuthorizedCode ?? ''
  return { 'pre-authorized_code': code, tx_code: txCode }
}

function askToken({ server, authentication, http, proof }: Meeting, parameters: Record<string, string>) {
  const options = { ...http, DPoP: proof }
  return oauth.genericTokenEndpointRequest(
    server,
    client,
    authentication,
    PRE_AUTHORIZED_CODE,
    parameters,
    options,
  )
}

async function redeem(meeting: Meeting, parameters: Record<string, string>) {
  const response = await askToken(meeting, parameters)
  return oauth.processGenericTokenEndpointResponse(meeting.server, client, response)
}

function callIssuer(meeting: Meeting, accessToken: string) {
  const url = new URL(`${meeting.ours.credentialIssuer}/credential`)
  const headers = new Headers({ 'Content-Type': 'application/json' })
  const options = { ...meeting.http, DPoP: meeting.proof }
  return oauth.protectedResourceRequest(accessToken, 'POST', url, headers, '{}', options)
}

describe('oauth4webapi at the authorization server of our issuer', () => {
  test('its metadata pass the discovery checks', async () => {
    const { server, ours } = await meet()

    expect(server.issuer).toBe(ours.credentialIssuer)
    expect(server.dpop_signing_alg_values_supported).toEqual(['ES256'])
    expect(server.token_endpoint_auth_methods_supported).toEqual(['attest_jwt_client_auth'])
  })

  test('a pre-authorized code becomes a token bound to the DPoP key', async () => {
    const meeting = await meet()

    const token = await redeem(meeting, await offered(meeting))

    expect(token).toMatchObject({ token_type: 'dpop', expires_in: 600 })
    expect(token.access_token).not.toBe('')
  })

  test('a demand for a DPoP nonce is one that the library knows, at both servers', async () => {
    const meeting = await meet({ dpopNonces: true })
    const parameters = await offered(meeting)
    const demand = await redeem(meeting, parameters).catch((error: unknown) => error)

    expect(oauth.isDPoPNonceError(demand)).toBe(true)
    const { access_token: accessToken } = await redeem(meeting, parameters)

    const second = await callIssuer(meeting, accessToken).catch((error: unknown) => error)
    expect(oauth.isDPoPNonceError(second)).toBe(true)
    // The body asks for nothing: 400, which no longer speaks of token or proof.
    expect((await callIssuer(meeting, accessToken)).status).toBe(400)
  })

  test('a refused grant is an error body of RFC 6749', async () => {
    const meeting = await meet()
    const parameters = { ...(await offered(meeting)), 'pre-authorized_code': 'unknown' }

    await expect(redeem(meeting, parameters)).rejects.toMatchObject({
      code: oauth.RESPONSE_BODY_ERROR,
      status: 400,
      error: 'invalid_grant',
    })
  })

  test('a client that nobody vouches for is an invalid_client', async () => {
    const meeting = await meet()
    const stranger = await attestedBy((await meet()).ours.provider.signer, client.client_id)

    await expect(
      redeem({ ...meeting, authentication: stranger }, await offered(meeting)),
    ).rejects.toMatchObject({
      code: oauth.RESPONSE_BODY_ERROR,
      error: 'invalid_client',
    })
  })

  test('a token that is none is challenged by scheme DPoP', async () => {
    const meeting = await meet()

    await expect(callIssuer(meeting, 'unknown')).rejects.toMatchObject({
      code: oauth.WWW_AUTHENTICATE_CHALLENGE,
      status: 401,
      cause: [{ scheme: 'dpop', parameters: { error: 'invalid_token' } }],
    })
  })
})

describe('oauth4webapi by the authorization code flow', () => {
  const codeFlow = { grants: ['authorization_code'], refreshTokenSeconds: 86_400 } as const

  async function push(meeting: Meeting, codeVerifier: string, state: string) {
    const parameters = {
      response_type: 'code',
      redirect_uri: REDIRECT_URI,
      scope: meeting.server.scopes_supported?.[0] ?? '',
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
    }
    const { server, authentication, http, proof } = meeting
    const options = { ...http, DPoP: proof }
    const response = await oauth.pushedAuthorizationRequest(
      server,
      client,
      authentication,
      parameters,
      options,
    )
    const pushed = await oauth.processPushedAuthorizationResponse(server, client, response)
    const url = new URL(server.authorization_endpoint ?? '')
    url.searchParams.set('client_id', client.client_id)
    url.searchParams.set('request_uri', pushed.request_uri)
    return url.href
  }

  test('PAR, approval, iss, code, PKCE, refresh', async () => {
    const meeting = await meet(codeFlow)
    const { server, authentication, http, proof, fetch } = meeting
    const [codeVerifier, state] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState()]
    const url = await push(meeting, codeVerifier, state)
    const back = await approveInBrowser(url, { agent: AGENT, decision: 'approve' }, fetch)

    const parameters = oauth.validateAuthResponse(server, client, new URL(back), state)
    const options = { ...http, DPoP: proof }
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      parameters,
      REDIRECT_URI,
      codeVerifier,
      options,
    )
    const token = await oauth.processAuthorizationCodeResponse(server, client, response)
    const refresh = token.refresh_token ?? ''
    const again = await oauth.refreshTokenGrantRequest(server, client, authentication, refresh, options)
    const renewed = await oauth.processRefreshTokenResponse(server, client, again)

    expect(token.token_type).toBe('dpop')
    expect(renewed.access_token).not.toBe(token.access_token)
  })

  test('a denial comes back as access_denied, with iss and state', async () => {
    const meeting = await meet(codeFlow)
    const state = oauth.generateRandomState()
    const url = await push(meeting, oauth.generateRandomCodeVerifier(), state)
    const back = await approveInBrowser(url, { agent: AGENT, decision: 'deny' }, meeting.fetch)

    expect(() => oauth.validateAuthResponse(meeting.server, client, new URL(back), state)).toThrow(
      expect.objectContaining({ code: oauth.AUTHORIZATION_RESPONSE_ERROR, error: 'access_denied' }),
    )
  })
})
