/**
 * `attache wallet doctor`: is the wallet as an agent finds it in order?
 *
 * Owns what only a caller can see: the socket, the token file beside it, who else may reach them. The daemon
 * examines the rest (files, policy, clocks) and is asked last.
 *
 * @module
 */
import { type Stats, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Finding, tokenPathOf } from '@attache/agent'
import type { WalletClient } from './wallet-client.js'

/** Examines a wallet over its operator socket. Never rejects: what fails is a finding. */
export async function examineWallet(socketPath: string, client: WalletClient): Promise<readonly Finding[]> {
  const found = [...examinePlaces('operator', socketPath)]
  try {
    const [{ agents }, findings] = [await client.status(), await client.examine()]
    return [
      ...found,
      {
        check: 'daemon',
        outcome: 'ok',
        message: `The daemon answers for ${agents.length} agent${agents.length === 1 ? '' : 's'}.`,
      },
      ...agents.flatMap(({ agent, socket }) => examinePlaces(agent, socket)),
      ...findings,
    ]
  } catch (error) {
    const message = error instanceof Error ? error.message : 'The daemon cannot be asked.'
    return [...found, { check: 'daemon', outcome: 'failed', message }]
  }
}

/** Examines a socket and its token file. */
function examinePlaces(name: string, socketPath: string): readonly Finding[] {
  return [
    place(`socket:${name}`, socketPath, (stats) => stats.isSocket()),
    place(`token:${name}`, tokenPathOf(socketPath), (stats) => stats.isFile()),
    place(`folder:${name}`, dirname(socketPath), (stats) => stats.isDirectory()),
  ]
}

function place(check: string, path: string, isSuch: (stats: Stats) => boolean): Finding {
  const stats = lookAt(path)
  if (stats === undefined || !isSuch(stats)) {
    const message = `Nothing of the kind is at ${path}, or this user may not look. Start the daemon with attache-wallet serve (again, where it runs), or name its runtime folder.`
    return { check, outcome: 'failed', message }
  }
  if ((stats.mode & 0o077) === 0) return { check, outcome: 'ok', message: 'It is there, for its user alone.' }
  const mode = stats.isDirectory() ? '700' : '600'
  return { check, outcome: 'failed', message: `Others on this host can reach it. Run chmod ${mode} ${path}.` }
}

function lookAt(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}
