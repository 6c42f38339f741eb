/**
 * A proxy that ends TLS between the agent and the API and rewrites what passes: threat model, row 8.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { callSocket, RECEIVE_PATH } from '@attache/agent'
import type { Handler, JsonObject, JsonValue } from '@attache/core'
import { createContentDigest, signResponse } from '@attache/oauth'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { freshKey, objectOf } from '../support/presentation-world.js'
import { AGENT } from '../support/wallet-world.js'

let world: DaemonWorld
let fetch: typeof globalThis.fetch
const url = () => `${world.api}/payroll/export?month=9`
const required = (configuration: JsonObject): JsonObject => {
  const { verifiers } = configuration
  const all = Array.isArray(verifiers) ? verifiers : []
  return { ...configuration, verifiers: all.map((one: object) => ({ ...one, signedAnswers: 'required' })) }
}

async function begin(change?: (configuration: JsonObject) => JsonObject): Promise<void> {
  world = await createDaemonWorld(change, {
    requirement: { requestSignature: 'required', signResponses: true },
  })
  const { uri, txCode } = await world.bench.issuer.createOffer(
    { agent: AGENT, by: 'value' },
    world.bench.time.clock(),
  )
  const body = JSON.stringify({ agent: AGENT, offer: uri, txCode })
  await callSocket({ socketPath: world.daemon().operatorSocket, method: 'POST', path: RECEIVE_PATH, body })
  fetch = world.agentFetch()
}

type Rewrite = (request: Request) => Promise<Request> | Request
type RewriteAnswer = (answer: Response, request: Request) => Promise<Response> | Response

/** Statuses that the API itself gave to calls with a token: what got through, and what did not. */
const judged: number[] = []
function rewrite(change: { request?: Rewrite; answer?: RewriteAnswer }): void {
  world.serveApi((guarded) => async (request) => {
    const isCall = request.headers.has('signature')
    if (!isCall) return guarded(request)
    const passed = (await change.request?.(request.clone())) ?? request
    const answer = await guarded(passed)
    judged.push(answer.status)
    return change.answer === undefined ? answer : change.answer(answer, passed)
  })
}

const call = () =>
  fetch(url(), {
    method: 'POST',
    body: '{"amount":10}',
    headers: { 'Content-Type': 'application/json', 'X-Trace': 'anybody' },
  })

async function changed(
  request: Request,
  change: { url?: string; method?: string; body?: string; headers?: Headers },
) {
  const { method = request.method, headers = request.headers } = change
  const body = change.body ?? (await request.text())
  return new Request(change.url ?? request.url, { method, headers, ...(method === 'GET' ? {} : { body }) })
}

function headersWith(request: Request, name: string, value: string | undefined): Headers {
  const headers = new Headers(request.headers)
  if (value === undefined) headers.delete(name)
  else headers.set(name, value)
  return headers
}

