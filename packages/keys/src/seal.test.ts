import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createSeal } from './seal.js'

const NOW = 1_790_000_000
const random = (byteCount: number) => new Uint8Array(randomBytes(byteCount))
const deps = { random }
const [old, fresh] = [
  { id: 'k1', key: new Uint8Array(32).fill(1) },
  { id: 'k2', key: new Uint8Array(32).fill(2) },
]
const seal = createSeal([old], deps)
const options = { purpose: 'c_nonce', expiresAt: NOW + 60 }
const opening = { purpose: 'c_nonce', now: NOW }

describe('createSeal', () => {
  test('opens what it sealed, for the same purpose, before its expiry', () => {
    for (const content of [null, 0, '', 'x', ['a'], { a: { b: [1, null] } }]) {
      expect(seal.open(seal.seal(content, options), opening)).toEqual(content)
    }
    const text = seal.seal({ a: 1 }, options)
    expect(seal.open(text, { ...opening, now: NOW + 59 })).toEqual({ a: 1 })
    expect(seal.open(text, { ...opening, now: NOW + 60 })).toBeUndefined()
    expect(seal.open(text, { ...opening, purpose: 'state' })).toBeUndefined()
  })

  test('writes texts that fit URLs and headers, never two alike, and shows nothing', () => {
    const texts = Array.from({ length: 50 }, () => seal.seal('secret', options))
    expect(new Set(texts).size).toBe(50)
    for (const text of texts) {
      expect(text).toMatch(/^k1\.[\w-]+$/)
      expect(Buffer.from(text.slice(3), 'base64url').toString('latin1')).not.toContain('secret')
    }
  })

  test('refuses every changed character, cut, extension and other spelling', () => {
    const text = seal.seal('x', options)
    for (let at = 0; at < text.length; at += 1) {
      const changed = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
      expect(seal.open(changed, opening)).toBeUndefined()
    }
    const others = ['', '.', 'k1', 'k1.', 'k1.AAAA', text.slice(0, -1), `${text}A`, `${text}=`, ` ${text}`]
    for (const other of [...others, text.slice(3), `k9${text.slice(2)}`, `k1.${'A'.repeat(9000)}`]) {
      expect(seal.open(other, opening)).toBeUndefined()
    }
  })

  test('turns keys over: the first one seals, all of them open', () => {
    const both = createSeal([fresh, old], deps)
    const before = seal.seal('x', options)
    expect(both.open(before, opening)).toBe('x')
    expect(both.seal('x', options)).toMatch(/^k2\./)
    expect(createSeal([fresh], deps).open(before, opening)).toBeUndefined()
    expect(createSeal([{ ...old, key: fresh.key }], deps).open(before, opening)).toBeUndefined()
  })

  test('refuses unsound keys at the start', () => {
    const unsound = [
      [],
      [old, old],
      [{ id: 'k', key: new Uint8Array(16) }],
      [{ id: 'a.b', key: old.key }],
      [{ ...old, id: '' }],
    ]
    for (const keys of unsound) {
      expect(() => createSeal(keys, deps)).toThrow(expect.objectContaining({ code: 'seal_keys_invalid' }))
    }
  })
})
