/**
 * Notification Request: the wallet tells what became of the credentials.
 *
 * Owns both halves of the body. The answer is an empty 204.
 *
 * Source: OpenID4VCI 1.0, section 11.1.
 *
 * @module
 */
import type { JsonObject } from '@attache/core'
import { made, wireObject } from './make-message.js'
import { openMembers, optional, readersFor, refusal, required } from './read-members.js'

/**
 * What a wallet can report.
 *
 * Source: OpenID4VCI 1.0, section 11.1.
 */
export type NotificationEvent = 'credential_accepted' | 'credential_failure' | 'credential_deleted'

/**
 * A Notification Request.
 *
 * Source: OpenID4VCI 1.0, section 11.1.
 */
export interface NotificationRequest {
  readonly notificationId: string
  readonly event: NotificationEvent
  /** Printable ASCII without double quote and backslash. */
  readonly eventDescription?: string | undefined
}

const CODE = 'invalid_notification_request'
const EVENTS: readonly NotificationEvent[] = [
  'credential_accepted',
  'credential_failure',
  'credential_deleted',
]
const read = readersFor(CODE)

/**
 * Makes the body of a Notification Request.
 *
 * @throws {TypeError} `message_refused`: an empty id, or characters the description must not have.
 *
 * Source: OpenID4VCI 1.0, section 11.1.
 */
export function makeNotificationRequest(request: NotificationRequest): JsonObject {
  const wire = wireObject({
    notification_id: request.notificationId,
    event: request.event,
    event_description: request.eventDescription,
  })
  return made(wire, parseNotificationRequest)
}

/**
 * Reads the body of a Notification Request. Unknown members are ignored.
 *
 * @throws {ProtocolError} `invalid_notification_request`: a member is missing, unknown or malformed.
 *
 * Source: OpenID4VCI 1.0, sections 11.1 and 11.3.
 */
export function parseNotificationRequest(value: unknown): NotificationRequest {
  const from = openMembers(value, '', CODE)
  const eventDescription = optional(from, 'event_description', read.words)
  if (eventDescription !== undefined && !/^[\x20\x21\x23-\x5B\x5D-\x7E]*$/.test(eventDescription)) {
    throw refusal(from, 'event_description', 'must be printable ASCII without double quote and backslash.')
  }
  return {
    notificationId: required(from, 'notification_id', read.text),
    event: required(from, 'event', read.oneOf(EVENTS)),
    eventDescription,
  }
}
