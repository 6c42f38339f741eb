import { createMemoryStore, isJsonObject, type JsonValue } from '@attache/core'
import { createEnvelope } from '@attache/keys'
import { createRulePdp } from '@attache/policy'
import { createWallet, createWalletProvider, type Wallet } from '@attache/wallet'
import { describe, expect, test, vi } from 'vitest'
import { createSeededRandom } from '../support/random.js'
import {
  AGENT,
  answer,
  CLIENT,
  createScriptedWorld,
  ISSUER,
  OFFER,
  offerLink,
  TX_CODE,
  VCT,
} from '../support/scripted-issuer.js'
import { CALL, createPresentationWorld } from '../support/scripted-verifier.js'
import { certify } from './issuer-bench.js'

describe('what a wallet keeps', () => {
  test('is worth nothing without the master key, or in another place [VCI-W-SEC-04] [VCI-W-TK-15]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    const dump = JSON.stringify(await world.store.list('t/'))
    expect(dump).not.toMatch(/Manager|E-10442|eyJ[\w-]+\.eyJ|"d":/)

    const [entry] = await world.store.list('t/default/wallet/credential/agent-1/')
    const stolen = entry?.key.replace('/agent-1/', '/agent-2/') ?? ''
    await world.store.put(stolen, entry?.value ?? null)
    await expect(world.wallet.overview('agent-2')).rejects.toMatchObject({ code: 'record_changed' })
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [{ state: 'active' }] })
  })

  test('is kept back while it is suspended, and shown again as soon as the list says so', async () => {
    const world = await createPresentationWorld()
    world.play({ status: 2 })
    world.time.advance(3601)
    expect(await world.present()).toMatchObject({ outcome: 'refused' })
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [{ state: 'suspended' }] })

    // A list that cannot be had does not end a suspension.
    world.play({ steps: { '/status/1': () => answer(503, {}) } })
    world.time.advance(3601)
    expect(await world.present()).toMatchObject({ outcome: 'refused' })

    world.play({})
    world.time.advance(3601)
    expect((await world.callApi()).status).toBe(200)
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [{ state: 'active' }] })
  })

  test('stays usable when the store fails after a credential was kept, while old keys are destroyed', async () => {
    const world = await createPresentationWorld()
    const { commit } = world.store
    let failures = 0
    const failing = vi.spyOn(world.store, 'commit').mockImplementation(async (steps) => {
      const destroys = steps.some(({ op, key }) => op === 'remove' && key.includes('/wallet/key/'))
      if (!destroys || failures === 1) return commit(steps)
      failures += 1
      throw new Error('disk')
    })
    const grant = { 'pre-authorized_code': 'another-code', tx_code: { length: 6 } }
    const another = offerLink({
      ...OFFER,
      grants: { 'urn:ietf:params:oauth:grant-type:pre-authorized_code': grant },
    })
    await expect(world.wallet.receive(AGENT, another, TX_CODE)).rejects.toThrow('disk')
    failing.mockRestore()

    world.restart()
    expect((await world.callApi()).status).toBe(200)
  })

  test('is the newest edition or nothing: an older record that is put back stops the agent, and no other', async () => {
    const world = await createPresentationWorld()
    expect((await world.callApi()).status).toBe(200)
    const [before] = await world.store.list('t/default/wallet/credential/agent-1/')
    world.play({ status: 2 })
    world.time.advance(3601)
    await world.wallet.maintain()
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [{ state: 'suspended' }] })

    // The record from before the suspension, back at its place.
    await world.store.put(before?.key ?? '', before?.value ?? null)
    world.play({})
    world.time.advance(3601)
    expect(await world.present()).toMatchObject({ outcome: 'refused' })
    world.restart()
    world.time.advance(1)
    expect(await world.present()).toMatchObject({ outcome: 'refused' })
    expect(await world.reason()).toBe('record_rolled_back')
    await expect(world.wallet.overview(AGENT)).rejects.toMatchObject({ code: 'record_rolled_back' })
    expect(await world.wallet.overview('agent-2')).toMatchObject({ credentials: [] })
    await world.wallet.maintain()
    expect(world.lines.some((line) => line.includes('wallet.agent_unreadable'))).toBe(true)
  })

  test('turns over to a new master key, and leaves the old one behind', async () => {
    const random = createSeededRandom('rotation')
    const [provider, issuer] = await Promise.all([certify('Provider'), certify('Acme')])
    const clock = () => 1_790_000_000
    const store = createMemoryStore({ clock })
    const keys = [1, 2].map((fill) => ({ id: `m${fill}`, key: new Uint8Array(32).fill(fill) }))
    const open = (...masterKeys: typeof keys): Wallet =>
      createWallet(
        {
          profile: 'base',
          algorithms: ['ES256'],
          agents: [{ id: AGENT, clientId: CLIENT }],
          issuers: [{ credentialIssuer: ISSUER, vcts: [VCT], anchors: issuer.anchors }],
          verifiers: [],
        },
        {
          store,
          clock,
          random,
          envelope: createEnvelope(masterKeys, { random }),
          fetch: async () => new Response(null, { status: 503 }),
          log: { info: () => {}, warn: () => {}, error: () => {} },
          pdp: createRulePdp([]),
          attester: createWalletProvider({}, { signer: provider.signer }),
        },
      )
    const [first, second] = keys
    if (first === undefined || second === undefined) throw new Error('Two keys are needed.')
    await open(first).setStopped(AGENT, true)
    await expect(open(second).overview(AGENT)).rejects.toMatchObject({ code: 'record_master_key_unknown' })
    expect(await open(second, first).rotateMasterKey()).toBeGreaterThan(0)
    expect(await open(second, first).rotateMasterKey()).toBe(0)
    expect(await open(second).overview(AGENT)).toMatchObject({ stopped: true })
  })

  test('stays where a release reads a record of a later one: it refuses', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    const [entry] = await world.store.list('t/default/wallet/credential/agent-1/')
    const later: JsonValue = isJsonObject(entry?.value) ? { ...entry.value, v: 2 } : null
    await world.store.put(entry?.key ?? '', later)
    await expect(world.wallet.overview(AGENT)).rejects.toMatchObject({ code: 'record_version_unknown' })
  })
})

