/**
 * Every error code of OpenID4VCI in one table per audience.
 *
 * Owns the codes a Credential Issuer answers with, and the codes with which the wallet's half of a message
 * refuses what an issuer sent. OAuth's own codes (`invalid_grant`, …) are in `@attache/oauth`.
 *
 * Source: OpenID4VCI 1.0, sections 8.3.1.2, 9.3 and 11.3.
 *
 * @module
 */

/**
 * What the credential, deferred credential and notification endpoints answer: code -> HTTP status.
 *
 * Source: OpenID4VCI 1.0, sections 8.3.1.2, 9.3 and 11.3.
 */
export const OPENID4VCI_ERRORS: Readonly<Record<string, number>> = {
  invalid_credential_request: 400,
  unknown_credential_configuration: 400,
  unknown_credential_identifier: 400,
  invalid_proof: 400,
  invalid_nonce: 400,
  invalid_encryption_parameters: 400,
  credential_request_denied: 400,
  invalid_transaction_id: 400,
  invalid_notification_id: 400,
  invalid_notification_request: 400,
}

/**
 * The codes with which the wallet's half refuses a message. They never travel: what an issuer sent wrongly
 * ends the issuance session on our side.
 *
 * - `invalid_offer`: a Credential Offer, or the link that carries it.
 * - `metadata`: Credential Issuer Metadata.
 * - `metadata_signature`: signed Credential Issuer Metadata whose signature, type or signer is not accepted.
 * - `issuer_mismatch`: metadata that speaks of another issuer than the one asked.
 * - `encryption`: the issuer publishes no key or algorithm a request could be encrypted with here.
 * - `response`: a nonce, credential or deferred credential answer.
 *
 * Source: OpenID4VCI 1.0, sections 4.1, 7.2, 8.3, 9.2 and 12.2.
 */
export const OPENID4VCI_REFUSALS = [
  'invalid_offer',
  'metadata',
  'metadata_signature',
  'issuer_mismatch',
  'encryption',
  'response',
] as const

/**
 * The codes of a `TypeError`: our own caller asks for a message that must not be made.
 *
 * - `message_refused`: the other half would refuse it.
 * - `metadata_…`: issuer metadata that break the named kind of rule.
 *
 * Source: OpenID4VCI 1.0, section 12.2.4; HAIP 1.0, section 4.1.
 */
export const OPENID4VCI_CONFIGURATION_ERRORS = [
  'message_refused',
  'metadata_identifier',
  'metadata_list',
  'metadata_batch',
  'metadata_encryption',
  'metadata_binding',
  'metadata_scope',
  'metadata_display',
  'metadata_claims',
  'metadata_haip',
] as const
