import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createGuardedFetch, type OutboundFetch, systemClock } from '@attache/core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { configureIssuer, configureWallet } from '../../apps/quickstart/src/configure.js'
import { createManagement, type Management } from '../../apps/quickstart/src/management.js'
import { createOperator, type Operator } from '../../apps/quickstart/src/operator.js'
import { type Running, runProgram, startProgram } from '../../apps/quickstart/src/processes.js'
import { createSetting, type Setting } from '../../apps/quickstart/src/setting.js'
import { makeTrust } from '../../apps/quickstart/src/trust.js'
import { INSTALL_COMMAND } from '../house/installation.mjs'
import { extractBlocks } from '../house/readme.js'
import { ROOT } from '../house/source-files.js'

const folder = mkdtempSync(join(tmpdir(), 'attache-pasted-'))
const project = join(folder, 'project')
const running: Running[] = []
const [yes = '', pnpm = ''] = INSTALL_COMMAND

afterAll(async () => {
  for (const one of running.toReversed()) await one.stop()
  rmSync(folder, { recursive: true, force: true })
})

const execute = promisify(execFile)

async function run(command: readonly string[], cwd: string): Promise<void> {
  const [program = '', ...rest] = command
  await execute(program, rest, { cwd, maxBuffer: 32 * 1024 * 1024 })
}

/** The first TypeScript block below a heading, or of the whole text. */
function pasted(readme: string, heading = ''): string {
  const text = readFileSync(join(ROOT, readme), 'utf8')
  const [block] = extractBlocks(readme, text.slice(text.indexOf(heading)))
  if (block === undefined) throw new Error(`${readme} has no TypeScript below ${heading}.`)
  return block.code
}

function versionOf(name: string): string {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')))
  return `${name}@${version}`
}

/** The packages that the README says to pack, and the agent's. */
function packedPackages(): readonly string[] {
  const readme = readFileSync(join(ROOT, 'packages/express/README.md'), 'utf8')
  const named = /--filter '([^']+)' pack/.exec(readme)?.[1]
  if (named === undefined) throw new Error('The README says no more how to pack.')
  return [named, '@attache/agent']
}

/** An empty folder, `npm init`, our tarballs, Express, the lines of the READMEs, the compiler. */
async function pasteIntoEmptyProject(): Promise<void> {
  mkdirSync(project)
  const filters = packedPackages().flatMap((name) => ['--filter', name])
  await run(['npx', yes, pnpm, '-r', ...filters, 'pack', '--pack-destination', folder], ROOT)
  const tarballs = readdirSync(folder).filter((name) => name.endsWith('.tgz'))
  await run(['npm', 'init', '--yes'], project)
  await run(['npm', 'pkg', 'set', 'type=module'], project)
  const others = ['express', 'typescript', '@types/express', '@types/node'].map(versionOf)
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  await run(['npm', 'install', ...quiet, ...tarballs.map((name) => join(folder, name)), ...others], project)

  writeFileSync(join(project, 'api.ts'), pasted('packages/express/README.md'))
  writeFileSync(join(project, 'agent.ts'), pasted('README.md', '## The agent, whole'))
  const options = { module: 'nodenext', target: 'es2023', strict: true, skipLibCheck: true, types: ['node'] }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: options }))
  await run(['npx', 'tsc'], project)
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, 'localhost', () => server.close(() => resolve(true)))
  })

/** Three ports in a row, below those that the system hands out by itself. */
async function freePorts(): Promise<number> {
  for (let first = 19_441; first < 32_000; first += 3) {
    if ((await Promise.all([first, first + 1, first + 2].map(isFree))).every(Boolean)) return first
  }
  throw new Error('No three free ports in a row.')
}

async function start(
  program: { name: string; args: readonly string[]; env?: Record<string, string> },
  ready: () => Promise<boolean>,
) {
  const started = startProgram({ ...program, logFile: join(folder, `${program.name}.log`) })
  running.push(started)
  await started.waitUntil(ready, 60_000)
}

