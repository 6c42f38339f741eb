import { inspect } from 'node:util'
import { createMemoryStore, systemRandom } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { createEnvelope } from './envelope.js'
import { parseJws, signJws, verifyJws } from './jws.js'
import { createSoftwareKeyProvider } from './key-provider.js'
import { generatePrivateJwk, privateJwkFromPem, privateJwkToPem } from './private-jwk.js'
import { createSoftwareSigner } from './signer.js'
import { jwkThumbprint } from './thumbprint.js'

const NOW = 1_790_000_000
const random = systemRandom
const envelope = createEnvelope([{ id: 'm1', key: new Uint8Array(32).fill(1) }], { random })

function provider() {
  const store = createMemoryStore({ clock: () => NOW })
  return { store, keys: createSoftwareKeyProvider({ room: 'wallet' }, { store, envelope, random }) }
}

describe('createSoftwareKeyProvider', () => {
  test('signs with a key that survives only sealed', async () => {
    const { store, keys } = provider()
    const { ref, publicJwk } = await keys.generate('ES256')
    const signer = await keys.signer(ref)
    expect(signer).toMatchObject({ alg: 'ES256', publicJwk, kid: jwkThumbprint(publicJwk) })
    const jws = parseJws(await signJws({ header: { typ: 'x' }, payload: {} }, signer))
    expect(() => verifyJws(jws, { typ: 'x', algorithms: ['ES256'], key: publicJwk })).not.toThrow()

    const [entry] = await store.list('t/default/wallet/key/')
    expect(entry?.key).toBe(`t/default/wallet/key/${ref}`)
    expect(JSON.stringify(entry)).not.toMatch(/"d"|"kty"/)
  })

  test('does not open a record that was copied to another reference', async () => {
    const { store, keys } = provider()
    const [one, two] = [await keys.generate('ES256'), await keys.generate('ES256')]
    const stolen = await store.get(`t/default/wallet/key/${one.ref}`)
    await store.put(`t/default/wallet/key/${two.ref}`, stolen?.value ?? null)
    await expect(keys.signer(two.ref)).rejects.toMatchObject({ code: 'record_changed' })
  })

  test('knows nothing of a destroyed key, and destroys twice without complaint', async () => {
    const { store, keys } = provider()
    const { ref } = await keys.generate('EdDSA')
    await keys.destroy(ref)
    await keys.destroy(ref)
    await expect(keys.signer(ref)).rejects.toThrow(RangeError)
    expect(await store.list('t/')).toEqual([])
  })
})

describe('createSoftwareSigner', () => {
  test('shows no private member, however it is looked at', () => {
    const privateJwk = generatePrivateJwk('ES256')
    const signer = createSoftwareSigner(privateJwk)
    const shown = `${inspect(signer, { depth: 9, showHidden: true })}${JSON.stringify(signer)}`
    expect(shown).not.toContain(String(privateJwk['d']))
    expect(signer.publicJwk).not.toHaveProperty('d')
  })

  test('chooses the algorithm of its key, and refuses one that does not fit [SDJWT-I-01]', () => {
    for (const alg of ['ES256', 'ES384', 'ES512', 'EdDSA', 'PS256'] as const) {
      const { alg: _, ...jwk } = generatePrivateJwk(alg)
      expect(createSoftwareSigner(jwk).alg).toBe(alg)
    }
    const ec = generatePrivateJwk('ES256')
    for (const alg of ['none', 'HS256', 'ES384', 'PS256', 'RS256', 1]) {
      expect(() => createSoftwareSigner({ ...ec, alg })).toThrow(
        expect.objectContaining({ code: 'algorithm_refused' }),
      )
    }
    expect(() => generatePrivateJwk('RS256')).toThrow(expect.objectContaining({ code: 'algorithm_refused' }))
  })

  test('refuses what is no private key, and halves that do not belong together', () => {
    const [one, two] = [generatePrivateJwk('ES256'), generatePrivateJwk('ES256')]
    const { d: _, ...publicOnly } = one
    const bad = [
      null,
      'x',
      {},
      publicOnly,
      { ...one, d: two['d'] },
      { ...one, d: '!' },
      { ...one, x: two['x'] },
    ]
    for (const jwk of bad) {
      expect(() => createSoftwareSigner(jwk)).toThrow(
        expect.objectContaining({ code: 'private_key_malformed' }),
      )
    }
  })

  test('reads and writes PEM', () => {
    const jwk = generatePrivateJwk('ES256')
    const again = privateJwkFromPem(privateJwkToPem(jwk))
    expect(createSoftwareSigner(again).kid).toBe(createSoftwareSigner(jwk).kid)
    expect(() => privateJwkFromPem('x')).toThrow(expect.objectContaining({ code: 'private_key_malformed' }))
  })
})
