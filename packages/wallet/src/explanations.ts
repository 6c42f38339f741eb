/**
 * The journal of the wallet's decisions: what was decided, about what, and why.
 *
 * An agent hears only yes or nothing; the reason stands here, for the operator who asks
 * `attache wallet explain`. No entry holds a claim value, a token, a code or a key.
 *
 * Source: OpenID4VP 1.0, sections 15.1, 15.4.1 and 15.9; threat model, row 12.
 *
 * @module
 */
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type Log,
  member,
  type NumericDate,
  type Random,
  randomId,
  type Telemetry,
} from '@attache/core'
import type { Vault } from './vault.js'

/** One decision. */
export interface Decision {
  readonly agent: string
  readonly event: 'receive' | 'present' | 'renew' | 'stop'
  readonly outcome: 'granted' | 'refused'
  /** Stable code. */
  readonly code: string
  /** One sentence for a person. */
  readonly message: string
  /** Named things, such as `verifier`, `vct`, `claims`. */
  readonly facts: Readonly<Record<string, string>>
}

/** A decision as it was written down. */
export interface RecordedDecision extends Decision {
  readonly reference: string
  readonly at: NumericDate
}

/** Writes and reads decisions. */
export interface Explanations {
  /** @returns The reference under which the decision can be found. */
  record(decision: Decision, now: NumericDate): Promise<string>
  /** Newest first. */
  read(
    agent: string,
    options: { readonly reference?: string; readonly limit: number },
  ): Promise<readonly RecordedDecision[]>
}

/** How long a decision can be explained, in seconds. */
const KEPT_SECONDS = 30 * 86_400

/** Makes the journal. */
export function createExplanations(deps: {
  readonly vault: Vault
  readonly random: Random
  readonly log: Log
  readonly telemetry: Telemetry
}): Explanations {
  let recorded = 0
  return {
    async record(decision, now) {
      const reference = randomId(deps.random, 'req')
      recorded += 1
      const { agent, event, outcome, code } = decision
      deps.telemetry.count('wallet.decisions', { event, outcome, code })
      // The log line and the journal entry carry the same reference.
      deps.log[outcome === 'granted' ? 'info' : 'warn'](`wallet.${event}`, {
        agent,
        outcome,
        code,
        reference,
        ...decision.facts,
      })
      const where = {
        agent,
        kind: 'explanation',
        id: `${newestFirst(now)}-${newestFirst(recorded)}-${reference}`,
      } as const
      const content = {
        v: 1,
        at: now,
        reference,
        event,
        outcome,
        code,
        message: decision.message,
        facts: decision.facts,
      }
      await deps.vault.commit([await deps.vault.writing(where, content, { expiresAt: now + KEPT_SECONDS })])
      return reference
    },
    async read(agent, { reference, limit }) {
      const records = await deps.vault.list(agent, 'explanation', reference === undefined ? limit : undefined)
      return records
        .flatMap(({ content }) => parseDecision(agent, content) ?? [])
        .filter((entry) => reference === undefined || entry.reference === reference)
        .slice(0, limit)
    },
  }
}

// The store lists by key: a falling number puts the newest entry first, by second and then by count.
function newestFirst(rising: number): string {
  return String(9_999_999_999 - rising).padStart(10, '0')
}

function parseDecision(agent: string, content: JsonValue): RecordedDecision | undefined {
  if (!isJsonObject(content)) return undefined
  const event = member(content, 'event')
  const at = member(content, 'at')
  if (event !== 'receive' && event !== 'present' && event !== 'renew' && event !== 'stop') return undefined
  if (typeof at !== 'number') return undefined
  const words = member(content, 'facts')
  return {
    agent,
    at,
    event,
    reference: textOf(content, 'reference'),
    outcome: member(content, 'outcome') === 'granted' ? 'granted' : 'refused',
    code: textOf(content, 'code'),
    message: textOf(content, 'message'),
    facts: isJsonObject(words)
      ? Object.fromEntries(Object.keys(words).map((name) => [name, textOf(words, name)]))
      : {},
  }
}

function textOf(object: JsonObject, name: string): string {
  const value = member(object, name)
  return typeof value === 'string' ? value : ''
}
