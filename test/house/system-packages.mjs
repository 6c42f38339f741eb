/**
 * System packages that some suites need beside Node: the one place that lists them.
 *
 * Run as a command it prints the Debian packages that are needed by a suite of this tree and missing here,
 * on one line; `.ci/run` installs them. `run.mjs` leaves a suite out when its command is missing, or fails
 * when `CI=true`.
 *
 * @module
 */
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * @typedef {object} SystemPackage
 * @property {string} command Executable looked for in PATH.
 * @property {string} debian Package that brings it.
 * @property {readonly string[]} suites Folders of the suites that need it, relative to the repository.
 */

/** @type {readonly SystemPackage[]} */
export const SYSTEM_PACKAGES = [{ command: 'nginx', debian: 'nginx', suites: ['test/proxy'] }]

/**
 * Packages that a suite of this tree needs and whose command is not in PATH.
 *
 * @param {readonly SystemPackage[]} [packages]
 * @param {{ path?: string, root?: string }} [machine]
 * @returns {SystemPackage[]}
 */
export function missingPackages(packages = SYSTEM_PACKAGES, machine = {}) {
  const root = machine.root ?? ROOT
  const folders = (machine.path ?? process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return packages.filter(
    (one) =>
      one.suites.some((suite) => existsSync(join(root, suite))) &&
      !folders.some((folder) => isExecutable(join(folder, one.command))),
  )
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(
    missingPackages()
      .map((one) => one.debian)
      .join(' '),
  )
}
