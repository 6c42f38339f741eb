import { createMemoryStore, type JsonValue, type Store } from '@attache/core'
import { createEnvelope, type Envelope } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { createKillSwitch } from './kill-switch.js'
import { createLedger, type Ledger } from './ledger.js'
import { createVault, type Vault } from './vault.js'

const NOW = 1_790_000_000
const AGENT = 'agent-1'
const PREFIX = `t/default/wallet`
const RECORD = `${PREFIX}/credential/${AGENT}/crd_1`
const LEDGER = `${PREFIX}/ledger/${AGENT}/current`
const SWITCH = `${PREFIX}/switch/${AGENT}/stopped`

let drawn = 0
const random = (count: number) => {
  drawn += 1
  return new Uint8Array(count).map((_, at) => (drawn * 31 + at * 7) % 256)
}

interface Bench {
  readonly store: Store
  readonly envelope: Envelope
  readonly vault: Vault
  readonly ledger: Ledger
  /** Ledger and vault of a process that has just started over the same store. */
  restart(): { readonly vault: Vault; readonly ledger: Ledger }
}

function createBench(store: Store = createMemoryStore({ clock: () => NOW })): Bench {
  const envelope = createEnvelope([{ id: 'm1', key: new Uint8Array(32).fill(1) }], { random })
  const restart = () => {
    const vault = createVault({ tenant: 'default' }, { store, envelope })
    return { vault, ledger: createLedger({ vault }) }
  }
  return { store, envelope, restart, ...restart() }
}

const write = (ledger: Ledger, content: JsonValue, id = 'crd_1') =>
  ledger.change(AGENT, async () => ({ write: [{ kind: 'credential', id, content }] }))
const remove = (ledger: Ledger, id = 'crd_1') =>
  ledger.change(AGENT, async () => ({ remove: [{ kind: 'credential', id }] }))
const read = async (ledger: Ledger, id = 'crd_1') =>
  (await ledger.open({ agent: AGENT, kind: 'credential', ids: [id] })).contents.get(id)

/** Takes a copy of some entries, to put them back later. */
async function copyOf(store: Store, keys: readonly string[]): Promise<() => Promise<void>> {
  const found = await Promise.all(keys.map(async (key) => ({ key, stored: await store.get(key) })))
  return async () => {
    for (const { key, stored } of found) {
      if (stored === undefined) await store.take(key)
      else await store.put(key, stored.value)
    }
  }
}

const ROLLED_BACK = { code: 'record_rolled_back' }

describe('an older record, put back into the store', () => {
  test('is not taken for the current one, by a running wallet or a new one', async () => {
    const { store, ledger, restart } = createBench()
    await write(ledger, 'first')
    const putBack = await copyOf(store, [RECORD])
    await write(ledger, 'second')
    expect(await read(ledger)).toBe('second')
    await putBack()
    await expect(read(ledger)).rejects.toMatchObject(ROLLED_BACK)
    await expect(read(restart().ledger)).rejects.toMatchObject(ROLLED_BACK)
  })

  test('does not pass with the count of the current one', async () => {
    const { store, ledger } = createBench()
    await write(ledger, 'first')
    const older = await store.get(RECORD)
    await write(ledger, 'second')
    const current = await store.get(RECORD)
    const count = Object(current?.value)['n']
    await store.put(RECORD, { ...Object(older?.value), n: count })
    await expect(read(ledger)).rejects.toMatchObject({ code: 'record_changed' })
  })

  test('does not come back once it was removed, and no later record gets its count', async () => {
    const { store, ledger, restart } = createBench()
    await write(ledger, 'first')
    const putBack = await copyOf(store, [RECORD])
    await remove(ledger)
    await putBack()
    expect([...(await restart().ledger.page(AGENT)).counts('credential')]).toEqual([])
    await expect(read(restart().ledger)).rejects.toMatchObject(ROLLED_BACK)
    await write(ledger, 'anew')
    await putBack()
    await expect(read(ledger)).rejects.toMatchObject(ROLLED_BACK)
  })

  test('does not release an agent: a switch from before counts as pulled until it is released again', async () => {
    const { store, ledger, restart } = createBench()
    const killSwitch = createKillSwitch({ ledger })
    await killSwitch.set(AGENT, false, NOW)
    for (const put of [await copyOf(store, [SWITCH]), async () => void (await store.take(SWITCH))]) {
      await killSwitch.set(AGENT, true, NOW)
      await put()
      expect(await killSwitch.isStopped(AGENT)).toBe(true)
      expect(await createKillSwitch(restart()).isStopped(AGENT)).toBe(true)
      await killSwitch.set(AGENT, false, NOW)
      expect(await killSwitch.isStopped(AGENT)).toBe(false)
    }
  })

  test('is noticed where the ledger came with it while the wallet runs, and where only the ledger came', async () => {
    const { store, ledger, restart } = createBench()
    await write(ledger, 'first')
    const whole = await copyOf(store, [RECORD, LEDGER])
    const ledgerAlone = await copyOf(store, [LEDGER])
    await write(ledger, 'second')
    await read(ledger)
    await ledgerAlone()
    await expect(read(ledger)).rejects.toMatchObject(ROLLED_BACK)
    await expect(read(restart().ledger)).rejects.toMatchObject(ROLLED_BACK)
    await whole()
    await expect(read(ledger)).rejects.toMatchObject(ROLLED_BACK)
    // What no memory inside the store can tell: everything of one moment, put back while nobody looked.
    expect(await read(restart().ledger)).toBe('first')
  })

  test('and a ledger that vanished, stop the agent: counted records never were without one', async () => {
    const { store, ledger, restart } = createBench()
    await write(ledger, 'first')
    await read(ledger)
    await store.take(LEDGER)
    await expect(read(ledger)).rejects.toMatchObject(ROLLED_BACK)
    await expect(read(restart().ledger)).rejects.toMatchObject(ROLLED_BACK)
  })
})

