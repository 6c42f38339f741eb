import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createCertificateAuthority, issueCertificate } from './certificates.js'
import { issuerMetadataUrl } from './issuer-metadata.js'
import { createJwksCache } from './jwks-cache.js'
import { createIssuerKeys, type IssuerKeys, type IssuerTrust } from './key-resolution.js'
import { generatePrivateJwk } from './private-jwk.js'
import { createSoftwareSigner } from './signer.js'
import { createAnchors } from './x509.js'

type JsonObject = Parameters<IssuerKeys['resolve']>[0]['header']
type KeysDeps = Parameters<typeof createIssuerKeys>[1]
type Log = NonNullable<KeysDeps['log']>
type LogFields = Parameters<Log['info']>[1]

const NOW = 1_790_000_000
const DAY = 86_400
const deps = { random: (byteCount: number) => new Uint8Array(randomBytes(byteCount)) }
const times = { notBefore: NOW - DAY, notAfter: NOW + DAY }

const ISSUER = 'https://hr.acme.example/people'
const METADATA = 'https://hr.acme.example/.well-known/jwt-vc-issuer/people'

const newKey = () => createSoftwareSigner(generatePrivateJwk('ES256')).publicJwk
const [first, second] = [newKey(), newKey()]
const set = (...keys: JsonObject[]) => ({ keys })

interface Answer {
  readonly body: unknown
  readonly status?: number
  readonly type?: string
}

/** A network of fixed answers that counts its calls; an absent answer is an outage. */
function network(answers: Record<string, Answer | undefined>) {
  const calls: string[] = []
  const fetch: KeysDeps['fetch'] = async (url) => {
    calls.push(url)
    const answer = answers[url]
    if (answer === undefined) throw new Error('unreachable')
    const headers = { 'content-type': answer.type ?? 'application/json' }
    return new Response(JSON.stringify(answer.body), { status: answer.status ?? 200, headers })
  }
  return { fetch, calls, answers }
}

const pin = (trust: IssuerTrust) => ({ issuers: { [ISSUER]: trust } })
const token = (header: JsonObject, now = NOW, issuer: string | undefined = ISSUER) => ({
  header: { alg: 'ES256', ...header },
  issuer,
  now,
})
const refusal = (code: string) => expect.objectContaining({ code })

const root = await createCertificateAuthority(
  { commonName: 'Root', privateJwk: generatePrivateJwk('ES256'), ...times },
  deps,
)
const certify = async (names: { dnsNames?: string[]; uris?: string[] }) =>
  (await issueCertificate({ commonName: 'Acme', publicJwk: first, issuer: root, ...names, ...times }, deps))
    .x5c
const anchors = createAnchors('trust.issuers', [root.pem])
const x5c = await certify({ uris: [ISSUER] })

describe('issuerMetadataUrl', () => {
  test('inserts the well-known segment before the path [VC-K-03]', () => {
    expect(issuerMetadataUrl('https://example.com')).toBe('https://example.com/.well-known/jwt-vc-issuer')
    expect(issuerMetadataUrl('https://example.com/tenant/1234')).toBe(
      'https://example.com/.well-known/jwt-vc-issuer/tenant/1234',
    )
    expect(issuerMetadataUrl('https://h/t/')).toBe('https://h/.well-known/jwt-vc-issuer/t')
    expect(issuerMetadataUrl('https://h/')).toBe('https://h/.well-known/jwt-vc-issuer')
    for (const bad of [
      'http://h',
      'https://h?x=1',
      'https://h/#x',
      'https://h/?',
      'https://u:p@h',
      'h',
      'did:x:1',
    ]) {
      expect(() => issuerMetadataUrl(bad)).toThrow(refusal('issuer_identifier_invalid'))
    }
  })
})

