/**
 * Deciding about deferred credentials: what waits, and yes or no.
 *
 * Source: OpenID4VCI 1.0, section 9.3.
 *
 * @module
 */
import { ProtocolError, type Store } from '@attache/core'
import { entriesUnder, type RecordKeys } from './stored-record.js'
import { migrateTransactionRecord, type TransactionRecord } from './transaction-record.js'

/** A credential that somebody has to decide about. */
export type WaitingCredential = Pick<TransactionRecord, 'id' | 'agent' | 'template' | 'state' | 'requestedAt'>

/** What deciding needs. */
export interface DecideDeferredDeps {
  readonly store: Pick<Store, 'list' | 'replace'>
  readonly keys: RecordKeys
}

/** Everything that was deferred and not fetched yet. */
export async function listDeferred(deps: DecideDeferredDeps): Promise<readonly WaitingCredential[]> {
  const waiting: WaitingCredential[] = []
  for await (const { value } of entriesUnder(deps.keys.of('transaction', ''), deps.store)) {
    const { id, agent, template, state, requestedAt } = migrateTransactionRecord(value)
    waiting.push({ id, agent, template, state, requestedAt })
  }
  return waiting
}

/**
 * Decides about one.
 *
 * @throws {ProtocolError} `unknown_deferred`: there is no such request, or it was fetched. `deferred_decided`:
 *   it was decided already.
 */
export async function decideDeferred(
  decided: { readonly id: string; readonly decision: 'approved' | 'denied' },
  deps: DecideDeferredDeps,
): Promise<void> {
  for await (const { key, version, value } of entriesUnder(deps.keys.of('transaction', ''), deps.store)) {
    const record = migrateTransactionRecord(value)
    if (record.id !== decided.id) continue
    const next = { ...record, state: decided.decision }
    const moved =
      record.state === 'pending' && (await deps.store.replace(key, version, next, record.expiresAt))
    if (moved) return
    throw new ProtocolError('deferred_decided', 'It was decided already.')
  }
  throw new ProtocolError('unknown_deferred', 'No such credential waits for a decision.')
}
