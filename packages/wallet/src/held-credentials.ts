/**
 * What an agent holds: reading its credentials, taking a copy for one presentation, noting a status.
 *
 * Owns that a copy for one use is spent durably before anything is made of it, so that neither a crash nor a
 * second caller can show it twice.
 *
 * Source: OpenID4VP 1.0, section 15.5; threat model, rows 13, 21 and 28.
 *
 * @module
 */
import type { NumericDate, StoreStep } from '@attache/core'
import {
  byPreference,
  type CredentialCopy,
  type HeldCredential,
  parseHeldCredential,
  writeHeldCredential,
} from './held-credential.js'
import type { Vault } from './vault.js'

/** The credentials of all agents. */
export interface HeldCredentials {
  /** In order of preference, usable or not. */
  list(agent: string): Promise<readonly HeldCredential[]>
  /** The step that stores a credential. */
  storing(agent: string, held: HeldCredential): Promise<StoreStep>
  /** The step that removes one. */
  removing(agent: string, id: string): StoreStep
  /** Takes a copy for one presentation; `undefined` when every copy is spent. Durable when resolved. */
  takeCopy(agent: string, held: HeldCredential): Promise<CredentialCopy | undefined>
  /** How many copies can still be taken; for a credential that may be reused, all of them. */
  copiesLeft(agent: string, held: HeldCredential): Promise<number>
  /** Notes what the status list said; a change by somebody else meanwhile wins. */
  noteState(agent: string, held: HeldCredential, state: HeldCredential['state']): Promise<void>
}

/** How long after the credential's end the spent marks of its copies are kept, in seconds. */
const MARKS_KEPT_SECONDS = 86_400

/** Makes the access to held credentials. */
export function createHeldCredentials(deps: { readonly vault: Vault }): HeldCredentials {
  const { vault } = deps
  const where = (agent: string, id: string) => ({ agent, kind: 'credential', id }) as const
  const expiry = (held: HeldCredential): NumericDate | undefined =>
    held.expiresAt === undefined ? undefined : held.expiresAt + MARKS_KEPT_SECONDS
  return {
    async list(agent) {
      const records = await vault.list(agent, 'credential')
      return records.map(({ content }) => parseHeldCredential(content)).sort(byPreference)
    },
    storing: (agent, held) => vault.writing(where(agent, held.id), writeHeldCredential(held)),
    removing: (agent, id) => vault.removing(where(agent, id)),
    async takeCopy(agent, held) {
      for (const copy of held.copies) {
        if (await vault.spend(agent, copy.id, expiry(held))) return copy
      }
      return held.use === 'reuse' ? held.copies[0] : undefined
    },
    async copiesLeft(agent, held) {
      if (held.use === 'reuse') return held.copies.length
      const spent = await Promise.all(held.copies.map((copy) => vault.isSpent(agent, copy.id)))
      return spent.filter((isSpent) => !isSpent).length
    },
    async noteState(agent, held, state) {
      if (held.state === state) return
      const current = await vault.read(where(agent, held.id))
      if (current === undefined) return
      const changed = writeHeldCredential({ ...parseHeldCredential(current.content), state })
      await vault.commit([await vault.writing(where(agent, held.id), changed, { version: current.version })])
    },
  }
}
