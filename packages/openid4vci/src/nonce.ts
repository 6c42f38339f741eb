/**
 * Nonce Response: the fresh `c_nonce` that the next key proofs must carry.
 *
 * Owns both halves of the answer. How a nonce is made and spent is the issuer's.
 *
 * Source: OpenID4VCI 1.0, section 7.2.
 *
 * @module
 */
import type { JsonObject } from '@attache/core'
import { made } from './make-message.js'
import { openMembers, readersFor, required } from './read-members.js'

/**
 * The answer of the Nonce Endpoint.
 *
 * Source: OpenID4VCI 1.0, section 7.2.
 */
export interface NonceResponse {
  readonly cNonce: string
}

/**
 * Makes the body of a Nonce Response. Send it with `Cache-Control: no-store`.
 *
 * @throws {TypeError} `message_refused`: the nonce is empty.
 *
 * Source: OpenID4VCI 1.0, section 7.2.
 */
export function makeNonceResponse(response: NonceResponse): JsonObject {
  return made({ c_nonce: response.cNonce }, parseNonceResponse)
}

/**
 * Reads the body of a Nonce Response.
 *
 * @throws {ProtocolError} `response`: no `c_nonce`.
 *
 * Source: OpenID4VCI 1.0, section 7.2.
 */
export function parseNonceResponse(value: unknown): NonceResponse {
  return { cNonce: required(openMembers(value, '', 'response'), 'c_nonce', readersFor('response').text) }
}
