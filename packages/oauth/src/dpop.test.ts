import {
  createMemoryStore,
  endpoint,
  type JsonObject,
  json,
  ProtocolError,
  type Random,
  SILENT_LOG,
  SPENT_MARGIN_SECONDS,
} from '@attache/core'
import {
  createSeal,
  createSoftwareSigner,
  generatePrivateJwk,
  parseJws,
  type Signer,
  signJws,
} from '@attache/keys'
import { describe, expect, test } from 'vitest'
import {
  createDpopProof,
  DPOP_ALGORITHMS,
  type DpopExpectation,
  rememberProof,
  replayedProof,
  verifyDpopProof,
} from './dpop.js'
import { OAUTH_ERRORS, PROTECTED_RESOURCE_ERRORS } from './errors.js'
import { createServerNonces } from './server-nonces.js'
import { externalUrl } from './target-uri.js'

const NOW = 1_790_000_000
const PLACE = { tenant: 'default', room: 'gate' }
const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
const expected: DpopExpectation = {
  method: 'POST',
  url: 'https://api.example.com/v1/orders',
  algorithms: DPOP_ALGORITHMS,
}

function countingRandom(): Random {
  let count = 0
  return (byteCount) => {
    count += 1
    return Uint8Array.from({ length: byteCount }, (_, index) => (count >> (8 * (index % 4))) & 0xff)
  }
}

const random = countingRandom()
const prove = (request = {}, by: Signer = signer) =>
  createDpopProof({ method: 'POST', url: 'https://api.example.com/v1/orders', ...request }, by, {
    now: NOW,
    random,
  })

describe('createDpopProof', () => {
  test('names method, target without query and fragment, time and an own jti [DPOP-C-01] [DPOP-C-02]', async () => {
    const url = 'https://api.example.com/v1/orders?a=1#f'
    const { header, payload } = parseJws(await prove({ url }))
    expect(header).toEqual({ typ: 'dpop+jwt', alg: 'ES256', jwk: signer.publicJwk })
    expect(header['jwk']).not.toHaveProperty('d')
    expect(payload).toMatchObject({ htm: 'POST', htu: 'https://api.example.com/v1/orders', iat: NOW })
    expect(Object.keys(payload).sort()).toEqual(['htm', 'htu', 'iat', 'jti'])
    expect(String(payload['jti'])).toHaveLength(22)
  })

  test('never uses a jti twice: 10 000 are distinct [DPOP-C-02]', async () => {
    const quick: Signer = { ...signer, sign: async () => new Uint8Array(64) }
    const ids = new Set<unknown>()
    for (let count = 0; count < 10_000; count += 1) ids.add(parseJws(await prove({}, quick)).payload['jti'])
    expect(ids.size).toBe(10_000)
  })

  test('carries the hash of the token it goes with [DPOP-C-03]', async () => {
    const accessToken = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'
    const proof = await prove({ accessToken })
    expect(parseJws(proof).payload['ath']).toBe('fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo')
    expect(verifyDpopProof(proof, { ...expected, accessToken }, NOW).jkt).toBe(signer.kid)
    expect(() => verifyDpopProof(proof, { ...expected, accessToken: 'other' }, NOW)).toThrow(
      'this access token',
    )
  })
})

