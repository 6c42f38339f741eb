#!/usr/bin/env node
/**
 * The quickstart: HR data in, role credential issued, agent presents, API answers.
 *
 * Starts the products as processes of their own and talks to them; every ✓ is computed from an answer that
 * came over the wire.
 *
 * @module
 */
import { mkdirSync, rmSync } from 'node:fs'
import { relative } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { findObstacle } from './preflight.js'
import type { Running } from './processes.js'
import { createReport, STORY_ENDED } from './report.js'
import { createSetting, type Setting } from './setting.js'
import { tellStory } from './story.js'

interface Options {
  readonly once: boolean
  readonly fresh: boolean
  readonly data: string
  readonly port: number
}

const program = new Command('npm start --')
  .description('Runs the main job of Attaché on this machine: issuer, wallet, API and three agents.')
  .option('--once', 'end after the run; exit status 0 only if every expectation held', false)
  .option('--fresh', 'wipe the data folder first', false)
  .option('--data <folder>', 'where everything is kept', '.attache/quickstart')
  .option('--port <number>', 'first of three ports in a row', parsePort, 8441)
  .action(run)

function parsePort(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1024 && port <= 65_533) return port
  throw new InvalidArgumentError('A port is a number from 1024 to 65533.')
}

async function run(options: Options): Promise<void> {
  const setting = createSetting(options.data, options.port)
  const obstacle = await findObstacle(setting, options.fresh)
  if (obstacle !== undefined) {
    console.error(`✗ ${obstacle}`)
    process.exitCode = 1
    return
  }
  if (options.fresh) rmSync(setting.dataFolder, { recursive: true, force: true })
  mkdirSync(setting.file('logs'), { recursive: true, mode: 0o700 })
  console.log(`\nAttaché quickstart. Data folder: ${relative(process.cwd(), setting.dataFolder)}`)

  const running: Running[] = []
  const stop = async () => {
    for (const one of running.toReversed()) await one.stop()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stop().finally(() => process.exit(130)))
  }
  const report = createReport(console.log, () => performance.now())
  const told = await tellStory(setting, report, running).then(() => true, broken)
  const held = told && report.failures() === 0
  console.log(held ? '\nEverything held.' : `\n${whatFailed(report.failures(), setting)}`)
  if (told && !options.once) {
    sayWhatNext(setting)
    return
  }
  await stop()
  process.exitCode = held ? 0 : 1
}

// A step that failed was printed by the report; anything else is said in one line.
function broken(error: unknown): false {
  if (error instanceof Error && 'code' in error && error.code === STORY_ENDED) return false
  console.log(`  ✗ ${error instanceof Error ? error.message : String(error)}`)
  return false
}

function whatFailed(failures: number, setting: Setting): string {
  const many = `${failures} expectation${failures === 1 ? '' : 's'} did not hold.`
  return `${failures === 0 ? 'The run broke off.' : many} The logs are in ${setting.file('logs')}; with --fresh the next run begins with an empty data folder.`
}

function sayWhatNext(setting: Setting): void {
  const ca = setting.trust.authority('tls')
  console.log(`
Everything keeps running; Ctrl-C ends it. To look at next, from this folder:
  issuer metadata: curl --cacert ${ca} ${setting.issuer}/.well-known/openid-credential-issuer
  what the API learned: curl --cacert ${ca} ${setting.api}/record
  the wallet’s decisions: node apps/cli/dist/main.js wallet explain --socket ${setting.operatorSocket}
  call as the US analyst’s agent, which is answered 403: ATTACHE_SOCKET=${setting.agentSocket('revenue-report')} ATTACHE_CA_FILE=${ca} API_URL=${setting.api}/payroll/export node apps/quickstart/dist/agent.js
  a wallet and an agent of your own: apps/wallet/README.md, From an empty host to a called API
  logs: ${setting.file('logs')}`)
}

await program.parseAsync()
