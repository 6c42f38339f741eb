import { create } from 'qrcode'
import { describe, expect, test } from 'vitest'
import { offerQrCode } from './offer-qr.js'

const LINK = 'openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fid.example.com%2Foffers%2Fsecret'

describe('offerQrCode', () => {
  test('draws every dark module of the code, inside a quiet zone of four', () => {
    const { size, data } = create(LINK, { errorCorrectionLevel: 'M' }).modules
    const drawn = [...offerQrCode(LINK).matchAll(/M(\d+) (\d+)h1v1h-1z/g)].map(
      ([, column, row]) => (Number(row) - 4) * size + Number(column) - 4,
    )
    expect(drawn).toEqual([...data.keys()].filter((at) => data[at] === 1))
  })

  test('scales, has a text alternative, and says nothing of the link in it', () => {
    const svg = offerQrCode(LINK)
    expect(svg).toMatch(/^<svg [^>]*viewBox="0 0 (\d+) \1"[^>]*role="img"/)
    expect(svg).not.toMatch(/<svg[^>]* (width|height)=/)
    expect(svg).toContain('<title id="offer-qr-title">Credential offer as a QR code</title>')
    expect(svg).not.toContain('secret')
  })

  test('refuses a link that no code can hold', () => {
    expect(() => offerQrCode('x'.repeat(3000))).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })
})
