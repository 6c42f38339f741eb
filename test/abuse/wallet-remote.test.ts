import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import {
  AUTHORIZATION_PATH,
  callSocket,
  createAgentFetch,
  HEALTH_PATH,
  RECEIVE_PATH,
  type RemoteFiles,
  STATUS_PATH,
} from '@attache/agent'
import type { JsonObject } from '@attache/core'
import type { CertificateAuthority } from '@attache/keys'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { certifyTls, createTlsAuthority } from '../support/https-origin.js'
import { AGENT } from '../support/wallet-world.js'

const OTHER = 'other-agent'
const TOKENS: Readonly<Record<string, string>> = {
  [AGENT]: `token-of-${AGENT}-0123456789abcdef`,
  [OTHER]: `token-of-${OTHER}-0123456789abcdef`,
}

const remote: JsonObject = {
  listen: { port: 0, tls: { certificate: 'remote.pem', key: 'remote.key' } },
  hostname: 'localhost',
  clientAuthority: 'agents-ca.pem',
  clients: [AGENT, OTHER].map((agent) => ({
    agent,
    certificate: `${agent}.pem`,
    tokenFile: `${agent}.token`,
  })),
}

/** Everybody's files in one folder; `foreign` is signed by an authority with the same name and another key. */
async function remoteFiles(tls: CertificateAuthority): Promise<Record<string, string>> {
  const agents = await createTlsAuthority()
  const foreign = await createTlsAuthority()
  const files: Record<string, string> = { 'agents-ca.pem': agents.pem }
  const put = (name: string, { key, cert }: { key: string; cert: string }) => {
    files[`${name}.key`] = key
    files[`${name}.pem`] = cert
  }
  put('remote', await certifyTls(tls, { name: 'localhost' }))
  for (const agent of [AGENT, OTHER]) {
    put(agent, await certifyTls(agents, { name: agent, client: true }))
    files[`${agent}.token`] = TOKENS[agent] ?? ''
  }
  // Under the right authority and with the right name, but not the one that is pinned.
  put('unpinned', await certifyTls(agents, { name: AGENT, client: true }))
  put('foreign', await certifyTls(foreign, { name: AGENT, client: true }))
  put('server-only', await certifyTls(agents, { name: AGENT }))
  put('expired', await certifyTls(agents, { name: AGENT, client: true, notAfter: 1_700_000_000 }))
  return files
}

describe('agents on other hosts', () => {
  let world: DaemonWorld
  beforeAll(async () => {
    world = await createDaemonWorld((configuration) => ({ ...configuration, remote }), {
      files: remoteFiles,
    })
  })
  afterAll(() => world.close())

  const file = (name: string) => join(world.folder, name)
  const url = (agent = AGENT) => `https://localhost:${world.daemon().ports.remote}/${agent}`
  const filesOf = (certificate: string, token = AGENT): RemoteFiles => ({
    certificateFile: file(`${certificate}.pem`),
    keyFile: file(`${certificate}.key`),
    caFile: world.caFile,
    tokenFile: file(`${token}.token`),
  })
  const health = (socketPath: string, files: RemoteFiles) =>
    callSocket({ socketPath, remote: files, method: 'GET', path: HEALTH_PATH })

  /** A request as somebody else's software would make it. */
  function raw(options: {
    readonly certificate?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly path?: string
  }): Promise<{ status: number; body: string }> {
    const { certificate, headers = {}, path = `/${AGENT}${HEALTH_PATH}` } = options
    const client =
      certificate === undefined
        ? {}
        : {
            cert: readFileSync(file(`${certificate}.pem`), 'utf8'),
            key: readFileSync(file(`${certificate}.key`), 'utf8'),
          }
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: 'localhost',
          servername: 'localhost',
          port: world.daemon().ports.remote,
          path,
          ca: readFileSync(world.caFile, 'utf8'),
          agent: false,
          headers: { authorization: `Bearer ${TOKENS[AGENT]}`, ...headers },
          ...client,
        },
        (response) => {
          let body = ''
          response.on('data', (chunk) => {
            body += String(chunk)
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
        },
      )
      outgoing.on('error', reject)
      outgoing.end()
    })
  }
  const foreignCaller = { status: 403, body: '{"error":"foreign_caller"}' }

  test('call the API with headers of the daemon, over mutual TLS', async () => {
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
    const fetch = createAgentFetch({ socket: url(), remote: filesOf(AGENT), caFile: world.caFile })
    const answer = await fetch(`${world.api}/payroll/export`, { method: 'POST' })
    expect(answer.status).toBe(200)
    // Another agent is another agent here too.
    const other = createAgentFetch({
      socket: url(OTHER),
      remote: filesOf(OTHER, OTHER),
      caFile: world.caFile,
    })
    expect((await other(`${world.api}/payroll/export`, { method: 'POST' })).status).toBe(401)
  })

  test('get in by no certificate, a foreign authority, an expired one, or one for servers: not at all', async () => {
    await expect(raw({})).rejects.toMatchObject({ code: expect.any(String) })
    for (const certificate of ['foreign', 'expired', 'server-only']) {
      await expect(health(url(), filesOf(certificate))).rejects.toMatchObject({ code: 'wallet_unreachable' })
    }
    expect((await health(url(), filesOf(AGENT))).status).toBe(200)
  })

  test('with the certificate of another agent, or an unpinned one, are foreign callers', async () => {
    for (const certificate of [OTHER, 'unpinned']) {
      expect(await raw({ certificate })).toEqual(foreignCaller)
    }
    // The own certificate at the path of another agent, of no agent, and of the operator.
    for (const path of [
      `/${OTHER}${HEALTH_PATH}`,
      `/nobody${HEALTH_PATH}`,
      `/operator${STATUS_PATH}`,
      HEALTH_PATH,
      STATUS_PATH,
      `//${AGENT}${HEALTH_PATH}`,
    ]) {
      expect(await raw({ certificate: AGENT, path })).toEqual(foreignCaller)
    }
  })

  test('want the token as well', async () => {
    const wrong = [{ authorization: `Bearer ${TOKENS[OTHER]}` }, { authorization: '' }]
    for (const headers of wrong) {
      expect(await raw({ certificate: AGENT, headers })).toMatchObject({ status: 401 })
    }
    expect(await health(url(), filesOf(AGENT, OTHER))).toMatchObject({ status: 401 })
    // The operator's calls have no door here.
    expect(await raw({ certificate: AGENT, path: `/${AGENT}${STATUS_PATH}` })).toMatchObject({ status: 404 })
    expect(await raw({ certificate: AGENT, path: `/${AGENT}${AUTHORIZATION_PATH}` })).toMatchObject({
      status: 404,
    })
  })

  test('are no web pages, and no rebound names', async () => {
    for (const headers of [
      { origin: 'https://localhost' },
      { origin: 'null' },
      { 'sec-fetch-mode': 'no-cors' },
      { host: 'evil.example' },
      { host: 'localhost' },
      { host: 'attache' },
      { host: `localhost.evil.example:${world.daemon().ports.remote}` },
    ]) {
      expect(await raw({ certificate: AGENT, headers })).toEqual(foreignCaller)
    }
    expect(await raw({ certificate: AGENT })).toMatchObject({ status: 200 })
  })

  test('hear nothing in plain TCP', async () => {
    const heard = await new Promise<string>((resolve) => {
      const socket = connectPlain(world.daemon().ports.remote ?? 0, 'localhost')
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
      })
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(text))
      socket.write(`GET /${AGENT}${HEALTH_PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    })
    expect(heard).not.toContain('HTTP/1.1 200')
    expect(heard).not.toContain('protocol')
  })

  test('trust the daemon by its own authority alone', async () => {
    const stranger = await createTlsAuthority()
    writeFileSync(file('stranger-ca.pem'), stranger.pem)
    const files = { ...filesOf(AGENT), caFile: file('stranger-ca.pem') }
    await expect(health(url(), files)).rejects.toMatchObject({ code: 'wallet_unreachable' })
    // The name counts, not only who signed.
    const byAddress = `https://127.0.0.1:${world.daemon().ports.remote}/${AGENT}`
    await expect(health(byAddress, filesOf(AGENT))).rejects.toMatchObject({ code: 'wallet_unreachable' })
    rmSync(file('stranger-ca.pem'))
    await expect(health(url(), files)).rejects.toMatchObject({ code: 'wallet_unreachable' })
  })
})

