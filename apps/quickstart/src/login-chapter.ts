/**
 * Chapter 3: one agent's credential by the authorization code flow; its owner signs in and decides.
 *
 * Pushed request, PKCE, DPoP and wallet attestation, as the High Assurance Interoperability Profile asks for.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { answerLogin, type Choices } from './login-form.js'
import type { Management } from './management.js'
import type { Operator, Received } from './operator.js'
import type { Report } from './report.js'
import type { Setting } from './setting.js'

/** The agent whose owner signs in. */
export const LOGIN_AGENT = 'revenue-report'

/** Who signs in at the issuer: the owner of that agent, and for this owner's agents alone. */
export const LOGIN_OWNER = { name: 'denise.washington', owner: 'E-10458' } as const

/** What the chapter needs. */
export interface LoginDeps {
  readonly setting: Setting
  readonly management: Management
  readonly operator: Operator
  readonly report: Report
}

/** Denies once, approves once, and hands the same answer in again. */
export async function tellLogin(deps: LoginDeps): Promise<void> {
  const { operator, report } = deps
  report.chapter('A role credential after a login (authorization code, HAIP 1.0)')
  const denied = await decide('deny', deps)
  report.expect('a denied request brings nothing', judged(denied.received, 'refused', 'access_denied'))
  const approved = await decide('approve', deps)
  report.expect(`${LOGIN_AGENT} holds its role credential`, judged(approved.received, 'stored'))
  const again = await operator.callback(LOGIN_AGENT, approved.address)
  report.expect('the answer of a login counts once', judged(again, 'refused', 'unknown_state'))
}

async function decide(
  decision: Choices['decision'],
  { setting, management, operator, report }: LoginDeps,
): Promise<{ readonly address: string; readonly received: Received }> {
  const { offer } = await management.createOffer(LOGIN_AGENT, 'value', 'authorization_code')
  const done = decision === 'approve' ? 'approves' : 'denies'
  return report.step(`${LOGIN_AGENT}: its owner signs in and ${done}`, async () => {
    const { outcome, authorizationUrl } = await operator.receive(LOGIN_AGENT, offer)
    if (authorizationUrl === undefined) throw new Error(`The wallet asked for no login: ${outcome}.`)
    const password = readFileSync(setting.file('issuer', 'owner.password'), 'utf8').trim()
    const choices = { username: LOGIN_OWNER.name, password, agent: LOGIN_AGENT, decision }
    const ca = readFileSync(setting.trust.authority('tls'), 'utf8')
    const address = await answerLogin(authorizationUrl, choices, ca)
    return { address, received: await operator.callback(LOGIN_AGENT, address) }
  })
}

function judged({ outcome, code }: Received, expected: string, expectedCode = '') {
  return { held: outcome === expected && code === expectedCode, detail: `${outcome} ${code}`.trim() }
}
