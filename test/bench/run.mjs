/**
 * `npm run bench`: what operations, flows and large holdings cost, on the built packages.
 *
 * Runs every `*.bench.mjs` beside it in a process of its own, one after the other, so that no suite heats up
 * or litters another. A missed goal is news, not an error: `--strict` makes it one.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const suites = readdirSync(folder).filter((name) => name.endsWith('.bench.mjs'))

const missed = suites.filter((suite) => {
  console.log(`\n${suite} (Node ${process.versions.node})`)
  return spawnSync(process.execPath, [suite], { cwd: folder, stdio: 'inherit' }).status !== 0
})
console.log(missed.length === 0 ? '\nAll goals reached.' : `\nGoals missed in ${missed.join(', ')}.`)
if (missed.length > 0 && process.argv.includes('--strict')) process.exitCode = 1
