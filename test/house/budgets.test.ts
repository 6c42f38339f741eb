import { describe, expect, test } from 'vitest'
import { BUDGET, judgeSizes, linesOf, measureFunctions, quantile } from './budgets.js'
import { ROOMS } from './rooms.js'
import { parseSource, sourcesBelow } from './source-files.js'

const sources = ROOMS.flatMap((room) => sourcesBelow(`${room.folder}/src`)).filter((file) => !file.isTest)
const files = sources.map(linesOf)
const functions = sources
  .flatMap(measureFunctions)
  .filter((one) => one.hasBlock)
  .map((one) => one.lines)

describe('budgets', () => {
  test.each(ROOMS)('$name keeps the size of files and functions', (room) => {
    const inRoom = sources.filter((file) => file.path.startsWith(`${room.folder}/`))

    expect(inRoom.flatMap(judgeSizes)).toEqual([])
  })

  test('the middle and the ninth tenth of all files', () => {
    expect(quantile(files, 0.5)).toBeLessThanOrEqual(BUDGET.file.median)
    expect(quantile(files, 0.9)).toBeLessThanOrEqual(BUDGET.file.p90)
  })

  test('the middle and the ninth tenth of all functions', () => {
    expect(quantile(functions, 0.5)).toBeLessThanOrEqual(BUDGET.function.median)
    expect(quantile(functions, 0.9)).toBeLessThanOrEqual(BUDGET.function.p90)
  })
})

describe('judgeSizes can fail', () => {
  const judge = (text: string, path = 'packages/core/src/a.ts') => judgeSizes(parseSource(path, text))
  const body = (lines: number) => `${'  work()\n'.repeat(lines)}`

  test('for a file of 401 lines', () => {
    expect(judge('const x = 1\n'.repeat(400))).toEqual([])
    expect(judge('const x = 1\n'.repeat(401))).toHaveLength(1)
  })

  test.each([
    ['a function', (lines: number) => `function f() {\n${body(lines - 2)}}`],
    ['an arrow function', (lines: number) => `const f = () => {\n${body(lines - 2)}}`],
    ['a method', (lines: number) => `const o = { f() {\n${body(lines - 2)}} }`],
  ])('for %s of 61 lines', (_, make) => {
    expect(judge(make(60))).toEqual([])
    expect(judge(make(61))).toHaveLength(1)
  })

  test('for four parameters', () => {
    expect(judge('const f = (a, b, c) => a')).toEqual([])
    expect(judge('const f = (a, b, c, d) => a')).toHaveLength(1)
    expect(judge('app.use((error, request, response, next) => next())', 'packages/express/src/a.ts')).toEqual(
      [],
    )
  })

  test('quantiles are values of the list', () => {
    expect(quantile([5, 1, 9, 3], 0.5)).toBe(3)
    expect(quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9)).toBe(9)
  })
})
