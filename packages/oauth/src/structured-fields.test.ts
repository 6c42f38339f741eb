import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { componentValue, parseComponent } from './signature-components.js'
import {
  type BareItem,
  type Item,
  type Member,
  parseDictionary,
  parseItem,
  parseList,
  serializeDictionary,
  serializeList,
  serializeMember,
} from './structured-fields.js'

const key = fc.stringMatching(/^[a-z*][a-z0-9_\-.*]{0,5}$/)
const bareItem: fc.Arbitrary<BareItem> = fc.oneof(
  fc.record({
    type: fc.constant('integer' as const),
    value: fc.integer({ min: -999_999, max: 999_999_999 }),
  }),
  fc.record({
    type: fc.constant('decimal' as const),
    value: fc.integer({ min: -99_999, max: 99_999 }).map((thousandths) => thousandths / 1000 || 0),
  }),
  fc.record({ type: fc.constant('string' as const), value: fc.stringMatching(/^[\x20-\x7e]{0,12}$/) }),
  fc.record({
    type: fc.constant('token' as const),
    value: fc.stringMatching(/^[A-Za-z*][A-Za-z0-9:/!#$%&'*+\-.^_`|~]{0,8}$/),
  }),
  fc.record({
    type: fc.constant('bytes' as const),
    value: fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({ type: fc.constant('boolean' as const), value: fc.boolean() }),
)
const parameters = fc
  .uniqueArray(fc.tuple(key, bareItem), { maxLength: 3, selector: ([name]) => name })
  .map((pairs) => new Map(pairs))
const item: fc.Arbitrary<Item> = fc.record({
  kind: fc.constant('item' as const),
  value: bareItem,
  parameters,
})
const member: fc.Arbitrary<Member> = fc.oneof(
  item,
  fc.record({
    kind: fc.constant('inner-list' as const),
    items: fc.array(item, { maxLength: 3 }),
    parameters,
  }),
)
const RUNS = { seed: 13, numRuns: 300 }

describe('structured fields', () => {
  test('a run of spaces inside costs its length, not its square', () => {
    const gap = ' '.repeat(200_000)
    const began = process.cpuUsage()

    expect(parseDictionary(`a=1${gap}b=2`)).toBeUndefined()
    expect(parseItem(`${gap}a${gap}`)).toMatchObject({ value: { type: 'token', value: 'a' } })
    const message = { method: 'GET', url: 'https://a.example/', headers: [['X', ` a${gap}b\t`]] } as const
    expect(componentValue(parseComponent('x'), message)).toBe(`a${gap}b`)
    // With an expression for the end of the text these took a minute of CPU.
    expect(process.cpuUsage(began).user).toBeLessThan(5_000_000)
  })

  test('what is written is read back as it was', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(key, member), { maxLength: 4, selector: ([name]) => name }),
        (pairs) => {
          const dictionary = new Map(pairs)
          expect(parseDictionary(serializeDictionary(dictionary))).toEqual(dictionary)
          const members = pairs.map(([, value]) => value)
          expect(parseList(serializeList(members))).toEqual(members)
          for (const value of members)
            if (value.kind === 'item') expect(parseItem(serializeMember(value))).toEqual(value)
        },
      ),
      RUNS,
    )
  })

  test('the strict form has one spelling [HMS-S-06]', () => {
    const written = parseDictionary(' a=1,    b=2;x=1;y=2,   c=(a   b   c)')
    expect(written && serializeDictionary(written)).toBe('a=1, b=2;x=1;y=2, c=(a b c)')
    const flags = parseDictionary('a=?1, b=?0;c=?1, a')
    expect(flags && serializeDictionary(flags)).toBe('a, b=?0;c')
  })

  test.each([
    'a=1,',
    'a=1,,b=2',
    'A=1',
    'a= 1',
    'a="x',
    'a="\\n"',
    'a="é"',
    'a=:YQ:',
    'a=:YR==:',
    'a=:Y Q==:',
    'a=?2',
    'a=(1 2',
    'a=(1,2)',
    'a=("x""y")',
    'a=1.2345',
    'a=1.',
    'a=1234567890123456',
    'a=1;B=2',
    'a=1 b=2',
    '\ta=1',
  ])('%j is no dictionary [HMS-V-01]', (text) => {
    expect(parseDictionary(text)).toBeUndefined()
  })

  test('never fails, whatever the text holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab1=,;:"()?\\ .*-é\t') }), (text) => {
        const dictionary = parseDictionary(text)
        // What was accepted can be written, and the written form is stable.
        if (dictionary !== undefined) {
          const again = serializeDictionary(dictionary)
          expect(serializeDictionary(parseDictionary(again) ?? new Map())).toBe(again)
        }
        parseList(text)
        parseItem(text)
      }),
      RUNS,
    )
  })
})
