/**
 * Everything that keeps a server from starting, as one line that says what to do.
 *
 * @module
 */
import { configurationError } from '@attache/core'

/** What is printed when a server cannot start. */
export interface StartUpFailure {
  /** Stable, for scripts. */
  readonly code: string
  /** One line. */
  readonly message: string
}

const SYSTEM_ERRORS: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'is in use. Stop the other process or name another one in the configuration'],
  ['EACCES', 'may not be used by this user. Name another one or change its permissions'],
  ['EADDRNOTAVAIL', 'is not an address of this machine. Name another host in the configuration'],
  ['ENOENT', 'does not exist. Create it or name another one in the configuration'],
  ['EISDIR', 'is a folder. Name a file'],
  ['EPERM', 'may not be used by this user. Name another one or change its permissions'],
])

/** A wrong configuration. */
export function startUpError(code: string, message: string): TypeError {
  return configurationError(code, message)
}

/**
 * The failure of something the operating system did not give us: a file, a port, a socket.
 *
 * @param thing What it was, in words that begin a sentence.
 * @param inUse Code for something that another process holds.
 */
export function systemFailure(error: unknown, thing: string, inUse = 'port_in_use'): TypeError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  const advice = SYSTEM_ERRORS.get(code)
  return startUpError(
    code === 'EADDRINUSE' ? inUse : 'start_up_failed',
    advice === undefined ? `${thing} cannot be used (${code}).` : `${thing} ${advice}.`,
  )
}

/** Turns whatever was thrown while starting into one line. */
export function describeFailure(error: unknown): StartUpFailure {
  if (error instanceof TypeError && 'code' in error) {
    return { code: String(error.code), message: oneLine(error.message) }
  }
  return { code: 'fault', message: oneLine(error instanceof Error ? error.message : 'unknown') }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
