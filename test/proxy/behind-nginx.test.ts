/**
 * A real nginx in front: path prefix, `auth_request`, and what a client must not be able to say past it.
 */
import type { RequestListener } from 'node:http'
import { createRouter, guard } from '@attache/express'
import { createDpopProof } from '@attache/oauth'
import { createTestBench } from '@attache/testing'
import { createAuthRequestHandler, createVerifier, type Requirement, type Verifier } from '@attache/verifier'
import express from 'express'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Loopback, listenOnLoopback, statusOf } from '../support/loopback.js'
import {
  API,
  createWallet,
  createWorld,
  MANAGERS_IN_EU,
  obtainToken,
  QUERY,
  VCT,
  type Wallet,
} from '../support/presentation-world.js'
import { type Nginx, startNginx } from './nginx.js'

interface Seen {
  readonly line: string
  readonly fields: readonly string[]
}

let nginx: Nginx
let servers: readonly Loopback[]
let api: RequestListener
let wallet: Wallet
let world: ReturnType<typeof createWorld>
const seen: Seen[] = []

// The names a client could send a claim under, as the legacy server would read them.
const claimFields = (raw: readonly string[]): readonly string[] =>
  raw.flatMap((name, at) =>
    at % 2 === 0 && /claim|authorization|^dpop/i.test(name) ? [`${name}: ${raw[at + 1]}`] : [],
  )

function apiOf(verifier: Verifier, requirement: Requirement): RequestListener {
  const gate = verifier.requirePresentation(requirement)
  const claimHeaders = { 'X-Claim-Role': 'role', 'X-Claim-Region': 'office' }
  const ask = createAuthRequestHandler(gate, { claimHeaders })
  const app = express()
  app.use(createRouter(verifier.routes))
  app.use(createRouter([{ method: 'GET', path: '/_gate', handle: ask }]))
  app.post('/payroll/export', guard(gate, { pathPrefix: '/hr' }), (request, response) => {
    response.json({ learned: request.presentation?.claims, path: request.originalUrl })
  })
  return app
}

beforeAll(async () => {
  const self = await listenOnLoopback((request, response) => api(request, response))
  const legacy = await listenOnLoopback((request, response) => {
    seen.push({ line: `${request.method} ${request.url}`, fields: claimFields(request.rawHeaders) })
    request.resume()
    response.end('served')
  })
  servers = [self, legacy]
  nginx = await startNginx({ api: self.port, legacy: legacy.port })
  wallet = await createWallet()
})
afterAll(async () => {
  await nginx.close()
  await Promise.all(servers.map((server) => server.close()))
})
beforeEach(() => {
  world = createWorld()
  api = apiOf(world.verifier, MANAGERS_IN_EU)
  seen.length = 0
})

const token = () => obtainToken({ ...world, send: nginx.handle }, wallet)

const proof = (accessToken: string, url: string, method = 'POST') =>
  createDpopProof({ method, url, accessToken }, wallet.dpop, {
    now: world.time.clock(),
    random: world.random,
  })

async function post(path: string, options: { url?: string; headers?: Record<string, string> } = {}) {
  const accessToken = await token()
  const dpop = await proof(accessToken, options.url ?? `${API}${path}`)
  const headers = { Authorization: `DPoP ${accessToken}`, DPoP: dpop, ...options.headers }
  return nginx.handle(new Request(`${API}${path}`, { method: 'POST', headers }))
}

describe('a path prefix that nginx takes away', () => {
  test('a proof names the URL as the client sees it, prefix included [DPOP-S-09]', async () => {
    const answer = await post('/hr/payroll/export')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({
      learned: { role: 'Manager', region: 'EU' },
      path: '/payroll/export',
    })
    for (const url of [`${API}/payroll/export`, 'https://127.0.0.1/hr/payroll/export']) {
      expect((await post('/hr/payroll/export', { url })).status).toBe(401)
    }
  })

  test('forwarding header fields have no say', async () => {
    const url = 'https://evil.example/hr/payroll/export'
    const headers = {
      'X-Forwarded-Host': 'evil.example',
      'X-Forwarded-Prefix': '/evil',
      Forwarded: 'host=evil.example',
    }
    expect((await post('/hr/payroll/export', { url, headers })).status).toBe(401)
    expect((await post('/hr/payroll/export', { headers })).status).toBe(200)
  })
})