describe('createIssuerKeys with jwt-vc-issuer', () => {
  const trust = pin({ mechanism: 'jwt-vc-issuer' })

  test('finds a key by kid in jwks and behind jwks_uri, with one fetch for many tokens [VC-K-06]', async () => {
    const inline = network({
      [METADATA]: { body: { issuer: ISSUER, jwks: set({ ...first, kid: 'a' }, { ...second, kid: 'b' }) } },
    })
    const keys = createIssuerKeys(trust, inline)
    const resolved = await Promise.all(['a', 'b', 'a'].map((kid) => keys.resolve(token({ kid }))))
    expect(resolved.map(({ key }) => key.kid)).toEqual(['a', 'b', 'a'])
    expect(resolved[0]).toMatchObject({ mechanism: 'jwt-vc-issuer', issuer: ISSUER })
    expect(inline.calls).toEqual([METADATA])

    const uri = 'https://keys.acme.example/set'
    const remote = network({
      [METADATA]: { body: { issuer: ISSUER, jwks_uri: uri } },
      [uri]: { body: set({ ...first, kid: 'a' }), type: 'application/jwk-set+json' },
    })
    expect((await createIssuerKeys(trust, remote).resolve(token({ kid: 'a' }))).key.kid).toBe('a')
    expect(remote.calls).toEqual([METADATA, uri])
  })

  test('discards metadata that is not exactly right [VC-K-04] [VC-K-05]', async () => {
    const jwks = set({ ...first, kid: 'a' })
    const bad: Answer[] = [
      { body: { issuer: `${ISSUER}/`, jwks } },
      { body: { issuer: ISSUER.toUpperCase(), jwks } },
      { body: { issuer: ISSUER, jwks }, status: 201 },
      { body: { issuer: ISSUER, jwks }, status: 404 },
      { body: { issuer: ISSUER, jwks }, type: 'text/html' },
      { body: { issuer: ISSUER } },
      { body: { issuer: ISSUER, jwks, jwks_uri: 'https://k.example' } },
      { body: { issuer: ISSUER, jwks_uri: 'http://k.example' } },
      { body: { issuer: ISSUER, jwks: [] } },
      { body: [] },
    ]
    for (const answer of bad) {
      const keys = createIssuerKeys(trust, network({ [METADATA]: answer }))
      await expect(keys.resolve(token({ kid: 'a' }))).rejects.toMatchObject({
        code: 'issuer_keys_unavailable',
      })
    }
    const good = network({
      [METADATA]: { body: { issuer: ISSUER, jwks }, type: 'application/json; charset=utf-8' },
    })
    expect((await createIssuerKeys(trust, good).resolve(token({ kid: 'a' }))).key.kid).toBe('a')
  })

  test('refuses a repeated kid, and several fitting keys without kid [VC-K-06]', async () => {
    const answer = (...keys: JsonObject[]) =>
      createIssuerKeys(trust, network({ [METADATA]: { body: { issuer: ISSUER, jwks: set(...keys) } } }))
    const twice = answer({ ...first, kid: 'a' }, { ...second, kid: 'a' })
    await expect(twice.resolve(token({ kid: 'a' }))).rejects.toMatchObject({ code: 'issuer_key_ambiguous' })
    const nameless = answer({ ...first }, { ...second })
    await expect(nameless.resolve(token({}))).rejects.toMatchObject({ code: 'issuer_key_ambiguous' })

    const edwards = createSoftwareSigner(generatePrivateJwk('EdDSA')).publicJwk
    const one = answer({ ...first }, { ...edwards })
    expect((await one.resolve(token({ alg: 'EdDSA' }))).key).toEqual(edwards)
    await expect(one.resolve(token({ alg: 'HS256' }))).rejects.toMatchObject({ code: 'issuer_key_not_found' })
    await expect(one.resolve(token({ kid: 7 }))).rejects.toMatchObject({ code: 'issuer_key_not_found' })
  })

  test('asks again for unknown keys once per cool-down, then finds a new one [VC-K-07]', async () => {
    const web = network({ [METADATA]: { body: { issuer: ISSUER, jwks: set({ ...first, kid: 'a' }) } } })
    const keys = createIssuerKeys({ ...trust, cache: { cooldownSeconds: 30 } }, web)
    await keys.resolve(token({ kid: 'a' }))
    const random = Array.from({ length: 100 }, (_, n) => keys.resolve(token({ kid: `x${n}` }, NOW + 40)))
    const outcomes = await Promise.allSettled(random)
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    expect(web.calls).toHaveLength(2)

    web.answers[METADATA] = { body: { issuer: ISSUER, jwks: set({ ...second, kid: 'b' }) } }
    await expect(keys.resolve(token({ kid: 'b' }, NOW + 60))).rejects.toMatchObject({
      code: 'issuer_key_not_found',
    })
    expect((await keys.resolve(token({ kid: 'b' }, NOW + 70))).key.kid).toBe('b')
    expect(web.calls).toHaveLength(3)
  })

  test('keeps serving through an outage up to the stated age', async () => {
    const web = network({ [METADATA]: { body: { issuer: ISSUER, jwks: set({ ...first, kid: 'a' }) } } })
    const keys = createIssuerKeys({ ...trust, cache: { maxAgeSeconds: 300, maxStaleSeconds: 3600 } }, web)
    await keys.resolve(token({ kid: 'a' }))
    web.answers[METADATA] = undefined
    expect((await keys.resolve(token({ kid: 'a' }, NOW + 3599))).key.kid).toBe('a')
    await expect(keys.resolve(token({ kid: 'a' }, NOW + 3600))).rejects.toMatchObject({
      code: 'issuer_keys_unavailable',
    })
  })

  test('drops a withdrawn key at the next fetch', async () => {
    const web = network({ [METADATA]: { body: { issuer: ISSUER, jwks: set({ ...first, kid: 'a' }) } } })
    const keys = createIssuerKeys(trust, web)
    await keys.resolve(token({ kid: 'a' }))
    web.answers[METADATA] = { body: { issuer: ISSUER, jwks: set({ ...second, kid: 'b' }) } }
    await expect(keys.resolve(token({ kid: 'a' }, NOW + 300))).rejects.toMatchObject({
      code: 'issuer_key_not_found',
    })
  })

  test('ignores a key with private members and raises the alarm [VC-K-09]', async () => {
    const alarms: unknown[] = []
    const log: Log = {
      info: () => {},
      warn: () => {},
      error: (event: string, fields?: LogFields) => alarms.push({ event, ...fields }),
    }
    const jwks = set({ ...first, kid: 'a', d: 'AAAA' }, { ...second, kid: 'b' })
    const keys = createIssuerKeys(trust, {
      ...network({ [METADATA]: { body: { issuer: ISSUER, jwks } } }),
      log,
    })
    expect((await keys.resolve(token({ kid: 'b' }))).key.kid).toBe('b')
    await expect(keys.resolve(token({ kid: 'a' }))).rejects.toMatchObject({ code: 'issuer_key_not_found' })
    expect(alarms).toEqual([{ event: 'jwks_private_member', source: ISSUER, index: 0 }])
  })
})

