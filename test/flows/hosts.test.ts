import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Handler, JsonObject } from '@attache/core'
import { routeRequests } from '@attache/core'
import { checkGuards, createExpressVerifier, createNodeListener, listRoutes } from '@attache/express'
import { createTestBench, type TestBench } from '@attache/testing'
import {
  type AcceptedPresentation,
  claimsIn,
  createAuthRequestHandler,
  createVerifier,
  guardHandler,
  routeGuarded,
} from '@attache/verifier'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import { afterAll, describe, expect, test } from 'vitest'
import { type Loopback, listenOnLoopback } from '../support/loopback.js'

const ORIGIN = 'https://api.example'
const VCT = 'https://hr.example/types/agent-role/v1'
const MANAGER = { role: 'Manager' }
const REQUIREMENT = {
  scope: 'payroll:export',
  query: {
    credentials: [
      { id: 'role', format: 'dc+sd-jwt', meta: { vct_values: [VCT] }, claims: [{ path: ['role'] }] },
    ],
  },
  decide: claimsIn({ role: ['Manager'] }),
}

const open: Loopback[] = []
afterAll(() => Promise.all(open.map((server) => server.close())))

async function listening(...parameters: Parameters<typeof listenOnLoopback>): Promise<Handler> {
  const server = await listenOnLoopback(...parameters)
  open.push(server)
  return server.handle
}

const exported = async (request: Request, { claims }: AcceptedPresentation) =>
  Response.json({ claims, sent: await request.text() })

function start(bench: TestBench) {
  const verifier = createVerifier(bench.options, bench.deps)
  return { verifier, gate: verifier.requirePresentation(REQUIREMENT), routes: routeRequests(verifier.routes) }
}

const hosts: Readonly<Record<string, (bench: TestBench) => Promise<Handler>>> = {
  'a fetch handler': async (bench) => {
    const { gate, verifier } = start(bench)
    const own = verifier.routes.map((route) => ({ ...route, gate: 'public' as const }))
    return routeGuarded([...own, { method: 'POST', path: '/payroll/export', gate, handle: exported }])
  },
  'Hono in process': async (bench) => async (request) => hono(bench).fetch(request),
  'Hono over a socket': async (bench) => listening(getRequestListener(hono(bench).fetch)),
  'node:http': async (bench) => {
    const { gate, routes } = start(bench)
    const guarded = guardHandler(gate, exported)
    return listening(createNodeListener(async (request) => (await routes(request)) ?? guarded(request)))
  },
  'Express 5': async (bench) => listening(expressApp(express, bench)),
  'Express 4': async (bench) => listening(expressApp(express4, bench)),
}

// Installed beside 5 under another name; the types of 5 fit what is used here.
const express4: typeof express = createRequire(import.meta.url)('express4')

function expressApp(framework: typeof express, bench: TestBench) {
  const verifier = createExpressVerifier(bench.options, bench.deps)
  const app = framework()
  app.use(verifier.routes)
  app.use(framework.text())
  app.post('/payroll/export', verifier.requirePresentation(REQUIREMENT), (request, response) => {
    response.json({ claims: request.presentation.claims, sent: request.body })
  })
  app.get('/health', (_request, response) => void response.end())
  checkGuards(app, { public: ['GET /health'] })
  return app
}

const honoApps = new WeakMap<TestBench, Hono>()
function hono(bench: TestBench): Hono {
  const known = honoApps.get(bench)
  if (known !== undefined) return known
  const { gate, routes } = start(bench)
  const app = new Hono()
  app.use(async (context, next) => (await routes(context.req.raw)) ?? next())
  app.post('/payroll/export', (context) => guardHandler(gate, exported)(context.req.raw))
  honoApps.set(bench, app)
  return app
}

describe.each(Object.keys(hosts))('%s', (name) => {
  const connect = async (claims: JsonObject) => {
    const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
    const handle = await hosts[name]?.(bench)
    if (handle === undefined) throw new Error('Unknown host.')
    // Everything the agent does goes through the host, the challenge route too.
    const paths = ['GET', 'POST'] as const
    const routes = paths.map((method) => ({
      method,
      path: '/*rest',
      handle: (request: Request) => handle(request),
    }))
    return (await bench.createAgent(claims)).connect({ routes, handle })
  }

  test('runs the whole route and hands claims and body to the handler', async () => {
    const answer = await (await connect(MANAGER))(`${ORIGIN}/payroll/export`, {
      method: 'POST',
      body: 'month=9',
    })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ claims: MANAGER, sent: 'month=9' })
  })

  test('sends refusals as they are', async () => {
    const answer = await (await connect({ role: 'Clerk' }))(`${ORIGIN}/payroll/export`, { method: 'POST' })
    expect(answer.status).toBe(403)
    expect(answer.headers.get('Content-Type')).toBe('application/problem+json')
    expect(answer.headers.get('WWW-Authenticate')).toMatch(/^DPoP .*scope="payroll:export"/)
    expect(await answer.json()).toMatchObject({ code: 'decision_denied', missing: ['role'] })
  })
})

