import { isJsonObject, type JsonObject, parseJson } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  generatePrivateJwk,
  type PublicJwk,
  parsePublicJwk,
  signJws,
} from '@attache/keys'
import { createTestBench } from '@attache/testing'
import { openTrustBundle, signTrustBundle, type TrustedIssuer, type TrustUpdate } from '@attache/verifier'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { encodeJson, type Forgery, forgedFor, judge, only, plainJwk } from '../support/forged-presentation.js'
import {
  API,
  beginChallenge,
  ca,
  call,
  certified,
  createWallet,
  createWorld,
  freshKey,
  ISSUER,
  MANAGERS_IN_EU,
  obtainToken,
  signers,
  VCT,
  type World,
} from '../support/presentation-world.js'
import { createSeededRandom } from '../support/random.js'

const BRANCH = 'https://branch.example'
const branch = await certified('branch.example')
const stranger = await createCertificateAuthority(
  {
    commonName: 'Unknown Authority',
    privateJwk: generatePrivateJwk('ES256'),
    notBefore: NOW - 86_400,
    notAfter: NOW + 86_400,
  },
  { random: createSeededRandom('stranger') },
)
const OURS: TrustedIssuer = { vct: VCT, anchors: [ca.pem], issuer: ISSUER }
const THEIRS: TrustedIssuer = { vct: VCT, anchors: [ca.pem], issuer: BRANCH }
const FROM_BRANCH: Forgery = { issuer: branch, payload: { iss: BRANCH } }
const wallet = await createWallet()
const start = (options: Parameters<typeof createWorld>[0] = {}) =>
  createWorld({ keyBinding: 'not-required', ...options })

const shows = async (world: World, forgery: Forgery = {}) =>
  (await judge(async (request) => only(await forgedFor(request, forgery)), { world })).reason

function lastLine({ lines }: World, event: string): JsonObject {
  const parsed = parseJson(lines.findLast((line) => line.includes(`"${event}"`)) ?? '{}')
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : {}
}

