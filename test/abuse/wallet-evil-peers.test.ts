import { describe, expect, test } from 'vitest'
import { certify } from '../flows/issuer-bench.js'
import { AGENT, createScriptedWorld } from '../support/scripted-issuer.js'
import { API, createPresentationWorld } from '../support/scripted-verifier.js'
import { EVIL_ISSUERS, NEVER_ENDING } from './evil-issuer.js'
import { EVIL_VERIFIERS } from './evil-verifier.js'

/** Codes that a layer below may find first; each is a refusal of the same attack. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  signature: ['x5c'],
  client_id_mismatch: ['client_id_mismatch'],
  fetch_too_large: ['limits'],
}

describe('an evil verifier', () => {
  for (const { name, code, script, plainOnly } of EVIL_VERIFIERS) {
    const accepted = [code, ...(ALSO[code] ?? [])]
    test(`that ${name} gets no presentation by direct post`, async () => {
      const foreign = await certify('Foreign', ['api.example'])
      const world = await createPresentationWorld({ verifierScript: script(foreign.signer) })
      expect(await world.present()).toMatchObject({ outcome: 'refused' })
      expect(accepted).toContain(await world.reason())
      expect(Object.keys(await world.vpToken())).not.toContain('role_cred')
      expect(world.network.calls.every(({ url }) => !url.startsWith('https://evil.example'))).toBe(true)
    })
    if (plainOnly) continue
    test(`that ${name} gets none on the challenge route, and the agent the refusal of the API`, async () => {
      const foreign = await certify('Foreign', ['api.example'])
      const world = await createPresentationWorld({ verifierScript: script(foreign.signer) })
      expect((await world.callApi()).status).toBe(401)
      expect(accepted).toContain(await world.reason())
      const sent = world
        .to('/challenge')
        .map(({ body }) => new URLSearchParams(body).get('openid4vp_response'))
      expect(sent.filter((one) => one !== null && one !== '{"error":"access_denied"}')).toEqual([])
    })
  }

  test('that relays the request of an honest one for its own origin gets nothing', async () => {
    const evil = 'https://relay.example'
    const world = await createPresentationWorld()
    const honest = await world.network.fetch(`${API}/challenge`, { method: 'POST' })
    const demand: unknown = await honest.json()
    const relay = await createPresentationWorld({
      trust: {
        clientId: world.clientId,
        anchors: world.verifier.anchors,
        apis: [API, evil],
        authorizationServer: evil,
      },
    })
    relay.network.serve(evil, async (request) => {
      const path = new URL(request.url).pathname
      if (path === '/.well-known/oauth-protected-resource')
        return Response.json({ resource: evil, authorization_servers: [evil] })
      if (path === '/.well-known/oauth-authorization-server') {
        return Response.json({
          issuer: evil,
          token_endpoint: `${evil}/token`,
          authorization_challenge_endpoint: `${evil}/challenge`,
        })
      }
      if (path === '/challenge') return Response.json(demand, { status: 401 })
      return new Response(null, { status: 401, headers: { 'WWW-Authenticate': 'DPoP scope="payroll"' } })
    })
    expect((await relay.callApi(`${evil}/payroll`)).status).toBe(401)
    expect(await relay.reason()).toBe('expected_origins')
  })
})

describe('an evil issuer', () => {
  for (const { name, code, script } of EVIL_ISSUERS) {
    test(`that ${name} leaves nothing behind`, async () => {
      const foreign = await certify('Foreign')
      const world = await createScriptedWorld()
      world.play(script(foreign.signer, world.signing.signer))
      expect(await world.receive()).toMatchObject({ outcome: 'refused', code })
      expect(await world.store.list('t/default/wallet/credential/')).toHaveLength(0)
      expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [], pending: 0 })
      expect(world.lines.filter((line) => line.includes('"wallet.receive"'))).toHaveLength(1)
    })
  }

  test('that never keeps its promise is given up after a week', async () => {
    const world = await createScriptedWorld({ script: NEVER_ENDING })
    expect(await world.receive()).toMatchObject({ outcome: 'pending' })
    for (let hour = 0; hour < 8 * 24; hour += 1) {
      world.time.advance(3600)
      await world.wallet.maintain()
    }
    expect(world.calls('/deferred').length).toBeLessThanOrEqual(7 * 24)
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [], pending: 0 })
  })
})
