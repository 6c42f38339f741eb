/**
 * Signed calls and answers over sockets: what Express, body parsers and plain node:http make of them.
 */
import { request as sendRequest } from 'node:http'
import { createExpressVerifier, createNodeListener } from '@attache/express'
import { createAnchors } from '@attache/keys'
import { signRequest, verifySignedResponse } from '@attache/oauth'
import { guardHandler } from '@attache/verifier'
import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Loopback, listenOnLoopback } from '../support/loopback.js'
import {
  API,
  ca,
  call,
  createWallet,
  createWorld,
  ISSUER,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  signers,
  VCT,
  type Wallet,
} from '../support/presentation-world.js'

const world = createWorld()
const options = {
  origin: API,
  trustedIssuers: [{ vct: VCT, anchors: [ca.pem], issuer: ISSUER }],
  keyBinding: 'required',
  walletAttesters: [{ name: 'wallet', anchors: createAnchors('walletAttesters', [ca.pem]), clients: 'any' }],
} as const
const deps = { signer: signers.api, store: world.store, fetch: world.network.fetch, clock: world.time.clock }
const verifier = createExpressVerifier(options, deps)

const signed = { ...MANAGERS_IN_EU, requestSignature: { maxBodyBytes: 65_536 } } as const
const guard = verifier.requirePresentation(signed)
const app = express()
app.use(verifier.routes)
app.post('/json', guard, express.json(), (request, response) => {
  response.json({ body: request.body, covered: request.presentation?.signedComponents?.length })
})
app.get('/json', guard, express.json(), (request, response) => void response.json({ body: request.body }))
app.post('/stream', guard, async (request, response) => {
  let bytes = 0
  for await (const chunk of request) bytes += chunk.length
  response.json({ bytes })
})
app.post('/events', guard, (request, response) => {
  let bytes = 0
  request.on('data', (chunk) => {
    bytes += chunk.length
  })
  request.on('end', () => response.json({ bytes }))
})
app.post('/piped', guard, (request, response) => void request.pipe(response))
app.post('/too-late', express.json(), guard, (_request, response) => void response.json({}))

const faults: unknown[] = []
const answering = verifier.requirePresentation({
  ...MANAGERS_IN_EU,
  scope: 'payroll:sign',
  signResponses: true,
})
app.get('/answers/json', answering, (_request, response) => void response.status(201).json({ paid: true }))
app.get('/answers/empty', answering, (_request, response) => void response.status(204).end())
app.get('/answers/written', answering, (_request, response) => {
  response.writeHead(200, 'Fine', { 'Content-Type': 'text/plain', 'X-Own': ['a', 'b'] })
  response.flushHeaders()
  response.write('one,')
  response.write(Buffer.from('two,'), () => response.end('dGhyZWU=', 'base64'))
})
app.get('/answers/cookies', answering, (_request, response) => {
  response.cookie('a', '1').cookie('b', '2').send('cookies')
})
app.get('/answers/stream', answering, (_request, response) => {
  response.type('text/event-stream').send('data: x\n\n')
})
// Frames of its own in what was written before the fault: read on a connection that goes on, they were answers.
const PART = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'.repeat(9)
app.get(['/answers/broken', '/answers/careless'], answering, (_request, response) => {
  response.write(PART)
  throw new Error('The route broke.')
})
const careless: express.ErrorRequestHandler = (_error, _request, response, _next) => {
  response.status(500).json({})
}
app.use('/answers/careless', careless)
const onFault: express.ErrorRequestHandler = (error, _request, response, next) => {
  faults.push(error)
  if (response.headersSent) next(error)
  else response.status(500).json({})
}
app.use(onFault)

let server: Loopback
let wallet: Wallet
let token: string
beforeAll(async () => {
  server = await listenOnLoopback(app)
  wallet = await createWallet()
  token = await obtainToken({ ...world, send: server.handle }, wallet)
})
afterAll(() => server.close())

