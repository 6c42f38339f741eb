/**
 * package.json of every room and app, the solution file, and what the lock file installs.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Room } from './rooms.js'
import { ROOT } from './source-files.js'

const versions = z.record(z.string(), z.string()).default({})

const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  private: z.boolean().default(false),
  license: z.string().default(''),
  type: z.string().default(''),
  description: z.string().default(''),
  engines: z.record(z.string(), z.string()).default({}),
  exports: z.unknown().optional(),
  types: z.string().default(''),
  files: z.array(z.string()).default([]),
  packageManager: z.string().optional(),
  dependencies: versions,
  devDependencies: versions,
  peerDependencies: versions,
  optionalDependencies: versions,
})

export type Manifest = z.infer<typeof manifestSchema>

export function parseManifest(value: unknown): Manifest {
  return manifestSchema.parse(value)
}

/** @param folder Relative to the repository; empty for its own. */
export function readManifest(folder: string): Manifest {
  return parseManifest(JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')))
}

// An alias is a second version beside the first: `npm:express@4.21.2`.
const EXACT = /^(?:npm:[@a-z0-9/._-]+@)?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/

/** Dependencies whose version is not exact; a peer may be a range, a room is `workspace:*`. */
export function judgeVersions(manifest: Manifest): readonly string[] {
  const fixed = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies }
  return Object.entries(fixed).flatMap(([name, version]) => {
    const right = name.startsWith('@attache/') ? version === 'workspace:*' : EXACT.test(version)
    return right ? [] : [`${manifest.name}: ${name} ${version} is not exact`]
  })
}

/** Dependencies that the room's row of the table does not allow. */
export function judgeDependencies(room: Room, manifest: Manifest): readonly string[] {
  const rooms = [...room.rooms.map((name) => `@attache/${name}`), ...(room.starts ?? [])]
  const needed = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies }
  return Object.keys(needed)
    .filter((name) => ![...rooms, ...room.outside].includes(name))
    .map((name) => `${manifest.name} may not depend on ${name}`)
}

/** What every published package says about itself. */
export function judgeIdentity(room: Room, manifest: Manifest): readonly string[] {
  const expected: Record<string, [unknown, unknown]> = {
    name: [manifest.name, room.name],
    license: [manifest.license, 'Apache-2.0'],
    type: [manifest.type, 'module'],
    'engines.node': [manifest.engines['node'], '>=20.19'],
    packageManager: [manifest.packageManager, undefined],
    private: [manifest.private, room.folder.startsWith('apps/')],
  }
  const problems = Object.entries(expected)
    .filter(([, [is, should]]) => is !== should)
    .map(([field, [is, should]]) => `${room.folder}: ${field} is ${String(is)}, not ${String(should)}`)
  if (manifest.description === '') problems.push(`${room.folder}: no description`)
  if (manifest.private) return problems

  const entry = JSON.stringify({ '.': { types: './dist/index.d.ts', default: './dist/index.js' } })
  if (JSON.stringify(manifest.exports) !== entry) problems.push(`${room.folder}: exports is not ${entry}`)
  if (manifest.types !== './dist/index.d.ts') problems.push(`${room.folder}: types is not ./dist/index.d.ts`)
  if (manifest.files[0] !== 'dist') problems.push(`${room.folder}: files does not start with dist`)
  return problems
}

/** Room imports of the sources that package.json does not name, and the other way round. */
export function judgeUse(manifest: Manifest, imported: ReadonlySet<string>): readonly string[] {
  const named = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
  return [...imported]
    .filter((name) => !named.includes(name))
    .map((name) => `${manifest.name} imports ${name}, which its package.json does not name`)
}

interface LockNode {
  readonly [key: string]: LockNode | string
}

/** The maps of a pnpm lock file: nested by two spaces, keys possibly quoted. */
export function parseLock(text: string): LockNode {
  const root: Record<string, LockNode | string> = {}
  const open: { indent: number; node: Record<string, LockNode | string> }[] = [{ indent: -1, node: root }]
  for (const line of text.split('\n')) {
    const [, space = '', quoted, plain, value = ''] =
      /^( *)(?:'([^']+)'|([^\s'#][^:]*)):(?: (.*))?$/.exec(line) ?? []
    const key = quoted ?? plain
    if (key === undefined) continue
    while ((open.at(-1)?.indent ?? -1) >= space.length) open.pop()
    const parent = open.at(-1)?.node ?? root
    if (value !== '') parent[key] = value.replace(/^'(.*)'$/, '$1')
    else {
      const node: Record<string, LockNode | string> = {}
      parent[key] = node
      open.push({ indent: space.length, node })
    }
  }
  return root
}

const child = (node: LockNode | string | undefined, key: string): LockNode => {
  const found =
    node === undefined || typeof node === 'string' || !Object.hasOwn(node, key) ? undefined : node[key]
  return found === undefined || typeof found === 'string' ? {} : found
}

/** Versions of each package reachable from some importers, without `(peer)` suffixes. */
export function installedVersions(
  lock: LockNode,
  importers: readonly string[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>()
  const seen = new Set<string>()
  const visit = (name: string, version: string): void => {
    if (version.startsWith('link:') || seen.has(`${name}@${version}`)) return
    seen.add(`${name}@${version}`)
    found.set(name, (found.get(name) ?? new Set()).add(version.replace(/\(.*$/, '')))
    const snapshot = child(child(lock, 'snapshots'), `${name}@${version}`)
    for (const kind of ['dependencies', 'optionalDependencies']) {
      for (const [next, nextVersion] of Object.entries(child(snapshot, kind))) {
        if (typeof nextVersion === 'string') visit(next, nextVersion)
      }
    }
  }
  for (const importer of importers) {
    for (const kind of ['dependencies', 'optionalDependencies', 'devDependencies']) {
      const dependencies = child(child(child(lock, 'importers'), importer), kind)
      for (const name of Object.keys(dependencies)) {
        const version = child(dependencies, name)['version']
        if (typeof version === 'string') visit(name, version)
      }
    }
  }
  return found
}
