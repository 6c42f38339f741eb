/**
 * The fetch of an agent at an API that wants signed calls: the daemon signs, the agent knows no key.
 */
import { callSocket, RECEIVE_PATH } from '@attache/agent'
import { isJsonObject, type JsonObject } from '@attache/core'
import { parseSignatureFields } from '@attache/oauth'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { AGENT } from '../support/wallet-world.js'

let world: DaemonWorld
let fetch: typeof globalThis.fetch
const url = () => `${world.api}/payroll/export`
async function begin(...options: Parameters<typeof createDaemonWorld>): Promise<void> {
  world = await createDaemonWorld(...options)
  const { uri, txCode } = await world.bench.issuer.createOffer(
    { agent: AGENT, by: 'value' },
    world.bench.time.clock(),
  )
  const body = JSON.stringify({ agent: AGENT, offer: uri, txCode })
  await callSocket({ socketPath: world.daemon().operatorSocket, method: 'POST', path: RECEIVE_PATH, body })
  fetch = world.agentFetch()
}

const calls = () => world.seen.filter(({ url: called }) => called.startsWith(url()))

function signatureOf(request: Request | undefined) {
  if (request === undefined) throw new Error('Nothing was sent.')
  const message = { method: request.method, url: request.url, headers: [...request.headers] }
  const [signature] = parseSignatureFields(message)
  return {
    covered: signature?.components.map(({ value }) => value.value),
    nonce: signature?.parameters.get('nonce')?.value,
    label: signature?.label,
  }
}

const question = (value: object) =>
  callSocket({
    socketPath: world.daemon().agentSockets.get(AGENT) ?? '',
    method: 'POST',
    path: '/v1/authorization',
    body: JSON.stringify({ method: 'POST', url: url(), ...value }),
  })

async function headersOf(value: object): Promise<JsonObject> {
  const reply = await question(value)
  const headers = isJsonObject(reply.value) ? reply.value['headers'] : undefined
  if (!isJsonObject(headers)) throw new Error('No headers were given.')
  return headers
}

describe('where the metadata asks for signed calls', () => {
  beforeAll(() =>
    begin(undefined, { requirement: { requestSignature: { components: ['idempotency-key'] } } }),
  )
  afterAll(() => world.close())

  test('every attempt is signed, the very first with a token included [HMS-P-01] [HMS-P-02]', async () => {
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': 'k-1' }
    const answer = await fetch(url(), { method: 'POST', body: '{"month":9}', headers })
    expect([answer.status, calls().map((request) => request.headers.has('signature'))]).toEqual([
      200,
      [false, true],
    ])
    expect(signatureOf(calls()[1]).covered).toEqual(
      expect.arrayContaining([
        '@method',
        '@target-uri',
        '@authority',
        'authorization',
        'dpop',
        'content-digest',
        'content-type',
        'idempotency-key',
      ]),
    )
    expect((await fetch(url(), { method: 'POST', body: '{"month":10}', headers })).status).toBe(200)
    expect(calls()).toHaveLength(3)
  })

  test('with a nonce of its own each time, bodies or not [HMS-P-04] [CD-01]', async () => {
    const before = calls().length
    const headers = { 'Idempotency-Key': 'k-2' }
    const bodies = [undefined, 'text', new URLSearchParams({ a: '1' }), new TextEncoder().encode('bytes'), '']
    for (const body of bodies) {
      const given = body === undefined ? {} : { body }
      expect((await fetch(`${url()}?n=1`, { method: 'POST', headers, ...given })).status).toBe(200)
    }
    const signatures = calls().slice(before).map(signatureOf)
    expect(new Set(signatures.map(({ nonce }) => nonce)).size).toBe(bodies.length)
    const digests = calls()
      .slice(before)
      .map((request) => request.headers.has('content-digest'))
    expect(digests).toEqual([false, true, true, true, false])
    // Bytes without a type of their own get one: a signature covers it.
    expect(calls().at(-2)?.headers.get('content-type')).toBe('application/octet-stream')
  })

  test('a daemon that was restarted signs at once', async () => {
    await world.restart()
    fetch = world.agentFetch()
    const before = calls().length
    const headers = { 'Idempotency-Key': 'k-3' }
    expect((await fetch(url(), { method: 'POST', headers })).status).toBe(200)
    expect(calls().length - before).toBe(1)
  })

  test('what cannot be signed as it is asked for is not sent with the token', async () => {
    const before = calls().length
    // The route wants a field that this call has not: the wallet gives nothing, the API's own answer comes back.
    const answer = await fetch(url(), { method: 'POST' })
    expect(answer.status).toBe(401)
    expect(
      calls()
        .slice(before)
        .some((request) => request.headers.has('authorization')),
    ).toBe(false)
    expect(await journal()).toContain('signature_component')
  })

  test('a stream is refused before anything is sent, a stalled one ends with its abort', async () => {
    const before = world.seen.length
    const stream = () =>
      new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1024)) })
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', body: stream(), duplex: 'half' }
    await expect(fetch(url(), init)).rejects.toMatchObject({ code: 'body_not_replayable' })

    const controller = new AbortController()
    const stalled = new ReadableStream({
      pull: () => {
        controller.abort(new Error('enough'))
        return new Promise(() => undefined)
      },
    })
    const signal = { signal: controller.signal, duplex: 'half' as const }
    const request = new Request(url(), { method: 'POST', body: stalled, ...signal })
    await expect(fetch(request)).rejects.toThrow('enough')
    expect(world.seen).toHaveLength(before)
  })

  test('an agent of an older release, which hands over nothing to sign, gets nothing', async () => {
    expect((await question({})).value).toMatchObject({ outcome: 'none' })
    expect(await journal()).toContain('signature_unsupported')
  })
})

