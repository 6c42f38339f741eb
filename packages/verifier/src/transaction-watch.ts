/**
 * Following transactions live: whoever waits for an answer learns of it, with one reader of the store in between.
 *
 * However many look at one transaction, it is read once a second in this process, and at once when the answer came
 * to this very process. What is told is a state, never what was presented. Every follower ends by itself, at the
 * latest with the transaction.
 *
 * Source: HTML Living Standard, section 9.2 (server-sent events).
 *
 * @module
 */
import type { Clock, Log, Store } from '@attache/core'
import { parseTransaction, transactionKey } from './transaction.js'

/** What can be seen of a transaction from outside. `over`: it ended without an answer, or is not there. */
export type Sight = 'waiting' | 'answered' | 'refused' | 'over'

/** Somebody who follows a transaction. */
export interface Follower {
  /** Told first what there is, then every change. */
  readonly tell: (sight: Sight) => void
  /** Told now and then that nothing changed, so that proxies keep the connection. */
  readonly beat: () => void
  /** Nothing more will be told. */
  readonly end: () => void
}

/** Follows transactions. */
export interface TransactionWatch {
  /**
   * Follows a transaction until it is decided.
   *
   * @returns Stops following; nothing when too many follow already.
   */
  follow(handle: string, follower: Follower): (() => void) | undefined
  /** An answer came to this process: whoever follows learns it now. */
  wake(handle: string): void
}

/** Resolves after some seconds. */
export type Wait = (seconds: number) => Promise<void>

/** What following needs. */
export interface TransactionWatchDeps {
  readonly store: Pick<Store, 'get'>
  readonly clock: Clock
  readonly log: Log
  /** @default real time */
  readonly wait?: Wait | undefined
}

const ROUND_SECONDS = 1
const ROUNDS_PER_BEAT = 15
/** Windows and reconnections of one person; more are somebody else's. */
const MOST_FOLLOWERS = 4
/** Each costs one reading of the store a second. */
const MOST_TRANSACTIONS = 500

interface Followed {
  readonly followers: Set<Follower>
  last: Sight | undefined
  nudge: () => void
}

/** Creates a watch; it lives as long as its verifier. */
export function createTransactionWatch(deps: TransactionWatchDeps): TransactionWatch {
  const followed = new Map<string, Followed>()
  const wait = deps.wait ?? systemWait

  async function run(handle: string, entry: Followed): Promise<void> {
    try {
      for (let round = 1; entry.followers.size > 0; round += 1) {
        const sight = await look(handle, deps)
        if (sight !== entry.last) tellAll(entry, sight)
        else if (round % ROUNDS_PER_BEAT === 0) for (const { beat } of entry.followers) beat()
        if (sight !== 'waiting') return
        await new Promise<void>((resolve) => {
          entry.nudge = resolve
          void wait(ROUND_SECONDS).then(resolve)
        })
      }
    } catch {
      // The store's failure is not the followers': they come again and find what there is by then.
      deps.log.warn('verifier.watch.interrupted', { handle })
    } finally {
      followed.delete(handle)
      for (const { end } of entry.followers) end()
    }
  }

  return {
    follow(handle, follower) {
      const known = followed.get(handle)
      if ((known?.followers.size ?? 0) >= MOST_FOLLOWERS) return undefined
      if (known === undefined && followed.size >= MOST_TRANSACTIONS) return undefined
      const entry = known ?? { followers: new Set(), last: undefined, nudge: () => {} }
      entry.followers.add(follower)
      if (entry.last !== undefined) follower.tell(entry.last)
      if (known === undefined) {
        followed.set(handle, entry)
        void run(handle, entry)
      }
      return () => {
        entry.followers.delete(follower)
        if (entry.followers.size === 0) entry.nudge()
      }
    },
    wake: (handle) => followed.get(handle)?.nudge(),
  }
}

function tellAll(entry: Followed, sight: Sight): void {
  entry.last = sight
  for (const { tell } of entry.followers) tell(sight)
}

async function look(handle: string, { store, clock }: TransactionWatchDeps): Promise<Sight> {
  const stored = await store.get(transactionKey(handle))
  const transaction = stored === undefined ? undefined : parseTransaction(stored.value)
  switch (transaction?.state) {
    case 'requested':
      return transaction.expiresAt > clock() ? 'waiting' : 'over'
    case 'answered':
    case 'refused':
      return transaction.state
    default:
      return 'over'
  }
}

const systemWait: Wait = (seconds) =>
  new Promise((resolve) => {
    // A process that has nothing else to do need not stay for this.
    setTimeout(resolve, seconds * 1000).unref()
  })
