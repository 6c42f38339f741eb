import {
  decodeBase64url,
  decodeUtf8,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  utf8,
} from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, parseAlgorithms, parseJws } from '@attache/keys'
import {
  ISSUANCE_ERRORS,
  issueSdJwtVc,
  NEVER_DISCLOSABLE,
  parseTypeMetadata,
  SD_JWT_MEDIA_TYPES,
  type SdJwtVcContent,
  verifySdJwtVc,
} from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import { CLAIMS, CONTENT, digestOf, holderSigner, issuerSigner, NO_BINDING } from '../support/credentials.js'
import { HOLDER_KEY } from '../support/published-keys.js'
import { createSeededRandom } from '../support/random.js'

const random = createSeededRandom('issue')
const issue = (content: Partial<SdJwtVcContent> = {}) =>
  issueSdJwtVc({ ...CONTENT, ...content }, { signer: issuerSigner, random })
const partsOf = (text: string) => {
  const [jwt = '', ...rest] = text.split('~')
  return { ...parseJws(jwt, { maxDepth: 32 }), disclosures: rest.slice(0, -1) }
}
const contentOf = (encoded: string): readonly JsonValue[] => {
  const value: JsonValue = JSON.parse(decodeUtf8(decodeBase64url(encoded) ?? new Uint8Array()) ?? '')
  return isJsonArray(value) ? value : []
}
const objectsOf = (value: JsonValue): readonly JsonObject[] => {
  if (isJsonArray(value)) return value.flatMap(objectsOf)
  return isJsonObject(value) ? [value, ...Object.values(value).flatMap(objectsOf)] : []
}
const textsOf = (value: JsonValue | undefined): readonly string[] =>
  isJsonArray(value) ? value.filter((one) => typeof one === 'string') : []

describe('issueSdJwtVc: form', () => {
  test('says typ dc+sd-jwt, the key and _sd_alg at the root only [VC-F-01] [SDJWT-I-02] [SDJWT-I-09]', async () => {
    const { header, payload, disclosures } = partsOf(await issue())

    expect(header).toEqual({ typ: 'dc+sd-jwt', alg: 'ES256', kid: issuerSigner.kid })
    expect(payload['_sd_alg']).toBe('sha-256')
    const inner = [...Object.values(payload), ...disclosures.map(contentOf)]
    expect(inner.flatMap(objectsOf).some((object) => Object.hasOwn(object, '_sd_alg'))).toBe(false)
  })

  test('hands over every Disclosure, three or two elements, and ends with a tilde [SDJWT-I-03] [SDJWT-I-18]', async () => {
    const text = await issue()
    const contents = partsOf(text).disclosures.map(contentOf)

    expect(text.endsWith('~')).toBe(true)
    // agent, owner, owner.name, owner.email, three regions, a.b, a/b, a/c
    expect(contents).toHaveLength(10)
    expect(contents.filter((content) => content.length === 3)).toHaveLength(7)
    expect(
      contents
        .filter((content) => content.length === 2)
        .map(([, value]) => value)
        .sort(),
    ).toEqual(['APAC', 'EU', 'US'])
    expect(contents.every(([salt]) => typeof salt === 'string')).toBe(true)
  })

  test('hashes the ASCII of the encoded Disclosure, raw digest in base64url [SDJWT-I-06]', async () => {
    const published = 'WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0'
    expect(digestOf(published)).toBe('X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0')

    const { payload, disclosures } = partsOf(await issue({ disclosable: [['agent']] }))
    expect(payload['_sd']).toEqual(disclosures.map(digestOf))
  })

  test('replaces a hidden array element in place by its digest alone [SDJWT-I-08]', async () => {
    const { payload, disclosures } = partsOf(await issue({ disclosable: [['regions', 1]] }))

    expect(payload['regions']).toEqual(['EU', { '...': digestOf(disclosures[0] ?? '') }, 'APAC'])
  })

  test('puts digests of children into the value of the parent [SDJWT-I-13]', async () => {
    const { payload, disclosures } = partsOf(await issue({ disclosable: [['owner'], ['owner', 'name']] }))
    const parent = disclosures.find((encoded) => contentOf(encoded)[1] === 'owner') ?? ''
    const child = disclosures.find((encoded) => contentOf(encoded)[1] === 'name') ?? ''

    expect(payload['_sd']).toEqual([digestOf(parent)])
    expect(contentOf(parent)[2]).toEqual({ email: 'ada@example.com', _sd: [digestOf(child)] })
  })

  test('sorts digests, so that their order says nothing; leaves _sd out when empty [SDJWT-I-07]', async () => {
    for (let count = 0; count < 50; count += 1) {
      const { payload } = partsOf(await issue())
      const digests = textsOf(payload['_sd'])
      expect(digests).toHaveLength(3)
      expect(digests).toEqual([...digests].sort())
    }
    const plain = partsOf(await issue({ disclosable: [] }))
    expect(Object.hasOwn(plain.payload, '_sd')).toBe(false)
  })

  test('without disclosable claims there are no Disclosures, and the tilde stays [VC-F-08]', async () => {
    const text = await issue({ disclosable: [] })

    expect(text.split('~')).toHaveLength(2)
    expect(text.endsWith('~')).toBe(true)
    await expect(verifySdJwtVc(text, NO_BINDING)).resolves.toMatchObject({ claims: CLAIMS })
  })

  test('media types are those of the standards [SDJWT-F-05]', () => {
    expect(SD_JWT_MEDIA_TYPES).toEqual({
      sdJwt: 'application/sd-jwt',
      sdJwtJson: 'application/sd-jwt+json',
      keyBindingJwt: 'application/kb+jwt',
      sdJwtVc: 'application/dc+sd-jwt',
    })
  })
})

