import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  canonicalJson,
  isJsonObject,
  isJsonValue,
  type JsonValue,
  member,
  parseJson,
  setMember,
} from './json.js'

const reasonOf = (text: string, maxDepth = 16) => {
  const result = parseJson(text, { maxDepth })
  return result.ok ? undefined : result.reason
}

describe('parseJson', () => {
  test('reads whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value)
        const result = parseJson(text)
        expect(result.ok && JSON.stringify(result.value)).toBe(text)
      }),
    )
  })

  test.each([
    '{"sub":"a","sub":"b"}',
    '{"a":{"b":1,"b":2}}',
    '[{"x":1},{"y":1,"z":[],"y":2}]',
    '{"a":1,"\\u0061":2}',
    '{"__proto__":1,"__proto__":2}',
    '{"a":{"k":1},"b":[1,{"k":2}],"a":3}',
  ])('refuses %s: a member named twice [SDJWT-D-07]', (text) => {
    expect(reasonOf(text)).toBe('duplicate_member')
  })

  test.each([
    '{"a":"b,\\"a\\":1","c":"a"}',
    '{"a":["a","a"],"b":{"a":1}}',
    '{"\\\\":"\\\\","\\"":1}',
    '{"a":"x\\\\","b":1}',
  ])('does not take %s for a repeated member', (text) => {
    expect(reasonOf(text)).toBeUndefined()
  })

  test('counts nesting before anything is built', () => {
    expect(reasonOf('[[[1]]]', 3)).toBeUndefined()
    expect(reasonOf('[[[[1]]]]', 3)).toBe('too_deep')
    expect(reasonOf('['.repeat(100_000), 32)).toBe('too_deep')
    expect(reasonOf('{"a":"[[[[[["}', 1)).toBeUndefined()
  })

  test.each([
    '',
    '{',
    '"',
    '"\\',
    '{"a"}',
    '{"a":1,}',
    '01',
    'NaN',
    // A number by its grammar, but none that could be written again.
    '[1e999]',
    '{"exp":-1e999}',
    `${'9'.repeat(400)}`,
    "{'a':1}",
    '{} {}',
    '\ufeff{}',
    ']',
    '}{',
  ])('refuses %j: not JSON', (text) => {
    expect(reasonOf(text)).toBe('syntax')
  })

  test('never throws, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', 'a', '1') }),
        (text) => {
          expect(typeof parseJson(text).ok).toBe('boolean')
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('member', () => {
  test('reads own members only; prototype-like names are ordinary [SDJWT-V-22]', () => {
    const parsed = parseJson('{"constructor":1,"__proto__":{"admin":true}}')
    const object = parsed.ok && isJsonObject(parsed.value) ? parsed.value : {}

    expect(member(object, 'constructor')).toBe(1)
    expect(member(object, '__proto__')).toEqual({ admin: true })
    expect(member(object, 'toString')).toBeUndefined()
    expect(member(object, 'admin')).toBeUndefined()
  })
})

describe('setMember', () => {
  test('makes __proto__ a member and changes no prototype [SDJWT-V-22]', () => {
    const target: Record<string, JsonValue> = {}
    setMember(target, '__proto__', { admin: true })

    expect(Object.getPrototypeOf(target)).toBe(Object.prototype)
    expect(JSON.stringify(target)).toBe('{"__proto__":{"admin":true}}')
  })
})

describe('isJsonValue', () => {
  test('refuses what JSON cannot say', () => {
    expect(isJsonValue({ a: [1, 'x', null, true] })).toBe(true)
    expect(isJsonValue({ a: undefined })).toBe(false)
    expect(isJsonValue(Number.NaN)).toBe(false)
    expect(isJsonValue([() => 1])).toBe(false)
  })
})

describe('canonicalJson', () => {
  test('gives equal values equal texts', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true })).toBe(
      '{"a":true,"b":[1,{"c":"x","d":null}]}',
    )
  })
})
