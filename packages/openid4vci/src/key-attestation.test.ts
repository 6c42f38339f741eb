import { type JsonObject, systemRandom } from '@attache/core'
import {
  type CertificateAuthority,
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  jwkThumbprint,
  parseJws,
  type Signer,
  signJws,
} from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { makeCredentialRequest, parseCredentialRequest } from './credential-request.js'
import { createKeyAttestation, readKeyAttestation, verifyKeyAttestation } from './key-attestation.js'

const NOW = 1_790_000_000
const validity = { notBefore: NOW - 3600, notAfter: NOW + 86_400 }
const deps = { random: systemRandom }
const authority = (commonName: string, issuer?: CertificateAuthority) =>
  createCertificateAuthority(
    {
      commonName,
      privateJwk: generatePrivateJwk('ES256'),
      ...validity,
      ...(issuer === undefined ? {} : { issuer }),
    },
    deps,
  )

const root = await authority('Provider Root')
const intermediate = await authority('Provider CA', root)
const stranger = await authority('Stranger Root')
const derOf = (pem: string) => pem.replace(/-----[A-Z ]+-----|\s/g, '')

async function providerUnder(
  issuer: CertificateAuthority,
  alg: 'ES256' | 'ES384' = 'ES256',
): Promise<Signer> {
  const privateJwk = generatePrivateJwk(alg)
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const certificate = { commonName: 'Provider', publicJwk, issuer, ...validity }
  return createSoftwareSigner(privateJwk, { x5c: (await issueCertificate(certificate, deps)).x5c })
}

const provider = await providerUnder(intermediate)
const holders = [1, 2, 3].map(() => createSoftwareSigner(generatePrivateJwk('ES256')).publicJwk)
const attestation = {
  attestedKeys: holders,
  nonce: 'VKfHyjmBrBl0jXf9Y17Ihnh3',
  keyStorage: ['iso_18045_moderate'],
}
const times = { now: NOW, expiresAt: NOW + 300 }
const expected = {
  anchors: createAnchors('keyAttesters', [root.pem]),
  algorithms: ['ES256'] as const,
  expiry: 'required' as const,
}
const good = await createKeyAttestation(attestation, provider, times)
const { header, payload } = parseJws(good)
const refused = expect.objectContaining({ name: 'ProtocolError', code: 'invalid_proof' })

/** The good attestation with changed header or payload, signed again. */
function resigned(change: { header?: JsonObject; payload?: JsonObject }, signer = provider): Promise<string> {
  const { alg: _, ...kept } = header
  return signJws(
    { header: { ...kept, ...change.header }, payload: { ...payload, ...change.payload } },
    signer,
  )
}
const without = (object: JsonObject, name: string): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([other]) => other !== name))

describe('createKeyAttestation', () => {
  test('puts its chain without the anchor into x5c, under a certificate of somebody else [VCI-W-PRF-09]', async () => {
    expect(header).toEqual({ typ: 'key-attestation+jwt', alg: 'ES256', x5c: provider.x5c })
    expect(header['x5c']).toHaveLength(2)
    expect(header['x5c']).not.toContain(derOf(root.pem))
    const withAnchor = { ...provider, x5c: [...(provider.x5c ?? []), derOf(root.pem)] }
    await expect(createKeyAttestation(attestation, withAnchor, times)).rejects.toMatchObject({
      code: 'x5c_anchor',
    })
    const selfSigned = createSoftwareSigner(root.privateJwk)
    await expect(createKeyAttestation(attestation, selfSigned, times)).rejects.toMatchObject({
      code: 'x5c_malformed',
    })
    const byItself: Signer = { ...selfSigned, x5c: [derOf(root.pem)] }
    await expect(createKeyAttestation(attestation, byItself, times)).rejects.toMatchObject({
      code: 'self_signed',
    })
    const { x5c = [] } = await providerUnder(root)
    await expect(createKeyAttestation(attestation, { ...provider, x5c }, times)).rejects.toMatchObject({
      code: 'x5c_key_mismatch',
    })
  })

  test('states the keys of a batch, all in one [VCI-W-PRF-10]', () => {
    expect(payload).toEqual({
      iat: NOW,
      exp: NOW + 300,
      nonce: attestation.nonce,
      attested_keys: holders.map((jwk) => ({ ...jwk })),
      key_storage: ['iso_18045_moderate'],
    })
    expect(verifyKeyAttestation(good, expected, NOW).attestedKeys.map(jwkThumbprint)).toEqual(
      holders.map(jwkThumbprint),
    )
  })

  test.each([
    ['no key', { attestedKeys: [] }],
    [
      'a private key',
      { attestedKeys: [{ ...holders[0], ...generatePrivateJwk('ES256'), kty: 'EC' as const }] },
    ],
    ['an empty list', { keyStorage: [] }],
    ['an empty nonce', { nonce: '' }],
  ])('is not made with %s', async (_, change) => {
    await expect(createKeyAttestation({ ...attestation, ...change }, provider, times)).rejects.toMatchObject({
      name: 'TypeError',
      code: 'message_refused',
    })
    await expect(
      createKeyAttestation(attestation, provider, { now: NOW, expiresAt: NOW }),
    ).rejects.toMatchObject({ code: 'message_refused' })
  })

  test('travels alone in an attestation proof, with the c_nonce [VCI-W-PRF-07]', async () => {
    const wanted = { by: 'configuration', credentialConfigurationId: 'role_v1' } as const
    const body = makeCredentialRequest({ wanted, proofs: { type: 'attestation', values: [good] } })
    const [proof = '', ...others] = parseCredentialRequest(body).proofs?.values ?? []
    expect(others).toEqual([])
    expect(readKeyAttestation(proof).nonce).toBe(attestation.nonce)
    expect(() =>
      makeCredentialRequest({ wanted, proofs: { type: 'attestation', values: [good, good] } }),
    ).toThrow(expect.objectContaining({ code: 'message_refused' }))
  })
})

