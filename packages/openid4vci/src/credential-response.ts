/**
 * Credential Response: the credentials, or the promise of them.
 *
 * Owns both halves, for the credential and the deferred credential endpoint alike. Encryption of the answer
 * is `message-encryption.ts`; whether a credential is any good is for the wallet.
 *
 * Source: OpenID4VCI 1.0, sections 8.3 and 9.2.
 *
 * @module
 */
import { type JsonObject, type JsonValue, member, ProtocolError } from '@attache/core'
import { made, wireObject } from './make-message.js'
import { type Members, openMembers, optional, readersFor, required } from './read-members.js'

/**
 * A Credential Response: `issued` travels with status 200, `pending` with 202.
 *
 * Source: OpenID4VCI 1.0, section 8.3.
 */
export type CredentialResponse =
  | {
      readonly state: 'issued'
      /** The credentials as the format defines them; for `dc+sd-jwt` compact texts. */
      readonly credentials: readonly string[]
      readonly notificationId?: string | undefined
    }
  | {
      readonly state: 'pending'
      readonly transactionId: string
      /** Whole seconds to wait before asking again. */
      readonly interval: number
    }

const read = readersFor('response')

/**
 * Makes status and body of a Credential Response.
 *
 * @throws {TypeError} `message_refused`: no credentials, or an interval that is not positive.
 *
 * Source: OpenID4VCI 1.0, section 8.3.
 */
export function makeCredentialResponse(response: CredentialResponse): {
  readonly status: 200 | 202
  readonly body: JsonObject
} {
  if (response.state === 'pending') {
    const pending = { transaction_id: response.transactionId, interval: response.interval }
    return { status: 202, body: made(pending, (wire) => parseCredentialResponse(202, wire)) }
  }
  const issued = wireObject({
    credentials: response.credentials.map((credential) => ({ credential })),
    notification_id: response.notificationId,
  })
  return { status: 200, body: made(issued, (wire) => parseCredentialResponse(200, wire)) }
}

/**
 * Reads a Credential Response or a Deferred Credential Response.
 *
 * @param status HTTP status of the answer.
 * @param body The JSON body, decrypted where it was encrypted.
 * @throws {ProtocolError} `response`: another status, members of both forms, or a malformed member.
 *
 * Source: OpenID4VCI 1.0, sections 8.3 and 9.2.
 */
export function parseCredentialResponse(status: number, body: unknown): CredentialResponse {
  const from = openMembers(body, '', 'response')
  if (status === 200) return parseIssued(from)
  if (status === 202) return parsePending(from)
  throw new ProtocolError('response', 'A Credential Response has status 200 or 202.')
}

function parseIssued(from: Members): CredentialResponse {
  refuseMembers(from, ['transaction_id', 'interval'])
  const credentials = required(
    from,
    'credentials',
    read.list((value, path) => required(openMembers(value, path, 'response'), 'credential', read.text)),
  )
  return { state: 'issued', credentials, notificationId: optional(from, 'notification_id', read.text) }
}

function parsePending(from: Members): CredentialResponse {
  refuseMembers(from, ['credentials', 'notification_id'])
  return {
    state: 'pending',
    transactionId: required(from, 'transaction_id', read.text),
    interval: required(from, 'interval', readSeconds),
  }
}

// The standard allows any positive number; a part of a second more does no harm to anybody.
function readSeconds(value: JsonValue, path: string): number {
  return read.integer(1)(typeof value === 'number' ? Math.ceil(value) : value, path)
}

function refuseMembers(from: Members, names: readonly string[]): void {
  const mixed = names.find((name) => member(from.object, name) !== undefined)
  if (mixed !== undefined) {
    throw new ProtocolError('response', `${mixed} does not belong into an answer with this status.`)
  }
}
