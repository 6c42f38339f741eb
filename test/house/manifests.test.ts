import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { collectImports, packageOf } from './imports.js'
import { workspaceFolders } from './installation.mjs'
import {
  installedVersions,
  judgeDependencies,
  judgeIdentity,
  judgeUse,
  judgeVersions,
  parseLock,
  parseManifest,
  readManifest,
} from './manifests.js'
import { ROOMS } from './rooms.js'
import { ROOT, sourcesBelow } from './source-files.js'

const lock = parseLock(readFileSync(join(ROOT, 'pnpm-lock.yaml'), 'utf8'))
const referencesOf = (folder: string) =>
  z
    .object({ references: z.array(z.object({ path: z.string() })).default([]) })
    .parse(JSON.parse(readFileSync(join(ROOT, folder, 'tsconfig.json'), 'utf8')))
    .references.map((reference) => join(folder, reference.path).replaceAll('\\', '/'))

describe('package.json', () => {
  test.each(ROOMS)('$folder says what it is', (room) => {
    expect(judgeIdentity(room, readManifest(room.folder))).toEqual([])
  })

  test.each(ROOMS)('$folder depends on what its row allows, and names what its sources import', (room) => {
    const sources = sourcesBelow(`${room.folder}/src`).filter((file) => !file.isTest)
    const imported = sources
      .flatMap(collectImports)
      .flatMap(({ specifier }) => (specifier && !/^(\.|node:)/.test(specifier) ? [packageOf(specifier)] : []))

    expect(judgeDependencies(room, readManifest(room.folder))).toEqual([])
    expect(judgeUse(readManifest(room.folder), new Set(imported))).toEqual([])
  })

  test.each(ROOMS)('$folder is built after the rooms it depends on', (room) => {
    const folders = new Map(ROOMS.map((one) => [one.name, one.folder]))
    const starts: readonly string[] = room.starts ?? []
    const needed = Object.keys(readManifest(room.folder).dependencies).filter(
      (name) => !starts.includes(name),
    )
    const expected = needed.flatMap((name) => folders.get(name) ?? [])

    expect(referencesOf(room.folder)).toEqual(expect.arrayContaining(expected))
    expect(referencesOf('packages')).toContain(room.folder)
  })

  test('every version is exact and no field names a package manager', () => {
    const manifests = workspaceFolders(ROOT).map(readManifest)

    expect(manifests.flatMap(judgeVersions)).toEqual([])
    expect(manifests.filter((manifest) => manifest.packageManager !== undefined)).toEqual([])
  })

  test('packages and apps install one version of each library that must not meet its twin', () => {
    const versions = installedVersions(
      lock,
      ROOMS.map((room) => room.folder),
    )
    const watched = [...versions].filter(([name]) => /^(jose|zod|@sd-jwt\/.+)$/.test(name))

    expect(watched.map(([name]) => name)).toEqual(
      expect.arrayContaining(['jose', 'zod', '@sd-jwt/sd-jwt-vc']),
    )
    expect(watched.filter(([, found]) => found.size !== 1).map(([name, found]) => [name, ...found])).toEqual(
      [],
    )
  })

  test('the top level holds what the plan names', () => {
    const allowed = [
      'packages',
      'apps',
      'test',
      'package.json',
      'pnpm-workspace.yaml',
      'tsconfig.base.json',
      'README.md',
    ]
    const built = ['node_modules', 'report', 'pnpm-lock.yaml']
    const others = readdirSync(ROOT).filter(
      (name) => !name.startsWith('.') && ![...allowed, ...built].includes(name),
    )

    expect(others).toEqual([])
    expect(allowed.filter((name) => !existsSync(join(ROOT, name)))).toEqual([])
  })
})

describe('the rules can fail', () => {
  const core = ROOMS.filter((room) => room.name === '@attache/core')
  const good = readManifest('packages/core')
  const identity = (change: object) =>
    core.flatMap((room) => judgeIdentity(room, parseManifest({ ...good, ...change })))

  test.each([
    { license: 'MIT' },
    { type: 'commonjs' },
    { engines: {} },
    { packageManager: 'pnpm@10.34.9' },
    { private: true },
    { description: '' },
    { exports: { '.': './src/index.ts' } },
    { types: '' },
    { files: ['src'] },
    { name: '@attache/other' },
  ])('for %j', (change) => {
    expect(identity({})).toEqual([])
    expect(identity(change)).toHaveLength(1)
  })

  test.each(['^4.6.7', '~4.6.7', '*', 'latest', '4', '>=4.6.7', 'workspace:*'])(
    'for the version %s',
    (version) => {
      expect(judgeVersions(parseManifest({ ...good, dependencies: { zod: version } }))).toHaveLength(1)
    },
  )

  test('for a room that is not a workspace dependency', () => {
    expect(
      judgeVersions(parseManifest({ ...good, dependencies: { '@attache/keys': '0.1.0' } })),
    ).toHaveLength(1)
  })

  test('for a dependency that the row does not allow, and an import that package.json does not name', () => {
    const manifest = parseManifest({ ...good, dependencies: { jose: '6.2.17' } })

    expect(core.flatMap((room) => judgeDependencies(room, manifest))).toHaveLength(1)
    expect(judgeUse(manifest, new Set(['jose', 'zod']))).toHaveLength(1)
  })

  test('for two versions of one library, through a dependency', () => {
    const text = [
      'importers:',
      '  packages/a:',
      '    dependencies:',
      '      zod:',
      '        specifier: 4.6.7',
      '        version: 4.6.7',
      "      '@x/y':",
      '        specifier: 1.0.0',
      '        version: 1.0.0(zod@4.6.7)',
      'snapshots:',
      "  '@x/y@1.0.0(zod@4.6.7)':",
      '    dependencies:',
      '      zod: 3.0.0',
      '  zod@3.0.0: {}',
      '  zod@4.6.7: {}',
    ].join('\n')
    const versions = installedVersions(parseLock(text), ['packages/a'])

    expect([...(versions.get('zod') ?? [])].sort()).toEqual(['3.0.0', '4.6.7'])
    expect(installedVersions(parseLock(text), ['packages/b']).size).toBe(0)
  })
})
