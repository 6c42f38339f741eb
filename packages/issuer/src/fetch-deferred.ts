/**
 * Fetching a deferred credential.
 *
 * Owns the use case: the transaction is removed in the commit that issues, so it is redeemed once; what was
 * denied stays denied; an early poll gets what is ready.
 *
 * Source: OpenID4VCI 1.0, section 9; requirements/issuer.md D-15.
 *
 * @module
 */
import { type NumericDate, ProtocolError } from '@attache/core'
import type { CredentialResponse } from '@attache/openid4vci'
import { commitOnce, type Guard } from './commit-once.js'
import { type CredentialSubjectDeps, credentialSubject } from './credential-subject.js'
import type { CredentialTemplate } from './credential-template.js'
import { type DeliverCredentialsDeps, deliverCredentials } from './deliver-credentials.js'
import { migrateTransactionRecord, type TransactionRecord } from './transaction-record.js'

/** What fetching needs. */
export interface FetchDeferredDeps extends DeliverCredentialsDeps, CredentialSubjectDeps {
  readonly templates: ReadonlyMap<string, CredentialTemplate>
  readonly intervalSeconds: number
}

/**
 * Answers a poll.
 *
 * @throws {ProtocolError} `invalid_transaction_id`: unknown, of another grant, or redeemed.
 *   `credential_request_denied`: it will never be issued.
 */
export async function fetchDeferred(
  facts: {
    readonly transactionId: string
    readonly grantId: string
    readonly guards: readonly Guard[]
    readonly now: NumericDate
  },
  deps: FetchDeferredDeps,
): Promise<CredentialResponse> {
  const { transactionId, guards, now } = facts
  const key = deps.keys.hashed('transaction', transactionId)
  const stored = await deps.store.get(key)
  const record = stored && migrateTransactionRecord(stored.value)
  const template = record && deps.templates.get(record.template)
  if (stored === undefined || record?.grantId !== facts.grantId || template === undefined)
    throw unknownTransaction()
  if (record.state === 'denied')
    throw new ProtocolError('credential_request_denied', 'It was decided not to issue.')
  if (record.state === 'pending') {
    await commitOnce(deps.store, guards, [])
    return { state: 'pending', transactionId, interval: remainingSeconds(record, now, deps) }
  }
  const subject = await credentialSubject({ template, agent: record.agent, now }, deps)
  const redeem = { op: 'remove', key, version: stored.version } as const
  const issued = { template, subject, holderKeys: record.holderKeys, grantId: record.grantId, guards, now }
  return deliverOnce(() => deliverCredentials({ ...issued, steps: [redeem] }, deps), { key, deps })
}

/** A transaction that somebody else redeemed meanwhile is a redeemed one, not a fault. */
async function deliverOnce(
  deliver: () => Promise<CredentialResponse>,
  held: { readonly key: string; readonly deps: FetchDeferredDeps },
): Promise<CredentialResponse> {
  try {
    return await deliver()
  } catch (error) {
    if (error instanceof ProtocolError || (await held.deps.store.get(held.key)) !== undefined) throw error
    throw unknownTransaction()
  }
}

function remainingSeconds(record: TransactionRecord, now: NumericDate, deps: FetchDeferredDeps): number {
  const passed = (now - record.requestedAt) % deps.intervalSeconds
  return Math.max(1, deps.intervalSeconds - passed)
}

function unknownTransaction(): ProtocolError {
  return new ProtocolError('invalid_transaction_id', 'The access token brought no such transaction_id.')
}
