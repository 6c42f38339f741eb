/**
 * Reading the rows of a CSV export.
 *
 * Owns the text: encoding, BOM, quotes, the header line, rows with too few or too many cells. What the cells
 * mean is the directory's.
 *
 * Source: RFC 4180.
 *
 * @module
 */
import { decodeUtf8, ProtocolError } from '@attache/core'
import type { ImportReport, ImportRow } from '@attache/issuer'
import { CsvError, parse } from 'csv-parse/sync'

/** The rows that could be read, and the lines that could not. */
export interface CsvRows {
  readonly rows: readonly ImportRow[]
  readonly refused: ImportReport['refused']
}

/**
 * Reads a CSV export.
 *
 * @param needed Columns that must be there.
 * @throws {ProtocolError} `invalid_request`: not UTF-8, empty, without a needed column, a column twice, or a
 *   quote that is never closed.
 */
export function parseCsvRows(bytes: Uint8Array, needed: readonly string[]): CsvRows {
  const text = decodeUtf8(bytes)
  if (text === undefined) throw unreadable('The file is not UTF-8. Save it as CSV UTF-8.')
  const refused: { line: number; reason: string }[] = []
  const records = readRecords(text)
  const [header, ...rest] = records
  if (header === undefined) throw unreadable('The file is empty.')

  const columns = header.cells.map((name) => name.trim().toLowerCase())
  const missing = needed.find((name) => !columns.includes(name))
  if (missing !== undefined) throw unreadable(`The column ${missing} is missing in the first line.`)
  if (new Set(columns).size !== columns.length) throw unreadable('A column stands twice in the first line.')

  const rows: ImportRow[] = []
  for (const { line, cells } of rest) {
    if (cells.length === columns.length) {
      rows.push({ line, cells: Object.fromEntries(columns.map((name, at) => [name, cells[at] ?? ''])) })
    } else {
      refused.push({ line, reason: `the line has ${cells.length} cells instead of ${columns.length}` })
    }
  }
  return { rows, refused }
}

interface CsvRecord {
  /** The line on which it begins. */
  readonly line: number
  readonly cells: readonly string[]
}

function readRecords(text: string): readonly CsvRecord[] {
  const records: CsvRecord[] = []
  let lastLine = 0
  try {
    // Stray quotes inside a cell are letters to us: exports of names contain them, and the rest must go on.
    const parsed: unknown = parse(text, {
      bom: true,
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
    })
    for (const entry of Array.isArray(parsed) ? parsed : []) {
      const { info, record } = recordOf(entry)
      const spanned = record.join('').split('\n').length - 1
      records.push({ line: Math.max(lastLine + 1, info - spanned), cells: record })
      lastLine = info
    }
    return records
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    throw unreadable(`The file cannot be read from line ${lineOf(error)} on: a quote is not closed.`)
  }
}

function lineOf(error: CsvError): number {
  const line: unknown = error['lines']
  return typeof line === 'number' ? line : 0
}

function recordOf(entry: unknown): { readonly info: number; readonly record: readonly string[] } {
  if (typeof entry !== 'object' || entry === null) return { info: 0, record: [] }
  const info = 'info' in entry ? entry.info : undefined
  const record = 'record' in entry ? entry.record : undefined
  const lines = typeof info === 'object' && info !== null && 'lines' in info ? info.lines : 0
  return {
    info: typeof lines === 'number' ? lines : 0,
    record: Array.isArray(record) ? record.filter((cell) => typeof cell === 'string') : [],
  }
}

function unreadable(message: string): ProtocolError {
  return new ProtocolError('invalid_request', message)
}
