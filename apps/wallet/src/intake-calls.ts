/**
 * What the operator can ask about what came in by itself: offers that wait, visits of strict peers.
 *
 * @module
 */
import {
  ACCEPT_PATH,
  CONSENT_PATH,
  INBOX_PATH,
  parseAcceptRequest,
  parseConsentRequest,
  VISITS_PATH,
} from '@attache/agent'
import type { Inbox } from './inbox.js'
import type { CallAnswer, Calls } from './socket-server.js'
import { summaryOf, type Visits } from './visits.js'

const MALFORMED: CallAnswer = { status: 400, error: 'invalid_request' }
const NOTHING_WAITS: CallAnswer = { status: 404, error: 'nothing_waits' }

/** The calls; a part that is not configured has nothing waiting. */
export function intakeCalls({ inbox, visits }: { readonly inbox?: Inbox; readonly visits?: Visits }): Calls {
  return {
    [`GET ${INBOX_PATH}`]: async () => ({ status: 200, body: { offers: inbox?.waiting() ?? [] } }),
    [`POST ${ACCEPT_PATH}`]: async (body) => {
      const request = parseAcceptRequest(body)
      if (request === undefined) return MALFORMED
      const reply = await inbox?.accept(request.id, request.txCode)
      return reply === undefined ? NOTHING_WAITS : { status: 200, body: reply }
    },
    [`GET ${VISITS_PATH}`]: async () => ({
      status: 200,
      body: { visits: (visits?.list() ?? []).map(summaryOf) },
    }),
    [`POST ${CONSENT_PATH}`]: async (body) => {
      const request = parseConsentRequest(body)
      if (request === undefined) return MALFORMED
      const visit = await visits?.consent(request.id)
      return visit === undefined ? NOTHING_WAITS : { status: 200, body: summaryOf(visit) }
    },
  }
}
