/**
 * Vectors of Content-Digest: the samples of RFC 9530.
 *
 * @module
 */
import { chooseDigestAlgorithm, createContentDigest, verifyContentDigest } from '@attache/oauth'
import { describe, expect, test } from 'vitest'
import samples from './content-digest/rfc9530-samples.json' with { type: 'json' }

type Sample = (typeof samples.cases)[number]

function contentOf(sample: Sample): Buffer {
  if ('content_hex' in sample && sample.content_hex) return Buffer.from(sample.content_hex, 'hex')
  return Buffer.from(sample.content_utf8 ?? '', 'utf8')
}

function digestsOf(sample: Sample): [name: string, value: string][] {
  return Object.entries(sample).flatMap(([name, value]): [string, string][] =>
    /^sha-(256|512)$/.test(name) && typeof value === 'string' ? [[name, value]] : [],
  )
}

describe('samples of RFC 9530', () => {
  samples.cases.forEach((sample, index) => {
    test(`sample ${index}: made and verified over the bytes as they travel [CD-02] [CD-04] [CD-06]`, () => {
      const content = contentOf(sample)
      for (const [name, value] of digestsOf(sample)) {
        const field = `${name}=:${value}:`
        if (name === 'sha-256' || name === 'sha-512') expect(createContentDigest(content, name)).toBe(field)
        expect(() => verifyContentDigest(field, content)).not.toThrow()
        const changed = Buffer.concat([content, Buffer.from('x')])
        expect(() => verifyContentDigest(field, changed)).toThrow(
          expect.objectContaining({ code: 'invalid_signature' }),
        )
      }
    })
  })

  test('both digests of one sample hold together, and one wrong one spoils both [CD-05]', () => {
    const [first, second] = samples.cases
    if (first === undefined || second === undefined) throw new Error('no samples')
    const both = `sha-256=:${first['sha-256']}:, sha-512=:${first['sha-512']}:`
    expect(() => verifyContentDigest(both, contentOf(first))).not.toThrow()
    const mixed = `sha-256=:${first['sha-256']}:, sha-512=:${second['sha-512']}:`
    expect(() => verifyContentDigest(mixed, contentOf(first))).toThrow('does not fit')
  })

  test('md5 and sha never suffice, though they fit [CD-03]', () => {
    const [first] = samples.cases
    if (first === undefined) throw new Error('no samples')
    for (const field of [
      `md5=:${first.md5_deprecated}:`,
      `sha=:${first.sha_deprecated}:`,
      'unixsum=30637, crc32c=:AAAA:',
    ]) {
      expect(() => verifyContentDigest(field, contentOf(first))).toThrow('sha-256 or sha-512')
    }
  })

  for (const want of samples.want_content_digest) {
    test(`Want-Content-Digest ${want.field} prefers ${want.preferred} [CD-02]`, () => {
      expect(chooseDigestAlgorithm(want.field)).toBe(want.preferred)
    })
  }

  test('a peer that wants only what does not count gets nothing [CD-03]', () => {
    expect(chooseDigestAlgorithm('unixsum=10, sha-256=0')).toBeUndefined()
    expect(chooseDigestAlgorithm(undefined)).toBe('sha-256')
  })
})
