import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ANSWER_ATTACKS } from './answer-attacks.js'
import { CALL_ATTACKS } from './call-attacks.js'
import verdicts from './library-verdicts.json' with { type: 'json' }
import { renderPage } from './render.mjs'
import rows from './threat-rows.json' with { type: 'json' }

const root = new URL('../../', import.meta.url)
const textOf = (path: string) => readFileSync(new URL(path, root), 'utf8')

/** Rows of the threat model that the verifier has to answer for. */
const OWED = [1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 17, 18, 19, 22, 23]

describe('README.md', () => {
  test('shows the tables as they are: `node test/abuse/render.mjs` writes them', () => {
    expect(textOf('test/abuse/README.md')).toBe(renderPage())
  })

  test('names the tests of every row that is owed', () => {
    expect(rows.map(({ row }) => row)).toEqual(OWED)
    expect(rows.filter(({ tests }) => tests.length === 0)).toEqual([])
  })

  test.each(rows.flatMap(({ row, tests }) => tests.map(({ file, title }) => [row, file, title] as const)))(
    'row %i: %s has a test with the title it names: %s',
    (row, file, title) => {
      // As the first argument of a test, not in a comment somewhere.
      const quoted = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      expect(textOf(file)).toMatch(
        new RegExp(`(test|\\)|\\])\\(\\s*['"\`]([^'"\`]*[^\\w'"\`])?${quoted}['"\`]`),
      )
      if (title === 'row %i: %s') {
        expect([...ANSWER_ATTACKS, ...CALL_ATTACKS].filter((attack) => attack.row === row)).not.toEqual([])
      }
    },
  )

  test('shows every attack there is', () => {
    const names = [...ANSWER_ATTACKS, ...CALL_ATTACKS].map(({ name }) => name)
    expect(verdicts.map(({ attack }) => attack)).toEqual(names)
  })
})
