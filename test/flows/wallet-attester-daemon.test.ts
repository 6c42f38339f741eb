/**
 * The whole way without a static secret: a workload token, an attestation, a credential, a call that a role opens.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { callSocket, RECEIVE_PATH } from '@attache/agent'
import { isJsonObject, type JsonObject, type JsonValue, member } from '@attache/core'
import { createLevelStore } from '@attache/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createWalletClient } from '../../apps/cli/src/wallet-client.js'
import { examineWallet } from '../../apps/cli/src/wallet-doctor.js'
import { attest, type RunningAttester } from '../../apps/wallet/src/attest.js'
import { type AttesterWorld, createAttesterWorld } from '../support/attester-world.js'
import { NOW } from '../support/clock.js'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { AGENT } from '../support/wallet-world.js'

let attesterWorld: AttesterWorld
let attester: RunningAttester
let world: DaemonWorld

beforeAll(async () => {
  attesterWorld = await createAttesterWorld((same) => ({ ...same, dataFolder: 'data' }))
  attester = await attest(attesterWorld.configPath, () => world?.bench.time.clock() ?? NOW)
  attesterWorld.forwardTo(attester.listen.port)
  const { attester: url, tokenFile: workloadTokenFile, anchorsFile, anchors, tls } = attesterWorld
  const attestation = { attester: { url, workloadTokenFile, anchors: anchorsFile } }
  world = await createDaemonWorld((same) => same, { attester: { anchors, tls, attestation } })
})
afterAll(() => attesterWorld.close())

const now = () => world.bench.time.clock()

async function receive(agent = AGENT): Promise<JsonObject> {
  const { uri, txCode } = await world.bench.issuer.createOffer({ agent, by: 'value' }, now())
  const body = JSON.stringify({ agent, offer: uri, txCode })
  const socketPath = world.daemon().operatorSocket
  const { value } = await callSocket({ socketPath, method: 'POST', path: RECEIVE_PATH, body })
  return isJsonObject(value) ? value : {}
}

const call = (agent = AGENT) =>
  world.agentFetch(agent)(`${world.api}/payroll/export`, { method: 'POST', body: '{"month":"2026-08"}' })

/** A token that counts at this moment, for an hour at most. */
const mount = (change = {}) => attesterWorld.mount({ iat: now(), nbf: now(), exp: now() + 3600, ...change })

describe('a wallet that an attester knows by its workload', () => {
  test('gets a credential in high assurance mode and is let in by its role, with no static secret', async () => {
    await mount()
    expect(await receive()).toMatchObject({ outcome: 'stored', vct: world.vct })
    const answer = await call()
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ done: true })
    // Two authorization servers, two keys and two attestations; one look at the keys of the platform.
    expect(attesterWorld.cluster.fetches()).toBe(1)
  })

  test('has no key but that of its vault, and what anybody may know', () => {
    const configuration = readFileSync(world.configPath, 'utf8')
    expect(configuration).not.toContain('walletProvider')
    const files = readdirSync(world.folder, { withFileTypes: true }).filter((entry) => entry.isFile())
    expect(files.map(({ name }) => name).sort()).toEqual([
      'issuer-ca.pem',
      'master.key',
      'release-rules.json',
      'tls-ca.pem',
      'verifier-ca.pem',
      'wallet.json',
    ])
    for (const { name } of files)
      expect(readFileSync(join(world.folder, name), 'utf8')).not.toContain('PRIVATE KEY')
  })

  test('asks once for many: the attestation at hand is used again', async () => {
    const asked = attesterWorld.cluster.fetches()
    await mount({ aud: ['https://elsewhere.example'] })
    // The token on disk would be refused now, and nobody looks at it.
    expect(await receive()).toMatchObject({ outcome: 'stored' })
    expect(attesterWorld.cluster.fetches()).toBe(asked)
  })

  test('reads the token anew when the attestation ends, also one that a rotated key signed', async () => {
    world.bench.time.advance(901)
    await attesterWorld.cluster.rotate('key-2')
    await mount()
    expect(await receive()).toMatchObject({ outcome: 'stored' })
  })
})

