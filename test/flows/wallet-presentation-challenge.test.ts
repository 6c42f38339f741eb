import type { JsonObject, JsonValue } from '@attache/core'
import { jwkThumbprint, parsePublicJwk } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import type { RecordedCall } from '../support/network.js'
import { AGENT, decoded } from '../support/scripted-issuer.js'
import {
  API,
  CALL,
  createPresentationWorld,
  type PresentationOptions,
  type PresentationWorld,
  REQUEST_URI,
  type VerifierScript,
} from '../support/scripted-verifier.js'

const TRANSACTION = 'A'.repeat(43)
const form = (call: RecordedCall | undefined) => new URLSearchParams(call?.body ?? '')
const proofOf = (call: RecordedCall | undefined) => decoded(call?.headers.get('dpop') ?? '')
const json = (status: number, body: JsonValue) => Response.json(body, { status })

interface Bent {
  readonly field?: string
  readonly body?: (body: JsonObject) => JsonValue
  readonly clientId?: string
  readonly steps?: VerifierScript['steps']
  readonly script?: VerifierScript
}

/** An API without an authorization server: no metadata, a request in the body of its 401. */
async function createWorld(bent: Bent = {}, options: PresentationOptions = {}): Promise<PresentationWorld> {
  const world = await createPresentationWorld(options)
  const sound = {
    error: 'presentation_required',
    openid4vp: {
      client_id: bent.clientId ?? world.clientId,
      request_uri: REQUEST_URI,
      request_uri_method: 'post',
    },
    transaction_id: TRANSACTION,
    expires_in: 120,
  }
  world.perform({
    ...bent.script,
    steps: {
      '/payroll/export': ({ request }) =>
        request.headers.get('authorization') === 'DPoP token-a'
          ? json(200, { done: true })
          : new Response(JSON.stringify(bent.body?.(sound) ?? sound), {
              status: 401,
              headers: {
                'Content-Type': 'application/json',
                'WWW-Authenticate': bent.field ?? 'OpenID4VP version="1"',
              },
            }),
      '/response': () => json(200, { redirect_uri: `${API}/redeem?response_code=code-1` }),
      '/redeem': () => json(200, { access_token: 'token-a', token_type: 'DPoP', expires_in: 300 }),
      ...bent.steps,
    },
  })
  return world
}

/** The agent has the API's own 401, byte for byte, and nothing was presented. */
async function expectRefusal(bent: Bent, code: string, options: PresentationOptions = {}) {
  const world = await createWorld(bent, options)
  const own = await world.refusal()
  const got = await world.callApi()
  expect([got.status, await got.text(), [...got.headers]]).toEqual([
    own.status,
    await own.text(),
    [...own.headers],
  ])
  expect(await world.reason()).toBe(code)
  return world
}

