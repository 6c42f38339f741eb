import { describe, expect, test } from 'vitest'
import { ROOMS } from './rooms.js'
import { parseSource, sourcesBelow } from './source-files.js'
import { exportedNames, judgeDocumentation, judgeIndex, judgeZodTypes, judgeZodUse } from './surface.js'

const packages = ROOMS.filter((room) => room.folder.startsWith('packages/'))

const indexOf = (folder: string) =>
  sourcesBelow(`${folder}/src`).filter((file) => file.path === `${folder}/src/index.ts`)

describe('public surface', () => {
  test.each(packages)('$name names what it offers, and offers something', (room) => {
    const [index] = indexOf(room.folder)

    expect(indexOf(room.folder).flatMap(judgeIndex)).toEqual([])
    expect(index && exportedNames(index, sourcesBelow(`${room.folder}/src`)).length).toBeGreaterThan(0)
  })

  test.each(packages)('$name documents every name it offers', (room) => {
    const files = sourcesBelow(`${room.folder}/src`)

    expect(indexOf(room.folder).flatMap((index) => judgeDocumentation(index, files))).toEqual([])
  })

  test.each(packages)('$name keeps the types of zod inside', (room) => {
    expect(judgeZodTypes(sourcesBelow(`${room.folder}/src`))).toEqual([])
    expect(judgeZodUse(sourcesBelow(`${room.folder}/src`))).toEqual([])
  })
})

describe('judgeIndex can fail', () => {
  test.each([
    `export * from './a.js'`,
    `export * as a from './a.js'`,
    'export const a = 1',
    `import { a } from './a.js'`,
    `import { a } from './a.js'\nexport { a }`,
  ])('for %s', (text) => {
    expect(judgeIndex(parseSource('packages/core/src/index.ts', text)).length).toBeGreaterThan(0)
  })

  test('is content with names', () => {
    const text = `export { a } from './a.js'\nexport type { B } from './b.js'`

    expect(judgeIndex(parseSource('packages/core/src/index.ts', text))).toEqual([])
  })
})

describe('judgeDocumentation can fail', () => {
  const index = parseSource('packages/core/src/index.ts', `export { a as b, type C } from './a.js'`)
  const judge = (text: string) => judgeDocumentation(index, [parseSource('packages/core/src/a.ts', text)])
  const documentedType = '/** A count. */\nexport type C = number\n'

  test('for a name without docstring', () => {
    expect(judge(`${documentedType}export const a = 1`)).toHaveLength(1)
    expect(judge(`${documentedType}// not a docstring\nexport function a() {}`)).toHaveLength(1)
    expect(judge(`${documentedType}/** One. */\nexport const a = 1`)).toEqual([])
  })

  test('for a name that nothing declares', () => {
    expect(judge(documentedType)).toHaveLength(1)
  })

  test('follows a re-export to the declaration', () => {
    const files = [
      parseSource('packages/core/src/a.ts', `export { d as a } from './d.js'\n${documentedType}`),
      parseSource('packages/core/src/d.ts', 'export const d = 1'),
    ]

    expect(judgeDocumentation(index, files)).toEqual(['packages/core/src/d.ts:1 b has no docstring'])
  })
})

describe('judgeZodTypes can fail', () => {
  const judge = (text: string) => judgeZodTypes([parseSource('packages/oauth/src/a.ts', text)])

  test.each([
    'export const schema = z.object({})',
    'export type A = z.infer<typeof schema>',
    'export function parse(): z.ZodError { return x }',
    'export const f = (error: ZodError): string => error.message',
  ])('for %s', (text) => {
    expect(judge(text)).toHaveLength(1)
  })

  test('lets a schema stay inside its file', () => {
    expect(
      judge('const schema = z.object({})\nexport function parse(x: unknown): A { return schema.parse(x) }'),
    ).toEqual([])
  })

  test('for a file that imports zod and parses nothing', () => {
    const judge = (text: string) => judgeZodUse([parseSource('packages/oauth/src/a.ts', text)])

    expect(judge(`import { z } from 'zod'\nconst schema = z.string()`)).toHaveLength(1)
    expect(
      judge(`import { z } from 'zod'\nexport function parseA(x: unknown) { return z.string().parse(x) }`),
    ).toEqual([])
  })
})
