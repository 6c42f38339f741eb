/**
 * What the operator can ask on the operator socket.
 *
 * @module
 */
import {
  CALLBACK_PATH,
  DOCTOR_PATH,
  EXPLAIN_PATH,
  type Finding,
  HEALTH_PATH,
  KILL_SWITCH_PATH,
  METRICS_PATH,
  type MetricsReply,
  PRESENT_PATH,
  parseCallbackRequest,
  parseCredentialsRequest,
  parseExplainRequest,
  parseKillSwitchRequest,
  parsePresentRequest,
  parseReceiveRequest,
  RECEIVE_PATH,
  REQUEST_PATH,
  SOCKET_PROTOCOL,
} from '@attache/agent'
import type { Wallet } from '@attache/wallet'
import type { Intake } from './intake.js'
import { intakeCalls } from './intake-calls.js'
import type { CallAnswer, Calls } from './socket-server.js'
import { type StatusFacts, statusCalls } from './status-calls.js'

/** What the operator's calls need to know. */
export interface OperatorFacts extends StatusFacts {
  /** The ways in that are configured. */
  readonly intake: Pick<Intake, 'inbox' | 'visits' | 'visitorsWallet'>
  /** What was counted and measured, in the Prometheus exposition format. */
  readonly metrics: () => Promise<string>
  /** Examines configuration, files and peers. */
  readonly examine: () => Promise<readonly Finding[]>
}

const MALFORMED: CallAnswer = { status: 400, error: 'invalid_request' }
const UNKNOWN_AGENT: CallAnswer = { status: 404, error: 'unknown_agent' }
const DEFAULT_LIMIT = 20

/** The calls of the operator socket. */
export function operatorCalls(facts: OperatorFacts, wallet: Wallet): Calls {
  const forAgent = async (
    request: { readonly agent: string } | undefined,
    work: () => Promise<unknown>,
  ): Promise<CallAnswer> => {
    if (request === undefined) return MALFORMED
    if (!facts.agents.has(request.agent)) return UNKNOWN_AGENT
    return { status: 200, body: await work() }
  }
  return {
    ...intakeCalls(facts.intake),
    [`POST ${REQUEST_PATH}`]: (body) => {
      const request = parseCredentialsRequest(body)
      return forAgent(
        request,
        async () => request && wallet.request(request.agent, request.issuer, request.configurations),
      )
    },
    [`GET ${HEALTH_PATH}`]: async () => ({ status: 200, body: { protocol: SOCKET_PROTOCOL } }),
    ...statusCalls(facts, wallet),
    'GET /metrics': async () => ({ status: 200, text: await facts.metrics() }),
    [`GET ${METRICS_PATH}`]: async () => {
      const reply: MetricsReply = { text: await facts.metrics() }
      return { status: 200, body: reply }
    },
    [`GET ${DOCTOR_PATH}`]: async () => ({ status: 200, body: { findings: await facts.examine() } }),
    [`POST ${RECEIVE_PATH}`]: (body) => {
      const request = parseReceiveRequest(body)
      return forAgent(
        request,
        async () => request && wallet.receive(request.agent, request.offer, request.txCode),
      )
    },
    [`POST ${CALLBACK_PATH}`]: (body) => {
      const request = parseCallbackRequest(body)
      return forAgent(request, async () => request && wallet.finishAuthorization(request.agent, request.url))
    },
    [`POST ${PRESENT_PATH}`]: (body) => {
      const request = parsePresentRequest(body)
      return forAgent(request, async () => request && wallet.present(request.agent, request.request))
    },
    [`POST ${KILL_SWITCH_PATH}`]: (body) => {
      const request = parseKillSwitchRequest(body)
      return forAgent(request, async () => {
        // A stopped agent is stopped for its visitors too.
        for (const one of walletsOf(facts, wallet))
          if (request !== undefined) await one.setStopped(request.agent, request.stopped)
        return request
      })
    },
    [`POST ${EXPLAIN_PATH}`]: async (body) => {
      const request = parseExplainRequest(body)
      if (request === undefined) return MALFORMED
      if (request.agent !== undefined && !facts.agents.has(request.agent)) return UNKNOWN_AGENT
      return { status: 200, body: { explanations: await explain(request, facts, wallet) } }
    },
  }
}

async function explain(
  request: { readonly agent?: string; readonly reference?: string; readonly limit?: number },
  facts: OperatorFacts,
  wallet: Wallet,
) {
  const { agent, reference, limit = DEFAULT_LIMIT } = request
  const agents = agent === undefined ? [...facts.agents.keys()] : [agent]
  const what = { limit, ...(reference === undefined ? {} : { reference }) }
  const wallets = walletsOf(facts, wallet)
  const found = await Promise.all(wallets.flatMap((one) => agents.map((id) => one.explain(id, what))))
  return found
    .flat()
    .sort((a, b) => b.at - a.at)
    .slice(0, limit)
}

function walletsOf({ intake: { visitorsWallet } }: OperatorFacts, wallet: Wallet): readonly Wallet[] {
  return visitorsWallet === undefined ? [wallet] : [wallet, visitorsWallet]
}
