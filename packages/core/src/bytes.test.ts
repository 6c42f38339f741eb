import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBase64url, decodeUtf8, encodeBase64url, equalText, isBase64url, utf8 } from './bytes.js'

describe('decodeBase64url', () => {
  test('gives back what encodeBase64url took', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const decoded = decodeBase64url(encodeBase64url(bytes))
        expect(decoded === undefined ? undefined : [...decoded]).toEqual([...bytes])
      }),
    )
  })

  test.each(['QQ==', 'Q', 'QR', 'QUJ', 'QU JD', 'QUJD\n', ' QUJD', 'Q+==', 'a/bc', 'a+bc', 'QUJDR'])(
    'refuses %j: padding, white space, foreign alphabet, impossible length or set trailing bits [SDJWT-D-06]',
    (text) => {
      expect(decodeBase64url(text)).toBeUndefined()
    },
  )

  test('accepts exactly one text per sequence of bytes [SDJWT-D-06]', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const twoCharacterTexts = [...alphabet].map((last) => `A${last}`).filter(isBase64url)
    const threeCharacterTexts = [...alphabet].map((last) => `AA${last}`).filter(isBase64url)

    expect(twoCharacterTexts).toEqual(['AA', 'AQ', 'Ag', 'Aw'])
    expect(threeCharacterTexts).toHaveLength(16)
  })
})

describe('decodeUtf8', () => {
  test('refuses what is not well-formed instead of replacing it', () => {
    expect(decodeUtf8(Uint8Array.of(0xc3, 0x28))).toBeUndefined()
    expect(decodeUtf8(utf8('Mö'))).toBe('Mö')
  })
})

describe('equalText', () => {
  test('is true for equal texts only [SDJWT-D-08]', () => {
    expect(equalText('nonce', 'nonce')).toBe(true)
    expect(equalText('nonce', 'noncf')).toBe(false)
    expect(equalText('nonce', 'nonce ')).toBe(false)
    expect(equalText('', '')).toBe(true)
  })
})
