/**
 * The process that is killed in crash.test.ts: writes to a level store without end and says what was acknowledged.
 *
 * Started with the path of the database; prints `put <n>` or `take <n>` after the store resolved, never before.
 */
import { readdirSync, writeSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const root = fileURLToPath(new URL('../..', import.meta.url))
const alias = Object.fromEntries(
  readdirSync(`${root}/packages`).map((room) => [
    `@attache/${room}`,
    `${root}/packages/${room}/src/index.ts`,
  ]),
)
const { module: storage } = await runnerImport(`${root}/packages/storage/src/index.ts`, {
  root,
  configFile: false,
  logLevel: 'silent',
  resolve: { alias },
})

const store = await storage.createLevelStore({ path: process.argv[2], clock: () => 1_790_000_000 })
writeSync(1, 'ready\n')

let next = 0
async function work() {
  for (;;) {
    const n = next
    next += 1
    const won = await store.commit([
      { op: 'putIfAbsent', key: `left/${n}`, value: n },
      { op: 'putIfAbsent', key: `right/${n}`, value: n },
      { op: 'putIfAbsent', key: `code/${n}`, value: n },
    ])
    if (won) writeSync(1, `put ${n}\n`)
    if (n % 2 === 0 && (await store.take(`code/${n}`)) !== undefined) writeSync(1, `take ${n}\n`)
  }
}
await Promise.all(Array.from({ length: 8 }, work))