describe('createIssuerKeys with openid-configuration', () => {
  const trust = pin({ mechanism: 'openid-configuration' })
  const provider = `${ISSUER}/.well-known/openid-configuration`
  const uri = 'https://keys.acme.example/set'

  test('finds keys behind the jwks_uri of the metadata, which lies below the path of the issuer', async () => {
    const web = network({
      [provider]: { body: { issuer: ISSUER, jwks_uri: uri } },
      [uri]: { body: set({ ...first, kid: 'a' }) },
    })
    const keys = createIssuerKeys(trust, web)
    expect(await keys.resolve(token({ kid: 'a' }))).toMatchObject({
      mechanism: 'openid-configuration',
      issuer: ISSUER,
      key: { kid: 'a' },
    })
    await keys.resolve(token({ kid: 'a' }))
    expect(web.calls).toEqual([provider, uri])
  })

  test('takes neither metadata of another issuer nor keys that stand in it', async () => {
    const jwks = set({ ...first, kid: 'a' })
    for (const body of [
      { issuer: `${ISSUER}/`, jwks_uri: uri },
      { issuer: ISSUER, jwks },
      { issuer: ISSUER, jwks_uri: 'http://keys.acme.example/set' },
    ]) {
      const web = network({ [provider]: { body }, [uri]: { body: jwks } })
      await expect(createIssuerKeys(trust, web).resolve(token({ kid: 'a' }))).rejects.toMatchObject({
        code: 'issuer_keys_unavailable',
        cause: { code: 'issuer_metadata_invalid' },
      })
    }
  })
})

