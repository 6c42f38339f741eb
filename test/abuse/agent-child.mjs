/**
 * An agent as a process of its own: calls the address it is given by its wallet's `fetch`, holds the answer, prints
 * the status, and stays until its input ends. The wallet is found as any agent finds it, by `ATTACHE_SOCKET`.
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
const { module: agent } = await runnerImport(`${root}/packages/agent/src/index.ts`, {
  root,
  configFile: false,
  logLevel: 'silent',
  resolve: { alias },
})
const response = await agent.fetch(process.argv[2], { method: 'POST', body: '{"month":"2026-08"}' })
// Held for as long as the process lives: whoever looks into its memory must find at least this.
globalThis.answer = await response.text()
writeSync(1, `${response.status}\n`)
process.stdin.resume()
process.stdin.once('end', () => process.exit(0))
