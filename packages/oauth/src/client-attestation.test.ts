import { createMemoryStore, type JsonObject, ProtocolError, type Random } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSeal,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  parseJws,
  parsePublicJwk,
  type Signer,
  signJws,
} from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { createChallengeResponse, parseChallengeResponse, spendChallenge } from './attestation-challenge.js'
import { requireBoundKey } from './authorization-request.js'
import {
  type ClientAttestationExpectation,
  createClientAttestation,
  createClientAttestationPop,
  type PresentedClientAttestation,
  rememberPop,
  verifyClientAttestation,
} from './client-attestation.js'
import type { TrustedAttester } from './client-attester.js'
import { CLIENT_AUTHENTICATION_METHODS, refuseSecondAuthentication } from './client-authentication.js'
import { createDpopProof, verifyDpopProof } from './dpop.js'
import { OAUTH_ERRORS, PROTECTED_RESOURCE_ERRORS } from './errors.js'
import { createServerNonces } from './server-nonces.js'

const NOW = 1_790_000_000
const AUDIENCE = 'https://as.example.com'
const PLACE = { tenant: 'default', room: 'issuer' }

let count = 0
const random: Random = (byteCount) => {
  count += 1
  return Uint8Array.from({ length: byteCount }, (_, index) => (count >> (8 * (index % 4))) & 0xff)
}
const newSigner = (options = {}) => createSoftwareSigner(generatePrivateJwk('ES256'), options)

const attester = newSigner()
const instance = newSigner()
const trusted: TrustedAttester = {
  name: 'wallet-provider',
  keys: [parsePublicJwk({ ...attester.publicJwk, kid: attester.kid })],
  issuer: 'https://provider.example',
  clients: [{ startsWith: 'agent-' }],
}
const expected: ClientAttestationExpectation = {
  audience: AUDIENCE,
  attesters: [trusted],
  algorithms: ['ES256'],
  dpopCombined: false,
}
const statement = { clientId: 'agent-17', instanceKey: instance.publicJwk, expiresAt: NOW + 3600 }

const attest = (change = {}, by: Signer = attester) =>
  createClientAttestation({ ...statement, ...change }, by, NOW)
const prove = (change = {}, by: Signer = instance) =>
  createClientAttestationPop({ audience: AUDIENCE, ...change }, by, { now: NOW, random })

async function present(
  change: Partial<PresentedClientAttestation> = {},
): Promise<PresentedClientAttestation> {
  return { attestation: await attest(), pop: await prove(), ...change }
}

function refusalOf(presented: PresentedClientAttestation, change = {}, now = NOW): ProtocolError {
  try {
    verifyClientAttestation(presented, { ...expected, ...change }, now)
  } catch (error) {
    if (error instanceof ProtocolError) return error
  }
  throw new Error('not refused')
}