describe('verifyDpopProof', () => {
  test('accepts what createDpopProof makes, for every algorithm it takes [DPOP-S-05] [DPOP-S-06]', async () => {
    for (const alg of ['ES256', 'EdDSA', 'Ed25519'] as const) {
      const holder = createSoftwareSigner(generatePrivateJwk(alg))
      expect(verifyDpopProof(await prove({}, holder), expected, NOW)).toMatchObject({
        jkt: holder.kid,
        iat: NOW,
      })
    }
    const strong = createSoftwareSigner(generatePrivateJwk('ES384'))
    expect(() => verifyDpopProof('', { ...expected, algorithms: [] }, NOW)).toThrow()
    await expect(
      prove({}, strong).then((proof) => verifyDpopProof(proof, expected, NOW)),
    ).rejects.toMatchObject({
      code: 'invalid_dpop_proof',
    })
  })

  const members: readonly (readonly [string, JsonObject])[] = [
    ['jti as a number', { jti: 1 }],
    ['htm of another method', { htm: 'GET' }],
    ['htu of another path', { htu: 'https://api.example.com/v1/order' }],
    ['iat as a text', { iat: String(NOW) }],
    ['iat in milliseconds', { iat: NOW * 1000 }],
    ['no iat', { iat: null }],
  ]
  test.each(members)(
    'refuses %s, alone of all members [DPOP-S-03] [DPOP-S-08] [DPOP-S-09]',
    async (_, change) => {
      const payload = { jti: 'a', htm: 'POST', htu: expected.url, iat: NOW }
      const header = { typ: 'dpop+jwt', jwk: { ...signer.publicJwk } }
      const good = await signJws({ header, payload }, signer)
      expect(verifyDpopProof(good, expected, NOW).jti).toBe('a')
      const bad = await signJws({ header, payload: { ...payload, ...change } }, signer)
      expect(() => verifyDpopProof(bad, expected, NOW)).toThrow(
        expect.objectContaining({ code: 'invalid_dpop_proof' }),
      )
    },
  )

  test('tolerates further header members and claims, and means exp and nbf when they are there [VCI-I-DP-01]', async () => {
    const payload = { jti: 'a', htm: 'POST', htu: expected.url, iat: NOW, foo: { bar: 1 } }
    const header = { typ: 'dpop+jwt', jwk: { ...signer.publicJwk, foo: 'bar' }, foo: 'bar' }
    const verify = async (change: JsonObject) =>
      verifyDpopProof(await signJws({ header, payload: { ...payload, ...change } }, signer), expected, NOW)
        .jti
    expect(await verify({ exp: NOW + 60, nbf: NOW - 60 })).toBe('a')
    for (const change of [{ exp: NOW - 61 }, { nbf: NOW + 61 }, { exp: 'soon' }]) {
      await expect(verify(change)).rejects.toMatchObject({ code: 'invalid_dpop_proof' })
    }
    expect([OAUTH_ERRORS.invalid_dpop_proof, PROTECTED_RESOURCE_ERRORS.invalid_dpop_proof]).toEqual([
      400, 401,
    ])
  })

  test('each change of the header alone is refused [DPOP-S-04] [DPOP-S-05] [DPOP-S-07]', async () => {
    const other = createSoftwareSigner(generatePrivateJwk('EdDSA'))
    const [head = '', body = '', signature = ''] = (await prove()).split('.')
    const good: unknown = JSON.parse(Buffer.from(head, 'base64url').toString())
    for (const change of [
      { typ: undefined },
      { typ: 'JWT' },
      { typ: 'DPOP+JWT' },
      { typ: 'application/dpop+jwt' },
      { typ: 'kb+jwt' },
      { typ: 'at+jwt' },
      { alg: 'none' },
      { alg: 'HS256' },
      { alg: 'ES256K' },
      { alg: 'EdDSA' },
      { alg: 'RS256' },
      { alg: undefined },
      { jwk: undefined },
      { jwk: other.publicJwk },
      { jwk: { ...signer.publicJwk, d: 'AA' } },
      { jwk: { kty: 'oct', k: 'AA' } },
      { crit: ['exp'] },
      { b64: false },
    ]) {
      const header = Buffer.from(JSON.stringify(Object.assign({}, good, change))).toString('base64url')
      const changed = `${header}.${body}.${signature}`
      expect(() => verifyDpopProof(changed, expected, NOW), JSON.stringify(change)).toThrow(
        expect.objectContaining({ code: 'invalid_dpop_proof' }),
      )
    }
  })

  test('takes a proof of 60 seconds back and 10 ahead, and none beyond [DPOP-S-12]', async () => {
    const proof = await prove()
    for (const now of [NOW - 10, NOW, NOW + 60]) expect(verifyDpopProof(proof, expected, now).iat).toBe(NOW)
    for (const now of [NOW - 11, NOW + 61])
      expect(() => verifyDpopProof(proof, expected, now)).toThrow('too old')
  })

  test('compares with the configured origin, whatever Host and forwarding headers say [DPOP-S-09]', async () => {
    const received = new Request('http://evil.example/v1/orders?x=1', {
      headers: { 'X-Forwarded-Host': 'evil.example' },
    })
    const url = externalUrl('https://api.example.com', received.url)
    expect(url).toBe('https://api.example.com/v1/orders?x=1')
    const ours = await prove()
    const theirs = await prove({ url: 'http://evil.example/v1/orders' })
    expect(verifyDpopProof(ours, { ...expected, url }, NOW).jkt).toBe(signer.kid)
    expect(() => verifyDpopProof(theirs, { ...expected, url }, NOW)).toThrow('another URI')
  })

  test('refuses two fields that a server joined, in any number of spaces [DPOP-S-01]', async () => {
    const headers = new Headers()
    headers.append('DPoP', await prove())
    headers.append('DPoP', await prove())
    expect(() => verifyDpopProof(headers.get('dpop'), expected, NOW)).toThrow('exactly one DPoP')
    expect(() => verifyDpopProof(new Headers().get('dpop'), expected, NOW)).toThrow('missing')
  })

  test('does not change what it is given and gives the same replay key for the same proof [DPOP-S-16]', async () => {
    const proof = await prove()
    const [first, second] = [verifyDpopProof(proof, expected, NOW), verifyDpopProof(proof, expected, NOW + 1)]
    expect(first.replayKey).toBe(second.replayKey)
    expect(first.replayKey).not.toContain(first.jti)
    expect(() => verifyDpopProof(`${proof}=`, expected, NOW)).toThrow(ProtocolError)
    expect(() => verifyDpopProof(` ${proof}`, expected, NOW)).toThrow(ProtocolError)
  })
})

