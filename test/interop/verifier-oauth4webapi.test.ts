import { isJsonObject, member, systemClock } from '@attache/core'
import { createAnchors } from '@attache/keys'
import {
  encodeIaResponse,
  IA_OPENID4VP_PRESENTATION,
  iaAudience,
  parseIaRequest,
  STATIC_AUDIENCE,
  verifyRequestObject,
} from '@attache/openid4vp'
import * as oauth from 'oauth4webapi'
import { afterAll, describe, expect, test } from 'vitest'
import { attestedBy } from './attested-client.js'
import { bindRole, meet, receiveOne } from './openid4vc-wallet.js'
import { roleQuery, serveVerifier } from './our-verifier.js'
import { createPeerFetch } from './peer-fetch.js'
import { closeAll, closeAtEnd } from './world.js'

afterAll(closeAll)

const SCOPE = 'payroll:export'
const PATH = '/payroll/export'
const client: oauth.Client = { client_id: 'https://wallet.example/agents' }

const issuance = await meet()
const held = await receiveOne(issuance)
const { ours: issuer, keys } = issuance
const trust = { vct: issuer.vct, issuer: issuer.credentialIssuer, anchors: issuer.signing.anchors }

/** An API with our verifier in front, and a plain client that knows OAuth and no more. */
async function meetApi(options: Parameters<typeof serveVerifier>[1] = {}) {
  const api = closeAtEnd(await serveVerifier(trust, { provider: issuer.provider.anchors, ...options }))
  api.guard(PATH, {
    scope: SCOPE,
    query: roleQuery(issuer.vct),
    decide: (claims) => claims['role'] === 'Manager',
  })
  const { fetch } = createPeerFetch()
  const http = { [oauth.customFetch]: fetch }
  const resource = new URL(api.origin)
  const described = await oauth.resourceDiscoveryRequest(resource, http)
  const { authorization_servers: servers = [] } = await oauth.processResourceDiscoveryResponse(
    resource,
    described,
  )
  const issuerUrl = new URL(servers[0] ?? '')
  const found = await oauth.discoveryRequest(issuerUrl, { ...http, algorithm: 'oauth2' })
  const server = await oauth.processDiscoveryResponse(issuerUrl, found)
  const proof = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  const authentication = await attestedBy(issuer.provider.signer, client.client_id)
  return { api, server, http, proof, authentication, fetch }
}

type Meeting = Awaited<ReturnType<typeof meetApi>>

/** A POST with client authentication and DPoP, which the library makes for any form endpoint but names for none. */
async function challenge(meeting: Meeting, parameters: Record<string, string>) {
  const { server, http, proof, authentication } = meeting
  const endpoint = String(server['authorization_challenge_endpoint'])
  // The library posts pushed requests just as a challenge is posted; only the address differs.
  const there = { ...server, pushed_authorization_request_endpoint: endpoint }
  const options = { ...http, DPoP: proof }
  const response = await oauth.pushedAuthorizationRequest(there, client, authentication, parameters, options)
  const body: unknown = await response.json()
  if (!isJsonObject(body)) throw new Error('The challenge endpoint answers with an object.')
  return { response, body, endpoint }
}

/** From nothing to a code. */
async function obtainCode(meeting: Meeting, codeVerifier: string): Promise<string> {
  const begun = await challenge(meeting, {
    response_type: 'code',
    scope: SCOPE,
    code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
    interaction_types_supported: IA_OPENID4VP_PRESENTATION,
  })
  const asked = parseIaRequest(member(begun.body, 'openid4vp_request'))
  if (asked.kind !== 'signed') throw new Error('The request is not signed.')
  const { request } = await verifyRequestObject(asked.requestObject, {
    audiences: [STATIC_AUDIENCE],
    algorithms: ['ES256'],
    trust: { anchors: createAnchors('verifiers', [meeting.api.signing.authority.pem]) },
    now: systemClock(),
  })
  const bound = await bindRole(keys, { ...held, audience: iaAudience(begun.endpoint), nonce: request.nonce })
  const answered = await challenge(meeting, {
    auth_session: String(member(begun.body, 'auth_session')),
    openid4vp_response: await encodeIaResponse(request, { vpToken: new Map([['role_cred', [bound]]]) }),
  })
  return String(member(answered.body, 'authorization_code'))
}

