/**
 * `#integrity`: what some octets must hash to.
 *
 * Source: SD-JWT VC (draft 19), section 6; W3C Subresource Integrity, section 3.
 *
 * @module
 */
import { hash } from 'node:crypto'
import { equalText } from '@attache/core'
import { refusal } from './errors.js'

const STRENGTH = ['sha256', 'sha384', 'sha512'] as const
type SriAlgorithm = (typeof STRENGTH)[number]

const BASE64_LENGTH: Readonly<Record<SriAlgorithm, number>> = { sha256: 44, sha384: 64, sha512: 88 }
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/**
 * The integrity value of some octets, to be put beside a reference to them.
 *
 * Source: SD-JWT VC, section 6.
 */
export function integrityOf(octets: Uint8Array): string {
  return `sha256-${hash('sha256', octets, 'base64')}`
}

/**
 * Checks octets as received against an integrity value.
 *
 * @param octets After transfer decoding and before any parsing.
 * @param integrity One or more values separated by spaces; only those of the strongest known algorithm count,
 *   and one of them must match.
 * @throws {VerificationError} `integrity_malformed`: no value of a known algorithm, or a known algorithm with a
 *   value that is not padded standard base64 of the right length; `integrity_mismatch`.
 *
 * Source: SD-JWT VC, section 6; W3C SRI, sections 3.3 and 3.5.
 */
export function checkIntegrity(octets: Uint8Array, integrity: string): void {
  const values = integrity.split(/[ \t\n\f\r]+/).flatMap(parseIntegrityValue)
  const strongest = STRENGTH.findLast((algorithm) => values.some((value) => value.algorithm === algorithm))
  if (strongest === undefined) throw refusal('integrity_malformed')

  const actual = hash(strongest, octets, 'base64')
  const matches = values.some(({ algorithm, digest }) => algorithm === strongest && equalText(digest, actual))
  if (!matches) throw refusal('integrity_mismatch')
}

function parseIntegrityValue(text: string): readonly { algorithm: SriAlgorithm; digest: string }[] {
  const [name = '', ...rest] = text.split('-')
  const algorithm = STRENGTH.find((known) => known === name)
  // Unknown algorithms are skipped; a known one with a broken value is a mistake that must not be skipped.
  if (algorithm === undefined) return []
  const [digest = ''] = rest.join('-').split('?')
  if (!BASE64.test(digest) || digest.length !== BASE64_LENGTH[algorithm]) throw refusal('integrity_malformed')
  return [{ algorithm, digest }]
}
