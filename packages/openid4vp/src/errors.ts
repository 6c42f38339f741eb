/**
 * The error codes a wallet may send to a verifier, and the reasons why a wallet stops without sending any.
 *
 * A code is thrown as `ProtocolError` when it may travel to the verifier; a stop is a `VerificationError`
 * whose code is one of {@link REQUEST_STOPS} and never travels.
 *
 * Source: OpenID4VP 1.0, section 8.5; RFC 9101, section 7; RFC 6749, section 4.1.2.1.
 *
 * @module
 */

/** Error codes of an authorization error response, each with what it says. */
export const OPENID4VP_ERRORS = {
  access_denied: 'No matching credential, no consent, or the holder could not be authenticated.',
  invalid_request: 'The request is malformed or breaks a rule of its Client Identifier Prefix.',
  invalid_scope: 'The requested scope is unknown.',
  invalid_client: 'client_metadata was sent though metadata of this client is registered.',
  unsupported_response_type: 'The response type is not vp_token.',
  vp_formats_not_supported: 'No common credential format or algorithm.',
  invalid_request_uri_method: 'request_uri_method is neither get nor post.',
  invalid_transaction_data: 'A transaction_data entry is unknown, malformed or cannot be covered.',
  wallet_unavailable: 'The wallet cannot answer now.',
  invalid_request_uri: 'The request_uri could not be used.',
  invalid_request_object: 'The Request Object could not be used.',
} as const

/** Why a wallet stops locally, before anything is sent to a verifier. */
export const REQUEST_STOPS = {
  malformed: 'The request cannot be read.',
  limits: 'The request is larger or deeper than a wallet reads.',
  invalid_request: 'The Client Identifier Prefix is unknown, unsupported or its rule is broken.',
  unknown_client: 'The client is not registered here.',
  invalid_request_object: 'The Request Object is encrypted and cannot be opened, or holds nothing signed.',
  typ: 'The Request Object is not of type oauth-authz-req+jwt.',
  signature: 'The Request Object is not signed by the key its client must use.',
  x5c: 'The certificate chain of the Request Object is missing, self-signed or not trusted.',
  attestation: 'The verifier attestation is missing, not trusted, or made for another verifier.',
  client_id_mismatch: 'The client identifiers inside and outside the Request Object differ.',
  aud: 'The Request Object is made for another wallet.',
  expired: 'The Request Object is outside its validity.',
  wallet_nonce: 'The Request Object does not carry the wallet_nonce that was sent.',
  response_uri: 'The response_uri is not bound to the client.',
  expected_origins: 'The request was made for another origin.',
} as const
