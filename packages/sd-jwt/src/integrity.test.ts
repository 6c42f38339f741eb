import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checkIntegrity, integrityOf } from './integrity.js'

const vector: {
  readonly document_utf8: string
  readonly 'vct#integrity': string
  readonly malformed_integrity_value_printed_in_example: string
} = JSON.parse(
  readFileSync(new URL('../../../test/vectors/sd-jwt-vc/draft19-6-integrity.json', import.meta.url), 'utf8'),
)
const octets = new TextEncoder().encode(vector.document_utf8)
const SHA256 = vector['vct#integrity']
const SHA512 = `sha512-${Buffer.alloc(64, 1).toString('base64')}`
const code = (expected: string) => expect.objectContaining({ code: expected })

describe('checkIntegrity', () => {
  test('accepts the published document under its published value, padded standard base64 [VC-S-01]', () => {
    expect(() => checkIntegrity(octets, SHA256)).not.toThrow()
    expect(integrityOf(octets)).toBe(SHA256)
    expect(SHA256).toBe('sha256-vJKakJAQkDYkIhGrT1M3nxRuSj9udH0l1PXB06QHto8=')
  })

  test.each([
    vector.malformed_integrity_value_printed_in_example,
    SHA256.replace('=', ''),
    `sha256-${Buffer.from(SHA256.slice(7), 'base64').toString('hex')}`,
    `sha256-${'-'.repeat(43)}=`,
    'sha256-',
    'sha256',
  ])('refuses the malformed value %s [VC-S-01]', (value) => {
    expect(() => checkIntegrity(octets, value)).toThrow(code('integrity_malformed'))
  })

  test('covers the octets as received: reformatted JSON does not match [VC-S-02]', () => {
    const reformatted = new TextEncoder().encode(JSON.stringify(JSON.parse(vector.document_utf8)))

    expect(() => checkIntegrity(reformatted, SHA256)).toThrow(code('integrity_mismatch'))
  })

  test('of several values only those of the strongest algorithm count, any of them [VC-S-03]', () => {
    const other = SHA256.replace('vJ', 'vK')

    expect(() => checkIntegrity(octets, `${other} ${SHA256}`)).not.toThrow()
    expect(() => checkIntegrity(octets, `${SHA256} ${SHA512}`)).toThrow(code('integrity_mismatch'))
    expect(() => checkIntegrity(octets, `md5-abc ${SHA256}?option`)).not.toThrow()
  })

  test.each(['', ' ', 'md5-rL0Y20zC+Fzt72VPzMSk2A==', 'sha1-x', 'SHA256-x'])(
    'refuses %j, which names no known algorithm [VC-S-04]',
    (value) => {
      expect(() => checkIntegrity(octets, value)).toThrow(code('integrity_malformed'))
    },
  )
})
