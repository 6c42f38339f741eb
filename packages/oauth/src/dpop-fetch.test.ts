import type { OutboundFetch, OutboundRequest } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, parseJws } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { createDpopFetch, createDpopNonceMemory, demandsDpopNonce } from './dpop-fetch.js'

const NOW = 1_790_000_000
const signer = createSoftwareSigner(generatePrivateJwk('ES256'))

interface Sent {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly init: OutboundRequest
}

/** A network that answers with one response after the other and keeps what was sent. */
function scripted(...responses: readonly Response[]) {
  const sent: Sent[] = []
  const fetch: OutboundFetch = async (url, init = {}) => {
    const response = responses[sent.length]
    sent.push({ url, headers: init.headers ?? {}, init })
    if (response === undefined) throw new Error('one request too many')
    return response
  }
  let count = 0
  const random = (byteCount: number) => {
    count += 1
    return new Uint8Array(byteCount).fill(count)
  }
  const nonces = createDpopNonceMemory()
  return { sent, nonces, send: createDpopFetch({ fetch, signer, nonces, clock: () => NOW, random }) }
}

const claims = ({ headers }: Sent) => parseJws(headers['dpop'] ?? '').payload
const demand = (nonce: string) =>
  Response.json({ error: 'use_dpop_nonce' }, { status: 400, headers: { 'DPoP-Nonce': nonce } })
const challenge = (nonce: string) =>
  new Response(null, {
    status: 401,
    headers: { 'DPoP-Nonce': nonce, 'WWW-Authenticate': 'DPoP error="use_dpop_nonce", algs="ES256"' },
  })

describe('createDpopFetch', () => {
  test('makes a new proof for every request, a retry after 503 included [DPOP-C-04]', async () => {
    const { sent, send } = scripted(new Response(null, { status: 503 }), new Response('ok'))
    expect((await send('https://api.example.com/a')).status).toBe(503)
    expect((await send('https://api.example.com/a')).status).toBe(200)
    const ids = sent.map((request) => claims(request)['jti'])
    expect(new Set(ids).size).toBe(2)
  })

  test('sends each server its own latest nonce, from any response [DPOP-C-05] [DPOP-N-03]', async () => {
    const ok = (nonce: string) => new Response('ok', { headers: { 'DPoP-Nonce': nonce } })
    const failure = new Response(null, { status: 500, headers: { 'DPoP-Nonce': 'as-2' } })
    const { sent, send } = scripted(ok('as-1'), ok('rs-1'), failure, new Response('ok'), new Response('ok'))
    for (const url of [
      'https://as.example.com/token',
      'https://api.example.com/a',
      'https://as.example.com/par',
      'https://as.example.com/token',
      'https://api.example.com/b',
    ]) {
      await send(url)
    }
    expect(sent.map((request) => claims(request)['nonce'])).toEqual([
      undefined,
      undefined,
      'as-1',
      'as-2',
      'rs-1',
    ])
  })

  test.each([
    ['an authorization server', demand],
    ['a resource server', challenge],
  ])('answers the nonce demand of %s once [DPOP-C-06]', async (_, answer) => {
    const { sent, send } = scripted(answer('n1'), new Response('ok'))
    expect((await send('https://as.example.com/token', { method: 'POST' })).status).toBe(200)
    expect(sent.map((request) => claims(request)['nonce'])).toEqual([undefined, 'n1'])
    expect(sent[0]?.headers['dpop']).not.toBe(sent[1]?.headers['dpop'])
  })

  test('a server that always demands a nonce gets exactly two requests [DPOP-C-06]', async () => {
    const { sent, send } = scripted(demand('n1'), demand('n2'))
    expect((await send('https://as.example.com/token')).status).toBe(400)
    expect(sent).toHaveLength(2)
  })

  test('sends the token in the Authorization field with scheme DPoP and nowhere else [DPOP-C-08]', async () => {
    const { sent, send } = scripted(new Response('ok'))
    await send('https://api.example.com/a', { method: 'POST', body: 'x=1', accessToken: 'to.ken' })
    expect(sent[0]?.headers['authorization']).toBe('DPoP to.ken')
    expect(sent[0]?.url).not.toContain('to.ken')
    expect(sent[0]?.init.body).toBe('x=1')
  })

  test('hands a redirect to the caller: nothing is sent to another place [DPOP-C-11]', async () => {
    const redirect = new Response(null, { status: 307, headers: { Location: 'https://evil.example/a' } })
    const { sent, send } = scripted(redirect)
    expect((await send('https://api.example.com/a', { accessToken: 'to.ken' })).status).toBe(307)
    expect(sent.map(({ url }) => url)).toEqual(['https://api.example.com/a'])
  })
})

describe('createDpopNonceMemory', () => {
  test('ignores what is no nonce, and forgets the oldest origin first [DPOP-C-05]', () => {
    const memory = createDpopNonceMemory(2)
    const note = (url: string, nonce: string) => memory.note(url, new Headers({ 'DPoP-Nonce': nonce }))
    note('https://a.example/x', 'one')
    note('https://a.example/x', 'quo"te')
    expect(memory.get('https://a.example/y')).toBe('one')
    note('https://b.example/', 'two')
    note('https://c.example/', 'three')
    expect(['a', 'b', 'c'].map((name) => memory.get(`https://${name}.example/`))).toEqual([
      undefined,
      'two',
      'three',
    ])
  })
})

describe('demandsDpopNonce', () => {
  test('needs error and nonce together [DPOP-C-06]', async () => {
    expect(await demandsDpopNonce(demand('n'))).toBe(true)
    expect(await demandsDpopNonce(challenge('n'))).toBe(true)
    const body = Response.json({ error: 'use_dpop_nonce' }, { status: 400 })
    const other = Response.json({ error: 'invalid_grant' }, { status: 400, headers: { 'DPoP-Nonce': 'n' } })
    const broken = new Response('{', { status: 400, headers: { 'DPoP-Nonce': 'n' } })
    const foreign = new Response(null, {
      status: 401,
      headers: { 'DPoP-Nonce': 'n', 'WWW-Authenticate': '"' },
    })
    for (const response of [body, other, broken, foreign])
      expect(await demandsDpopNonce(response)).toBe(false)
  })
})
