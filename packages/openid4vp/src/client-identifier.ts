/**
 * Client Identifiers: who asks, and by which rule that can be checked.
 *
 * Owns the split into prefix and original identifier and the making of an `x509_hash` identifier. Whether a
 * request really comes from that client is decided in `request-object.ts`.
 *
 * Source: OpenID4VP 1.0, section 5.9.
 *
 * @module
 */
import { Buffer } from 'node:buffer'
import { encodeBase64url, VerificationError } from '@attache/core'
import { sha256 } from '@attache/keys'

const PREFIXES = [
  'redirect_uri',
  'x509_san_dns',
  'x509_hash',
  'decentralized_identifier',
  'verifier_attestation',
] as const

/** Prefixes this room knows; `pre-registered` stands for an identifier without a prefix. */
export type ClientIdentifierPrefix = (typeof PREFIXES)[number] | 'pre-registered'

/** A Client Identifier, taken apart. */
export interface ClientIdentifier {
  /** The whole text, prefix included: the identifier in every comparison, log and `aud`. */
  readonly full: string
  /** The rule by which the client is recognised. */
  readonly prefix: ClientIdentifierPrefix
  /** What stands after the prefix; the whole text for a pre-registered client. */
  readonly original: string
}

/**
 * Takes a Client Identifier apart at its first colon. The text is not read as a URI.
 *
 * @param text The `client_id` as received.
 * @param isRegistered Tells whether an identifier with an unknown prefix is a client registered here.
 * @throws {VerificationError} `malformed`: no text. `invalid_request`: `origin:`, `openid_federation:`, or an
 * unknown prefix that is no registered client. Nothing is sent to the verifier.
 *
 * Source: OpenID4VP 1.0, sections 5.9.1 to 5.9.3.
 */
export function parseClientIdentifier(
  text: unknown,
  isRegistered: (clientId: string) => boolean = () => false,
): ClientIdentifier {
  if (typeof text !== 'string' || text === '') {
    throw new VerificationError('malformed', 'The request has no client_id.')
  }
  const colon = text.indexOf(':')
  if (colon === -1) return { full: text, prefix: 'pre-registered', original: text }

  const written = text.slice(0, colon)
  const prefix = PREFIXES.find((known) => known === written)
  if (prefix !== undefined) return { full: text, prefix, original: text.slice(colon + 1) }
  if (written === 'origin') {
    throw new VerificationError('invalid_request', 'The prefix origin is reserved and never accepted.')
  }
  if (written === 'openid_federation') {
    throw new VerificationError('invalid_request', 'The prefix openid_federation is not supported here.')
  }
  if (isRegistered(text)) return { full: text, prefix: 'pre-registered', original: text }
  throw new VerificationError('invalid_request', 'The Client Identifier Prefix is not known.')
}

/**
 * Makes the `x509_hash` Client Identifier of a certificate.
 *
 * @param leaf The leaf certificate as in `x5c`: standard base64 of the DER bytes.
 * @returns `x509_hash:` and the unpadded base64url SHA-256 of the DER bytes.
 *
 * Source: OpenID4VP 1.0, section 5.9.3.
 */
export function x509HashClientIdentifier(leaf: string): string {
  return `x509_hash:${encodeBase64url(sha256(Buffer.from(leaf, 'base64')))}`
}
