import { type JsonObject, systemRandom } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  parseJws,
  type Signer,
  signJws,
  verifyCertificateChain,
  verifyJws,
} from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { makeIssuerMetadata, parseIssuerMetadata } from './issuer-metadata.js'
import { createSignedMetadata, verifySignedMetadata } from './signed-metadata.js'

const NOW = 1_790_000_000
const ISSUER = 'https://issuer.example/acme'
const validity = { notBefore: NOW - 3600, notAfter: NOW + 86_400 }
const deps = { random: systemRandom }
const authority = (commonName: string) =>
  createCertificateAuthority({ commonName, privateJwk: generatePrivateJwk('ES256'), ...validity }, deps)
const root = await authority('Metadata Root')
const stranger = await authority('Stranger Root')
const derOf = (pem: string) => pem.replace(/-----[A-Z ]+-----|\s/g, '')

async function signerUnder(issuer: typeof root, alg: 'ES256' | 'ES384' = 'ES256'): Promise<Signer> {
  const privateJwk = generatePrivateJwk(alg)
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const { x5c } = await issueCertificate({ commonName: 'Issuer', publicJwk, issuer, ...validity }, deps)
  return createSoftwareSigner(privateJwk, { x5c })
}

const signer = await signerUnder(root)
const times = { now: NOW, expiresAt: NOW + 3600 }
const plain = makeIssuerMetadata({
  credentialIssuer: ISSUER,
  credentialEndpoint: `${ISSUER}/credential`,
  nonceEndpoint: `${ISSUER}/nonce`,
  credentialConfigurations: new Map([['role_v1', { vct: 'urn:example:role', scope: 'urn:s' }]]),
})
const good = await createSignedMetadata(plain, signer, times)
const expected = {
  credentialIssuer: ISSUER,
  anchors: createAnchors('issuerMetadata', [root.pem]),
  algorithms: ['ES256'] as const,
}
const refused = expect.objectContaining({ name: 'ProtocolError', code: 'metadata_signature' })

function resigned(change: { header?: JsonObject; payload?: JsonObject }, by = signer): Promise<string> {
  const { header, payload } = parseJws(good)
  const { alg: _, ...kept } = header
  return signJws({ header: { ...kept, ...change.header }, payload: { ...payload, ...change.payload } }, by)
}

describe('createSignedMetadata', () => {
  test('says every parameter as a claim, signed with the leaf in x5c [VCI-I-META-23]', () => {
    const jws = parseJws(good)
    expect(jws.header).toEqual({ typ: 'openidvci-issuer-metadata+jwt', alg: 'ES256', x5c: signer.x5c })
    const { iss, sub, iat, exp, ...parameters } = jws.payload
    expect(parameters).toEqual(plain)
    expect({ iss, sub, iat, exp }).toEqual({ iss: undefined, sub: ISSUER, iat: NOW, exp: NOW + 3600 })
    const { leafKey: key } = verifyCertificateChain(signer.x5c ?? [], { anchors: expected.anchors, now: NOW })
    expect(() =>
      verifyJws(jws, { typ: 'openidvci-issuer-metadata+jwt', algorithms: ['ES256'], key }),
    ).not.toThrow()
  })

  test('sends a chain that leads to the anchor without bringing it [VCI-I-META-24]', async () => {
    const { leafKey } = verifyCertificateChain(signer.x5c ?? [], { anchors: expected.anchors, now: NOW })
    expect(leafKey).toMatchObject({ x: signer.publicJwk.x })
    expect(parseJws(good).header['x5c']).not.toContain(derOf(root.pem))
    const withAnchor = { ...signer, x5c: [...(signer.x5c ?? []), derOf(root.pem)] }
    await expect(createSignedMetadata(plain, withAnchor, times)).rejects.toMatchObject({ code: 'x5c_anchor' })
    const byItself: Signer = { ...createSoftwareSigner(root.privateJwk), x5c: [derOf(root.pem)] }
    await expect(createSignedMetadata(plain, byItself, times)).rejects.toMatchObject({ code: 'self_signed' })
    const chainless = createSoftwareSigner(generatePrivateJwk('ES256'))
    await expect(createSignedMetadata(plain, chainless, times)).rejects.toMatchObject({
      code: 'x5c_malformed',
    })
  })

  test('does not sign what a wallet would refuse', async () => {
    const { credential_endpoint: _, ...incomplete } = plain
    for (const document of [incomplete, {}, { ...plain, credential_issuer: 'http://issuer.example' }]) {
      await expect(createSignedMetadata(document, signer, times)).rejects.toMatchObject({
        name: 'TypeError',
        code: 'message_refused',
      })
    }
    await expect(createSignedMetadata(plain, signer, { now: NOW, expiresAt: NOW })).rejects.toMatchObject({
      code: 'message_refused',
    })
  })
})