/** Signs a call as an agent does and sends it by plain HTTP, in one piece or in chunks. */
async function post(
  path: string,
  body: string | undefined,
  change: { chunked?: boolean; sent?: string; method?: 'GET'; headers?: Record<string, string> } = {},
) {
  const method = change.method ?? 'POST'
  const url = `${API}${path}`
  const type = body === undefined ? {} : { 'Content-Type': 'application/json' }
  const asked = await call(world, token, { url, method, dpop: wallet.dpop, headers: type })
  const bytes = body === undefined ? {} : { body: new TextEncoder().encode(body) }
  const facts = { now: world.time.clock(), random: world.random }
  const fields = await signRequest({ method, url, headers: [...asked.headers], ...bytes }, wallet.dpop, facts)
  const headers = { ...Object.fromEntries(asked.headers), ...fields, ...change.headers }
  return send(path, headers, { method, body: change.sent ?? body, chunked: change.chunked ?? false })
}

function send(
  path: string,
  headers: Readonly<Record<string, string>>,
  { method = 'POST', body, chunked }: { method?: string; body: string | undefined; chunked: boolean },
): Promise<{ status: number; body: unknown }> {
  const length = chunked
    ? { 'Transfer-Encoding': 'chunked' }
    : { 'Content-Length': Buffer.byteLength(body ?? '') }
  return new Promise((resolve, reject) => {
    const outgoing = sendRequest(
      { host: '127.0.0.1', port: server.port, path, method, headers: { ...headers, ...length } },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk) => chunks.push(Buffer.from(chunk)))
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const isJson = String(answer.headers['content-type']).includes('json')
          resolve({ status: answer.statusCode ?? 0, body: isJson ? JSON.parse(text) : text })
        })
      },
    )
    outgoing.on('error', reject)
    const text = body ?? ''
    for (let at = 0; at < text.length; at += 16_384) outgoing.write(text.slice(at, at + 16_384))
    outgoing.end()
  })
}

describe('Express, a body that is verified and then read', () => {
  const big = JSON.stringify({ note: 'x'.repeat(60_000) })

  test.each([false, true])('by a parser, a loop, events and a pipe; chunked %s [CD-04]', async (chunked) => {
    for (const body of ['{"month":9}', big]) {
      const parsed: unknown = JSON.parse(body)
      expect(await post('/json', body, { chunked })).toMatchObject({
        status: 200,
        body: { body: parsed, covered: 7 },
      })
      expect(await post('/stream', body, { chunked })).toEqual({ status: 200, body: { bytes: body.length } })
      expect(await post('/events', body, { chunked })).toEqual({ status: 200, body: { bytes: body.length } })
      expect(await post('/piped', body, { chunked })).toEqual({ status: 200, body })
    }
  })

  test.each([false, true])('or that is empty; chunked %s', async (chunked) => {
    for (const path of ['/stream', '/events']) {
      expect(await post(path, undefined, { chunked })).toEqual({ status: 200, body: { bytes: 0 } })
    }
    expect((await post('/json', undefined, { chunked })).status).toBe(200)
  })

  test.each([false, true])(
    'and never reaches the route when it was changed; chunked %s [HMS-V-06]',
    async (chunked) => {
      const answer = await post('/json', '{"month":9}', { chunked, sent: '{"month":8}' })
      expect(answer).toMatchObject({ status: 401, body: { code: 'signature_invalid' } })
      expect((await post('/json', '{"month":9}', { chunked, sent: '' })).status).toBe(401)
      expect((await post('/json', undefined, { chunked, sent: '{"month":8}' })).status).toBe(401)
    },
  )

  test.each([false, true])(
    'nor when it was put into a GET, whose body no gate sees; chunked %s',
    async (chunked) => {
      // What makes a parser read it is in nobody's signature either.
      const smuggled = {
        chunked,
        method: 'GET',
        sent: '{"month":8}',
        headers: { 'Content-Type': 'application/json' },
      } as const
      expect((await post('/json', undefined, smuggled)).status).toBe(400)
      expect((await post('/json', undefined, { method: 'GET' })).status).toBe(200)
    },
  )

  test.each([false, true])('up to the limit of the route; chunked %s [CD-07]', async (chunked) => {
    const answer = await post('/stream', 'x'.repeat(200_000), { chunked })
    expect(answer).toMatchObject({ status: 413, body: { code: 'body_too_large' } })
    expect((await post('/stream', 'x'.repeat(65_536), { chunked })).status).toBe(200)
  })

  test('is a fault where a parser stands before the guard, not a call without a body', async () => {
    expect((await post('/too-late', '{"month":9}')).status).toBe(500)
    expect(faults.at(-1)).toMatchObject({ code: 'body_consumed' })
  })

  test('an unsigned call is refused, whatever its token', async () => {
    const asked = await call(world, token, { url: `${API}/json`, dpop: wallet.dpop })
    const refused = await send('/json', Object.fromEntries(asked.headers), { body: '{}', chunked: false })
    expect(refused).toMatchObject({ status: 401, body: { code: 'signature_invalid' } })
  })
})

