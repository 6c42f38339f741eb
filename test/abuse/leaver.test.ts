/**
 * Somebody leaves: from the call of the management API to the moment the agent is kept out.
 *
 * Everything but the sockets is real: the management routes of the issuer's server, its status list, the wallet,
 * the verifier. The clock is the only one and moves by hand, so what is measured is the promise, not the machine.
 */
import { routeRequests, SILENT_LOG, systemRandom } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { managementRoutes } from '../../apps/issuer-server/src/management-routes.js'
import { PERSON } from '../flows/issuer-bench.js'
import { AGENT, createWalletWorld } from '../support/wallet-world.js'

/** The `ttl` of the issuer's lists. */
const TTL_SECONDS = 300
const STEP_SECONDS = 5

async function agentAtWork() {
  const world = await createWalletWorld()
  const { uri, txCode } = await world.offer()
  expect(await world.wallet.receive(AGENT, uri, txCode)).toMatchObject({ outcome: 'stored' })
  const { issuer, directory, time } = world.bench
  const deps = { issuer, directory, token: 'management-token', clock: time.clock }
  const manage = routeRequests(managementRoutes('', { ...deps, random: systemRandom, log: SILENT_LOG }))
  const change = async (body: object) => {
    const headers = { Authorization: 'Bearer management-token', 'Content-Type': 'application/json' }
    const target = 'https://issuer.example/manage/v1/credentials/status'
    const answer = await manage(new Request(target, { method: 'POST', headers, body: JSON.stringify(body) }))
    expect(answer?.status).toBe(200)
  }
  return { ...world, time, change }
}

/** Seconds until the agent, which never stops calling, is refused for the first time. */
async function secondsUntilRefused({ time, callApi }: Awaited<ReturnType<typeof agentAtWork>>) {
  const begun = time.clock()
  while (time.clock() - begun <= 4 * TTL_SECONDS) {
    const { status } = await callApi()
    if (status !== 200) return { seconds: time.clock() - begun, status }
    time.advance(STEP_SECONDS)
  }
  throw new Error('It was never refused.')
}

describe('from the management API to the refusal', () => {
  // How long the verifier has had its copy of the list, and so how long it may still serve.
  test.each([
    ['the agent', { agent: AGENT }, 0],
    ['all agents of an owner who leaves', { owner: PERSON['employee_id'] }, 0],
    ['the agent, while the copy of the list is old', { agent: AGENT }, 290],
  ])('revoking %s takes no longer than the ttl of the list', async (whom, query, age) => {
    const world = await agentAtWork()
    expect((await world.callApi()).status).toBe(200)
    world.time.advance(age)

    await world.change({ ...query, status: 'invalid' })
    const { seconds, status } = await secondsUntilRefused(world)

    console.info(`revoke ${whom}: refused with ${status} after ${seconds} s, ttl ${TTL_SECONDS} s`)
    expect(seconds).toBeLessThanOrEqual(TTL_SECONDS - age + STEP_SECONDS)
    expect([401, 403]).toContain(status)
    // It stays so, whatever the agent tries: neither its token nor another presentation helps.
    for (const later of [0, 60, 600]) {
      world.time.advance(later)
      expect([401, 403]).toContain((await world.callApi()).status)
    }
  })

  test('a suspended agent is kept out as soon', async () => {
    const world = await agentAtWork()
    expect((await world.callApi()).status).toBe(200)
    await world.change({ agent: AGENT, status: 'suspended' })

    const { seconds, status } = await secondsUntilRefused(world)
    expect(seconds).toBeLessThanOrEqual(TTL_SECONDS + STEP_SECONDS)
    expect([401, 403]).toContain(status)
  })
})
