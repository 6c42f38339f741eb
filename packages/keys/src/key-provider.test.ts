import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createEnvelope } from './envelope.js'
import { parseJws, signJws, verifyJws } from './jws.js'
import { createSoftwareKeyProvider, type SoftwareKeyProviderDeps } from './key-provider.js'
import { generatePrivateJwk, privateJwkFromPem, privateJwkToPem } from './private-jwk.js'
import { createSoftwareSigner } from './signer.js'
import { jwkThumbprint } from './thumbprint.js'

const random = (byteCount: number) => new Uint8Array(randomBytes(byteCount))
const envelope = createEnvelope([{ id: 'm1', key: new Uint8Array(32).fill(1) }], { random })

type StoredValue = NonNullable<Awaited<ReturnType<SoftwareKeyProviderDeps['store']['get']>>>

/** The provider over a plain map: the store exam is not the subject here. */
function provider() {
  const entries = new Map<string, StoredValue>()
  const store: SoftwareKeyProviderDeps['store'] = {
    get: async (key) => entries.get(key),
    putIfAbsent: async (key, value) =>
      !entries.has(key) && entries.set(key, { value, version: '1' }).has(key),
    take: async (key) => {
      const found = entries.get(key)
      entries.delete(key)
      return found
    },
  }
  return { entries, keys: createSoftwareKeyProvider({ room: 'wallet' }, { store, envelope, random }) }
}

describe('createSoftwareKeyProvider', () => {
  test('signs with a key that survives only sealed', async () => {
    const { entries, keys } = provider()
    const { ref, publicJwk } = await keys.generate('ES256')
    const signer = await keys.signer(ref)
    expect(signer).toMatchObject({ alg: 'ES256', publicJwk, kid: jwkThumbprint(publicJwk) })
    const jws = parseJws(await signJws({ header: { typ: 'x' }, payload: {} }, signer))
    expect(() => verifyJws(jws, { typ: 'x', algorithms: ['ES256'], key: publicJwk })).not.toThrow()

    expect([...entries.keys()]).toEqual([`t/default/wallet/key/${ref}`])
    expect(JSON.stringify([...entries])).not.toMatch(/"d"|"kty"/)
  })

  test('does not open a record that was copied to another reference', async () => {
    const { entries, keys } = provider()
    const [one, two] = [await keys.generate('ES256'), await keys.generate('ES256')]
    const stolen = entries.get(`t/default/wallet/key/${one.ref}`)
    entries.set(`t/default/wallet/key/${two.ref}`, stolen ?? { value: null, version: '1' })
    await expect(keys.signer(two.ref)).rejects.toMatchObject({ code: 'record_changed' })
  })

  test('knows nothing of a destroyed key, and destroys twice without complaint', async () => {
    const { entries, keys } = provider()
    const { ref } = await keys.generate('EdDSA')
    await keys.destroy(ref)
    await keys.destroy(ref)
    await expect(keys.signer(ref)).rejects.toThrow(RangeError)
    expect(entries.size).toBe(0)
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
