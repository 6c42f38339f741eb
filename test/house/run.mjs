/**
 * `npm test`: installs, builds and runs everything, on a machine that has only Node and npm.
 *
 * Prints each step in plain words with its time, then the coverage of requirements, and as the last line
 * `N passed, N failed`: the tests of the runner's reports, plus one failed for every step that failed.
 * Reports lie in `report/` (not committed).
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { printCounts } from '../requirements/requirements.mjs'
import { INSTALL_COMMAND, installationIsInStep, markInstallation } from './installation.mjs'
import { countTests } from './report.mjs'
import { missingPackages } from './system-packages.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const REPORT = join(ROOT, 'report')
const onBuildMachine = process.env.CI === 'true'
const failedSteps = []

/** Runs one step and says how it went; the output is shown when it failed, or always with `loud`. */
function step(name, command, options = {}) {
  const started = Date.now()
  if (options.loud) console.log(`  … ${name}`)
  const done = spawnSync(command[0], command.slice(1), {
    cwd: ROOT,
    env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1', ...options.env },
    stdio: options.loud ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    shell: false,
  })
  const passed = done.status === 0
  if (!passed && !options.loud) console.log(`${done.stdout ?? ''}${done.stderr ?? ''}${done.error ?? ''}`)
  console.log(`${passed ? '✓' : '✗'} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  return passed
}

/** A step without a report of its own: when it fails it counts as one failed test. */
function requiredStep(name, command) {
  const passed = step(name, command)
  if (!passed) failedSteps.push(name)
  return passed
}

/** The path of a tool's executable script, so that no shell and no global installation is needed. */
function tool(packageName, bin = packageName) {
  const folder = join(ROOT, 'node_modules', packageName)
  const { bin: bins } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return join(folder, typeof bins === 'string' ? bins : bins[bin])
}

/** One run of the test runner; a run that ended badly without a failed test counts as one. */
function testRun(name, report, env) {
  const file = join(REPORT, report)
  rmSync(file, { force: true })
  const vitest = [tool('vitest'), 'run', '--root', '.', '--config', 'test/house/vitest.config.ts']
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
  const passed = step(name, [process.execPath, ...vitest, ...reporters], {
    loud: true,
    env,
  })
  const count = countTests(file)
  for (const one of count.notRun) console.log(`✗ not run, which counts as failed: ${one}`)
  if (!passed && count.failed === 0) failedSteps.push(name)
  return count
}

/** Suites whose system package is missing: left out here, a failure on a build machine. */
function leaveOut() {
  const missing = missingPackages()
  if (onBuildMachine) {
    for (const one of missing) {
      console.log(`✗ ${one.command} is missing and ${one.suites.join(', ')} needs it`)
      failedSteps.push(one.command)
    }
  }
  return onBuildMachine ? [] : missing
}

function finish(counts) {
  const passed = counts.reduce((sum, count) => sum + count.passed, 0)
  const failed = counts.reduce((sum, count) => sum + count.failed, 0) + failedSteps.length
  if (failedSteps.length > 0) console.log(`Failed steps: ${failedSteps.join(', ')}`)
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1
}

function main() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    console.log(`✗ Node ${process.versions.node} is too old: install Node 20.19 or newer.`)
    failedSteps.push('node')
    return finish([])
  }

  mkdirSync(REPORT, { recursive: true })
  if (installationIsInStep(ROOT)) {
    console.log('✓ installed packages are in step with the lock file')
  } else {
    if (!requiredStep('install the packages of the lock file', ['npx', ...INSTALL_COMMAND])) return finish([])
    markInstallation(ROOT)
  }

  requiredStep('build every package and app', [process.execPath, tool('typescript', 'tsc'), '-b', 'packages'])
  requiredStep('lint and format', [process.execPath, tool('@biomejs/biome', 'biome'), 'ci', '.'])
  requiredStep('types of sources and tests', [process.execPath, tool('typescript', 'tsc'), '-p', 'test'])

  const leftOut = leaveOut()
  const folders = leftOut.flatMap((one) => one.suites).join(',')
  const env = { ATTACHE_LEFT_OUT: folders, ATTACHE_COVERAGE: '' }
  const counts = [testRun('tests', 'tests.json', env)]
  counts.push(testRun('coverage of requirements', 'coverage.json', { ...env, ATTACHE_COVERAGE: '1' }))

  console.log('')
  printCounts(join(REPORT, 'tests.json'))
  for (const one of leftOut) {
    console.log(
      `Left out: ${one.suites.join(', ')}. To run: apt-get install -y --no-install-recommends ${one.debian}`,
    )
  }
  finish(counts)
}

main()
