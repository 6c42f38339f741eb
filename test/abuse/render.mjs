/**
 * Writes the two tables of README.md: `node test/abuse/render.mjs`.
 *
 * Everything outside the markers is written by hand and kept.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = (name) => new URL(name, import.meta.url)
const jsonOf = (name) => JSON.parse(readFileSync(here(name), 'utf8'))

/** Heading of a column by library. */
const COLUMNS = {
  '@sd-jwt/sd-jwt-vc verify(text)': 'sd-jwt-vc',
  '@sd-jwt/sd-jwt-vc verify(text, { keyBindingNonce })': 'sd-jwt-vc, nonce',
  'jose jwtVerify(KB-JWT, cnf key)': 'jose',
  'dcql DcqlQuery.query': 'dcql',
  '@openid4vc/openid4vp parseOpenid4vpAuthorizationResponse': 'openid4vp',
  'oauth4webapi validateJwtAccessToken': 'oauth4webapi',
}

/** A table with its columns aligned, as the formatter leaves it. */
function table(heads, rows) {
  const all = [heads, ...rows]
  const widths = heads.map((_, at) => Math.max(3, ...all.map((cells) => cells[at].length)))
  const line = (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(' | ')} |`
  const rule = line(widths.map((width) => '-'.repeat(width)))
  return [line(heads), rule, ...rows.map(line)].join('\n')
}

const cellOf = (verdict) => (verdict === undefined ? '–' : verdict === 'accepts' ? '**accepts**' : 'refuses')

/** @param {readonly { attack: string, row: number, ours: string, libraries: Record<string, string> }[]} verdicts */
export function renderVerdicts(verdicts) {
  const libraries = Object.keys(COLUMNS)
  const rows = verdicts.map(({ attack, row, ours, libraries: said }) => [
    String(row),
    attack,
    `\`${ours}\``,
    ...libraries.map((library) => cellOf(said[library])),
  ])
  const totals = libraries.map((library) => {
    const asked = verdicts.filter(({ libraries: said }) => said[library] !== undefined)
    const accepted = asked.filter(({ libraries: said }) => said[library] === 'accepts')
    return `${accepted.length} of ${asked.length}`
  })
  const last = ['', `accepted, of ${verdicts.length}`, '0', ...totals]
  return table(
    ['row', 'attack', 'our reason', ...libraries.map((library) => COLUMNS[library])],
    [...rows, last],
  )
}

const spoken = (title, row) =>
  title === 'row %i: %s'
    ? `every attack of row ${row} below`
    : title.replaceAll('|', '\\|').replaceAll(/\$\{[^}]*\}/g, '…')

const shownBy = (row, tests) =>
  tests.length === 0 ? '–' : tests.map(({ file, title }) => `\`${file}\`: ${spoken(title, row)}`).join('<br>')

/**
 * @typedef {readonly { file: string, title: string }[]} Tests
 * @param {readonly { row: number, threat: string, tests: Tests, wallet: Tests }[]} rows
 */
export function renderRows(rows) {
  return table(
    ['row', 'threat', 'shown by', 'shown by, for the wallet'],
    rows.map(({ row, threat, tests, wallet }) => [
      String(row),
      threat,
      shownBy(row, tests),
      shownBy(row, wallet),
    ]),
  )
}

/**
 * Puts a text between the markers of a name.
 *
 * @param {string} page
 * @param {string} name
 * @param {string} text
 */
export function between(page, name, text) {
  const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- end of ${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`README.md has no markers of ${name}.`)
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`
}

/** README.md as it ought to be. @returns {string} */
export function renderPage() {
  const page = readFileSync(here('README.md'), 'utf8')
  const withRows = between(page, 'rows', renderRows(jsonOf('threat-rows.json')))
  return between(withRows, 'verdicts', renderVerdicts(jsonOf('library-verdicts.json')))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(here('README.md'), renderPage())