describe('rememberProof', () => {
  test('lets one of 20 parallel copies through [DPOP-S-11]', async () => {
    const store = createMemoryStore({ clock: () => NOW })
    const proof = verifyDpopProof(await prove(), expected, NOW)
    const wins = await Promise.all(
      Array.from({ length: 20 }, () => store.commit([rememberProof(proof, PLACE)])),
    )
    expect(wins.filter(Boolean)).toHaveLength(1)
    expect(replayedProof().code).toBe('invalid_dpop_proof')
  })

  test('remembers a proof for as long as a copy would be accepted [DPOP-S-11] [DPOP-N-05]', async () => {
    const nonces = nonceOf('https://api.example.com')
    const proof = await prove()
    expect(verifyDpopProof(proof, expected, NOW).expiresAt).toBe(NOW + 70)
    const withNonce = await prove({ nonce: nonces.issue(NOW) })
    expect(verifyDpopProof(withNonce, { ...expected, nonces }, NOW).expiresAt).toBe(NOW + 300)
  })

  test('a copy that is judged in time and committed late finds the record of the first [DPOP-S-11]', async () => {
    let clock = NOW
    const store = createMemoryStore({ clock: () => clock })
    const text = await prove()
    const use = (now: number) => store.commit([rememberProof(verifyDpopProof(text, expected, now), PLACE)])
    expect(await use(NOW)).toBe(true)

    // Headers in the last second, body as slowly as a body may arrive.
    clock = NOW + 60 + SPENT_MARGIN_SECONDS
    expect(await use(NOW + 60)).toBe(false)
  })

  test('ends in a whole second, whatever the proof says [DPOP-S-11]', async () => {
    const payload = { jti: 'a', htm: 'POST', htu: expected.url, iat: NOW - 0.5 }
    const proof = await signJws(
      { header: { typ: 'dpop+jwt', jwk: { ...signer.publicJwk } }, payload },
      signer,
    )
    expect(verifyDpopProof(proof, expected, NOW).expiresAt).toBe(NOW + 70)
  })

  test('keeps keys and targets apart: one jti serves each of them once [DPOP-S-11]', async () => {
    const payload = { jti: 'same', htm: 'POST', htu: expected.url, iat: NOW }
    const other = createSoftwareSigner(generatePrivateJwk('ES256'))
    const keys = await Promise.all(
      [signer, other].map(async (by) => {
        const text = await signJws({ header: { typ: 'dpop+jwt', jwk: { ...by.publicJwk } }, payload }, by)
        return verifyDpopProof(text, expected, NOW).replayKey
      }),
    )
    expect(new Set(keys).size).toBe(2)
  })

  test('a refused proof with a foreign jti does not use it up [DPOP-S-17]', async () => {
    const store = createMemoryStore({ clock: () => NOW })
    const payload = { jti: 'victim', htm: 'POST', htu: expected.url, iat: NOW }
    const header = { typ: 'dpop+jwt', jwk: { ...signer.publicJwk } }
    const use = async (text: string) =>
      store.commit([rememberProof(verifyDpopProof(text, expected, NOW), PLACE)])
    const thief = createSoftwareSigner(generatePrivateJwk('ES256'))
    await expect(signJws({ header, payload }, thief).then(use)).rejects.toMatchObject({
      code: 'invalid_dpop_proof',
    })
    expect(await use(await signJws({ header, payload }, signer))).toBe(true)
  })
})

