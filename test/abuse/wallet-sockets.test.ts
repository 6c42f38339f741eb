import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { AUTHORIZATION_PATH, RECEIVE_PATH, SOCKET_HOST, STATUS_PATH, tokenPathOf } from '@attache/agent'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { forbidDumps } from '../../apps/wallet/src/no-dumps.js'
import { serve } from '../../apps/wallet/src/serve.js'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { AGENT } from '../support/wallet-world.js'
import { callAsEvil, type EvilCall } from './evil-local-caller.js'

let world: DaemonWorld
beforeAll(async () => {
  world = await createDaemonWorld()
  const { uri, txCode } = await world.bench.issuer.createOffer(
    { agent: AGENT, by: 'value' },
    world.bench.time.clock(),
  )
  const sound = await tell({
    socketPath: world.daemon().operatorSocket,
    path: RECEIVE_PATH,
    body: JSON.stringify({ agent: AGENT, offer: uri, txCode }),
  })
  expect(sound.text).toContain('"stored"')
})
afterAll(() => world.close())

const socketOf = (agent: string) => world.daemon().agentSockets.get(agent) ?? ''
const tokenOf = (path: string) => readFileSync(tokenPathOf(path), 'utf8').trim()
const tell = ({ headers, ...call }: EvilCall, token = tokenOf(call.socketPath)) =>
  callAsEvil({
    ...call,
    headers: {
      host: SOCKET_HOST,
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      ...headers,
    },
  })
const question = () => JSON.stringify({ method: 'POST', url: `${world.api}/payroll/export` })

describe('a wallet socket', () => {
  test('answers the holder of its token, and nobody else', async () => {
    const call = { socketPath: socketOf(AGENT), path: AUTHORIZATION_PATH, body: question() }
    expect((await tell(call)).status).toBe(200)
    for (const token of ['', 'x', tokenOf(socketOf('other-agent')), tokenOf(world.daemon().operatorSocket)]) {
      expect(await tell(call, token)).toEqual({ status: 401, text: '{"error":"unauthorized"}' })
    }
  })

  test('answers no browser that was led to it', async () => {
    const call = { socketPath: socketOf(AGENT), path: AUTHORIZATION_PATH, body: question() }
    const led = [
      { host: 'evil.example' },
      { host: 'localhost' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-mode': 'no-cors' },
    ]
    for (const headers of led) expect((await tell({ ...call, headers })).status).toBe(403)
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=utf-8',
    ]) {
      expect((await tell({ ...call, headers: { 'content-type': type } })).status).toBe(400)
    }
  })

  test('of an agent knows no call of the operator, and the other way round', async () => {
    const agent = { socketPath: socketOf(AGENT) }
    const offer = JSON.stringify({
      agent: AGENT,
      offer: 'openid-credential-offer://?credential_offer_uri=https://evil.example',
    })
    expect((await tell({ ...agent, path: RECEIVE_PATH, body: offer })).status).toBe(404)
    expect((await tell({ ...agent, path: STATUS_PATH, method: 'GET' })).status).toBe(404)
    expect((await tell({ ...agent, path: '/v1/explain', body: '{}' })).status).toBe(404)
    expect(
      (await tell({ socketPath: world.daemon().operatorSocket, path: AUTHORIZATION_PATH, body: question() }))
        .status,
    ).toBe(404)
  })

  test('of one agent reaches nothing of another', async () => {
    const other = await tell({
      socketPath: socketOf('other-agent'),
      path: AUTHORIZATION_PATH,
      body: JSON.stringify({ method: 'POST', url: `${world.api}/payroll/export`, agent: AGENT }),
    })
    expect(other).toEqual({ status: 200, text: '{"outcome":"none"}' })
  })

  test('takes no malformed, oversized or unknown call, and says no more than that', async () => {
    const at = { socketPath: socketOf(AGENT), path: AUTHORIZATION_PATH }
    for (const body of [
      '',
      '{',
      '[]',
      '{"method":"GET"}',
      '{"method":"GET","url":"http://api.example/"}',
      '{"method":"get it","url":"https://a.example/"}',
    ]) {
      expect((await tell({ ...at, body })).status).toBe(400)
    }
    expect((await tell({ ...at, body: `"${'x'.repeat(300_000)}"` })).status).toBe(413)
    for (const path of [
      '/',
      '/v2/authorization',
      `${AUTHORIZATION_PATH}?x=1`,
      '/constructor',
      '/__proto__',
    ]) {
      expect(await tell({ ...at, path, body: '{}' })).toEqual({
        status: 404,
        text: '{"error":"unknown_call"}',
      })
    }
  })

  test('gives no presentation for an address the caller made up', async () => {
    const before = world.seen.length
    for (const url of [
      'https://evil.example/',
      'https://localhost.evil.example/',
      'https://api.example.evil.example/',
      'https://169.254.169.254/',
    ]) {
      const challenge = {
        status: 401,
        www_authenticate: [
          `DPoP scope="payroll:export", resource_metadata="${url}.well-known/oauth-protected-resource"`,
        ],
      }
      const answer = await tell({
        socketPath: socketOf(AGENT),
        path: AUTHORIZATION_PATH,
        body: JSON.stringify({ method: 'POST', url, challenge }),
      })
      expect(JSON.parse(answer.text)).toMatchObject({ outcome: 'none' })
    }
    expect(world.seen).toHaveLength(before)
  })
})

describe('a daemon that cannot start', () => {
  test('says in one line what to do', async () => {
    await expect(serve(world.configPath)).rejects.toMatchObject({
      code: expect.stringMatching(/store_locked|socket_in_use/),
    })
    const write = (name: string, change: object) => {
      const path = join(world.folder, name)
      writeFileSync(
        path,
        JSON.stringify({ ...JSON.parse(readFileSync(world.configPath, 'utf8')), ...change }),
      )
      return path
    }
    const long = write('long.json', { runtimeFolder: 'r'.repeat(90) })
    await expect(serve(long)).rejects.toMatchObject({
      code: 'runtime_folder_too_long',
      message: expect.stringContaining('runtimeFolder'),
    })
    const misspelt = write('misspelt.json', { verifyers: [] })
    await expect(serve(misspelt)).rejects.toMatchObject({
      code: 'configuration_malformed',
      message: expect.stringContaining('verifiers'),
    })
    const key = write('key.json', {
      masterKeys: ['release-rules.json'],
      dataFolder: 'd2',
      runtimeFolder: 'r2',
    })
    await expect(serve(key)).rejects.toMatchObject({ code: 'secret_key_malformed' })
    const missing = write('missing.json', { policy: { rules: 'nowhere.json' } })
    await expect(serve(missing)).rejects.toMatchObject({ code: 'start_up_failed' })
    expect(() => forbidDumps(['--heapsnapshot-signal=SIGUSR2'])).toThrow(
      expect.objectContaining({ code: 'memory_exposed' }),
    )
    expect(() => forbidDumps(['--enable-source-maps'])).not.toThrow()
  })

  test('leaves alone a socket at which somebody answers', async () => {
    const config = JSON.parse(readFileSync(world.configPath, 'utf8'))
    const path = join(world.folder, 'busy.json')
    writeFileSync(path, JSON.stringify({ ...config, dataFolder: 'busy-data', runtimeFolder: 'busy' }))
    const first = await serve(path)
    await first.close()
    const squatter = createServer().listen(join(world.folder, 'busy', `${AGENT}.sock`))
    await expect(serve(path)).rejects.toMatchObject({ code: 'socket_in_use' })
    await new Promise((resolve) => squatter.close(resolve))
    const second = await serve(path)
    await second.close()
  })
})
