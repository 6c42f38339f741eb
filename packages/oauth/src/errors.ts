/**
 * The error codes of OAuth, one table for each audience: code -> HTTP status.
 *
 * Owns which status travels with a code. Does not decide when a code is used; the files of the messages do.
 * Adding a code is compatible, renaming one is not.
 *
 * Source: RFC 6749, section 5.2; RFC 6750, section 3.1; RFC 9449, sections 5, 7.1, 8 and 9.
 *
 * @module
 */

/**
 * What an authorization server answers: at the token, pushed authorization request and challenge endpoints.
 *
 * Source: RFC 6749, sections 4.1.2.1 and 5.2; RFC 9449, sections 5 and 8; attestation-based client
 * authentication -11, section 7.4; first-party apps -03, section 5.2.2; OpenID4VCI 1.1, section 6.2.
 */
export const OAUTH_ERRORS = {
  /** The request misses, repeats or malforms a parameter. */
  invalid_request: 400,
  /** Client authentication failed. */
  invalid_client: 401,
  /** The code, pre-authorized code, refresh token or a proof bound to it is not good (any more). */
  invalid_grant: 400,
  /** This client may not use this grant or endpoint. */
  unauthorized_client: 400,
  /** The grant type is not offered here. */
  unsupported_grant_type: 400,
  /** The response type is not offered here. */
  unsupported_response_type: 400,
  /** The scope is unknown, malformed or more than was granted. */
  invalid_scope: 400,
  /** The resource named by `resource` is unknown or not allowed (RFC 8707). */
  invalid_target: 400,
  /** An authorization detail is unknown or malformed (RFC 9396). */
  invalid_authorization_details: 400,
  /** The request was refused, or a presentation did not satisfy it. */
  access_denied: 400,
  /** The pushed request reference is unknown, used or expired (RFC 9126, RFC 9101). */
  invalid_request_uri: 400,
  /** The signed request object is malformed (RFC 9101). */
  invalid_request_object: 400,
  /** The DPoP proof is missing or a check of it failed. */
  invalid_dpop_proof: 400,
  /** Make a new DPoP proof with the nonce of this answer's `DPoP-Nonce`. */
  use_dpop_nonce: 400,
  /** Make a new attestation proof with the challenge of this answer's header. */
  use_attestation_challenge: 400,
  /** The client attestation is older than the policy of this server allows. */
  use_fresh_attestation: 400,
  /** The client attestation failed a check; a finer word for `invalid_client`. */
  invalid_client_attestation: 400,
  /** Take the further step that this answer describes. */
  insufficient_authorization: 401,
  /** The `auth_session` is unknown, expired or belongs to another key. */
  invalid_session: 400,
  /** Only a browser can complete this request. */
  redirect_to_web: 400,
  /** None of the offered interaction types can complete the process. */
  missing_interaction_type: 400,
  /** The grant is not decided yet; ask again later. */
  authorization_pending: 400,
  /** Ask less often. */
  slow_down: 400,
  /** The body is larger than this endpoint reads. */
  request_too_large: 413,
  /** A fault on this side. */
  server_error: 500,
  /** Too busy; try again later. */
  temporarily_unavailable: 503,
} as const

/**
 * What a protected resource answers; all of them but the last three carry a `WWW-Authenticate` field.
 *
 * Source: RFC 6750, section 3.1; RFC 9449, sections 7.1 and 9; RFC 9470, section 3; RFC 9421, section 5.
 */
export const PROTECTED_RESOURCE_ERRORS = {
  /** More than one method of sending a token, or a malformed one. */
  invalid_request: 400,
  /** The token is missing, expired, for another audience or bound to another key. */
  invalid_token: 401,
  /** The token grants less than this call needs. */
  insufficient_scope: 403,
  /** A stronger or fresher authentication is needed. */
  insufficient_user_authentication: 401,
  /** The DPoP proof is missing or a check of it failed. */
  invalid_dpop_proof: 401,
  /** Make a new DPoP proof with the nonce of this answer's `DPoP-Nonce`. */
  use_dpop_nonce: 401,
  /** Make a new attestation proof with the challenge of this answer's header. */
  use_attestation_challenge: 401,
  /** The client attestation is older than the policy of this server allows. */
  use_fresh_attestation: 401,
  /** The client attestation failed a check. */
  invalid_client: 401,
  /** The message signature is missing or a check of it failed; `Accept-Signature` says what is wanted. */
  invalid_signature: 401,
  /** The body is larger than this route reads. */
  request_too_large: 413,
  /** A fault on this side. */
  server_error: 500,
} as const

/**
 * Why a client does not go on with an answer it received: our codes, which never travel.
 *
 * Source: requirements/sender-constraint.md, sections 1.1 and 4; RFC 9207, section 2.4.
 */
export const OAUTH_ANSWER_FAILURES = {
  answer_malformed: 'The answer misses or malforms a member that its standard requires.',
  token_type_not_dpop: 'The token is not bound to our key although we asked for that.',
  metadata_identifier_mismatch: 'The metadata speaks for another identifier than the one it was fetched for.',
  metadata_signature: 'The signed metadata is not signed by a trusted key.',
  authorization_server_not_trusted: 'The resource names no authorization server that is trusted here.',
  authorization_response_issuer: 'The authorization response comes from another issuer.',
  authorization_response_state: 'The authorization response answers another request.',
  www_authenticate_malformed: 'The WWW-Authenticate field does not parse.',
  interaction_type_not_offered: 'The server asks for an interaction that was not offered.',
  accept_signature: 'The wanted signature cannot be made as it is wanted.',
  response_signature: 'The response is not signed as it was asked to be.',
} as const

/**
 * Which check of a message signature or attester failed: our codes, for logs. They are causes of
 * `invalid_signature`, `invalid_client` and `response_signature`, and never travel themselves.
 *
 * Source: RFC 9421, sections 2.5 and 3.2; attestation-based client authentication -11, section 7.1.
 */
export const OAUTH_CHECK_FAILURES = {
  signature_missing: 'The message has no signature of the tag that is asked for.',
  signature_ambiguous: 'The message has two signatures of the tag that is asked for.',
  signature_fields: 'Signature-Input or Signature does not parse.',
  signature_component: 'A component is unknown, absent, repeated or cannot be covered.',
  signature_coverage: 'The signature does not cover what it must, or covers what it must not.',
  signature_parameters: 'A parameter of the signature is missing or malformed.',
  signature_times: 'The signature is expired, too old, too long-lived or from the future.',
  signature_key: 'The key is not the one that counts here, or its algorithm is not accepted.',
  signature_invalid: 'The signature does not hold for this message.',
  attester_not_trusted: 'No configured attester vouches for this client.',
} as const

/**
 * What a caller of this room can get wrong: codes of the `TypeError` that says so.
 *
 * Source: RFC 8414, section 2; RFC 9728, section 2; RFC 9449, section 8.
 */
export const OAUTH_CONFIGURATION_ERRORS = {
  claim_reserved: 'A further claim has the name of one the access token itself owns.',
  message_unusable: 'A message has a value that the other half would refuse.',
  nonce_lifetime: 'A nonce lives between 1 and 300 seconds.',
  origin_invalid: 'The public origin is an absolute URI without query or fragment.',
  resource_identifier_invalid: 'A resource identifier is an https URL without fragment.',
  www_authenticate_invalid: 'A challenge has a name or value the syntax cannot carry.',
} as const
