import { statSync } from 'node:fs'
import { callSocket, METRICS_PATH, RECEIVE_PATH, STATUS_PATH, tokenPathOf } from '@attache/agent'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { AGENT } from '../support/wallet-world.js'

describe('the wallet daemon over sockets and https', () => {
  let world: DaemonWorld
  beforeAll(async () => {
    world = await createDaemonWorld()
  })
  afterAll(() => world.close())

  const ask = (path: string, body?: object) =>
    callSocket({
      socketPath: world.daemon().operatorSocket,
      path,
      method: body === undefined ? 'GET' : 'POST',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })

  test('receives an offer on the operator socket and calls the API on the agent socket', async () => {
    const { uri, txCode } = await world.bench.issuer.createOffer(
      { agent: AGENT, by: 'reference' },
      world.bench.time.clock(),
    )
    expect((await ask(RECEIVE_PATH, { agent: AGENT, offer: uri, txCode })).value).toMatchObject({
      outcome: 'stored',
      vct: world.vct,
    })

    const answer = await world.agentFetch()(`${world.api}/payroll/export`, {
      method: 'POST',
      body: '{"month":"2026-08"}',
    })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ done: true })
  })

  test('shows the operator, and no agent, what it counted', async () => {
    const { value } = await ask(METRICS_PATH)
    expect(value).toMatchObject({ text: expect.stringContaining('code="stored"} 1') })
    expect((await ask('/metrics')).status).toBe(200)
    const socketPath = world.daemon().agentSockets.get(AGENT) ?? ''
    for (const path of ['/metrics', METRICS_PATH])
      expect((await callSocket({ socketPath, method: 'GET', path })).status).toBe(404)
  })

  test('keeps credential and token over a restart', async () => {
    await world.restart()
    const before = world.seen.length
    const answer = await world.agentFetch()(`${world.api}/payroll/export`, { method: 'POST' })
    expect(answer.status).toBe(200)
    // The kept token goes with the first attempt: one call, no challenge.
    expect(world.seen.length - before).toBe(1)
    expect((await ask(STATUS_PATH)).value).toMatchObject({
      agents: [{ agent: AGENT, credentials: [{ state: 'active' }] }, { credentials: [] }],
    })
  })

  test('another agent gets the answer of the API unchanged [IA-W-22]', async () => {
    const plain = await world.agentFetch('other-agent')(`${world.api}/payroll/export`, { method: 'POST' })
    expect(plain.status).toBe(401)
    expect(plain.headers.get('www-authenticate')).toContain('resource_metadata=')
  })

  test('sockets and token files belong to this user alone', () => {
    for (const path of [world.daemon().operatorSocket, ...world.daemon().agentSockets.values()]) {
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(statSync(tokenPathOf(path)).mode & 0o777).toBe(0o600)
    }
  })
})
