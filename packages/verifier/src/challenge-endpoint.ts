/**
 * The authorization challenge endpoint: who calls, and which half of the route it is.
 *
 * Source: first-party apps -03, section 5; OpenID4VCI 1.1 draft -01, section 6.
 *
 * @module
 */
import { type Clock, endpoint, json, NO_STORE, type Route, readForm } from '@attache/core'
import {
  createAuthorizationCodeResponse,
  OAUTH_ERRORS,
  parseAuthorizationChallengeRequest,
} from '@attache/oauth'
import { type AnswerChallengeDeps, answerChallenge } from './answer-challenge.js'
import { authenticateCaller, type ClientAuthenticationDeps } from './client-authentication.js'
import { type IssueChallengeDeps, issueChallenge } from './issue-challenge.js'

const MOST_BYTES = 262_144

/** What the endpoint needs. */
export interface ChallengeEndpointDeps
  extends AnswerChallengeDeps,
    IssueChallengeDeps,
    ClientAuthenticationDeps {
  readonly clock: Clock
}

/** Makes the route. */
export function challengeEndpoint(deps: ChallengeEndpointDeps): Route {
  const path = deps.settings.endpoints.challenge
  const handle = endpoint(
    async (request) => {
      const form = await readForm(request, { maxBytes: MOST_BYTES })
      // Read when the request is there in whole: a slow body must not be judged by an earlier time.
      const now = deps.clock()
      const caller = authenticateCaller({ headers: request.headers, path, form }, deps, now)
      const wanted = parseAuthorizationChallengeRequest(form)
      if (wanted.kind === 'initial') throw await issueChallenge({ wanted, caller, now }, deps)
      const authorizationCode = await answerChallenge({ answer: wanted, caller, now }, deps)
      return json(200, createAuthorizationCodeResponse({ authorizationCode }), NO_STORE)
    },
    { statuses: OAUTH_ERRORS, log: deps.log, random: deps.random, event: 'verifier.challenge' },
  )
  return { method: 'POST', path, handle }
}
