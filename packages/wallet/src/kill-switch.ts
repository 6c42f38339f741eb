/**
 * The kill switch: an agent's wallet answers nothing and shows nothing while it is on.
 *
 * Durable, so that a restart does not release an agent, and asked before every answer.
 *
 * @module
 */
import { isJsonObject, member, type NumericDate } from '@attache/core'
import type { Vault } from './vault.js'

/** Stops and releases agents. */
export interface KillSwitch {
  isStopped(agent: string): Promise<boolean>
  set(agent: string, stopped: boolean, now: NumericDate): Promise<void>
}

/** Makes the switch. */
export function createKillSwitch(deps: { readonly vault: Vault }): KillSwitch {
  const where = (agent: string) => ({ agent, kind: 'switch', id: 'stopped' }) as const
  return {
    async isStopped(agent) {
      const record = await deps.vault.read(where(agent))
      return (
        record !== undefined && isJsonObject(record.content) && member(record.content, 'stopped') === true
      )
    },
    async set(agent, stopped, now) {
      await deps.vault.commit([await deps.vault.writing(where(agent), { v: 1, stopped, at: now })])
    },
  }
}