describe('another trust, without a restart', () => {
  test('lets a new issuer count from the next presentation on', async () => {
    const world = start()
    expect(await shows(world, FROM_BRANCH)).toBe('issuer_untrusted')
    world.verifier.reloadTrust({ trustedIssuers: [OURS, THEIRS] })
    expect(await shows(world, FROM_BRANCH)).toBe('accepted')
    expect(await shows(world)).toBe('accepted')
    expect(lastLine(world, 'verifier.trust.reloaded')).toMatchObject({ trust: expect.any(String) })
  })

  test('takes an issuer back, and with it the tokens in use, at the very next call', async () => {
    const world = start()
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const token = await obtainToken(world, wallet)
    const knock = async () => {
      const outcome = await gate(await call(world, token, { dpop: wallet.dpop }))
      return outcome.allowed ? 'allowed' : outcome.response.status
    }
    expect(await knock()).toBe('allowed')
    world.verifier.reloadTrust({ trustedIssuers: [THEIRS] })
    expect(await knock()).toBe(401)
    expect(await shows(world)).toBe('issuer_untrusted')
    world.verifier.reloadTrust({ trustedIssuers: [OURS] })
    expect(await knock()).toBe('allowed')
  })

  test('exchanges attesters; whether there are any is decided at the start', async () => {
    const world = start()
    world.verifier.requirePresentation(MANAGERS_IN_EU)
    expect((await beginChallenge(world, wallet)).answer.status).toBe(401)
    const anchors = createAnchors('others', [stranger.pem])
    world.verifier.reloadTrust({
      trustedIssuers: [OURS],
      walletAttesters: [{ name: 'others', anchors, clients: 'any' }],
    })
    await expect(beginChallenge(world, wallet)).rejects.toThrow()
    expect(() => world.verifier.reloadTrust({ trustedIssuers: [OURS], walletAttesters: [] })).toThrow(
      expect.objectContaining({ code: 'trust_attesters' }),
    )
  })

  const { issuer: _, ...nameless } = { ...OURS, anchors: undefined, keys: [signers.issuer.publicJwk] }
  const fake = createTestBench({ origin: API, vct: VCT })
  test.each<[string, () => Promise<TrustUpdate> | TrustUpdate, string]>([
    ['nobody', () => ({ trustedIssuers: [] }), 'trusted_issuers_empty'],
    [
      'a truncated certificate',
      () => ({ trustedIssuers: [{ ...OURS, anchors: [ca.pem.slice(0, 200)] }] }),
      'anchor_malformed',
    ],
    ['keys of no issuer', () => ({ trustedIssuers: [nameless] }), 'trusted_issuer_malformed'],
    [
      'an issuer without type',
      () => ({ trustedIssuers: [{ ...OURS, vct: [] }] }),
      'trusted_issuer_malformed',
    ],
    ['test keys', async () => ({ trustedIssuers: [(await fake).issuer.trustedIssuer] }), 'unsafe_anchor'],
    ['a version that is no whole number', () => ({ version: 1.5, trustedIssuers: [OURS] }), 'trust_version'],
  ])('refuses %s and keeps the last good one', async (_what, update, code) => {
    const world = start()
    const broken = await update()
    expect(() => world.verifier.reloadTrust(broken)).toThrow(
      expect.objectContaining({ name: 'TypeError', code }),
    )
    expect(lastLine(world, 'verifier.trust.kept')).toMatchObject({ code })
    expect(await shows(world)).toBe('accepted')
  })

  test('never goes back to an older version', async () => {
    const world = start({ trustVersion: 7 })
    const reload = (version?: number) => () =>
      world.verifier.reloadTrust({
        trustedIssuers: [OURS, THEIRS],
        ...(version === undefined ? {} : { version }),
      })
    for (const older of [6, 7, 0, undefined]) {
      expect(reload(older)).toThrow(expect.objectContaining({ code: 'trust_rollback' }))
    }
    expect(await shows(world, FROM_BRANCH)).toBe('issuer_untrusted')
    reload(8)()
    expect(await shows(world, FROM_BRANCH)).toBe('accepted')
    expect(reload(7)).toThrow(expect.objectContaining({ code: 'trust_rollback' }))
    expect(() => start({ trustVersion: -1 })).toThrow(expect.objectContaining({ code: 'trust_version' }))
  })

  test('its version stands in each decision', async () => {
    const world = start({ trustVersion: 7 })
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const token = await obtainToken(world, wallet)
    await gate(await call(world, token, { dpop: wallet.dpop }))
    expect(lastLine(world, 'verifier.gate.allowed')).toMatchObject({ trust: '7' })
    world.verifier.reloadTrust({ version: 8, trustedIssuers: [OURS] })
    await gate(new Request(`${API}/payroll/export`))
    expect(lastLine(world, 'verifier.gate.refused')).toMatchObject({ trust: '8', code: 'token_missing' })
    await shows(world, FROM_BRANCH)
    expect(lastLine(world, 'verifier.credential.refused')).toMatchObject({
      trust: '8',
      reason: 'issuer_untrusted',
    })
  })

  test('under load: no call and no presentation of a lasting issuer fails, none of a removed one passes', async () => {
    const world = start({ trustVersion: 1 })
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const token = await obtainToken(world, wallet)
    let version = 1
    const turns = Array.from({ length: 60 }, async (_turn, at) => {
      const outcome = gate(await call(world, token, { dpop: wallet.dpop }))
      const presented = at % 3 === 0 ? shows(world) : undefined
      version += 1
      const trustedIssuers = at % 2 === 0 ? [OURS, THEIRS] : [OURS]
      if (at % 5 === 4) expect(() => world.verifier.reloadTrust({ version, trustedIssuers: [] })).toThrow()
      else world.verifier.reloadTrust({ version, trustedIssuers })
      if (at % 7 === 6) expect(() => world.verifier.reloadTrust({ version: 1, trustedIssuers })).toThrow()
      return { allowed: (await outcome).allowed, presented: await presented }
    })
    const seen = await Promise.all(turns)
    expect(seen.filter(({ allowed }) => !allowed)).toEqual([])
    expect(
      seen.flatMap(({ presented }) => presented ?? []).filter((reason) => reason !== 'accepted'),
    ).toEqual([])

    world.verifier.reloadTrust({ version: version + 1, trustedIssuers: [OURS] })
    const after = await Promise.all(Array.from({ length: 10 }, () => shows(world, FROM_BRANCH)))
    expect(new Set(after)).toEqual(new Set(['issuer_untrusted']))
  })
})

