/**
 * The directory: people and their agents, as imported from HR and IAM.
 *
 * Owns importing rows (good ones go on, bad ones come back with line and reason) and answering as a claims
 * source. Reading CSV text is the app's.
 *
 * Source: the house design, section Decided once.
 *
 * @module
 */
import type { JsonValue, NumericDate, Store } from '@attache/core'
import { type AgentRecord, migrateAgentRecord, parseAgentRow } from './agent-record.js'
import type { ClaimsSource, ClaimsSubject } from './claims-source.js'
import { migratePersonRecord, type PersonRecord, parsePersonRow, personFacts } from './person-record.js'
import { createRecordKeys, entriesUnder, type RecordKeys } from './stored-record.js'

// More than anybody chooses from; who has more picks them by offer.
const MAX_AGENTS = 1000

/** One row of an import, with the line on which it begins. */
export interface ImportRow {
  readonly line: number
  readonly cells: Readonly<Record<string, string>>
}

/** What became of an import. */
export interface ImportReport {
  readonly imported: number
  readonly refused: readonly { readonly line: number; readonly reason: string }[]
}

/** The directory's operations. */
export interface Directory extends ClaimsSource {
  importPeople(rows: readonly ImportRow[], now: NumericDate): Promise<ImportReport>
  importAgents(rows: readonly ImportRow[], now: NumericDate): Promise<ImportReport>
  /** Ids of the agents, of one owner or of all; not more than 1000. */
  listAgents(owner?: string): Promise<readonly string[]>
}

/** Makes the directory of one tenant. @param deps.tenant As in the issuer's options; default `default`. */
export function createDirectory(deps: { readonly store: Store; readonly tenant?: string }): Directory {
  const { store } = deps
  const keys = createRecordKeys(deps.tenant ?? 'default')
  const inner = { store, keys }
  const person = async (id: string): Promise<PersonRecord | undefined> =>
    read(await store.get(keys.hashed('person', id)), migratePersonRecord)

  return {
    async importPeople(rows, now) {
      const refused: { line: number; reason: string }[] = []
      let imported = 0
      const seen = new Set<string>()
      for (const { line, cells } of rows) {
        const row = parsePersonRow(cells, now)
        const reason = row.ok ? await storePerson(row.person, seen, inner) : row.reason
        if (reason === undefined) imported += 1
        else refused.push({ line, reason })
        if (!row.ok && row.leaver !== undefined) await endPerson(row.leaver, now, inner)
      }
      return { imported, refused }
    },

    async importAgents(rows, now) {
      const refused: { line: number; reason: string }[] = []
      let imported = 0
      for (const { line, cells } of rows) {
        const row = parseAgentRow(cells)
        const owner = row.ok ? await person(row.agent.owner) : undefined
        if (!row.ok) refused.push({ line, reason: row.reason })
        else if (owner === undefined) refused.push({ line, reason: 'owner is not a known, active person' })
        else if (!isActive(owner, now)) refused.push({ line, reason: 'the owner has left' })
        else {
          await store.put(keys.hashed('agent', row.agent.agent), row.agent)
          imported += 1
        }
      }
      return { imported, refused }
    },

    async listAgents(owner) {
      const agents: string[] = []
      for await (const { value } of entriesUnder(keys.of('agent', ''), store)) {
        const found = migrateAgentRecord(value)
        if (owner === undefined || found.owner === owner) agents.push(found.agent)
        if (agents.length === MAX_AGENTS) break
      }
      return agents
    },

    async find(agentId, now) {
      const agent = read(await store.get(keys.hashed('agent', agentId)), migrateAgentRecord)
      const owner = agent && (await person(agent.owner))
      return agent && owner && isActive(owner, now) ? subjectOf(agent, owner) : undefined
    },
  }
}

function isActive(person: PersonRecord, now: NumericDate): boolean {
  return person.until === null || person.until > now
}

function subjectOf(agent: AgentRecord, owner: PersonRecord): ClaimsSubject {
  return {
    agent: agent.agent,
    owner: owner.employeeId,
    facts: {
      agent: { id: agent.agent, name: agent.agent, purpose: agent.purpose },
      owner: personFacts(owner),
    },
    until: owner.until ?? undefined,
  }
}

function read<T>(
  stored: { readonly value: JsonValue } | undefined,
  migrate: (value: JsonValue) => T,
): T | undefined {
  return stored && migrate(stored.value)
}

/** Stores one person; an address belongs to one person. @returns Why not, or undefined. */
async function storePerson(
  person: PersonRecord,
  seen: Set<string>,
  deps: { readonly store: Store; readonly keys: RecordKeys },
): Promise<string | undefined> {
  if (seen.has(person.employeeId)) return 'employee_id stands in an earlier line too'
  const emailKey = deps.keys.hashed('email', person.email.toLowerCase())
  const holder = await deps.store.get(emailKey)
  if (holder !== undefined && holder.value !== person.employeeId)
    return 'email belongs to another person already'

  seen.add(person.employeeId)
  await deps.store.commit([
    { op: 'put', key: emailKey, value: person.employeeId },
    { op: 'put', key: deps.keys.hashed('person', person.employeeId), value: person },
  ])
  return undefined
}

/** Somebody who is stored as active has left: from now on nothing is issued to their agents. */
async function endPerson(
  employeeId: string,
  now: NumericDate,
  deps: { readonly store: Store; readonly keys: RecordKeys },
): Promise<void> {
  const key = deps.keys.hashed('person', employeeId)
  const person = read(await deps.store.get(key), migratePersonRecord)
  if (person && isActive(person, now)) await deps.store.put(key, { ...person, until: now })
}
