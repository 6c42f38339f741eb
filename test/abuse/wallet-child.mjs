/**
 * The wallet daemon as a process that can be killed: started with the path of its configuration and the time it is to
 * believe in; prints `ready` when its sockets are open.
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
const { module: daemon } = await runnerImport(`${root}/apps/wallet/src/serve.ts`, {
  root,
  configFile: false,
  logLevel: 'silent',
  resolve: { alias },
})
await daemon.serve(process.argv[2], () => Number(process.argv[3]))
writeSync(1, 'ready\n')
