/**
 * What an agent's process knows: the answers it got, and no key, no credential, nothing that was not disclosed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { callSocket, RECEIVE_PATH } from '@attache/agent'
import {
  decodeBase64url,
  encodeBase64url,
  isJsonObject,
  type JsonValue,
  systemRandom,
  utf8,
} from '@attache/core'
import { createConfiguredFiles } from '@attache/daemon'
import { createEnvelope } from '@attache/keys'
import { createLevelStore } from '@attache/storage'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createVault } from '../../packages/wallet/src/vault.js'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { AGENT } from '../support/wallet-world.js'
import { findInMemory } from './process-memory.js'

const CHILD = fileURLToPath(new URL('./agent-child.mjs', import.meta.url))
/** The answer of the API, as no other process says it. */
const ANSWER = `answer-${encodeBase64url(systemRandom(24))}`

let world: DaemonWorld
let agent: ChildProcess

beforeAll(async () => {
  world = await createDaemonWorld()
  world.serveApi((guarded) => async (request) => {
    const answer = await guarded(request)
    return answer.status === 200 && request.url.endsWith('/payroll/export') ? new Response(ANSWER) : answer
  })
  const { uri, txCode } = await world.bench.issuer.createOffer(
    { agent: AGENT, by: 'value' },
    world.bench.time.clock(),
  )
  await callSocket({
    socketPath: world.daemon().operatorSocket,
    path: RECEIVE_PATH,
    method: 'POST',
    body: JSON.stringify({ agent: AGENT, offer: uri, txCode }),
  })
})
afterAll(async () => {
  if (agent.exitCode === null) {
    const exit = once(agent, 'exit')
    agent.kill('SIGKILL')
    await exit
  }
  await world.close()
})

/** An agent that made its call, was answered, and goes on living. @returns The status it saw. */
async function startAgent(): Promise<string> {
  const socket = world.daemon().agentSockets.get(AGENT) ?? ''
  agent = spawn(process.execPath, [CHILD, `${world.api}/payroll/export`], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ATTACHE_SOCKET: socket, ATTACHE_CA_FILE: world.caFile },
  })
  if (agent.stdout === null) throw new Error('The agent has no output.')
  const [line] = await once(agent.stdout, 'data')
  return String(line).trim()
}

/** Opens a copy of the wallet's database as its daemon does. @returns What it keeps for the agent, unsealed. */
async function openVault(): Promise<readonly JsonValue[]> {
  const path = join(world.folder, 'copy')
  cpSync(join(world.folder, 'data'), path, { recursive: true })
  const store = await createLevelStore({ path, clock: world.bench.time.clock })
  try {
    const master = createConfiguredFiles(world.folder).secretKey('master.key')
    const envelope = createEnvelope([master], { random: systemRandom })
    const vault = createVault({ tenant: 'default' }, { store, envelope })
    const kinds = ['key', 'client', 'token', 'credential'] as const
    const records = await Promise.all(kinds.map((kind) => vault.list(AGENT, kind)))
    return records.flat().map(({ content }) => content)
  } finally {
    await store.close()
  }
}

/** Texts under a name, at any depth. */
function textsOf(value: JsonValue, wanted: (name: string, text: string) => boolean, name = ''): string[] {
  if (typeof value === 'string') return wanted(name, value) ? [value] : []
  if (Array.isArray(value)) return value.flatMap((inner) => textsOf(inner, wanted, name))
  if (!isJsonObject(value)) return []
  return Object.entries(value).flatMap(([inner, content]) => textsOf(content, wanted, inner))
}

test('an agent that was let in holds no key, no credential and no undisclosed claim in its memory', async () => {
  expect(await startAgent()).toBe('200')
  const kept = await openVault()
  const keys = [...new Set(textsOf(kept, (name) => name === 'd'))]
  const credentials = textsOf(kept, (_, text) => text.includes('~'))
  // The keys of client, DPoP and credential at least.
  expect(keys.length).toBeGreaterThanOrEqual(3)
  expect(credentials.length).toBeGreaterThanOrEqual(1)
  const [credential = ''] = credentials
  const [signed = '', ...disclosures] = credential.split('~')
  const hidden = disclosures.filter((one) =>
    /employee_id|salary_band/.test(Buffer.from(one, 'base64url').toString()),
  )
  expect(hidden).toHaveLength(2)

  const secrets = [
    ...keys.flatMap((d, at) => [
      { name: `key ${at} as text`, bytes: utf8(d) },
      { name: `key ${at} as bytes`, bytes: decodeBase64url(d) ?? new Uint8Array() },
    ]),
    { name: 'signature of the issuer', bytes: utf8(signed.split('.')[2] ?? '') },
    ...hidden.map((one, at) => ({ name: `undisclosed claim ${at}`, bytes: utf8(one) })),
  ]
  // An empty text is everywhere, a short one anywhere.
  for (const { bytes } of secrets) expect(bytes.length).toBeGreaterThanOrEqual(32)
  const { found, bytesRead } = findInMemory(agent.pid ?? 0, [
    { name: 'answer of the API', bytes: utf8(ANSWER) },
    ...secrets,
  ])
  expect([...found]).toEqual(['answer of the API'])
  expect(bytesRead).toBeGreaterThan(10_000_000)
  expect(agent.exitCode).toBeNull()
})
