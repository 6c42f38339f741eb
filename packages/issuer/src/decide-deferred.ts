/**
 * Deciding about deferred credentials: what waits, and yes or no.
 *
 * Source: OpenID4VCI 1.0, section 9.3.
 *
 * @module
 */
import { ProtocolError, type Store } from '@attache/core'
import type { RecordKeys } from './stored-record.js'
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
  const entries = await deps.store.list(deps.keys.of('transaction', ''))
  return entries.map(({ value }) => {
    const { id, agent, template, state, requestedAt } = migrateTransactionRecord(value)
    return { id, agent, template, state, requestedAt }
  })
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
  const entries = await deps.store.list(deps.keys.of('transaction', ''))
  const entry = entries.find(({ value }) => migrateTransactionRecord(value).id === decided.id)
  const record = entry && migrateTransactionRecord(entry.value)
  if (entry === undefined || record === undefined) {
    throw new ProtocolError('unknown_deferred', 'No such credential waits for a decision.')
  }
  const value = { ...record, state: decided.decision }
  const moved =
    record.state === 'pending' &&
    (await deps.store.replace(entry.key, entry.version, value, record.expiresAt))
  if (!moved) throw new ProtocolError('deferred_decided', 'It was decided already.')
}
