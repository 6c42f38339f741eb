import type { JsonObject } from '@attache/core'
import { digest, jwkThumbprint, parsePublicJwk } from '@attache/keys'
import { PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { describe, expect, test } from 'vitest'
import type { RecordedCall } from '../support/network.js'
import {
  AGENT,
  answer,
  CLIENT,
  CODE_OFFER,
  createScriptedWorld,
  decoded,
  ISSUER,
  OFFER,
  offerLink,
  REDIRECT_URI,
  type ScriptedWorld,
  START,
  TX_CODE,
  within,
} from '../support/scripted-issuer.js'

const refused = (code: string) => ({ outcome: 'refused', code })
const form = (call: RecordedCall | undefined) => new URLSearchParams(call?.body ?? '')
const dpop = (call: RecordedCall | undefined) => decoded(call?.headers.get('dpop') ?? '')
const pop = (call: RecordedCall | undefined) =>
  decoded(call?.headers.get('oauth-client-attestation-pop') ?? '')
const attestation = (call: RecordedCall | undefined) =>
  decoded(call?.headers.get('oauth-client-attestation') ?? '')
const offer = (code: string) =>
  offerLink({
    ...OFFER,
    grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': code, tx_code: {} } },
  })

/** Starts the code flow and returns the state that was pushed. */
async function login(world: ScriptedWorld, agent = AGENT): Promise<{ state: string; url: string }> {
  const reply = await world.wallet.receive(agent, offerLink(CODE_OFFER))
  const pushed = form(world.calls('/par').at(-1))
  return {
    state: pushed.get('state') ?? '',
    url: reply.outcome === 'authorization_required' ? reply.authorizationUrl : '',
  }
}
const back = (parameters: Record<string, string>) => `${REDIRECT_URI}?${new URLSearchParams(parameters)}`

describe('the authorization code flow', () => {
  test('runs from an offer to a credential [VCI-W-AZ-01]', async () => {
    const world = await createScriptedWorld()
    const { state } = await login(world)
    const reply = await world.wallet.finishAuthorization(
      AGENT,
      back({ code: 'c1', state, iss: ISSUER, foo: '1' }),
    )
    expect(reply).toMatchObject({ outcome: 'stored' })
    const aborted = await login(world)
    expect(
      await world.wallet.finishAuthorization(
        AGENT,
        back({ error: 'access_denied', state: aborted.state, iss: ISSUER }),
      ),
    ).toMatchObject(refused('access_denied'))
  })

  test('pushes every parameter; the browser sees two, and a restart pushes again [VCI-W-AZ-02] [VCI-W-AZ-03]', async () => {
    const world = await createScriptedWorld()
    const first = await login(world)
    const second = await login(world)
    const query = new URL(first.url).searchParams
    expect([...query.keys()].sort()).toEqual(['client_id', 'request_uri'])
    expect(query.get('client_id')).toBe(CLIENT)
    expect(new URL(second.url).searchParams.get('request_uri')).not.toBe(query.get('request_uri'))
    world.play({ server: ({ pushed_authorization_request_endpoint: _p, ...server }) => server })
    expect(await world.wallet.receive(AGENT, offerLink(CODE_OFFER))).toMatchObject(refused('metadata'))
  })

  test('uses a fresh S256 challenge per request, and its verifier for that request only [VCI-W-AZ-04]', async () => {
    const world = await createScriptedWorld()
    const [one, two] = [await login(world), await login(world)]
    const [first, second] = world.calls('/par').map(form)
    expect(first?.get('code_challenge_method')).toBe('S256')
    expect(first?.get('code_challenge')).not.toBe(second?.get('code_challenge'))
    await world.wallet.finishAuthorization(AGENT, back({ code: 'c2', state: two.state, iss: ISSUER }))
    const verifier = form(world.calls('/token')[0]).get('code_verifier') ?? ''
    expect(verifier).toHaveLength(43)
    expect(digest('sha-256', verifier)).toBe(second?.get('code_challenge'))
    expect(one.state).not.toBe(two.state)
  })

  test('authenticates the client where it pushes [VCI-W-AZ-05]', async () => {
    const world = await createScriptedWorld()
    await login(world)
    const [call] = world.calls('/par')
    expect(attestation(call).payload['sub']).toBe(CLIENT)
    expect(form(call).get('client_id')).toBe(CLIENT)
    expect(pop(call).payload['aud']).toBe(ISSUER)
  })

  test('asks by the scope of the metadata, and for nothing else [VCI-W-AZ-06] [VCI-W-AZ-13]', async () => {
    const world = await createScriptedWorld()
    await login(world)
    expect(form(world.calls('/par')[0]).get('scope')).toBe('role')
    expect(form(world.calls('/par')[0]).has('resource')).toBe(false)
  })

  test('asks by authorization details where there is no scope [VCI-W-AZ-07]', async () => {
    const noScope = (document: JsonObject) => {
      const { scope: _s, ...role } = within(document, 'credential_configurations_supported', 'role_v1')
      return { ...document, credential_configurations_supported: { role_v1: role } }
    }
    const identified = (response: JsonObject) => ({
      ...response,
      authorization_details: [
        {
          type: 'openid_credential',
          credential_configuration_id: 'role_v1',
          credential_identifiers: ['ds-1'],
        },
      ],
    })
    for (const separate of [false, true]) {
      const metadata = (document: JsonObject) =>
        separate ? { ...noScope(document), authorization_servers: [ISSUER] } : noScope(document)
      const world = await createScriptedWorld({
        wallet: { profile: 'base' },
        script: { metadata, tokenResponse: identified },
      })
      const { state } = await login(world)
      const details: unknown = JSON.parse(form(world.calls('/par')[0]).get('authorization_details') ?? '')
      expect(details).toEqual([
        {
          type: 'openid_credential',
          credential_configuration_id: 'role_v1',
          ...(separate ? { locations: [ISSUER] } : {}),
        },
      ])
      expect(
        await world.wallet.finishAuthorization(AGENT, back({ code: 'c', state, iss: ISSUER })),
      ).toMatchObject({ outcome: 'stored' })
    }
  })

  test('names the issuer as resource where servers are separate [VCI-W-AZ-08]', async () => {
    const world = await createScriptedWorld({
      script: { metadata: (d) => ({ ...d, authorization_servers: [ISSUER] }) },
    })
    const { state } = await login(world)
    await world.wallet.finishAuthorization(AGENT, back({ code: 'c', state, iss: ISSUER }))
    expect(form(world.calls('/par')[0]).get('resource')).toBe(ISSUER)
    expect(form(world.calls('/token')[0]).get('resource')).toBe(ISSUER)
  })

  test('puts nothing into state or redirect URI [VCI-W-AZ-09]', async () => {
    const world = await createScriptedWorld()
    const { state } = await login(world)
    expect(state).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(form(world.calls('/par')[0]).get('redirect_uri')).toBe(REDIRECT_URI)
  })

  test('takes an answer of the server that was asked only [VCI-W-AZ-10]', async () => {
    const world = await createScriptedWorld()
    for (const extra of [
      { code: 'c' },
      { code: 'c', iss: 'https://evil.example' },
      { error: 'access_denied', iss: 'https://evil.example' },
    ]) {
      const { state } = await login(world)
      expect(await world.wallet.finishAuthorization(AGENT, back({ state, ...extra }))).toMatchObject(
        refused('mix_up'),
      )
    }
    expect(world.calls('/token')).toHaveLength(0)
    const { state } = await login(world)
    expect(
      await world.wallet.finishAuthorization(AGENT, back({ state, code: 'c', iss: ISSUER })),
    ).toMatchObject({ outcome: 'stored' })
  })

  test('takes an answer once, for an open request of this agent [VCI-W-AZ-11] [VCI-W-AZ-12]', async () => {
    const world = await createScriptedWorld()
    const { state } = await login(world)
    const good = back({ state, code: 'c', iss: ISSUER })
    for (const url of [
      back({ code: 'c', iss: ISSUER }),
      back({ code: 'c', state: 'other', iss: ISSUER }),
      'nonsense',
    ]) {
      expect(await world.wallet.finishAuthorization(AGENT, url)).toMatchObject(refused('unknown_state'))
    }
    expect(await world.wallet.finishAuthorization('agent-2', good)).toMatchObject(refused('unknown_state'))
    expect(await world.wallet.finishAuthorization(AGENT, good.replace('/cb?', '/elsewhere?'))).toMatchObject(
      refused('unknown_state'),
    )
    expect(world.calls('/token')).toHaveLength(0)
    expect(await world.wallet.finishAuthorization(AGENT, good)).toMatchObject({ outcome: 'stored' })
    expect(await world.wallet.finishAuthorization(AGENT, good)).toMatchObject(refused('unknown_state'))
    expect(world.calls('/token')).toHaveLength(1)
  })

  test('ends with the error of the server, without a token request [VCI-W-AZ-14]', async () => {
    const world = await createScriptedWorld()
    const { state } = await login(world)
    const url = back({ error: 'access_denied', state, iss: ISSUER })
    expect(await world.wallet.finishAuthorization(AGENT, url)).toMatchObject(refused('access_denied'))
    expect(world.calls('/token')).toHaveLength(0)
    const next = await login(world)
    expect(
      await world.wallet.finishAuthorization(AGENT, back({ code: 'c', state: next.state, iss: ISSUER })),
    ).toMatchObject({ outcome: 'stored' })
  })

  test('takes no word of whoever calls the redirect URI for a code of its own', async () => {
    const world = await createScriptedWorld()
    for (const error of ['agent_unknown', 'fetch_failed', 'Role-Manager-of-EU', 'constructor']) {
      const { state } = await login(world)
      const url = back({ error, state, iss: ISSUER })
      expect(await world.wallet.finishAuthorization(AGENT, url)).toMatchObject(refused('unknown_error'))
      const [newest] = await world.wallet.explain(AGENT, { limit: 1 })
      expect(newest?.code).toBe('unknown_error')
    }
    expect(world.lines.join('')).not.toContain('Role-Manager')
  })

  test('sends each code once, with verifier and redirect URI [VCI-W-TK-05]', async () => {
    const world = await createScriptedWorld({
      script: { steps: { '/token': () => answer(500, { error: 'server_error' }) } },
    })
    const { state } = await login(world)
    const url = back({ code: 'c9', state, iss: ISSUER })
    expect(await world.wallet.finishAuthorization(AGENT, url)).toMatchObject({ outcome: 'refused' })
    const [sent, again] = world.calls('/token')
    expect(Object.fromEntries(form(sent))).toMatchObject({
      grant_type: 'authorization_code',
      code: 'c9',
      redirect_uri: REDIRECT_URI,
    })
    expect(form(sent).get('code_verifier')).toHaveLength(43)
    expect(again).toBeUndefined()
    world.play({})
    expect(await world.wallet.finishAuthorization(AGENT, url)).toMatchObject(refused('unknown_state'))
    expect(world.calls('/token')).toHaveLength(1)
  })
})

describe('the token request', () => {
  test('carries the pre-authorized code as a form [VCI-W-TK-01] [VCI-W-TK-04]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    const [call] = world.calls('/token')
    expect(call?.headers.get('content-type')).toBe('application/x-www-form-urlencoded')
    expect(Object.fromEntries(form(call))).toEqual({
      grant_type: PRE_AUTHORIZED_CODE_GRANT,
      'pre-authorized_code': 'code-1',
      tx_code: TX_CODE,
      client_id: CLIENT,
    })
  })

  test('authenticates the client for every grant [VCI-W-TK-03] [VCI-W-WA-01]', async () => {
    const world = await createScriptedWorld({ script: { refreshToken: 'refresh-1' } })
    await world.receive()
    const { state } = await login(world)
    await world.wallet.finishAuthorization(AGENT, back({ code: 'c', state, iss: ISSUER }))
    world.time.advance(29 * 86_400)
    await world.wallet.maintain()
    const grants = world.calls('/token').map((call) => form(call).get('grant_type'))
    expect(grants).toEqual([PRE_AUTHORIZED_CODE_GRANT, 'authorization_code', 'refresh_token'])
    for (const call of [...world.calls('/token'), ...world.calls('/par')]) {
      expect(attestation(call).header['typ']).toBe('oauth-client-attestation+jwt')
      expect(pop(call).header['typ']).toBe('oauth-client-attestation-pop+jwt')
    }
  })

  test('takes a bound token only, in any spelling of its type [VCI-W-TK-06] [DPOP-C-07]', async () => {
    const bearer = await createScriptedWorld({
      script: { tokenResponse: (r) => ({ ...r, token_type: 'Bearer' }) },
    })
    expect(await bearer.receive()).toMatchObject(refused('not_sender_constrained'))
    expect(bearer.calls('/credential')).toHaveLength(0)
    expect(await bearer.wallet.overview(AGENT)).toMatchObject({ pending: 0, credentials: [] })
    const lower = await createScriptedWorld({
      script: { tokenResponse: (r) => ({ ...r, token_type: 'dpop' }) },
    })
    expect(await lower.receive()).toMatchObject({ outcome: 'stored' })
  })

  test('uses the credential identifiers it is given, one request each [VCI-W-TK-07]', async () => {
    const details = [
      {
        type: 'openid_credential',
        credential_configuration_id: 'role_v1',
        credential_identifiers: ['a', 'b'],
        x: 1,
      },
    ]
    const world = await createScriptedWorld({
      script: { tokenResponse: (r) => ({ ...r, authorization_details: details }) },
    })
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
    const bodies = world.calls('/credential').map(({ body }): unknown => JSON.parse(body))
    expect(bodies).toMatchObject([{ credential_identifier: 'a' }, { credential_identifier: 'b' }])
    expect(bodies.every((body) => !JSON.stringify(body).includes('credential_configuration_id'))).toBe(true)
  })

  test('tolerates unknown members and a missing lifetime [VCI-W-TK-08]', async () => {
    const tokenResponse = ({ expires_in: _e, ...rest }: JsonObject) => ({
      ...rest,
      c_nonce: 'old',
      extra: {},
    })
    const world = await createScriptedWorld({ script: { tokenResponse } })
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
    expect(
      decoded(JSON.parse(world.calls('/credential')[0]?.body ?? '{}').proofs.jwt[0]).payload['nonce'],
    ).toBe('c-nonce-0')
  })

  test('ends where details were asked for and none came back [VCI-W-TK-09]', async () => {
    const metadata = (document: JsonObject) => {
      const { scope: _s, ...role } = within(document, 'credential_configurations_supported', 'role_v1')
      return { ...document, credential_configurations_supported: { role_v1: role } }
    }
    const world = await createScriptedWorld({ wallet: { profile: 'base' }, script: { metadata } })
    const { state } = await login(world)
    expect(
      await world.wallet.finishAuthorization(AGENT, back({ code: 'c', state, iss: ISSUER })),
    ).toMatchObject(refused('token_response'))
    expect(world.calls('/credential')).toHaveLength(0)
  })

  test('asks for a wrong transaction code again, three times and not more [VCI-W-TK-12]', async () => {
    for (const error of ['invalid_grant', 'invalid_tx_code']) {
      const world = await createScriptedWorld({
        script: { steps: { '/token': () => answer(400, { error }) } },
      })
      expect(await world.receive('1')).toMatchObject({ outcome: 'tx_code_required', code: 'tx_code_wrong' })
      expect(await world.receive('2')).toMatchObject({ outcome: 'tx_code_required' })
      expect(await world.receive('3')).toMatchObject(refused('tx_code_attempts'))
      expect(await world.receive('4')).toMatchObject(refused('tx_code_attempts'))
      expect(world.calls('/token')).toHaveLength(3)
    }
    const world = await createScriptedWorld({
      script: {
        steps: {
          '/token': ({ count }) => (count === 0 ? answer(400, { error: 'invalid_grant' }) : undefined),
        },
      },
    })
    await world.receive('1')
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
  })

  test('refreshes with the keys of the first time, and keeps a rotated token [VCI-W-TK-13] [ABCA-M-02]', async () => {
    const world = await createScriptedWorld({ script: { refreshToken: 'refresh-1' } })
    await world.receive()
    world.play({ refreshToken: 'refresh-2' })
    world.time.advance(29 * 86_400)
    await world.wallet.maintain()
    world.time.advance(29 * 86_400)
    await world.wallet.maintain()
    const [first, second, third] = world.calls('/token')
    expect(form(second).get('refresh_token')).toBe('refresh-1')
    expect(form(third).get('refresh_token')).toBe('refresh-2')
    const instance = (call: RecordedCall | undefined) => within(attestation(call).payload, 'cnf', 'jwk')
    expect(instance(third)).toEqual(instance(first))
    expect(dpop(third).header['jwk']).toEqual(dpop(first).header['jwk'])
  })

  test('sends tokens in the Authorization header and keeps them sealed [VCI-W-TK-14] [VCI-W-TK-15]', async () => {
    const world = await createScriptedWorld({
      script: {
        refreshToken: 'refresh-canary',
        tokenResponse: (r) => ({ ...r, access_token: 'token-canary' }),
      },
    })
    await world.receive()
    expect(world.calls('/credential')[0]?.headers.get('authorization')).toBe('DPoP token-canary')
    for (const { url, body } of world.network.calls) expect(`${url} ${body}`).not.toContain('token-canary')
    const stored = JSON.stringify(await world.store.list('t/'))
    expect(stored).not.toMatch(/canary|Manager|E-10442/)
    expect(stored).toContain('t/default/wallet/credential/agent-1/')
  })
})

