/**
 * What the operator reads about agents: states, copies left, times, names.
 *
 * @module
 */
import {
  parseStatusRequest,
  SOCKET_PROTOCOL,
  STATUS_PATH,
  type StatusReply,
  type StatusRequest,
} from '@attache/agent'
import { type NumericDate, VerificationError } from '@attache/core'
import type { Wallet } from '@attache/wallet'
import type { Calls } from './socket-server.js'

/** What the view of agents needs to know. */
export interface StatusFacts {
  /** Agents by id, with the path of their socket. */
  readonly agents: ReadonlyMap<string, string>
  readonly startedAt: NumericDate
}

/** The calls that read states. */
export function statusCalls(facts: StatusFacts, wallet: Wallet): Calls {
  return {
    [`GET ${STATUS_PATH}`]: async () => ({ status: 200, body: await statusOf(facts, {}, wallet) }),
    [`POST ${STATUS_PATH}`]: async (body) => {
      const request = parseStatusRequest(body)
      if (request === undefined) return { status: 400, error: 'invalid_request' }
      if (request.agent !== undefined && !facts.agents.has(request.agent))
        return { status: 404, error: 'unknown_agent' }
      return { status: 200, body: await statusOf(facts, request, wallet) }
    },
  }
}

async function statusOf(facts: StatusFacts, request: StatusRequest, wallet: Wallet): Promise<StatusReply> {
  const wanted = [...facts.agents].filter(([agent]) => request.agent === undefined || request.agent === agent)
  const agents = await Promise.all(
    wanted.map(async ([agent, socket]) => {
      const overview = await read(agent, request, wallet)
      return { ...overview, ...(request.summary === true ? { credentials: [] } : {}), socket }
    }),
  )
  return { protocol: SOCKET_PROTOCOL, startedAt: facts.startedAt, agents }
}

// One agent whose records were damaged must not hide the others.
async function read(agent: string, request: StatusRequest, wallet: Wallet) {
  try {
    if (request.refresh === true) await wallet.refresh(agent)
    return await wallet.overview(agent, request.languages)
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    return { agent, stopped: false, credentials: [], pending: 0, unreadable: error.code }
  }
}
