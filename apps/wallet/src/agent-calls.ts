/**
 * What an agent can ask on its socket: headers for a request, and nothing that names a verifier, a claim or an
 * offer. Which agent asks is decided by the socket, never by the message.
 *
 * @module
 */
import {
  AUTHORIZATION_PATH,
  encodeAuthorizationAnswer,
  HEALTH_PATH,
  NONCE_PATH,
  parseAuthorizationQuestion,
  parseNonceReport,
  parseResponseReport,
  RESPONSE_PATH,
  SOCKET_PROTOCOL,
} from '@attache/agent'
import type { Wallet } from '@attache/wallet'
import type { CallAnswer, Calls } from './socket-server.js'

const MALFORMED: CallAnswer = { status: 400, error: 'invalid_request' }

/** The calls of one agent's socket. */
export function agentCalls(agent: string, wallet: Wallet): Calls {
  return {
    [`GET ${HEALTH_PATH}`]: async () => ({ status: 200, body: { protocol: SOCKET_PROTOCOL } }),
    [`POST ${AUTHORIZATION_PATH}`]: async (body) => {
      const question = parseAuthorizationQuestion(body)
      if (question === undefined) return MALFORMED
      return { status: 200, body: encodeAuthorizationAnswer(await wallet.authorize(agent, question)) }
    },
    [`POST ${RESPONSE_PATH}`]: async (body) => {
      const report = parseResponseReport(body)
      if (report === undefined) return MALFORMED
      const verified = await wallet.verifyResponse(agent, report)
      return { status: 200, body: { outcome: verified ? 'verified' : 'refused' } }
    },
    [`POST ${NONCE_PATH}`]: async (body) => {
      const report = parseNonceReport(body)
      if (report === undefined) return MALFORMED
      wallet.noteNonce(agent, report)
      return { status: 200, body: {} }
    },
  }
}