describe('client attestation', () => {
  test('what the attester and the instance make is accepted by the server [ABCA-A-03] [ABCA-A-04] [ABCA-P-02]', async () => {
    const client = verifyClientAttestation(await present({ clientId: 'agent-17' }), expected, NOW)
    expect(client).toMatchObject({
      clientId: 'agent-17',
      attester: 'wallet-provider',
      instanceJkt: instance.kid,
    })
    expect(parseJws(await attest()).header).toEqual({
      typ: 'oauth-client-attestation+jwt',
      alg: 'ES256',
      kid: attester.kid,
    })
    expect(parseJws(await attest()).payload['cnf']).toEqual({ jwk: instance.publicJwk })
    expect(parseJws(await prove()).header).toEqual({ typ: 'oauth-client-attestation-pop+jwt', alg: 'ES256' })
  })

  test('a missing header is named, two of one kind are refused [ABCA-A-01] [ABCA-P-01] [VCI-I-WA-01]', async () => {
    const both = await present()
    for (const [change, message] of [
      [{ attestation: null }, 'OAuth-Client-Attestation is missing'],
      [{ pop: undefined }, 'Send a client attestation PoP'],
      [
        { attestation: `${both.attestation}, ${both.attestation}` },
        'exactly one OAuth-Client-Attestation header',
      ],
      [{ pop: `${both.pop}, ${both.pop}` }, 'exactly one OAuth-Client-Attestation-PoP header'],
    ] as const) {
      const refusal = refusalOf({ ...both, ...change })
      expect(refusal.code).toBe('invalid_client')
      expect(refusal.message).toContain(message)
    }
  })

  test('one attestation serves many requests, each with its own proof [ABCA-A-02]', async () => {
    const attestation = await attest()
    for (let round = 0; round < 3; round += 1) {
      expect(
        verifyClientAttestation({ attestation, pop: await prove() }, expected, NOW + round).clientId,
      ).toBe('agent-17')
    }
  })

  test('the attested client is judged, whatever else the expectation carries [ABCA-A-06] [ABCA-A-03]', async () => {
    const speaksForOthers = { ...expected.attesters[0], clients: [{ is: 'agent-99' }] }
    const carried = { attesters: [speaksForOthers], clientId: 'agent-99' }
    expect(refusalOf(await present(), carried).message).toContain('trusted attester')
    expect(verifyClientAttestation(await present(), { ...expected, ...{ typ: 'JWT' } }, NOW).clientId).toBe(
      'agent-17',
    )
  })

  test('an attester speaks for its own clients only [ABCA-A-06]', async () => {
    const foreign = await present({ attestation: await attest({ clientId: 'payroll' }) })
    expect(refusalOf(foreign)).toMatchObject({ code: 'invalid_client' })
    const wide = { ...trusted, clients: 'any' as const }
    expect(verifyClientAttestation(foreign, { ...expected, attesters: [wide] }, NOW).clientId).toBe('payroll')
    expect(refusalOf(await present(), { attesters: [] })).toMatchObject({ code: 'invalid_client' })
    const exact = { ...trusted, clients: [{ is: 'agent-1' }] }
    expect(refusalOf(await present(), { attesters: [exact] })).toMatchObject({ code: 'invalid_client' })
  })

  test('the attester is trusted by a certificate chain to an anchor, not by the chain alone [ABCA-A-06]', async () => {
    const times = { notBefore: NOW - 60, notAfter: NOW + 86_400 }
    const authority = (commonName: string) =>
      createCertificateAuthority(
        { commonName, privateJwk: generatePrivateJwk('ES256'), ...times },
        { random },
      )
    const [root, stranger] = [await authority('Root'), await authority('Stranger')]
    const leafKey = generatePrivateJwk('ES256')
    const { publicJwk } = createSoftwareSigner(leafKey)
    const certificate = { commonName: 'Wallet provider', publicJwk, issuer: root, ...times }
    const { x5c } = await issueCertificate(certificate, { random })
    const presented = await present({ attestation: await attest({}, createSoftwareSigner(leafKey, { x5c })) })
    const by = (pem: string): TrustedAttester => ({
      name: 'by-chain',
      anchors: createAnchors('walletAttesters', [pem]),
      clients: 'any',
    })
    expect(verifyClientAttestation(presented, { ...expected, attesters: [by(root.pem)] }, NOW).attester).toBe(
      'by-chain',
    )
    expect(refusalOf(presented, { attesters: [by(stranger.pem)] })).toMatchObject({ code: 'invalid_client' })
    // A chain is no hindrance where the key itself is trusted, and no help where only chains are.
    const byKey: TrustedAttester = { name: 'by-key', keys: [publicJwk], clients: 'any' }
    expect(verifyClientAttestation(presented, { ...expected, attesters: [byKey] }, NOW).attester).toBe(
      'by-key',
    )
    expect(refusalOf(await present(), { attesters: [by(root.pem)] })).toMatchObject({
      code: 'invalid_client',
    })
  })

  test('drafts 07 to 11: iss may be absent; when present it must match [ABCA-A-04] [ABCA-P-04]', async () => {
    const own = {
      attestation: await attest({ issuer: 'https://provider.example' }),
      pop: await prove({ clientId: 'agent-17' }),
    }
    expect(verifyClientAttestation(own, expected, NOW).claims['iss']).toBe('https://provider.example')
    expect(parseJws(own.pop).payload['iss']).toBe('agent-17')
    expect(parseJws(await prove()).payload).not.toHaveProperty('iss')
    expect(refusalOf({ ...own, attestation: await attest({ issuer: 'https://other.example' }) }).code).toBe(
      'invalid_client',
    )
    expect(refusalOf({ ...own, pop: await prove({ clientId: 'agent-18' }) }).code).toBe('invalid_client')
  })

  test('an expired attestation is refused, within a minute of skew it is not [ABCA-A-08]', async () => {
    const presented = await present({ attestation: await attest({ expiresAt: NOW - 59 }) })
    expect(verifyClientAttestation(presented, expected, NOW).clientId).toBe('agent-17')
    const expired = await present({ attestation: await attest({ expiresAt: NOW - 60 }) })
    expect(refusalOf(expired).code).toBe('invalid_client')
  })

  test('one older than the policy allows is answered with use_fresh_attestation [ABCA-A-09] [VCI-I-WA-09]', async () => {
    const attestation = await attest()
    const at = async (now: number) => ({
      attestation,
      pop: await createClientAttestationPop({ audience: AUDIENCE }, instance, { now, random }),
    })
    const policy = { maxAttestationAgeSeconds: 600 }
    const later = NOW + 600
    expect(verifyClientAttestation(await at(later), { ...expected, ...policy }, later).clientId).toBe(
      'agent-17',
    )
    expect(refusalOf(await at(later + 1), policy, later + 1).code).toBe('use_fresh_attestation')
  })

  test('a second method beside the attestation is refused, whoever it names [ABCA-A-10]', () => {
    const none = { form: new Map([['client_id', 'agent-17']]), authorization: null }
    expect(() => refuseSecondAuthentication(none)).not.toThrow()
    for (const second of [
      { ...none, form: new Map([['client_assertion', 'eyJ']]) },
      { ...none, form: new Map([['client_secret', 's']]) },
      { ...none, authorization: 'Basic YTpi' },
    ]) {
      expect(() => refuseSecondAuthentication(second)).toThrow(
        expect.objectContaining({ code: 'invalid_client' }),
      )
    }
  })

  test('client_id, when sent, is the attested client [ABCA-A-11]', async () => {
    expect(refusalOf(await present({ clientId: 'agent-18' })).code).toBe('invalid_client')
  })

  test('the old attestation does not cover a new key [ABCA-M-04] [ABCA-P-05]', async () => {
    const rotated = newSigner()
    expect(refusalOf(await present({ pop: await prove({}, rotated) })).code).toBe('invalid_client')
    const renewed = await attest({ instanceKey: rotated.publicJwk })
    expect(
      verifyClientAttestation({ attestation: renewed, pop: await prove({}, rotated) }, expected, NOW)
        .instanceJkt,
    ).toBe(rotated.kid)
  })

  test('a refresh token stays with the instance it was issued to, not with the client [ABCA-M-02]', async () => {
    const second = newSigner()
    const attestation = await attest({ instanceKey: second.publicJwk })
    const [first, other] = [
      verifyClientAttestation(await present(), expected, NOW),
      verifyClientAttestation({ attestation, pop: await prove({}, second) }, expected, NOW),
    ]
    expect(other.clientId).toBe(first.clientId)
    expect(() => requireBoundKey(first.instanceJkt, first.instanceJkt)).not.toThrow()
    expect(() => requireBoundKey(first.instanceJkt, other.instanceJkt)).toThrow(
      expect.objectContaining({ code: 'invalid_grant' }),
    )
  })

  const attestationMembers: readonly (readonly [string, JsonObject])[] = [
    ['no sub', { sub: null }],
    ['an empty sub', { sub: '' }],
    ['no exp', { exp: null }],
    ['exp in milliseconds', { exp: (NOW + 60) * 1000 }],
    ['nbf far ahead', { nbf: NOW + 61 }],
    ['iat far ahead', { iat: NOW + 61 }],
    ['no cnf', { cnf: null }],
    ['cnf without a jwk', { cnf: { jkt: 'x' } }],
    ['cnf with a private key', { cnf: { jwk: { ...instance.publicJwk, d: 'AA' } } }],
    ['cnf with a secret key', { cnf: { jwk: { kty: 'oct', k: 'AA' } } }],
    ['another iss', { iss: 'https://other.example' }],
  ]
  test.each(attestationMembers)(
    'an attestation with %s is refused, alone of all members [VCI-I-WA-02] [ABCA-A-07]',
    async (_, change) => {
      const { header, payload } = parseJws(await attest({ issuer: 'https://provider.example' }))
      const tolerated = { ...payload, nbf: NOW + 10, unknown: { a: 1 } }
      const good = await signJws({ header, payload: tolerated }, attester)
      expect(verifyClientAttestation(await present({ attestation: good }), expected, NOW).clientId).toBe(
        'agent-17',
      )
      const bad = await signJws({ header, payload: { ...tolerated, ...change } }, attester)
      expect(refusalOf(await present({ attestation: bad })).code).toBe('invalid_client')
      const wide = { attesters: [{ ...trusted, clients: 'any' as const }] }
      expect(refusalOf(await present({ attestation: bad }), wide).code).toBe('invalid_client')
    },
  )

  test('neither JWT is taken with none, a MAC or an algorithm that is not listed [ABCA-A-05] [ABCA-P-03] [VCI-I-WA-05]', async () => {
    const presented = await present()
    const relabel = (text: string | null | undefined, change: object) => {
      const [head = '', body = '', signature = ''] = (text ?? '').split('.')
      const header: unknown = JSON.parse(Buffer.from(head, 'base64url').toString())
      return `${Buffer.from(JSON.stringify(Object.assign({}, header, change))).toString('base64url')}.${body}.${signature}`
    }
    for (const change of [
      { alg: 'none' },
      { alg: 'HS256' },
      { alg: 'ES384' },
      { typ: 'JWT' },
      { crit: ['a'] },
    ]) {
      const [attestation, pop] = [relabel(presented.attestation, change), relabel(presented.pop, change)]
      expect(refusalOf({ ...presented, attestation }).code).toBe('invalid_client')
      expect(refusalOf({ ...presented, pop }).code).toBe('invalid_client')
    }
    const ed25519 = createSoftwareSigner(generatePrivateJwk('EdDSA'))
    const attestation = await attest({ instanceKey: ed25519.publicJwk })
    const foreign = await present({ attestation, pop: await prove({}, ed25519) })
    expect(refusalOf(foreign).code).toBe('invalid_client')
    const policy = { ...expected, algorithms: ['ES256', 'EdDSA'] as const }
    expect(verifyClientAttestation(foreign, policy, NOW).instanceJkt).toBe(ed25519.kid)
  })

  test('wrong audience, issuer, key or client each fail; three PoPs have three jti [VCI-I-WA-04] [VCI-W-WA-05]', async () => {
    for (const change of [
      { pop: await prove({ audience: `${AUDIENCE}/token` }) },
      { pop: await prove({ clientId: 'agent-18' }) },
      { pop: await prove({}, attester) },
      { clientId: 'agent-18' },
    ]) {
      expect(refusalOf(await present(change)).code).toBe('invalid_client')
    }
    const pops = [
      await prove({ clientId: 'agent-17' }),
      await prove({ clientId: 'agent-17' }),
      await prove({ clientId: 'agent-17' }),
    ]
    const payloads = pops.map((pop) => parseJws(pop).payload)
    expect(new Set(payloads.map(({ jti }) => jti)).size).toBe(3)
    for (const { iss, aud, iat } of payloads)
      expect({ iss, aud, iat }).toEqual({ iss: 'agent-17', aud: AUDIENCE, iat: NOW })
  })

  test('a clock eight seconds ahead is fine, one that is a minute ahead or ten minutes behind is not [VCI-I-WA-06]', async () => {
    const at = (now: number) => createClientAttestationPop({ audience: AUDIENCE }, instance, { now, random })
    expect(verifyClientAttestation(await present({ pop: await at(NOW + 8) }), expected, NOW).clientId).toBe(
      'agent-17',
    )
    for (const now of [NOW + 61, NOW - 600]) {
      expect(refusalOf(await present({ pop: await at(now) })).code).toBe('invalid_client')
    }
  })

  const popMembers: readonly (readonly [string, JsonObject])[] = [
    ['aud of the token endpoint', { aud: 'https://as.example.com/token' }],
    ['two audiences', { aud: [AUDIENCE, 'https://other.example'] }],
    ['an empty jti', { jti: '' }],
    ['a long jti', { jti: 'a'.repeat(257) }],
    ['iat as a text', { iat: String(NOW) }],
    ['iat in the future', { iat: NOW + 11 }],
    ['iat too old', { iat: NOW - 61 }],
    ['an exp that has passed', { exp: NOW - 3600 }],
    ['an nbf far ahead', { nbf: NOW + 3600 }],
  ]
  test.each(popMembers)(
    'a PoP with %s is refused, alone of all members [ABCA-P-04] [ABCA-P-06] [ABCA-P-07]',
    async (_, change) => {
      const payload = { aud: AUDIENCE, jti: 'a', iat: NOW }
      const header = { typ: 'oauth-client-attestation-pop+jwt' }
      const good = await signJws({ header, payload: { ...payload, unknown: 1 } }, instance)
      expect(verifyClientAttestation(await present({ pop: good }), expected, NOW).clientId).toBe('agent-17')
      const bad = await signJws({ header, payload: { ...payload, ...change } }, instance)
      expect(refusalOf(await present({ pop: bad })).code).toBe('invalid_client')
    },
  )

  test('our PoP also says when it ends, for servers of an older draft', async () => {
    expect(parseJws(await prove()).payload).toMatchObject({ iat: NOW, exp: NOW + 300 })
  })

  test('one array element is one audience [ABCA-P-06]', async () => {
    const payload = { aud: [AUDIENCE], jti: 'a', iat: NOW }
    const pop = await signJws({ header: { typ: 'oauth-client-attestation-pop+jwt' }, payload }, instance)
    expect(verifyClientAttestation(await present({ pop }), expected, NOW).clientId).toBe('agent-17')
  })

  test('of 20 parallel copies of one PoP, one is let in [ABCA-P-08]', async () => {
    const store = createMemoryStore({ clock: () => NOW })
    const { pop } = verifyClientAttestation(await present(), expected, NOW)
    if (pop === undefined) throw new Error('no PoP')
    const wins = await Promise.all(Array.from({ length: 20 }, () => store.commit([rememberPop(pop, PLACE)])))
    expect(wins.filter(Boolean)).toHaveLength(1)
    expect(pop.expiresAt).toBe(NOW + 70)
  })
})

