import { callSocket, createAgentFetch, RECEIVE_PATH } from '@attache/agent'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { AGENT } from '../support/wallet-world.js'

let world: DaemonWorld
let fetch: typeof globalThis.fetch
const url = () => `${world.api}/payroll/export`
beforeAll(async () => {
  world = await createDaemonWorld()
  const { uri, txCode } = await world.bench.issuer.createOffer(
    { agent: AGENT, by: 'value' },
    world.bench.time.clock(),
  )
  const body = JSON.stringify({ agent: AGENT, offer: uri, txCode })
  await callSocket({ socketPath: world.daemon().operatorSocket, method: 'POST', path: RECEIVE_PATH, body })
  fetch = world.agentFetch()
})
afterAll(() => world.close())

const calls = () => world.seen.filter(({ url: called }) => called.startsWith(url()))
const challenge = (error: string) =>
  new Response(null, {
    status: 401,
    headers: { 'WWW-Authenticate': `DPoP error="${error}"`, 'DPoP-Nonce': 'n-1' },
  })

describe('the fetch of an agent', () => {
  test('sends every kind of body whole, both times', async () => {
    const bodies = [
      '{"a":1}',
      new URLSearchParams({ a: '1' }),
      new TextEncoder().encode('bytes'),
      new Blob(['blob']),
    ]
    world.serveApi((guarded) => async (request) => {
      const answer = await guarded(request.clone())
      return answer.status === 200 && request.url === url() ? new Response(await request.text()) : answer
    })
    for (const body of bodies) {
      const expected = await new Response(body).text()
      expect(await (await fetch(url(), { method: 'POST', body })).text()).toBe(expected)
    }
    expect(await (await fetch(new Request(url(), { method: 'POST', body: 'request' }))).text()).toBe(
      'request',
    )
    world.serveApi((same) => same)
  })

  test('refuses a stream before anything is sent', async () => {
    const before = world.seen.length
    const body = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1024)) })
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', body, duplex: 'half' }
    await expect(fetch(url(), init)).rejects.toMatchObject({ code: 'body_not_replayable' })
    const small = createAgentFetch({
      socket: world.daemon().agentSockets.get(AGENT) ?? '',
      caFile: world.caFile,
      maxBodyBytes: 10,
    })
    await expect(small(url(), { method: 'POST', body: 'x'.repeat(11) })).rejects.toMatchObject({
      code: 'body_too_large',
    })
    expect(world.seen).toHaveLength(before)
  })

  test('proves again with the nonce an API asks for, once [DPOP-C-04] [DPOP-C-05] [DPOP-C-06]', async () => {
    let left = 1
    world.serveApi((guarded) => async (request) => {
      if (!request.url.startsWith(url())) return guarded(request)
      left -= 1
      return left >= 0
        ? challenge('use_dpop_nonce')
        : Response.json({ ok: true }, { headers: { 'DPoP-Nonce': 'n-2' } })
    })
    const before = calls().length
    const answer = await fetch(url(), { method: 'POST' })
    expect(answer.status).toBe(200)
    expect(answer.headers.has('dpop-nonce')).toBe(false)
    await fetch(url(), { method: 'POST' })
    const proofs = calls()
      .slice(before)
      .map((request) =>
        JSON.parse(
          Buffer.from((request.headers.get('dpop') ?? '').split('.')[1] ?? '', 'base64url').toString(),
        ),
      )
    expect(proofs.map(({ nonce }) => nonce)).toEqual([undefined, 'n-1', 'n-2'])
    expect(new Set(proofs.map(({ jti }) => jti)).size).toBe(3)

    left = 1000
    const again = calls().length
    expect((await fetch(url(), { method: 'POST' })).status).toBe(401)
    expect(calls().length - again).toBe(2)
    world.serveApi((same) => same)
  })

  test('follows no redirect with the wallet headers on it [DPOP-C-11]', async () => {
    world.serveApi(
      (guarded) => async (request) =>
        request.url.startsWith(url())
          ? new Response(null, { status: 307, headers: { Location: `${world.api}/elsewhere` } })
          : guarded(request),
    )
    const before = world.seen.length
    expect((await fetch(url(), { method: 'POST' })).status).toBe(307)
    expect(world.seen.length - before).toBe(1)
    world.serveApi((same) => same)
  })

  test('leaves a call with credentials of its own alone', async () => {
    const before = calls().length
    const answer = await fetch(url(), { method: 'POST', headers: { authorization: 'Bearer mine' } })
    expect(answer.status).toBe(401)
    expect(
      calls()
        .slice(before)
        .map((request) => request.headers.get('authorization')),
    ).toEqual(['Bearer mine'])
  })

  test('ends with the reason of an abort, before and while it waits', async () => {
    const reason = new Error('enough')
    await expect(fetch(url(), { method: 'POST', signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const controller = new AbortController()
    world.serveApi(() => async () => {
      controller.abort(reason)
      return new Promise<Response>((resolve) => setTimeout(() => resolve(new Response(null)), 50))
    })
    await expect(fetch(url(), { method: 'POST', signal: controller.signal })).rejects.toBe(reason)
    world.serveApi((same) => same)
  })

  test('rejects as fetch does where a server is not trusted, and plainly where no wallet answers', async () => {
    const socket = world.daemon().agentSockets.get(AGENT) ?? ''
    const before = world.seen.length
    await expect(createAgentFetch({ socket })(url(), { method: 'POST' })).rejects.toThrow(
      'fetch failed: no trusted authority signed the certificate of the API. Name its CA in ATTACHE_CA_FILE.',
    )
    await expect(
      createAgentFetch({ socket: '/nowhere.sock', caFile: world.caFile })(url()),
    ).rejects.toMatchObject({ code: 'wallet_unreachable' })
    expect(world.seen).toHaveLength(before)
    expect((await fetch(url(), { method: 'POST' })).status).toBe(200)
  })

  test('names what is missing when it is made', () => {
    expect(() => createAgentFetch({ socket: '' })).toThrow(
      expect.objectContaining({ code: 'socket_not_configured' }),
    )
    expect(() => createAgentFetch({ socket: '/x', caFile: '/nowhere.pem' })).toThrow(
      expect.objectContaining({ code: 'ca_unreadable' }),
    )
  })

  test('hands on no request for a presentation that a redirect led to [VP401-04]', async () => {
    const demand = (path: string) =>
      new Response(
        JSON.stringify({
          error: 'presentation_required',
          openid4vp: { client_id: world.clientId, request_uri: `${world.api}${path}` },
          transaction_id: 'A'.repeat(43),
          expires_in: 120,
        }),
        { status: 401, headers: { 'WWW-Authenticate': 'OpenID4VP version="1"' } },
      )
    world.serveApi((guarded) => async (request) => {
      const { pathname } = new URL(request.url)
      if (pathname === '/moved')
        return new Response(null, { status: 307, headers: { Location: '/led-here' } })
      if (pathname === '/led-here') return demand('/handed-by-redirect')
      return pathname === '/direct' ? demand('/handed-directly') : guarded(request)
    })
    const asked = (path: string) => world.seen.filter(({ url: called }) => called.endsWith(path)).length
    // An agent without a token: the call itself then follows redirects.
    const other = world.agentFetch('other-agent')
    expect((await other(`${world.api}/moved`)).status).toBe(401)
    expect([asked('/led-here'), asked('/handed-by-redirect')]).toEqual([1, 0])
    expect((await other(`${world.api}/direct`)).status).toBe(401)
    expect(asked('/handed-directly')).toBe(1)
    world.serveApi((same) => same)
  })
})
