/**
 * Handing out credentials: made, committed with everything they depend on, answered.
 *
 * Owns the commit that the immediate and the deferred way share.
 *
 * Source: OpenID4VCI 1.0, sections 8.3, 9.2 and 11 (`notification_id`).
 *
 * @module
 */
import { type NumericDate, randomText, type Store, type StoreStep } from '@attache/core'
import type { PublicJwk } from '@attache/keys'
import type { CredentialResponse } from '@attache/openid4vci'
import { commitOnce, type Guard } from './commit-once.js'
import type { CredentialSubject } from './credential-subject.js'
import type { CredentialTemplate } from './credential-template.js'
import { type MadeCredentials, type MakeCredentialsDeps, makeCredentials } from './make-credentials.js'
import type { NotificationRecord } from './notification-record.js'

/** What handing out needs. */
export interface DeliverCredentialsDeps extends MakeCredentialsDeps {
  readonly store: Pick<Store, 'get' | 'commit'>
  /** Whether answers carry a `notification_id`. */
  readonly notifications: boolean
}

// An index that somebody else took meanwhile is rare: the lists are large. More in a row is a fault.
const MAX_COMMITS = 8

/** Makes, commits and answers. The guards' refusals are thrown when something was used before. */
export async function deliverCredentials(
  facts: {
    readonly template: CredentialTemplate
    readonly subject: CredentialSubject
    readonly holderKeys: readonly PublicJwk[]
    readonly grantId: string
    readonly guards: readonly Guard[]
    /** Further steps of the same commit. */
    readonly steps: readonly StoreStep[]
    readonly now: NumericDate
  },
  deps: DeliverCredentialsDeps,
): Promise<CredentialResponse> {
  const { template, subject, holderKeys, now } = facts
  for (let turn = 0; turn < MAX_COMMITS; turn += 1) {
    const made = await makeCredentials({ template, ...subject, holderKeys, now }, deps)
    const notification = deps.notifications ? notificationOf(made, facts.grantId, deps) : undefined
    const steps = [...facts.steps, ...made.steps, ...(notification ? [notification.step] : [])]
    if (await commitOnce(deps.store, facts.guards, steps)) {
      return { state: 'issued', credentials: made.credentials, notificationId: notification?.id }
    }
  }
  throw new Error('The store moved at every attempt to issue.')
}

function notificationOf(
  made: MadeCredentials,
  grantId: string,
  deps: DeliverCredentialsDeps,
): { readonly id: string; readonly step: StoreStep } {
  const id = randomText(deps.random)
  const expiresAt = Math.max(...made.entries.map((entry) => entry.expiresAt))
  const credentials = made.entries.map((entry) => entry.id)
  const value: NotificationRecord = { v: 1, grantId, credentials, events: [], expiresAt }
  return { id, step: { op: 'put', key: deps.keys.hashed('notification', id), value, expiresAt } }
}
