import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ANSWER_ATTACKS } from './answer-attacks.js'
import { CALL_ATTACKS } from './call-attacks.js'
import verdicts from './library-verdicts.json' with { type: 'json' }
import { renderPage } from './render.mjs'
import rows from './threat-rows.json' with { type: 'json' }

const root = new URL('../../', import.meta.url)
const textOf = (path: string) => readFileSync(new URL(path, root), 'utf8')

/** Rows of the threat model that the verifier has to answer for, and those of the wallet. */
const OWED = [1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 17, 18, 19, 22, 23]
const OWED_BY_WALLET = [4, 12, 13, 14, 16, 17, 20, 21, 25, 26, 27, 28]

describe('README.md', () => {
  test('shows the tables as they are: `node test/abuse/render.mjs` writes them', () => {
    expect(textOf('test/abuse/README.md')).toBe(renderPage())
  })

  test('names the tests of every row that is owed', () => {
    const met = (side: 'tests' | 'wallet') =>
      rows.filter((entry) => entry[side].length > 0).map(({ row }) => row)
    expect(met('tests')).toEqual(expect.arrayContaining(OWED))
    expect(met('wallet')).toEqual(expect.arrayContaining(OWED_BY_WALLET))
    const numbers = rows.map(({ row }) => row)
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    expect(rows.filter(({ tests, wallet }) => tests.length + wallet.length === 0)).toEqual([])
  })

  test.each(
    rows.flatMap(({ row, tests, wallet }) =>
      [...tests, ...wallet].map(({ file, title }) => [row, file, title] as const),
    ),
  )('row %i: %s has a test with the title it names: %s', (row, file, title) => {
    // As the first argument of a test, not in a comment somewhere.
    const quoted = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    expect(textOf(file)).toMatch(
      new RegExp(`(test|\\)|\\])\\(\\s*['"\`]([^'"\`]*[^\\w'"\`])?${quoted}['"\`]`),
    )
    if (title === 'row %i: %s') {
      expect([...ANSWER_ATTACKS, ...CALL_ATTACKS].filter((attack) => attack.row === row)).not.toEqual([])
    }
  })

  test('shows every attack there is', () => {
    const names = [...ANSWER_ATTACKS, ...CALL_ATTACKS].map(({ name }) => name)
    expect(verdicts.map(({ attack }) => attack)).toEqual(names)
  })
})
