import { isJsonObject, type JsonObject } from '@attache/core'
import { digest, jwkThumbprint, parsePublicJwk } from '@attache/keys'
import type { Pdp } from '@attache/policy'
import { describe, expect, test } from 'vitest'
import type { RecordedCall } from '../support/network.js'
import { AGENT, decoded, within } from '../support/scripted-issuer.js'
import {
  API,
  CALL,
  CHALLENGE,
  createPresentationWorld,
  NONCE,
  type PresentationOptions,
  type PresentationWorld,
  requestParameters,
  shown,
  type VerifierScript,
} from '../support/scripted-verifier.js'
import { certify } from './issuer-bench.js'

const form = (call: RecordedCall | undefined) => new URLSearchParams(call?.body ?? '')
const dpop = (call: RecordedCall | undefined) => decoded(call?.headers.get('dpop') ?? '')
const json = (status: number, body: unknown) => Response.json(body, { status })
const objectOf = async (response: Response): Promise<JsonObject> => {
  const value: unknown = await response.json()
  return isJsonObject(value) ? value : {}
}
const presentations = (world: PresentationWorld) =>
  world
    .to('/challenge')
    .filter(
      (call) =>
        form(call).has('openid4vp_response') && !form(call).get('openid4vp_response')?.includes('"error"'),
    )

/** The API refuses, the wallet stays out: byte for byte the API's own answer, and nothing was presented. */
async function expectRefusal(options: PresentationOptions, code?: string): Promise<PresentationWorld> {
  const world = await createPresentationWorld(options)
  const own = await world.refusal()
  const got = await world.callApi()
  expect([got.status, await got.text(), [...got.headers]]).toEqual([
    own.status,
    await own.text(),
    [...own.headers],
  ])
  expect(presentations(world)).toHaveLength(0)
  if (code !== undefined) expect(await world.reason()).toBe(code)
  return world
}
const refusing = (verifierScript: VerifierScript, code?: string) => expectRefusal({ verifierScript }, code)

async function expectAccess(options: PresentationOptions = {}): Promise<PresentationWorld> {
  const world = await createPresentationWorld(options)
  expect((await world.callApi()).status).toBe(200)
  return world
}

