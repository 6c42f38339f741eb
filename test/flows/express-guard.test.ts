import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { createExpressVerifier } from '@attache/express'
import { createAnchors } from '@attache/keys'
import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  API,
  ca,
  call,
  createWallet,
  createWorld,
  freshKey,
  ISSUER,
  MANAGERS_IN_EU,
  obtainToken,
  signers,
  VCT,
} from '../support/presentation-world.js'

// The socket speaks plain http on loopback; the public origin is configuration, as behind a proxy.
const world = createWorld()
let server: Server
let base = ''

beforeAll(async () => {
  const verifier = createExpressVerifier(
    {
      origin: API,
      trustedIssuers: [{ vct: VCT, anchors: [ca.pem], issuer: ISSUER }],
      keyBinding: 'required',
      walletAttesters: [
        { name: 'wallet', anchors: createAnchors('walletAttesters', [ca.pem]), clients: 'any' },
      ],
    },
    { signer: signers.api, store: world.store, fetch: world.network.fetch, clock: world.time.clock },
  )
  const app = express()
  app.disable('etag')
  app.use(verifier.routes)
  app.use(express.json())
  app.post('/payroll/export', verifier.requirePresentation(MANAGERS_IN_EU), (request, response) => {
    response.json({ learned: request.presentation?.claims, body: request.body })
  })
  server = createServer(app).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  const isAddress = (value: typeof address): value is AddressInfo =>
    typeof value === 'object' && value !== null
  base = isAddress(address) ? `http://127.0.0.1:${address.port}` : ''
})

afterAll(() => server.close())

const overSocket = async (request: Request): Promise<Response> => {
  const { pathname, search } = new URL(request.url)
  const body = request.body === null ? undefined : await request.text()
  const init = { method: request.method, headers: request.headers }
  return fetch(`${base}${pathname}${search}`, body === undefined ? init : { ...init, body })
}

const remote = { ...world, send: overSocket }

/** The status line of a raw request. */
function rawStatus(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1', () => socket.end(text))
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
    })
    socket.on('close', () => resolve(answer.split('\r\n')[0] ?? ''))
    socket.on('error', reject)
  })
}

describe('Express', () => {
  test('the whole challenge route runs over a socket, and the handler sees the claims and its body', async () => {
    const wallet = await createWallet()
    const token = await obtainToken(remote, wallet)
    const asked = await call(remote, token, {
      dpop: wallet.dpop,
      headers: { 'Content-Type': 'application/json' },
    })
    const answer = await overSocket(new Request(asked, { body: '{"month":9}' }))
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ learned: { role: 'Manager', region: 'EU' }, body: { month: 9 } })
  })

  test('refusals keep their status, headers and body', async () => {
    const wallet = await createWallet()
    const token = await obtainToken(remote, wallet)
    const answer = await overSocket(await call(remote, token, { dpop: freshKey() }))
    expect(answer.status).toBe(401)
    expect(answer.headers.get('WWW-Authenticate')).toMatch(/^DPoP error="invalid_token"/)
    expect(answer.headers.get('Content-Type')).toBe('application/problem+json')
  })

  test('a Host header does not change what a proof must name [DPOP-S-09]', async () => {
    const wallet = await createWallet()
    const token = await obtainToken(remote, wallet)
    const good = await call(remote, token, {
      dpop: wallet.dpop,
      headers: { 'X-Forwarded-Host': 'evil.example' },
    })
    expect((await overSocket(good)).status).toBe(200)
    const evil = await call(remote, token, { dpop: wallet.dpop, url: 'https://evil.example/payroll/export' })
    const answer = await overSocket(
      new Request(`${API}/payroll/export`, { method: 'POST', headers: evil.headers }),
    )
    expect(answer.status).toBe(401)
  })

  test('two proofs in two header fields are seen as two [DPOP-S-01]', async () => {
    const wallet = await createWallet()
    const token = await obtainToken(remote, wallet)
    const proofs = await Promise.all([1, 2].map(() => call(remote, token, { dpop: wallet.dpop })))
    const fields = proofs.map((request) => `DPoP: ${request.headers.get('DPoP')}`).join('\r\n')
    const raw = (dpop: string) =>
      `POST /payroll/export HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\nContent-Length: 0\r\nAuthorization: DPoP ${token}\r\n${dpop}\r\n\r\n`
    expect(await rawStatus(raw(fields))).toBe('HTTP/1.1 401 Unauthorized')
    const [first] = proofs
    expect(await rawStatus(raw(`DPoP: ${first?.headers.get('DPoP')}`))).toBe('HTTP/1.1 200 OK')
  })

  test('odd request targets and methods are never a fault', async () => {
    const targets = [
      '//evil.example/payroll/export',
      '/payroll/%ZZ',
      '/attache/request/%ZZ',
      'http://x/attache/token',
    ]
    const requests = [
      ...targets.map((target) => `GET ${target} HTTP/1.1`),
      'TRACE /payroll/export HTTP/1.1',
      'TRACE /attache/token HTTP/1.1',
      'POST /attache/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 0',
    ]
    const lines = await Promise.all(
      requests.map((line) => rawStatus(`${line}\r\nHost: api.example\r\nConnection: close\r\n\r\n`)),
    )
    expect(lines.filter((line) => !/^HTTP\/1\.1 4\d\d /.test(line))).toEqual([])
  })

  test('a body over its limit is answered with 413', async () => {
    const body = `response=${'x'.repeat(300_000)}`
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const answer = await fetch(`${base}/attache/response/any`, { method: 'POST', headers, body })
    expect(answer.status).toBe(413)
  })
})
