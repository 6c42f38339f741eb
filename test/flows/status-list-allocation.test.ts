import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryStore, type Random, SILENT_LOG, type Store } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk } from '@attache/keys'
import { createStatusLists, type StatusListsOptions } from '@attache/status-list'
import { createLevelStore } from '@attache/storage'
import { describe, expect, test } from 'vitest'

const NOW = 1_790_000_000
const MONTH = 30 * 86_400
const signer = createSoftwareSigner(generatePrivateJwk('ES256'))

function listsOver(store: Store, seed: string, changed: Partial<StatusListsOptions> = {}) {
  return createStatusLists(
    {
      issuer: 'https://issuer.example',
      tenant: 'default',
      bits: 2,
      ttlSeconds: 300,
      lifetimeSeconds: 3_600,
      ...changed,
    },
    { store, signer, clock: () => NOW, random: seeded(seed), log: SILENT_LOG },
  )
}

function seeded(seed: string): Random {
  let count = 0
  return (byteCount) => {
    count += 1
    return createHash('shake256', { outputLength: byteCount }).update(`${seed} ${count}`).digest()
  }
}

function setUp(options: Partial<StatusListsOptions> = {}) {
  const store = createMemoryStore({ clock: () => NOW })
  const propose = (count: number, seed = 'a', expiresAt = NOW + MONTH) =>
    listsOver(store, seed, options).propose({ expiresAt, count })
  /** Takes indices as an issuer does: again when somebody was faster. */
  async function take(count: number, seed: string): Promise<readonly { idx: number; uri: string }[]> {
    const { references, steps } = await propose(count, seed)
    return (await store.commit(steps)) ? references : take(count, `${seed}'`)
  }
  return { store, propose, take }
}

/** Spearman's rank correlation of a sequence with its order. */
function correlationWithOrder(values: readonly number[]): number {
  const ranks = new Map([...values].sort((a, b) => a - b).map((value, rank) => [value, rank]))
  const squares = values.map((value, at) => ((ranks.get(value) ?? 0) - at) ** 2)
  const n = values.length
  return 1 - (6 * squares.reduce((sum, square) => sum + square, 0)) / (n * (n * n - 1))
}

describe('allocation of indices', () => {
  test('draws uniformly, never in order, from a list whose size tells nothing [TSL-P-01]', async () => {
    const { take, store } = setUp()
    const indices: number[] = []
    for (let nth = 0; nth < 1_000; nth += 1) {
      for (const { idx } of await take(1, `draw ${nth}`)) indices.push(idx)
    }

    expect(Math.abs(correlationWithOrder(indices))).toBeLessThan(0.1)
    const tenths = new Array<number>(10).fill(0)
    for (const idx of indices) {
      const tenth = Math.floor(idx / 104_858)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    expect(Math.min(...tenths)).toBeGreaterThan(60)
    expect((await store.list('t/default/status-list/list/'))[0]?.value).toMatchObject({ size: 1_048_576 })
  })

  test('gives no index to two of 50 parallel issuers [TSL-P-02]', async () => {
    const { take } = setUp({ size: 262_144 })
    const taken = await Promise.all(
      Array.from({ length: 50 }, async (_, issuer) => {
        const own = []
        for (let round = 0; round < 20; round += 1) own.push(...(await take(50, `${issuer} ${round}`)))
        return own
      }),
    )

    const places = taken.flat().map(({ idx, uri }) => `${uri} ${idx}`)
    expect(places).toHaveLength(50_000)
    expect(new Set(places).size).toBe(50_000)
  })

  test('gives an index once even to issuers with the same dice [TSL-P-02]', async () => {
    const { propose, store } = setUp()
    await propose(1, 'opens the list')
    const first = await propose(3, 'same')
    const second = await propose(3, 'same')

    expect(second.references).toEqual(first.references)
    expect(await store.commit(first.steps)).toBe(true)
    expect(await store.commit(second.steps)).toBe(false)
    const third = await propose(3, 'same')
    expect(third.references.map(({ idx }) => idx)).not.toEqual(first.references.map(({ idx }) => idx))
  })

  test('gives no index twice over a restart of a store on disk [TSL-P-02]', async () => {
    const path = await mkdtemp(join(tmpdir(), 'attache-status-'))
    const places: string[] = []
    for (let start = 0; start < 3; start += 1) {
      const store = await createLevelStore({ path, clock: () => NOW })
      // The same dice after each start, on a small list: without the store's memory all would collide.
      const lists = listsOver(store, 'same dice', { size: 2_048 })
      const taken = await Promise.all(
        Array.from({ length: 10 }, () => lists.allocate({ expiresAt: NOW + MONTH, count: 20 })),
      )
      places.push(...taken.flat().map(({ uri, idx }) => `${uri} ${idx}`))
      await store.close()
    }
    await rm(path, { recursive: true })
    expect(places).toHaveLength(600)
    expect(new Set(places).size).toBe(600)
  })

  test('gives each of a batch its own index, without a run [TSL-P-03]', async () => {
    const { propose } = setUp()
    const { references, steps } = await propose(10)
    const sorted = references.map(({ idx }) => idx).sort((a, b) => a - b)

    expect(new Set(sorted).size).toBe(10)
    expect(sorted.some((idx, at) => idx + 1 === sorted[at + 1])).toBe(false)
    expect(new Set(steps.map(({ key }) => key)).size).toBe(10)
  })

  test('spreads a batch over the open lists when there are several [TSL-P-06]', async () => {
    const { propose } = setUp({ openLists: 3 })
    const { references } = await propose(6)
    expect(new Set(references.map(({ uri }) => uri)).size).toBe(3)
  })

  test('keeps one list a month, shared by everybody [TSL-P-05]', async () => {
    const { propose } = setUp()
    const uris = new Set<string>()
    for (const seed of ['one', 'two', 'three']) {
      for (const { uri } of (await propose(5, seed)).references) uris.add(uri)
    }
    expect(uris.size).toBe(1)

    const later = await propose(1, 'four', NOW + 3 * MONTH)
    expect(uris.has(later.references[0]?.uri ?? '')).toBe(false)
  })

  test('opens another list when one is full, and loses no index of it', async () => {
    const { take } = setUp({ size: 16 })
    const taken: string[] = []
    for (let nth = 0; nth < 40; nth += 1) {
      for (const { uri, idx } of await take(1, `${nth}`)) taken.push(`${uri} ${idx}`)
    }
    expect(new Set(taken).size).toBe(40)
    expect(new Set(taken.map((place) => place.split(' ')[0])).size).toBeGreaterThanOrEqual(3)
  })

  test('forgets a list a month after its last credential expired [TSL-P-06]', async () => {
    let now = NOW
    const store = createMemoryStore({ clock: () => now })
    const { steps } = await listsOver(store, 'retire').propose({ expiresAt: NOW + MONTH })
    await store.commit(steps)
    const stored = async () => (await store.list('t/default/status-list/')).length

    now = NOW + 2 * MONTH
    expect(await stored()).toBe(3)
    now = NOW + 4 * MONTH
    expect(await stored()).toBe(0)
  })
})