function nonceOf(server: string) {
  const seal = createSeal([{ id: 'k1', key: new Uint8Array(32).fill(7) }], { random })
  return createServerNonces({ use: 'dpop-nonce', server }, { seal, random })
}

describe('server nonces of DPoP', () => {
  const nonces = nonceOf('https://as.example.com')

  test('are unpredictable, of header characters, and bound to server and time [DPOP-N-02]', async () => {
    const [first, second] = [nonces.issue(NOW), nonces.issue(NOW)]
    expect(first).not.toBe(second)
    expect(first).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
    const proof = await prove({ nonce: first })
    expect(verifyDpopProof(proof, { ...expected, nonces }, NOW).nonce).toBe(first)

    const resource = nonceOf('https://api.example.com')
    expect(() => verifyDpopProof(proof, { ...expected, nonces: resource }, NOW)).toThrow(
      expect.objectContaining({ code: 'use_dpop_nonce' }),
    )
    expect(nonces.open(first, NOW + 299)).toBeDefined()
    expect(nonces.open(first, NOW + 300)).toBeUndefined()
  })

  test('once asked for, a proof without one is answered with a new one that works [DPOP-N-01] [DPOP-N-04]', async () => {
    const demand = await prove().then((proof) =>
      refusal(() => verifyDpopProof(proof, { ...expected, nonces }, NOW)),
    )
    expect(demand.code).toBe('use_dpop_nonce')
    expect(Object.keys(demand.headers)).toEqual(['DPoP-Nonce'])
    const retry = await prove({ nonce: demand.headers['DPoP-Nonce'] })
    expect(verifyDpopProof(retry, { ...expected, nonces }, NOW).jkt).toBe(signer.kid)
  })

  test('the previous nonce works beside the current one [DPOP-N-05]', async () => {
    const [previous] = [nonces.issue(NOW - 100), nonces.issue(NOW)]
    expect(verifyDpopProof(await prove({ nonce: previous }), { ...expected, nonces }, NOW).nonce).toBe(
      previous,
    )
  })

  test('a lifetime beyond five minutes is a configuration error [DPOP-N-02]', () => {
    const seal = createSeal([{ id: 'k1', key: new Uint8Array(32) }], { random })
    const options = { use: 'dpop-nonce', server: 'https://as.example.com', lifetimeSeconds: 301 } as const
    expect(() => createServerNonces(options, { seal, random })).toThrow(
      expect.objectContaining({ code: 'nonce_lifetime' }),
    )
  })
})

function refusal(work: () => unknown): ProtocolError {
  try {
    work()
  } catch (error) {
    if (error instanceof ProtocolError) return error
  }
  throw new Error('not refused')
}

test('at a token endpoint a broken signature is 400 invalid_dpop_proof as JSON [DPOP-A-01]', async () => {
  const [head, body] = (await prove()).split('.')
  const broken = `${head}.${body}.${'A'.repeat(86)}`
  const handle = endpoint(
    async (request) => json(200, { jkt: verifyDpopProof(request.headers.get('dpop'), expected, NOW).jkt }),
    { statuses: OAUTH_ERRORS, log: SILENT_LOG, random, event: 'token' },
  )
  const send = (dpop: string) => handle(new Request(expected.url, { method: 'POST', headers: { dpop } }), {})
  const response = await send(broken)
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error: 'invalid_dpop_proof' })
  expect((await send(await prove())).status).toBe(200)
})
