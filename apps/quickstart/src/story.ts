/**
 * The story: who is started when, and which chapter follows which.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { createGuardedFetch, type OutboundFetch, systemClock } from '@attache/core'
import { tellBadInput } from './bad-input-chapter.js'
import { type CallsDeps, tellCalls, tellRecord } from './calls-chapter.js'
import { configureApi, configureIssuer, configureWallet } from './configure.js'
import { tellHr } from './hr-chapter.js'
import { tellIssuance } from './issuance-chapter.js'
import { tellLeaver } from './leaver-chapter.js'
import { tellLogin } from './login-chapter.js'
import { createManagement, type Management } from './management.js'
import { createOperator, type Operator } from './operator.js'
import { type Running, startProgram } from './processes.js'
import type { Report } from './report.js'
import type { Setting } from './setting.js'
import { makeTrust } from './trust.js'

const START_TIMEOUT_MS = 30_000
const APPS = new URL('../../', import.meta.url).pathname

/** A story that was told: its programs still run. */
export interface Told {
  /** Stops all programs, the last one first. */
  stop(): Promise<void>
}

/**
 * Tells the story once.
 *
 * @param running Receives each program as it starts, so that they can be stopped when the story breaks off.
 */
export async function tellStory(setting: Setting, report: Report, running: Running[]): Promise<void> {
  report.chapter('Setting the stage')
  const made = await report.step('certificates, one authority for each purpose', () =>
    makeTrust(setting.trust, setting.issuer, systemClock()),
  )
  if (!made) report.note('reused from the last run')
  configureIssuer(setting)
  configureApi(setting)
  configureWallet(setting)

  const ca = [readFileSync(setting.trust.authority('tls'), 'utf8')]
  const fetch = createGuardedFetch({ ca, allowPrivate: ['localhost'] })
  const management = createManagement(setting.management, setting.file('issuer', 'management.token'), fetch)
  const operator = createOperator(`${APPS}cli/dist/main.js`, setting.operatorSocket)
  await startAll({ setting, report, running, fetch, management, operator })

  await tellHr(setting, management, report)
  await tellIssuance(management, operator, report)
  await tellLogin({ setting, management, operator, report })
  const deps: CallsDeps = { setting, operator, report, fetch }
  await tellCalls(deps)
  await tellRecord(deps)
  await tellBadInput(setting, fetch, report)
  await tellLeaver(setting, management, report)
}

async function startAll(stage: {
  readonly setting: Setting
  readonly report: Report
  readonly running: Running[]
  readonly fetch: OutboundFetch
  readonly management: Management
  readonly operator: Operator
}): Promise<void> {
  const { setting, report, running, fetch } = stage
  const start = async (what: string, args: readonly string[], ready: () => Promise<boolean>) => {
    const [name = what] = what.split(':')
    await report.step(what, async () => {
      const program = startProgram({ name, args, logFile: setting.file('logs', `${name}.log`) })
      running.push(program)
      await program.waitUntil(ready, START_TIMEOUT_MS)
    })
  }
  const serve = (app: string, configuration: string) => [
    `${APPS}${app}/dist/main.js`,
    'serve',
    '--config',
    configuration,
  ]
  const apiAnswers = () =>
    fetch(`${setting.api}/record`).then(
      (response) => response.ok,
      () => false,
    )
  await start(
    `issuer: ${setting.issuer}`,
    serve('issuer-server', setting.file('issuer', 'issuer.json')),
    stage.management.answers,
  )
  await start(
    `api: ${setting.api}`,
    [`${APPS}quickstart/dist/api.js`, setting.file('api', 'api.json')],
    apiAnswers,
  )
  await start(
    'wallet: a daemon with one socket for each agent',
    serve('wallet', setting.file('wallet', 'wallet.json')),
    stage.operator.answers,
  )
}
