import { describe, expect, test } from 'vitest'
import { parsePublicJwk } from './jwk.js'
import { type ParsedJws, parseJws, signJws, verifyJws } from './jws.js'
import { generatePrivateJwk } from './private-jwk.js'
import { createSoftwareSigner } from './signer.js'

const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
const expected = { typ: 'dc+sd-jwt', algorithms: ['ES256'], key: signer.publicJwk } as const

const good = await signJws({ header: { typ: 'dc+sd-jwt' }, payload: { a: 1 } }, signer)

const encodeBytes = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
const encode = (text: string) => encodeBytes(Buffer.from(text))

type JsonObject = Parameters<typeof signJws>[0]['header']

/** Signs a header that `signJws` would refuse to make. */
async function signRaw(header: unknown, payload = '{"a":1}'): Promise<string> {
  const input = `${encode(JSON.stringify(header))}.${encode(payload)}`
  return `${input}.${encodeBytes(await signer.sign(Buffer.from(input)))}`
}

/** The code of the error a verification throws, `none` when it passes. */
function codeOf(work: () => unknown): unknown {
  try {
    work()
    return 'none'
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}

const verify = (jws: string, more: Partial<Parameters<typeof verifyJws>[1]> = {}) =>
  codeOf(() => verifyJws(parseJws(jws), { ...expected, ...more }))

describe('signJws', () => {
  test('sets alg, keeps the other members and signs JSON text byte for byte', async () => {
    const text = '{ "b" : 2 ,"a":1}'
    const jws = parseJws(await signJws({ header: { typ: 'x', kid: 'k' }, payload: text }, signer))
    expect(jws.header).toEqual({ typ: 'x', kid: 'k', alg: 'ES256' })
    expect(jws.signingInput.split('.')[1]).toBe(encode(text))
  })

  test.each([
    ['crit', { crit: ['x'], x: 1 }],
    ['b64', { b64: false }],
    ['a private jwk', { jwk: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' } }],
  ])('refuses to sign a header with %s [SDJWT-V-04]', async (_name, header: JsonObject) => {
    await expect(signJws({ header, payload: {} }, signer)).rejects.toMatchObject({
      code: 'jws_header_refused',
    })
  })
})

describe('parseJws', () => {
  test('refuses padding, whitespace, stray trailing bits and other alphabets [SDJWT-D-06]', () => {
    const [header = '', payload = '', signature = ''] = good.split('.')
    const last = signature.at(-1) ?? ''
    const stray = `${signature.slice(0, -1)}${String.fromCharCode(last.charCodeAt(0) + 1)}`
    for (const bad of [`${signature}==`, ` ${signature}`, `${signature}\n`, stray, `${signature}+`]) {
      expect(codeOf(() => parseJws(`${header}.${payload}.${bad}`))).toBe('jws_malformed')
    }
    expect(codeOf(() => parseJws(`${header}=.${payload}.${signature}`))).toBe('jws_malformed')
    expect(codeOf(() => parseJws(good))).toBe('none')
  })

  test('refuses anything but three non-empty segments', () => {
    for (const bad of ['', 'a.b', '..', `${good}.`, `${good}.x`, good.replace(/[^.]+$/, '')]) {
      expect(codeOf(() => parseJws(bad))).toBe('jws_malformed')
    }
  })

  test('refuses a payload that is no JSON object and repeated members [SDJWT-V-03] [SDJWT-D-07]', async () => {
    for (const payload of ['[1]', '"x"', 'null', '{"sub":"a","sub":"b"}', '{"a":1', '{"a":1}x']) {
      const jws = await signRaw({ typ: 'dc+sd-jwt', alg: 'ES256' }, payload)
      expect(codeOf(() => parseJws(jws))).toBe('jws_malformed')
    }
    const [, payload, signature] = good.split('.')
    const header = encode('{"typ":"dc+sd-jwt","alg":"none","alg":"ES256"}')
    expect(codeOf(() => parseJws(`${header}.${payload}.${signature}`))).toBe('jws_malformed')
  })

  test('judges the length before anything else and the nesting before the signature', async () => {
    expect(codeOf(() => parseJws('!'.repeat(65_537)))).toBe('jws_too_large')
    const deep = await signRaw({ typ: 'x', alg: 'ES256' }, `{"a":${'['.repeat(40)}${']'.repeat(40)}}`)
    expect(codeOf(() => parseJws(deep))).toBe('jws_malformed')
    expect(codeOf(() => parseJws(deep, { maxDepth: 64 }))).toBe('none')
  })
})

describe('verifyJws', () => {
  test.each(['ES256', 'ES384', 'ES512', 'EdDSA', 'PS256', 'PS384', 'PS512'] as const)(
    'accepts a token signed with %s [SDJWT-V-02]',
    async (alg) => {
      const other = createSoftwareSigner(generatePrivateJwk(alg))
      const jws = await signJws({ header: { typ: 'x' }, payload: { a: 1 } }, other)
      expect(verify(jws, { typ: 'x', algorithms: [alg], key: other.publicJwk })).toBe('none')
    },
  )

  test('knows Ed25519 under both of its names', async () => {
    const old = createSoftwareSigner(generatePrivateJwk('EdDSA'))
    const named = createSoftwareSigner({ ...generatePrivateJwk('Ed25519'), alg: 'Ed25519' })
    const jws = await signJws({ header: { typ: 'x' }, payload: {} }, named)
    expect(parseJws(jws).header['alg']).toBe('Ed25519')
    expect(verify(jws, { typ: 'x', algorithms: ['Ed25519'], key: named.publicJwk })).toBe('none')
    expect(verify(jws, { typ: 'x', algorithms: ['EdDSA'], key: named.publicJwk })).toBe('jws_algorithm')
    expect(old.alg).toBe('EdDSA')
  })

  test('compares typ character by character', async () => {
    expect(verify(good)).toBe('none')
    for (const typ of ['DC+SD-JWT', 'application/dc+sd-jwt', 'vc+sd-jwt', 'JWT', '']) {
      expect(verify(await signRaw({ typ, alg: 'ES256' }))).toBe('jws_typ')
    }
    expect(verify(await signRaw({ alg: 'ES256' }))).toBe('jws_typ')
  })

  test('takes a token without type only where none is expected, and then no other', async () => {
    expect(verify(await signRaw({ alg: 'ES256' }), { typ: undefined })).toBe('none')
    expect(verify(good, { typ: undefined })).toBe('jws_typ')
    expect(verify(await signRaw({ alg: 'ES256', typ: null }), { typ: undefined })).toBe('jws_typ')
  })

  test('refuses none in any case, MACs, and an algorithm that is not in the list [SDJWT-V-02]', async () => {
    for (const alg of ['none', 'None', 'NONE', 'HS256', 'ES256K', 'es256', 'ES384', 'RS256', '', 1, null]) {
      expect(verify(await signRaw({ typ: 'dc+sd-jwt', alg }))).toBe('jws_algorithm')
    }
    expect(verify(good, { algorithms: [] })).toBe('jws_algorithm')
  })

  test('refuses an algorithm that is allowed but does not fit the key [SDJWT-V-02]', async () => {
    const algorithms = ['ES256', 'ES384', 'PS256', 'EdDSA'] as const
    for (const alg of ['ES384', 'PS256', 'EdDSA']) {
      expect(verify(await signRaw({ typ: 'dc+sd-jwt', alg }), { algorithms })).toBe('jws_key_mismatch')
    }
    expect(verify(good, { key: { ...signer.publicJwk, use: 'enc' } })).toBe('jws_key_mismatch')
    expect(verify(good, { key: { ...signer.publicJwk, alg: 'ES384' } })).toBe('jws_key_mismatch')
    expect(verify(good, { key: { ...signer.publicJwk, alg: 'ES256', use: 'sig' } })).toBe('none')
  })

  test('refuses crit, also empty or unknown, and b64 [SDJWT-V-04]', async () => {
    for (const extra of [{ crit: ['exp'] }, { crit: [] }, { crit: ['b64'], b64: false }, { b64: true }]) {
      expect(verify(await signRaw({ typ: 'dc+sd-jwt', alg: 'ES256', ...extra }))).toBe('jws_crit')
    }
  })

  test('refuses a changed byte, another key, and a key brought by the header [SDJWT-V-03]', async () => {
    const [header, payload, signature = ''] = good.split('.')
    const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
    expect(verify(`${header}.${payload}.${flipped}`)).toBe('jws_signature')
    expect(verify(`${header}.${encode('{"a":2}')}.${signature}`)).toBe('jws_signature')

    const thief = createSoftwareSigner(generatePrivateJwk('ES256'))
    const own = { typ: 'dc+sd-jwt', jwk: thief.publicJwk, jku: 'https://x.example', x5u: 'https://x.example' }
    expect(verify(await signJws({ header: own, payload: { a: 1 } }, thief))).toBe('jws_signature')
  })

  test('refuses an ECDSA signature in DER form and a short one', async () => {
    const [header = '', payload = ''] = good.split('.')
    const jws: ParsedJws = parseJws(good)
    for (const length of [1, 63, 65, 70]) {
      const bytes = Buffer.concat([jws.signature, Buffer.alloc(10)]).subarray(0, length)
      expect(verify(`${header}.${payload}.${encodeBytes(bytes)}`)).toBe('jws_signature')
    }
  })

  test('parses a key that was not parsed before, and refuses a private one', () => {
    const copy = { ...signer.publicJwk }
    expect(verify(good, { key: copy })).toBe('none')
    expect(verify(good, { key: parsePublicJwk(copy) })).toBe('none')
    const withPrivate = { ...copy, d: 'AA' }
    expect(verify(good, { key: withPrivate })).toBe('jwk_private_member')
  })
})