describe('a trust as one signed text', () => {
  const admin = freshKey()
  const expected = { keys: [freshKey().publicJwk, admin.publicJwk], algorithms: ['ES256'] } as const
  const bundle = {
    version: 8,
    trustedIssuers: [OURS, THEIRS],
    walletAttesters: [{ name: 'wallet', anchors: [ca.pem], clients: 'any' as const }],
  }

  test('counts once it is opened with a key of whoever administers trust', async () => {
    const world = start({ trustVersion: 7 })
    world.verifier.reloadTrust(openTrustBundle(`${await signTrustBundle(bundle, admin)}\n`, expected))
    expect(await shows(world, FROM_BRANCH)).toBe('accepted')
    world.verifier.requirePresentation(MANAGERS_IN_EU)
    expect(await obtainToken(world, wallet)).toMatch(/^ey/)
  })

  test('cut off, changed, signed by another, of another type, or put back: no trust at all', async () => {
    const signed = await signTrustBundle(bundle, admin)
    const [header = '', payload = '', signature = ''] = signed.split('.')
    const opened = (text: string) => () => openTrustBundle(text, expected)
    const changed = encodeJson(JSON.parse(JSON.stringify({ v: 1, ...bundle, version: 9 })))
    const foreign = await signTrustBundle(bundle, freshKey())
    const otherType = await signJws(
      { header: { typ: 'JWT' }, payload: { v: 1, ...JSON.parse(JSON.stringify(bundle)) } },
      admin,
    )
    for (const text of [
      '',
      signed.slice(0, -20),
      `${header}.${payload}.`,
      `${header}.${changed}.${signature}`,
      foreign,
      otherType,
    ]) {
      expect(opened(text)).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'trust_bundle_signature' }),
      )
    }
    const world = start({ trustVersion: 8 })
    expect(() => world.verifier.reloadTrust(opened(signed)())).toThrow(
      expect.objectContaining({ code: 'trust_rollback' }),
    )
    expect(await shows(world, FROM_BRANCH)).toBe('issuer_untrusted')
  })

  test('made for another verifier, or put back over a restart, does not open', async () => {
    const refuses = (text: string, wanted: object, code: string) =>
      expect(() => openTrustBundle(text, { ...expected, ...wanted })).toThrow(
        expect.objectContaining({ name: 'TypeError', code }),
      )
    const ofTests = await signTrustBundle({ ...bundle, audience: 'test' }, admin)
    const ofAnybody = await signTrustBundle(bundle, admin)
    expect(openTrustBundle(ofTests, { ...expected, audience: 'test' }).version).toBe(8)
    refuses(ofTests, { audience: 'production' }, 'trust_bundle_audience')
    refuses(ofTests, {}, 'trust_bundle_audience')
    refuses(ofAnybody, { audience: 'production' }, 'trust_bundle_audience')

    expect(openTrustBundle(ofAnybody, { ...expected, lowestVersion: 8 }).version).toBe(8)
    refuses(ofAnybody, { lowestVersion: 9 }, 'trust_rollback')
  })

  test('with a member nobody knows, or certificates that are none, does not open', async () => {
    const misspelt = { ...bundle, trustedIssuers: [{ ...OURS, anchor: [ca.pem] }] }
    const opened = async (wrong: typeof bundle) =>
      openTrustBundle(await signTrustBundle(wrong, admin), expected)
    await expect(opened(misspelt)).rejects.toMatchObject({
      code: 'trust_bundle',
      message: expect.stringContaining('trustedIssuers.0'),
    })
    const nobody = {
      ...bundle,
      walletAttesters: [{ name: 'wallet', anchors: ['no certificate'], clients: 'any' as const }],
    }
    await expect(opened(nobody)).rejects.toMatchObject({ code: 'anchor_malformed' })
    const { d: _hidden, ...half } = generatePrivateJwk('ES256')
    const secret = { vct: VCT, issuer: BRANCH, keys: [parsePublicJwk(half)] }
    const leaking = {
      ...bundle,
      trustedIssuers: [{ ...secret, keys: secret.keys.map((key) => ({ ...key, d: 'x' })) }],
    }
    await expect(opened(leaking)).rejects.toMatchObject({ code: 'trust_bundle' })
  })
})

