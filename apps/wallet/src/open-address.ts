/**
 * Opening an address by a command of the operator's choice.
 *
 * @module
 */
import { spawn } from 'node:child_process'
import type { Log } from '@attache/core'

/**
 * Makes the opener: the command with the address as its last argument, without a shell, detached from us.
 *
 * @param command Program and its first arguments.
 */
export function createOpener(command: readonly string[], deps: { readonly log: Log }): (url: string) => void {
  const [program = '', ...args] = command
  return (url) => {
    const child = spawn(program, [...args, url], { stdio: 'ignore', shell: false })
    child.once('error', () => deps.log.error('wallet.open_failed', { program }))
    child.unref()
  }
}
