/**
 * Test keys never count in production.
 *
 * Whoever makes keys for tests marks their certificates by the subject; a verifier that meets the mark among its
 * anchors or on its own signer does not start, unless its options say that it is a test. The mark is no secret
 * and protects from a mistake (a test's configuration carried into production), not from an attacker.
 *
 * @module
 */
import { configurationError, VerificationError } from '@attache/core'
import { certificateNames, type Signer, x5cFromPem } from '@attache/keys'
import type { TrustedAttester } from '@attache/oauth'
import type { TrustedIssuer } from './issuer-trust.js'

/** How the common name of every certificate of a test begins. */
export const UNSAFE_SUBJECT_PREFIX = 'UNSAFE '

/** The options that bring certificates, and the one that lets test keys in. */
export interface AnchorOptions {
  readonly trustedIssuers: readonly TrustedIssuer[]
  readonly walletAttesters?: readonly TrustedAttester[]
  readonly allowUnsafeAnchors?: boolean
}

/**
 * Refuses test keys among the anchors and as the verifier's own signer.
 *
 * @throws {TypeError} `unsafe_anchor`: the message names the list.
 */
export function refuseUnsafeAnchors(options: AnchorOptions, signer: Signer): void {
  if (options.allowUnsafeAnchors === true) return
  options.trustedIssuers.forEach(({ anchors = [], statusAnchors = [] }, position) => {
    refuse([...anchors, ...statusAnchors].flatMap(x5cFromPem), `trustedIssuers[${position}]`)
  })
  options.walletAttesters?.forEach(({ anchors }, position) => {
    refuse((anchors?.certificates ?? []).flatMap(x5cFromPem), `walletAttesters[${position}]`)
  })
  refuse(signer.x5c ?? [], 'signer')
}

function refuse(certificates: readonly string[], where: string): void {
  if (!certificates.some(isUnsafe)) return
  throw configurationError(
    'unsafe_anchor',
    `The certificates of ${where} are for tests. Configure real ones, or allowUnsafeAnchors in a test.`,
  )
}

function isUnsafe(certificate: string): boolean {
  try {
    return certificateNames([certificate]).subject.includes(`CN=${UNSAFE_SUBJECT_PREFIX}`)
  } catch (error) {
    // What is no certificate is refused by whoever reads the list.
    if (error instanceof VerificationError) return false
    throw error
  }
}
