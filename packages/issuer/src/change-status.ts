/**
 * Revoking, suspending and reinstating what was issued.
 *
 * Owns the use case behind the management call: find by credential, agent or owner, change all or none.
 *
 * Source: Token Status List -20, section 7.1; the house design, section Decided once (leavers).
 *
 * @module
 */
import { ProtocolError, type Store, VerificationError } from '@attache/core'
import { STATUS_VALUES, type StatusLists, type StatusName } from '@attache/status-list'
import { findEntries, type RegisterEntry, type RegisterQuery } from './register-entry.js'
import type { RecordKeys } from './stored-record.js'

/** What changing a status needs. */
export interface ChangeStatusDeps {
  readonly store: Pick<Store, 'get' | 'list'>
  readonly keys: RecordKeys
  readonly statusLists: Pick<StatusLists, 'change' | 'statusOf'>
}

/**
 * Changes the status of every unexpired credential a query finds. A revoked credential stays revoked: one
 * found by agent or owner is passed over, one named by id is refused.
 *
 * @returns The credentials that now have the status.
 * @throws {ProtocolError} `unknown_credential`: nothing was found. `status_not_supported`: the credential
 *   carries no status. `status_final`: it is revoked for good.
 */
export async function changeStatus(
  query: RegisterQuery,
  status: StatusName,
  deps: ChangeStatusDeps,
): Promise<readonly RegisterEntry[]> {
  const found = await findEntries(query, deps)
  if (found.length === 0) throw new ProtocolError('unknown_credential', 'No unexpired credential was found.')

  const changeable: RegisterEntry[] = []
  for (const entry of found) {
    if (entry.status === null) continue
    const revoked = (await deps.statusLists.statusOf(entry.status)) === STATUS_VALUES.invalid
    if (query.by === 'id' || !revoked || status === 'invalid') changeable.push(entry)
  }
  if (changeable.length === 0 && found.some((entry) => entry.status === null)) {
    throw new ProtocolError('status_not_supported', 'The credential carries no status.')
  }
  await change(changeable, STATUS_VALUES[status], deps)
  return changeable
}

async function change(
  entries: readonly RegisterEntry[],
  status: number,
  deps: ChangeStatusDeps,
): Promise<void> {
  try {
    await deps.statusLists.change(
      entries.flatMap((entry) => (entry.status === null ? [] : [{ reference: entry.status, status }])),
    )
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    throw new ProtocolError(error.code, error.message, { cause: error })
  }
}