describe('a request that is rewritten', () => {
  beforeAll(() => begin())
  afterAll(() => world.close())
  beforeEach(() => {
    judged.length = 0
  })

  test('not at all goes through, and so does one with a field that nobody signed', async () => {
    rewrite({})
    expect((await call()).status).toBe(200)
    rewrite({ request: (request) => changed(request, { headers: headersWith(request, 'X-Trace', 'other') }) })
    expect((await call()).status).toBe(200)
  })

  const rewrites: readonly [string, Rewrite][] = [
    ['method', (request) => changed(request, { method: 'PUT' })],
    ['method to one without body', (request) => changed(request, { method: 'GET' })],
    ['path', (request) => changed(request, { url: request.url.replace('export', 'delete') })],
    ['query', (request) => changed(request, { url: request.url.replace('month=9', 'month=8') })],
    ['body', (request) => changed(request, { body: '{"amount":9999}' })],
    [
      'body and digest',
      (request) => {
        const body = '{"amount":9999}'
        const digest = createContentDigest(new TextEncoder().encode(body))
        return changed(request, { body, headers: headersWith(request, 'Content-Digest', digest) })
      },
    ],
    ['body away', (request) => changed(request, { body: '' })],
    [
      'content type',
      (request) => changed(request, { headers: headersWith(request, 'Content-Type', 'text/xml') }),
    ],
    [
      'signature away',
      (request) => changed(request, { headers: headersWith(request, 'Signature', undefined) }),
    ],
    [
      'digest away',
      (request) => changed(request, { headers: headersWith(request, 'Content-Digest', undefined) }),
    ],
  ]
  test.each(rewrites)('in its %s reaches no handler [HMS-V-06] [HMS-P-08]', async (_name, request) => {
    rewrite({ request })
    // Refused by the API, with a signed refusal; or by the agent, where even that is not what it asked for.
    const outcome = await call().then(
      ({ status }) => status,
      (error: unknown) => error,
    )
    expect([401, 403]).toContain(judged[0])
    expect(judged.every((status) => status === 401 || status === 403)).toBe(true)
    if (typeof outcome === 'number') expect(outcome).toBe(401)
    else expect(outcome).toMatchObject({ code: 'response_signature' })
  })

  test('twice, once for each copy, is taken once', async () => {
    const copies: number[] = []
    world.serveApi((guarded) => async (request) => {
      if (!request.headers.has('signature')) return guarded(request)
      const [first, ...more] = await Promise.all([1, 2, 3].map(() => guarded(request.clone())))
      copies.push(...[first, ...more].map((answer) => answer?.status ?? 0))
      return first ?? new Response(null, { status: 502 })
    })
    await call().catch(() => undefined)
    expect(copies.slice(0, 3).sort()).toEqual([200, 401, 401])
  })
})

describe('an answer that is rewritten', () => {
  beforeAll(() => begin())
  afterAll(() => world.close())

  const refused = expect.objectContaining({ code: 'response_signature' })
  const tamper = (change: (answer: Response) => Response | Promise<Response>): RewriteAnswer => change
  const withHeaders = (answer: Response, name: string, value?: string): Response => {
    const headers = new Headers(answer.headers)
    if (value === undefined) headers.delete(name)
    else headers.set(name, value)
    return new Response(answer.body, { status: answer.status, headers })
  }

  let earlier: Response | undefined
  const rewrites: readonly [string, RewriteAnswer][] = [
    ['body', tamper((answer) => new Response('{"done":"something else"}', answer))],
    [
      'body and digest',
      tamper((answer) => {
        const body = '{"done":"something else"}'
        const digest = createContentDigest(new TextEncoder().encode(body))
        return withHeaders(new Response(body, answer), 'content-digest', digest)
      }),
    ],
    ['status', tamper((answer) => new Response(answer.body, { status: 202, headers: answer.headers }))],
    ['type', tamper((answer) => withHeaders(answer, 'content-type', 'text/html'))],
    ['signature away', tamper((answer) => withHeaders(answer, 'signature'))],
    ['all of it', tamper(() => Response.json({ done: true }))],
    ['an unsigned refusal', tamper(() => new Response(null, { status: 403 }))],
    [
      'a redirect',
      tamper(() => new Response(null, { status: 307, headers: { Location: 'https://evil.example/' } })),
    ],
    [
      'key of its own',
      async (answer, request) => {
        const thief = freshKey()
        const headers = [['content-type', 'application/json'] as const]
        const asked = { method: request.method, url: request.url, headers: [...request.headers] }
        const body = new TextEncoder().encode('{"done":"something else"}')
        const facts = {
          now: world.bench.time.clock(),
          random: (count: number) => new Uint8Array(count).fill(3),
        }
        const message = { status: answer.status, headers, body, request: asked }
        const fields = await signResponse(message, thief, { ...facts, components: ['dpop;req'] })
        return new Response(body, {
          status: answer.status,
          headers: { 'content-type': 'application/json', ...fields },
        })
      },
    ],
    [
      'answer of another call',
      (answer) => {
        const other = earlier?.clone() ?? answer.clone()
        earlier = answer.clone()
        return other
      },
    ],
  ]
  test.each(rewrites)('in %s never reaches the agent [HMS-R-01] [HMS-R-04]', async (name, answer) => {
    rewrite({})
    expect(await (await call()).json()).toEqual({ done: true })
    rewrite({ answer })
    if (name === 'answer of another call') await call()
    await expect(call()).rejects.toThrow(refused)
    rewrite({})
    expect((await call()).status).toBe(200)
  })

  test('the agent hears no more than that, the operator why [HMS-R-04]', async () => {
    rewrite({ answer: tamper((answer) => withHeaders(answer, 'signature')) })
    const error: unknown = await call().catch((reason: unknown) => reason)
    expect(String(error)).toContain('somebody on the way changed it')
    const body = JSON.stringify({ agent: AGENT, limit: 1 })
    const { operatorSocket: socketPath } = world.daemon()
    const { value } = await callSocket({ socketPath, method: 'POST', path: '/v1/explain', body })
    expect(JSON.stringify(value)).toContain('response_signature')
    rewrite({})
  })
})

