/**
 * The exam every Store passes: the promises of the port, one test each.
 *
 * Run over a store by `examineStore`; a store that keeps data over a restart also says how to reopen.
 *
 * @module
 */
import type { Clock, JsonValue, NumericDate, Store } from '@attache/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

/** A store to be examined. */
export interface ExaminedStore {
  readonly store: Store
  /** Ends it and opens the same data again; absent when nothing is kept over a restart. */
  readonly reopen?: () => Promise<Store>
  readonly dispose: () => Promise<void>
}

/** Start of the exam's own time. */
export const NOW: NumericDate = 1_790_000_000

const PARALLEL = 200

/** Declares the exam's tests for one store. */
export function examineStore(name: string, open: (clock: Clock) => Promise<ExaminedStore>): void {
  let now = NOW
  let examined: ExaminedStore
  let store: Store

  beforeEach(async () => {
    now = NOW
    examined = await open(() => now)
    store = examined.store
  })
  afterEach(() => examined.dispose())

  const setTime = (time: NumericDate) => {
    now = time
  }
  const current = () => store
  const context = { store: current, setTime, reopen: async () => examined.reopen?.() }

  describe(`${name}: values`, () => valueTests(context))
  describe(`${name}: single use`, () => singleUseTests(context))
  describe(`${name}: commit`, () => commitTests(context))
  describe(`${name}: expiry`, () => expiryTests(context))
  describe(`${name}: list`, () => listTests(context))
  describe(`${name}: limits`, () => limitTests(context))
  describe(`${name}: restart`, () => restartTests(context))
}

interface Exam {
  readonly store: () => Store
  readonly setTime: (now: NumericDate) => void
  readonly reopen: () => Promise<Store | undefined>
}

const many = <T>(work: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: PARALLEL }, (_, index) => work(index)))

async function versionOf(store: Store, key: string): Promise<string> {
  const found = await store.get(key)
  expect(found).toBeDefined()
  return found?.version ?? ''
}

function valueTests({ store }: Exam): void {
  const values: readonly JsonValue[] = [
    null,
    true,
    0,
    -1.5,
    '',
    'line\nbreak, \u0000, \u2028, \ud83d\ude00',
    [],
    { z: 1, a: { '': [null] } },
    JSON.parse('{"__proto__":{"x":1},"constructor":2,"10":3,"2":4}'),
  ]

  test('gives back exactly what was put', async () => {
    for (const [at, value] of values.entries()) {
      await store().put(`k/${at}`, value)
      expect(JSON.stringify((await store().get(`k/${at}`))?.value)).toBe(JSON.stringify(value))
    }
  })

  test('gives undefined for what is not there', async () => {
    expect(await store().get('nothing')).toBeUndefined()
    expect(await store().take('nothing')).toBeUndefined()
    expect(await store().replace('nothing', '1', 'x')).toBe(false)
  })

  test('keeps what is handed out and what was handed in apart from what it holds', async () => {
    const value = { list: ['first'] }
    await store().put('k', value)
    value.list.push('second')
    expect((await store().get('k'))?.value).toEqual({ list: ['first'] })
  })

  test('never gives two states of a key one version', async () => {
    const seen = new Set<string>()
    for (let round = 0; round < 5; round += 1) {
      await store().put('k', round)
      seen.add(await versionOf(store(), 'k'))
      await store().replace('k', await versionOf(store(), 'k'), round)
      seen.add(await versionOf(store(), 'k'))
      await store().take('k')
    }
    expect(seen.size).toBe(10)
  })

  test('replaces only the version that was read', async () => {
    await store().put('k', 'a')
    const version = await versionOf(store(), 'k')

    expect(await store().replace('k', version, 'b')).toBe(true)
    expect(await store().replace('k', version, 'c')).toBe(false)
    expect((await store().get('k'))?.value).toBe('b')
  })
}

