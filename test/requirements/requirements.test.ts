import { describe, expect, test } from 'vitest'
import {
  countTable,
  coveredIds,
  idsOf,
  judgeTable,
  judgeTitles,
  parseTable,
  readTables,
} from './requirements.mjs'

const table = parseTable(
  'sample',
  [
    '| id | requirement | level | test |',
    '|---|---|---|---|',
    '| AB-C-01 | one | MUST | x |',
    '| AB-C-02 | two | SHOULD | x |',
    '| AB-C-03 | three | SHOULD; bound HARD | x |',
    '',
    '| id | point | default |',
    '|---|---|---|',
    '| D-01 | no requirement row | x |',
  ].join('\n'),
)
const passed = (title: string) => ({ file: 'a.test.ts', title, status: 'passed' })
const failed = (title: string) => ({ file: 'a.test.ts', title, status: 'failed' })
const listed = (id: string) => ({ id, state: 'later', reason: 'comes later' })

describe('parseTable', () => {
  test('reads rows with a level and tells MUST and HARD from the rest', () => {
    expect(table.rows.map((row) => [row.id, row.must])).toEqual([
      ['AB-C-01', true],
      ['AB-C-02', false],
      ['AB-C-03', true],
    ])
  })

  test('finds rows with ids in every table of the tree', () => {
    const empty = readTables().filter((one) => one.rows.length === 0)

    expect(empty).toEqual([])
    expect(readTables().length).toBeGreaterThanOrEqual(8)
  })
})

describe('idsOf', () => {
  test('reads ids in square brackets only', () => {
    expect(idsOf('refuses AB-C-09 [AB-C-01, AB-C-03] and [RFC 9449 4.3] [VP401-01]')).toEqual([
      'AB-C-01',
      'AB-C-03',
      'VP401-01',
    ])
  })
})

describe('judgeTable', () => {
  const judge = (
    titles: readonly { file: string; title: string; status: string }[],
    ids: string[],
    ceiling: number,
  ) => judgeTable(table, { covered: coveredIds(titles), uncovered: ids.map(listed), ceiling })

  test('is content when each MUST row is shown or listed', () => {
    expect(judge([passed('x [AB-C-01]')], ['AB-C-03'], 1)).toEqual([])
  })

  test('fails for a MUST row neither shown nor listed', () => {
    expect(judge([], ['AB-C-03'], 1)).toEqual(['AB-C-01: no passed test names it'])
  })

  test('does not count a test that failed', () => {
    expect(judge([failed('x [AB-C-01]')], ['AB-C-03'], 1)).toHaveLength(1)
  })

  test('fails for a listed row that is shown now', () => {
    expect(judge([passed('x [AB-C-01]'), passed('y [AB-C-03]')], ['AB-C-03'], 1)[0]).toContain('take it off')
  })

  test('fails for a listed row that the table does not have', () => {
    expect(judge([passed('x [AB-C-01]')], ['AB-C-03', 'AB-C-04'], 2)[0]).toContain('no such MUST row')
  })

  test('fails when the list is longer than its ceiling', () => {
    expect(judge([], ['AB-C-01', 'AB-C-03'], 1)[0]).toContain('may only shrink')
  })

  test('fails for a list entry without a known state or without a reason', () => {
    const uncovered = [
      { id: 'AB-C-01', state: 'some day', reason: 'x' },
      { id: 'AB-C-03', state: 'later', reason: ' ' },
    ]

    expect(judgeTable(table, { covered: new Set(), uncovered, ceiling: 2 })).toHaveLength(2)
  })
})

describe('judgeTitles', () => {
  test('fails for an id that no table has', () => {
    expect(judgeTitles([table], [passed('x [AB-C-77]')])[0]).toContain('in no table')
  })

  test('fails for more than three ids in one title', () => {
    expect(judgeTitles([table], [passed('x [AB-C-01, AB-C-02, AB-C-03, AB-C-01]')])[0]).toContain('4 ids')
  })
})

describe('countTable', () => {
  test('counts rows, MUST rows and states', () => {
    const counts = countTable(table, {
      covered: new Set(['AB-C-01']),
      uncovered: [listed('AB-C-03')],
      ceiling: 1,
    })

    expect(counts).toEqual({ rows: 3, must: 2, covered: 1, later: 1, optional: 0, outOfScope: 0, ceiling: 1 })
  })
})