const journal = async () => {
  const { operatorSocket: socketPath } = world.daemon()
  const body = JSON.stringify({ agent: AGENT, limit: 5 })
  const reply = await callSocket({ socketPath, method: 'POST', path: '/v1/explain', body })
  return JSON.stringify(reply.value)
}

describe('where the API asks in its refusal alone', () => {
  beforeAll(() =>
    begin(undefined, { requirement: { requestSignature: 'required', challenge: 'request_uri' } }),
  )
  afterAll(() => world.close())

  test('the next attempt is signed, and every later one [HMS-Q-02]', async () => {
    const body = '{"month":9}'
    const headers = { 'Content-Type': 'application/json' }
    expect((await fetch(url(), { method: 'POST', body, headers })).status).toBe(200)
    const sent = calls().length
    expect((await fetch(url(), { method: 'POST', body, headers })).status).toBe(200)
    expect(calls()).toHaveLength(sent + 1)
  })

  test('a request for less than the profile, for another tag or another key is not honoured [HMS-Q-02]', async () => {
    const message = { headers: { 'content-type': 'text/plain' }, body: { length: 3, sha256: 'A'.repeat(43) } }
    const ask = (acceptSignature: string) =>
      question({
        message,
        challenge: {
          status: 401,
          www_authenticate: ['DPoP error="invalid_signature"'],
          accept_signature: acceptSignature,
        },
      })
    const all = '"@method" "@target-uri" "@authority" "content-digest" "content-type" "authorization" "dpop"'
    const asked = `agent=(${all});created;expires;tag="agent-tool-call"`
    expect((await ask(asked)).value).toMatchObject({ outcome: 'authorized' })
    const refused = [
      'agent=("@method");created;expires;tag="agent-tool-call"',
      `${asked};keyid="other"`,
      `${asked};alg="hmac-sha256"`,
      `agent=(${all} "x-absent");created;expires;tag="agent-tool-call"`,
      `agent=(${all} "signature");created;expires;tag="agent-tool-call"`,
      `agent=(${all} "@method";req);created;expires;tag="agent-tool-call"`,
      'nonsense',
    ]
    for (const field of refused) expect((await ask(field)).value).toMatchObject({ outcome: 'none' })
    // Somebody else's tag is nobody's business here: the profile's signature is made, as the API asked before.
    const foreign = await ask(`x=("@method");created;expires;tag="another-protocol"`)
    expect(foreign.value).toMatchObject({ outcome: 'authorized' })
    expect(JSON.stringify(foreign.value)).toContain('tag=\\"agent-tool-call\\"')
    expect(JSON.stringify(foreign.value)).not.toContain('another-protocol')
  })
})

describe('what agent code can have signed', () => {
  beforeAll(async () => {
    await begin(undefined, { requirement: { requestSignature: 'required' } })
    await fetch(url(), { method: 'POST' })
  })
  afterAll(() => world.close())

  const parts = { headers: {} }

  test('nothing for a place that no token was granted for', async () => {
    const elsewhere = [
      'https://evil.example/payroll/export',
      'https://localhost/payroll/export',
      'https://localhost.evil.example/',
    ]
    for (const place of elsewhere) {
      const reply = await question({ url: place, message: parts })
      expect([reply.status, reply.value]).toEqual([200, { outcome: 'none' }])
    }
    const body = JSON.stringify({ method: 'POST', url: url(), message: parts })
    const socketPath = world.daemon().agentSockets.get('other-agent') ?? ''
    const reply = await callSocket({ socketPath, method: 'POST', path: '/v1/authorization', body })
    expect(reply.value).toEqual({ outcome: 'none' })
  })

  test('nothing that is not the description of one request, and never under names of its own', async () => {
    const claims = {
      authorization: 'DPoP forged',
      dpop: 'forged',
      signature: 'x=:AAAA:',
      'signature-input': 'x=()',
    }
    const headers = await headersOf({ message: { headers: claims } })
    expect(headers['authorization']).not.toContain('forged')
    expect(headers['dpop']).not.toContain('forged')
    expect(headers['signature-input']).toMatch(
      /^agent=\("@method" "@target-uri" "@authority" .*tag="agent-tool-call"$/,
    )
    // The text that is signed begins with a quotation mark: no JWT and no other protocol's text does.
    const lines = { 'x-note': 'a\n"@method": GET' }
    expect((await question({ message: { headers: lines } })).status).toBe(400)
  })

  test.each([
    ['fields that are no texts', { headers: { a: 1 } }],
    ['a field name in upper case', { headers: { Upper: 'x' } }],
    ['no fields', {}],
    ['a digest that is none', { headers: {}, body: { length: 1, sha256: 'short' } }],
    ['a body without length', { headers: {}, body: { sha256: 'A'.repeat(43) } }],
    ['a negative length', { headers: {}, body: { length: -1, sha256: 'A'.repeat(43) } }],
    [
      'too many fields',
      { headers: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`x-${at}`, 'y'])) },
    ],
  ])('a question with %s is malformed', async (_name, message) => {
    expect((await question({ message })).status).toBe(400)
  })

  test('inherited and special names are ordinary ones', async () => {
    const message = JSON.parse('{"headers":{"__proto__":"x","constructor":"y"}}')
    expect((await question({ message })).status).toBe(200)
  })
})
