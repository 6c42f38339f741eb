import type { ClaimsPath, JsonObject, JsonValue } from '@attache/core'
import { digest, parseJws } from '@attache/keys'
import {
  issueSdJwtVc,
  parseHeldSdJwtVc,
  presentSdJwtVc,
  type SdJwtVcContent,
  selectDisclosures,
  verifySdJwtVc,
} from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  AUDIENCE,
  BINDING,
  bind,
  CLAIMS,
  CONTENT,
  disclose,
  holderSigner,
  issuerSigner,
  NO_BINDING,
  NONCE,
  otherSigner,
  VCT,
} from '../support/credentials.js'
import { createSeededRandom } from '../support/random.js'

const random = createSeededRandom('present')
const issue = (content: Partial<SdJwtVcContent> = {}) =>
  issueSdJwtVc({ ...CONTENT, ...content }, { signer: issuerSigner, random })
const STATEMENT = { signer: holderSigner, audience: AUDIENCE, nonce: NONCE, issuedAt: NOW }
const present = (credential: string, disclose: readonly ClaimsPath[]) =>
  presentSdJwtVc(credential, { disclose, keyBinding: STATEMENT })
const shown = async (credential: string, paths: readonly ClaimsPath[]): Promise<JsonObject> => {
  const text = await presentSdJwtVc(credential, { disclose: paths, keyBinding: 'none' })
  const {
    vct: _v,
    iss: _i,
    iat: _a,
    exp: _e,
    cnf: _c,
    ...rest
  } = (await verifySdJwtVc(text, NO_BINDING)).claims
  return rest
}
const keyBindingOf = (presentation: string) => parseJws(presentation.split('~').at(-1) ?? '')

describe('selectDisclosures', () => {
  const cases: readonly (readonly [readonly ClaimsPath[], JsonValue])[] = [
    [[], { a: {}, regions: [] }],
    [[['owner', 'email']], { a: {}, regions: [], owner: { email: 'ada@example.com' } }],
    [[['owner']], { a: {}, regions: [], owner: { name: 'Ada', email: 'ada@example.com' } }],
    [[['regions', 1]], { a: {}, regions: ['US'] }],
    [[['regions', null]], { a: {}, regions: ['EU', 'US', 'APAC'] }],
    [[['agent'], ['agent'], ['vct']], { a: {}, regions: [], agent: 'agent-7' }],
  ]
  test.each(cases)(
    'shows for %j exactly the claims chosen and what they stand in [SDJWT-H-05]',
    async (paths, claims) => {
      expect(await shown(await issue(), paths)).toEqual(claims)
    },
  )

  test('sends each Disclosure once, as it came, in its order [SDJWT-H-04]', async () => {
    const credential = await issue()
    const held = parseHeldSdJwtVc(credential)
    const chosen = selectDisclosures(held, [['owner', 'email'], ['owner'], ['agent'], ['agent']])

    expect(chosen).toHaveLength(4)
    expect(new Set(chosen).size).toBe(4)
    expect(held.compact.disclosures.filter((encoded) => chosen.includes(encoded))).toEqual(chosen)
    expect(() => selectDisclosures(held, [['owner', 'phone']])).toThrow(
      expect.objectContaining({ code: 'presented_path_absent' }),
    )
  })

  test('refuses a Disclosure of another credential [SDJWT-H-04]', () => {
    const foreign = disclose('salt', 'role', 'admin')
    const credential = issue().then((text) => `${text}${foreign}~`)

    return expect(credential.then((text) => present(text, []))).rejects.toMatchObject({
      code: 'disclosure_unreferenced',
    })
  })

  test('a claim named a.b is not the claim b in a, nor the other way round [SDJWT-H-09]', async () => {
    const credential = await issue()

    expect(await shown(credential, [['a.b']])).toEqual({ a: {}, regions: [], 'a.b': 'dotted' })
    expect(await shown(credential, [['a', 'b']])).toEqual({ a: { b: 'nested' }, regions: [] })
  })

  test('null reaches only elements that hold the claim [SDJWT-H-05]', async () => {
    const credential = await issue({
      claims: { ...CLAIMS, degrees: [{ type: 'BSc' }, { year: 1 }, { type: 'MSc', year: 2 }] },
      disclosable: [
        ['degrees', null],
        ['degrees', 0, 'type'],
        ['degrees', 2, 'type'],
        ['degrees', 2, 'year'],
      ],
    })
    const text = await presentSdJwtVc(credential, {
      disclose: [['degrees', null, 'type']],
      keyBinding: 'none',
    })

    expect((await verifySdJwtVc(text, NO_BINDING)).claims).toMatchObject({
      degrees: [{ type: 'BSc' }, { type: 'MSc' }],
    })
    expect(text.split('~')).toHaveLength(1 + 4 + 1)
  })

  test('a credential with decoys is kept and presented [SDJWT-H-07]', async () => {
    const decoys = [
      { at: [], fillTo: 12 },
      { at: ['regions'], fillTo: 9 },
    ]
    expect(await shown(await issue({ decoys }), [['regions', 2]])).toEqual({ a: {}, regions: ['APAC'] })
  })

  test('an SD-JWT+KB cannot be held [SDJWT-H-02]', async () => {
    const bound = await bind(await issue())

    expect(() => parseHeldSdJwtVc(bound)).toThrow(expect.objectContaining({ code: 'key_binding_unexpected' }))
    await expect(verifySdJwtVc(bound, NO_BINDING)).rejects.toMatchObject({ code: 'key_binding_unexpected' })
  })

  test('what was not chosen stands in no error [SDJWT-H-06]', async () => {
    const credential = await issue()
    const text = await present(credential, [['agent']])
    const withheld = parseHeldSdJwtVc(credential).compact.disclosures.filter((one) => !text.includes(one))
    const errors: unknown[] = []
    for (const attempt of [
      () => present(`${credential}${withheld[0]}~`, [['agent']]),
      () => present(credential, [['nothing']]),
      () => presentSdJwtVc(credential, { disclose: [], keyBinding: { ...STATEMENT, signer: otherSigner } }),
      () => present(credential.slice(0, -3), [['agent']]),
    ]) {
      await attempt().catch((error: unknown) => errors.push(error))
    }

    expect(withheld.length).toBeGreaterThan(5)
    expect(errors).toHaveLength(4)
    for (const error of errors) {
      const said = error instanceof Error ? `${error.message} ${String(error.cause ?? '')}` : ''
      expect(said).not.toMatch(/WyJ|ada@|nested|dotted/)
    }
  })
})

