/**
 * `npm run fuzz`: the long runs, seeded, in a heap of 256 MB.
 *
 * Loads the targets from their TypeScript sources, rooms included, so that no stale build is fuzzed. Ends with 1
 * when any input got a wrong verdict. `npm run fuzz -- 5000` runs fewer inputs, `-- 5000 7` takes another seed.
 *
 * @module
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const alias = Object.fromEntries(
  readdirSync(join(ROOT, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => [`@attache/${name}`, join(ROOT, 'packages', name, 'src/index.ts')]),
)

/** Every fuzz target: a file beside this one, its function, and how many inputs a full run has. */
const TARGETS = [
  { title: 'presentations', file: 'sd-jwt-fuzz.ts', run: 'fuzzPresentations', inputs: 1_000_000 },
  { title: 'requests to a verifier', file: 'verifier-fuzz.ts', run: 'fuzzVerifier', inputs: 100_000 },
  { title: 'status list tokens', file: 'status-list-fuzz.ts', run: 'fuzzStatusListTokens', inputs: 100_000 },
]

const [limit, seed = 20_260_921] = process.argv.slice(2).map(Number)
for (const target of TARGETS) {
  const inputs = Math.min(limit ?? target.inputs, target.inputs)
  const { module } = await runnerImport(join(ROOT, 'test/fuzz', target.file), {
    root: ROOT,
    configFile: false,
    logLevel: 'error',
    resolve: { alias },
  })
  const started = performance.now()
  const found = await module[target.run]({ inputs, seed })
  print(target.title, found, (performance.now() - started) / 1000)
  if (found.wrong.length > 0) process.exitCode = 1
}

function print(title, { inputs, accepted, refused, wrong, slowest, ...counters }, seconds) {
  const mebibytes = Math.round(process.memoryUsage().heapUsed / 1_048_576)
  console.log(`\n${title}: ${inputs} inputs, seed ${seed}, ${seconds.toFixed(0)} s, heap ${mebibytes} MiB`)
  console.log(
    `  accepted ${accepted}, refused ${inputs - accepted} with ${Object.keys(refused).length} codes`,
  )
  const codes = Object.entries(refused).sort(([, a], [, b]) => b - a)
  for (const [code, count] of codes) console.log(`    ${String(count).padStart(8)} ${code}`)
  console.log(`  most work: ${JSON.stringify(counters)}`)
  console.log(`  slowest: ${slowest.milliseconds.toFixed(2)} ms, ${slowest.input}`)
  console.log(wrong.length === 0 ? '  no wrong verdict' : `  WRONG: ${wrong.length}`)
  for (const one of wrong.slice(0, 10)) console.log(`    ${one.slice(0, 600)}`)
}