describe('a 401 that hands over a request', () => {
  test('is answered, redeemed and followed by the call itself; the token serves the next calls [VP401-14]', async () => {
    const world = await createWorld()
    expect((await world.callApi()).status).toBe(200)
    expect((await world.callApi(`${CALL}?page=2`)).status).toBe(200)
    expect(world.to('/response')).toHaveLength(1)
    expect(world.to('/redeem')).toHaveLength(1)

    const [posted, redeemed] = [world.to('/response')[0], world.to('/redeem')[0]]
    expect(redeemed?.url).toBe(`${API}/redeem`)
    expect([...form(redeemed)]).toEqual([
      ['transaction_id', TRANSACTION],
      ['response_code', 'code-1'],
    ])
    const keys = [posted, redeemed, world.to('/payroll/export').at(-1)].map((call) =>
      jwkThumbprint(parsePublicJwk(proofOf(call).header['jwk'])),
    )
    expect(new Set(keys).size).toBe(1)
    expect(proofOf(redeemed).payload).toMatchObject({ htm: 'POST', htu: `${API}/redeem` })
    expect(proofOf(posted).payload).toMatchObject({ htm: 'POST', htu: `${API}/response` })

    const refused = await expectRefusal({}, 'no_rule', { rules: () => [] })
    expect(refused.to('/redeem')).toHaveLength(0)
    await expectRefusal(
      { steps: { '/redeem': () => json(400, { error: 'invalid_grant' }) } },
      'token_refused',
    )
  })

  test('counts only as it was received from the called origin [VP401-04]', async () => {
    for (const [bent, code] of [
      [{ body: () => 'text' }, 'challenge_unusable'],
      [{ body: (body: JsonObject) => ({ ...body, error: 'other' }) }, 'challenge_unusable'],
      [{ body: (body: JsonObject) => ({ ...body, transaction_id: 'short' }) }, 'challenge_unusable'],
      [{ body: (body: JsonObject) => ({ ...body, expires_in: 0 }) }, 'challenge_unusable'],
      [{ field: 'OpenID4VP version="2"' }, 'challenge_unusable'],
    ] as const) {
      const world = await expectRefusal(bent, code)
      expect(world.to('/request')).toHaveLength(0)
    }
    const world = await createWorld()
    const body = await (await world.refusal()).text()
    const challenge = { status: 401, wwwAuthenticate: ['OpenID4VP version="1"'], body } as const
    const before = world.network.calls.length
    for (const url of ['https://other.example/x', 'https://api.example.evil.example/payroll']) {
      expect(await world.wallet.authorize(AGENT, { method: 'GET', url, challenge })).toMatchObject({
        outcome: 'none',
      })
      expect(await world.reason()).toBe('unknown_api')
    }
    expect(world.network.calls).toHaveLength(before)
  })

  test('names a client of this API, and hosts that are linked to it [VP401-05]', async () => {
    const handover = (more: JsonObject) => (body: JsonObject) => ({
      ...body,
      openid4vp: { client_id: '', ...Object(body['openid4vp']), ...more },
    })
    const elsewhere = await expectRefusal(
      { body: handover({ request_uri: 'https://evil.example/request' }) },
      'request_uri_unlinked',
    )
    expect(elsewhere.network.calls.some(({ url }) => url.includes('evil.example'))).toBe(false)
    await expectRefusal({ clientId: 'x509_hash:unknown' }, 'unknown_client')

    const answersElsewhere = (parameters: JsonObject) => ({
      ...parameters,
      response_uri: 'https://evil.example/response',
    })
    const posted = await expectRefusal({ script: { request: answersElsewhere } }, 'response_uri_unlinked')
    expect(posted.network.calls.some(({ url }) => url.includes('evil.example'))).toBe(false)

    // A client that is trusted, for another API: its word does not count here.
    const base = await createWorld()
    const [verifier] = [{ clientId: base.clientId, anchors: base.verifier.anchors }]
    const foreign = await expectRefusal({ clientId: 'x509_san_dns:other.example' }, 'client_unlinked', {
      wallet: {
        verifiers: [
          { ...verifier, apis: [API] },
          {
            clientId: 'x509_san_dns:other.example',
            anchors: verifier.anchors,
            apis: ['https://other.example'],
          },
        ],
      },
    })
    expect(foreign.to('/request')).toHaveLength(0)
    expect(foreign.to('/response')).toHaveLength(0)
  })

  test('is fetched with a nonce of ours, which the request repeats [VP401-06]', async () => {
    const world = await createWorld()
    await world.callApi()
    expect(form(world.to('/request')[0]).get('wallet_nonce')).toMatch(/^[\w-]{43}$/)
    for (const wallet_nonce of ['another', undefined]) {
      const request = ({ wallet_nonce: _echo, ...rest }: JsonObject) =>
        wallet_nonce === undefined ? rest : { ...rest, wallet_nonce }
      const refused = await expectRefusal({ script: { request } }, 'wallet_nonce')
      expect(refused.to('/response')).toHaveLength(0)
    }
  })

  test('ends where a code is not of the called origin, or a redirect is sent [VP401-12]', async () => {
    const away = () => json(200, { redirect_uri: 'https://other.example/redeem?response_code=code-1' })
    for (const redirected of [
      away,
      () => json(200, {}),
      () => json(200, { redirect_uri: `${API}/r#code` }),
    ]) {
      const world = await expectRefusal({ steps: { '/response': redirected } }, 'no_response_code')
      expect(world.network.calls.some(({ url }) => url.includes('other.example'))).toBe(false)
      expect(world.to('/redeem')).toHaveLength(0)
    }
    const found = () => new Response(null, { status: 302, headers: { Location: 'https://other.example/' } })
    for (const path of ['/request', '/response', '/redeem']) {
      const world = await createWorld({ steps: { [path]: found } })
      expect((await world.callApi()).status).toBe(401)
      expect(world.network.calls.some(({ url }) => url.includes('other.example'))).toBe(false)
    }
  })
})
