/**
 * `npm start`: installs what the apps need, builds, runs the main job.
 *
 * Plain JavaScript without a dependency: it runs before anything is installed. What is installed and built
 * already is reused, so a second start takes seconds.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  APPS_ONLY,
  INSTALL_COMMAND,
  installationIsInStep,
  markInstallation,
} from '../../test/house/installation.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`✗ Node ${process.versions.node} is too old: install Node 20.19 or newer.`)
  process.exit(1)
}

step('install what the apps need', () => {
  if (installationIsInStep(ROOT, { appsOnly: true })) return 'nothing new'
  must('npx', [...INSTALL_COMMAND, ...APPS_ONLY])
  markInstallation(ROOT)
  return 'done'
})
step('build', () => {
  must(process.execPath, ['node_modules/typescript/bin/tsc', '-b', 'packages'])
  return 'done'
})

const main = spawnSync(process.execPath, ['apps/quickstart/dist/main.js', ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit',
})
process.exit(main.status ?? 1)

/** Does one step and says how it went; a failed one ends the start. */
function step(what, work) {
  const started = performance.now()
  process.stdout.write(`  … ${what}\n`)
  const outcome = work()
  console.log(`  ✓ ${what}: ${outcome} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
}

/** Runs a command to its end; what it printed is shown when it failed. */
function must(command, args) {
  const done = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (done.status === 0) return
  console.error(`${done.stdout ?? ''}${done.stderr ?? ''}${done.error ?? ''}`)
  console.error(`✗ ${command} ${args[0]} failed.`)
  if (!existsSync(`${ROOT}/node_modules/typescript`)) console.error('Delete node_modules and start again.')
  process.exit(1)
}