describe('Express, an answer that is signed', () => {
  async function ask(path: string) {
    const granted = await obtainToken({ ...world, send: server.handle }, wallet, 'payroll:sign')
    const url = `${API}${path}`
    const asked = await call(world, granted, { url, method: 'GET', dpop: wallet.dpop })
    const response = await server.handle(asked)
    const body = new Uint8Array(await response.clone().arrayBuffer())
    const request = { method: 'GET', url, headers: [...asked.headers] }
    const message = { status: response.status, headers: [...response.headers], body, request }
    const expected = { keys: [signers.api.publicJwk], required: ['dpop;req'] }
    return { response, verify: () => verifySignedResponse(message, expected, world.time.clock()) }
  }

  test('however the route writes it [HMS-R-01]', async () => {
    const json = await ask('/answers/json')
    expect(json.verify().covered).toContain('"content-digest"')
    expect([json.response.status, await json.response.json()]).toEqual([201, { paid: true }])
    const empty = await ask('/answers/empty')
    expect([empty.verify().keyid, empty.response.status]).toEqual([signers.api.kid, 204])
    const written = await ask('/answers/written')
    expect(written.verify().covered).toContain('"content-type"')
    expect(await written.response.text()).toBe('one,two,three')
    expect(written.response.headers.get('X-Own')).toBe('a, b')
    const cookies = await ask('/answers/cookies')
    expect(cookies.verify().covered).toContain('"@status"')
    expect(cookies.response.headers.getSetCookie()).toHaveLength(2)
  })

  test('never more of it than its length says, where the route breaks halfway', async () => {
    // As without signatures: what has begun cannot become an error any more, and the connection ends.
    await expect(ask('/answers/broken')).rejects.toThrow()
    const whole = `${PART}{}`
    const careless = await ask('/answers/careless')
    expect(careless.response.headers.get('Content-Length')).toBe(String(whole.length))
    expect(await careless.response.text()).toBe(whole)
    expect(careless.verify().covered).toContain('"content-digest"')
  })

  test('a refusal too', async () => {
    const response = await server.handle(new Request(`${API}/answers/json`))
    const headers = [...response.headers]
    const body = new Uint8Array(await response.clone().arrayBuffer())
    const request = { method: 'GET', url: `${API}/answers/json`, headers: [] }
    expect(response.status).toBe(401)
    const expected = { keys: [signers.api.publicJwk] }
    expect(
      verifySignedResponse({ status: 401, headers, body, request }, expected, world.time.clock()).keyid,
    ).toBe(signers.api.kid)
  })

  test('or a fault, where events are streamed', async () => {
    expect((await ask('/answers/stream')).response.status).toBe(500)
    expect(faults.at(-1)).toMatchObject({ code: 'response_stream' })
  })
})

describe('plain node:http', () => {
  test('hands the verified body on', async () => {
    const gate = world.verifier.requirePresentation(signed)
    const handle = guardHandler(gate, async (request) => Response.json({ text: await request.text() }))
    const plain = await listenOnLoopback(createNodeListener(handle))
    const granted = await obtainToken(world, wallet)
    const url = `${API}/payroll/export`
    const sendTo = async (body: string, sent = body) => {
      const headers = { 'Content-Type': 'text/plain' }
      const asked = await call(world, granted, { url, dpop: wallet.dpop, headers })
      const facts = { now: world.time.clock(), random: world.random }
      const message = {
        method: 'POST',
        url,
        headers: [...asked.headers],
        body: new TextEncoder().encode(body),
      }
      const fields = await signRequest(message, wallet.dpop, facts)
      return plain.handle(
        new Request(url, {
          method: 'POST',
          headers: { ...Object.fromEntries(asked.headers), ...fields },
          body: sent,
        }),
      )
    }
    expect(await objectOf(await sendTo('hello'))).toEqual({ text: 'hello' })
    expect((await sendTo('hello', 'other')).status).toBe(401)
    expect((await sendTo('x'.repeat(65_537))).status).toBe(413)
    await plain.close()
  })
})
