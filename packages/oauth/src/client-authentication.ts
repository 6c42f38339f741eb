/**
 * Client authentication methods: their names in metadata, and that a request uses one of them.
 *
 * Owns the refusal of a second method beside the attestation. The methods themselves are in
 * `client-attestation.ts` and `mtls.ts`.
 *
 * Source: RFC 6749, section 2.3; attestation-based client authentication -11, sections 7.1 (7), 7.5 and 8.
 *
 * @module
 */
import { ProtocolError } from '@attache/core'
import type { FormParameters } from './form.js'

/** Values of `token_endpoint_auth_methods_supported`. */
export const CLIENT_AUTHENTICATION_METHODS = {
  /** Attestation with a PoP JWT. */
  attestation: 'attest_jwt_client_auth',
  /** Attestation with a DPoP proof by the same key in place of the PoP. */
  attestationWithDpop: 'attest_jwt_client_auth_dpop',
  /** Certificate of a known authority. */
  tlsClient: 'tls_client_auth',
  /** Registered certificate key. */
  selfSignedTlsClient: 'self_signed_tls_client_auth',
  /** None: public clients. */
  none: 'none',
} as const

const OTHER_PARAMETERS = ['client_assertion', 'client_assertion_type', 'client_secret']

/**
 * Refuses a request that authenticates its client in a second way: who it is would depend on who looks.
 *
 * @param request.authorization The `Authorization` field; at these endpoints it can only name a client.
 * @throws {ProtocolError} `invalid_client`.
 *
 * Source: RFC 6749, section 2.3; attestation-based client authentication -11, section 7.5.
 */
export function refuseSecondAuthentication(request: {
  readonly form: FormParameters
  readonly authorization: string | null
}): void {
  if (request.authorization === null && !OTHER_PARAMETERS.some((name) => request.form.has(name))) return
  throw new ProtocolError('invalid_client', 'Authenticate the client in one way only.')
}
