/**
 * The two texts certificates travel in: `x5c` arrays and PEM.
 *
 * Source: RFC 7515, section 4.1.6 (standard base64, not base64url); RFC 7468, section 5.
 *
 * @module
 */
import type { VerificationError } from '@attache/core'
import { type Certificate, parseCertificate } from './certificate.js'
import { refusal } from './error-codes.js'

const MAX_CERTIFICATE_CHARACTERS = 16_384

/**
 * Decodes an `x5c` member.
 *
 * @throws {VerificationError} `certificate_malformed`: empty, not standard base64, or not a certificate.
 *
 * Source: RFC 7515, section 4.1.6.
 */
export function decodeX5c(x5c: readonly unknown[]): readonly [Certificate, ...Certificate[]] {
  const [leaf, ...rest] = x5c.map((text) => {
    const der = typeof text === 'string' ? decodeStandardBase64(text) : undefined
    const certificate = der === undefined ? undefined : parseCertificate(der)
    if (certificate !== undefined) return certificate
    throw malformed('An entry of x5c is not a DER certificate in standard base64.')
  })
  if (leaf === undefined) throw malformed('The certificate chain is empty.')
  return [leaf, ...rest]
}

/**
 * Reads the `x5c` of a header from outside.
 *
 * @returns `undefined` when the member is absent.
 * @throws {VerificationError} `certificate_malformed`: present, but not an array of texts.
 *
 * Source: RFC 7515, section 4.1.6.
 */
export function parseX5c(value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (Array.isArray(value) && value.length > 0) {
    const texts = value.filter((entry) => typeof entry === 'string')
    if (texts.length === value.length) return texts
  }
  throw malformed('The header member x5c must be an array of base64 texts.')
}

/**
 * Reads the certificates of a PEM text as `x5c` entries, in the order they stand there.
 *
 * @returns Empty when the text holds no certificate.
 *
 * Source: RFC 7468, section 5.
 */
export function x5cFromPem(pem: string): readonly string[] {
  return derFromPem(pem).map((der) => Buffer.from(der).toString('base64'))
}

/** DER of each certificate of a PEM text. */
export function derFromPem(pem: string): readonly Uint8Array[] {
  const blocks = pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)
  return [...blocks].map(([, body = '']) => new Uint8Array(Buffer.from(body, 'base64')))
}

/** One certificate, standard base64 of DER, as PEM. */
export function pemOf(der: string): string {
  const lines = der.match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

/** Strict: the bytes must encode back to the same text. */
function decodeStandardBase64(text: string): Uint8Array | undefined {
  if (text.length > MAX_CERTIFICATE_CHARACTERS) return undefined
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined
}

function malformed(message: string): VerificationError {
  return refusal('certificate_malformed', message)
}