describe('verifyKeyAttestation', () => {
  test('returns what is stated, with the bare public keys', async () => {
    const [first = {}] = holders
    const attested_keys = [{ ...first, kid: 'k1', use: 'sig', alg: 'ES256', 'x-own': 1 }]
    const extra = {
      attested_keys,
      iss: 'https://provider.example',
      certification: 'https://c.example',
      foo: 1,
    }
    expect(verifyKeyAttestation(await resigned({ payload: extra }), expected, NOW)).toEqual({
      attestedKeys: [{ ...first, kid: 'k1' }],
      nonce: attestation.nonce,
      keyStorage: ['iso_18045_moderate'],
      certification: 'https://c.example',
    })
  })

  const defects: readonly (readonly [string, { header?: JsonObject; payload?: JsonObject }])[] = [
    ['another typ', { header: { typ: 'keyattestation+jwt' } }],
    ['typ with application/', { header: { typ: 'application/key-attestation+jwt' } }],
    ['iat that is null', { payload: { iat: null } }],
    ['iat ahead', { payload: { iat: NOW + 61 } }],
    ['iat as a text', { payload: { iat: String(NOW) } }],
    ['no keys', { payload: { attested_keys: [] } }],
    ['keys that are no list', { payload: { attested_keys: {} } }],
    ['a key that is none', { payload: { attested_keys: [{ kty: 'EC' }] } }],
    ['a private key', { payload: { attested_keys: [generatePrivateJwk('ES256')] } }],
    ['a symmetric key', { payload: { attested_keys: [{ kty: 'oct', k: 'AAAA' }] } }],
    ['an exp that is over', { payload: { exp: NOW - 60 } }],
    ['an exp in milliseconds', { payload: { exp: (NOW + 300) * 1000 } }],
    ['a nonce that is a number', { payload: { nonce: 7 } }],
    ['a status that is a text', { payload: { status: 'good' } }],
  ]
  test.each(defects)('refuses %s [VCI-I-PRF-12]', async (_, change) => {
    const changed = await resigned(change)
    expect(() => verifyKeyAttestation(changed, expected, NOW)).toThrow(refused)
    expect(() => verifyKeyAttestation(changed, { ...expected, expiry: 'optional' }, NOW)).toThrow(refused)
    expect(verifyKeyAttestation(good, expected, NOW).attestedKeys).toHaveLength(3)
  })

  test('refuses a statement that does not say when it was made [VCI-I-PRF-12]', async () => {
    const timeless = await signJws(
      { header: without(header, 'alg'), payload: without(payload, 'iat') },
      provider,
    )
    for (const expiry of ['required', 'optional'] as const) {
      expect(() => verifyKeyAttestation(timeless, { ...expected, expiry }, NOW)).toThrow(refused)
      expect(verifyKeyAttestation(good, { ...expected, expiry }, NOW).nonce).toBe(attestation.nonce)
    }
  })

  test('wants exp inside a jwt proof only, and honours it everywhere [VCI-I-PRF-12]', async () => {
    const endless = await createKeyAttestation(attestation, provider, { now: NOW })
    expect(() => verifyKeyAttestation(endless, expected, NOW)).toThrow(refused)
    expect(verifyKeyAttestation(endless, { ...expected, expiry: 'optional' }, NOW).nonce).toBe(
      attestation.nonce,
    )
    for (const expiry of ['required', 'optional'] as const) {
      expect(verifyKeyAttestation(good, { ...expected, expiry }, NOW + 359).nonce).toBe(attestation.nonce)
      expect(() => verifyKeyAttestation(good, { ...expected, expiry }, NOW + 360)).toThrow(refused)
    }
  })

  test('wants an algorithm of the list, and never a MAC or none [VCI-I-PRF-12]', async () => {
    const strong = await createKeyAttestation(attestation, await providerUnder(root, 'ES384'), times)
    expect(() => verifyKeyAttestation(strong, expected, NOW)).toThrow(refused)
    expect(verifyKeyAttestation(strong, { ...expected, algorithms: ['ES384'] }, NOW).nonce).toBe(
      attestation.nonce,
    )
    for (const alg of ['HS256', 'none']) {
      const [, claims = '', signature = ''] = good.split('.')
      const head = Buffer.from(JSON.stringify({ ...header, alg })).toString('base64url')
      expect(() => verifyKeyAttestation(`${head}.${claims}.${signature}`, expected, NOW)).toThrow(refused)
    }
    const flipped = `${good.slice(0, -6)}${good.endsWith('AAAAAA') ? 'BBBBBB' : 'AAAAAA'}`
    expect(() => verifyKeyAttestation(flipped, expected, NOW)).toThrow(refused)
  })

  test('wants the signer in x5c, below an anchor that is not in it, not self-signed [VCI-I-PRF-13]', async () => {
    const strangers = await createKeyAttestation(attestation, await providerUnder(stranger), times)
    const chain = provider.x5c ?? []
    const selfSigner = createSoftwareSigner(root.privateJwk)
    const bad = [
      strangers,
      await resigned({ header: { x5c: [...chain, derOf(root.pem)] } }),
      await resigned({ header: { x5c: chain.slice(0, 1) } }),
      await resigned({ header: { x5c: [derOf(root.pem)] } }, selfSigner),
      await resigned({ header: { x5c: [] } }),
      await resigned({ header: { x5c: chain.join('') } }),
      await resigned({ header: { x5c: null } }),
      await signJws({ header: without(without(header, 'x5c'), 'alg'), payload }, provider),
      // Neither a kid nor a trust chain of a federation leads to a key here.
      await signJws(
        { header: { typ: 'key-attestation+jwt', kid: 'k1', trust_chain: [good] }, payload },
        provider,
      ),
      await resigned({}, await providerUnder(root)),
    ]
    for (const jwt of bad) expect(() => verifyKeyAttestation(jwt, expected, NOW)).toThrow(refused)
    const trusting = { ...expected, anchors: createAnchors('others', [stranger.pem]) }
    expect(verifyKeyAttestation(strangers, trusting, NOW).nonce).toBe(attestation.nonce)
    expect(() => verifyKeyAttestation(good, expected, NOW + 90_000)).toThrow(refused)
  })

  test('holds the statement against the demand: one accepted value suffices [VCI-I-PRF-15]', async () => {
    const verify = (requirement: object, jwt = good) =>
      verifyKeyAttestation(jwt, { ...expected, requirement }, NOW)
    for (const requirement of [
      {},
      { keyStorage: ['iso_18045_moderate'] },
      { keyStorage: ['iso_18045_high', 'iso_18045_moderate'] },
    ]) {
      expect(verify(requirement).nonce).toBe(attestation.nonce)
    }
    expect(() => verify({ keyStorage: ['iso_18045_high'] })).toThrow(refused)
    expect(() => verify({ userAuthentication: ['iso_18045_basic'] })).toThrow(refused)
    const silent = await createKeyAttestation({ attestedKeys: holders }, provider, times)
    expect(() => verify({ keyStorage: ['iso_18045_moderate'] }, silent)).toThrow(refused)
    expect(verify({}, silent).keyStorage).toBeUndefined()
  })

  test.each(['', 'a.b', 'a.b.c', 'eyJhbGciOiJub25lIn0.e30.', 'x'.repeat(70_000)])(
    'refuses a text that is no JWT',
    (jwt) => {
      expect(() => verifyKeyAttestation(jwt, expected, NOW)).toThrow(refused)
      expect(() => readKeyAttestation(jwt)).toThrow(refused)
    },
  )
})
