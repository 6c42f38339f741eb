/**
 * Deferred Credential Request: the wallet comes back for what was not ready.
 *
 * Owns both halves of the plain body. The answer is `credential-response.ts`.
 *
 * Source: OpenID4VCI 1.0, section 9.1.
 *
 * @module
 */
import { type JsonObject, type JsonValue, member } from '@attache/core'
import { made, wireObject } from './make-message.js'
import { openMembers, readersFor, required } from './read-members.js'

/**
 * A Deferred Credential Request.
 *
 * Source: OpenID4VCI 1.0, section 9.1.
 */
export interface DeferredCredentialRequest {
  readonly transactionId: string
  /** `credential_response_encryption` as received; `parseResponseEncryption` judges it. */
  readonly responseEncryption?: JsonValue | undefined
}

const CODE = 'invalid_credential_request'

/**
 * Makes the body of a Deferred Credential Request.
 *
 * @throws {TypeError} `message_refused`: an empty id.
 *
 * Source: OpenID4VCI 1.0, section 9.1.
 */
export function makeDeferredCredentialRequest(request: DeferredCredentialRequest): JsonObject {
  const wire = wireObject({
    transaction_id: request.transactionId,
    credential_response_encryption: request.responseEncryption,
  })
  return made(wire, parseDeferredCredentialRequest)
}

/**
 * Reads the body of a Deferred Credential Request. Unknown members are ignored.
 *
 * @throws {ProtocolError} `invalid_credential_request`: no `transaction_id`.
 *
 * Source: OpenID4VCI 1.0, section 9.1.
 */
export function parseDeferredCredentialRequest(value: unknown): DeferredCredentialRequest {
  const from = openMembers(value, '', CODE)
  return {
    transactionId: required(from, 'transaction_id', readersFor(CODE).text),
    responseEncryption: member(from.object, 'credential_response_encryption'),
  }
}