describe('a refusal says in the log which list lacked what', () => {
  test('with the subjects and hashes of the chain that was shown, for each issuer that was tried', async () => {
    const unknown = await certified('issuer.example', stranger)
    const world = start({ trustedIssuers: [OURS, { ...OURS, issuer: undefined, requireIssBinding: true }] })
    expect(await shows(world, { issuer: unknown })).toBe('issuer_untrusted')
    const line = lastLine(world, 'verifier.credential.refused')
    expect(line['check']).toBe('issuer_untrusted < anchor_not_found < anchor_not_found')
    expect(line['detail']).toContain(
      'trustedIssuers[0]: The certificate chain ends at no certificate of the list trustedIssuers[0].anchors.',
    )
    expect(line['detail']).toContain(
      'trustedIssuers[1]: The certificate chain ends at no certificate of the list trustedIssuers[1].anchors.',
    )
    expect(line['chain']).toMatch(/^CN=issuer\.example \(sha-256 [\w-]{43}\)$/)
  })

  test('with what else was missing', async () => {
    const world = start()
    await shows(world, FROM_BRANCH)
    expect(lastLine(world, 'verifier.credential.refused')['detail']).toBe(
      'trustedIssuers[0]: The issuer is not trusted here. Add it to the policy.',
    )
    await shows(world, { payload: { vct: `${VCT}/other` } })
    expect(lastLine(world, 'verifier.credential.refused')['check']).toContain('vct')
    await shows(world, { disclosures: [] })
    expect(lastLine(world, 'verifier.credential.refused')).toMatchObject({
      reason: 'claim_missing',
      query: 'role_cred',
    })
  })
})