describe('verifySignedMetadata', () => {
  test('reads what the unsigned form says', async () => {
    const read = verifySignedMetadata(good, expected, NOW)
    expect(read).toEqual(parseIssuerMetadata(plain, { credentialIssuer: ISSUER }))
    const endless = await createSignedMetadata(plain, signer, { now: NOW })
    expect(verifySignedMetadata(endless, expected, NOW)).toEqual(read)
    const named = await resigned({ payload: { iss: 'https://signer.example' } })
    expect(verifySignedMetadata(named, expected, NOW)).toEqual(read)
  })

  test.each([
    ['another typ', { header: { typ: 'JWT' } }],
    ['a typ with application/', { header: { typ: 'application/openidvci-issuer-metadata+jwt' } }],
    ['another sub', { payload: { sub: `${ISSUER}/` } }],
    ['no sub', { payload: { sub: null } }],
    ['iat as a text', { payload: { iat: String(NOW) } }],
    ['iat ahead', { payload: { iat: NOW + 61 } }],
    ['an exp that is over', { payload: { exp: NOW - 60 } }],
    ['no chain', { header: { x5c: [] } }],
    ['a chain that is no list', { header: { x5c: 'AAAA' } }],
    ['the anchor in its chain', { header: { x5c: [...(signer.x5c ?? []), derOf(root.pem)] } }],
  ])('refuses %s [VCI-W-META-07]', async (_, change) => {
    const bad = await resigned(change)
    expect(() => verifySignedMetadata(bad, expected, NOW)).toThrow(refused)
    expect(verifySignedMetadata(good, expected, NOW).credentialIssuer).toBe(ISSUER)
  })

  test('refuses a signer nobody trusts, another algorithm, and a signature that does not hold [VCI-W-META-07]', async () => {
    const strangers = await createSignedMetadata(plain, await signerUnder(stranger), times)
    const strong = await createSignedMetadata(plain, await signerUnder(root, 'ES384'), times)
    const byItself = createSoftwareSigner(root.privateJwk)
    const [head = '', claims = ''] = good.split('.')
    const unsigned = `${Buffer.from('{"alg":"none","typ":"openidvci-issuer-metadata+jwt"}').toString('base64url')}.${claims}.`
    const withoutIat = await signJws(
      {
        header: { typ: 'openidvci-issuer-metadata+jwt', x5c: signer.x5c ?? [] },
        payload: { ...plain, sub: ISSUER },
      },
      signer,
    )
    const bad = [
      strangers,
      strong,
      await resigned({}, await signerUnder(root)),
      await resigned({ header: { x5c: [derOf(root.pem)] } }, byItself),
      `${head}.${claims}.${'A'.repeat(86)}`,
      unsigned,
      withoutIat,
      '',
      JSON.stringify(plain),
      `${'x'.repeat(300_000)}.x.x`,
    ]
    for (const jwt of bad) expect(() => verifySignedMetadata(jwt, expected, NOW)).toThrow(refused)
    expect(verifySignedMetadata(strong, { ...expected, algorithms: ['ES384'] }, NOW).credentialIssuer).toBe(
      ISSUER,
    )
    const anchors = createAnchors('others', [stranger.pem])
    expect(verifySignedMetadata(strangers, { ...expected, anchors }, NOW).credentialIssuer).toBe(ISSUER)
  })

  test('what is signed is still metadata, and of this issuer', async () => {
    const other = await resigned({ payload: { credential_issuer: 'https://other.example' } })
    expect(() => verifySignedMetadata(other, expected, NOW)).toThrow(
      expect.objectContaining({ code: 'issuer_mismatch' }),
    )
    const broken = await resigned({ payload: { credential_endpoint: 'http://issuer.example' } })
    expect(() => verifySignedMetadata(broken, expected, NOW)).toThrow(
      expect.objectContaining({ code: 'metadata' }),
    )
  })
})
