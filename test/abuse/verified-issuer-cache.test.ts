import { createVerifiedIssuerCache, type SdJwtVcExpectation, verifySdJwtVc } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  AUDIENCE,
  BINDING,
  bind,
  digestOf,
  disclose,
  forge,
  ISSUER,
  issuerSigner,
  otherSigner,
  VCT,
} from '../support/credentials.js'

/** A verifier with a cache, and how often it had to ask for the issuer's key. */
function createVerifier(
  options: { maxEntries?: number; maxAgeSeconds?: number; maxJwtBytes?: number; validUntil?: number } = {},
) {
  const { validUntil, ...bounds } = options
  const cache = createVerifiedIssuerCache(bounds)
  let asked = 0
  const verify = (text: string, override: Partial<SdJwtVcExpectation> = {}, trustFingerprint = 'trust-1') =>
    verifySdJwtVc(text, {
      ...BINDING,
      verifiedIssuers: { cache, trustFingerprint },
      resolveIssuerKey: async () => {
        asked += 1
        const key = trustFingerprint === 'trust-1' ? issuerSigner.publicJwk : otherSigner.publicJwk
        return { key, issuer: ISSUER, ...(validUntil === undefined ? {} : { validUntil }) }
      },
      ...override,
    })
  return { verify, cache, asked: () => asked }
}

const role = disclose('salt', 'role', 'clerk')
const status = { status_list: { idx: 1, uri: 'https://issuer.example/status/1' } }
const presented = await forge({ exp: NOW + 100, status, _sd: [digestOf(role)] }, [role])
const sound = await bind(presented)

describe('createVerifiedIssuerCache', () => {
  test('asks once for the same bytes, and says the same again', async () => {
    const { verify, asked } = createVerifier()
    const first = await verify(sound)

    expect(await verify(sound)).toEqual(first)
    expect(first.status).toEqual({ mechanism: 'status_list', ...status.status_list })
    expect(asked()).toBe(1)
  })

  test('is keyed by the exact issuer-signed bytes: another signature over the same payload is verified', async () => {
    const { verify, asked } = createVerifier()
    const [jwt = ''] = presented.split('~')
    await verify(sound)

    const signature = jwt.split('.')[2] ?? ''
    const forged = jwt.replace(signature, `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`)
    await expect(verify(await bind(`${forged}~`))).rejects.toMatchObject({ code: 'jws_signature' })
    expect(asked()).toBe(2)
  })

  test('is keyed by the trust configuration: a change of trust is noticed at once', async () => {
    const { verify, asked } = createVerifier()
    await verify(sound)

    await expect(verify(sound, {}, 'trust-2')).rejects.toMatchObject({ code: 'jws_signature' })
    expect(asked()).toBe(2)
  })

  test('keeps nothing whose signature did not verify', async () => {
    const { verify, cache } = createVerifier()
    await expect(verify(sound, {}, 'trust-2')).rejects.toMatchObject({ code: 'jws_signature' })

    expect(cache.size).toBe(0)
  })

  test('never outlives exp, the answer of the resolver or its own age', async () => {
    for (const [options, end] of [
      [{}, NOW + 100],
      [{ maxAgeSeconds: 30 }, NOW + 30],
      [{ validUntil: NOW + 20 }, NOW + 20],
    ] as const) {
      const { verify, asked } = createVerifier(options)
      const at = async (now: number) => verify(await bind(presented, { payload: { iat: now } }), { now })
      await at(NOW)
      await at(end - 1)
      expect(asked()).toBe(1)
      // Inside the tolerance the credential still holds, but its signature is verified anew.
      await at(end)
      expect(asked()).toBe(2)
    }
  })

  test('never skips the times of the credential', async () => {
    const { verify } = createVerifier()
    await verify(sound)

    await expect(verify(sound, { now: NOW + 160 })).rejects.toMatchObject({ code: 'jwt_expired' })
    await expect(verify(sound, { now: NOW + 99, toleranceSeconds: 0 })).resolves.toMatchObject({ vct: VCT })
  })

  test('never skips type, typ, algorithm, required claims or audience', async () => {
    const { verify, asked } = createVerifier()
    await verify(sound)

    await expect(verify(sound, { acceptedTypes: ['urn:other'] })).rejects.toMatchObject({
      code: 'vct_not_accepted',
    })
    await expect(verify(sound, { algorithms: ['ES384'] })).rejects.toMatchObject({ code: 'jws_algorithm' })
    await expect(verify(sound, { sdAlgs: ['sha-512'] })).rejects.toMatchObject({ code: 'sd_alg_refused' })
    await expect(verify(sound, { requiredClaims: ['nbf'] })).rejects.toMatchObject({ code: 'claim_required' })
    expect(asked()).toBe(1)
  })

  test('never skips Disclosures', async () => {
    const { verify } = createVerifier()
    await verify(sound)

    const foreign = await bind(`${presented}${disclose('salt', 'role', 'admin')}~`)
    await expect(verify(foreign)).rejects.toMatchObject({ code: 'disclosure_unreferenced' })
    const [jwt = ''] = presented.split('~')
    expect((await verify(await bind(`${jwt}~`))).claims).not.toHaveProperty('role')
  })

  test('never skips key binding', async () => {
    const { verify } = createVerifier()
    await verify(sound)

    await expect(verify(presented)).rejects.toMatchObject({ code: 'key_binding_missing' })
    await expect(verify(await bind(presented, { signer: otherSigner }))).rejects.toMatchObject({
      code: 'key_binding_signature',
    })
    const other = { audience: AUDIENCE, nonce: 'another', maxAgeSeconds: 300 }
    await expect(verify(sound, { keyBinding: other })).rejects.toMatchObject({
      code: 'key_binding_nonce_mismatch',
    })
    await expect(
      verify(sound, { now: NOW + 99, keyBinding: { ...other, nonce: 'n-0S6_WzA2Mj', maxAgeSeconds: 98 } }),
    ).rejects.toMatchObject({
      code: 'key_binding_times',
    })
  })

  test('is bounded in number, the one unused for longest goes first; long ones are not kept', async () => {
    const { verify, cache, asked } = createVerifier({ maxEntries: 2 })
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(async (sub) => bind(await forge({ sub }))))
    for (const text of [a, b, a, c]) await verify(text ?? '')
    expect(cache.size).toBe(2)
    expect(asked()).toBe(3)
    await verify(a ?? '')
    expect(asked()).toBe(3)
    await verify(b ?? '')
    expect(asked()).toBe(4)

    const small = createVerifier({ maxJwtBytes: 100 })
    await small.verify(sound)
    expect(small.cache.size).toBe(0)
    expect(() => createVerifiedIssuerCache({ maxEntries: 0 })).toThrow(TypeError)
  })
})
