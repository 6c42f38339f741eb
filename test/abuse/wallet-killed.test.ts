/**
 * A wallet daemon that is killed while it presents: no copy goes out twice, and no credential is lost.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { callSocket, RECEIVE_PATH } from '@attache/agent'
import { isJsonArray, isJsonObject, type JsonObject } from '@attache/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createWalletClient } from '../../apps/cli/src/wallet-client.js'
import { type Bundle, bundle } from '../support/bundle.js'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { AGENT } from '../support/wallet-world.js'

type Step = 'metadata' | 'challenge' | 'presentation' | 'token' | 'call'

/** Copies for single use, and no renewal that could bring new ones. */
const single = (configuration: JsonObject): JsonObject => {
  const { issuers } = configuration
  const once = isJsonArray(issuers)
    ? issuers.map((issuer) => (isJsonObject(issuer) ? { ...issuer, use: 'once' } : issuer))
    : []
  return { ...configuration, issuers: once, maintenanceSeconds: 86_400 }
}

async function stepOf(request: Request): Promise<Step | undefined> {
  const { pathname } = new URL(request.url)
  if (pathname.includes('oauth-authorization-server')) return 'metadata'
  if (pathname.endsWith('/token')) return 'token'
  if (pathname === '/payroll/export' && request.headers.has('dpop')) return 'call'
  if (request.method !== 'POST') return undefined
  const form = new URLSearchParams(await request.clone().text())
  if (form.has('openid4vp_response')) return 'presentation'
  return form.has('response_type') ? 'challenge' : undefined
}

let daemon: Bundle
let world: DaemonWorld
let child: ChildProcess
let killAt: Step | undefined
let presented = 0

async function start(): Promise<void> {
  child = spawn(process.execPath, [daemon.path, world.configPath, String(world.bench.time.clock())], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.stdout === null) throw new Error('The daemon has no output.')
  await once(child.stdout, 'data')
}

async function kill(): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

beforeAll(async () => {
  daemon = await bundle('test/abuse/wallet-child.ts')
  world = await createDaemonWorld(single, { batchSize: 10 })
  await world.daemon().close()
  await start()
  const { uri, txCode } = await world.bench.issuer.createOffer(
    { agent: AGENT, by: 'value' },
    world.bench.time.clock(),
  )
  const body = JSON.stringify({ agent: AGENT, offer: uri, txCode })
  const socketPath = world.daemon().operatorSocket
  const reply = await callSocket({ socketPath, method: 'POST', path: RECEIVE_PATH, body })
  expect(reply.value).toMatchObject({ outcome: 'stored' })
  world.serveApi((guarded) => async (request) => {
    const step = await stepOf(request)
    if (step === 'presentation') presented += 1
    if (step !== undefined && step === killAt) {
      killAt = undefined
      await kill()
    }
    return guarded(request)
  })
}, 120_000)
afterAll(async () => {
  await kill()
  await world.close()
  daemon.remove()
})

const copiesLeft = async () => {
  const { agents } = await createWalletClient(world.daemon().operatorSocket).status()
  return agents[0]?.credentials[0]?.copiesLeft ?? Number.NaN
}
const call = () => world.agentFetch()(`${world.api}/payroll/export`, { method: 'POST' })

test('spends a copy before its bytes leave, and keeps the rest, wherever it is killed', async () => {
  const copies = await copiesLeft()
  expect(copies).toBeGreaterThan(3)
  const steps: readonly (readonly [Step, number])[] = [
    ['metadata', 0],
    ['challenge', 0],
    ['presentation', 1],
    ['token', 1],
    ['call', 1],
  ]
  for (const [step, spent] of steps) {
    const before = { left: await copiesLeft(), presented }
    killAt = step
    // The API's own refusal, or the answer to the call that was already on its way.
    expect([401, 200]).toContain((await call()).status)
    expect(killAt).toBeUndefined()
    await start()
    // Durable before the bytes left: the restarted daemon counts exactly what went out, no more and no less.
    expect([step, presented - before.presented]).toEqual([step, spent])
    expect([step, before.left - (await copiesLeft())]).toEqual([step, spent])
    // What was stopped in the middle does not stop the next call.
    if (step === 'call') expect((await call()).status).toBe(200)
  }
  expect(copies - (await copiesLeft())).toBe(presented)
}, 180_000)