describe('createIssuerKeys', () => {
  test('does not let a header switch the mechanism [VC-K-01]', async () => {
    const web = network({ [METADATA]: { body: { issuer: ISSUER, jwks: set({ ...first, kid: 'a' }) } } })
    const keys = createIssuerKeys({ ...pin({ mechanism: 'jwt-vc-issuer' }), x5c: { anchors } }, web)
    await expect(keys.resolve(token({ kid: 'a', x5c }))).rejects.toMatchObject({
      code: 'issuer_mechanism_refused',
    })
    expect(web.calls).toEqual([])

    const chained = createIssuerKeys(pin({ mechanism: 'x5c', anchors }), web)
    const lure = { kid: 'a', jwk: second, jku: METADATA }
    await expect(chained.resolve(token(lure))).rejects.toMatchObject({ code: 'issuer_mechanism_refused' })
    expect((await chained.resolve(token({ ...lure, x5c }))).key).toEqual(first)
    expect(web.calls).toEqual([])
  })

  test('refuses an issuer nobody named, without any fetch [VC-K-02] [VC-F-09]', async () => {
    const web = network({})
    const keys = createIssuerKeys(pin({ mechanism: 'jwt-vc-issuer' }), web)
    for (const issuer of [
      'https://evil.example',
      'http://hr.acme.example/people',
      `${ISSUER}/`,
      '__proto__',
      'constructor',
      undefined,
    ]) {
      const stranger = { header: { alg: 'ES256', kid: 'a', x5c }, issuer, now: NOW }
      await expect(keys.resolve(stranger)).rejects.toMatchObject({ code: 'issuer_untrusted' })
    }
    expect(web.calls).toEqual([])
  })

  test('takes literal keys and keys behind a configured jwks_uri', async () => {
    const literal = createIssuerKeys(
      pin({ mechanism: 'jwks', jwks: set({ ...first, kid: 'a' }) }),
      network({}),
    )
    expect((await literal.resolve(token({ kid: 'a' }))).mechanism).toBe('jwks')
    await expect(literal.resolve(token({ kid: 'b' }))).rejects.toMatchObject({ code: 'issuer_key_not_found' })

    const uri = 'https://keys.acme.example/set'
    const web = network({ [uri]: { body: set({ ...first, kid: 'a' }) } })
    const remote = createIssuerKeys(pin({ mechanism: 'jwks_uri', uri }), web)
    expect((await remote.resolve(token({ kid: 'a' }))).mechanism).toBe('jwks_uri')
    expect((await createJwksCache({}, web).find(uri, { alg: 'ES256' }, NOW)).kid).toBe('a')
  })

  test('uses iss as identity only if the leaf names it, or demands that it does [VC-K-08]', async () => {
    const keys = createIssuerKeys({ x5c: { anchors } }, network({}))
    expect(await keys.resolve(token({ x5c }))).toMatchObject({
      issuer: ISSUER,
      chain: { subject: 'CN=Acme' },
    })
    const byHost = await certify({ dnsNames: ['HR.acme.example'] })
    expect((await keys.resolve(token({ x5c: byHost }))).issuer).toBe(ISSUER)

    const unbound = await certify({ dnsNames: ['*.acme.example', 'acme.example'], uris: [`${ISSUER}/`] })
    const accepted = await keys.resolve(token({ x5c: unbound }))
    expect(accepted.key).toEqual(first)
    expect(accepted).not.toHaveProperty('issuer')
    expect(await keys.resolve(token({ x5c }, NOW, undefined))).toMatchObject({ mechanism: 'x5c' })

    const strict = createIssuerKeys({ x5c: { anchors, requireIssBinding: true } }, network({}))
    await expect(strict.resolve(token({ x5c: unbound }))).rejects.toMatchObject({ code: 'issuer_not_bound' })
    const pinned = createIssuerKeys(pin({ mechanism: 'x5c', anchors }), network({}))
    await expect(pinned.resolve(token({ x5c: unbound }))).rejects.toMatchObject({ code: 'issuer_not_bound' })
  })

  test('refuses a policy that could not hold, at the start', () => {
    const bad: IssuerTrust[] = [
      { mechanism: 'jwks', jwks: set() },
      { mechanism: 'jwks', jwks: set({ ...first, kid: 'a' }, { ...second, kid: 'a' }) },
      { mechanism: 'jwks', jwks: set({ ...first, kid: 'a' }, { ...second, d: 'AA' }) },
      { mechanism: 'jwks_uri', uri: 'http://keys.example' },
    ]
    for (const trust of bad) {
      expect(() => createIssuerKeys(pin(trust), network({}))).toThrow(refusal('issuer_trust_invalid'))
    }
    const http = { issuers: { 'http://hr.example': { mechanism: 'jwt-vc-issuer' as const } } }
    expect(() => createIssuerKeys(http, network({}))).toThrow(refusal('issuer_trust_invalid'))
  })
})