async function redeem(meeting: Meeting, code: string, codeVerifier: string) {
  const { server, http, proof, authentication } = meeting
  const parameters = { code, code_verifier: codeVerifier }
  const grant = 'authorization_code'
  const options = { ...http, DPoP: proof }
  const response = await oauth.genericTokenEndpointRequest(
    server,
    client,
    authentication,
    grant,
    parameters,
    options,
  )
  return oauth.processGenericTokenEndpointResponse(server, client, response)
}

async function obtainToken(meeting: Meeting): Promise<string> {
  const codeVerifier = oauth.generateRandomCodeVerifier()
  return (await redeem(meeting, await obtainCode(meeting, codeVerifier), codeVerifier)).access_token
}

function callApi({ api, http, proof }: Meeting, accessToken: string, by = proof) {
  const url = new URL(`${api.origin}${PATH}`)
  return oauth.protectedResourceRequest(accessToken, 'POST', url, undefined, null, { ...http, DPoP: by })
}

describe('oauth4webapi at the authorization server of our verifier', () => {
  test('an API without token names scheme, scope and metadata', async () => {
    const meeting = await meetApi()

    await expect(callApi(meeting, 'unknown')).rejects.toMatchObject({
      code: oauth.WWW_AUTHENTICATE_CHALLENGE,
      status: 401,
      cause: [
        {
          scheme: 'dpop',
          parameters: {
            error: 'invalid_token',
            scope: SCOPE,
            resource_metadata: `${meeting.api.origin}/.well-known/oauth-protected-resource`,
          },
        },
      ],
    })
  })

  test('a presentation becomes a token bound to the DPoP key, and the API is called with it', async () => {
    const meeting = await meetApi()
    const codeVerifier = oauth.generateRandomCodeVerifier()

    const token = await redeem(meeting, await obtainCode(meeting, codeVerifier), codeVerifier)
    const answer = await callApi(meeting, token.access_token)

    expect(token).toMatchObject({ token_type: 'dpop', scope: SCOPE, expires_in: 300 })
    expect(await answer.json()).toEqual({ role: 'Manager' })
  })

  test('the token is an at+jwt that another service verifies with its own library', async () => {
    const meeting = await meetApi()
    const { api, server, http, proof } = meeting
    const accessToken = await obtainToken(meeting)
    const requests: Request[] = []
    const url = new URL(`${api.origin}/other`)
    await oauth.protectedResourceRequest(accessToken, 'GET', url, undefined, null, {
      DPoP: proof,
      [oauth.customFetch]: async (input, init) => {
        requests.push(new Request(input, { method: init.method, headers: init.headers }))
        return new Response(null, { status: 204 })
      },
    })
    const [request] = requests
    if (request === undefined) throw new Error('No request was made.')
    const options = { ...http, requireDPoP: true, signingAlgorithms: ['ES256'] }

    const claims = await oauth.validateJwtAccessToken(server, request, api.origin, options)

    expect(claims).toMatchObject({ iss: server.issuer, client_id: client.client_id, scope: SCOPE })
    await expect(
      oauth.validateJwtAccessToken(server, request, 'https://other.example', options),
    ).rejects.toMatchObject({ code: oauth.JWT_CLAIM_COMPARISON })
  })

  test('DPoP nonces are demanded as the library expects, by authorization server and API', async () => {
    const meeting = await meetApi({ requireDpopNonce: true })
    await challenge(meeting, { response_type: 'code' })
    const accessToken = await obtainToken(meeting)

    const demand = await callApi(meeting, accessToken).catch((error: unknown) => error)

    expect(oauth.isDPoPNonceError(demand)).toBe(true)
    expect((await callApi(meeting, accessToken)).status).toBe(200)
  })

  test('a wrong verifier is an invalid_grant; the token with another key is an invalid_token', async () => {
    const meeting = await meetApi()
    const code = await obtainCode(meeting, oauth.generateRandomCodeVerifier())

    await expect(redeem(meeting, code, oauth.generateRandomCodeVerifier())).rejects.toMatchObject({
      code: oauth.RESPONSE_BODY_ERROR,
      error: 'invalid_grant',
    })
    const other = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
    await expect(callApi(meeting, await obtainToken(meeting), other)).rejects.toMatchObject({
      code: oauth.WWW_AUTHENTICATE_CHALLENGE,
      cause: [{ scheme: 'dpop' }],
    })
  })
})
