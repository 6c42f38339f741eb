/**
 * Chapter 1: HR data in.
 *
 * @module
 */
import { join } from 'node:path'
import type { ImportReport, Management } from './management.js'
import type { Report } from './report.js'
import type { Setting } from './setting.js'

/** How many rows of the shipped files are good and bad; a change of the files changes these. */
const EXPECTED = { people: { imported: 35, refused: 5 }, agents: { imported: 3, refused: 1 } }

/** Imports people and agents; bad rows are shown with their line, the good ones go on. */
export async function tellHr(setting: Setting, management: Management, report: Report): Promise<void> {
  report.chapter('HR data')
  const input = (file: string) => join(setting.inputFolder, file)
  const people = await report.step('people.csv imported', () => management.importPeople(input('people.csv')))
  judge('people', people, report)
  const agents = await report.step('agents.csv imported', () => management.importAgents(input('agents.csv')))
  judge('agents', agents, report)
}

function judge(what: keyof typeof EXPECTED, { imported, refused }: ImportReport, report: Report): void {
  const expected = EXPECTED[what]
  for (const { line, reason } of refused) report.note(`${what}.csv line ${line}: ${reason}`)
  report.expect(`good ${what} go on, bad rows are named`, {
    held: imported === expected.imported && refused.length === expected.refused,
    detail: `${imported} imported, ${refused.length} refused`,
  })
}
