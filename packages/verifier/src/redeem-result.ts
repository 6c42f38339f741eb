/**
 * Reading the result of a transaction: once, by whoever began it.
 *
 * Source: OpenID4VP 1.0, sections 13.3 and 14.3; HAIP 1.0, section 5.1.
 *
 * @module
 */
import { equalText, type NumericDate, ProtocolError, type Store } from '@attache/core'
import { digest } from '@attache/keys'
import type { RecordEvent } from './audit-record.js'
import { refusedPresentation } from './errors.js'
import type { Presentation } from './presentation.js'
import {
  type Answered,
  encodeTransaction,
  parseTransaction,
  type Refused,
  redeemed,
  type Transaction,
  transactionHandle,
  transactionKey,
} from './transaction.js'

/** What became of a transaction. */
export type TransactionResult =
  | { readonly status: 'pending' }
  | { readonly status: 'answered'; readonly presentation: Presentation }
  | { readonly status: 'refused'; readonly reason: Refused['reason'] }

/** Who asks, and with what. */
export interface ResultRequest {
  readonly transactionId: string
  /** From the redirect after the answer; needed wherever one was sent. */
  readonly responseCode?: string | undefined
  /** The session that began the transaction, where it named one. */
  readonly session?: string | undefined
}

// How long a used transaction id is known as used.
const REMEMBER_SECONDS = 300

/**
 * Redeems the result of a transaction; an answered or refused one is gone afterwards.
 *
 * @throws {ProtocolError} `not_found`: unknown, ended or read before. `invalid_request`: the response code is
 * absent, another one, or was used. `session_mismatch`: another session asks; the transaction is burned.
 *
 * Source: OpenID4VP 1.0, section 14.3; HAIP 1.0, section 5.1.
 */
export async function redeemResult(
  wanted: ResultRequest,
  now: NumericDate,
  deps: { readonly store: Pick<Store, 'get' | 'replace' | 'take'>; readonly record: RecordEvent },
): Promise<TransactionResult> {
  const key = transactionKey(transactionHandle(wanted.transactionId))
  const stored = await deps.store.get(key)
  const transaction = stored === undefined ? undefined : parseTransaction(stored.value)
  // What is granted as a token is never read as a result: that would leave out the key.
  if (stored === undefined || transaction === undefined || transaction.grant !== undefined) throw notFound()
  if (!isSession(transaction, wanted.session)) {
    // Somebody else holds the id: nobody gets the result any more.
    await deps.store.take(key)
    throw new ProtocolError('session_mismatch', 'The transaction was begun in another session. Start again.')
  }
  if (transaction.state === 'requested') {
    if (transaction.expiresAt <= now) throw notFound()
    return { status: 'pending' }
  }
  if (transaction.state === 'redeemed') throw spentCode()
  if (transaction.state === 'answered') requireResponseCode(transaction, wanted.responseCode)
  const gone = encodeTransaction(redeemed(transaction))
  if (!(await deps.store.replace(key, stored.version, gone, transaction.expiresAt + REMEMBER_SECONDS)))
    throw spentCode()
  const subject = transactionHandle(wanted.transactionId)
  await deps.record({ kind: 'verifier.result_read', subject, facts: { outcome: transaction.state } })
  if (transaction.state === 'refused') return { status: 'refused', reason: transaction.reason }
  return { status: 'answered', presentation: transaction.presentation }
}

function isSession(transaction: Transaction, session: string | undefined): boolean {
  if (transaction.session === undefined) return true
  return session !== undefined && equalText(transaction.session, digest('sha-256', session))
}

function requireResponseCode({ responseCode }: Answered, code: string | undefined): void {
  if (responseCode === undefined) return
  if (code !== undefined && equalText(responseCode, digest('sha-256', code))) return
  throw spentCode()
}

function spentCode(): ProtocolError {
  const cause = refusedPresentation('response_code_invalid')
  return new ProtocolError('invalid_request', 'The response_code is absent, another one, or was used.', {
    cause,
  })
}

function notFound(): ProtocolError {
  return new ProtocolError('not_found', 'There is no such transaction, or its result was read.')
}