describe('presentSdJwtVc: key binding', () => {
  test('the KB-JWT says typ, iat, aud, nonce and sd_hash and nothing more [SDJWT-K-01] [SDJWT-K-02]', async () => {
    const { header, payload } = keyBindingOf(await present(await issue(), [['agent']]))

    expect(header).toEqual({ typ: 'kb+jwt', alg: 'ES256' })
    expect(Object.keys(payload).sort()).toEqual(['aud', 'iat', 'nonce', 'sd_hash'])
    expect(payload).toMatchObject({ iat: NOW, aud: AUDIENCE, nonce: NONCE })
  })

  test('a profile may add members, but none that the standard fills [SDJWT-K-02]', async () => {
    const credential = await issue()
    const add = (members: JsonObject) =>
      presentSdJwtVc(credential, { disclose: [], keyBinding: { ...STATEMENT, members } })
    const members = { transaction_data_hashes: ['x'], transaction_data_hashes_alg: 'sha-256' }

    expect(keyBindingOf(await add(members)).payload).toMatchObject(members)
    for (const name of ['aud', 'nonce', 'iat', 'sd_hash', 'exp', 'cnf']) {
      await expect(add({ [name]: 'x' })).rejects.toMatchObject({ code: 'key_binding_statement' })
    }
  })

  test('sd_hash covers what is sent, in its order, with the final tilde [SDJWT-K-03]', async () => {
    for (const sdAlg of ['sha-256', 'sha-384', 'sha-512'] as const) {
      const text = await present(await issue({ sdAlg }), [['owner', 'name'], ['agent']])
      const presented = text.slice(0, text.lastIndexOf('~') + 1)

      expect(keyBindingOf(text).payload['sd_hash']).toBe(digest(sdAlg, presented))
      await expect(verifySdJwtVc(text, BINDING)).resolves.toMatchObject({ vct: VCT })
    }
  })

  test('each presentation is signed anew [SDJWT-K-04]', async () => {
    const credential = await issue()
    const [one, two] = [await present(credential, []), await present(credential, [])]

    expect(one.split('~').at(-1)).not.toBe(two.split('~').at(-1))
  })

  test('signs only for its own key, and only for a stated audience and nonce [SDJWT-K-05]', async () => {
    const credential = await issue()
    const sign = (override: Partial<typeof STATEMENT>) =>
      presentSdJwtVc(credential, { disclose: [], keyBinding: { ...STATEMENT, ...override } })
    const { holderKey: _key, ...unbound } = CONTENT

    await expect(sign({ signer: otherSigner })).rejects.toMatchObject({ code: 'key_binding_foreign_key' })
    await expect(sign({ nonce: '' })).rejects.toMatchObject({ code: 'key_binding_statement' })
    await expect(sign({ audience: '' })).rejects.toMatchObject({ code: 'key_binding_statement' })
    const bearer = await issueSdJwtVc(unbound, { signer: issuerSigner, random })
    await expect(present(bearer, [])).rejects.toMatchObject({ code: 'key_binding_foreign_key' })
    await expect(sign({})).resolves.toContain('~')
  })
})