describe('an issuance that takes long', () => {
  test('is not taken for one that was left behind while it is still at work', async () => {
    const world = await createPresentationWorld({ holding: false })
    let isWaiting = false
    const slow = async () => {
      if (isWaiting) return undefined
      isWaiting = true
      world.time.advance(120)
      await world.wallet.maintain()
      return undefined
    }
    world.play({ steps: { '/credential': slow } })
    expect(await world.receive()).toMatchObject({ outcome: 'stored' })
    expect(isWaiting).toBe(true)
    expect(world.calls('/credential')).toHaveLength(1)
    // The key it was made for is still there.
    expect((await world.callApi()).status).toBe(200)
    expect(await world.wallet.overview(AGENT)).toMatchObject({ pending: 0 })
  })
})

describe('the kill switch', () => {
  test('stops an agent at once, over a restart, and drops its tokens', async () => {
    const world = await createPresentationWorld()
    expect((await world.callApi()).status).toBe(200)
    await world.wallet.setStopped(AGENT, true)
    for (const wallet of [world.wallet, world.restart()]) {
      expect(await wallet.authorize(AGENT, { method: 'POST', url: CALL })).toMatchObject({ outcome: 'none' })
    }
    expect((await world.callApi()).status).toBe(401)
    expect(await world.reason()).toBe('agent_stopped')
    expect(await world.present()).toMatchObject({ outcome: 'refused' })
    await world.wallet.setStopped(AGENT, false)
    expect((await world.callApi()).status).toBe(200)
  })
  test('counts for an authorization that was under way when it was pulled', async () => {
    const stopping = async () => {
      await world.wallet.setStopped(AGENT, true)
      return undefined
    }
    const world = await createPresentationWorld({ verifierScript: { steps: { '/token': () => stopping() } } })
    expect((await world.callApi()).status).toBe(401)
    expect(await world.reason()).toBe('agent_stopped')
    await world.wallet.setStopped(AGENT, false)
    // Nothing of it is left for later either.
    expect(await world.wallet.authorize(AGENT, { method: 'POST', url: CALL })).toEqual({ outcome: 'none' })
  })
})
