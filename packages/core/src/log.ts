/**
 * The log port: events with stable names and flat fields.
 *
 * No field holds a token, a claim value or a key; what travels is an id, a code, a count, a time.
 *
 * @module
 */

/** Fields of one log line. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** Where events are written. */
export interface Log {
  /** Something happened as it should. */
  info(event: string, fields?: LogFields): void
  /** Something was refused, or an operator should look soon. */
  warn(event: string, fields?: LogFields): void
  /** A fault. */
  error(event: string, fields?: LogFields): void
}

/** A log that keeps nothing. */
export const SILENT_LOG: Log = { info: () => {}, warn: () => {}, error: () => {} }
