#!/usr/bin/env node
/**
 * The quickstart: HR data in, role credential issued, agent presents, API answers.
 *
 * Starts the products as processes of their own and talks to them; every ✓ is computed from an answer.
 *
 * @module
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createGuardedFetch, systemClock } from '@attache/core'
import { configureApi, configureIssuer } from './configure.js'
import { tellHr } from './hr-chapter.js'
import { createManagement } from './management.js'
import { startProgram } from './processes.js'
import { createReport } from './report.js'
import { createSetting } from './setting.js'
import { makeTrust } from './trust.js'

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    data: { type: 'string', default: '.attache/quickstart' },
    port: { type: 'string', default: '8441' },
  },
})
const setting = createSetting(values.data, Number(values.port))
if (values.fresh) rmSync(setting.dataFolder, { recursive: true, force: true })
mkdirSync(setting.file('logs'), { recursive: true, mode: 0o700 })
const report = createReport(console.log, () => performance.now())
report.chapter('Ground')
await report.step('certificates', () => makeTrust(setting.trust, setting.issuer, systemClock()))
configureIssuer(setting)
configureApi(setting)
const ca = [readFileSync(setting.trust.authority('tls'), 'utf8')]
const fetch = createGuardedFetch({ ca, allowPrivate: ['localhost'] })
const management = createManagement(setting.management, setting.file('issuer', 'management.token'), fetch)
const issuer = startProgram({
  name: 'issuer-server',
  args: ['apps/issuer-server/dist/main.js', 'serve', '--config', setting.file('issuer', 'issuer.json')],
  logFile: setting.file('logs', 'issuer.log'),
})
await report.step('issuer-server is up', () => issuer.waitUntil(management.answers, 20_000))
await tellHr(setting, management, report)
const api = startProgram({
  name: 'api',
  args: ['apps/quickstart/dist/api.js', setting.file('api', 'api.json')],
  logFile: setting.file('logs', 'api.log'),
})
await report.step('api is up', () =>
  api.waitUntil(
    () =>
      fetch(`${setting.api}/record`).then(
        (r) => r.ok,
        () => false,
      ),
    20_000,
  ),
)
console.log(await (await fetch(`${setting.api}/.well-known/oauth-protected-resource`)).text())
console.log(await (await fetch(`${setting.issuer}/.well-known/openid-credential-issuer`)).text())
console.log(await management.createOffer('payroll-export', 'value'))
await issuer.stop()
await api.stop()