const seal = createSeal([{ id: 'k1', key: new Uint8Array(32).fill(3) }], { random })
const challenges = createServerNonces({ use: 'attestation-challenge', server: AUDIENCE }, { seal, random })
const dpopNonces = createServerNonces({ use: 'dpop-nonce', server: AUDIENCE }, { seal, random })

describe('attestation challenges', () => {
  test('come from the endpoint uncached, with a DPoP nonce where the server uses them [ABCA-C-02]', () => {
    const { body, headers } = createChallengeResponse({ challenges, dpopNonces }, NOW)
    expect(Object.keys(body)).toEqual(['attestation_challenge'])
    expect(challenges.open(parseChallengeResponse(body), NOW)).toBeDefined()
    expect(headers['Cache-Control']).toBe('no-store')
    expect(dpopNonces.open(headers['DPoP-Nonce'] ?? '', NOW)).toBeDefined()
    expect(createChallengeResponse({ challenges }, NOW).headers).not.toHaveProperty('DPoP-Nonce')
    expect(() => parseChallengeResponse({})).toThrow(expect.objectContaining({ code: 'answer_malformed' }))
  })

  test('missing or wrong ones are answered with a fresh one, which then works [ABCA-C-05]', async () => {
    const wrong = await present({ pop: await prove({ challenge: dpopNonces.issue(NOW) }) })
    for (const presented of [await present(), wrong]) {
      const { code, headers } = refusalOf(presented, { challenges })
      expect(code).toBe('use_attestation_challenge')
      expect(OAUTH_ERRORS.use_attestation_challenge).toBe(400)
      expect(PROTECTED_RESOURCE_ERRORS.use_attestation_challenge).toBe(401)
      const challenge = headers['OAuth-Client-Attestation-Challenge']
      const retry = await present({ pop: await prove({ challenge }) })
      expect(verifyClientAttestation(retry, { ...expected, challenges }, NOW).clientId).toBe('agent-17')
    }
  })

  test('live five minutes, hold 128 bits and can be spent once [ABCA-C-04]', async () => {
    const challenge = challenges.issue(NOW)
    const opened = challenges.open(challenge, NOW)
    if (opened === undefined) throw new Error('not ours')
    expect(opened.id).toHaveLength(22)
    expect(challenges.open(challenge, NOW + 300)).toBeUndefined()
    const store = createMemoryStore({ clock: () => NOW })
    const step = spendChallenge(opened, PLACE)
    expect([await store.commit([step]), await store.commit([step])]).toEqual([true, false])
  })
})

