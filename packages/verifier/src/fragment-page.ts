/**
 * The page to which a browser brings an answer in its fragment, and which posts it to where answers go.
 *
 * The answer takes the same way as every other one from there on. What stands in a query string is no answer: it
 * went through servers and their logs, and the page refuses it.
 *
 * Source: OpenID4VP 1.0, sections 5.6, 8.1 and 8.2.
 *
 * @module
 */
import { type Clock, endpoint, type Log, type Random, type Route } from '@attache/core'
import { type FindTransactionDeps, findTransaction } from './kept-transaction.js'
import { pageResponse } from './page-document.js'
import { FRAGMENT_SCRIPT } from './page-scripts.js'
import { messageView } from './page-views.js'
import { responseUri } from './presentation-request.js'

/** What the page needs. */
export interface FragmentPageDeps extends FindTransactionDeps {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Makes the route. */
export function fragmentPage(deps: FragmentPageDeps): Route {
  const { settings, clock, log, random } = deps
  const { origin, endpoints } = settings
  return {
    method: 'GET',
    path: `${endpoints.fragment}/:handle`,
    handle: endpoint(
      async (request, { handle = '' }) => {
        if (new URL(request.url).search !== '') {
          return pageResponse(
            400,
            messageView('Not accepted', 'An answer comes in the fragment. Start again.'),
          )
        }
        const { transaction } = (await findTransaction(handle, clock(), deps)) ?? {}
        const open = transaction?.state === 'requested' && transaction.expiresAt > clock()
        if (!open || transaction.responseMode !== 'fragment') {
          return pageResponse(404, messageView('Nothing here', 'No answer is awaited here. Start again.'))
        }
        const { returnUri = '' } = transaction
        // A page of ours says itself what became of the answer; any other place is told by the answer alone.
        const afterwards = returnUri.startsWith(`${origin}${endpoints.present}/`) ? returnUri : ''
        return pageResponse(200, {
          title: 'Back from your wallet',
          body: '<p id="state">Your answer is being sent.</p><noscript><p>This page needs scripts: only they can read what your wallet brought.</p></noscript>',
          data: { answers: new URL(responseUri(handle, settings)).pathname, afterwards },
          script: FRAGMENT_SCRIPT,
        })
      },
      { statuses: {}, log, random, event: 'verifier.fragment' },
    ),
  }
}