describe('auth_request', () => {
  test('lets in what the gate lets in, with its claims and without the token', async () => {
    const answer = await post('/legacy/payroll/export?month=9')
    expect([answer.status, await answer.text()]).toEqual([200, 'served'])
    expect(seen).toEqual([{ line: 'POST /payroll/export?month=9', fields: ['X-Claim-Role: Manager'] }])
  })

  test('answers 401 with the challenge, and the request never arrives', async () => {
    const answer = await nginx.handle(new Request(`${API}/legacy/payroll/export`, { method: 'POST' }))
    expect(answer.status).toBe(401)
    expect(answer.headers.get('WWW-Authenticate')).toMatch(/^DPoP .*scope="payroll:export"/)
    const other = await post('/legacy/payroll/export', { url: `${API}/payroll/export` })
    expect(other.status).toBe(401)
    expect(seen).toEqual([])
  })

  test('answers 403 to a credential that does not suffice', async () => {
    api = apiOf(world.verifier, { ...MANAGERS_IN_EU, decide: () => false })
    expect((await post('/legacy/payroll/export')).status).toBe(403)
    expect(seen).toEqual([])
  })

  test('the gate cannot be asked from outside', async () => {
    const headers = { 'X-Original-Method': 'GET', 'X-Original-URI': '/' }
    expect((await nginx.handle(new Request(`${API}/_gate`, { headers }))).status).toBe(404)
  })

  test('an agent gets through with nonces as well, by what nginx hands on', async () => {
    const bench = await createTestBench({ origin: API, vct: VCT })
    const verifier = createVerifier({ ...bench.options, requireDpopNonce: true }, bench.deps)
    api = apiOf(verifier, { ...MANAGERS_IN_EU, query: QUERY })
    const handle = { method: 'POST', path: '/*rest', handle: nginx.handle } as const
    const agent = await bench.createAgent({ role: 'Manager', region: 'EU' })
    const fetch = agent.connect({ routes: [handle, { ...handle, method: 'GET' }], handle: nginx.handle })
    expect((await fetch(`${API}/legacy/payroll/export`, { method: 'POST', body: 'month=9' })).status).toBe(
      200,
    )
  })
})

