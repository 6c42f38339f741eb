/**
 * Runs a source file as a process, rooms as sources: `node run-source.mjs <file> <arguments>`.
 *
 * What the file finds in `process.argv` is what an installed command would find.
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const root = fileURLToPath(new URL('../..', import.meta.url))
const alias = Object.fromEntries(
  readdirSync(`${root}/packages`).map((room) => [
    `@attache/${room}`,
    `${root}/packages/${room}/src/index.ts`,
  ]),
)
const [node, , file, ...rest] = process.argv
process.argv = [node, `${root}/${file}`, ...rest]
await runnerImport(`${root}/${file}`, {
  root,
  configFile: false,
  logLevel: 'silent',
  resolve: { alias },
})
