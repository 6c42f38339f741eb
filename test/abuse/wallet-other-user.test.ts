/**
 * Another user of the same host: what stands between them and the wallet of somebody else's agent.
 *
 * Becoming somebody else takes root, which the build machine is. Elsewhere the modes are looked at.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { tokenPathOf } from '@attache/agent'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { AGENT } from '../support/wallet-world.js'

/** Lays root down, then tries a socket and its token file; prints what came of both. */
const STRANGER = `
  const { connect } = require('node:net')
  const { readFileSync } = require('node:fs')
  const [socket, token] = process.argv.slice(1)
  if (process.getuid() === 0) {
    process.setgroups([])
    process.setgid(65534)
    process.setuid(65534)
  }
  const read = () => {
    try {
      readFileSync(token)
      return 'read'
    } catch (error) {
      return error.code
    }
  }
  const tell = (connected) => {
    console.log(JSON.stringify({ uid: process.getuid(), connected, token: read() }))
    process.exit(0)
  }
  connect(socket).on('connect', () => tell('connected')).on('error', (error) => tell(error.code))
`

let world: DaemonWorld
beforeAll(async () => {
  world = await createDaemonWorld()
})
afterAll(() => world.close())

async function tryAsStranger(socket: string): Promise<unknown> {
  const stranger = spawn(process.execPath, ['-e', STRANGER, socket, tokenPathOf(socket)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  stranger.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await once(stranger, 'close')
  return JSON.parse(said)
}

const modeOf = (path: string) => statSync(path).mode & 0o777
const isOpenToAll = (folder: string): boolean =>
  (modeOf(folder) & 0o001) === 0o001 && (dirname(folder) === folder || isOpenToAll(dirname(folder)))

test('neither connects nor reads the token: folder, socket and token file each keep them out', async () => {
  const sockets = [world.daemon().agentSockets.get(AGENT) ?? '', world.daemon().operatorSocket]
  for (const socket of sockets) {
    expect(modeOf(dirname(socket))).toBe(0o700)
    for (const path of [socket, tokenPathOf(socket)]) expect(modeOf(path)).toBe(0o600)
  }
  if (process.getuid?.() !== 0) return
  const keptOut = { uid: 65_534, connected: 'EACCES', token: 'EACCES' }
  for (const socket of sockets) expect(await tryAsStranger(socket)).toEqual(keptOut)
  // With every folder open to all, the files themselves still say no.
  for (const folder of [world.folder, dirname(sockets[0] ?? '')]) chmodSync(folder, 0o755)
  for (const socket of sockets) expect(await tryAsStranger(socket)).toEqual(keptOut)
  // And only they did: opened as well, both doors give way, where nothing above the temporary folder is closed too.
  if (!isOpenToAll(dirname(world.folder))) return
  for (const path of sockets.flatMap((socket) => [socket, tokenPathOf(socket)])) chmodSync(path, 0o666)
  for (const socket of sockets) {
    expect(await tryAsStranger(socket)).toEqual({ uid: 65_534, connected: 'connected', token: 'read' })
  }
})
