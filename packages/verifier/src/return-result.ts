/**
 * The way back to the browser: a response code, brought by the session that began, opens the result to that session.
 *
 * For our own pages, which show a result, and for the API that a person goes on to from there. An API that has begun
 * the transaction itself reads results by transaction id (`redeem-result.ts`).
 *
 * Source: OpenID4VP 1.0, section 14.3; HAIP 1.0, section 5.1.
 *
 * @module
 */
import { type Clock, equalText, type Log, ProtocolError, type Store } from '@attache/core'
import { digest } from '@attache/keys'
import type { RecordEvent } from './audit-record.js'
import { type FindTransactionDeps, findTransaction, moveTransaction } from './kept-transaction.js'
import { isBegunIn, shownOn } from './page-session.js'
import type { Presentation } from './presentation.js'
import { redeemed, returned, transactionKey } from './transaction.js'

/** What it needs. */
export interface ReturnResultDeps extends Omit<FindTransactionDeps, 'store'> {
  readonly store: Pick<Store, 'get' | 'replace' | 'putIfAbsent' | 'take'>
  readonly clock: Clock
  readonly log: Log
}

// As long as a result waits after its transaction's end.
const KEEP_SECONDS = 300

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
  const found = await findTransaction(handle, deps.clock(), deps)
  if (found?.transaction.state !== 'answered' || found.transaction.session === undefined) throw nothing()
  const { transaction } = found
  const { responseCode } = transaction
  if (responseCode === undefined || !equalText(responseCode, digest('sha-256', shown.code))) throw nothing()
  if (!isBegunIn(transaction, shown.session)) {
    await deps.store.take(transactionKey(found.id))
    deps.log.warn('verifier.page.other_session', { handle })
    throw new ProtocolError('session_mismatch', 'This was begun in another browser. Start again there.')
  }
  const open = { transaction: returned(transaction), keepUntil: transaction.expiresAt + KEEP_SECONDS }
  if (!(await moveTransaction(found, open, deps.store))) throw nothing()
}

/** What a page's visitor shows where it goes on. */
export interface PageVisit {
  /** Name of the page that leads here: what was presented on another one is no answer to its query. */
  readonly page: string
  /** `transaction` of the query. */
  readonly transaction: string
  /** The `Cookie` field. */
  readonly cookie: string | null | undefined
}

/**
 * Reads the result of a page, once, for the browser that began.
 *
 * @returns Nothing for another browser or page, a transaction that was not accepted, and one that was read.
 *
 * Source: OpenID4VP 1.0, sections 13.3 and 14.3.
 */
export async function redeemPage(
  { page, transaction: handle, cookie }: PageVisit,
  deps: ReturnResultDeps & { readonly record: RecordEvent },
): Promise<Presentation | undefined> {
  const found = await findTransaction(handle, deps.clock(), deps)
  if (found?.transaction.state !== 'answered' || found.transaction.responseCode !== undefined)
    return undefined
  const { presentation, expiresAt } = found.transaction
  if (!isBegunIn(found.transaction, shownOn(page, cookie))) return undefined
  const gone = { transaction: redeemed(found.transaction), keepUntil: expiresAt + KEEP_SECONDS }
  if (!(await moveTransaction(found, gone, deps.store))) return undefined
  await deps.record({ kind: 'verifier.result_read', subject: found.id, facts: { outcome: 'answered' } })
  return presentation
}

function nothing(): ProtocolError {
  return new ProtocolError('not_found', 'There is nothing here, or it was opened before. Start again.')
}
