/**
 * `attache-wallet attest` as a process: what it says, how it ends, and that it vouches by the clock of the machine.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  createGuardedFetch,
  isJsonObject,
  type JsonObject,
  member,
  parseJson,
  systemClock,
} from '@attache/core'
import { parseJws } from '@attache/keys'
import { createRemoteAttester } from '@attache/wallet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attest } from '../../apps/wallet/src/attest.js'
import { type AttesterWorld, createAttesterWorld } from '../support/attester-world.js'
import { serviceAccountClaims } from '../support/token-issuer.js'
import { CLIENT } from '../support/wallet-world.js'
import { newSigner } from './issuer-bench.js'

/** A process compiles its sources first. */
const PROCESS_TIMEOUT_MS = 120_000

const RUN = fileURLToPath(new URL('../support/run-source.mjs', import.meta.url))

interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

const started: ChildProcess[] = []

function start(...args: string[]): { child: ChildProcess; said: { out: string; err: string } } {
  const child = spawn(process.execPath, [RUN, 'apps/wallet/src/main.ts', ...args])
  started.push(child)
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk) => {
    said.out += chunk
  })
  child.stderr.on('data', (chunk) => {
    said.err += chunk
  })
  return { child, said }
}

async function run(...args: string[]): Promise<Ended> {
  const { child, said } = start(...args)
  const [status]: (number | null)[] = await once(child, 'close')
  return { status: status ?? null, ...said }
}

const parsed = (text: string): JsonObject => {
  const json = parseJson(text.trim())
  return json.ok && isJsonObject(json.value) ? json.value : {}
}

let world: AttesterWorld
beforeAll(async () => {
  world = await createAttesterWorld((configuration) => ({ ...configuration, logLevel: 'info' }))
})
afterAll(async () => {
  for (const child of started) child.kill('SIGKILL')
  await world.close()
})

const configure = (change: (text: string) => string): string => {
  const path = join(world.folder, 'changed.json')
  const { attester, cluster } = world
  const issuer = { issuer: cluster.issuer, audience: attester, discovery: true, algorithms: ['RS256'] }
  const rule = { id: 'r', issuer: cluster.issuer, subject: 'system:serviceaccount:a:b', clientId: 'c' }
  const sound = {
    version: 1,
    attester,
    listen: { port: 0, tls: { key: 'tls.key', certificate: 'tls.pem' } },
    signing: { key: 'provider.key', certificates: 'provider.pem' },
    tokenIssuers: [issuer],
    rules: [rule],
  }
  writeFileSync(path, change(JSON.stringify(sound)))
  return path
}

describe('attache-wallet attest', () => {
  test(
    'vouches until it is told to end, and says what it does in JSON lines',
    async () => {
      const { child, said } = start('attest', '--config', world.configPath, '--json')
      await expect.poll(() => said.out, { timeout: PROCESS_TIMEOUT_MS }).toContain('\n')
      const ready = parsed(said.out)
      expect(ready).toMatchObject({ ready: true, attester: world.attester, token_issuers: 1, rules: 1 })
      const listen = member(ready, 'listen')
      world.forwardTo(isJsonObject(listen) ? Number(listen['port']) : 0)

      const now = systemClock()
      const place = { issuer: world.cluster.issuer, audience: world.attester }
      const claims = serviceAccountClaims(place, { iat: now, nbf: now, exp: now + 600 })
      const readToken = () => world.cluster.sign(claims)
      const fetch = createGuardedFetch({ ca: [world.tls.pem], allowPrivate: ['localhost'] })
      const client = createRemoteAttester({ attester: world.attester }, { fetch, readToken })
      const facts = { clientId: CLIENT, agent: 'payroll-export', instance: newSigner() }
      const { jwt, expiresAt } = await client.attest(facts, now)
      expect(parseJws(jwt).payload).toMatchObject({ sub: CLIENT, iss: world.attester, exp: expiresAt })
      await expect(client.attest({ ...facts, agent: 'other' }, now)).rejects.toMatchObject({
        code: 'attester_refused',
      })

      child.kill('SIGTERM')
      const [status] = await once(child, 'close')
      expect(status).toBe(0)
      const lines = said.err
        .split('\n')
        .map(parsed)
        .filter((line) => member(line, 'event') !== undefined)
      expect(lines.map((line) => member(line, 'event'))).toEqual([
        'attester.ready',
        'attester.vouched',
        'attester.attestation.refused',
      ])
      expect(lines[1]).toMatchObject({ rule: 'payroll', client_id: CLIENT })
      expect(lines[2]).toMatchObject({ code: 'attestation_refused', cause: 'workload_agent' })
    },
    PROCESS_TIMEOUT_MS,
  )

  const faults: readonly (readonly [string, (text: string) => string, string, string])[] = [
    [
      'a misspelt member',
      (text) => text.replace('"audience"', '"audiance"'),
      'configuration_malformed',
      'tokenIssuers.0.audiance. Did you mean audience?',
    ],
    [
      'two sources of keys',
      (text) => text.replace('"discovery":true', '"discovery":true,"jwksUri":"https://k.example"'),
      'configuration_malformed',
      'tokenIssuers.0 needs exactly one of jwksUri, discovery and jwks',
    ],
    [
      'a MAC',
      (text) => text.replace('"RS256"', '"HS256"'),
      'configuration_malformed',
      'tokenIssuers.0.algorithms.0',
    ],
    [
      'an open pattern',
      (text) => text.replace('serviceaccount:a:b', 'serviceaccount:a*'),
      'attester_options_invalid',
      'rules[0].subject ends inside a part of the name',
    ],
    [
      'a missing file',
      (text) => text.replace('provider.key', 'nowhere.key'),
      'start_up_failed',
      'nowhere.key',
    ],
  ]
  test.each(faults)('does not start with %s, and names it', async (_, change, code, message) => {
    const told = expect.objectContaining({ code, message: expect.stringContaining(message) })
    await expect(attest(configure(change))).rejects.toThrow(told)
  })

  test(
    'ends with status 1 and one line that says what to do',
    async () => {
      const misspelt = configure((text) => text.replace('"rules"', '"ruels"'))
      const { status, out, err } = await run('attest', '--config', misspelt, '--json')
      expect([status, out]).toEqual([1, ''])
      expect(parsed(err.trim().split('\n').at(-1) ?? '')).toMatchObject({
        error: 'configuration_malformed',
        message: expect.stringContaining('ruels. Did you mean rules?'),
      })
    },
    PROCESS_TIMEOUT_MS,
  )

  test(
    'explains itself',
    async () => {
      const help = await run('attest', '--help')
      expect(help.status).toBe(0)
      for (const word of ['--config <file>', '--json', 'vouches for wallets'])
        expect(help.out).toContain(word)
    },
    PROCESS_TIMEOUT_MS,
  )
})
