import {
  type AuditEntry,
  type AuditEvent,
  CHECKPOINT_TYPE,
  createAuditTrail,
  GENESIS_HASH,
  hashEntry,
  verifyAuditEntries,
  verifyCheckpoint,
} from '@attache/audit'
import { createMemoryStore, type JsonObject, type JsonValue, type Store } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, parseJws } from '@attache/keys'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const NOW = 1_790_000_000
const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
const event: AuditEvent = {
  kind: 'issuer.credential_issued',
  subject: 'agt_1',
  facts: { credential: 'crd_1' },
}
const entryKey = (seq: number) => `t/default/audit/entry/main/${String(seq).padStart(12, '0')}`
const HEAD = 't/default/audit/head/main'

function setUp(count = 0) {
  let now = NOW
  const clock = () => now
  const store = createMemoryStore({ clock })
  const open = (trail?: string) =>
    createAuditTrail(
      { tenant: 'default', ...(trail === undefined ? {} : { trail }) },
      { store, signer, clock },
    )
  const trail = open()
  return {
    store,
    trail,
    open,
    advance: (seconds: number) => {
      now += seconds
    },
    async filled() {
      for (let nth = 1; nth <= count; nth += 1) await trail.append({ ...event, facts: { nth } })
      return trail
    },
  }
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

/** An entry as plain JSON. */
const entryToJson = (entry: AuditEntry): JsonObject => JSON.parse(JSON.stringify(entry))

/** Changes a stored entry the way somebody with the database open would. */
async function edit(store: Store, seq: number, changed: Partial<AuditEntry>): Promise<void> {
  const stored = await store.get(entryKey(seq))
  await store.put(
    entryKey(seq),
    JSON.parse(JSON.stringify({ ...JSON.parse(JSON.stringify(stored?.value)), ...changed })),
  )
}

describe('append', () => {
  test('chains each entry to the one before', async () => {
    const { trail, advance } = setUp()
    const first = await trail.append(event)
    advance(5)
    const second = await trail.append({ ...event, kind: 'issuer.credential_revoked' })

    expect(first).toMatchObject({ ...event, v: 1, trail: 'main', seq: 1, prev: GENESIS_HASH, time: NOW })
    expect(second).toMatchObject({ seq: 2, prev: first.hash, time: NOW + 5 })
    expect(await collect(trail.export())).toEqual([first, second])
    expect(await collect(trail.export(1))).toEqual([second])
  })

  test('keeps one chain under 500 appends at once, by two processes', async () => {
    const { trail, open } = setUp()
    const other = open()
    const entries = await Promise.all(
      Array.from({ length: 500 }, (_, nth) =>
        (nth % 2 === 0 ? trail : other).append({ ...event, facts: { nth } }),
      ),
    )

    expect(new Set(entries.map(({ seq }) => seq)).size).toBe(500)
    expect(await trail.verify()).toMatchObject({ ok: true, head: { seq: 500 } })
    expect(await collect(trail.export())).toHaveLength(500)
  })

  test('tells the caller when nothing was written', async () => {
    const { store, trail } = setUp()
    store.commit = async () => {
      throw new Error('disk full')
    }
    await expect(trail.append(event)).rejects.toThrow('disk full')
    expect(await store.list('')).toEqual([])
  })

  test('keeps trails apart', async () => {
    const { trail, open } = setUp()
    await trail.append(event)
    const other = open('other')
    expect((await other.append(event)).seq).toBe(1)
    expect(await other.verify()).toMatchObject({ ok: true, head: { seq: 1 } })
    expect(() => open('a/b')).toThrow(expect.objectContaining({ code: 'audit_trail_name' }))
  })
})

describe('verify', () => {
  test('accepts an empty trail and a whole one', async () => {
    const { trail, filled } = setUp(3)
    expect(await trail.verify()).toEqual({ ok: true, head: { seq: 0, hash: GENESIS_HASH } })
    await filled()
    expect(await trail.verify()).toMatchObject({ ok: true, head: { seq: 3 } })
  })

  test('sees each edited member', async () => {
    const changes: readonly Partial<AuditEntry>[] = [
      { kind: 'x' },
      { subject: 'agt_2' },
      { facts: {} },
      { time: NOW - 1 },
      { prev: GENESIS_HASH },
      { seq: 9 },
      { hash: GENESIS_HASH },
    ]
    for (const changed of changes) {
      const { filled, store } = setUp(3)
      const trail = await filled()
      await edit(store, 2, changed)
      expect(await trail.verify()).toEqual({ ok: false, problem: 'entry_changed', seq: 2 })
    }
  })

  test('sees an entry that was edited and hashed anew', async () => {
    const { filled, store } = setUp(3)
    const trail = await filled()
    const [, second] = await collect(trail.export())
    if (second === undefined) throw new Error('three were written')
    const forged = { ...second, subject: 'agt_2' }
    await store.put(entryKey(2), entryToJson({ ...forged, hash: hashEntry(forged) }))
    expect(await trail.verify()).toEqual({ ok: false, problem: 'chain_broken', seq: 3 })
  })

  test('sees a deleted, a moved and a foreign entry', async () => {
    const { filled, store, open } = setUp(4)
    const trail = await filled()
    const [, second, third] = await collect(trail.export())
    if (second === undefined || third === undefined) throw new Error('four were written')

    await store.take(entryKey(2))
    expect(await trail.verify()).toEqual({ ok: false, problem: 'entry_missing', seq: 2 })
    await store.put(entryKey(2), entryToJson(third))
    expect(await trail.verify()).toEqual({ ok: false, problem: 'entry_missing', seq: 2 })
    const foreign = await open('other').append(event)
    await store.put(entryKey(2), entryToJson(foreign))
    expect(await trail.verify()).toEqual({ ok: false, problem: 'entry_malformed', seq: 2 })
    await store.put(entryKey(2), 'not an entry')
    expect(await trail.verify()).toEqual({ ok: false, problem: 'entry_malformed', seq: 2 })
    await expect(collect(trail.export())).rejects.toThrow('verify the trail')
    await store.put(entryKey(2), entryToJson(second))
    expect(await trail.verify()).toMatchObject({ ok: true })
  })

  test('sees a cut-off end by the head, and by a checkpoint when the head went with it', async () => {
    const { filled, store } = setUp(4)
    const trail = await filled()
    const checkpoint = await trail.checkpoint()
    const entries = await collect(trail.export())
    await store.take(entryKey(4))
    expect(await trail.verify()).toEqual({ ok: false, problem: 'trail_truncated', seq: 4 })

    await store.put(HEAD, { v: 1, seq: 3, hash: entries[2]?.hash ?? '' })
    expect(await trail.verify()).toMatchObject({ ok: true, head: { seq: 3 } })
    expect(await trail.verify({ checkpoints: [checkpoint] })).toEqual({
      ok: false,
      problem: 'trail_truncated',
      seq: 4,
    })
  })

  test('sees a chain that was made anew', async () => {
    const { filled } = setUp(3)
    const checkpoint = await (await filled()).checkpoint()
    const anew = await setUp(3).filled()
    expect(await anew.verify({ checkpoints: [checkpoint] })).toMatchObject({ ok: true })

    const other = setUp()
    for (let nth = 0; nth < 3; nth += 1) await other.trail.append({ ...event, facts: { forged: true } })
    expect(await other.trail.verify({ checkpoints: [checkpoint] })).toEqual({
      ok: false,
      problem: 'checkpoint_mismatch',
      seq: 3,
    })
  })

  test('finds any single change of an exported trail, far from its store', async () => {
    const exported = (await collect((await setUp(6).filled()).export())).map(entryToJson)
    const checkpoint = { trail: 'main', seq: 6, hash: String(exported[5]?.['hash']), iat: NOW }
    const judge = (entries: readonly JsonValue[]) =>
      verifyAuditEntries(entries, { trail: 'main', checkpoints: [checkpoint] })
    expect(await judge(exported)).toMatchObject({ ok: true })

    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 5 }), fc.nat({ max: 5 }), async (from, to) => {
        const without = exported.filter((_, at) => at !== from)
        expect(await judge(without)).toMatchObject({ ok: false })
        const moved = without.toSpliced(to, 0, exported[from] ?? {})
        expect(await judge(moved)).toMatchObject({ ok: from === to })
        expect(await judge(exported.toSpliced(to, 0, exported[from] ?? {}))).toMatchObject({ ok: false })
      }),
    )
  })
})

