/**
 * The runtime folder: one socket per agent, one for the operator, and a token file beside each.
 *
 * Owns paths and permissions. Node cuts socket paths over 107 bytes without a word, so a long one is refused
 * here; the folder belongs to this user alone, and so does everything in it.
 *
 * Source: threat model, rows 21 and 25; design, 'Decided once'.
 *
 * @module
 */

import { chmodSync, lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { tokenPathOf } from '@attache/agent'
import { type Random, randomText } from '@attache/core'
import { startUpError, systemFailure } from '@attache/daemon'

/** Longest socket path, in bytes. */
export const MAX_SOCKET_PATH_BYTES = 100

/** The name of the operator's socket; no agent may have it. */
export const OPERATOR_SOCKET = 'operator'

/** A place where a socket can be opened, and the token callers must show. */
export interface SocketPlace {
  readonly path: string
  readonly token: string
}

/**
 * Makes the folder ready: private to this user, sockets of a dead process removed.
 *
 * @throws {TypeError} `runtime_folder_too_long`, `runtime_folder_foreign`, `start_up_failed`.
 */
export function prepareRuntimeFolder(folder: string, names: readonly string[]): void {
  const longest = longestSocketPath(folder, names)
  if (longest > MAX_SOCKET_PATH_BYTES) {
    const message = `A socket path below ${folder} has ${longest} bytes, and at most ${MAX_SOCKET_PATH_BYTES} work. Name a shorter runtimeFolder.`
    throw startUpError('runtime_folder_too_long', message)
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { uid } = lstatSync(folder)
    if (process.getuid !== undefined && uid !== process.getuid()) {
      throw startUpError('runtime_folder_foreign', `The runtime folder ${folder} belongs to another user.`)
    }
    chmodSync(folder, 0o700)
  } catch (error) {
    if (error instanceof TypeError) throw error
    throw systemFailure(error, `The runtime folder ${folder}`)
  }
}

/** Bytes of the longest socket path that these agents, and the operator, would have. */
export function longestSocketPath(folder: string, names: readonly string[]): number {
  const paths = [OPERATOR_SOCKET, ...names].map((name) => socketPath(folder, name))
  return Math.max(...paths.map((path) => Buffer.byteLength(path)))
}

/**
 * Makes a place for a socket, with a new token.
 *
 * @throws {TypeError} `socket_in_use`: another daemon answers there.
 */
export async function claimSocket(
  folder: string,
  name: string,
  deps: { readonly random: Random },
): Promise<SocketPlace> {
  const path = socketPath(folder, name)
  if (await answers(path)) {
    throw startUpError(
      'socket_in_use',
      `Another wallet daemon answers at ${path}. Stop it or name another runtimeFolder.`,
    )
  }
  const token = randomText(deps.random)
  rmSync(path, { force: true })
  rmSync(tokenPathOf(path), { force: true })
  writeFileSync(tokenPathOf(path), `${token}\n`, { mode: 0o600, flag: 'wx' })
  return { path, token }
}

/** Removes a socket and its token. */
export function releaseSocket(place: SocketPlace): void {
  rmSync(place.path, { force: true })
  rmSync(tokenPathOf(place.path), { force: true })
}

function socketPath(folder: string, name: string): string {
  return join(folder, `${name}.sock`)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
