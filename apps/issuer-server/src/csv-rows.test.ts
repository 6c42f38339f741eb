import { utf8 } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { parseCsvRows } from './csv-rows.js'

const HEADER = 'agent,owner,purpose\n'

describe('parseCsvRows', () => {
  test('reads a BOM, quoted commas, quoted quotes and several scripts', () => {
    const text = `\uFEFF${HEADER}a,E-1,"x, y"\nb,"Ana ""Annie""",山田\n`
    expect(parseCsvRows(utf8(text), ['agent'])).toEqual({
      rows: [
        { line: 2, cells: { agent: 'a', owner: 'E-1', purpose: 'x, y' } },
        { line: 3, cells: { agent: 'b', owner: 'Ana "Annie"', purpose: '山田' } },
      ],
      refused: [],
    })
  })

  test('names the line on which a row begins, also after a cell with line breaks', () => {
    const { rows } = parseCsvRows(utf8(`${HEADER}a,E-1,"one\ntwo"\n\nb,E-2,x\n`), ['agent'])
    expect(rows.map((row) => row.line)).toEqual([2, 5])
  })

  test('reports rows with a wrong number of cells and goes on', () => {
    const { rows, refused } = parseCsvRows(utf8(`${HEADER}a,E-1\nb,E-2,x\n`), ['agent'])
    expect(rows.map((row) => row.line)).toEqual([3])
    expect(refused).toEqual([{ line: 2, reason: 'the line has 2 cells instead of 3' }])
  })

  test('keeps stray quotes as letters and goes on', () => {
    const { rows, refused } = parseCsvRows(utf8(`${HEADER}a,E-1,5" disk\nb,E-2,x\n`), ['agent'])
    expect(rows.map((row) => row.cells['purpose'])).toEqual(['5" disk', 'x'])
    expect(refused).toEqual([])
  })

  test.each([
    ['is empty', ''],
    ['lacks a column', 'agent,purpose\na,b\n'],
    ['names a column twice', 'agent,owner,purpose,Agent\n'],
    ['never closes a quote', `${HEADER}a,E-1,"x\n`],
  ])('refuses a file that %s', (_, text) => {
    expect(() => parseCsvRows(utf8(text), ['agent', 'owner'])).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    )
  })

  test('refuses a file that is not UTF-8', () => {
    expect(() => parseCsvRows(new Uint8Array([0xff, 0xfe, 0x61]), ['agent'])).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    )
  })

  test('does not lose a row of a long export', () => {
    const lines = Array.from({ length: 2000 }, (_, index) => `a${index},E-1,x`)
    expect(parseCsvRows(utf8(HEADER + lines.join('\r\n')), ['agent']).rows).toHaveLength(2000)
  })
})
