import { isJsonObject, parseForm, parseJson } from '@attache/core'
import { parseJws } from '@attache/keys'
import { createRulePdp } from '@attache/policy'
import { describe, expect, test } from 'vitest'
import { AGENT, API, createWalletWorld, MANAGERS_IN_EU, type WorldOptions } from '../support/wallet-world.js'

const REQUIREMENT = { ...MANAGERS_IN_EU, challenge: 'request_uri' } as const

/** The real wallet, with its role, and a real API without an authorization server. */
async function createWorld(options: WorldOptions = {}) {
  const world = await createWalletWorld({
    requirement: REQUIREMENT,
    ...options,
    verifier: { walletAttesters: [], ...options.verifier },
  })
  const { uri, txCode } = await world.offer()
  expect(await world.wallet.receive(AGENT, uri, txCode)).toMatchObject({ outcome: 'stored' })
  const to = (path: string) => world.network.calls.filter(({ url }) => url.startsWith(`${API}${path}`))
  return { ...world, to }
}

describe('an agent and an API without an authorization server', () => {
  test('comes in after a 401, and again with the token it has [VP401-14] [VP401-12]', async () => {
    const world = await createWorld()
    expect((await world.callApi()).status).toBe(200)
    expect((await world.callApi()).status).toBe(200)
    expect(world.to('/payroll/export')).toHaveLength(3)
    for (const path of ['request', 'response', 'redeem']) expect(world.to(`/attache/${path}`)).toHaveLength(1)
    expect(world.to('/.well-known')).toHaveLength(0)
    expect((await world.wallet.explain(AGENT, { limit: 1 }))[0]).toMatchObject({ code: 'presented' })
  })

  test('posts its wallet_nonce and takes no object without it, or with another [VP401-06]', async () => {
    const world = await createWorld()
    expect((await world.callApi()).status).toBe(200)
    const [asked] = world.to('/attache/request')
    expect(asked?.method).toBe('POST')
    expect(parseForm(asked?.body ?? '').get('wallet_nonce')).toMatch(/^[\w-]{43}$/)

    for (const body of ['', 'wallet_nonce=another']) {
      const bent = await createWorld({
        serveApi: (guarded) => async (request) => {
          if (!request.url.includes('/attache/request/')) return guarded(request)
          const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
          return guarded(new Request(request.url, { method: 'POST', headers, body }))
        },
      })
      expect((await bent.callApi()).status).toBe(401)
      expect(bent.to('/attache/response')).toHaveLength(0)
      expect((await bent.wallet.explain(AGENT, { limit: 1 }))[0]).toMatchObject({ code: 'wallet_nonce' })
    }
  })

  test('uses one key from the answer to the call [VP401-08] [VP401-10]', async () => {
    const world = await createWorld()
    expect((await world.callApi()).status).toBe(200)
    const sent = [...world.to('/attache/response'), ...world.to('/attache/redeem'), world.to('/payroll')[1]]
    const keys = sent.map((made) => JSON.stringify(parseJws(made?.headers.get('DPoP') ?? '').header['jwk']))
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
  })

  test('presents again when the API no longer takes its token', async () => {
    const known = { token: true }
    const world = await createWorld({
      serveApi: (guarded) => async (request) => {
        if (known.token || !request.headers.has('Authorization')) return guarded(request)
        known.token = true
        // As after the API lost its store: the same token, and nothing behind it.
        const headers = new Headers(request.headers)
        headers.set('Authorization', 'DPoP eyJhbGciOiJub25lIn0.e30.AA')
        return guarded(new Request(request.url, { method: request.method, headers }))
      },
    })
    expect((await world.callApi()).status).toBe(200)
    world.bench.time.advance(10)
    known.token = false
    expect((await world.callApi()).status).toBe(200)
    expect(world.to('/attache/redeem')).toHaveLength(2)
  })

  test('works where proofs need a nonce of the server', async () => {
    const world = await createWorld({ verifier: { requireDpopNonce: true } })
    expect((await world.callApi()).status).toBe(200)
  })

  test('has the API’s own 401 when its mandate does not cover the API [VP401-14]', async () => {
    const world = await createWorld({ pdp: () => createRulePdp([]) })
    const answer = await world.callApi()
    expect(answer.status).toBe(401)
    expect(answer.headers.get('WWW-Authenticate')).toBe('OpenID4VP version="1"')
    const body = parseJson(await answer.text())
    expect(body.ok && isJsonObject(body.value) ? Object.keys(body.value).sort() : []).toEqual([
      'error',
      'expires_in',
      'openid4vp',
      'transaction_id',
    ])
    expect(world.to('/attache/redeem')).toHaveLength(0)
  })

  test('a valid presentation that is not enough is a 403 that names what is missing', async () => {
    const requirement = { ...REQUIREMENT, decide: () => ({ missing: ['role'] }) }
    const answer = await (await createWorld({ requirement })).callApi()
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ code: 'decision_denied', missing: ['role'] })
  })
})
