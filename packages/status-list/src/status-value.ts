/**
 * Status values: what the number in a list means, and which change of it is allowed.
 *
 * Source: Token Status List -20, sections 7.1 and 14.5 (registry of status types).
 *
 * @module
 */
import { VerificationError } from '@attache/core'

/** The registered values this house gives a meaning. */
export const STATUS_VALUES = {
  /** In force. */
  valid: 0x00,
  /** Revoked, for good. */
  invalid: 0x01,
  /** Put on hold, for a time. */
  suspended: 0x02,
} as const

/** Name of a registered status. */
export type StatusName = keyof typeof STATUS_VALUES

/** What a value says: a registered name, or `unknown`, which is never valid. */
export function statusName(value: number): StatusName | 'unknown' {
  if (value === STATUS_VALUES.valid) return 'valid'
  if (value === STATUS_VALUES.invalid) return 'invalid'
  return value === STATUS_VALUES.suspended ? 'suspended' : 'unknown'
}

/**
 * Refuses a change that the meaning of the values does not allow: INVALID is final, everything else may change.
 *
 * @throws {VerificationError} `status_final`: the credential is revoked; issue a new one instead.
 *
 * Source: Token Status List -20, section 7.1.
 */
export function requireTransition(from: number, to: number): void {
  if (from === STATUS_VALUES.invalid && to !== STATUS_VALUES.invalid) {
    throw new VerificationError('status_final', 'A revoked credential stays revoked. Issue a new one.')
  }
}