describe('records of the first release', () => {
  test('get a ledger when they are first asked for, and a count when they are next written', async () => {
    const { store, vault, envelope, restart } = createBench()
    await vault.commit([await vault.writing({ agent: AGENT, kind: 'credential', id: 'crd_1' }, 'old')])
    expect(await envelope.open((await store.get(RECORD))?.value ?? null, RECORD)).toBe('old')
    // Two at once: one ledger.
    const [one, two] = [restart().ledger, restart().ledger]
    expect(await Promise.all([read(one), read(two)])).toEqual(['old', 'old'])
    const putBack = await copyOf(store, [RECORD])
    await write(one, 'new')
    expect(await read(two)).toBe('new')
    await putBack()
    await expect(read(two)).rejects.toMatchObject(ROLLED_BACK)
  })
})

describe('a change', () => {
  test('is one commit of records and ledger, or nothing', async () => {
    const memory = createMemoryStore({ clock: () => NOW })
    const commits: (readonly string[])[] = []
    const failing: { now: boolean } = { now: false }
    const store: Store = {
      ...memory,
      async commit(steps) {
        commits.push(steps.map(({ key }) => key).sort())
        if (failing.now) throw new Error('The process ended here.')
        return memory.commit(steps)
      },
      put: () => Promise.reject(new Error('Written beside the ledger.')),
      replace: () => Promise.reject(new Error('Written beside the ledger.')),
    }
    const { ledger, restart } = createBench(store)
    await write(ledger, 'first')
    failing.now = true
    await expect(write(ledger, 'second')).rejects.toThrow('ended here')
    expect(commits).toEqual([
      [RECORD, LEDGER],
      [RECORD, LEDGER],
    ])
    expect(await read(restart().ledger)).toBe('first')
  })

  test('of many at once, in two processes, loses none', async () => {
    const { ledger, restart } = createBench()
    const other = restart().ledger
    const ids = Array.from({ length: 30 }, (_, at) => `crd_${at}`)
    await Promise.all(ids.map((id, at) => write(at % 2 === 0 ? ledger : other, id, id)))
    const { contents } = await ledger.open({ agent: AGENT, kind: 'credential', ids })
    expect([...contents.values()].sort()).toEqual([...ids].sort())
    expect(new Set((await other.page(AGENT)).counts('credential').values()).size).toBe(ids.length)
  })

  test('keeps its counts when records are wrapped with a new master key', async () => {
    const { store, vault, ledger } = createBench()
    await write(ledger, 'first')
    const keys = [2, 1].map((fill) => ({ id: `m${fill}`, key: new Uint8Array(32).fill(fill) }))
    const turned = createVault({ tenant: 'default' }, { store, envelope: createEnvelope(keys, { random }) })
    expect(await turned.rewrap(AGENT)).toBe(2)
    expect(await read(createLedger({ vault: turned }))).toBe('first')
    await expect(vault.read({ agent: AGENT, kind: 'credential', id: 'crd_1' })).rejects.toMatchObject({
      code: 'record_master_key_unknown',
    })
  })
})