describe('the wallet attestation', () => {
  test('says what it must, with its certificate and without the anchor [VCI-W-WA-02]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    const { header, payload } = attestation(world.calls('/token')[0])
    expect(header).toMatchObject({ typ: 'oauth-client-attestation+jwt', alg: 'ES256' })
    expect(header['x5c']).toHaveLength(1)
    expect(payload).toMatchObject({ iss: 'https://provider.example', sub: CLIENT })
    expect(payload['exp']).toBeGreaterThan(START)
    expect(Object.keys(within(payload, 'cnf', 'jwk')).sort()).toEqual(['crv', 'kty', 'x', 'y'])
    world.time.advance(3601)
    world.play({})
    await world.wallet.receive(AGENT, offer('code-2'), TX_CODE)
    expect(attestation(world.calls('/token')[1]).payload['exp']).toBeGreaterThan(world.time.clock())
  })

  test('is the same for all instances but for key and times; each agent has its key [VCI-W-WA-03] [VCI-W-WA-04]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    await world.wallet.receive('agent-2', offer('code-2'), TX_CODE)
    const [one, two] = world.calls('/token').map((call) => attestation(call).payload)
    expect({ ...one, cnf: 0 }).toEqual({ ...two, cnf: 0 })
    expect(one?.['cnf']).not.toEqual(two?.['cnf'])
  })

  test('is proven by a fresh PoP for this server in every request [VCI-W-WA-05]', async () => {
    const world = await createScriptedWorld()
    for (const code of ['a', 'b', 'c']) await world.wallet.receive(AGENT, offer(code), TX_CODE)
    const proofs = world.calls('/token').map((call) => pop(call))
    expect(new Set(proofs.map(({ payload }) => payload['jti'])).size).toBe(3)
    for (const { header, payload } of proofs) {
      expect(header).toEqual({ alg: 'ES256', typ: 'oauth-client-attestation-pop+jwt' })
      expect(payload).toMatchObject({ iss: CLIENT, aud: ISSUER, iat: START })
    }
  })

  test('answers a challenge of the endpoint, then the newest of any answer [VCI-W-WA-06] [ABCA-C-03]', async () => {
    const challenged = (server: JsonObject) => ({ ...server, challenge_endpoint: `${ISSUER}/challenge` })
    const world = await createScriptedWorld({
      script: {
        server: challenged,
        steps: {
          '/token': () =>
            answer(
              200,
              { access_token: 't', token_type: 'DPoP' },
              { 'OAuth-Client-Attestation-Challenge': 'newer' },
            ),
        },
      },
    })
    await world.receive()
    expect(world.calls('/challenge')[0]).toMatchObject({ method: 'POST', body: '' })
    expect(pop(world.calls('/token')[0]).payload['challenge']).toBe('challenge-0')
    world.play({})
    await world.wallet.receive(AGENT, offer('code-2'), TX_CODE)
    expect(pop(world.calls('/token')[1]).payload['challenge']).toBe('newer')
  })

  test('is retried once with the challenge or freshness a server asks for [VCI-W-WA-07] [ABCA-C-05]', async () => {
    for (const error of ['use_attestation_challenge', 'use_fresh_attestation']) {
      const demand = answer(400, { error }, { 'OAuth-Client-Attestation-Challenge': 'asked' })
      const once = await createScriptedWorld({
        script: { steps: { '/token': ({ count }) => (count === 0 ? demand.clone() : undefined) } },
      })
      expect(await once.receive()).toMatchObject({ outcome: 'stored' })
      const [first, second] = once.calls('/token')
      expect(pop(second).payload['challenge']).toBe('asked')
      expect(pop(second).payload['jti']).not.toBe(pop(first).payload['jti'])
      if (error === 'use_fresh_attestation') {
        const text = (call: RecordedCall | undefined) => call?.headers.get('oauth-client-attestation')
        expect(text(second)).not.toBe(text(first))
      }
      const always = await createScriptedWorld({ script: { steps: { '/token': () => demand.clone() } } })
      expect(await always.receive()).toMatchObject(refused('client_auth'))
      expect(always.calls('/token')).toHaveLength(2)
    }
  })

  test('is not sent to a server that lists other methods [VCI-W-WA-08]', async () => {
    for (const change of [
      { token_endpoint_auth_methods_supported: ['private_key_jwt'] },
      { client_attestation_signing_alg_values_supported: ['ES512'] },
    ]) {
      const world = await createScriptedWorld({ script: { server: (server) => ({ ...server, ...change }) } })
      expect(await world.receive()).toMatchObject(refused('client_auth'))
      expect(world.calls('/token')).toHaveLength(0)
    }
  })
})