describe('what a client says past the gate', () => {
  // A name with an underscore is dropped by nginx; the others are replaced, or taken out where there is no claim.
  const spoofs = [
    ['X-Claim-Role: Admin', 'x-claim-role: Admin', 'X-CLAIM-ROLE: Admin'],
    ['X_Claim_Role: Admin', 'X-Claim_Role: Admin'],
    ['X-Claim-Region: Everywhere', 'x-claim-region: Everywhere'],
    ['X-Claim-Role:\tAdmin'],
  ]

  const raw = async (line: string, fields: readonly string[], body = '') => {
    const accessToken = await token()
    const [method = '', target = ''] = line.split(' ')
    const all = [
      `${line} HTTP/1.1`,
      'Host: api.example',
      'Connection: close',
      `Authorization: DPoP ${accessToken}`,
      `DPoP: ${await proof(accessToken, `${API}${target}`, method)}`,
      ...fields,
    ]
    return statusOf(await nginx.sendRaw(`${all.join('\r\n')}\r\n\r\n${body}`))
  }

  test.each(spoofs)('a spoofed claim is overwritten: %s', async (...fields) => {
    expect(await raw('POST /legacy/payroll/export', ['Content-Length: 0', ...fields])).toBe(200)
    expect(seen.map((one) => one.fields)).toEqual([['X-Claim-Role: Manager']])
  })

  test('a field name with a space in it is refused', async () => {
    const fields = ['Content-Length: 0', 'X-Claim-Role : Admin']
    expect(await raw('POST /legacy/payroll/export', fields)).toBe(400)
    expect(seen).toEqual([])
  })

  test.each([
    'POST /legacy//payroll/export',
    'POST /legacy/x/../payroll/export',
    'POST /legacy/%2e%2e/legacy/payroll/export',
    'POST /legacy/payroll%2fexport',
    'POST /hr/../legacy/payroll/export',
    'POST /legacy/payroll/export/%2E%2E/export',
    'POST /legacy/payroll/export%00',
    'POST /legacy/payroll\\export',
  ])('%s is refused before it is resolved', async (line) => {
    expect([400, 401, 403]).toContain(await raw(line, ['Content-Length: 0']))
    expect(seen).toEqual([])
  })

  test.each(['POST /LEGACY/payroll/export', 'POST /Legacy/Payroll/Export', 'POST //legacy/payroll/export'])(
    '%s is another path to nginx, and leads nowhere',
    async (line) => {
      expect([400, 403, 404]).toContain(await raw(line, ['Content-Length: 0']))
      expect(seen).toEqual([])
    },
  )

  test('a path in other letters below the gate is another path to the gate as well', async () => {
    const decided: string[] = []
    const decide = (_claims: unknown, { method, url }: { method: string; url: string }) => {
      decided.push(`${method} ${url}`)
      return url === `${API}/legacy/payroll/export`
    }
    api = apiOf(world.verifier, { ...MANAGERS_IN_EU, decide })
    expect(await raw('POST /legacy/Payroll/Export', ['Content-Length: 0'])).toBe(403)
    expect(await raw('POST /legacy/payroll/export', ['Content-Length: 0'])).toBe(200)
    // What was decided on is what arrived, letter by letter.
    expect(decided).toEqual([`POST ${API}/legacy/Payroll/Export`, `POST ${API}/legacy/payroll/export`])
    expect(seen.map(({ line }) => line)).toEqual(['POST /payroll/export'])
  })

  test.each([
    ['Authorization', 'Authorization: DPoP another'],
    ['Authorization', 'authorization: Bearer another'],
    ['DPoP', 'DPoP: another'],
    ['DPoP', 'dpop: another'],
  ])('%s sent twice is refused: %s', async (_name, second) => {
    expect([400, 401, 403]).toContain(await raw('POST /legacy/payroll/export', ['Content-Length: 0', second]))
    expect(seen).toEqual([])
  })

  test('the fields by which nginx asks cannot be set by a client', async () => {
    const fields = ['Content-Length: 0', 'X-Original-Method: GET', 'X-Original-URI: /public']
    const decided: string[] = []
    const decide = (_claims: unknown, { method, url }: { method: string; url: string }) => {
      decided.push(`${method} ${url}`)
      return true
    }
    api = apiOf(world.verifier, { ...MANAGERS_IN_EU, decide })
    expect(await raw('POST /legacy/payroll/export', fields)).toBe(200)
    expect(decided).toEqual([`POST ${API}/legacy/payroll/export`])
  })

  test('a second method is refused', async () => {
    const fields = ['Content-Length: 0', 'X-HTTP-Method-Override: DELETE']
    expect(await raw('POST /legacy/payroll/export', fields)).toBe(403)
    expect(seen).toEqual([])
  })

  const inner =
    'POST /admin HTTP/1.1\r\nHost: api.example\r\nContent-Length: 0\r\nX-Claim-Role: Admin\r\n\r\n'
  test.each([
    [['Content-Length: 5', 'Transfer-Encoding: chunked'], `0\r\n\r\n${inner}`],
    [[`Content-Length: ${inner.length + 5}`, 'Transfer-Encoding: chunked'], `0\r\n\r\n${inner}`],
    [['Content-Length: 0', `Content-Length: ${inner.length}`], inner],
    [['Transfer-Encoding: xchunked', `Content-Length: ${inner.length}`], inner],
    [['Transfer-Encoding: chunked, identity', 'Content-Length: 0'], inner],
    [['Content-Length: 0', 'Transfer-Encoding : chunked'], `0\r\n\r\n${inner}`],
  ])('a request smuggled behind %j never arrives', async (fields, body) => {
    expect([200, 400, 501]).toContain(await raw('POST /legacy/payroll/export', fields, body))
    expect(await raw('POST /legacy/payroll/export', ['Content-Length: 0'])).toBe(200)
    expect(seen.at(-1)).toEqual({ line: 'POST /payroll/export', fields: ['X-Claim-Role: Manager'] })
    expect(seen.filter(({ line }) => line.includes('/admin'))).toEqual([])
    expect(seen.flatMap((one) => one.fields).filter((field) => field.includes('Admin'))).toEqual([])
  })
})
