/**
 * Addresses that lead inward: whoever names one to a running wallet, in whatever document, gets no connection made.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { callSocket, PRESENT_PATH, RECEIVE_PATH } from '@attache/agent'
import { type Handler, isJsonObject, type JsonObject, type JsonValue } from '@attache/core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { AGENT } from '../support/wallet-world.js'

/** Something on this host that nobody outside was to reach: `localhost` may be called, this address may not. */
let inside: Server
let connections = 0
/** How often an altered document was handed out. */
let altered = 0
let inward: string
let world: DaemonWorld

beforeAll(async () => {
  inside = createServer((socket) => {
    connections += 1
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(inside, 'listening')
  const address = inside.address()
  inward = `https://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  world = await createDaemonWorld()
})
afterAll(async () => {
  inside.close()
  await world.close()
})
beforeEach(() => {
  connections = 0
  altered = 0
  world.serveIssuer()
  world.serveApi((guarded) => guarded)
})

async function tell(path: string, body: JsonObject): Promise<JsonObject> {
  const socketPath = world.daemon().operatorSocket
  const { value } = await callSocket({ socketPath, path, method: 'POST', body: JSON.stringify(body) })
  return isJsonObject(value) ? value : {}
}
const receive = (offer: string, txCode?: string) =>
  tell(RECEIVE_PATH, { agent: AGENT, offer, ...(txCode === undefined ? {} : { txCode }) })
async function receiveSound(): Promise<JsonObject> {
  const { issuer, time } = world.bench
  const { uri, txCode } = await issuer.createOffer({ agent: AGENT, by: 'value' }, time.clock())
  return receive(uri, txCode)
}

/** Answers as before, but for one document, in which a member says something else. */
const saying =
  (path: string, name: string, value: JsonValue) =>
  (sound: Handler): Handler =>
  async (request) => {
    const answer = await sound(request)
    if (!new URL(request.url).pathname.includes(path)) return answer
    altered += 1
    const document: unknown = await answer.json()
    return Response.json({ ...(isJsonObject(document) ? document : {}), [name]: value })
  }
const issuing: Handler = async (request) => {
  const { method, headers } = request
  const body = method === 'GET' ? {} : { body: await request.text() }
  return world.bench.send(request.url, { method, headers, ...body })
}

describe('a wallet makes no connection inward', () => {
  test('for the address of an offer, or the issuer that an offer names', async () => {
    const offer = JSON.stringify({ credential_issuer: inward, credential_configuration_ids: ['a'] })
    for (const query of [
      `credential_offer_uri=${encodeURIComponent(`${inward}/offer`)}`,
      `credential_offer=${encodeURIComponent(offer)}`,
    ]) {
      const reply = await receive(`openid-credential-offer://?${query}`)
      expect(reply).toMatchObject({ outcome: 'refused', code: 'untrusted_issuer' })
    }
    expect(connections).toBe(0)
  })

  test('for the address of a request', async () => {
    const query = new URLSearchParams({ client_id: world.clientId, request_uri: `${inward}/request` })
    const reply = await tell(PRESENT_PATH, { agent: AGENT, request: `openid4vp://?${query}` })
    expect(reply).toMatchObject({ outcome: 'refused' })
    expect(connections).toBe(0)
  })

  test.each([
    ['/.well-known/openid-credential-issuer', 'credential_endpoint'],
    ['/.well-known/openid-credential-issuer', 'nonce_endpoint'],
    ['/.well-known/oauth-authorization-server', 'token_endpoint'],
    ['/.well-known/oauth-authorization-server', 'challenge_endpoint'],
  ])('for what metadata of a trusted issuer (%s) calls its %s', async (path, name) => {
    world.serveIssuer(saying(path, name, `${inward}/x`)(issuing))
    expect(await receiveSound()).not.toMatchObject({ outcome: 'stored' })
    expect(altered).toBeGreaterThan(0)
    expect(connections).toBe(0)
  })

  test('for a redirect of a trusted issuer', async () => {
    world.serveIssuer(async () => new Response(null, { status: 302, headers: { Location: inward } }))
    expect(await receiveSound()).toMatchObject({ outcome: 'refused' })
    expect(connections).toBe(0)
  })

  test.each<readonly [string, string, (to: string) => JsonValue]>([
    ['/.well-known/oauth-protected-resource', 'authorization_servers', (to) => [to]],
    ['/.well-known/oauth-authorization-server', 'token_endpoint', (to) => `${to}/token`],
    [
      '/.well-known/oauth-authorization-server',
      'authorization_challenge_endpoint',
      (to) => `${to}/challenge`,
    ],
  ])('for what metadata of a trusted API (%s) calls its %s', async (path, name, value) => {
    world.serveIssuer()
    expect(await receiveSound()).toMatchObject({ outcome: 'stored' })
    world.serveApi(saying(path, name, value(inward)))
    expect((await world.agentFetch()(`${world.api}/payroll/export`, { method: 'POST' })).status).toBe(401)
    expect(altered).toBeGreaterThan(0)
    expect(connections).toBe(0)
  })

  test('and would have been noticed if it had; unaltered peers are served', async () => {
    await expect(fetch(inward)).rejects.toThrow(TypeError)
    expect(connections).toBe(1)
    expect(await receiveSound()).toMatchObject({ outcome: 'stored' })
    const answer = await world.agentFetch()(`${world.api}/payroll/export`, { method: 'POST' })
    expect(answer.status).toBe(200)
  })
})
