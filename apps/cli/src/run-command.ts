/**
 * One run of a command: its common options, the daemon it asks, what it prints and the status it ends with.
 *
 * Exit status: 0 done; 1 refused or failed; 2 wrong arguments; 3 somebody has to do something first.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { createWalletClient, type WalletClient } from './wallet-client.js'
import { describeReceived } from './wallet-output.js'
import type { Received } from './wallet-replies.js'

/** Options of every command. */
export interface Common {
  readonly socket?: string
  readonly json?: boolean
}

/** What a command ends with. */
export interface Ending {
  readonly exitCode: 0 | 1 | 3
  /** For programs. */
  readonly reply: unknown
  /** For people. */
  readonly text: string
}

/** Adds a command with the common options. */
export function command(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--socket <path>', 'operator socket of the daemon (default: ATTACHE_OPERATOR_SOCKET)')
    .option('--json', 'answer as one line of JSON')
}

/** How far an offer got, as an ending. */
export function received(reply: Received): Ending {
  const exitCode = reply.outcome === 'stored' ? 0 : reply.outcome === 'refused' ? 1 : 3
  return { exitCode, reply, text: describeReceived(reply) }
}

/** Asks the daemon, prints, and sets the exit status. */
export async function run(
  options: Common,
  work: (client: WalletClient, socket: string) => Promise<Ending>,
): Promise<void> {
  try {
    const socket = options.socket ?? process.env['ATTACHE_OPERATOR_SOCKET']
    if (socket === undefined || socket === '') {
      const message = 'No operator socket is named. Pass --socket or set ATTACHE_OPERATOR_SOCKET.'
      throw Object.assign(new TypeError(message), { code: 'socket_not_configured' })
    }
    const { exitCode, reply, text } = await work(createWalletClient(socket), socket)
    process.stdout.write(`${options.json === true ? JSON.stringify(reply) : text}\n`)
    process.exitCode = exitCode
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'fault'
    const message = error instanceof Error ? error.message : 'unknown'
    process.stderr.write(
      options.json === true ? `${JSON.stringify({ error: code, message })}\n` : `attache: ${message}\n`,
    )
    process.exitCode = 1
  }
}

/** An argument, or standard input for `-`. */
export function textOf(argument: string): string {
  return argument === '-' ? readFileSync(0, 'utf8').trim() : argument
}