describe('who counts by which means is configuration', () => {
  const key = freshKey()
  const jwk: PublicJwk = key.publicJwk
  const did = `did:jwk:${encodeJson(plainJwk(key))}`
  const asDid = { issuer: key, header: { kid: `${did}#0` }, payload: { iss: did } }

  test('a DID counts only if it is configured, and nobody is asked about another', async () => {
    const world = start()
    expect(await shows(world, asDid)).toBe('issuer_untrusted')
    const web = {
      issuer: key,
      header: { kid: 'did:web:evil.example#0' },
      payload: { iss: 'did:web:evil.example' },
    }
    expect(await shows(world, web)).toBe('issuer_untrusted')
    expect(world.network.calls).toEqual([])
    world.verifier.reloadTrust({ trustedIssuers: [{ vct: VCT, keys: [jwk], issuer: did }] })
    expect(await shows(world, { issuer: key, payload: { iss: did } })).toBe('accepted')
    expect(await shows(world)).toBe('issuer_untrusted')
  })

  test('a configured did:jwk vouches by itself, and only by its own key', async () => {
    const world = start({ trustedIssuers: [{ vct: VCT, issuer: did, discovery: 'did' }] })
    expect(await shows(world, asDid)).toBe('accepted')
    expect(await shows(world, { ...asDid, header: { kid: '#0' } })).toBe('accepted')
    expect(await shows(world, { ...asDid, issuer: freshKey() })).toBe('issuer_signature_invalid')
    for (const header of [{}, { kid: `${did}#1` }, { kid: 'did:web:evil.example#0' }]) {
      expect(await shows(world, { ...asDid, header })).toBe('issuer_untrusted')
    }
    const other = freshKey()
    const foreign = `did:jwk:${encodeJson(plainJwk(other))}`
    expect(
      await shows(world, { issuer: other, header: { kid: `${foreign}#0` }, payload: { iss: foreign } }),
    ).toBe('issuer_untrusted')
    expect(world.network.calls).toEqual([])
  })

  test('a configured did:web is asked rarely, however many names are made up', async () => {
    const web = 'did:web:branch.example'
    const world = start({ trustedIssuers: [{ vct: VCT, issuer: web, discovery: 'did' }] })
    const method = { id: `${web}#a`, type: 'JsonWebKey', controller: web, publicKeyJwk: plainJwk(key) }
    world.network.serve(BRANCH, async () => Response.json({ id: web, verificationMethod: [method] }))
    const fromWeb = (kid: string, by = key) => ({ issuer: by, header: { kid }, payload: { iss: web } })
    const many = await Promise.all(Array.from({ length: 5 }, () => shows(world, fromWeb('#a'))))
    expect(new Set(many)).toEqual(new Set(['accepted']))
    for (const made of ['#b', '#c', '#d']) expect(await shows(world, fromWeb(made))).toBe('issuer_untrusted')
    expect(world.network.calls.map(({ url }) => url)).toEqual([`${BRANCH}/.well-known/did.json`])
    world.time.advance(11)
    expect(await shows(world, fromWeb('#b'))).toBe('issuer_untrusted')
    expect(await shows(world, fromWeb('#a'))).toBe('accepted')
    expect(world.network.calls).toHaveLength(2)
  })

  test('whoever makes up names cannot keep a did:web issuer from being found', async () => {
    const web = 'did:web:branch.example'
    const trustedIssuers: TrustedIssuer[] = [{ vct: VCT, issuer: web, discovery: 'did' }]
    const world = start({ trustedIssuers, keyBindingMaxAgeSeconds: 3600 })
    const method = { id: `${web}#a`, type: 'JsonWebKey', controller: web, publicKeyJwk: plainJwk(key) }
    world.network.serve(BRANCH, async () => Response.json({ id: web, verificationMethod: [method] }))
    const fromWeb = (kid: string) => ({ issuer: key, header: { kid }, payload: { iss: web } })
    // Always a moment before the issuer's own: when nothing is known yet, and whenever what is known has aged.
    for (let round = 0; round < 3; round += 1) {
      expect(await shows(world, fromWeb('#made-up'))).toBe('issuer_untrusted')
      expect(await shows(world, fromWeb('#a'))).toBe('accepted')
      world.time.advance(301)
    }
    expect(world.network.calls).toHaveLength(3)
    // A document that is not there is asked for rarely too, and an outage passes.
    world.network.serve(BRANCH, async () => new Response(null, { status: 503 }))
    expect(await shows(world, fromWeb('#a'))).toBe('issuer_untrusted')
    expect(await shows(world, fromWeb('#a'))).toBe('issuer_untrusted')
    expect(world.network.calls).toHaveLength(4)
    world.network.serve(BRANCH, async () => Response.json({ id: web, verificationMethod: [method] }))
    world.time.advance(11)
    expect(await shows(world, fromWeb('#a'))).toBe('accepted')
    expect(world.network.calls).toHaveLength(5)
  })

  test.each(['https://branch.example', 'did:key:z6Mk', 'did:web:', 'did:jwk:a b'])(
    '%s cannot be configured as a DID',
    (issuer) => {
      expect(() => start({ trustedIssuers: [{ vct: VCT, issuer, discovery: 'did' }] })).toThrow(
        expect.objectContaining({ code: 'trusted_issuer_malformed' }),
      )
    },
  )

  test('a JWKS issuer keeps its fetched keys over a reload that does not concern it', async () => {
    const jwksUri = `${BRANCH}/jwks`
    const jwks: TrustedIssuer = { vct: VCT, issuer: BRANCH, discovery: { jwksUri } }
    const world = start({ trustedIssuers: [jwks] })
    world.network.serve(BRANCH, async () => Response.json({ keys: [{ ...plainJwk(key), kid: 'a' }] }))
    const fromJwks = { issuer: key, header: { kid: 'a' }, payload: { iss: BRANCH } }
    expect(await shows(world, fromJwks)).toBe('accepted')
    world.verifier.reloadTrust({ trustedIssuers: [jwks, OURS] })
    expect(await shows(world, fromJwks)).toBe('accepted')
    expect(world.network.calls.map(({ url }) => url)).toEqual([jwksUri])
  })

  test('anchors count for their own types and purposes alone', async () => {
    const other = `${ISSUER}/types/other/v1`
    const world = start({
      trustedIssuers: [
        { ...OURS, vct: other },
        { ...THEIRS, anchors: [stranger.pem] },
      ],
    })
    expect(await shows(world)).toBe('issuer_untrusted')
    expect(await shows(world, FROM_BRANCH)).toBe('issuer_untrusted')
  })
})
