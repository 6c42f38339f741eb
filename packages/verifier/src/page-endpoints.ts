/**
 * The pages' endpoints: ask, begin, wait, follow, show.
 *
 * A transaction's address holds its handle, which wallets see too; what became of it is shown to the browser that
 * began it, on the page where it began, and to no other. An answer that came back by redirect is shown only when the `response_code` did.
 *
 * Source: OpenID4VP 1.0, sections 8.2, 13.3 and 14.3; HAIP 1.0, section 5.1.
 *
 * @module
 */
import {
  type Clock,
  endpoint,
  ProtocolError,
  type Route,
  type RouteHandler,
  readForm,
  type Store,
} from '@attache/core'
import type { RecordEvent } from './audit-record.js'
import { findTransaction, type KeptTransaction } from './kept-transaction.js'
import { PAGE_HEADERS, type PageContent, pageResponse } from './page-document.js'
import {
  isBegunIn,
  isSentByUs,
  newSession,
  sessionCookie,
  sessionOn,
  shownOn,
  shownSession,
} from './page-session.js'
import {
  elsewhereView,
  linksView,
  messageView,
  overView,
  qrView,
  questionView,
  refusedView,
  verifiedView,
} from './page-views.js'
import type { DrawQr, PresentationPage } from './presentation-page.js'
import { requestUrl } from './presentation-request.js'
import { type ReturnResultDeps, returnResult } from './return-result.js'
import { type StartTransactionDeps, startTransaction } from './start-transaction.js'
import { transactionHandle } from './transaction.js'
import { EVENT_HEADERS, eventStream } from './transaction-events.js'
import type { TransactionWatch } from './transaction-watch.js'

const MOST_FORM_BYTES = 1024
const CROSS_DEVICE_SECONDS = 120
const ANY_WALLET = [{ name: 'Open my wallet', url: 'openid4vp://' }]

/** What the endpoints need. */
export interface PageEndpointsDeps extends StartTransactionDeps, ReturnResultDeps {
  readonly store: Pick<Store, 'get' | 'put' | 'replace' | 'putIfAbsent' | 'take'>
  readonly pages: ReadonlyMap<string, PresentationPage>
  readonly watch: TransactionWatch
  readonly record: RecordEvent
  /** There where a page allows another device. */
  readonly qr?: DrawQr | undefined
  readonly clock: Clock
}

/** Makes the routes; none without a page. */
export function pageEndpoints(deps: PageEndpointsDeps): readonly Route[] {
  if (deps.pages.size === 0) return []
  const { present } = deps.settings.endpoints
  const edge = (work: RouteHandler): RouteHandler =>
    endpoint(asPage(work), { statuses: {}, log: deps.log, random: deps.random, event: 'verifier.page' })
  return [
    { method: 'GET', path: `${present}/:page`, handle: edge(question(deps)) },
    { method: 'POST', path: `${present}/:page`, handle: edge(begin(deps)) },
    { method: 'GET', path: `${present}/:page/:handle`, handle: edge(show(deps)) },
    { method: 'GET', path: `${present}/:page/:handle/events`, handle: edge(follow(deps)) },
  ]
}

// People are answered in sentences; the statuses are those of the other endpoints.
function asPage(work: RouteHandler): RouteHandler {
  return async (request, parameters) => {
    try {
      return await work(request, parameters)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      const status = STATUSES.get(error.code) ?? 400
      return pageResponse(status, messageView('This page cannot go on', error.message))
    }
  }
}

const STATUSES = new Map([
  ['not_found', 404],
  ['session_mismatch', 403],
  ['request_too_large', 413],
])

function question(deps: PageEndpointsDeps): RouteHandler {
  return async (_request, { page = '' }) => pageResponse(200, questionView(pageNamed(page, deps)))
}

function begin(deps: PageEndpointsDeps): RouteHandler {
  const { settings } = deps
  return async (request, { page: name = '' }) => {
    const page = pageNamed(name, deps)
    if (!isSentByUs(request.headers, settings.origin)) {
      throw new ProtocolError('session_mismatch', 'Another site sent you here. Open the page itself.')
    }
    const form = await readForm(request, { maxBytes: MOST_FORM_BYTES })
    const device = form.get('device')
    if (device !== 'this' && !(device === 'other' && page.crossDevice === true)) {
      throw new ProtocolError('invalid_request', 'Say on which device the wallet is. Go back and choose.')
    }
    const session = shownSession(request.headers.get('Cookie')) ?? newSession(deps.random)
    const url = pageUrl(name, deps)
    const { transactionId } = await startTransaction(
      { ...asked(page, device), session: sessionOn(name, session), returnBelow: url },
      deps.clock(),
      deps,
    )
    const location = `${url}/${transactionHandle(transactionId)}`
    return seeOther(location, { 'Set-Cookie': sessionCookie(session) })
  }
}

