/**
 * The https routes for strict peers: an offer, a request, the end of a login, and a status API with a token.
 *
 * Owns what may be asked and how often. A GET starts something here, because that is how peers hand over links;
 * what it can start is bounded by the wallet's lists and policy, not by who asks.
 *
 * Source: OpenID4VCI 1.0, section 4.1; OpenID4VP 1.0, section 5.1; requirements/interoperability.md, IOP-W-01.
 *
 * @module
 */
import {
  type Clock,
  describeCause,
  equalText,
  json,
  type Log,
  NO_STORE,
  type Route,
  type RouteHandler,
} from '@attache/core'
import { createRateLimit } from './rate-limit.js'
import { answerPage, answerVisit } from './visit-pages.js'
import { summaryOf, type Visits } from './visits.js'

const PER_MINUTE = 60

/** The routes. @param token What the status API asks for. */
export function visitorRoutes(
  visits: Visits,
  token: string,
  deps: { readonly clock: Clock; readonly log: Log },
): readonly Route[] {
  const limit = createRateLimit(PER_MINUTE, deps)
  const visit =
    (work: (url: string) => ReturnType<Visits['begin']>): RouteHandler =>
    async ({ url }) => {
      const turn = limit.take()
      if (!turn.allowed) return answerPage('error', 429, { 'Retry-After': String(turn.retryAfterSeconds) })
      try {
        const begun = await work(url)
        return begun === undefined ? answerPage('error', 503) : answerVisit(begun)
      } catch (error) {
        deps.log.error('wallet.visit_fault', { cause: describeCause(error) ?? 'unknown' })
        return answerPage('error', 500)
      }
    }
  const get = (path: string, handle: RouteHandler): Route => ({ method: 'GET', path, handle })
  return [
    get(
      '/credential-offer',
      visit((url) => visits.begin('offer', url)),
    ),
    get(
      '/presentation-request',
      visit((url) => visits.begin('request', url)),
    ),
    get(
      '/callback',
      visit((url) => visits.finishLogin(url)),
    ),
    get('/visits/:id', async (_request, { id = '' }) => {
      const found = visits.find(id)
      return found === undefined ? answerPage('error', 404) : answerVisit(found)
    }),
    get('/status', async ({ headers }) => {
      if (!equalText(headers.get('Authorization') ?? '', `Bearer ${token}`)) {
        return json(401, { error: 'unauthorized' }, { ...NO_STORE, 'WWW-Authenticate': 'Bearer' })
      }
      return json(200, { interactions: visits.list().map((visit) => ({ ...summaryOf(visit) })) }, NO_STORE)
    }),
  ]
}