describe('attache wallet doctor, with an attester', () => {
  test('looks at the token file, the anchors and the clock of the attester', async () => {
    const { operatorSocket } = world.daemon()
    const findings = await examineWallet(operatorSocket, createWalletClient(operatorSocket))
    const outcomes = new Map(findings.map(({ check, outcome }) => [check, outcome]))
    expect(outcomes.get('workload-token')).toBe('ok')
    expect(outcomes.get(`trust:${attesterWorld.anchorsFile}`)).toBe('ok')
    expect(outcomes.has(`clock:${attesterWorld.attester}`)).toBe(true)
    expect([...outcomes.keys()].filter((check) => check.startsWith('secret:'))).toEqual(['secret:master.key'])
  })
})

describe('a wallet that the attester does not vouch for', () => {
  const refusals: readonly (readonly [string, () => Promise<void>])[] = [
    ['a token for another audience', () => mount({ aud: ['https://kubernetes.default.svc'] })],
    ['a token of another workload', () => mount({ sub: 'system:serviceaccount:payroll:web' })],
    ['a token whose claims do not fit', () => mount({ 'kubernetes.io': { namespace: 'sales' } })],
    ['an expired token', () => mount({ iat: now() - 4000, nbf: now() - 4000, exp: now() - 500 })],
  ]
  test.each(refusals)(
    'is told so for %s, with the id under which the log has the reason',
    async (_, place) => {
      // Past the attestation and past every back-off.
      world.bench.time.advance(1000)
      await place()
      const reply = await receive()
      expect(reply).toMatchObject({ outcome: 'refused', code: 'attester_refused' })
      expect(member(reply, 'message')).toMatch(/ req_[\w-]{22}\. /)
      expect(member(reply, 'message')).toContain('Compare its rules')
    },
  )

  test('is told so for an agent that no rule names', async () => {
    world.bench.time.advance(1000)
    await mount()
    expect(await receive('other-agent')).toMatchObject({ outcome: 'refused', code: 'attester_refused' })
    expect(await receive()).toMatchObject({ outcome: 'stored' })
  })

  test('is told which file to look at when there is no token', async () => {
    world.bench.time.advance(1000)
    writeFileSync(attesterWorld.tokenFile, 'not a token')
    const reply = await receive()
    expect(reply).toMatchObject({ outcome: 'refused', code: 'workload_token_unreadable' })
    expect(member(reply, 'message')).toContain('workloadTokenFile')
  })
})

describe('an attester that does not answer', () => {
  test('is not missed until the attestation ends; then the wallet says what to do, and comes back', async () => {
    world.bench.time.advance(1000)
    await mount()
    expect(await receive()).toMatchObject({ outcome: 'stored' })
    attesterWorld.front.serve(async () => new Response(null, { status: 503 }))
    // Two minutes before the end it would have asked; what is at hand goes on.
    world.bench.time.advance(880)
    expect(await receive()).toMatchObject({ outcome: 'stored' })

    world.bench.time.advance(30)
    const reply = await receive()
    expect(reply).toMatchObject({ outcome: 'refused', code: 'attester_unavailable' })
    expect(member(reply, 'message')).toContain('Check attestation.attester.url')
    // The agent gets the API's own answer, as ever.
    const plain = await call()
    expect(plain.status).toBe(401)
    expect(plain.headers.get('www-authenticate')).toContain('resource_metadata=')

    attesterWorld.forwardTo(attester.listen.port)
    world.bench.time.advance(120)
    await mount()
    expect(await receive()).toMatchObject({ outcome: 'stored' })
    expect((await call()).status).toBe(200)
  })
})

describe('what lies on disk', () => {
  test('instance keys are records that the master key of the vault seals', async () => {
    await world.daemon().close()
    const store = await createLevelStore({ path: join(world.folder, 'data'), clock: now })
    try {
      const keys = await store.list('t/default/wallet/key/')
      expect(keys.length).toBeGreaterThan(2)
      for (const { value } of keys) expect(namesOf(value)).not.toContain('d')
    } finally {
      await store.close()
    }
    await world.close()
  })

  test('the attester has written down whom it vouched for', async () => {
    await attester.close()
    const store = await createLevelStore({ path: join(attesterWorld.folder, 'data'), clock: () => NOW })
    try {
      const entries = await store.list('t/default/audit/entry/attester/')
      expect(entries.length).toBeGreaterThan(4)
      expect(entries[0]?.value).toMatchObject({ kind: 'attester.vouched', facts: { rule: 'payroll' } })
    } finally {
      await store.close()
    }
  })
})

/** The member names of a value, at any depth. */
function namesOf(value: JsonValue): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(namesOf)
  if (!isJsonObject(value)) return []
  return Object.entries(value).flatMap(([name, inner]) => [name, ...namesOf(inner)])
}
