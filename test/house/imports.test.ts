import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { collectImports, findCircles, judgeImports } from './imports.js'
import { ROOMS } from './rooms.js'
import { parseSource, ROOT, sourcesBelow } from './source-files.js'

const verifier = ROOMS.filter((room) => room.name === '@attache/verifier')
const inVerifier = (text: string, name = 'gate.ts') => {
  const file = parseSource(`packages/verifier/src/${name}`, text)
  return verifier.flatMap((room) => judgeImports(room, [file]))
}

describe('allowed imports', () => {
  test('the table has every folder of packages and apps, and no other', () => {
    const folders = ['packages', 'apps'].flatMap((parent) =>
      readdirSync(join(ROOT, parent))
        .map((name) => `${parent}/${name}`)
        .filter((folder) => existsSync(join(ROOT, folder, 'package.json'))),
    )

    expect(ROOMS.map((room) => room.folder).sort()).toEqual(folders.sort())
  })

  test('a room imports only rooms that stand before it in the table', () => {
    const upward = ROOMS.flatMap((room, floor) =>
      room.rooms
        .filter((below) => ROOMS.findIndex((one) => one.name === `@attache/${below}`) >= floor)
        .map((below) => `${room.name} -> ${below}`),
    )

    expect(upward).toEqual([])
  })

  test('roles never import each other, apps no app', () => {
    const roles = ['issuer', 'wallet', 'verifier']
    const between = ROOMS.filter((room) => roles.includes(room.name.slice('@attache/'.length))).flatMap(
      (room) => room.rooms.filter((below) => roles.includes(below)),
    )
    const apps = ROOMS.filter((room) => room.folder.startsWith('apps/')).map((room) => room.name)
    const imported = ROOMS.flatMap((room) => room.rooms.map((name) => `@attache/${name}`))

    expect(between).toEqual([])
    expect(imported.filter((name) => apps.includes(name))).toEqual([])
  })

  test.each(ROOMS)('$name imports what its row allows', (room) => {
    expect(judgeImports(room, sourcesBelow(`${room.folder}/src`))).toEqual([])
  })

  test.each(ROOMS)('$name has no import circle', (room) => {
    expect(findCircles(sourcesBelow(`${room.folder}/src`))).toEqual([])
  })
})

describe('judgeImports can fail', () => {
  test.each([
    ['a role importing a role', `import { x } from '@attache/issuer'`],
    ['the same as a type', `import type { X } from '@attache/issuer'`],
    ['the same as an import type', `export type X = import('@attache/wallet').Wallet`],
    ['the same while running', `export const x = () => import('@attache/wallet')`],
    ['the same as a re-export', `export { x } from '@attache/openid4vci'`],
    ['a re-export of everything', `export * from '@attache/openid4vci'`],
    ['require', `const x = require('@attache/wallet')`],
    ['an import assignment', `import x = require('@attache/wallet')`],
    ['a computed name', `export const load = (name: string) => import(name)`],
    ['a deep path', `import { x } from '@attache/core/src/bytes.js'`],
    ['another room by path', `import { x } from '../../issuer/src/index.js'`],
    ['itself by name', `import { x } from '@attache/verifier'`],
    ['an unknown room', `import { x } from '@attache/shed'`],
    ['an outside package that is not in the row', `import { x } from 'jose'`],
    ['a builtin that is not in the row', `import { readFileSync } from 'node:fs'`],
    ['a builtin without its prefix', `import { readFileSync } from 'fs'`],
    ['a relative import without ending', `import { x } from './token'`],
    ['a test', `import { x } from './token.test.js'`],
  ])('refuses %s', (_, text) => {
    expect(inVerifier(text)).toHaveLength(1)
  })

  test('lets through what the row allows', () => {
    expect(
      inVerifier(
        `import { x } from '@attache/core'\nimport { z } from 'zod'\nimport { y } from './token.js'`,
      ),
    ).toEqual([])
  })

  test('holds a test beside its source to its own room, core and keys', () => {
    expect(inVerifier(`import { x } from '@attache/oauth'`, 'gate.test.ts')).toHaveLength(1)
    expect(inVerifier(`import { x } from '@attache/issuer'`, 'gate.test.ts')).toHaveLength(1)
    expect(inVerifier(`import { x } from 'level'`, 'gate.test.ts')).toHaveLength(1)
    expect(
      inVerifier(
        `import { test } from 'vitest'\nimport fc from 'fast-check'\nimport { x } from '@attache/keys'`,
        'gate.test.ts',
      ),
    ).toEqual([])
  })

  test('names file and line', () => {
    const file = parseSource('packages/core/src/a.ts', `\n\nimport 'jose'`)

    expect(collectImports(file)).toEqual([{ specifier: 'jose', at: 'packages/core/src/a.ts:3' }])
  })
})

describe('findCircles can fail', () => {
  test('finds a circle of type imports', () => {
    const files = [
      parseSource('packages/core/src/a.ts', `import type { B } from './b.js'`),
      parseSource('packages/core/src/b.ts', `import { c } from './c.js'`),
      parseSource('packages/core/src/c.ts', `export type { A } from './a.js'`),
    ]

    expect(findCircles(files)).toEqual([
      'packages/core/src/a.ts -> packages/core/src/b.ts -> packages/core/src/c.ts -> packages/core/src/a.ts',
    ])
  })

  test('is content with a diamond', () => {
    const files = [
      parseSource('packages/core/src/a.ts', `import './b.js'\nimport './c.js'`),
      parseSource('packages/core/src/b.ts', `import './d.js'`),
      parseSource('packages/core/src/c.ts', `import './d.js'`),
      parseSource('packages/core/src/d.ts', ''),
    ]

    expect(findCircles(files)).toEqual([])
  })
})
