import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NumericDate } from '@attache/core'
import { createLevelStore } from '@attache/storage'
import { Level } from 'level'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const NOW: NumericDate = 1_790_000_000

let folder: string
let now = NOW
const clock = () => now
const open = (path = join(folder, 'db')) => createLevelStore({ path, clock })

beforeEach(async () => {
  now = NOW
  folder = await mkdtemp(join(tmpdir(), 'attache-level-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** Every row of a closed database. */
async function rows(): Promise<readonly (readonly [string, string])[]> {
  const db = new Level<string, string>(join(folder, 'db'))
  const found = await db.iterator().all()
  await db.close()
  return found
}

describe('createLevelStore', () => {
  test('says what to do when another process has the database', async () => {
    const first = await open()
    await expect(open()).rejects.toMatchObject({
      name: 'TypeError',
      code: 'store_locked',
      message: expect.stringContaining('stop it'),
    })
    await first.put('k', 1)
    await first.close()
    const second = await open()
    expect((await second.get('k'))?.value).toBe(1)
    await second.close()
  })

  test('makes a folder that only this user may read', async () => {
    const store = await open(join(folder, 'a', 'b'))
    await store.close()
    expect((await stat(join(folder, 'a', 'b'))).mode & 0o077).toBe(0)
  })

  test('refuses a path that cannot hold a database', async () => {
    await writeFile(join(folder, 'file'), '')
    await expect(open(join(folder, 'file', 'db'))).rejects.toMatchObject({ code: 'store_unavailable' })
  })

  test('refuses what a later release wrote, and leaves it alone', async () => {
    await (await open()).close()
    const db = new Level<string, string>(join(folder, 'db'))
    await db.put('mformat', '2')
    await db.close()
    await expect(open()).rejects.toMatchObject({ code: 'store_format_unknown' })
    expect(await rows()).toContainEqual(['mboot', '1'])
  })

  test('keeps the rows this release promises to read', async () => {
    const store = await open()
    await store.put('k', { a: [1] })
    await store.put('e', true, NOW + 10)
    await store.close()
    expect(await rows()).toEqual([
      ['ee', '1.2 1790000010 true'],
      ['ek', '1.1 - {"a":[1]}'],
      ['mboot', '1'],
      ['mformat', '1'],
      ['x001790000010e', ''],
    ])
  })

  test('reports damage as a fault, not as absence', async () => {
    await (await open()).close()
    const db = new Level<string, string>(join(folder, 'db'))
    await db.put('ek', 'damaged')
    await db.close()
    const store = await open()
    await expect(store.get('k')).rejects.toThrow('damaged')
    await store.close()
  })

  test('refuses work after it was closed, and finishes what was begun', async () => {
    const store = await open()
    const begun = Promise.all(Array.from({ length: 50 }, (_, nth) => store.put(`k${nth}`, nth)))
    await Promise.all([begun, store.close()])
    await expect(store.put('late', 1)).rejects.toThrow('closed')
    const again = await open()
    expect(await again.list('k')).toHaveLength(50)
    await again.close()
  })
})

describe('sweep', () => {
  const written = async () => (await rows()).filter(([key]) => !key.startsWith('m')).map(([key]) => key)

  test('takes expired entries off the disk and nothing else', async () => {
    const store = await open()
    await store.put('dead', 1, NOW + 10)
    await store.put('alive', 1, NOW + 11)
    await store.put('kept', 1, NOW + 10)
    await store.put('kept', 2)
    await store.put('later', 1, NOW + 10)
    await store.put('later', 2, NOW + 100)
    now = NOW + 10
    expect(await store.sweep()).toBe(3)
    expect(await store.sweep()).toBe(0)
    await store.close()

    expect(await written()).toEqual(['ealive', 'ekept', 'elater', 'x001790000011alive', 'x001790000100later'])
  })

  test('happens by itself with later writes', async () => {
    const store = await open()
    for (let nth = 0; nth < 100; nth += 1) await store.put(`dead${nth}`, 1, NOW + 10)
    now = NOW + 10
    await Promise.all(Array.from({ length: 512 }, (_, nth) => store.put('busy', nth)))
    await store.close()
    expect(await written()).toEqual(['ebusy'])
  })
})
