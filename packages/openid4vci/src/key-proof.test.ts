import { type JsonObject, systemRandom, VerificationError } from '@attache/core'
import {
  bareJwk,
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  jwkThumbprint,
  parseJws,
  parsePublicJwk,
  type Signer,
  signJws,
} from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { createKeyAttestation } from './key-attestation.js'
import { createKeyProof, type ExpectedKeyProof, type KeyProofFacts, verifyKeyProof } from './key-proof.js'

const NOW = 1_790_000_000
const ISSUER = 'https://issuer.example/acme'
const NONCE = 'VKfHyjmBrBl0jXf9Y17Ihnh3'
const CLIENT = 'https://agents.example/wallet/v1'

const holder = createSoftwareSigner(generatePrivateJwk('ES256'))
const other = createSoftwareSigner(generatePrivateJwk('ES256'))
const facts: KeyProofFacts = { audience: ISSUER, nonce: NONCE, clientId: CLIENT }
const expected: ExpectedKeyProof = {
  audience: ISSUER,
  algorithms: ['ES256'],
  maxAgeSeconds: 300,
  nonce: 'required',
  clientId: CLIENT,
}
const refused = expect.objectContaining({ name: 'ProtocolError', code: 'invalid_proof' })
const good = await createKeyProof(facts, holder, NOW)

const validity = { notBefore: NOW - 3600, notAfter: NOW + 86_400 }
const deps = { random: systemRandom }
const root = await createCertificateAuthority(
  { commonName: 'Provider Root', privateJwk: generatePrivateJwk('ES256'), ...validity },
  deps,
)
const providerJwk = generatePrivateJwk('ES256')
const { publicJwk: providerKey } = createSoftwareSigner(providerJwk)
const provider = createSoftwareSigner(providerJwk, {
  x5c: (
    await issueCertificate(
      { commonName: 'Provider', publicJwk: providerKey, issuer: root, ...validity },
      deps,
    )
  ).x5c,
})
const attest = (keys: readonly Signer[], nonce: string | undefined = NONCE, expiresAt = NOW + 300) =>
  createKeyAttestation({ attestedKeys: keys.map((each) => each.publicJwk), nonce }, provider, {
    now: NOW,
    expiresAt,
  })
const attesting: ExpectedKeyProof = {
  ...expected,
  keyAttestation: {
    anchors: createAnchors('keyAttesters', [root.pem]),
    algorithms: ['ES256'],
    demanded: true,
  },
}

/** A proof with any header and payload, signed with the holder's key unless said otherwise. */
function signed(change: { header?: JsonObject; payload?: JsonObject }, signer = holder): Promise<string> {
  const header = change.header ?? { typ: 'openid4vci-proof+jwt', jwk: { ...holder.publicJwk } }
  const payload = { iss: CLIENT, aud: ISSUER, iat: NOW, nonce: NONCE, ...change.payload }
  return signJws({ header, payload }, signer)
}
const proofHeader = (members: JsonObject): JsonObject => ({ typ: 'openid4vci-proof+jwt', ...members })
const jwk: JsonObject = { ...holder.publicJwk }

describe('createKeyProof', () => {
  test('says the issuer, the time and the nonce, and shows the bare public key [VCI-W-PRF-02]', () => {
    const { header, payload } = parseJws(good)
    expect(header).toEqual({
      typ: 'openid4vci-proof+jwt',
      alg: 'ES256',
      jwk: { ...bareJwk(holder.publicJwk) },
    })
    expect(payload).toEqual({ iss: CLIENT, aud: ISSUER, iat: NOW, nonce: NONCE })
    expect(payload['aud']).toBe(ISSUER)
  })

  test('leaves the nonce out where the issuer has no nonce endpoint, never empty [VCI-W-PRF-02]', async () => {
    const { payload } = parseJws(await createKeyProof({ audience: ISSUER }, holder, NOW))
    expect(payload).toEqual({ aud: ISSUER, iat: NOW })
    await expect(createKeyProof({ ...facts, nonce: '' }, holder, NOW)).rejects.toMatchObject({
      code: 'message_refused',
    })
    for (const audience of ['http://issuer.example', 'issuer', '']) {
      await expect(createKeyProof({ ...facts, audience }, holder, NOW)).rejects.toMatchObject({
        code: 'message_refused',
      })
    }
  })

  test('names the client, and nobody after anonymous access [VCI-W-PRF-03]', async () => {
    expect(parseJws(good).payload['iss']).toBe(CLIENT)
    const { payload } = parseJws(await createKeyProof({ ...facts, clientId: undefined }, holder, NOW))
    expect(Object.hasOwn(payload, 'iss')).toBe(false)
  })

  test('carries only an attestation that expires, answers its nonce and lists its key [VCI-W-PRF-06]', async () => {
    const keyAttestation = await attest([other, holder])
    const proof = parseJws(await createKeyProof({ ...facts, keyAttestation }, holder, NOW))
    expect(proof.header['key_attestation']).toBe(keyAttestation)
    const stated = parseJws(keyAttestation).payload
    expect(stated['exp']).toBe(NOW + 300)
    expect(stated['nonce']).toBe(proof.payload['nonce'])
    const endless = await createKeyAttestation({ attestedKeys: [holder.publicJwk], nonce: NONCE }, provider, {
      now: NOW,
    })
    for (const bad of [endless, await attest([holder], 'another'), await attest([other]), 'no.jwt']) {
      await expect(createKeyProof({ ...facts, keyAttestation: bad }, holder, NOW)).rejects.toMatchObject({
        name: 'TypeError',
        code: 'message_refused',
      })
    }
  })
})

