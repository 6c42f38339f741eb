import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { compileBlocks, extractBlocks } from './readme.js'
import { ROOMS } from './rooms.js'
import { filesBelow, ROOT } from './source-files.js'

const readmes = ['README.md', ...['packages', 'apps', 'test'].flatMap(filesBelow)].filter(
  (path) => path.endsWith('README.md') && existsSync(join(ROOT, path)),
)

describe('READMEs', () => {
  let problems: readonly string[] = []

  beforeAll(() => {
    problems = compileBlocks(
      readmes.flatMap((path) => extractBlocks(path, readFileSync(join(ROOT, path), 'utf8'))),
    )
  })

  test('the repository has one', () => {
    expect(readmes).toContain('README.md')
  })

  test.each(ROOMS)('$folder has one, and its TypeScript compiles', (room) => {
    const path = `${room.folder}/README.md`

    expect(readmes).toContain(path)
    expect(problems.filter((one) => one.startsWith(`${path}:`))).toEqual([])
  })

  test('TypeScript of every other README compiles', () => {
    const ofRooms = ROOMS.map((room) => `${room.folder}/README.md:`)

    expect(problems.filter((one) => !ofRooms.some((path) => one.startsWith(path)))).toEqual([])
  })
})

describe('compileBlocks can fail', () => {
  const compile = (code: string) =>
    compileBlocks(extractBlocks('packages/core/README.md', `# Use\n\n\`\`\`ts\n${code}\n\`\`\`\n`))

  test('for a name that a room does not export, a wrong type, broken syntax', () => {
    const problems = [
      compile(`import { noSuchName } from '@attache/core'`),
      compile(
        `import { encodeBase64url } from '@attache/core'\nconst x: number = encodeBase64url(new Uint8Array())`,
      ),
      compile('const = 1'),
    ]

    expect(problems.map((one) => one.length > 0)).toEqual([true, true, true])
    expect(problems[1]?.[0]).toMatch(/^packages\/core\/README\.md:4 \(line 2/)
  })

  test('is content with what compiles, also with await at the top', () => {
    expect(
      compile(`import { utf8 } from '@attache/core'\nconst bytes = await Promise.resolve(utf8('x'))`),
    ).toEqual([])
  })

  test('reads blocks marked ts and typescript only', () => {
    const blocks = extractBlocks('README.md', '```ts\na\n```\n```sh\nb\n```\n```typescript\nc\n```\n')

    expect(blocks.map((block) => block.code)).toEqual(['a\n', 'c\n'])
  })
})
