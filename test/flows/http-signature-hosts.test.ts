/**
 * A route that wants signed calls and signs its answers, on every host: the body arrives as it was verified.
 */
import { createRequire } from 'node:module'
import { type Handler, routeRequests } from '@attache/core'
import { createExpressVerifier, createNodeListener } from '@attache/express'
import { createTestBench, type TestBench } from '@attache/testing'
import { claimsIn, createVerifier, guardHandler, type Requirement } from '@attache/verifier'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import { afterAll, describe, expect, test } from 'vitest'
import { type Loopback, listenOnLoopback } from '../support/loopback.js'

const ORIGIN = 'https://api.example'
const URL_OF_ROUTE = `${ORIGIN}/payroll/export`
const VCT = 'https://hr.example/types/agent-role/v1'
const REQUIREMENT: Requirement = {
  scope: 'payroll:export',
  query: {
    credentials: [
      { id: 'role', format: 'dc+sd-jwt', meta: { vct_values: [VCT] }, claims: [{ path: ['role'] }] },
    ],
  },
  decide: claimsIn({ role: ['Manager'] }),
  requestSignature: 'required',
  signResponses: true,
}

const open: Loopback[] = []
afterAll(() => Promise.all(open.map((server) => server.close())))
async function listening(...parameters: Parameters<typeof listenOnLoopback>): Promise<Handler> {
  const server = await listenOnLoopback(...parameters)
  open.push(server)
  return server.handle
}

function start(bench: TestBench) {
  const verifier = createVerifier(bench.options, bench.deps)
  const handle = guardHandler(verifier.requirePresentation(REQUIREMENT), async (request) =>
    Response.json({ sent: await request.text() }),
  )
  return { handle, routes: routeRequests(verifier.routes) }
}

function hono(bench: TestBench, readFirst = false): Hono {
  const { handle, routes } = start(bench)
  const app = new Hono()
  app.use(async (context, next) => (await routes(context.req.raw)) ?? next())
  if (readFirst) {
    app.use(async (context, next) => {
      await context.req.text()
      await next()
    })
  }
  app.post('/payroll/export', (context) => handle(context.req.raw, {}))
  return app
}

// Installed beside 5 under another name; the types of 5 fit what is used here.
const express4: typeof express = createRequire(import.meta.url)('express4')

function expressApp(framework: typeof express, bench: TestBench) {
  const verifier = createExpressVerifier(bench.options, bench.deps)
  const app = framework()
  app.use(verifier.routes)
  app.post(
    '/payroll/export',
    verifier.requirePresentation(REQUIREMENT),
    framework.text(),
    (request, response) => {
      response.json({ sent: request.body })
    },
  )
  return app
}

const hosts: Readonly<Record<string, (bench: TestBench) => Promise<Handler>>> = {
  'a fetch handler': async (bench) => {
    const { handle, routes } = start(bench)
    return async (request) => (await routes(request.clone())) ?? handle(request, {})
  },
  'Hono in process': async (bench) => {
    const app = hono(bench)
    return async (request) => app.fetch(request)
  },
  'Hono over a socket': async (bench) => listening(getRequestListener(hono(bench).fetch)),
  'node:http': async (bench) => {
    const { handle, routes } = start(bench)
    return listening(createNodeListener(async (request) => (await routes(request)) ?? handle(request, {})))
  },
  'Express 5': async (bench) => listening(expressApp(express, bench)),
  'Express 4': async (bench) => listening(expressApp(express4, bench)),
}

async function connect(handle: Handler, bench: TestBench) {
  const paths = ['GET', 'POST'] as const
  const routes = paths.map((method) => ({
    method,
    path: '/*rest',
    handle: (request: Request) => handle(request),
  }))
  return (await bench.createAgent({ role: 'Manager' })).connect({ routes, handle })
}

describe.each(Object.keys(hosts))('%s', (name) => {
  async function host(): Promise<{ bench: TestBench; handle: Handler }> {
    const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
    const handle = await hosts[name]?.(bench)
    if (handle === undefined) throw new Error('Unknown host.')
    return { bench, handle }
  }

  test('verifies the body and hands it on; the answer is signed [HMS-P-01] [CD-04]', async () => {
    const { bench, handle } = await host()
    const fetch = await connect(handle, bench)
    for (const body of ['month=9', 'x'.repeat(100_000)]) {
      const answer = await fetch(URL_OF_ROUTE, { method: 'POST', body })
      expect([answer.status, await answer.json()]).toEqual([200, { sent: body }])
      expect(answer.headers.get('Signature-Input')).toContain('tag="agent-tool-response"')
    }
  })

  test('refuses a body that was changed on the way [HMS-V-06]', async () => {
    const { bench, handle } = await host()
    const changing: Handler = async (request) =>
      request.headers.has('Signature') ? handle(new Request(request, { body: 'month=8' })) : handle(request)
    const answer = await (await connect(changing, bench))(URL_OF_ROUTE, { method: 'POST', body: 'month=9' })
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: 'signature_invalid' }])
  })
})

test('a middleware of Hono that reads first is a fault, not a call without a body', async () => {
  const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
  const app = hono(bench, true)
  const seen: unknown[] = []
  app.onError((error, context) => {
    seen.push(error)
    return context.body(null, 500)
  })
  const fetch = await connect(async (request) => app.fetch(request), bench)
  expect((await fetch(URL_OF_ROUTE, { method: 'POST', body: 'month=9' })).status).toBe(500)
  expect(seen).toMatchObject([{ code: 'body_consumed' }])
})
