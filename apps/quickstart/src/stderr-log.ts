/**
 * A log for a small process: one JSON line for each event.
 *
 * @module
 */
import type { Log, LogFields } from '@attache/core'

/** Creates a log that writes to standard error. */
export function createStderrLog(): Log {
  const write =
    (level: string) =>
    (event: string, fields: LogFields = {}) => {
      process.stderr.write(`${JSON.stringify({ level, time: new Date().toISOString(), event, ...fields })}\n`)
    }
  return { info: write('info'), warn: write('warn'), error: write('error') }
}
