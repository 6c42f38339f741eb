/**
 * The operator's end of the wallet's socket.
 *
 * @module
 */
import {
  ACCEPT_PATH,
  CALLBACK_PATH,
  CONSENT_PATH,
  callSocket,
  DOCTOR_PATH,
  EXPLAIN_PATH,
  type Finding,
  INBOX_PATH,
  KILL_SWITCH_PATH,
  METRICS_PATH,
  PRESENT_PATH,
  RECEIVE_PATH,
  REQUEST_PATH,
  STATUS_PATH,
  VISITS_PATH,
  type VisitSummary,
  type WaitingOffer,
} from '@attache/agent'
import { parseInbox, parseVisit, parseVisits } from './intake-replies.js'
import {
  type Decision,
  type Presented,
  parseExplanations,
  parseFindings,
  parseMetrics,
  parsePresented,
  parseReceived,
  parseStatus,
  type Received,
  type Status,
} from './wallet-replies.js'

/** What the command can ask the wallet. */
export interface WalletClient {
  receive(request: { agent: string; offer: string; txCode?: string | undefined }): Promise<Received>
  callback(request: { agent: string; url: string }): Promise<Received>
  present(request: { agent: string; request: string }): Promise<Presented>
  /**
   * States of all agents, asked for one agent at a time: an answer has a limit.
   *
   * @param request.refresh Have every status looked at first.
   * @param request.languages Language tags for names, most wanted first.
   */
  status(request?: {
    refresh?: boolean | undefined
    languages?: readonly string[] | undefined
  }): Promise<Status>
  examine(): Promise<readonly Finding[]>
  /** Prometheus exposition format. */
  metrics(): Promise<string>
  explain(request: {
    agent?: string | undefined
    reference?: string | undefined
    limit?: number | undefined
  }): Promise<readonly Decision[]>
  setStopped(agent: string, stopped: boolean): Promise<void>
  request(request: { agent: string; issuer: string; configurations: readonly string[] }): Promise<Received>
  inbox(): Promise<readonly WaitingOffer[]>
  accept(request: { id: string; txCode?: string | undefined }): Promise<Received>
  visits(): Promise<readonly VisitSummary[]>
  consent(id: string): Promise<VisitSummary>
}

/** How long an issuer or verifier may keep the wallet waiting, in milliseconds. */
const TIMEOUT_MS = 120_000

/**
 * Makes the client.
 *
 * @throws {TypeError} When called: `wallet_unreachable`, `unknown_agent`, `invalid_request`, `wallet_failed`.
 */
export function createWalletClient(socketPath: string): WalletClient {
  const ask = async (path: string, body?: unknown): Promise<unknown> => {
    const reply = await callSocket({
      socketPath,
      path,
      method: body === undefined ? 'GET' : 'POST',
      timeoutMs: TIMEOUT_MS,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (reply.status === 200) return reply.value
    throw refusalOf(reply.status, reply.value)
  }
  return {
    receive: async (request) => parseReceived(await ask(RECEIVE_PATH, request)),
    callback: async (request) => parseReceived(await ask(CALLBACK_PATH, request)),
    present: async (request) => parsePresented(await ask(PRESENT_PATH, request)),
    status: async (request = {}) => {
      const { agents } = parseStatus(await ask(STATUS_PATH, { summary: true }))
      const full: Status['agents'][number][] = []
      for (const { agent } of agents)
        full.push(...parseStatus(await ask(STATUS_PATH, { ...request, agent })).agents)
      return { agents: full }
    },
    metrics: async () => parseMetrics(await ask(METRICS_PATH)),
    examine: async () => parseFindings(await ask(DOCTOR_PATH)),
    explain: async (request) => parseExplanations(await ask(EXPLAIN_PATH, request)),
    setStopped: async (agent, stopped) => {
      await ask(KILL_SWITCH_PATH, { agent, stopped })
    },
    request: async (request) => parseReceived(await ask(REQUEST_PATH, request)),
    inbox: async () => parseInbox(await ask(INBOX_PATH)),
    accept: async (request) => parseReceived(await ask(ACCEPT_PATH, request)),
    visits: async () => parseVisits(await ask(VISITS_PATH)),
    consent: async (id) => parseVisit(await ask(CONSENT_PATH, { id })),
  }
}

const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['unknown_agent', 'The wallet has no agent of this name. attache wallet status lists them.'],
  ['nothing_waits', 'Nothing waits under this name. attache wallet inbox and visits list what does.'],
  ['invalid_request', 'The wallet did not understand the request. Check the arguments.'],
  ['request_too_large', 'The request is too large for the wallet.'],
  ['unauthorized', 'The wallet did not accept the token beside its socket. Was it restarted meanwhile?'],
])

function refusalOf(status: number, value: unknown): TypeError {
  const error =
    typeof value === 'object' && value !== null && 'error' in value ? String(value.error) : `status_${status}`
  const message = REFUSALS.get(error) ?? `The wallet could not do this (${error}). Its log says why.`
  return Object.assign(new TypeError(message), { code: REFUSALS.has(error) ? error : 'wallet_failed' })
}
