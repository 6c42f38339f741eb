/**
 * Chapter 2: an agent's wallet receives a role credential, and nobody else does.
 *
 * @module
 */
import type { Management } from './management.js'
import type { Operator } from './operator.js'
import type { Report } from './report.js'

/** The agents that receive by transaction code, in this order. The third one's owner signs in: chapter 3. */
const AGENTS = ['payroll-export', 'shadow-script'] as const

/** Issues to every agent; the first offer shows a wrong transaction code and a second redemption as well. */
export async function tellIssuance(
  management: Management,
  operator: Operator,
  report: Report,
): Promise<void> {
  report.chapter('Role credentials (OpenID4VCI 1.0)')
  const [first, ...others] = AGENTS
  await tellFirstOffer(first, { management, operator, report })
  for (const agent of others) {
    const { offer, txCode } = await management.createOffer(agent, 'value')
    const received = await report.step(`${agent}: offer by value`, () =>
      operator.receive(agent, offer, txCode),
    )
    report.expect(`${agent} holds its role credential`, {
      held: received.outcome === 'stored',
      detail: `${received.outcome} ${received.code}`.trim(),
    })
  }
}

async function tellFirstOffer(
  agent: string,
  { management, operator, report }: { management: Management; operator: Operator; report: Report },
): Promise<void> {
  const { offer, txCode } = await management.createOffer(agent, 'reference')
  const wrong = await report.step(`${agent}: a wrong transaction code is tried`, () =>
    operator.receive(agent, offer, anotherCode(txCode)),
  )
  report.expect('a wrong transaction code gets nothing and burns nothing', {
    held: wrong.outcome !== 'stored' && wrong.code !== '',
    detail: `${wrong.outcome} ${wrong.code}`,
  })
  const received = await report.step(`${agent}: offer by reference, with its transaction code`, () =>
    operator.receive(agent, offer, txCode),
  )
  report.expect(`${agent} holds its role credential`, {
    held: received.outcome === 'stored',
    detail: `${received.outcome} ${received.code}`.trim(),
  })
  const again = await operator.receive(agent, offer, txCode)
  report.expect('an offer is redeemed once', {
    held: again.outcome !== 'stored' && again.code !== '',
    detail: `${again.outcome} ${again.code}`,
  })
}

function anotherCode(txCode: string): string {
  const digit = txCode.startsWith('0') ? '1' : '0'
  return `${digit}${txCode.slice(1)}`
}
