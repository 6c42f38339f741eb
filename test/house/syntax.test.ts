import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOMS } from './rooms.js'
import { filesBelow, parseSource, ROOT, sourcesBelow } from './source-files.js'
import { judgeDirectives, judgeLeftOvers, judgeName, judgeOpening, judgeSyntax } from './syntax.js'

const folders = [...ROOMS.map((room) => ({ folder: room.folder })), { folder: 'test' }]
// The runner wants its configuration as a default export; nothing else is excepted.
const RUNNER_CONFIGURATION = /(^|\/)vitest\.config\.ts$/

describe('syntax', () => {
  test.each(folders)(
    '$folder has no hole in its types, no class, enum or default export, no test left out',
    ({ folder }) => {
      const files = sourcesBelow(folder).filter((file) => !RUNNER_CONFIGURATION.test(file.path))

      expect(files.flatMap((file) => [...judgeSyntax(file), ...judgeDirectives(file)])).toEqual([])
    },
  )

  test.each(ROOMS)('each source of $folder opens with what it owns', (room) => {
    const files = sourcesBelow(`${room.folder}/src`).filter((file) => !file.isTest)

    expect(files.flatMap(judgeOpening)).toEqual([])
  })

  test('no file or folder has a name that says nothing', () => {
    const paths = ['packages', 'apps', 'test'].flatMap(filesBelow)

    expect(paths.flatMap(judgeName)).toEqual([])
  })

  test('no file holds work left for later', () => {
    const paths = ['packages', 'apps', 'test', '.ci'].flatMap(filesBelow)
    const texts = paths.filter((path) => /\.(ts|mjs|js|md|sh|yaml)$|run$/.test(path))

    expect(texts.flatMap((path) => judgeLeftOvers(path, readFileSync(join(ROOT, path), 'utf8')))).toEqual([])
  })
})

describe('judgeSyntax can fail', () => {
  const judge = (text: string, path = 'packages/oauth/src/a.ts') => judgeSyntax(parseSource(path, text))

  test.each([
    ['any', 'const x: any = 1'],
    ['any inside a type', 'type X = Record<string, any[]>'],
    ['!', 'const x = y!.z'],
    ['a definite assignment', 'let x!: string'],
    ['a cast', 'const x = y as string'],
    ['a double cast', 'const x = (y as const) as string'],
    ['an old cast', 'const x = <string>y'],
    ['a default export', 'export default function f() {}'],
    ['a default expression', 'export default 1'],
    ['a renamed default export', 'export { x as default }'],
    ['an enum', 'enum X { A }'],
    ['a const enum', 'export const enum X { A }'],
    ['export *', `export * from './b.js'`],
    ['export * as', `export * as b from './b.js'`],
    ['a class', 'class X {}'],
    ['a class expression', 'const X = class {}'],
    ['a namespace', 'namespace X { export const a = 1 }'],
    ['a skipped test', `test.skip('x', () => {})`],
    ['an only test', `test.only('x', () => {})`],
    ['a planned test', `test.todo('x')`],
    ['a test skipped after each', `test.each([1]).skip('x', () => {})`],
    ['a conditional test', `describe.skipIf(true)('x', () => {})`],
    ['a crossed-out test', `xit('x', () => {})`],
  ])('refuses %s', (_, text) => {
    expect(judge(text)).toHaveLength(1)
  })

  test.each([
    ['as const', 'const x = [1] as const'],
    ['a renaming import', `import { a as b } from './b.js'`],
    ['a renaming export', `export { a as b } from './b.js'`],
    ['a member for a global type', 'declare global { namespace Express { interface Request { a: 1 } } }'],
    ['satisfies', 'const x = 1 satisfies number'],
    ['take of only in another word', 'store.only()'],
  ])('lets through %s', (_, text) => {
    expect(judge(text)).toEqual([])
  })

  test('knows its two exceptions', () => {
    expect(judge('export class X extends Error {}', 'packages/core/src/errors.ts')).toEqual([])
    expect(judge('const x = y as ReadableStream', 'packages/express/src/a.ts')).toEqual([])
    expect(judge('const x = y as ReadableStream', 'packages/core/src/a.ts')).toHaveLength(1)
    expect(judge('const x = y as string', 'packages/express/src/a.ts')).toHaveLength(1)
  })
})

describe('the other rules can fail', () => {
  test('for a comment that switches a check off', () => {
    const ignoring = `// @ts-${'ignore'}`
    const expecting = `// @ts-${'expect-error'}`

    expect(judgeDirectives(parseSource('packages/core/src/a.ts', ignoring))).toHaveLength(1)
    expect(judgeDirectives(parseSource('packages/core/src/a.ts', expecting))).toHaveLength(1)
    expect(judgeDirectives(parseSource('packages/core/src/a.test.ts', expecting))).toEqual([])
  })

  test('for a file without an opening', () => {
    const judge = (text: string) => judgeOpening(parseSource('packages/core/src/a.ts', text))

    expect(judge('export const x = 1')).toHaveLength(1)
    expect(judge('/** Owns x. */\nexport const x = 1')).toHaveLength(1)
    expect(judge('/**\n * Owns x.\n *\n * @module\n */\nexport const x = 1')).toEqual([])
  })

  test.each([
    'packages/core/src/utils.ts',
    'packages/core/src/types.test.ts',
    'packages/core/src/helpers/bytes.ts',
  ])('for the name %s', (path) => {
    expect(judgeName(path)).toHaveLength(1)
  })

  test('for work left for later', () => {
    expect(judgeLeftOvers('a.ts', `// ${'TO'}${'DO'}: later`)).toHaveLength(1)
    expect(judgeLeftOvers('a.ts', '// done')).toEqual([])
  })
})