describe('verifyKeyProof', () => {
  test('gives the bare key to bind to and the nonce', async () => {
    expect(verifyKeyProof(good, expected, NOW)).toEqual({
      holderKey: bareJwk(holder.publicJwk),
      nonce: NONCE,
    })
    const labelled = await signed({
      header: proofHeader({ jwk: { ...jwk, kid: 'k', alg: 'ES256', 'x-own': 1 } }),
    })
    expect(verifyKeyProof(labelled, expected, NOW).holderKey).toEqual(bareJwk(holder.publicJwk))
  })

  test.each([
    ['another typ', { header: { typ: 'JWT', jwk } }],
    ['a typ in another case', { header: { typ: 'OpenID4VCI-proof+jwt', jwk } }],
    ['a typ with application/', { header: { typ: 'application/openid4vci-proof+jwt', jwk } }],
    ['no typ', { header: { jwk } }],
  ])('refuses %s [VCI-I-PRF-01]', async (_, change) => {
    const bad = await signed(change)
    expect(() => verifyKeyProof(bad, expected, NOW)).toThrow(refused)
    expect(verifyKeyProof(good, expected, NOW).nonce).toBe(NONCE)
  })

  test('accepts the algorithms of the list alone, ES256 among them, never a MAC or none [VCI-I-PRF-01]', async () => {
    expect(verifyKeyProof(good, expected, NOW).nonce).toBe(NONCE)
    const strong = createSoftwareSigner(generatePrivateJwk('ES384'))
    const unlisted = await createKeyProof(facts, strong, NOW)
    expect(() => verifyKeyProof(unlisted, expected, NOW)).toThrow(refused)
    expect(verifyKeyProof(unlisted, { ...expected, algorithms: ['ES256', 'ES384'] }, NOW).nonce).toBe(NONCE)
    const [, claims = '', signature = ''] = good.split('.')
    for (const alg of ['HS256', 'none', 'ES384', 'es256']) {
      const head = Buffer.from(JSON.stringify({ ...proofHeader({ jwk }), alg })).toString('base64url')
      for (const text of [`${head}.${claims}.${signature}`, `${head}.${claims}.`]) {
        expect(() => verifyKeyProof(text, { ...expected, algorithms: ['ES256', 'ES384'] }, NOW)).toThrow(
          refused,
        )
      }
    }
  })

  const named: readonly (readonly [string, JsonObject])[] = [
    ['no key', {}],
    ['two keys', { jwk, kid: 'k1' }],
    ['two keys, one of them null', { jwk, x5c: null }],
    ['a key and a chain', { jwk, x5c: ['AAAA'] }],
    ['a private key', { jwk: { ...jwk, d: 'AAAA' } }],
    ['a symmetric key', { jwk: { kty: 'oct', k: 'AAAA' } }],
    ['a key off its curve', { jwk: { ...jwk, x: jwk['y'] ?? '' } }],
    ['a key of somebody else', { jwk: { ...other.publicJwk } }],
    ['a kid that leads nowhere', { kid: 'did:example:1#key' }],
    ['a chain that no policy judges', { x5c: provider.x5c ?? [] }],
    ['a chain that is none', { x5c: 'AAAA' }],
  ]
  test.each(named)('refuses a header with %s [VCI-I-PRF-02]', async (_, members) => {
    // A private jwk is never signed by our own maker, so this header is put together by hand.
    const input = `${encode(proofHeader({ ...members, alg: 'ES256' }))}.${encode({ aud: ISSUER, iat: NOW, nonce: NONCE })}`
    const signature = Buffer.from(await holder.sign(new TextEncoder().encode(input))).toString('base64url')
    expect(() => verifyKeyProof(`${input}.${signature}`, expected, NOW)).toThrow(refused)
    expect(verifyKeyProof(good, expected, NOW).nonce).toBe(NONCE)
  })

  test('refuses a flipped bit anywhere in the signature [VCI-I-PRF-02]', () => {
    const [head = '', claims = '', signature = ''] = good.split('.')
    const bytes = Buffer.from(signature, 'base64url')
    for (let at = 0; at < bytes.length; at += 7) {
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ 1
      expect(() =>
        verifyKeyProof(`${head}.${claims}.${flipped.toString('base64url')}`, expected, NOW),
      ).toThrow(refused)
    }
    expect(verifyKeyProof(good, expected, NOW).nonce).toBe(NONCE)
  })

  test('takes the key of a leaf where a policy judges chains [VCI-I-PRF-02]', async () => {
    const proof = await signed({ header: proofHeader({ x5c: provider.x5c ?? [] }) }, provider)
    const leafKey = () => provider.publicJwk
    expect(verifyKeyProof(proof, { ...expected, leafKey }, NOW).holderKey).toEqual(
      bareJwk(provider.publicJwk),
    )
    const judging = () => {
      throw new VerificationError('anchor_not_found', 'Not trusted.')
    }
    expect(() => verifyKeyProof(proof, { ...expected, leafKey: judging }, NOW)).toThrow(refused)
    for (const x5c of [[], [1]]) {
      const bad = await signed({ header: proofHeader({ x5c }) }, provider)
      expect(() => verifyKeyProof(bad, { ...expected, leafKey }, NOW)).toThrow(refused)
    }
  })

  test.each([
    ['the authorization server', 'https://as.example'],
    ['an endpoint', `${ISSUER}/credential`],
    ['the issuer in another spelling', `${ISSUER}/`],
    ['an array', [ISSUER]],
    ['nobody', null],
  ])('refuses aud naming %s [VCI-I-PRF-03]', async (_, aud) => {
    const bad = await signed({ payload: { aud } })
    expect(() => verifyKeyProof(bad, expected, NOW)).toThrow(refused)
    expect(verifyKeyProof(good, expected, NOW).nonce).toBe(NONCE)
  })

  test('takes a proof from its window and none an hour off [VCI-I-PRF-04]', async () => {
    for (const now of [NOW - 60, NOW, NOW + 300]) {
      expect(verifyKeyProof(good, expected, now).nonce).toBe(NONCE)
    }
    for (const now of [NOW - 3600, NOW - 61, NOW + 301, NOW + 3600]) {
      expect(() => verifyKeyProof(good, expected, now)).toThrow(refused)
    }
    for (const iat of [null, String(NOW), NOW * 1000, true]) {
      const bad = await signed({ payload: { iat } })
      expect(() => verifyKeyProof(bad, expected, NOW)).toThrow(refused)
    }
  })

  test('wants a nonce where one is required, and returns it unjudged', async () => {
    const without = await createKeyProof({ ...facts, nonce: undefined }, holder, NOW)
    expect(() => verifyKeyProof(without, expected, NOW)).toThrow(refused)
    expect(verifyKeyProof(without, { ...expected, nonce: 'optional' }, NOW).nonce).toBeUndefined()
    for (const nonce of ['', 7, null]) {
      const bad = await signed({ payload: { nonce } })
      for (const rule of ['required', 'optional'] as const) {
        expect(() => verifyKeyProof(bad, { ...expected, nonce: rule }, NOW)).toThrow(refused)
      }
    }
  })

  test('iss is the client, absent, or forbidden after anonymous access [VCI-I-PRF-06]', async () => {
    const nameless = await createKeyProof({ ...facts, clientId: undefined }, holder, NOW)
    const anonymous = { ...expected, clientId: undefined }
    expect(verifyKeyProof(nameless, expected, NOW).nonce).toBe(NONCE)
    expect(verifyKeyProof(nameless, anonymous, NOW).nonce).toBe(NONCE)
    expect(() => verifyKeyProof(good, anonymous, NOW)).toThrow(refused)
    for (const iss of ['https://other.example', '', null, [CLIENT]]) {
      const bad = await signed({ payload: { iss } })
      expect(() => verifyKeyProof(bad, expected, NOW)).toThrow(refused)
      expect(() => verifyKeyProof(bad, anonymous, NOW)).toThrow(refused)
    }
  })

  test('an attested proof is signed by one of the attested keys [VCI-I-PRF-08]', async () => {
    const keyAttestation = await attest([other, holder])
    const proof = await createKeyProof({ ...facts, keyAttestation }, holder, NOW)
    const verified = verifyKeyProof(proof, attesting, NOW)
    expect(jwkThumbprint(verified.holderKey)).toBe(holder.kid)
    expect(verified.keyAttestation?.attestedKeys.map(jwkThumbprint)).toEqual([other.kid, holder.kid])
    const foreign = await signed({ header: proofHeader({ jwk, key_attestation: await attest([other]) }) })
    expect(() => verifyKeyProof(foreign, attesting, NOW)).toThrow(refused)
  })

  test('a missing, malformed or untrusted attestation fails the proof where one is demanded', async () => {
    expect(() => verifyKeyProof(good, attesting, NOW)).toThrow(refused)
    const rules = attesting.keyAttestation
    const lenient = rules && { ...attesting, keyAttestation: { ...rules, demanded: false } }
    expect(lenient && verifyKeyProof(good, lenient, NOW).keyAttestation).toBeUndefined()
    for (const key_attestation of ['a.b.c', 7, good, null]) {
      const bad = await signed({ header: proofHeader({ jwk, key_attestation }) })
      expect(() => verifyKeyProof(bad, attesting, NOW)).toThrow(refused)
      // Where none is read, it binds nothing and harms nothing.
      expect(verifyKeyProof(bad, expected, NOW).nonce).toBe(NONCE)
    }
  })

  test('a kid names one key of the attestation beside it, or none', async () => {
    const keys = (kids: readonly string[]) =>
      kids.map((kid, index) => ({ ...(index === 0 ? holder : other).publicJwk, kid }))
    const proofOf = async (kids: readonly string[], kid: string) => {
      const attestation = { attestedKeys: keys(kids), nonce: NONCE }
      const key_attestation = await createKeyAttestation(attestation, provider, {
        now: NOW,
        expiresAt: NOW + 300,
      })
      return signed({ header: proofHeader({ kid, key_attestation }) })
    }
    const named = await proofOf(['a', 'b'], 'a')
    expect(verifyKeyProof(named, attesting, NOW).holderKey).toEqual(bareJwk(holder.publicJwk))
    for (const bad of [
      await proofOf(['a', 'b'], 'c'),
      await proofOf(['a', 'a'], 'a'),
      await proofOf(['b', 'a'], 'a'),
    ]) {
      expect(() => verifyKeyProof(bad, attesting, NOW)).toThrow(refused)
    }
  })

  test('verifies the published example of the tables', () => {
    const text =
      'eyJ0eXAiOiJvcGVuaWQ0dmNpLXByb29mK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6IlZ5NkMxdE1iUGpYU3ZsZXNrQjk3a0ljLTNnN0tsR3Q2eUJwN3NKVG9HUFEiLCJ5IjoiVnctdjZZT3h5cWVMUW1takwtbE1pd3kwNXdYcHN2RmVTcTIyZ2VSbG9WOCIsImNydiI6IlAtMjU2In19.eyJhdWQiOiJodHRwczovL2lzc3Vlci5leGFtcGxlL2FjbWUiLCJpYXQiOjE3OTUzMzkyMzQsIm5vbmNlIjoiVktmSHlqbUJyQmwwalhmOVkxN0lobmgzIn0.6VnUOlBolx4KnuAt2wcxPpzRuqn9oY555GdNAzBhF1a2vq7Gb_yUJ74IFF7NVGI1HUqRAY-gG1vMc5cE13mDkA'
    expect(verifyKeyProof(text, expected, 1_795_339_234)).toEqual({
      holderKey: parsePublicJwk({
        kty: 'EC',
        crv: 'P-256',
        x: 'Vy6C1tMbPjXSvleskB97kIc-3g7KlGt6yBp7sJToGPQ',
        y: 'Vw-v6YOxyqeLQmmjL-lMiwy05wXpsvFeSq22geRloV8',
      }),
      nonce: NONCE,
    })
  })

  test.each(['', '.', 'a.b', 'a.b.c', `${good}~`, 'x'.repeat(70_000)])(
    'refuses a text that is no JWT',
    (text) => {
      expect(() => verifyKeyProof(text, expected, NOW)).toThrow(refused)
    },
  )
})

function encode(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