describe('routeGuarded', () => {
  const handle = async () => new Response('served')

  test('serves what is guarded or public, and nothing else', async () => {
    const { gate } = start(await createTestBench({ origin: ORIGIN, vct: VCT }))
    const answer = routeGuarded([
      { method: 'GET', path: '/health', gate: 'public', handle },
      { method: 'POST', path: '/payroll/:month', gate, handle },
    ])
    const status = async (method: string, path: string) =>
      (await answer(new Request(`${ORIGIN}${path}`, { method }))).status
    expect(await status('GET', '/health')).toBe(200)
    expect(await status('POST', '/payroll/9')).toBe(401)
    expect(await status('GET', '/payroll/9')).toBe(405)
    expect(await status('GET', '/other')).toBe(404)
  })

  test('a route without a gate, or twice, stops the start', () => {
    const forgotten = JSON.parse('{"method":"GET","path":"/admin"}')
    expect(() => routeGuarded([{ ...forgotten, handle }])).toThrow(
      expect.objectContaining({ code: 'route_unguarded' }),
    )
    const health = { method: 'GET', path: '/health', gate: 'public', handle } as const
    expect(() => routeGuarded([health, health])).toThrow(expect.objectContaining({ code: 'route_twice' }))
  })
})

describe('adapters', () => {
  test.each([
    ['Express, the guard', 'packages/express/src/require-presentation.ts'],
    ['Express, the routes', 'packages/express/src/router.ts'],
    ['node:http', 'packages/express/src/node-listener.ts'],
  ])('%s: less than 60 lines', (_what, path) => {
    const source = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
    expect(source.trimEnd().split('\n').length).toBeLessThan(60)
  })

  test.each([
    ['express', /^5\./],
    ['express4', /^4\./],
  ])('%s is the major version it is said to be', (name, version) => {
    const manifest: unknown = createRequire(import.meta.url)(`${name}/package.json`)
    expect(manifest).toMatchObject({ name: 'express', version: expect.stringMatching(version) })
  })
})

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('the inventory of an app of %s', (_name, framework) => {
  const handler: express.RequestHandler = (_request, response) => void response.end()

  async function app() {
    const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
    const guard = createExpressVerifier(bench.options, bench.deps).requirePresentation(REQUIREMENT)
    return { app: framework(), guard }
  }

  test('names every route that is neither guarded nor public', async () => {
    const { app: api, guard } = await app()
    api.get('/health', handler)
    api.post('/payroll/export', framework.json(), guard, handler)
    api.get('/late', handler, guard)
    const nested = framework.Router()
    nested.get('/inner', handler)
    api.use('/outer', nested)
    expect(() => checkGuards(api, { public: ['GET /health'] })).toThrow(
      expect.objectContaining({
        code: 'route_unguarded',
        message: 'No guard stands before GET /late, GET /inner. Add one, or name the route public.',
      }),
    )
    expect(() => checkGuards(api, { public: ['GET /health', 'GET /late', 'GET /inner'] })).not.toThrow()
    expect(() => checkGuards(api, { public: ['GET /gone'] })).toThrow(
      expect.objectContaining({ code: 'route_unknown' }),
    )
  })

  test('a guard before a whole router guards what is declared after it', async () => {
    const { app: api, guard } = await app()
    const before = framework.Router().get('/before', handler).use(guard).get('/after', handler)
    api.use(before)
    api.use('/part', guard)
    api.get('/last', handler)
    expect(listRoutes(api)).toEqual([
      { method: 'GET', path: '/before', guarded: false },
      { method: 'GET', path: '/after', guarded: true },
      { method: 'GET', path: '/last', guarded: false },
    ])
  })
})

describe('the gate as a subrequest', () => {
  const ask = async (claims: JsonObject, override: Readonly<Record<string, string>> = {}) => {
    const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
    const { gate, verifier } = start(bench)
    const handler = createAuthRequestHandler(gate, { claimHeaders: { 'X-Claim-Role': 'role' } })
    const handle: Handler = (request) => {
      const original = {
        'X-Original-Method': request.method,
        'X-Original-URI': new URL(request.url).pathname,
      }
      const headers = { ...Object.fromEntries(request.headers), ...original, ...override }
      return handler(new Request('https://origin.invalid/ask', { headers }))
    }
    const agent = await bench.createAgent(claims)
    return agent.connect({ routes: verifier.routes, handle })(`${ORIGIN}/payroll/export`, { method: 'POST' })
  }

  test('answers 204 with claims, encoded so that no value breaks a header', async () => {
    const answer = await ask(MANAGER)
    expect([answer.status, answer.headers.get('X-Claim-Role')]).toEqual([204, 'Manager'])
    const refused = await ask({ role: 'Chef\r\nX-Claim-Role: Manager' })
    expect([refused.status, refused.headers.get('X-Claim-Role')]).toEqual([403, null])
  })

  test.each([
    { 'X-Original-URI': '/payroll//export' },
    { 'X-Original-URI': '/payroll/export/%2e%2e/admin' },
    { 'X-Original-URI': 'https://evil.example/' },
    { 'X-Original-Method': 'TRACE' },
    { 'X-Original-Method': '' },
    { 'X-HTTP-Method-Override': 'DELETE' },
  ])('answers 403 to what cannot be read in one way: %o', async (override) => {
    expect((await ask(MANAGER, override)).status).toBe(403)
  })

  test('a claim header that is no field name stops the start', async () => {
    const { gate } = start(await createTestBench({ origin: ORIGIN, vct: VCT }))
    expect(() => createAuthRequestHandler(gate, { claimHeaders: { 'X Role': 'role' } })).toThrow(
      expect.objectContaining({ code: 'claim_header' }),
    )
  })
})
