/**
 * Whether node_modules is what the lock file says, so that a second run installs nothing.
 *
 * Looks at a stamp (hash of lock file, workspace file and every package.json) and at every direct dependency
 * on disk, since a start of the quickstart may have installed only what the apps need.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The version is exact: newer lines end with an error on ignored build scripts. */
export const INSTALL_COMMAND = [
  '--yes',
  'pnpm@10.34.9',
  'install',
  '--frozen-lockfile',
  '--config.confirm-modules-purge=false',
]

/** What a start of the quickstart leaves out: the peers that interop tests and benches compare with. */
export const APPS_ONLY = ['--filter', '!./test/**']

const STAMP = 'node_modules/.cache/attache-installation'

/** Folders of the workspace that hold a package.json. @param {string} root */
export function workspaceFolders(root) {
  const below = (parent) =>
    existsSync(join(root, parent)) ? readdirSync(join(root, parent)).map((name) => `${parent}/${name}`) : []
  const folders = ['', ...below('packages'), ...below('apps'), 'test/interop', 'test/bench', 'test/browser']
  return folders.filter((folder) => existsSync(join(root, folder, 'package.json')))
}

/** @param {string} root */
function fingerprint(root) {
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml']
  for (const folder of workspaceFolders(root)) files.push(join(folder, 'package.json'))
  const hash = createHash('sha256')
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(root, file)))
      .update('\0')
  return hash.digest('hex')
}

/** @param {string} root @param {readonly string[]} folders */
function everyDependencyIsThere(root, folders) {
  return folders.every((folder) => {
    const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
    const names = Object.keys({
      ...manifest.dependencies,
      ...manifest.devDependencies,
    })
    return names.every((name) => existsSync(join(root, folder, 'node_modules', name, 'package.json')))
  })
}

/**
 * @param {string} root
 * @param {{ appsOnly?: boolean }} scope
 */
export function installationIsInStep(root, { appsOnly = false } = {}) {
  const stamp = join(root, STAMP)
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== fingerprint(root)) return false
  const folders = workspaceFolders(root).filter((folder) => !(appsOnly && folder.startsWith('test/')))
  return everyDependencyIsThere(root, folders)
}

/** @param {string} root */
export function markInstallation(root) {
  mkdirSync(dirname(join(root, STAMP)), { recursive: true })
  writeFileSync(join(root, STAMP), fingerprint(root))
}