function singleUseTests({ store }: Exam): void {
  test('lets one of 200 parallel putIfAbsent win, and its value stays', async () => {
    const wins = await many((index) => store().putIfAbsent('k', index))

    expect(wins.filter(Boolean)).toHaveLength(1)
    expect((await store().get('k'))?.value).toBe(wins.indexOf(true))
  })

  test('lets one of 200 parallel take have the value', async () => {
    await store().put('k', 'once')
    const taken = await many(() => store().take('k'))

    expect(taken.filter((found) => found !== undefined)).toHaveLength(1)
    expect(await store().get('k')).toBeUndefined()
  })

  test('lets one of 200 parallel replace of one version win', async () => {
    await store().put('k', 'start')
    const version = await versionOf(store(), 'k')
    const wins = await many((index) => store().replace('k', version, index))

    expect(wins.filter(Boolean)).toHaveLength(1)
    expect((await store().get('k'))?.value).toBe(wins.indexOf(true))
  })

  test('lets one of 200 parallel commits on one version win', async () => {
    await store().put('head', 0)
    const version = await versionOf(store(), 'head')
    const wins = await many((index) =>
      store().commit([
        { op: 'replace', key: 'head', version, value: index },
        { op: 'putIfAbsent', key: `entry/${index}`, value: index },
      ]),
    )

    expect(wins.filter(Boolean)).toHaveLength(1)
    expect(await store().list('entry/')).toHaveLength(1)
  })

  test('loses no write of 200 parallel ones', async () => {
    await many((index) => store().put(`p/${index}`, index))
    expect(await store().list('p/', undefined, PARALLEL + 1)).toHaveLength(PARALLEL)
  })
}

function commitTests({ store }: Exam): void {
  test('does every kind of step in one go', async () => {
    await store().put('replaced', 1)
    await store().put('removed', 1)
    await store().put('removed-version', 1)

    const done = await store().commit([
      { op: 'put', key: 'put', value: 2 },
      { op: 'putIfAbsent', key: 'new', value: 2 },
      { op: 'replace', key: 'replaced', version: await versionOf(store(), 'replaced'), value: 2 },
      { op: 'remove', key: 'removed' },
      { op: 'remove', key: 'removed-version', version: await versionOf(store(), 'removed-version') },
    ])

    expect(done).toBe(true)
    const entries = await store().list('')
    expect(entries.map(({ key, value }) => [key, value])).toEqual([
      ['new', 2],
      ['put', 2],
      ['replaced', 2],
    ])
  })

  test('does nothing when one condition does not hold', async () => {
    await store().put('taken', 1)
    await store().put('kept', 1)
    const good = { op: 'put', key: 'written', value: 2 } as const

    expect(await store().commit([good, { op: 'putIfAbsent', key: 'taken', value: 2 }])).toBe(false)
    expect(await store().commit([good, { op: 'replace', key: 'taken', version: 'x', value: 2 }])).toBe(false)
    expect(await store().commit([good, { op: 'remove', key: 'kept', version: 'x' }])).toBe(false)
    expect(await store().commit([good, { op: 'remove', key: 'absent', version: 'x' }])).toBe(false)
    expect((await store().list('')).map(({ value }) => value)).toEqual([1, 1])
  })

  test('removes without a version whether or not it is there', async () => {
    expect(await store().commit([{ op: 'remove', key: 'absent' }])).toBe(true)
  })

  test('refuses two steps on one key', async () => {
    const step = { op: 'put', key: 'k', value: 1 } as const
    await expect(store().commit([step, step])).rejects.toMatchObject({ code: 'store_commit_invalid' })
    expect(await store().get('k')).toBeUndefined()
  })

  test('moves money between two accounts in 200 parallel commits without losing any', async () => {
    await store().commit([
      { op: 'put', key: 'a', value: 1000 },
      { op: 'put', key: 'b', value: 0 },
    ])
    const move = async (): Promise<void> => {
      const [a, b] = await Promise.all([store().get('a'), store().get('b')])
      const done = await store().commit([
        { op: 'replace', key: 'a', version: a?.version ?? '', value: Number(a?.value) - 1 },
        { op: 'replace', key: 'b', version: b?.version ?? '', value: Number(b?.value) + 1 },
      ])
      if (!done) await move()
    }
    await many(() => move())

    expect((await store().get('a'))?.value).toBe(1000 - PARALLEL)
    expect((await store().get('b'))?.value).toBe(PARALLEL)
  })
}

function expiryTests({ store, setTime }: Exam): void {
  test('an entry is there until the second before it expires', async () => {
    await store().put('k', 1, NOW + 10)
    setTime(NOW + 9)
    expect((await store().get('k'))?.value).toBe(1)
    setTime(NOW + 10)
    expect(await store().get('k')).toBeUndefined()
  })

  test('an expired entry is absent for every verb', async () => {
    await store().put('k', 1, NOW + 10)
    const version = await versionOf(store(), 'k')
    setTime(NOW + 10)

    expect(await store().take('k')).toBeUndefined()
    expect(await store().replace('k', version, 2)).toBe(false)
    expect(await store().commit([{ op: 'remove', key: 'k', version }])).toBe(false)
    expect(await store().list('')).toEqual([])
    expect(await store().putIfAbsent('k', 3)).toBe(true)
    expect((await store().get('k'))?.value).toBe(3)
  })

  test('a write without expiry ends an earlier one', async () => {
    await store().put('k', 1, NOW + 10)
    await store().put('k', 2)
    setTime(NOW + 1_000_000)
    expect((await store().get('k'))?.value).toBe(2)
  })

  test('a replacement carries its own expiry', async () => {
    await store().put('k', 1, NOW + 10)
    await store().replace('k', await versionOf(store(), 'k'), 2, NOW + 20)
    setTime(NOW + 19)
    expect((await store().get('k'))?.value).toBe(2)
    setTime(NOW + 20)
    expect(await store().get('k')).toBeUndefined()
  })
}