describe('a remote part that is configured wrongly', () => {
  const start = (change: JsonObject, more: Record<string, string> = {}) =>
    createDaemonWorld((configuration) => ({ ...configuration, remote: { ...remote, ...change } }), {
      files: async (tls) => ({ ...(await remoteFiles(tls)), ...more }),
    })
  const clients = (...agents: readonly string[]) => ({
    clients: agents.map((agent) => ({
      agent,
      certificate: `${AGENT}.pem`,
      tokenFile: `${AGENT}.token`,
    })),
  })
  const { clientAuthority: _none, ...withoutAuthority } = remote

  test.each<[string, JsonObject, string]>([
    ['no TLS', { listen: { port: 0 } }, 'configuration_malformed'],
    ['an agent nobody knows', clients('nobody'), 'remote_client_unknown'],
    ['one certificate for two agents', clients(AGENT, OTHER), 'remote_client_repeated'],
    ['no clients', { clients: [] }, 'configuration_malformed'],
    ['a missing authority', { clientAuthority: 'missing.pem' }, 'start_up_failed'],
  ])('does not start: %s', async (_, change, code) => {
    await expect(start(change)).rejects.toMatchObject({ code })
  })

  test('does not start without an authority, whatever else is there', async () => {
    await expect(
      createDaemonWorld((configuration) => ({ ...configuration, remote: withoutAuthority }), {
        files: remoteFiles,
      }),
    ).rejects.toMatchObject({ code: 'configuration_malformed' })
  })

  test('does not start with a token that can be guessed', async () => {
    await expect(start({}, { [`${AGENT}.token`]: 'short' })).rejects.toMatchObject({
      code: 'token_malformed',
    })
  })
})

describe('an agent that is configured wrongly', () => {
  const names = ['ATTACHE_CERT_FILE', 'ATTACHE_KEY_FILE', 'ATTACHE_WALLET_CA_FILE', 'ATTACHE_TOKEN_FILE']
  afterEach(() => {
    for (const name of names) delete process.env[name]
  })

  test.each([
    'http://localhost:8555/a',
    'ftp://localhost/a',
    'tcp://localhost:8555',
    'https://user@localhost/a',
    'https://localhost/a?b',
  ])('refuses %s before anything is sent', (socket) => {
    expect(() => createAgentFetch({ socket })).toThrow(expect.objectContaining({ code: 'socket_refused' }))
  })

  test('names the setting that is missing', () => {
    for (const name of names) {
      expect(() => createAgentFetch({ socket: 'https://localhost:8555/a' })).toThrow(
        expect.objectContaining({
          code: 'socket_not_configured',
          message: expect.stringContaining(name),
        }),
      )
      process.env[name] = '/some/file'
    }
    expect(createAgentFetch({ socket: 'https://localhost:8555/a' })).toBeTypeOf('function')
  })
})
