/**
 * Chapter 4: agents call the API; chapter 5: what the API learned.
 *
 * @module
 */
import type { OutboundFetch } from '@attache/core'
import { z } from 'zod'
import type { Operator } from './operator.js'
import { runProgram } from './processes.js'
import type { Report } from './report.js'
import type { Setting } from './setting.js'

/** What the chapters need. */
export interface CallsDeps {
  readonly setting: Setting
  readonly operator: Operator
  readonly report: Report
  readonly fetch: OutboundFetch
}

/** An answer as an agent saw it. */
interface Answer {
  readonly status: number
  readonly body: unknown
}

/** An answer, and the status it should have. */
interface Expected {
  readonly answer: Answer
  readonly status: number
}

/** The environment of an agent process: its socket, and whom to trust. */
export function agentEnvironment(setting: Setting, agent: string): Readonly<Record<string, string>> {
  return {
    ATTACHE_SOCKET: setting.agentSocket(agent),
    ATTACHE_CA_FILE: setting.trust.authority('tls'),
    API_URL: `${setting.api}/payroll/export`,
  }
}

/** Lets four programs call: an entitled agent, one that is not, a thief, and one that no rule lets present. */
export async function tellCalls(deps: CallsDeps): Promise<void> {
  const { report, operator } = deps
  report.chapter('Agents call the API (OpenID4VP 1.0, DPoP)')
  const manager = await report.step('the EU manager’s agent calls', () =>
    call(deps, 'agent', 'payroll-export'),
  )
  expectStatus(report, 'the EU manager’s agent is answered', { answer: manager, status: 200 })

  const analyst = await report.step('the US analyst’s agent calls', () =>
    call(deps, 'agent', 'revenue-report'),
  )
  expectStatus(report, 'the US analyst’s agent is told what is missing', { answer: analyst, status: 403 })
  const missing = parseMissing(analyst.body)
  report.expect('the refusal names claims, not values', {
    held: missing.length > 0,
    detail: `missing: ${missing.join(', ')}`,
  })

  const thief = await report.step('a thief calls with the first agent’s token and a key of its own', () =>
    call(deps, 'thief', 'payroll-export'),
  )
  expectStatus(report, 'the thief is refused', { answer: thief, status: 401 })

  const shadow = await report.step('an agent without a release rule calls', () =>
    call(deps, 'agent', 'shadow-script'),
  )
  expectStatus(report, 'it gets the API’s own refusal', { answer: shadow, status: 401 })
  const [decision] = await operator.explain('shadow-script')
  report.expect('its own wallet refused to present', {
    held: decision?.outcome === 'refused',
    detail: `${decision?.code ?? 'no decision recorded'}: ${decision?.message ?? ''}`,
  })
}

/** Reads the API's own record: role and region of each caller, nothing else. */
export async function tellRecord({ setting, fetch, report }: CallsDeps): Promise<void> {
  report.chapter('What the API learned')
  const response = await fetch(`${setting.api}/record`)
  const { calls, learned } = parseRecord(await response.json())
  const names = [...new Set(learned.flatMap(({ claims }) => Object.keys(claims)))].sort()
  for (const { claims } of learned.slice(0, 3)) report.note(JSON.stringify(claims, names))
  report.expect('role and region, nothing else', {
    held: calls > 0 && names.join() === 'region,role',
    detail: `${names.join(', ') || 'nothing'} in ${calls} call${calls === 1 ? '' : 's'}`,
  })
}

async function call({ setting }: CallsDeps, script: 'agent' | 'thief', agent: string): Promise<Answer> {
  const path = `${import.meta.dirname}/${script}.js`
  const { stdout, stderr } = await runProgram([path], agentEnvironment(setting, agent))
  try {
    return parseAnswer(stdout)
  } catch {
    // Node prints an error's name and message at the head of its stack, and ends with its own version.
    const said = stderr.split('\n').find((line) => /^\w*Error\b/.test(line)) ?? (stderr.trim() || 'nothing')
    throw new Error(`The agent said: ${said}`)
  }
}

function expectStatus(report: Report, what: string, { answer, status }: Expected): void {
  const said = parseProblemCode(answer.body)
  report.expect(what, { held: answer.status === status, detail: `${answer.status} ${said}`.trim() })
}

function parseAnswer(text: string): Answer {
  return z.object({ status: z.number(), body: z.unknown() }).parse(JSON.parse(text))
}

function parseProblemCode(body: unknown): string {
  const parsed = z.object({ code: z.string() }).safeParse(body)
  return parsed.success ? parsed.data.code : ''
}

function parseMissing(body: unknown): readonly string[] {
  const parsed = z.object({ missing: z.array(z.string()) }).safeParse(body)
  return parsed.success ? parsed.data.missing : []
}

function parseRecord(value: unknown) {
  const entry = z.object({ claims: z.record(z.string(), z.unknown()) })
  return z.object({ calls: z.number(), learned: z.array(entry) }).parse(value)
}