describe('combined mode', () => {
  const dpopBy = async (by: Signer) => {
    const request = { method: 'POST', url: 'https://as.example.com/token' }
    const proof = await createDpopProof(request, by, { now: NOW, random })
    return verifyDpopProof(proof, { ...request, algorithms: ['ES256'] }, NOW)
  }

  test('a DPoP proof with the attested key stands in for the PoP, where that is offered [ABCA-D-01] [ABCA-D-02] [ABCA-D-04]', async () => {
    const presented = { attestation: await attest(), pop: null, dpop: await dpopBy(instance) }
    const client = verifyClientAttestation(presented, { ...expected, dpopCombined: true }, NOW)
    expect(client.clientId).toBe('agent-17')
    expect(client.pop).toBeUndefined()
    expect(refusalOf(presented).code).toBe('invalid_client')
    const other = { ...presented, dpop: await dpopBy(newSigner()) }
    expect(refusalOf(other, { dpopCombined: true }).code).toBe('invalid_client')
    expect(refusalOf({ ...presented, dpop: undefined }, { dpopCombined: true }).code).toBe('invalid_client')
  })

  test('a PoP that is there is verified, and the DPoP key may differ [ABCA-D-05]', async () => {
    const presented = await present({ dpop: await dpopBy(newSigner()) })
    expect(verifyClientAttestation(presented, { ...expected, dpopCombined: true }, NOW).pop).toBeDefined()
    const broken = await present({ pop: 'x', dpop: await dpopBy(instance) })
    expect(refusalOf(broken, { dpopCombined: true }).code).toBe('invalid_client')
  })

  test('the attestation challenge is not asked for; the DPoP nonce keeps it fresh [ABCA-D-03]', async () => {
    const presented = { attestation: await attest(), pop: null, dpop: await dpopBy(instance) }
    const policy = { ...expected, dpopCombined: true, challenges }
    expect(verifyClientAttestation(presented, policy, NOW).clientId).toBe('agent-17')
  })
})

test('the error table and the method names are those of the draft [ABCA-E-01] [ABCA-M-01]', () => {
  expect(OAUTH_ERRORS).toMatchObject({
    use_attestation_challenge: 400,
    use_fresh_attestation: 400,
    invalid_client_attestation: 400,
    invalid_client: 401,
  })
  expect(CLIENT_AUTHENTICATION_METHODS).toMatchObject({
    attestation: 'attest_jwt_client_auth',
    attestationWithDpop: 'attest_jwt_client_auth_dpop',
  })
})
