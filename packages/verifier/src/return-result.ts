/**
 * The way back to the browser: a response code, brought by the session that began, opens the result to that session.
 *
 * For our own pages, which show a result and hand it on to nobody. An API that reads results itself does so once,
 * by transaction id (`redeem-result.ts`).
 *
 * Source: OpenID4VP 1.0, section 14.3; HAIP 1.0, section 5.1.
 *
 * @module
 */
import { equalText, type Log, ProtocolError, type Store } from '@attache/core'
import { digest } from '@attache/keys'
import { isBegunIn } from './page-session.js'
import {
  encodeTransaction,
  parseTransaction,
  returned,
  type Transaction,
  transactionKey,
} from './transaction.js'

/** What it needs. */
export interface ReturnResultDeps {
  readonly store: Pick<Store, 'get' | 'replace' | 'take'>
  readonly log: Log
}

/** A transaction as it is kept. */
export interface BegunTransaction {
  readonly transaction: Transaction
  readonly version: string
}

// As long as a result waits after its transaction's end.
const KEEP_SECONDS = 300

/** Finds a transaction by the handle in its addresses. */
export async function findTransaction(
  handle: string,
  { store }: { readonly store: Pick<Store, 'get'> },
): Promise<BegunTransaction | undefined> {
  const stored = await store.get(transactionKey(handle))
  const transaction = stored === undefined ? undefined : parseTransaction(stored.value)
  return stored === undefined || transaction === undefined
    ? undefined
    : { transaction, version: stored.version }
}

/**
 * Takes a response code back, once.
 *
 * @throws {ProtocolError} `not_found`: there is nothing that this code opens, or it did already. `session_mismatch`:
 * the code is right and the browser another one; nobody gets the result any more.
 *
 * Source: OpenID4VP 1.0, section 14.3; HAIP 1.0, section 5.1.
 */
export async function returnResult(
  shown: { readonly handle: string; readonly code: string; readonly session: string | undefined },
  deps: ReturnResultDeps,
): Promise<void> {
  const { handle } = shown
  const found = await findTransaction(handle, deps)
  if (found?.transaction.state !== 'answered' || found.transaction.session === undefined) throw nothing()
  const { transaction, version } = found
  const { responseCode } = transaction
  if (responseCode === undefined || !equalText(responseCode, digest('sha-256', shown.code))) throw nothing()
  const key = transactionKey(handle)
  if (!isBegunIn(transaction, shown.session)) {
    await deps.store.take(key)
    deps.log.warn('verifier.page.other_session', { handle })
    throw new ProtocolError('session_mismatch', 'This was begun in another browser. Start again there.')
  }
  const open = encodeTransaction(returned(transaction))
  if (!(await deps.store.replace(key, version, open, transaction.expiresAt + KEEP_SECONDS))) throw nothing()
}

function nothing(): ProtocolError {
  return new ProtocolError('not_found', 'There is nothing here, or it was opened before. Start again.')
}
