/**
 * Telling the issuer how it went, where it wants to know.
 *
 * Owns when a notification is sent and what it may say. Its outcome never changes what is stored.
 *
 * Source: OpenID4VCI 1.0, section 11.
 *
 * @module
 */
import { type Log, VerificationError } from '@attache/core'
import { makeNotificationRequest, type NotificationEvent } from '@attache/openid4vci'
import type { ClientInstance } from './client-instance.js'
import { callIssuer, type IssuerCallDeps } from './issuer-call.js'

/** How often a notification is tried when the network or the issuer fails. */
const MOST_ATTEMPTS = 2

/** Sends a notification where the issuer gave an id and has an endpoint. Never rejects for what it answers. */
export async function notifyIssuer(
  facts: {
    readonly endpoint: string | undefined
    readonly notificationId: string | undefined
    readonly event: NotificationEvent
    readonly accessToken: string
    readonly client: ClientInstance
  },
  deps: IssuerCallDeps & { readonly log: Log },
): Promise<void> {
  const { endpoint: url, notificationId, event, accessToken, client } = facts
  if (url === undefined || notificationId === undefined) return
  const body = JSON.stringify(makeNotificationRequest({ notificationId, event }))
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
    const status = await statusOf(
      callIssuer({ url, body, contentType: 'application/json', accessToken, client }, deps),
    )
    if (status < 500) {
      if (status >= 400) deps.log.warn('wallet.notification_refused', { status, event })
      return
    }
  }
  deps.log.warn('wallet.notification_failed', { event })
}

// A network failure counts as a server that is down.
async function statusOf(answer: Promise<{ readonly status: number }>): Promise<number> {
  try {
    return (await answer).status
  } catch (error) {
    if (error instanceof VerificationError) return 503
    throw error
  }
}
