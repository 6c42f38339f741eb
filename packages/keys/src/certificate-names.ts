/**
 * What our own signing certificate calls us; for configuration checks, never for trust.
 *
 * @module
 */
import { decodeX5c } from './x5c.js'

/** Names of a leaf certificate. */
export interface CertificateNames {
  readonly dnsNames: readonly string[]
  readonly uris: readonly string[]
  /** SHA-256 of the DER, base64url: the value behind `x509_hash:`. */
  readonly sha256: string
  /** For people and logs, one line: `CN=api.example`. */
  readonly subject: string
}

/**
 * Reads the names of the first certificate of a chain, without judging the chain.
 *
 * @throws {VerificationError} `certificate_malformed`.
 *
 * Source: RFC 5280, section 4.2.1.6.
 */
export function certificateNames(x5c: readonly string[]): CertificateNames {
  const [leaf] = decodeX5c(x5c)
  const { dnsNames, uris } = leaf.extensions
  return { dnsNames, uris, sha256: leaf.sha256, subject: leaf.subject }
}
