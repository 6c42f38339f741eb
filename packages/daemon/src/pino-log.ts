/**
 * The log of a server: pino behind the `Log` port, one JSON line each, on standard error.
 *
 * @module
 */
import type { Log } from '@attache/core'
import { destination, pino } from 'pino'

/** Makes the log. Standard output is left to what the command itself says. */
export function createPinoLog(level: string): Log {
  const logger = pino({ level, base: null }, destination({ dest: 2, sync: true }))
  return {
    info: (event, fields) => logger.info({ event, ...fields }),
    warn: (event, fields) => logger.warn({ event, ...fields }),
    error: (event, fields) => logger.error({ event, ...fields }),
  }
}