describe('issueSdJwtVc: salts, digests, decoys', () => {
  test('10,000 salts are distinct and hold 128 bits; equal input gives other digests [SDJWT-I-04]', async () => {
    const claims = { ...CLAIMS, list: Array.from({ length: 250 }, () => 'same') }
    const salts: string[] = []
    const digests = new Set<string>()
    for (let count = 0; count < 40; count += 1) {
      const { disclosures } = partsOf(await issue({ claims, disclosable: [['list', null]] }))
      for (const encoded of disclosures) {
        salts.push(String(contentOf(encoded)[0]))
        digests.add(digestOf(encoded))
      }
    }
    expect(salts).toHaveLength(10_000)
    expect(new Set(salts).size).toBe(10_000)
    expect(digests.size).toBe(10_000)
    // 22 characters of base64url are 128 bits.
    expect(salts.every((salt) => /^[A-Za-z0-9_-]{22}$/.test(salt))).toBe(true)
  })

  test('every digest occurs once; constant randomness stops the issuance [SDJWT-I-11]', async () => {
    const { payload, disclosures } = partsOf(
      await issue({
        decoys: [
          { at: [], fillTo: 8 },
          { at: ['regions'], fillTo: 8 },
        ],
      }),
    )
    const digests = [payload, ...disclosures.map(contentOf)]
      .flatMap(objectsOf)
      .flatMap((object) => [
        ...textsOf(object['_sd']),
        ...(typeof object['...'] === 'string' ? [object['...']] : []),
      ])
    expect(digests).toHaveLength(8 + 8 + 4)
    expect(new Set(digests).size).toBe(digests.length)

    const constant = (byteCount: number) => new Uint8Array(byteCount)
    const broken = issueSdJwtVc(CONTENT, { signer: issuerSigner, random: constant })
    await expect(broken).rejects.toMatchObject({ code: 'salt_repeated' })
  })

  test('decoys hide how many claims there are and look like digests [SDJWT-I-12] [SDJWT-H-07]', async () => {
    const decoys = [{ at: [], fillTo: 8 }]
    const few = await issue({ disclosable: [['agent'], ['owner'], ['a.b']], decoys })
    const names = ['agent', 'owner', 'a.b', 'x', 'y', 'z']
    const many = await issue({
      claims: { ...CLAIMS, x: 1, y: 2, z: 3 },
      disclosable: names.map((name) => [name]),
      decoys,
    })
    for (const text of [few, many]) {
      const digests = textsOf(partsOf(text).payload['_sd'])
      expect(digests).toHaveLength(8)
      expect(digests.every((digest) => /^[A-Za-z0-9_-]{43}$/.test(digest))).toBe(true)
      await expect(verifySdJwtVc(text, NO_BINDING)).resolves.toMatchObject({ claims: CLAIMS })
    }
  })

  test.each([
    { at: ['agent'], fillTo: 8 },
    { at: [], fillTo: 0 },
    { at: [], fillTo: 257 },
    { at: ['status'], fillTo: 4 },
  ])('refuses the decoy target %o [SDJWT-I-12]', async (target) => {
    await expect(issue({ decoys: [target] })).rejects.toMatchObject({ code: 'decoys_malformed' })
  })

  test('a batch shares no key, salt or digest [SDJWT-I-17]', async () => {
    const copies = await Promise.all(
      Array.from({ length: 10 }, (_, idx) =>
        issue({
          claims: { ...CLAIMS, status: { status_list: { idx, uri: 'https://issuer.example/status/1' } } },
          holderKey: createSoftwareSigner(generatePrivateJwk('ES256')).publicJwk,
        }),
      ),
    )
    const parts = copies.map(partsOf)
    const all = (values: readonly string[]) => expect(new Set(values).size).toBe(values.length)
    all(parts.map(({ payload }) => JSON.stringify(payload['cnf'])))
    all(parts.map(({ payload }) => JSON.stringify(payload['status'])))
    all(parts.flatMap(({ disclosures }) => disclosures.map((encoded) => String(contentOf(encoded)[0]))))
    all(parts.flatMap(({ disclosures }) => disclosures.map(digestOf)))
    expect(new Set(parts.map(({ payload }) => payload['iat'])).size).toBe(1)
  })
})

