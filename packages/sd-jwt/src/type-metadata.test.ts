import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { extendType } from './extend-type.js'
import { selectIssuedClaims } from './issued-claims.js'
import { chooseDisplay } from './type-display.js'
import { parseTypeMetadata, type TypeMetadata } from './type-metadata.js'
import { checkTypeRules } from './type-rules.js'

const vectorOf = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../../test/vectors/sd-jwt-vc/${name}.json`, import.meta.url), 'utf8'))
const parse = (document: unknown): TypeMetadata =>
  parseTypeMetadata(new TextEncoder().encode(JSON.stringify(document)))
const code = (expected: string) => expect.objectContaining({ code: expected })
const VCT = 'https://issuer.example/types/role'
const withClaim = (claim: Record<string, unknown>) => () =>
  parse({ vct: VCT, claims: [{ path: ['a'], ...claim }] })

describe('parseTypeMetadata', () => {
  test('reads the published document and ignores what it does not know [VC-M-02]', () => {
    const { type_metadata: published } = vectorOf('draft19-a2-type-metadata')
    const type = parse({ ...published, unknown: 7 })

    expect(type.vct).toBe('https://betelgeuse.example.com/education_credential/v42')
    expect(type.extends).toBe('https://galaxy.example.com/galactic-education-credential/v2')
    expect(type.display?.[0]).toMatchObject({ locale: 'en-US', name: 'Betelgeuse Education Credential' })
    expect(type.claims?.length).toBe(published.claims.length)
  })

  test.each([[[]], [[-1]], [[1.5]], [[true]], ['a'], [undefined], [[{}]]])(
    'refuses the path %j [VC-C-01]',
    (path) => {
      expect(withClaim({ path })).toThrow(code('type_metadata_malformed'))
      expect(withClaim({ path: ['a', null, 0] })).not.toThrow()
    },
  )

  test('sd and mandatory have their values and no other [VC-C-04] [VC-C-05]', () => {
    for (const sd of ['always', 'allowed', 'never']) expect(withClaim({ sd })).not.toThrow()
    for (const sd of ['Always', '', true]) expect(withClaim({ sd })).toThrow(code('type_metadata_malformed'))
    expect(withClaim({ mandatory: 'yes' })).toThrow(code('type_metadata_malformed'))
  })

  test('svg_id is an identifier and unique [VC-C-08]', () => {
    expect(withClaim({ svg_id: '_a1' })).not.toThrow()
    for (const svg_id of ['1a', 'a-b', '', 'ä']) {
      expect(withClaim({ svg_id })).toThrow(code('type_metadata_malformed'))
    }
    const twice = [
      { path: ['a'], svg_id: 'x' },
      { path: ['b'], svg_id: 'x' },
    ]
    expect(() => parse({ vct: VCT, claims: twice })).toThrow(code('type_metadata_malformed'))
  })

  test('display entries need locale and name, those of claims locale and label [VC-D-01]', () => {
    expect(() => parse({ vct: VCT, display: [{ locale: 'en', name: 'Role' }] })).not.toThrow()
    for (const entry of [{ name: 'Role' }, { locale: 'en' }, { locale: 7, name: 'Role' }]) {
      expect(() => parse({ vct: VCT, display: [entry] })).toThrow(code('type_metadata_malformed'))
    }
    expect(withClaim({ display: [{ locale: 'en' }] })).toThrow(code('type_metadata_malformed'))
    expect(withClaim({ display: [{ label: 'Role' }] })).toThrow(code('type_metadata_malformed'))
  })

  test.each([
    '[]',
    '"x"',
    '{}',
    '{"vct":""}',
    '{"vct":7}',
    '{"vct":"a","vct":"b"}',
    '{',
    '{"vct":"a","claims":[]}',
  ])('refuses %s [VC-M-02]', (text) => {
    expect(() => parseTypeMetadata(new TextEncoder().encode(text))).toThrow(code('type_metadata_malformed'))
  })
})

describe('chooseDisplay', () => {
  const entries = ['en-US', 'de', 'de-CH'].map((locale) => ({ locale }))

  test.each([
    [['de-CH'], 'de-CH'],
    [['de-AT'], 'de'],
    [['EN'], 'en-US'],
    [['fr', 'de'], 'de'],
    [['fr'], 'en-US'],
    [[], 'en-US'],
  ])('%j finds %s [VC-D-01]', (languages, locale) => {
    expect(chooseDisplay(entries, languages)).toEqual({ locale })
  })
})

describe('extendType', () => {
  test('gives the published effective claims [VC-C-06]', () => {
    const { extends: published } = vectorOf('draft19-5.6-claim-path-and-extends')
    const effective = extendType(parse(published.base), parse(published.child))

    expect(effective.claims).toEqual(published.effective.claims)
    expect(effective.vct).toBe(published.child.vct)
  })

  const typeWith = (claim: Partial<NonNullable<TypeMetadata['claims']>[number]>): TypeMetadata => ({
    vct: VCT,
    claims: [{ path: ['a'], ...claim }],
  })

  test('a child that overrides display keeps the sd of its parent [VC-C-06]', () => {
    const display = [{ locale: 'de', label: 'Rolle' }]
    const parent = typeWith({ sd: 'always', display: [{ locale: 'en', label: 'Role' }] })

    expect(extendType(parent, typeWith({ display })).claims).toEqual([{ path: ['a'], sd: 'always', display }])
  })

  test('a child may tighten, never loosen [VC-C-07]', () => {
    for (const sd of ['always', 'never'] as const) {
      expect(() => extendType(typeWith({ sd: 'allowed' }), typeWith({ sd }))).not.toThrow()
      expect(() => extendType(typeWith({}), typeWith({ sd }))).not.toThrow()
      expect(() => extendType(typeWith({ sd }), typeWith({ sd: 'allowed' }))).toThrow(
        code('type_metadata_extends'),
      )
      const other = sd === 'always' ? 'never' : 'always'
      expect(() => extendType(typeWith({ sd }), typeWith({ sd: other }))).toThrow(
        code('type_metadata_extends'),
      )
    }
    expect(() => extendType(typeWith({ mandatory: false }), typeWith({ mandatory: true }))).not.toThrow()
    expect(() => extendType(typeWith({ mandatory: true }), typeWith({ mandatory: false }))).toThrow(
      code('type_metadata_extends'),
    )
    expect(extendType(typeWith({ mandatory: true }), typeWith({})).claims?.[0]?.mandatory).toBe(true)
  })

  test('display of the type replaces that of the parent, or is inherited [VC-D-01]', () => {
    const parent = { vct: VCT, display: ['en', 'de'].map((locale) => ({ locale, name: locale })) }
    const display = [{ locale: 'fr', name: 'fr' }]

    expect(extendType(parent, { vct: VCT, display }).display).toEqual(display)
    expect(extendType(parent, { vct: VCT }).display).toEqual(parent.display)
  })

  test('an svg_id used by parent and child for different claims is refused [VC-C-08]', () => {
    const child: TypeMetadata = { vct: VCT, claims: [{ path: ['b'], svgId: 'x' }] }
    expect(() => extendType(typeWith({ svgId: 'x' }), child)).toThrow(code('type_metadata_malformed'))
  })
})

describe('selectIssuedClaims', () => {
  test('walks the published paths [VC-C-02]', () => {
    const { credential: claims, paths } = vectorOf('draft19-5.6-claim-path-and-extends')
    for (const { path, selected } of paths) {
      const found = selectIssuedClaims({ claims, hiddenElements: [] }, path)
      expect(found?.map(({ value }) => value)).toEqual(selected)
    }
    const walk = (path: Parameters<typeof selectIssuedClaims>[1]) =>
      selectIssuedClaims({ claims, hiddenElements: [] }, path)
    expect(walk(['missing'])).toEqual([])
    expect(walk(['degrees', 9])).toEqual([])
    expect(walk(['name', 'x'])).toBeUndefined()
    expect(walk(['address', null])).toBeUndefined()
    expect(walk(['address', 0])).toBeUndefined()
    expect(walk(['degrees', 'type'])).toBeUndefined()
  })

  test('indexes count the array as issued, hidden elements included [VC-C-03]', () => {
    const issued = { claims: { list: ['a', 'c'] }, hiddenElements: [['list', 1]] as const }

    expect(selectIssuedClaims(issued, ['list', 2])).toEqual([{ path: ['list', 2], value: 'c' }])
    expect(selectIssuedClaims(issued, ['list', 1])).toEqual([{ path: ['list', 1], value: undefined }])
    expect(selectIssuedClaims(issued, ['list', null])).toHaveLength(3)
    expect(selectIssuedClaims(issued, ['list', 1, 'x'])).toEqual([])
  })
})

describe('checkTypeRules', () => {
  const credential = {
    claims: { agent: 'x', owner: { name: 'Ada' }, list: ['a', 'c'] },
    hiddenElements: [['list', 1]] as const,
    disclosedPaths: [['owner'], ['list', 0]] as const,
  }
  const judge =
    (
      claim: Omit<NonNullable<TypeMetadata['claims']>[number], 'display'>,
      seen: 'complete' | 'presented' = 'complete',
    ) =>
    () =>
      checkTypeRules({ claims: [claim] }, credential, seen)

  test('sd speaks of the claim itself, not of what it stands in [VC-C-04]', () => {
    expect(judge({ path: ['agent'], sd: 'always' })).toThrow(code('type_claim_sd'))
    expect(judge({ path: ['agent'], sd: 'never' })).not.toThrow()
    expect(judge({ path: ['owner'], sd: 'always' })).not.toThrow()
    expect(judge({ path: ['owner'], sd: 'never' })).toThrow(code('type_claim_sd'))
    expect(judge({ path: ['owner', 'name'], sd: 'never' })).not.toThrow()
    expect(judge({ path: ['owner', 'name'], sd: 'always' })).toThrow(code('type_claim_sd'))
    expect(judge({ path: ['agent'], sd: 'allowed' })).not.toThrow()
  })

  test('a hidden array element is there and is disclosable [VC-C-03]', () => {
    expect(judge({ path: ['list', 1], sd: 'always', mandatory: true })).not.toThrow()
    expect(judge({ path: ['list', 1], sd: 'never' })).toThrow(code('type_claim_sd'))
    expect(judge({ path: ['list', null], sd: 'always' })).toThrow(code('type_claim_sd'))
  })

  test('mandatory is judged where everything is seen, and nowhere else [VC-C-05]', () => {
    expect(judge({ path: ['role'], mandatory: true })).toThrow(code('type_claim_mandatory'))
    expect(judge({ path: ['role'], mandatory: true }, 'presented')).not.toThrow()
    expect(judge({ path: ['agent'], mandatory: true })).not.toThrow()
  })

  test('a path that contradicts the claims refuses them; one that selects nothing does not [VC-C-02]', () => {
    expect(judge({ path: ['agent', 'x'] })).toThrow(code('type_claim_path'))
    expect(judge({ path: ['owner', null] })).toThrow(code('type_claim_path'))
    expect(judge({ path: ['owner', 'x'] })).not.toThrow()
  })
})
