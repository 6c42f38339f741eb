import { VerificationError } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, parseJws, signJws, verifyJws } from '@attache/keys'
import { CompactSign, compactVerify, importJWK } from 'jose'
import { describe, expect, test } from 'vitest'

const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'PS384', 'PS512'] as const
const encode = (text: string) => new TextEncoder().encode(text)

/** The code we refuse a token with, or `undefined`. */
function refusalOf(work: () => void): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof VerificationError) return error.code
    throw error
  }
}

describe('signJws and verifyJws beside jose', () => {
  test.each(ALGORITHMS)('agree on %s, both ways', async (alg) => {
    const privateJwk = { ...generatePrivateJwk(alg), alg }
    const signer = createSoftwareSigner(privateJwk)
    const ours = await signJws({ header: { typ: 'x' }, payload: { a: 1 } }, signer)
    const read = await compactVerify(ours, await importJWK({ ...signer.publicJwk }, alg))
    expect(read.protectedHeader).toEqual({ typ: 'x', alg })

    const theirs = await new CompactSign(encode('{"a":1}'))
      .setProtectedHeader({ alg, typ: 'x' })
      .sign(await importJWK(privateJwk, alg))
    const jws = parseJws(theirs)
    verifyJws(jws, { typ: 'x', algorithms: [alg], key: signer.publicJwk })
    expect(jws.payload).toEqual({ a: 1 })
  })

  test('part where the library is lenient: we refuse what it lets pass [SDJWT-D-06] [SDJWT-D-07]', async () => {
    const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
    const key = await importJWK({ ...signer.publicJwk }, 'ES256')
    const verify = (token: string) =>
      refusalOf(() => verifyJws(parseJws(token), { typ: 'x', algorithms: ['ES256'], key: signer.publicJwk }))
    const good = await signJws({ header: { typ: 'x' }, payload: { a: 1 } }, signer)
    const twice = await signJws({ header: { typ: 'x' }, payload: '{"sub":"a","sub":"b"}' }, signer)
    const array = await signJws({ header: { typ: 'x' }, payload: '[1]' }, signer)

    expect(verify(good)).toBeUndefined()
    for (const lenient of [`${good}==`, `${good}\n`, twice, array]) {
      expect((await compactVerify(lenient, key)).protectedHeader.alg).toBe('ES256')
      expect(verify(lenient)).toBe('jws_malformed')
    }
  })
})
