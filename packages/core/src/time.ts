/**
 * Time, as it is handed to everything that needs it.
 *
 * @module
 */

/** Whole seconds since 1970-01-01T00:00:00Z, ignoring leap seconds (RFC 7519, section 2). */
export type NumericDate = number

/** Tells the time. Read once per request; everything below agrees on that reading. */
export type Clock = () => NumericDate

/** The clock of the machine, in whole seconds. */
export function systemClock(): NumericDate {
  return Math.floor(Date.now() / 1000)
}
