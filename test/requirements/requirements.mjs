/**
 * Coverage of requirements: rows of the tables against the tests that passed in one run.
 *
 * Owns reading the tables, the lists of uncovered rows and the verdict. Whether a test really asserts its row's
 * test column is for the reader of that test to judge; what can be counted is counted here.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readReport } from '../house/report.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))

/** At most so many rows may be claimed by one test. */
export const MAX_IDS_A_TITLE = 3

/** @typedef {{ id: string, level: string, must: boolean }} Row */
/** @typedef {{ table: string, rows: Row[] }} Table */
/** @typedef {{ id: string, state: string, reason: string }} Uncovered */
/** @typedef {{ file: string, title: string, status: string }} Outcome */
/** @typedef {{ rows: number, must: number, covered: number, later: number, optional: number, outOfScope: number, ceiling: number }} Counts */

/**
 * Rows of every Markdown table that has the columns `id` and `level`.
 *
 * @param {string} table Name of the table file without its ending.
 * @param {string} markdown
 * @returns {Table}
 */
export function parseTable(table, markdown) {
  /** @type {string[] | undefined} */
  let columns
  /** @type {Row[]} */
  const rows = []
  for (const line of markdown.split('\n')) {
    if (!line.startsWith('|')) {
      columns = undefined
      continue
    }
    const cells = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim())
    if (columns === undefined) {
      columns = cells
      continue
    }
    const id = cells[columns.indexOf('id')]
    const level = cells[columns.indexOf('level')]
    if (id === undefined || level === undefined || /^:?-+:?$/.test(id)) continue
    rows.push({ id, level, must: /MUST|HARD/.test(level) })
  }
  return { table, rows }
}

/** @returns {Table[]} */
export function readTables(folder = join(HERE, 'tables')) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => parseTable(name.slice(0, -'.md'.length), readFileSync(join(folder, name), 'utf8')))
}

/**
 * The requirement ids in the square brackets of a test's title.
 *
 * @param {string} title
 * @returns {string[]}
 */
export function idsOf(title) {
  return [...title.matchAll(/\[([^\]]+)\]/g)]
    .flatMap((match) => (match[1] ?? '').split(/[\s,;]+/))
    .filter((word) => /^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*-\d+$/.test(word))
}

/** Ids named by a test that passed. @param {readonly Outcome[]} outcomes @returns {Set<string>} */
export function coveredIds(outcomes) {
  return new Set(outcomes.filter((one) => one.status === 'passed').flatMap((one) => idsOf(one.title)))
}

/** @param {string} table @returns {Uncovered[]} */
export function readUncovered(table) {
  const file = join(HERE, 'uncovered', `${table}.json`)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
}

/** Greatest permitted length of each list, by table. @returns {Record<string, number>} */
export function readCeilings() {
  const file = join(HERE, 'ceilings.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
}

const STATES = ['later', 'optional', 'out of scope']

/**
 * Everything wrong between one table, its list and the run.
 *
 * @param {Table} table
 * @param {{ covered: ReadonlySet<string>, uncovered: readonly Uncovered[], ceiling: number }} facts
 * @returns {string[]} One sentence each; empty when all is well.
 */
export function judgeTable(table, facts) {
  const must = new Set(table.rows.filter((row) => row.must).map((row) => row.id))
  const listed = facts.uncovered.map((one) => one.id)
  const problems = []

  for (const id of repeated(table.rows.map((row) => row.id))) problems.push(`${id}: two rows have this id`)
  for (const id of repeated(listed)) problems.push(`${id}: listed twice`)
  for (const id of must) {
    if (!facts.covered.has(id) && !listed.includes(id)) problems.push(`${id}: no passed test names it`)
  }
  for (const { id, state, reason } of facts.uncovered) {
    if (!must.has(id)) problems.push(`${id}: listed as uncovered, but the table has no such MUST row`)
    else if (facts.covered.has(id))
      problems.push(`${id}: covered now, take it off the list (refresh.mjs does)`)
    if (!STATES.includes(state)) problems.push(`${id}: state is none of ${STATES.join(', ')}`)
    if (reason.trim() === '') problems.push(`${id}: listed without a reason`)
  }
  if (listed.length > facts.ceiling) {
    problems.push(`${listed.length} rows listed, ceiling ${facts.ceiling}: the list may only shrink`)
  }
  return problems
}

/**
 * Everything wrong with the titles of a run.
 *
 * @param {readonly Table[]} tables
 * @param {readonly Outcome[]} outcomes
 * @returns {string[]}
 */
export function judgeTitles(tables, outcomes) {
  const known = new Set(tables.flatMap((table) => table.rows.map((row) => row.id)))
  return outcomes.flatMap(({ file, title }) => {
    const ids = idsOf(title)
    const problems = ids.filter((id) => !known.has(id)).map((id) => `${id}: in no table (${file}: ${title})`)
    if (ids.length > MAX_IDS_A_TITLE) problems.push(`${ids.length} ids in one title (${file}: ${title})`)
    return problems
  })
}

/**
 * @param {Table} table
 * @param {{ covered: ReadonlySet<string>, uncovered: readonly Uncovered[], ceiling: number }} facts
 * @returns {Counts}
 */
export function countTable(table, facts) {
  const must = table.rows.filter((row) => row.must)
  const inState = (state) => facts.uncovered.filter((one) => one.state === state).length
  return {
    rows: table.rows.length,
    must: must.length,
    covered: must.filter((row) => facts.covered.has(row.id)).length,
    later: inState('later'),
    optional: inState('optional'),
    outOfScope: inState('out of scope'),
    ceiling: facts.ceiling,
  }
}

/** Prints one line a table. @param {string} reportPath */
export function printCounts(reportPath) {
  const covered = coveredIds(readReport(reportPath).outcomes)
  const ceilings = readCeilings()
  const lines = readTables().map((table) => ({
    name: table.table,
    ...countTable(table, {
      covered,
      uncovered: readUncovered(table.table),
      ceiling: ceilings[table.table] ?? 0,
    }),
  }))
  const total = { name: 'all tables', rows: 0, must: 0, covered: 0, later: 0, optional: 0, outOfScope: 0 }
  for (const line of lines) {
    for (const key of ['rows', 'must', 'covered', 'later', 'optional', 'outOfScope']) total[key] += line[key]
  }
  console.log('Coverage of requirements (MUST rows shown by a test that passed in this run)')
  for (const line of [...lines, total]) {
    console.log(
      `  ${line.name.padEnd(24)} ${String(line.covered).padStart(4)} of ${String(line.must).padEnd(5)} ` +
        `later ${line.later}, optional ${line.optional}, out of scope ${line.outOfScope} (${line.rows} rows in all)`,
    )
  }
}

/** @param {readonly string[]} values */
function repeated(values) {
  return new Set(values.filter((value, index) => values.indexOf(value) !== index))
}