describe('DPoP in issuance', () => {
  test('proves method, address and time with a public key, anew for each attempt [VCI-W-DP-01] [DPOP-C-01] [DPOP-C-02]', async () => {
    const world = await createScriptedWorld({
      script: {
        steps: {
          '/token': ({ count }) =>
            count === 0 ? answer(400, { error: 'use_dpop_nonce' }, { 'DPoP-Nonce': 'as-1' }) : undefined,
        },
        server: (server) => ({ ...server, token_endpoint: `${ISSUER}/token?a=1` }),
      },
    })
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
    const [first, second] = world.calls('/token').map(dpop)
    expect(first?.header).toMatchObject({ typ: 'dpop+jwt', alg: 'ES256' })
    expect(Object.keys(within(first?.header ?? {}, 'jwk')).sort()).toEqual(['crv', 'kty', 'x', 'y'])
    expect(first?.payload).toMatchObject({ htm: 'POST', htu: `${ISSUER}/token`, iat: START })
    expect(String(first?.payload['jti'])).toHaveLength(22)
    expect(second?.payload['jti']).not.toBe(first?.payload['jti'])
    expect(second?.payload['nonce']).toBe('as-1')
  })

  test('binds each call to the token, and never falls back to Bearer [VCI-W-DP-02] [DPOP-C-03] [DPOP-C-08]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    for (const call of [...world.calls('/credential'), ...world.calls('/notification')]) {
      expect(call.headers.get('authorization')).toBe('DPoP token-0')
      expect(dpop(call).payload['ath']).toBe(digest('sha-256', 'token-0'))
    }
    const bearer = answer(401, { error: 'invalid_token' }, { 'WWW-Authenticate': 'Bearer' })
    const stubborn = await createScriptedWorld({ script: { steps: { '/credential': () => bearer.clone() } } })
    expect(await stubborn.receive()).toMatchObject(refused('response'))
    expect(stubborn.calls('/credential')).toHaveLength(1)
  })

  test('answers a demand for a nonce once, at server and issuer [VCI-W-DP-03] [DPOP-C-04] [DPOP-C-06]', async () => {
    const as = answer(400, { error: 'use_dpop_nonce' }, { 'DPoP-Nonce': 'as-1' })
    const rs = answer(401, {}, { 'DPoP-Nonce': 'rs-1', 'WWW-Authenticate': 'dPoP error="use_dpop_nonce"' })
    const once = await createScriptedWorld({
      script: {
        steps: {
          '/token': ({ count }) => (count === 0 ? as.clone() : undefined),
          '/credential': ({ count }) => (count === 0 ? rs.clone() : undefined),
        },
      },
    })
    expect(await once.receive()).toMatchObject({ outcome: 'stored' })
    expect(dpop(once.calls('/credential')[1]).payload['nonce']).toBe('rs-1')
    expect(dpop(once.calls('/credential')[1]).payload['jti']).not.toBe(
      dpop(once.calls('/credential')[0]).payload['jti'],
    )

    const never = await createScriptedWorld({ script: { steps: { '/token': () => as.clone() } } })
    expect(await never.receive()).toMatchObject({ outcome: 'refused' })
    expect(never.calls('/token')).toHaveLength(2)
    const endless = await createScriptedWorld({ script: { steps: { '/credential': () => rs.clone() } } })
    expect(await endless.receive()).toMatchObject(refused('response'))
    expect(endless.calls('/credential')).toHaveLength(2)
  })

  test('remembers the newest nonce of each server, and mixes none [VCI-W-DP-04] [DPOP-C-05] [DPOP-N-03]', async () => {
    const world = await createScriptedWorld({
      script: {
        steps: {
          '/token': ({ count }) =>
            answer(200, { access_token: `t${count}`, token_type: 'DPoP' }, { 'DPoP-Nonce': `as-${count}` }),
          '/nonce': ({ count }) => answer(200, { c_nonce: `c${count}` }, { 'DPoP-Nonce': `rs-${count}` }),
        },
      },
    })
    await world.receive()
    await world.wallet.receive(AGENT, offer('code-2'), TX_CODE)
    expect(world.calls('/token').map((call) => dpop(call).payload['nonce'])).toEqual([undefined, 'as-0'])
    expect(world.calls('/credential').map((call) => dpop(call).payload['nonce'])).toEqual(['rs-0', 'rs-1'])
  })

  test('uses one key per server, other than instance and holder keys [VCI-W-PRF-11] [DPOP-C-10]', async () => {
    const world = await createScriptedWorld({ issuer: { copies: 3 } })
    await world.receive()
    const [token] = world.calls('/token')
    const [credential] = world.calls('/credential')
    const body = JSON.parse(credential?.body ?? '{}')
    const holders: string[] = body.proofs.jwt.map((jwt: string) =>
      jwkThumbprint(parsePublicJwk(decoded(jwt).header['jwk'])),
    )
    const dpopKey = jwkThumbprint(parsePublicJwk(dpop(token).header['jwk']))
    const instance = jwkThumbprint(parsePublicJwk(within(attestation(token).payload, 'cnf')['jwk']))
    expect(jwkThumbprint(parsePublicJwk(dpop(credential).header['jwk']))).toBe(dpopKey)
    expect(new Set([...holders, dpopKey, instance]).size).toBe(5)
  })
})
