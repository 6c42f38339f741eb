/**
 * What a verifier writes into an audit trail: who was judged, granted and let in, by which names.
 *
 * Facts are ids, codes, hashes and identifiers; never a claim value, a token or a key. Calls that show no token of
 * this verifier are not written down, so that a flood of them costs nothing.
 *
 * An entry is written before what it is about leaves this process. Where that fails, `auditFailure` says what
 * happens: with `deny` the request fails, like it does when the store fails; with `log` it goes on, and the log says
 * what the trail does not.
 *
 * Source: requirements/verifier.md, VP-V-EVL-10 and VP-V-SEC-04; threat model, 11.
 *
 * @module
 */
import type { AuditTrail } from '@attache/audit'
import { configurationError, type JsonObject, type Log } from '@attache/core'
import type { PresentationReason } from './errors.js'
import type { Presentation } from './presentation.js'

/** What is written down. `subject` is the id under which the log knows it. */
export interface VerifierEvent {
  readonly kind:
    | 'verifier.presentation_accepted'
    | 'verifier.presentation_refused'
    | 'verifier.presentation_denied'
    | 'verifier.token_granted'
    | 'verifier.result_read'
    | 'verifier.call_allowed'
    | 'verifier.call_refused'
  readonly subject: string
  readonly facts: JsonObject
}

/** Writes an event down. @throws {Error} it could not be, and `auditFailure` is `deny`. */
export type RecordEvent = (event: VerifierEvent) => Promise<void>

/**
 * Makes what writes events down; without a trail it does nothing.
 *
 * @throws {TypeError} `audit_failure`: there is a trail, and nobody said what happens when it fails.
 */
export function createRecord(
  failure: 'deny' | 'log' | undefined,
  { audit, log }: { readonly audit?: Pick<AuditTrail, 'append'> | undefined; readonly log: Log },
): RecordEvent {
  if (audit === undefined) return async () => {}
  if (failure !== 'deny' && failure !== 'log') {
    throw configurationError('audit_failure', 'Say whether auditFailure is deny or log.')
  }
  return async (event) => {
    try {
      await audit.append(event)
    } catch (cause) {
      log.error('verifier.audit.failed', { kind: event.kind, subject: event.subject })
      if (failure === 'deny') throw new Error('An audit entry could not be written.', { cause })
    }
  }
}

/** A presentation that was judged. */
export function judgedEvent(transaction: string, outcome: Presentation | PresentationReason): VerifierEvent {
  if (typeof outcome === 'string') {
    return { kind: 'verifier.presentation_refused', subject: transaction, facts: { reason: outcome } }
  }
  const credentials = outcome.credentials.map(({ queryId, issuer, vct, credentialHash, holderKey }) => ({
    query: queryId,
    issuer,
    vct,
    hash: credentialHash,
    ...(holderKey === undefined ? {} : { holder: holderKey }),
  }))
  return { kind: 'verifier.presentation_accepted', subject: transaction, facts: { credentials } }
}