function listTests({ store, setTime }: Exam): void {
  const keys = ['a', 'a/', 'a/1', 'a/10', 'a/2', 'a/Z', 'a/a', 'a/~', 'a0', 'b']

  test('lists a prefix by key bytes', async () => {
    for (const key of [...keys].reverse()) await store().put(key, key)
    const listed = await store().list('a/')

    expect(listed.map(({ key }) => key)).toEqual(['a/', 'a/1', 'a/10', 'a/2', 'a/Z', 'a/a', 'a/~'])
    expect(listed.map(({ value }) => value)).toEqual(listed.map(({ key }) => key))
    expect(listed[1]?.version).toBe(await versionOf(store(), 'a/1'))
  })

  test('pages through everything once', async () => {
    for (const key of keys) await store().put(key, key)
    const seen: string[] = []
    for (let after: string | undefined; ; ) {
      const page: readonly { key: string }[] = await store().list('a', after, 4)
      if (page.length === 0) break
      seen.push(...page.map(({ key }) => key))
      after = page.at(-1)?.key
    }
    expect(seen).toEqual(keys.slice(0, -1))
  })

  test('a page is full although expired entries lie between', async () => {
    for (let index = 0; index < 10; index += 1) {
      await store().put(`e/${index}`, index, index % 2 === 0 ? NOW + 1 : undefined)
    }
    setTime(NOW + 1)
    expect((await store().list('e/', undefined, 3)).map(({ value }) => value)).toEqual([1, 3, 5])
  })

  test('lists 1000 entries when no limit is named', async () => {
    await Promise.all(
      Array.from({ length: 1_001 }, (_, index) => store().put(`n/${String(index).padStart(5, '0')}`, 0)),
    )
    expect(await store().list('n/')).toHaveLength(1_000)
    expect(await store().list('n/', 'n/00999')).toHaveLength(1)
  })
}

function limitTests({ store }: Exam): void {
  test('takes a key of 512 bytes and a value of 1 MiB', async () => {
    const text = 'x'.repeat(1_048_576 - 2)
    await store().put('k'.repeat(512), text)
    expect((await store().get('k'.repeat(512)))?.value).toBe(text)
  })

  test('refuses keys that are empty, too long or not printable ASCII', async () => {
    for (const key of ['', 'k'.repeat(513), 'k\u00e9', 'k\n', 'k\u0000']) {
      await expect(store().put(key, 1)).rejects.toMatchObject({ code: 'store_key_invalid' })
      await expect(store().get(key)).rejects.toMatchObject({ code: 'store_key_invalid' })
      await expect(store().take(key)).rejects.toMatchObject({ code: 'store_key_invalid' })
      await expect(store().putIfAbsent(key, 1)).rejects.toBeInstanceOf(TypeError)
    }
  })

  test('refuses a value over 1 MiB, counted in bytes, and writes nothing of its commit', async () => {
    const large = '\u00e9'.repeat(524_288)
    await expect(store().put('k', large)).rejects.toMatchObject({ code: 'store_value_too_large' })
    await expect(
      store().commit([
        { op: 'put', key: 'small', value: 1 },
        { op: 'put', key: 'large', value: large },
      ]),
    ).rejects.toBeInstanceOf(TypeError)
    expect(await store().list('')).toEqual([])
  })
}

function restartTests({ store, reopen, setTime }: Exam): void {
  test('a store that can be reopened keeps values, versions, expiry and what was used up', async () => {
    await store().put('kept', { a: 1 })
    await store().put('expires', 1, NOW + 10)
    await store().put('used', 1)
    await store().take('used')
    const version = await versionOf(store(), 'kept')

    const again = await reopen()
    if (again === undefined) {
      expect((await store().get('kept'))?.version).toBe(version)
      return
    }
    expect(await again.get('kept')).toEqual({ value: { a: 1 }, version })
    expect(await again.take('used')).toBeUndefined()
    await again.put('kept', { a: 2 })
    expect(await again.replace('kept', version, { a: 3 })).toBe(false)
    setTime(NOW + 10)
    expect(await again.get('expires')).toBeUndefined()
  })
}
