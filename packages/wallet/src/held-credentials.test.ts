import { createMemoryStore, type Store } from '@attache/core'
import { createEnvelope } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import type { HeldCredential } from './held-credential.js'
import { createHeldCredentials } from './held-credentials.js'
import { createLedger } from './ledger.js'
import { createVault } from './vault.js'

const NOW = 1_790_000_000
const AGENT = 'agent-1'
const VCT = 'https://issuer.example/types/role'

let drawn = 0
const random = (count: number) => {
  drawn += 1
  return new Uint8Array(count).map((_, at) => (drawn * 31 + at * 7) % 256)
}

/** Access as one process has it; `opened` counts what was unsealed. */
function open(store: Store) {
  const sealing = createEnvelope([{ id: 'm1', key: new Uint8Array(32).fill(1) }], { random })
  const opened: string[] = []
  const envelope = {
    ...sealing,
    open: (record: Parameters<typeof sealing.open>[0], place: string) => {
      opened.push(place.split('\n')[0] ?? '')
      return sealing.open(record, place)
    },
  }
  const vault = createVault({ tenant: 'default' }, { store, envelope })
  const held = createHeldCredentials({ vault, ledger: createLedger({ vault }) })
  return {
    held,
    vault,
    opened,
    credentialsOpened: () => opened.splice(0).filter((key) => key.includes('/crd_')),
  }
}

const credential = (id: string, more: Partial<HeldCredential> = {}): HeldCredential => ({
  id,
  credentialIssuer: 'https://issuer.example',
  configurationId: id,
  vct: VCT,
  authorityKeyIds: [],
  receivedAt: NOW,
  expiresAt: NOW + 86_400,
  copies: [1, 2].map((nth) => ({
    id: `cpy_${id}_${nth}`,
    credential: 'sealed elsewhere',
    keyRef: `key-${nth}`,
    claims: { role: 'Manager-in-the-record' },
    status: { uri: 'https://issuer.example/status/1', index: nth },
  })),
  use: 'once',
  state: 'active',
  renewal: { authorizationServer: 'https://issuer.example', refreshToken: 'refresh-in-the-record' },
  ...more,
})
const NOTHING = { removing: [], steps: [] }

describe('cards', () => {
  test('are made once, and again for what changed; never of what somebody else has changed', async () => {
    const store = createMemoryStore({ clock: () => NOW })
    const [one, two] = [open(store), open(store)]
    const ids = Array.from({ length: 40 }, (_, at) => `crd_${at}`)
    for (const id of ids) await one.held.keep(AGENT, credential(id), NOTHING)
    one.credentialsOpened()

    expect(await one.held.cards(AGENT)).toHaveLength(40)
    expect(one.credentialsOpened()).toHaveLength(40)
    await one.held.cards(AGENT)
    expect(one.opened).toEqual([])

    await two.held.alter(AGENT, 'crd_7', (held) => ({ ...held, state: 'revoked' }))
    await two.held.keep(AGENT, credential('crd_new'), { removing: ['crd_3'], steps: [] })
    const cards = new Map((await one.held.cards(AGENT)).map((card) => [card.id, card]))
    expect(
      one
        .credentialsOpened()
        .map((key) => key.split('/').at(-1))
        .sort(),
    ).toEqual(['crd_7', 'crd_new'])
    expect(cards.get('crd_7')?.state).toBe('revoked')
    expect([cards.has('crd_3'), cards.has('crd_new')]).toEqual([false, true])
    expect(await one.held.open(AGENT, 'crd_3')).toBeUndefined()
  })

  test('hold no claim, no credential and no token, and nothing of them lies in the store unsealed', async () => {
    const store = createMemoryStore({ clock: () => NOW })
    const { held } = open(store)
    await held.keep(AGENT, credential('crd_1'), NOTHING)
    const cards = JSON.stringify(await held.cards(AGENT))
    expect(cards).toContain(VCT)
    const clear = JSON.stringify(await store.list('t/'))
    for (const secret of ['Manager-in-the-record', 'refresh-in-the-record', 'sealed elsewhere']) {
      expect(cards).not.toContain(secret)
      expect(clear).not.toContain(secret)
    }
    expect(clear).not.toContain(VCT)
  })

  test('of one agent are no other’s, and a copy taken elsewhere is spent here too', async () => {
    const store = createMemoryStore({ clock: () => NOW })
    const [one, two] = [open(store), open(store)]
    await one.held.keep(AGENT, credential('crd_1'), NOTHING)
    expect(await one.held.cards('agent-2')).toEqual([])
    const [card] = await one.held.cards(AGENT)
    const held = await two.held.open(AGENT, 'crd_1')
    if (card === undefined || held === undefined) throw new Error('The credential is missing.')
    const taken = await Promise.all([one, two, one].map((side) => side.held.takeCopy(AGENT, held)))
    expect(taken.map((copy) => copy?.id).sort()).toEqual(['cpy_crd_1_1', 'cpy_crd_1_2', undefined])
    expect(await one.held.copiesLeft(AGENT, card)).toBe(0)
  })
})

describe('copies for one use', () => {
  test('asked for by two processes, fifty at a time, go out once each', async () => {
    const store = createMemoryStore({ clock: () => NOW })
    const sides = [open(store), open(store)]
    const copies = Array.from({ length: 10 }, (_, nth) => ({
      id: `cpy_${nth}`,
      credential: 'sealed elsewhere',
      claims: {},
    }))
    await sides[0]?.held.keep(AGENT, credential('crd_1', { copies }), NOTHING)
    const asked = Array.from({ length: 50 }, () => sides).flat()
    const taken = await Promise.all(
      asked.map(async ({ held }) => {
        const current = await held.open(AGENT, 'crd_1')
        return current && held.takeCopy(AGENT, current)
      }),
    )
    const ids = taken.flatMap((copy) => copy?.id ?? [])
    expect(ids.length).toBe(10)
    expect(new Set(ids).size).toBe(10)
  })
})

describe('a look at the status', () => {
  test('is written down when it says something new or the last one is an hour old, and wins over nothing newer', async () => {
    const store = createMemoryStore({ clock: () => NOW })
    const { held } = open(store)
    await held.keep(AGENT, credential('crd_1', { lookedAt: NOW }), NOTHING)
    const known = await held.open(AGENT, 'crd_1')
    if (known === undefined) throw new Error('The credential is missing.')
    const stored = async () =>
      (await open(store).held.cards(AGENT)).map(({ state, lookedAt }) => [state, lookedAt])

    await held.noteLook(AGENT, known, { state: 'active', at: NOW + 60 })
    expect(await stored()).toEqual([['active', NOW]])
    expect(held.lookedAt({ id: 'crd_1' })).toBe(NOW + 60)
    await held.noteLook(AGENT, known, { state: 'active', at: NOW + 3_600 })
    expect(await stored()).toEqual([['active', NOW + 3_600]])
    await held.noteLook(AGENT, known, { state: 'suspended', at: NOW + 3_700 })
    expect(await stored()).toEqual([['suspended', NOW + 3_700]])
    // `known` is from before the suspension: what it would say is older.
    await held.noteLook(AGENT, known, { state: 'revoked', at: NOW + 3_600 })
    expect(await stored()).toEqual([['suspended', NOW + 3_700]])
  })
})
