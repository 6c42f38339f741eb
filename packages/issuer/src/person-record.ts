/**
 * A person as the HR export describes one.
 *
 * Owns the stored form and the reading of one export row. Which rows belong together is `import-people.ts`.
 *
 * Source: the house design, section Decided once (a leaver's agents are found by owner).
 *
 * @module
 */
import type { JsonObject, JsonValue, NumericDate } from '@attache/core'
import { z } from 'zod'
import { checkRecordVersion } from './stored-record.js'

/** A stored person. */
export type PersonRecord = {
  readonly v: 1
  readonly employeeId: string
  readonly name: string
  readonly email: string
  readonly birthDate: string
  readonly role: string
  readonly region: string
  readonly department: string
  readonly salaryBand: string
  /** First second after the last working day, when one is known. */
  readonly until: NumericDate | null
}

// Built once: building a schema costs more than all it reads in a request.
const text = z.string()
const personSchema = z.object({
  v: z.literal(1),
  employeeId: text,
  name: text,
  email: text,
  birthDate: text,
  role: text,
  region: text,
  department: text,
  salaryBand: text,
  until: z.number().nullable(),
})

/** Reads a stored person. */
export function migratePersonRecord(value: JsonValue): PersonRecord {
  return personSchema.parse(checkRecordVersion(value))
}

/** The facts about a person that templates may use. */
export function personFacts(person: PersonRecord): JsonObject {
  return {
    employee_id: person.employeeId,
    name: person.name,
    email: person.email,
    birth_date: person.birthDate,
    role: person.role,
    region: person.region,
    department: person.department,
    salary_band: person.salaryBand,
  }
}

/** The columns an export must have; others are ignored. */
export const PERSON_COLUMNS = [
  'employee_id',
  'family_name',
  'given_name',
  'email',
  'birth_date',
  'role',
  'region',
  'department',
  'salary_band',
  'leave_date',
  'status',
] as const

/** What became of a row: a person, or the reason why not, in words without the row's values. */
export type PersonRow =
  | { readonly ok: true; readonly person: PersonRecord }
  | {
      readonly ok: false
      readonly reason: string
      /** Employee id of somebody who has left: what is stored about them must end, too. */
      readonly leaver?: string
    }

const NEEDED = ['employee_id', 'family_name', 'given_name', 'email', 'role', 'region', 'department'] as const

/** Reads one row of the export. */
export function parsePersonRow(row: Readonly<Record<string, string>>, now: NumericDate): PersonRow {
  const cell = (name: string): string =>
    (Object.hasOwn(row, name) ? (row[name] ?? '') : '').trim().normalize('NFC')
  const missing = NEEDED.find((name) => cell(name) === '')
  if (missing !== undefined) return refused(`${missing} is missing`)
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(cell('employee_id')))
    return refused('employee_id has characters other than letters, digits, . _ -')
  if (!/^[^@\s]+@[^@\s]+$/.test(cell('email'))) return refused('email is not an address')

  const birthDate = parseDay(cell('birth_date'))
  if (birthDate === undefined) return refused('birth_date is not a day such as 1984-03-12')
  const lastDay = cell('leave_date') === '' ? null : parseDay(cell('leave_date'))
  if (lastDay === undefined) return refused('leave_date is not a day such as 2031-12-31')
  const until = lastDay === null ? null : lastDay + 86_400
  if (cell('status') !== 'active' || (until !== null && until <= now)) {
    return { ok: false, reason: 'the person has left', leaver: cell('employee_id') }
  }
  return { ok: true, person: personOf(cell, until) }
}

function personOf(cell: (name: string) => string, until: NumericDate | null): PersonRecord {
  return {
    v: 1,
    employeeId: cell('employee_id'),
    name: `${cell('given_name')} ${cell('family_name')}`,
    email: cell('email'),
    birthDate: cell('birth_date'),
    role: cell('role'),
    region: cell('region'),
    department: cell('department'),
    salaryBand: cell('salary_band'),
    until,
  }
}

function refused(reason: string): PersonRow {
  return { ok: false, reason }
}

/** Midnight UTC of a calendar day that exists. */
function parseDay(text: string): NumericDate | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined
  const milliseconds = Date.parse(`${text}T00:00:00Z`)
  if (Number.isNaN(milliseconds)) return undefined
  // Date.parse turns 31 February into 3 March; such a day must not slip through.
  return new Date(milliseconds).toISOString().startsWith(text) ? milliseconds / 1000 : undefined
}
