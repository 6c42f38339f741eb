/**
 * Brings the lists of uncovered rows in step with the last run of `npm test`.
 *
 * Rows that are covered now leave their list and the ceiling goes down with it. A row that is uncovered and not
 * listed is never added, since lists only shrink: write its test. Only with `--adopt`, and only for a table
 * without a list, are its uncovered rows listed once.
 *
 * @module
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readReport } from '../house/report.mjs'
import { coveredIds, readCeilings, readTables, readUncovered } from './requirements.mjs'
import { stateOf } from './states.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const REPORT = join(HERE, '../../report/tests.json')
const adopting = process.argv.includes('--adopt')

const { outcomes } = readReport(REPORT)
if (outcomes.length === 0) {
  console.log('No report of a test run: run `npm test` first.')
  process.exit(1)
}

const covered = coveredIds(outcomes)
const ceilings = readCeilings()
mkdirSync(join(HERE, 'uncovered'), { recursive: true })

for (const table of readTables()) {
  const file = join(HERE, 'uncovered', `${table.table}.json`)
  const first = !existsSync(file)
  if (first && !adopting) {
    console.log(`${table.table}: no list yet; --adopt writes one`)
    continue
  }
  const must = table.rows.filter((row) => row.must).map((row) => row.id)
  const before = first ? must.map((id) => ({ id, ...stateOf(id) })) : readUncovered(table.table)
  const after = before.filter((one) => must.includes(one.id) && !covered.has(one.id))
  writeFileSync(file, `[\n${after.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`)
  ceilings[table.table] = Math.min(ceilings[table.table] ?? after.length, after.length)

  const unlisted = must.filter((id) => !covered.has(id) && !after.some((one) => one.id === id))
  console.log(`${table.table}: ${after.length} uncovered, ${before.length - after.length} taken off`)
  if (unlisted.length > 0) console.log(`  without a test and not listed: ${unlisted.join(', ')}`)
}
writeFileSync(join(HERE, 'ceilings.json'), `${JSON.stringify(ceilings, null, 2)}\n`)