describe('metadata and keys that are rewritten', () => {
  const served = (path: string, change: (document: JsonObject) => JsonValue) =>
    world.serveApi((guarded: Handler) => async (request) => {
      const answer = await guarded(request.clone())
      if (request.headers.has('signature')) return new Response('{"done":"something else"}', answer)
      return request.url.endsWith(path) ? Response.json(change(await objectOf(answer))) : answer
    })

  test('a key of the proxy in the key set counts for nothing: no certificate vouches for it', async () => {
    await begin()
    const { kty, crv = '', x = '', y = '', kid = '' } = { ...freshKey().publicJwk, kid: 'k' }
    served('/attache/jwks', () => ({ keys: [{ kty, crv, x, y, kid }] }))
    await expect(call()).rejects.toMatchObject({ code: 'response_signature' })
    await world.close()
  })

  test('where signed answers are required, an announcement taken away ends the call before anything is shown', async () => {
    await begin(required)
    const strip = ({ attache_message_signatures: _gone, ...document }: JsonObject) => document
    served('oauth-protected-resource', strip)
    expect((await call()).status).toBe(401)
    expect(world.seen.some((request) => request.url.endsWith('/attache/challenge'))).toBe(false)
    world.serveApi((guarded) => guarded)
    expect(await (await call()).json()).toEqual({ done: true })
    await world.close()
  })

  test('where signed answers are required, a proxy that never lets the API ask gets nothing to the agent [HMS-R-04]', async () => {
    await begin(required)
    const forged = [
      () => Response.json({ done: 'something else' }),
      () => new Response(null, { status: 204 }),
      () => new Response(null, { status: 307, headers: { Location: 'https://evil.example/' } }),
      () => new Response('gone', { status: 500 }),
    ]
    for (const answer of forged) {
      world.serveApi(() => async () => answer())
      await expect(call()).rejects.toMatchObject({ code: 'response_signature' })
    }
    // A refusal is no news that anybody could act on; it is handed on as it came.
    world.serveApi(() => async () => new Response(null, { status: 401 }))
    expect((await call()).status).toBe(401)
    await world.close()
  })

  test('a token from before signed answers were required is not used any more', async () => {
    await begin()
    const strip = ({ attache_message_signatures: _gone, ...document }: JsonObject) => document
    // Metadata without the announcement: a token that nobody would verify answers for.
    world.serveApi((guarded) => async (request) => {
      const answer = await guarded(request.clone())
      return request.url.includes('oauth-protected-resource')
        ? Response.json(strip(await objectOf(answer)))
        : answer
    })
    await call()
    const path = join(world.folder, 'wallet.json')
    writeFileSync(path, JSON.stringify(required(JSON.parse(readFileSync(path, 'utf8')))))
    await world.restart()
    fetch = world.agentFetch()
    world.serveApi((guarded) => async (request) => {
      const answer = await guarded(request)
      return request.headers.has('authorization') && request.url === url()
        ? Response.json({ done: 'something else' })
        : answer
    })
    await expect(call()).rejects.toMatchObject({ code: 'response_signature' })
    await world.close()
  })
})