describe('checkpoint', () => {
  const expected = { key: signer.publicJwk, algorithms: [signer.alg] }

  test('is the signed head', async () => {
    const { filled } = setUp(2)
    const trail = await filled()
    const text = await trail.checkpoint()
    const [, last] = await collect(trail.export())

    expect(parseJws(text).header).toMatchObject({ typ: CHECKPOINT_TYPE, kid: signer.kid })
    expect(verifyCheckpoint(text, expected)).toEqual({ trail: 'main', seq: 2, hash: last?.hash, iat: NOW })
  })

  test('does not count when it is another signer’s, edited, or of another trail', async () => {
    const { filled, open } = setUp(2)
    const trail = await filled()
    const text = await trail.checkpoint()
    const stranger = createSoftwareSigner(generatePrivateJwk('ES256'))
    expect(() => verifyCheckpoint(text, { ...expected, key: stranger.publicJwk })).toThrow(
      expect.objectContaining({ code: 'jws_signature' }),
    )
    await expect(
      trail.verify({ checkpoints: [`${text.slice(0, -40)}${'A'.repeat(40)}`] }),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^jws_/),
    })
    const other = await open('other').checkpoint()
    expect(await trail.verify({ checkpoints: [other] })).toMatchObject({ problem: 'checkpoint_mismatch' })
  })
})
