/**
 * The rules one certificate of a path has to keep, whatever stands beside it.
 *
 * Source: RFC 5280, sections 4.2.1.3, 4.2.1.9, 4.2.1.12, 6.1.3 and 6.1.4.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import type { Certificate } from './certificate.js'
import { refusal } from './error-codes.js'

/** Signature algorithms with SHA-2 only: `node:crypto` would verify SHA-1 and MD5 too. */
const SIGNATURE_ALGORITHMS = new Set([
  '1.2.840.10045.4.3.2', // ecdsa-with-SHA256
  '1.2.840.10045.4.3.3', // ecdsa-with-SHA384
  '1.2.840.10045.4.3.4', // ecdsa-with-SHA512
  '1.2.840.113549.1.1.11', // sha256WithRSAEncryption
  '1.2.840.113549.1.1.12', // sha384WithRSAEncryption
  '1.2.840.113549.1.1.13', // sha512WithRSAEncryption
  '1.3.101.112', // Ed25519
])

/**
 * Refuses a certificate outside its validity.
 *
 * @throws {VerificationError} `certificate_not_yet_valid`, `certificate_expired`.
 */
export function requireValidity(certificate: Certificate, now: NumericDate): void {
  if (now < certificate.notBefore) {
    throw refusal('certificate_not_yet_valid', 'A certificate of the chain is not valid yet.')
  }
  if (now > certificate.notAfter) {
    throw refusal('certificate_expired', 'A certificate of the chain has expired.')
  }
}

/**
 * Refuses a signing certificate that may not sign messages, or that is itself an authority.
 *
 * @throws {VerificationError} `certificate_key_usage`, `certificate_extended_key_usage`, and the codes of
 *   `requireReadable`.
 */
export function requireLeaf(leaf: Certificate, extendedKeyUsage: string | undefined): void {
  requireReadable(leaf)
  const { basicConstraints, keyUsage, extendedKeyUsage: usages } = leaf.extensions
  if (basicConstraints?.ca === true || keyUsage?.digitalSignature === false) {
    throw refusal('certificate_key_usage', 'The signing certificate is not one for signing messages.')
  }
  if (extendedKeyUsage !== undefined && usages?.includes(extendedKeyUsage) !== true) {
    throw refusal(
      'certificate_extended_key_usage',
      `The signing certificate lacks the extended key usage ${extendedKeyUsage}.`,
    )
  }
}

/**
 * Refuses a certificate that signed another one without the right to.
 *
 * @param intermediatesBelow How many certificates stand between it and the leaf.
 * @throws {VerificationError} `certificate_not_ca`, `certificate_key_usage`, `certificate_path_length`, and the
 *   codes of `requireReadable`.
 */
export function requireCertificateAuthority(certificate: Certificate, intermediatesBelow: number): void {
  requireReadable(certificate)
  const { basicConstraints, keyUsage } = certificate.extensions
  if (basicConstraints?.ca !== true) {
    throw refusal('certificate_not_ca', 'A certificate was signed by one that is no authority.')
  }
  if (keyUsage?.keyCertSign === false) {
    throw refusal('certificate_key_usage', 'An authority of the chain may not sign certificates.')
  }
  if (basicConstraints.pathLength !== undefined && basicConstraints.pathLength < intermediatesBelow) {
    throw refusal('certificate_path_length', 'The chain is longer than one of its authorities allows.')
  }
}

/** Refuses what could not be evaluated: unknown critical extensions, name constraints, old hashes. */
function requireReadable(certificate: Certificate): void {
  if (certificate.extensions.unknownCritical.length > 0 || certificate.extensions.nameConstraints) {
    throw refusal(
      'certificate_critical_extension',
      'A certificate carries a restriction that is not understood here.',
    )
  }
  if (!SIGNATURE_ALGORITHMS.has(certificate.signatureAlgorithm)) {
    throw refusal('certificate_weak', 'A certificate is signed with an algorithm not accepted here.')
  }
}
