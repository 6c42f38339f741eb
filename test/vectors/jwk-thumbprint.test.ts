import { jwkThumbprint, parsePublicJwk, sha256 } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import uri from './jwk-thumbprint/rfc9278-thumbprint-uri.json' with { type: 'json' }
import vectors from './jwk-thumbprint/thumbprints.json' with { type: 'json' }

describe('jwkThumbprint', () => {
  test.each(vectors.cases)('gives the published value of $source', ({ jwk, thumbprint }) => {
    expect(jwkThumbprint(parsePublicJwk(jwk))).toBe(thumbprint)
  })

  test('hashes the published canonical JSON to the published bytes', () => {
    for (const { canonical_json_hex: json, sha256_hex: hash } of vectors.cases) {
      if (json === undefined || hash === undefined) continue
      expect(Buffer.from(sha256(Buffer.from(json, 'hex'))).toString('hex')).toBe(hash)
    }
    expect(vectors.cases.some(({ canonical_json_hex: json }) => json !== undefined)).toBe(true)
  })

  test('is what a thumbprint URI of RFC 9278 ends with', () => {
    const [first] = vectors.cases
    expect(uri.uri).toBe(`urn:ietf:params:oauth:jwk-thumbprint:sha-256:${uri.thumbprint}`)
    expect(first && jwkThumbprint(parsePublicJwk(first.jwk))).toBe(uri.thumbprint)
  })
})
