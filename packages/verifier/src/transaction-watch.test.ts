import { type Log, SILENT_LOG } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { eventStream } from './transaction-events.js'
import { createTransactionWatch, type Follower, type TransactionWatch } from './transaction-watch.js'

const never = () => new Promise<void>(() => {})
const silent: Follower = { tell: () => {}, beat: () => {}, end: () => {} }

/** Lets everything that is due happen; no time passes. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
}

function createWatch(get: () => Promise<undefined> = () => new Promise(() => {}), log: Log = SILENT_LOG) {
  return createTransactionWatch({ store: { get }, clock: () => 0, log, wait: never })
}

describe('a watch', () => {
  test('follows a bounded number of transactions, each for a bounded number of followers', () => {
    const watch = createWatch()
    for (let at = 0; at < 500; at += 1)
      expect(watch.follow(`transaction-${at}`, silent)).toBeTypeOf('function')
    expect(watch.follow('one-more', silent)).toBeUndefined()
    for (let at = 0; at < 3; at += 1)
      expect(watch.follow('transaction-0', { ...silent })).toBeTypeOf('function')
    expect(watch.follow('transaction-0', { ...silent })).toBeUndefined()
  })

  test('ends for everybody when the store fails, and can be asked again', async () => {
    const heard: string[] = []
    const log = { ...SILENT_LOG, warn: (event: string) => void heard.push(event) }
    const watch = createWatch(async () => Promise.reject(new Error('The store is away.')), log)
    const follower = { ...silent, end: () => void heard.push('end') }
    expect(watch.follow('transaction', follower)).toBeTypeOf('function')
    await settle()
    expect(heard).toEqual(['verifier.watch.interrupted', 'end'])
    expect(watch.follow('transaction', follower)).toBeTypeOf('function')
  })

  test('says of what is not there that it is over', async () => {
    const told: string[] = []
    const follower = {
      ...silent,
      tell: (sight: string) => void told.push(sight),
      end: () => void told.push('end'),
    }
    createWatch(async () => undefined).follow('unknown', follower)
    await settle()
    expect(told).toEqual(['over', 'end'])
  })
})

describe('a stream of events', () => {
  test('lets go of a reader that no longer reads', () => {
    const followers: Follower[] = []
    let stopped = 0
    const watch: TransactionWatch = {
      follow: (_handle, follower) => {
        followers.push(follower)
        return () => {
          stopped += 1
        }
      },
      wake: () => {},
    }
    expect(eventStream('handle', null, watch)).toBeInstanceOf(ReadableStream)
    for (let beat = 0; beat < 50; beat += 1) followers[0]?.beat()
    expect(stopped).toBe(1)
  })
})
