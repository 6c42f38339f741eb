/**
 * The kill switch: an agent's wallet answers nothing and shows nothing while it is on.
 *
 * Durable, so that a restart does not release an agent, and asked before every answer. A switch from before it was
 * pulled, put back into the store, is not taken for the current one: the agent counts as stopped until it is
 * released again.
 *
 * @module
 */
import { isJsonObject, member, type NumericDate, VerificationError } from '@attache/core'
import type { Ledger } from './ledger.js'

/** Stops and releases agents. */
export interface KillSwitch {
  isStopped(agent: string): Promise<boolean>
  set(agent: string, stopped: boolean, now: NumericDate): Promise<void>
}

const ID = 'stopped'

/** Makes the switch. */
export function createKillSwitch(deps: { readonly ledger: Ledger }): KillSwitch {
  return {
    async isStopped(agent) {
      try {
        const content = (await deps.ledger.open({ agent, kind: 'switch', ids: [ID] })).contents.get(ID)
        return content !== undefined && isJsonObject(content) && member(content, 'stopped') === true
      } catch (error) {
        if (error instanceof VerificationError && error.code === 'record_rolled_back') return true
        throw error
      }
    },
    async set(agent, stopped, now) {
      const content = { v: 1, stopped, at: now }
      await deps.ledger.change(agent, async () => ({ write: [{ kind: 'switch', id: ID, content }] }))
    },
  }
}
