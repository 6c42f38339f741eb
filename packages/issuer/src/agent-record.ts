/**
 * An agent as the agents list describes one.
 *
 * Owns the stored form and the reading of one row. Whether its owner is known is `directory.ts`.
 *
 * Source: the house design, sections Decided once and The runtime path of an agent (whose role).
 *
 * @module
 */
import type { JsonValue } from '@attache/core'
import { z } from 'zod'
import { checkRecordVersion } from './stored-record.js'

/** A stored agent. */
export type AgentRecord = {
  readonly v: 1
  readonly agent: string
  /** Employee id of the person who answers for it. */
  readonly owner: string
  readonly purpose: string
}

// Built once: building a schema costs more than all it reads in a request.
const agentSchema = z.object({ v: z.literal(1), agent: z.string(), owner: z.string(), purpose: z.string() })

/** Reads a stored agent. */
export function migrateAgentRecord(value: JsonValue): AgentRecord {
  return agentSchema.parse(checkRecordVersion(value))
}

/** The columns an agents list must have; others are ignored. */
export const AGENT_COLUMNS = ['agent', 'owner', 'purpose'] as const

/** What became of a row: an agent, or the reason why not, in words without the row's values. */
export type AgentRow =
  | { readonly ok: true; readonly agent: AgentRecord }
  | { readonly ok: false; readonly reason: string }

/** Reads one row of the list. */
export function parseAgentRow(row: Readonly<Record<string, string>>): AgentRow {
  const cell = (name: string): string =>
    (Object.hasOwn(row, name) ? (row[name] ?? '') : '').trim().normalize('NFC')
  const missing = AGENT_COLUMNS.find((name) => cell(name) === '')
  if (missing !== undefined) return { ok: false, reason: `${missing} is missing` }
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(cell('agent'))) {
    return { ok: false, reason: 'agent must be 1 to 64 letters, digits, . _ -' }
  }
  return { ok: true, agent: { v: 1, agent: cell('agent'), owner: cell('owner'), purpose: cell('purpose') } }
}