describe('the challenge route, wallet side', () => {
  test('takes the endpoint from metadata it fetched itself [IA-W-01]', async () => {
    await refusing(
      { server: (document) => ({ ...document, issuer: 'https://other.example' }) },
      'metadata_identifier_mismatch',
    )
    const elsewhere = 'https://evil.example/challenge'
    const world = await expectAccess({
      verifierScript: {
        request: (parameters) => ({
          ...parameters,
          response_uri: elsewhere,
          authorization_challenge_endpoint: elsewhere,
        }),
      },
    })
    expect(shown((await world.vpToken())['role_cred']?.[0]).keyBinding.payload['aud']).toBe(`ia:${CHALLENGE}`)
    expect(world.network.calls.some(({ url }) => url.startsWith('https://evil.example'))).toBe(false)
  })

  test('walks from the 401 to resource, server and metadata, all of them trusted [IA-W-02] [PRM-03] [PRM-06]', async () => {
    const metadataElsewhere = new Response(null, {
      status: 401,
      headers: {
        'WWW-Authenticate':
          'DPoP resource_metadata="https://evil.example/.well-known/oauth-protected-resource"',
      },
    })
    const foreign = await createPresentationWorld({
      verifierScript: { steps: { '/payroll/export': () => metadataElsewhere.clone() } },
    })
    expect((await foreign.callApi()).status).toBe(401)
    expect(await foreign.reason()).toBe('resource_metadata')
    expect(foreign.network.calls.some(({ url }) => url.startsWith('https://evil.example'))).toBe(false)

    await refusing(
      { resource: (document) => ({ ...document, resource: 'https://other.example' }) },
      'resource_metadata',
    )
    await refusing(
      { resource: (document) => ({ ...document, resource: `${API}/other` }) },
      'resource_metadata',
    )
    await refusing({ resource: (document) => ({ ...document, resource: `${API}/#` }) }, 'resource_metadata')
    await refusing(
      { resource: (document) => ({ ...document, authorization_servers: ['https://evil.example'] }) },
      'authorization_server_not_trusted',
    )
    await expectAccess()
  })

  test('asks with response type, scope, challenge and the one interaction it can do [IA-W-03]', async () => {
    const world = await expectAccess()
    const first = Object.fromEntries(form(world.to('/challenge')[0]))
    expect(first).toEqual({
      response_type: 'code',
      client_id: 'https://agents.example/wallet/v1',
      scope: 'payroll',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
      interaction_types_supported: 'urn:openid:dcp:ia:openid4vp_presentation',
    })
  })

  test('authenticates with attestation and a fresh proof on every request [IA-W-04]', async () => {
    const world = await expectAccess()
    const calls = [...world.to('/challenge'), ...world.to('/token')]
    expect(calls).toHaveLength(3)
    const proofs = calls.map((call) => decoded(call.headers.get('oauth-client-attestation-pop') ?? ''))
    expect(new Set(proofs.map(({ payload }) => payload['jti'])).size).toBe(3)
    for (const call of calls) expect(call.headers.get('oauth-client-attestation')).not.toBeNull()
  })

  test('uses one DPoP key, which is no holder key and no client key [IA-W-05] [IA-W-23]', async () => {
    const world = await expectAccess()
    const calls = [...world.to('/challenge'), ...world.to('/token'), ...world.to('/payroll').slice(1)]
    const keys = new Set(calls.map((call) => jwkThumbprint(parsePublicJwk(dpop(call).header['jwk']))))
    expect(keys.size).toBe(1)
    const attested = within(decoded(calls[0]?.headers.get('oauth-client-attestation') ?? '').payload, 'cnf')[
      'jwk'
    ]
    const [presentation = ''] = (await world.vpToken())['role_cred'] ?? []
    const holder = within(decoded(presentation.split('~')[0] ?? '').payload, 'cnf')['jwk']
    for (const jwk of [attested, holder]) keys.add(jwkThumbprint(parsePublicJwk(jwk)))
    expect(keys.size).toBe(3)
  })

  test('answers a demand for a DPoP nonce once [IA-W-06]', async () => {
    const demand = () =>
      new Response('{"error":"use_dpop_nonce"}', {
        status: 400,
        headers: { 'DPoP-Nonce': 'n-1', 'Content-Type': 'application/json' },
      })
    const world = await expectAccess({
      verifierScript: { steps: { '/challenge': ({ count }) => (count === 0 ? demand() : undefined) } },
    })
    expect(dpop(world.to('/challenge')[1]).payload['nonce']).toBe('n-1')
    const always = await refusing({ steps: { '/challenge': demand } })
    expect(always.to('/challenge')).toHaveLength(2)
  })

  test('knows the demand by its error code, not by the status [IA-W-07]', async () => {
    await refusing({ demand: (body) => ({ ...body, error: 'invalid_client' }) })
    await expectAccess({
      verifierScript: { demand: ({ error, ...body }) => ({ ...body, error_code: error ?? '' }) },
    })
    const world = await createPresentationWorld()
    const demanded = await world.network
      .fetch(CHALLENGE, { method: 'POST' })
      .then((response) => response.json())
    world.perform({
      steps: {
        '/challenge': ({ form: sent }) => (sent.has('auth_session') ? undefined : json(400, demanded)),
      },
    })
    expect((await world.callApi()).status).toBe(200)
  })

  test('does no interaction that it did not offer [IA-W-08]', async () => {
    for (const type of ['urn:openid:dcp:ia:auth_via_web', 'urn:example:other']) {
      const world = await refusing({
        demand: (body) => ({
          ...body,
          interaction_type_required: type,
          request_uri: 'https://evil.example/',
        }),
      })
      expect(world.to('/challenge')).toHaveLength(1)
    }
    await expectAccess()
  })

  test('answers in ia_post modes only [IA-W-09] [IA-W-13]', async () => {
    for (const response_mode of ['direct_post', 'dc_api', undefined]) {
      await refusing({
        request: ({ response_mode: _old, ...rest }) =>
          response_mode === undefined ? rest : { ...rest, response_mode, response_uri: `${API}/response` },
      })
    }
    const encrypted = await expectAccess()
    const sent = Object.fromEntries(form(encrypted.to('/challenge')[1]))
    expect(Object.keys(sent).sort()).toEqual(['auth_session', 'client_id', 'openid4vp_response'])
    expect(Object.keys(JSON.parse(sent['openid4vp_response'] ?? ''))).toEqual(['response'])
    const plain = await expectAccess({
      wallet: { profile: 'base' },
      verifierScript: { request: (p) => ({ ...p, response_mode: 'ia_post', state: 'x' }) },
    })
    expect(Object.keys(JSON.parse(form(plain.to('/challenge')[1]).get('openid4vp_response') ?? ''))).toEqual([
      'vp_token',
    ])
  })

  test('answers a request made for this origin only [IA-W-10]', async () => {
    for (const origins of [['https://other.example'], [], undefined]) {
      await refusing({
        request: ({ expected_origins: _o, ...rest }) =>
          origins === undefined ? rest : { ...rest, expected_origins: origins },
      })
    }
    await expectAccess({
      verifierScript: { request: (p) => ({ ...p, expected_origins: ['https://other.example', API] }) },
    })
    const unsigned = (origins: readonly string[]) => (body: JsonObject) => ({
      ...body,
      openid4vp_request: {
        ...requestParameters('ignored', { response_mode: 'ia_post' }, 0),
        expected_origins: origins,
      },
    })
    const base = { wallet: { profile: 'base' }, rules: () => [{ id: 'r', effect: 'allow' }] } as const
    await expectRefusal(
      { ...base, verifierScript: { demand: unsigned(['https://other.example']) } },
      'expected_origins',
    )
    await expectAccess({ ...base, verifierScript: { demand: unsigned([API]) } })
  })

  test('makes sure who signed; where nobody did, the server is who asks [IA-W-11]', async () => {
    const other = await certify('Other', ['api.example'])
    await refusing({ signer: other.signer })
    await refusing({ requestHeader: (header) => ({ ...header, typ: 'JWT' }) }, 'typ')
    await refusing({ request: (p) => ({ ...p, client_id: 'x509_hash:AAAA' }) }, 'client_id_mismatch')
    await refusing({ requestHeader: (header) => ({ ...header, x5c: other.signer.x5c ?? [] }) })
    const asked: string[] = []
    const policy: Pdp = {
      decide: async ({ resource }) => {
        asked.push(resource.id)
        return { decision: 'allow', policies: [], reason: 'allowed' }
      },
    }
    const world = await createPresentationWorld({ wallet: { profile: 'base' }, policy })
    world.perform({
      demand: (body) => ({
        ...body,
        openid4vp_request: requestParameters(world.clientId, { response_mode: 'ia_post' }, 0),
      }),
    })
    expect((await world.callApi()).status).toBe(200)
    expect(new Set(asked)).toEqual(new Set([API]))
  })

  test('binds to the endpoint, or to the origin where a peer wants that [IA-W-12] [VP-W-CID-13]', async () => {
    const aud = async (world: PresentationWorld) =>
      shown((await world.vpToken())['role_cred']?.[0]).keyBinding.payload['aud']
    expect(await aud(await expectAccess())).toBe(`ia:${CHALLENGE}`)
    expect(await aud(await expectAccess({ trust: { challengeAudience: 'origin' } }))).toBe(`ia:${API}`)
  })

  test('sends the newest session, for three rounds at most [IA-W-14]', async () => {
    const again = (rounds: number): PresentationOptions['verifierScript'] => ({
      steps: {
        '/challenge': async ({ form: sent, count }) => {
          if (!sent.has('openid4vp_response') || count > rounds) return undefined
          const demand = await world.network.fetch(CHALLENGE, { method: 'POST', body: '' })
          return json(401, { ...(await objectOf(demand)), auth_session: `newer-${count}` })
        },
      },
    })
    let world = await createPresentationWorld()
    world.perform(again(2) ?? {})
    expect((await world.callApi()).status).toBe(200)
    const sessions = world.to('/challenge').flatMap((call) => form(call).get('auth_session') ?? [])
    expect(sessions).toEqual(['session-0', 'newer-1'])
    world = await createPresentationWorld()
    world.perform(again(1000) ?? {})
    expect((await world.callApi()).status).toBe(401)
    expect(await world.reason()).toBe('too_many_interactions')
    expect(presentations(world)).toHaveLength(3)
  })

  test('asks the policy before it reads a credential, and again on the exact claims [IA-W-15] [VP-W-PRV-01]', async () => {
    const stages: unknown[] = []
    const deny = (stage: string): Pdp => ({
      decide: async ({ context }) => {
        stages.push([context['stage'], context['claims'], reads.length > 0])
        return context['stage'] === stage
          ? { decision: 'deny', policies: ['rule-7'], reason: 'forbidden' }
          : { decision: 'allow', policies: [], reason: 'allowed' }
      },
    })
    const reads: string[] = []
    const watch = (world: PresentationWorld) => {
      const { get, list } = world.store
      world.store.get = async (key) => {
        if (key.includes('/credential/')) reads.push(key)
        return get(key)
      }
      world.store.list = async (prefix, after, limit) => {
        if (prefix.includes('/credential/')) reads.push(prefix)
        return list(prefix, after, limit)
      }
    }
    for (const stage of ['query', 'disclosures']) {
      reads.length = 0
      stages.length = 0
      const world = await createPresentationWorld({ policy: deny(stage) })
      watch(world)
      expect((await world.callApi()).status).toBe(401)
      expect(presentations(world)).toHaveLength(0)
      expect(reads.length > 0).toBe(stage === 'disclosures')
      expect(form(world.to('/challenge')[1]).get('openid4vp_response')).toBe('{"error":"access_denied"}')
      expect(await world.wallet.explain(AGENT, { limit: 1 })).toMatchObject([
        { code: 'forbidden', facts: { policies: 'rule-7' } },
      ])
    }
    expect(stages).toEqual([
      ['query', ['role', 'region'], false],
      ['disclosures', ['role', 'region'], true],
    ])
  })

  test('says access_denied to what it cannot satisfy [IA-W-16]', async () => {
    const world = await refusing(
      {
        query: {
          credentials: [
            { id: 'a', format: 'dc+sd-jwt', meta: { vct_values: ['https://credentials.example/other'] } },
          ],
        },
      },
      'no_credential',
    )
    expect(form(world.to('/challenge')[1]).get('openid4vp_response')).toBe('{"error":"access_denied"}')
    await expectAccess()
  })

  test('reads authorization_code, and redeems it with verifier and proof [IA-W-17]', async () => {
    const world = await expectAccess()
    expect(Object.fromEntries(form(world.to('/token')[0]))).toEqual({
      grant_type: 'authorization_code',
      code: 'code-1',
      code_verifier: expect.stringMatching(/^[\w-]{43}$/),
      client_id: 'https://agents.example/wallet/v1',
    })
    const verifier = form(world.to('/token')[0]).get('code_verifier') ?? ''
    expect(digest('sha-256', verifier)).toBe(form(world.to('/challenge')[0]).get('code_challenge'))
    const figure = await createPresentationWorld({
      verifierScript: {
        steps: {
          '/challenge': ({ form: sent }) => (sent.has('auth_session') ? json(200, { code: 'c' }) : undefined),
        },
      },
    })
    expect((await figure.callApi()).status).toBe(401)
    expect(figure.to('/token')).toHaveLength(0)
  })

  test('discards a token that is not bound to its key [IA-W-18] [DPOP-C-07]', async () => {
    const world = await createPresentationWorld({
      verifierScript: {
        steps: { '/token': () => json(200, { access_token: 't', token_type: 'Bearer', expires_in: 300 }) },
      },
    })
    expect((await world.callApi()).status).toBe(401)
    expect(await world.reason()).toBe('token_type_not_dpop')
    expect(await world.store.list('t/default/wallet/token/')).toHaveLength(0)
    await expectAccess()
  })

  test('proves each call anew, for the resource the token was made for [IA-W-19] [DPOP-C-03] [DPOP-C-04]', async () => {
    const world = await expectAccess()
    expect((await world.callApi()).status).toBe(200)
    const proofs = world.to('/payroll').slice(1).map(dpop)
    expect(new Set(proofs.map(({ payload }) => payload['jti'])).size).toBe(2)
    for (const { payload } of proofs)
      expect(payload).toMatchObject({ htm: 'POST', htu: CALL, ath: digest('sha-256', 'token-0') })
    for (const url of ['https://other.example/payroll/export', `${API}:8443/payroll/export`]) {
      expect(await world.wallet.authorize(AGENT, { method: 'POST', url })).toEqual({ outcome: 'none' })
    }
  })

  test('presents once per authorization, never the same twice [IA-W-20] [VP-W-VPR-07]', async () => {
    const world = await expectAccess()
    const first = (await world.vpToken())['role_cred']?.[0]
    await world.callApi()
    expect(presentations(world)).toHaveLength(1)
    world.time.advance(301)
    await world.callApi()
    expect(presentations(world)).toHaveLength(2)
    expect((await world.vpToken())['role_cred']?.[0]?.split('~').at(-1)).not.toBe(first?.split('~').at(-1))
  })

  test('gives an agent headers for its request and nothing else [IA-W-21]', async () => {
    const world = await expectAccess()
    const answer = await world.wallet.authorize(AGENT, { method: 'POST', url: CALL })
    expect(Object.keys(answer).sort()).toEqual(['headers', 'outcome'])
    expect(answer.outcome === 'authorized' && Object.keys(answer.headers).sort()).toEqual([
      'authorization',
      'dpop',
    ])
    expect(JSON.stringify(answer)).not.toMatch(/Manager|"EU"|role_cred/)
    const naming = {
      method: 'POST',
      url: 'https://evil.example/',
      verifier: world.clientId,
      claims: ['employee_id'],
      offer: 'x',
    }
    expect(await world.wallet.authorize(AGENT, naming)).toEqual({ outcome: 'none' })
  })

  test('follows no redirect and keeps the limits [IA-W-24]', async () => {
    const away = () => new Response(null, { status: 302, headers: { Location: 'https://evil.example/' } })
    const paths = [
      '/.well-known/oauth-protected-resource',
      '/.well-known/oauth-authorization-server',
      '/challenge',
      '/token',
    ]
    for (const path of paths) {
      const world = await createPresentationWorld({ verifierScript: { steps: { [path]: away } } })
      expect((await world.callApi()).status).toBe(401)
      expect(await world.reason()).toBe('fetch_redirect_refused')
      expect(world.network.calls.some(({ url }) => url.startsWith('https://evil.example'))).toBe(false)
    }
    await refusing(
      { resource: (document) => ({ ...document, padding: 'x'.repeat(300_000) }) },
      'fetch_too_large',
    )
    await expectAccess()
  })

  test('starts afresh once where the session is lost, and ends on every other error [IA-W-25]', async () => {
    const lost = (times: number): VerifierScript => {
      let left = times
      return {
        steps: {
          '/challenge': ({ form: sent }) => {
            if (!sent.has('auth_session') || left === 0) return undefined
            left -= 1
            return json(400, { error: 'invalid_session' })
          },
        },
      }
    }
    await expectAccess({ verifierScript: lost(1) })
    const twice = await createPresentationWorld({ verifierScript: lost(2) })
    expect((await twice.callApi()).status).toBe(401)
    expect(await twice.reason()).toBe('invalid_session')
    for (const error of ['redirect_to_web', 'missing_interaction_type', 'access_denied', 'invalid_scope']) {
      const world = await refusing(
        { steps: { '/challenge': () => json(400, { error, request_uri: 'https://evil.example/' }) } },
        'authorization_refused',
      )
      expect(world.to('/challenge')).toHaveLength(1)
    }
  })

  test('obtains one new token where the old one is refused [IA-W-26]', async () => {
    const world = await expectAccess()
    world.time.advance(60)
    const invalid = () =>
      new Response(null, {
        status: 401,
        headers: {
          'WWW-Authenticate': `DPoP error="invalid_token", scope="payroll", resource_metadata="${API}/.well-known/oauth-protected-resource"`,
        },
      })
    world.perform({
      steps: {
        '/payroll/export': ({ request }) =>
          request.headers.get('authorization') === 'DPoP token-0' ? invalid() : undefined,
      },
    })
    expect((await world.callApi()).status).toBe(200)
    expect(presentations(world)).toHaveLength(2)
    world.time.advance(60)
    world.perform({ steps: { '/payroll/export': invalid } })
    expect((await world.callApi()).status).toBe(401)
    expect(presentations(world)).toHaveLength(3)
  })

  test('shares one authorization among calls that are refused at once', async () => {
    const world = await createPresentationWorld()
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.callApi()))
    expect(answers.every(({ status }) => status === 200)).toBe(true)
    expect(presentations(world)).toHaveLength(1)
  })

  test('gives no token of one resource to a call of another, though both are refused at once', async () => {
    const documents = ['/a', '/b'].map((path) => [
      `/.well-known/oauth-protected-resource${path}`,
      () => json(200, { resource: `${API}${path}`, authorization_servers: [API] }),
    ])
    const world = await createPresentationWorld({ verifierScript: { steps: Object.fromEntries(documents) } })
    const ask = (path: string) => {
      const metadata = `${API}/.well-known/oauth-protected-resource${path}`
      const wwwAuthenticate = [`DPoP scope="payroll", resource_metadata="${metadata}"`]
      const challenge = { status: 401, wwwAuthenticate } as const
      return world.wallet.authorize(AGENT, { method: 'POST', url: `${API}${path}/x`, challenge })
    }
    const answers = await Promise.all(['/a', '/b', '/a'].map(ask))
    const tokens = answers.map((one) => (one.outcome === 'authorized' ? one.headers['authorization'] : ''))
    expect(tokens[0]).toMatch(/^DPoP /)
    expect(tokens[2]).toBe(tokens[0])
    expect(tokens[1]).toMatch(/^DPoP /)
    expect(tokens[1]).not.toBe(tokens[0])
  })

  test('keeps role and region, and nothing else, in what it shows', async () => {
    const world = await expectAccess()
    const { names, keyBinding } = shown((await world.vpToken())['role_cred']?.[0])
    expect(names).toEqual(['region', 'role'])
    expect(keyBinding.payload['nonce']).toBe(NONCE)
  })
})
