/**
 * What a wallet said about the credentials of one response.
 *
 * Owns the stored form, and the use case that takes a notification: an identical one again changes nothing.
 *
 * Source: OpenID4VCI 1.0, section 11.
 *
 * @module
 */
import {
  type JsonValue,
  type Log,
  type NumericDate,
  ProtocolError,
  type Store,
  type StoreStep,
} from '@attache/core'
import type { NotificationRequest } from '@attache/openid4vci'
import { z } from 'zod'
import { commitOnce, type Guard } from './commit-once.js'
import { checkRecordVersion, type RecordKeys } from './stored-record.js'

/** A stored notification state. */
export type NotificationRecord = {
  readonly v: 1
  readonly grantId: string
  /** Ids of the credentials, as in the register. */
  readonly credentials: readonly string[]
  /** Events so far, each once. */
  readonly events: readonly string[]
  readonly expiresAt: NumericDate
}

// Built once: building a schema costs more than all it reads in a request.
const notificationSchema = z.object({
  v: z.literal(1),
  grantId: z.string(),
  credentials: z.array(z.string()),
  events: z.array(z.string()),
  expiresAt: z.number(),
})

/** Reads a stored notification state. */
export function migrateNotificationRecord(value: JsonValue): NotificationRecord {
  return notificationSchema.parse(checkRecordVersion(value))
}

/** What taking a notification needs. */
export interface RecordNotificationDeps {
  readonly store: Pick<Store, 'get' | 'commit'>
  readonly keys: RecordKeys
  readonly log: Log
}

/**
 * Takes a notification.
 *
 * @throws {ProtocolError} `invalid_notification_id`: unknown, or of another grant.
 */
export async function recordNotification(
  facts: {
    readonly request: NotificationRequest
    readonly grantId: string
    readonly guards: readonly Guard[]
  },
  deps: RecordNotificationDeps,
): Promise<void> {
  const { request, grantId, guards } = facts
  const key = deps.keys.hashed('notification', request.notificationId)
  for (;;) {
    const stored = await deps.store.get(key)
    const record = stored && migrateNotificationRecord(stored.value)
    if (stored === undefined || record?.grantId !== grantId) {
      throw new ProtocolError('invalid_notification_id', 'The access token brought no such notification_id.')
    }
    const known = record.events.includes(request.event)
    const value = { ...record, events: [...record.events, request.event] }
    const step: StoreStep = {
      op: 'replace',
      key,
      version: stored.version,
      value,
      expiresAt: record.expiresAt,
    }
    if (await commitOnce(deps.store, guards, known ? [] : [step])) {
      if (!known)
        deps.log.info('issuer.notified', { said: request.event, credentials: record.credentials.join(' ') })
      return
    }
  }
}
