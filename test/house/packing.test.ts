import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { INSTALL_COMMAND } from './installation.mjs'
import { parseManifest } from './manifests.js'
import { ROOMS } from './rooms.js'
import { filesBelow, ROOT, sourcesBelow } from './source-files.js'
import { exportedNames } from './surface.js'

const packages = ROOMS.filter((room) => room.folder.startsWith('packages/'))
const folder = mkdtempSync(join(tmpdir(), 'attache-packing-'))
const consumer = join(folder, 'consumer')
const [yes = '', pnpm = ''] = INSTALL_COMMAND

function run(command: readonly string[], cwd: string): string {
  const [program = '', ...rest] = command
  const done = spawnSync(program, rest, { cwd, encoding: 'utf8', maxBuffer: 32 * 1024 * 1024 })
  if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.stdout}${done.stderr}`)
  return done.stdout
}

/** Imports every package in a fresh process and prints its names. */
const PROBE = `
const names = {}
for (const name of process.argv.slice(2)) names[name] = Object.keys(await import(name))
console.log(JSON.stringify(names))
`

/** Packs every package and installs the tarballs together, as somebody outside would. */
function packAndInstall(): void {
  mkdirSync(consumer)
  run(['npx', yes, pnpm, '-r', '--filter', './packages/*', 'pack', '--pack-destination', folder], ROOT)
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  const dependencies = Object.fromEntries(
    packages.map((room) => {
      const tarball = tarballs.find((name) =>
        name.startsWith(`attache-${room.folder.slice('packages/'.length)}-0`),
      )
      return [room.name, `file:${join(folder, tarball ?? 'not-packed.tgz')}`]
    }),
  )
  const manifest = { name: 'consumer', private: true, type: 'module', dependencies }
  writeFileSync(join(consumer, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(consumer, 'probe.mjs'), PROBE)
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  run(['npm', 'install', ...quiet], consumer)
}

const installed = (name: string) => join(consumer, 'node_modules', name)

function filesIn(path: string, prefix = ''): readonly string[] {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return []
    const name = `${prefix}${entry.name}`
    return entry.isDirectory() ? filesIn(join(path, entry.name), `${name}/`) : [name]
  })
}

/** What a TypeScript user sees when importing names from an installed package. */
function compileImport(packageName: string, names: readonly string[]): readonly string[] {
  const file = join(consumer, `use-${packageName.replace(/\W/g, '-')}.ts`)
  writeFileSync(
    file,
    `import { ${names.join(', ')} } from '${packageName}'\nexport const all = [${names.join(', ')}]\n`,
  )
  const program = ts.createProgram([file], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    types: [],
  })
  return program
    .getSemanticDiagnostics(program.getSourceFile(file))
    .map((one) => ts.flattenDiagnosticMessageText(one.messageText, ' '))
}

describe('packages as somebody outside gets them', () => {
  let names: Readonly<Record<string, readonly string[]>> = {}

  beforeAll(() => {
    packAndInstall()
    const printed = run(['node', 'probe.mjs', ...packages.map((room) => room.name)], consumer)
    names = z.record(z.string(), z.array(z.string())).parse(JSON.parse(printed))
  }, 180_000)

  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  test.each(packages)('$name brings its build and its README, no source and no test', (room) => {
    const files = filesIn(installed(room.name))

    expect(files).toEqual(
      expect.arrayContaining(['package.json', 'README.md', 'dist/index.js', 'dist/index.d.ts']),
    )
    expect(files.filter((name) => /(^src\/|\.test\.|\.tsbuildinfo$|^test\/)/.test(name))).toEqual([])
  })

  test.each(packages)('$name says in its packed package.json which versions and licence it has', (room) => {
    const manifest = parseManifest(
      JSON.parse(readFileSync(join(installed(room.name), 'package.json'), 'utf8')),
    )

    expect(manifest).toMatchObject({ license: 'Apache-2.0', type: 'module', engines: { node: '>=20.19' } })
    expect(Object.values(manifest.dependencies).filter((version) => !/^\d+\.\d+\.\d+/.test(version))).toEqual(
      [],
    )
  })

  test.each(packages)('$name is imported from its tarball with the names its index.ts offers', (room) => {
    const sources = sourcesBelow(`${room.folder}/src`)
    const offered = sources
      .filter((file) => file.path === `${room.folder}/src/index.ts`)
      .flatMap((index) => exportedNames(index, sources))
      .filter(({ declaration }) => {
        const node = declaration?.node
        return node !== undefined && !ts.isInterfaceDeclaration(node) && !ts.isTypeAliasDeclaration(node)
      })
      .map(({ name }) => name)

    expect([...(names[room.name] ?? [])].sort()).toEqual([...new Set(offered)].sort())
  })

  test.each(packages)('$name brings its types', (room) => {
    expect(compileImport(room.name, names[room.name] ?? [])).toEqual([])
  })

  test('a name that a package does not offer does not compile', () => {
    expect(compileImport('@attache/core', ['noSuchName'])).toHaveLength(1)
  })

  test('a package that was not packed cannot be imported', () => {
    expect(() => run(['node', 'probe.mjs', '@attache/no-such-room'], consumer)).toThrow(
      /ERR_MODULE_NOT_FOUND/,
    )
  })

  test('no package folder keeps a tarball', () => {
    expect(filesBelow('packages').filter((path) => path.endsWith('.tgz'))).toEqual([])
  })
})
