/**
 * Transactions by the handle in their addresses: from the store, or from the seal of one that nothing is stored of.
 *
 * Source: OpenID4VP 1.0, sections 13.3 and 14.2.
 *
 * @module
 */
import type { NumericDate, Store } from '@attache/core'
import { type OpenSealedRequestDeps, openRequest } from './sealed-request.js'
import {
  encodeTransaction,
  isHandle,
  parseTransaction,
  type Transaction,
  transactionKey,
} from './transaction.js'

/** A transaction, and how to move it on. */
export interface KeptTransaction {
  /** Names it in the store, the log and explanations; never its handle, which may hold a seal. */
  readonly id: string
  readonly transaction: Transaction
  /** Absent while nothing of it is stored. */
  readonly version: string | undefined
}

/** What finding needs. */
export interface FindTransactionDeps extends OpenSealedRequestDeps {
  readonly store: Pick<Store, 'get'>
}

/**
 * Finds a transaction.
 *
 * @returns Nothing for an unknown handle, and for a sealed one after its time.
 */
export async function findTransaction(
  handle: string,
  now: NumericDate,
  deps: FindTransactionDeps,
): Promise<KeptTransaction | undefined> {
  if (isHandle(handle)) return readStored(handle, deps.store)
  const opened = openRequest(handle, now, deps)
  if (opened === undefined) return undefined
  // Whatever came of it since stands in the store.
  const stored = await readStored(opened.id, deps.store)
  return stored ?? { ...opened, version: undefined }
}

async function readStored(id: string, store: Pick<Store, 'get'>): Promise<KeptTransaction | undefined> {
  const stored = await store.get(transactionKey(id))
  const transaction = stored === undefined ? undefined : parseTransaction(stored.value)
  return stored === undefined || transaction === undefined
    ? undefined
    : { id, transaction, version: stored.version }
}

/**
 * Moves a transaction on in one step.
 *
 * @returns Whether it was this step; of many at once, one is.
 */
export function moveTransaction(
  { id, version }: KeptTransaction,
  next: { readonly transaction: Transaction; readonly keepUntil: NumericDate },
  store: Pick<Store, 'replace' | 'putIfAbsent'>,
): Promise<boolean> {
  const [key, value] = [transactionKey(id), encodeTransaction(next.transaction)]
  return version === undefined
    ? store.putIfAbsent(key, value, next.keepUntil)
    : store.replace(key, version, value, next.keepUntil)
}
