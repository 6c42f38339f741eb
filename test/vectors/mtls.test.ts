/**
 * Vectors of certificate-bound tokens: RFC 8705, Appendix A.
 *
 * @module
 */
import {
  certificateThumbprint,
  createConfirmation,
  parseConfirmation,
  requireConfirmation,
} from '@attache/oauth'
import { expect, test } from 'vitest'
import sample from './mtls/rfc8705-x5t-s256.json' with { type: 'json' }

const der = Buffer.from(sample.certificate_der_base64, 'base64')
const shown = { certificateThumbprint: certificateThumbprint(der) }

test('the thumbprint of the sample certificate is the published one [MTLS-01]', () => {
  expect(shown.certificateThumbprint).toBe(sample.cnf['x5t#S256'])
  expect(createConfirmation(shown)).toEqual(sample.cnf)
  expect(parseConfirmation(sample.cnf)).toMatchObject(shown)
})

test('a token bound to it is accepted with it, and refused with another or none [MTLS-02]', () => {
  const token = { scheme: 'bearer', confirmation: parseConfirmation(sample.cnf) } as const
  expect(() => requireConfirmation(token, shown)).not.toThrow()
  const other = { certificateThumbprint: certificateThumbprint(der.subarray(1)) }
  for (const wrong of [other, {}]) {
    expect(() => requireConfirmation(token, wrong)).toThrow(
      expect.objectContaining({ code: 'invalid_token' }),
    )
  }
})
