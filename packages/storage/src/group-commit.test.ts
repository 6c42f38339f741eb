import { describe, expect, test } from 'vitest'
import { type Change, createGroupCommit, type RowOperation } from './group-commit.js'
import { decodeEntry, type LevelEntry } from './level-record.js'

const put = (key: string, size = 1): Change<string> => ({
  keys: [key],
  size,
  decide(view) {
    const before = view.find(key)?.text ?? 'nothing'
    view.write(key, key, undefined)
    return before
  },
})

/** A disk that writes when it is told to. */
function setUp() {
  const rows = new Map<string, LevelEntry>()
  const writes: (readonly RowOperation[])[] = []
  const finish: ((error?: Error) => void)[] = []
  let versions = 0
  const line = createGroupCommit({
    now: () => 0,
    nextVersion: () => {
      versions += 1
      return String(versions)
    },
    load: async (keys) => new Map([...rows].filter(([key]) => keys.includes(key))),
    write: (operations) => {
      writes.push(operations)
      return new Promise((resolve, reject) => {
        finish.push((error) => {
          if (error !== undefined) return reject(error)
          for (const operation of operations) {
            if (operation.type === 'put') rows.set(operation.key.slice(1), decodeEntry(operation.value))
          }
          return resolve()
        })
      })
    },
  })
  /** Lets everything happen that needs no disk. */
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  return {
    line,
    writes,
    async finishWrite(error?: Error) {
      await settle()
      finish.shift()?.(error)
      await settle()
    },
    settle,
  }
}

describe('createGroupCommit', () => {
  test('shares one write among the changes that waited for the disk', async () => {
    const { line, writes, finishWrite } = setUp()
    const first = line.submit(put('first'))
    const others = Promise.all(Array.from({ length: 1_000 }, (_, nth) => line.submit(put(`k${nth}`))))
    await finishWrite()
    await finishWrite()
    await first
    expect(await others).toHaveLength(1_000)
    expect(writes.map((operations) => operations.length)).toEqual([1_001])
  })

  test('tells nobody anything before the disk has it, not even losers', async () => {
    const { line, finishWrite, settle } = setUp()
    const told: string[] = []
    for (const name of ['winner', 'loser'])
      void line.submit(put('k')).then((found) => told.push(`${name} ${found}`))
    await settle()
    expect(told).toEqual([])
    await finishWrite()
    expect(told).toEqual(['winner nothing', 'loser k'])
  })

  test('fails everybody in a group whose write failed, and goes on with the next', async () => {
    const { line, finishWrite } = setUp()
    const group = Promise.allSettled([line.submit(put('a')), line.submit(put('b'))])
    await finishWrite(new Error('disk full'))
    expect((await group).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    const next = line.submit(put('a'))
    await finishWrite()
    expect(await next).toBe('nothing')
  })

  test('bounds a group by number and by size', async () => {
    const { line, writes, finishWrite } = setUp()
    const many = Promise.all(Array.from({ length: 1_025 }, (_, nth) => line.submit(put(`k${nth}`))))
    await finishWrite()
    await finishWrite()
    await many
    const large = Promise.all([line.submit(put('a', 5 * 1_048_576)), line.submit(put('b', 5 * 1_048_576))])
    await finishWrite()
    await finishWrite()
    await large
    expect(writes.map((operations) => operations.length)).toEqual([1_024, 1, 1, 1])
  })
})