function asked(page: PresentationPage, device: 'this' | 'other') {
  const { query, scope, transactionData, responseMode = 'direct_post.jwt' } = page
  return {
    ...(query === undefined ? {} : { query }),
    ...(scope === undefined ? {} : { scope }),
    ...(transactionData === undefined ? {} : { transactionData }),
    ...(device === 'this'
      ? { responseMode }
      : // A browser of another device cannot bring a fragment here.
        {
          responseMode: responseMode === 'fragment' ? ('direct_post.jwt' as const) : responseMode,
          crossDevice: true,
          lifetimeSeconds: CROSS_DEVICE_SECONDS,
        }),
  }
}

function show(deps: PageEndpointsDeps): RouteHandler {
  return async (request, { page: name = '', handle = '' }) => {
    const page = pageNamed(name, deps)
    const session = shownOn(name, request.headers.get('Cookie'))
    const code = new URL(request.url).searchParams.get('response_code')
    const here = `${pageUrl(name, deps)}/${handle}`
    if (code !== null) {
      await returnResult({ handle, code, session }, deps)
      // Away from the code: it must not stay in the address of a page that shows claims.
      return seeOther(here)
    }
    const found = await findTransaction(handle, deps.clock(), deps)
    if (found === undefined || !isBegunIn(found.transaction, session)) {
      return pageResponse(404, overView(page, pageUrl(name, deps)))
    }
    if (found.transaction.state === 'answered' && found.transaction.responseCode === undefined) {
      // Every time values leave this process: somebody may look again and again.
      await deps.record({ kind: 'verifier.result_read', subject: found.id, facts: { outcome: 'answered' } })
    }
    return pageResponse(200, view(page, { ...found, handle, here }, deps))
  }
}

function view(
  page: PresentationPage,
  { transaction, handle, here }: KeptTransaction & { readonly handle: string; readonly here: string },
  deps: PageEndpointsDeps,
): PageContent {
  const again = here.slice(0, here.lastIndexOf('/'))
  switch (transaction.state) {
    case 'answered':
      return transaction.responseCode === undefined
        ? verifiedView(page, transaction.presentation, handle)
        : elsewhereView(page)
    case 'refused':
      return refusedView(page, transaction.reason, again)
    case 'redeemed':
      return overView(page, again)
    case 'requested': {
      if (transaction.expiresAt <= deps.clock()) return overView(page, again)
      const { settings } = deps
      const link = (base: string) => requestUrl(transaction, { handle, base }, settings)
      const content =
        transaction.returnUri === undefined && deps.qr !== undefined
          ? qrView(page, link('openid4vp://'), deps.qr(link('openid4vp://')))
          : linksView(
              page,
              (page.wallets ?? ANY_WALLET).map((wallet) => ({ name: wallet.name, url: link(wallet.url) })),
            )
      return { ...content, data: { events: `${new URL(here).pathname}/events` } }
    }
  }
}

function follow(deps: PageEndpointsDeps): RouteHandler {
  return async (request, { page: name = '', handle = '' }) => {
    pageNamed(name, deps)
    const found = await findTransaction(handle, deps.clock(), deps)
    const session = shownOn(name, request.headers.get('Cookie'))
    if (found === undefined || !isBegunIn(found.transaction, session)) {
      throw new ProtocolError('not_found', 'There is nothing to follow here.')
    }
    const headers = { ...PAGE_HEADERS, ...EVENT_HEADERS }
    if (request.method === 'HEAD') return new Response(null, { headers })
    const answer = eventStream(handle, request.headers.get('Last-Event-ID'), deps.watch)
    // 204 tells a browser not to come again: it knows the end already.
    if (answer === 'known') return new Response(null, { status: 204, headers: PAGE_HEADERS })
    if (answer === 'busy')
      return new Response(null, { status: 429, headers: { ...PAGE_HEADERS, 'Retry-After': '5' } })
    return new Response(answer, { headers })
  }
}

function pageNamed(name: string, { pages }: PageEndpointsDeps): PresentationPage {
  const page = pages.get(name)
  if (page === undefined) throw new ProtocolError('not_found', 'There is no such page.')
  return page
}

function pageUrl(name: string, { settings }: PageEndpointsDeps): string {
  return `${settings.origin}${settings.endpoints.present}/${name}`
}

function seeOther(location: string, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(null, { status: 303, headers: { ...PAGE_HEADERS, ...headers, Location: location } })
}