describe('issueSdJwtVc: algorithms', () => {
  test('refuses none and HS256 [SDJWT-I-01]', async () => {
    for (const alg of ['none', 'HS256']) expect(() => parseAlgorithms([alg])).toThrow(TypeError)
    await expect(
      verifySdJwtVc('x', { ...NO_BINDING, algorithms: parseAlgorithms([]) }),
    ).rejects.toMatchObject({
      code: 'sd_jwt_malformed',
    })
    expect(() => createSoftwareSigner({ kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' })).toThrow(TypeError)
    expect((await issue()).length).toBeGreaterThan(0)
  })

  test('digests are as strong as the signature; truncated ones are refused [SDJWT-I-10]', async () => {
    const strong = { ES256: 'sha-256', ES384: 'sha-384', ES512: 'sha-512' } as const
    for (const alg of ['ES256', 'ES384', 'ES512'] as const) {
      const signer = createSoftwareSigner(generatePrivateJwk(alg))
      const { payload } = partsOf(await issueSdJwtVc(CONTENT, { signer, random }))
      expect(payload['_sd_alg']).toBe(strong[alg])
    }
    const weak = issueSdJwtVc(
      { ...CONTENT, sdAlg: 'sha-256' },
      { signer: createSoftwareSigner(generatePrivateJwk('ES512')), random },
    )
    await expect(weak).rejects.toMatchObject({ code: 'sd_alg_weak' })
    const truncated: SdJwtVcContent = { ...CONTENT, ...JSON.parse('{"sdAlg":"sha-256-32"}') }
    await expect(issue(truncated)).rejects.toMatchObject({ code: 'sd_alg_refused' })
    await expect(issue({ sdAlg: 'sha-512' })).resolves.toContain('~')
  })
})

describe('issueSdJwtVc: refuses', () => {
  const withClaims = (json: string) => issue({ claims: { ...CLAIMS, ...JSON.parse(json) }, disclosable: [] })

  test.each(['{"_sd":[]}', '{"a":{"_sd":[]}}', '{"list":[{"...":"x"}]}', '{"a":{"b":{"_sd_alg":"x"}}}'])(
    'the reserved name in %s [SDJWT-I-05] [SDJWT-I-14]',
    async (json) => {
      await expect(withClaims(json)).rejects.toMatchObject({ code: 'claim_name_reserved' })
    },
  )

  test('a disclosable claim with a reserved name, or one that stays in clear beside itself [SDJWT-I-05]', async () => {
    for (const name of ['_sd', '...']) {
      const claims = { ...CLAIMS, [name]: 'x' }
      await expect(issue({ claims, disclosable: [[name]] })).rejects.toMatchObject({
        code: 'claim_name_reserved',
      })
    }
    // Named twice it is still one Disclosure, and not in clear.
    const { payload, disclosures } = partsOf(await issue({ disclosable: [['agent'], ['agent']] }))
    expect(disclosures).toHaveLength(1)
    expect(Object.hasOwn(payload, 'agent')).toBe(false)
  })

  test.each([...NEVER_DISCLOSABLE, 'aud'])('to hide %s [SDJWT-I-15] [VC-F-06]', async (name) => {
    const status = { status_list: { idx: 1, uri: 'https://issuer.example/status/1' } }
    const claims = { ...CLAIMS, nbf: 1, aud: 'x', 'vct#integrity': 'sha256-x', aka_vcts: ['urn:x'], status }
    await expect(issue({ claims, disclosable: [[name]] })).rejects.toMatchObject({
      code: 'disclosable_forbidden',
    })
  })

  test.each([
    [['cnf', 'jwk']],
    [['status', 'status_list']],
    [['status', 'status_list', 'uri']],
    [['aka_vcts', 0]],
  ] as const)('to hide %o, a part of such a claim [SDJWT-I-21] [VC-F-06]', async (path) => {
    const status = { status_list: { idx: 1, uri: 'https://issuer.example/status/1' } }
    const claims = { ...CLAIMS, aka_vcts: ['urn:x'], status }
    await expect(issue({ claims, disclosable: [path] })).rejects.toMatchObject({
      code: 'disclosable_forbidden',
    })
  })

  test.each([[['typo']], [['owner', 'typo']], [['regions', 3]], [['agent', 0]], [['agent', 'x']]] as const)(
    'a path to an absent claim: %o [SDJWT-I-21]',
    async (path) => {
      await expect(issue({ disclosable: [path] })).rejects.toMatchObject({ code: 'disclosable_absent' })
    },
  )

  test('an inherited name, which is no claim [SDJWT-I-21]', async () => {
    await expect(issue({ disclosable: [['constructor']] })).rejects.toMatchObject({
      code: 'disclosable_absent',
    })
  })

  test.each([
    ['claim_name_refused', '{"__proto__":{"admin":true}}'],
    ['claim_name_refused', '{"owner":{"_sd_decoy":3}}'],
    ['cnf_given', '{"cnf":{"jwk":{}}}'],
    ['vct_missing', '{"vct":""}'],
    ['vct_missing', '{"vct":7}'],
    ['aka_vcts_malformed', '{"aka_vcts":[]}'],
    ['status_malformed', '{"status":{"status_list":{"idx":-1,"uri":"https://issuer.example/s"}}}'],
    ['time_malformed', '{"exp":"tomorrow"}'],
    ['claims_too_deep', `{"deep":${'['.repeat(40)}${']'.repeat(40)}}`],
  ])('%s: %s [VC-F-03] [VC-F-04]', async (code, json) => {
    const claims: JsonObject = Object.assign(Object.create(null), CLAIMS, {})
    const given: JsonObject = JSON.parse(json)
    const merged: JsonObject = Object.fromEntries([...Object.entries(claims), ...Object.entries(given)])
    await expect(issue({ claims: merged, disclosable: [] })).rejects.toMatchObject({ code })
    expect(Object.keys(ISSUANCE_ERRORS)).toContain(code)
  })

  test('an empty claim name that is disclosable, for its Disclosure would name no claim [SDJWT-I-03]', async () => {
    await expect(issue({ claims: { ...CLAIMS, '': 1 }, disclosable: [['']] })).rejects.toMatchObject({
      code: 'self_check_failed',
    })
  })

  test('more Disclosures than receivers accept [SDJWT-D-02]', async () => {
    const claims = { ...CLAIMS, list: Array.from({ length: 257 }, (_, index) => index) }
    await expect(issue({ claims, disclosable: [['list', null]] })).rejects.toMatchObject({
      code: 'too_many_disclosures',
    })
  })
})

describe('issueSdJwtVc: key binding and type', () => {
  test('cnf.jwk has the public members and nothing else [SDJWT-I-16]', async () => {
    const key = { ...HOLDER_KEY, kid: 'x', use: 'sig' }
    const { payload } = partsOf(await issue({ holderKey: key }))

    expect(payload['cnf']).toEqual({ jwk: holderSigner.publicJwk })
    expect(JSON.stringify(payload)).not.toContain(HOLDER_KEY.d)
  })

  test('claims named like members of every object are ordinary [SDJWT-V-22]', async () => {
    const claims = { ...CLAIMS, constructor: { toString: 1, valueOf: [2] }, hasOwnProperty: 'x' }
    const text = await issue({
      claims,
      disclosable: [['constructor'], ['constructor', 'toString'], ['constructor', 'valueOf', 0]],
    })
    const { claims: verified } = await verifySdJwtVc(text, NO_BINDING)
    expect(verified).toEqual({ ...claims, cnf: { jwk: holderSigner.publicJwk } })
  })

  test('keeps the rules of the type [VC-C-09]', async () => {
    const type = parseTypeMetadata(
      utf8(
        JSON.stringify({
          vct: CLAIMS.vct,
          claims: [
            { path: ['agent'], sd: 'always', mandatory: true },
            { path: ['regions', null], sd: 'always' },
            { path: ['a', 'b'], sd: 'never' },
          ],
        }),
      ),
    )
    const right: SdJwtVcContent['disclosable'] = [['agent'], ['regions', null], ['a']]
    await expect(issue({ type, disclosable: right })).resolves.toContain('~')
    for (const wrong of [
      [['regions', null]],
      [['agent'], ['regions', 0]],
      [['agent'], ['regions', null], ['a', 'b']],
    ] satisfies SdJwtVcContent['disclosable'][]) {
      await expect(issue({ type, disclosable: wrong })).rejects.toMatchObject({ code: 'type_rules' })
    }
    const { agent: _agent, ...without } = CLAIMS
    await expect(issue({ type, claims: without, disclosable: [['regions', null]] })).rejects.toMatchObject({
      code: 'type_rules',
    })
  })
})