const app = (name: string) => join(ROOT, 'apps', name, 'dist', 'main.js')

/** The quickstart's issuer and wallet, with roles for two agents. */
async function startQuickstart(setting: Setting, fetch: OutboundFetch): Promise<void> {
  const management = createManagement(setting.management, setting.file('issuer', 'management.token'), fetch)
  const operator = createOperator(app('cli'), setting.operatorSocket)
  const serve = (name: string, file: string) => [app(name), 'serve', '--config', file]
  await start(
    { name: 'issuer', args: serve('issuer-server', setting.file('issuer', 'issuer.json')) },
    management.answers,
  )
  await start(
    { name: 'wallet', args: serve('wallet', setting.file('wallet', 'wallet.json')) },
    operator.answers,
  )
  await management.importPeople(join(setting.inputFolder, 'people.csv'))
  await management.importAgents(join(setting.inputFolder, 'agents.csv'))
  for (const agent of ['payroll-export', 'revenue-report']) await receive(agent, management, operator)
}

async function receive(agent: string, management: Management, operator: Operator): Promise<void> {
  const { offer, txCode } = await management.createOffer(agent, 'value')
  expect((await operator.receive(agent, offer, txCode)).outcome).toBe('stored')
}

describe('the lines of the README, pasted into an empty Express project', () => {
  let setting: Setting
  let fetch: OutboundFetch

  beforeAll(async () => {
    setting = createSetting(join(folder, 'data'), await freePorts())
    mkdirSync(setting.dataFolder, { recursive: true })
    await makeTrust(setting.trust, setting.issuer, systemClock())
    configureIssuer(setting)
    configureWallet(setting)
    fetch = createGuardedFetch({
      ca: [readFileSync(setting.trust.authority('tls'), 'utf8')],
      allowPrivate: ['localhost'],
    })
    await Promise.all([pasteIntoEmptyProject(), startQuickstart(setting, fetch)])
    const env = { TRUST: join(setting.dataFolder, 'trust'), ORIGIN: setting.api, VCT: setting.vct }
    const answers = () =>
      fetch(`${setting.api}/health`).then(
        ({ ok }) => ok,
        () => false,
      )
    await start({ name: 'api', args: [join(project, 'api.js')], env }, answers)
  }, 240_000)

  /** What the agent of the README prints. */
  async function call(agent: string) {
    const { stdout, stderr } = await runProgram([join(project, 'agent.js')], {
      ATTACHE_SOCKET: setting.agentSocket(agent),
      ATTACHE_CA_FILE: setting.trust.authority('tls'),
      API_URL: `${setting.api}/payroll/export`,
    })
    expect(stderr).toBe('')
    return z.object({ status: z.number(), body: z.record(z.string(), z.unknown()) }).parse(JSON.parse(stdout))
  }

  test('let in an agent whose credential of the quickstart has the role', async () => {
    const { status, body } = await call('payroll-export')
    expect([status, body]).toMatchObject([
      200,
      { exported: 'eu', transaction: expect.stringMatching(/^txn_/) },
    ])
  }, 180_000)

  test('keep out an agent with another role, and say what is missing', async () => {
    const { status, body } = await call('revenue-report')
    expect([status, body]).toMatchObject([403, { code: 'decision_denied', missing: ['role', 'region'] }])
  }, 180_000)

  test('keep out an agent without a credential, and whoever brings no token', async () => {
    expect(await call('shadow-script')).toMatchObject({ status: 401, body: { code: 'token_missing' } })
    const bare = await fetch(`${setting.api}/payroll/export`, { method: 'POST' })
    expect(bare.status).toBe(401)
    expect(bare.headers.get('WWW-Authenticate')).toContain('resource_metadata=')
    expect((await fetch(`${setting.api}/health`)).status).toBe(200)
  }, 180_000)
})
