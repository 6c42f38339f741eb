/**
 * The second half of the challenge route: a presentation comes in, a code goes out.
 *
 * The challenge is spent before anything is judged: whatever comes of it, its nonce is used.
 *
 * Source: OpenID4VCI 1.1 draft -01, sections 6.2.1.4 and 6.2.1.5; first-party apps -03, section 5.2.
 *
 * @module
 */
import {
  type Log,
  type NumericDate,
  ProtocolError,
  type Random,
  randomText,
  SPENT_MARGIN_SECONDS,
  type Store,
  storeKey,
} from '@attache/core'
import { createDecryptionKey, digest, type Seal } from '@attache/keys'
import type { FollowUpChallengeRequest } from '@attache/oauth'
import {
  acceptedIaAudiences,
  decryptResponse,
  parseIaResponse,
  parseResponseParameters,
} from '@attache/openid4vp'
import { encodeGrant } from './authorization-grant.js'
import { type ChallengeSession, openSession } from './challenge-session.js'
import { type AuthenticatedCaller, PLACE } from './client-authentication.js'
import { type PresentationReason, reasonOf, refusedPresentation } from './errors.js'
import { type ExplanationDeps, verifyExplained } from './explanation.js'
import type { Presentation } from './presentation.js'
import { RESPONSE_ENCS } from './presentation-request.js'
import type { AskedRequirement } from './requirement.js'
import type { Settings } from './settings.js'

/** What judging the answer to a challenge needs. */
export interface AnswerChallengeDeps extends ExplanationDeps {
  readonly settings: Settings
  readonly seal: Seal
  readonly random: Random
  readonly store: Pick<Store, 'commit' | 'put'>
  readonly log: Log
  readonly requirementOf: (scope: string) => AskedRequirement | undefined
}

/**
 * Judges the answer to a challenge.
 *
 * @returns The authorization code.
 * @throws {ProtocolError} `invalid_session`, `invalid_request`, `access_denied`: one error for every
 * presentation that does not hold; the reason is in the log.
 *
 * Source: OpenID4VCI 1.1 draft -01, section 6.2.1.4.
 */
export async function answerChallenge(
  facts: {
    readonly answer: FollowUpChallengeRequest
    readonly caller: AuthenticatedCaller
    readonly now: NumericDate
  },
  deps: AnswerChallengeDeps,
): Promise<string> {
  const { answer, caller, now } = facts
  const session = openSession(answer.authSession, now, deps)
  const requirement = session === undefined ? undefined : deps.requirementOf(session.scope)
  if (session === undefined || requirement === undefined || !isSameParty(session, caller)) {
    throw new ProtocolError('invalid_session', 'The auth_session is not open for this client. Start again.')
  }
  await spend(session, caller, deps.store)

  const presentation = await judge({ session, requirement, answer, now }, deps)
  const code = randomText(deps.random)
  const { clientId, jkt, instanceJkt, scope, codeChallenge } = session
  const grant = { clientId, jkt, instanceJkt, scope, codeChallenge, presentation }
  await deps.store.put(codeKey(code), encodeGrant(grant), now + deps.settings.lifetimes.code)
  deps.log.info('verifier.challenge.answered', { transaction: presentation.transaction, scope })
  return code
}

const UNREADABLE: ReadonlySet<PresentationReason> = new Set(['response_malformed', 'encryption_required'])

/** Where the grant behind a code is kept: under a hash, so that a store's reader cannot redeem it. */
export function codeKey(code: string): string {
  return storeKey({ ...PLACE, kind: 'code', id: digest('sha-256', code) })
}

function isSameParty(session: ChallengeSession, { client, binding }: AuthenticatedCaller): boolean {
  return (
    session.clientId === client.clientId &&
    session.jkt === binding &&
    session.instanceJkt === client.instanceJkt
  )
}

async function spend(
  session: ChallengeSession,
  caller: AuthenticatedCaller,
  store: Pick<Store, 'commit'>,
): Promise<void> {
  const key = storeKey({ ...PLACE, kind: 'challenge-spent', id: session.id })
  const expiresAt = session.expiresAt + SPENT_MARGIN_SECONDS
  const step = { op: 'putIfAbsent' as const, key, value: { v: 1 }, expiresAt }
  if (await store.commit([step, ...caller.remember])) return
  throw new ProtocolError('invalid_session', 'The auth_session or its proof was used before. Start again.')
}

async function judge(
  facts: {
    readonly session: ChallengeSession
    readonly requirement: AskedRequirement
    readonly answer: FollowUpChallengeRequest
    readonly now: NumericDate
  },
  deps: AnswerChallengeDeps,
): Promise<Presentation> {
  const { session, requirement, now } = facts
  const text = facts.answer.interaction.get('openid4vp_response')
  if (text === undefined) throw new ProtocolError('invalid_request', 'Send an openid4vp_response.')
  try {
    const vpToken = await readResponse(text, session)
    const endpoint = `${deps.settings.origin}${deps.settings.endpoints.challenge}`
    const audiences = acceptedIaAudiences(endpoint, {
      onlyEndpointOfOrigin: deps.settings.onlyChallengeEndpointOfOrigin,
    })
    const { id: transaction, nonce } = session
    return await verifyExplained(
      { transaction, query: requirement.query, vpToken, nonce, audiences, now },
      deps,
    )
  } catch (cause) {
    const reason = reasonOf(cause)
    if (reason === undefined) throw cause
    deps.log.warn('verifier.presentation.refused', { transaction: session.id, reason })
    if (UNREADABLE.has(reason)) {
      throw new ProtocolError('invalid_request', 'The openid4vp_response cannot be read. Start again.', {
        cause,
      })
    }
    throw new ProtocolError('access_denied', 'The presentation does not answer the request. Start again.', {
      cause,
    })
  }
}

async function readResponse(text: string, session: ChallengeSession) {
  const received = parseIaResponse(text, 'ia_post.jwt')
  const keys = [createDecryptionKey(session.decryptionKey)]
  const response =
    received.kind === 'encrypted'
      ? parseResponseParameters(await decryptResponse(received.jwe, { keys, encs: RESPONSE_ENCS }))
      : received
  if (response.kind === 'vp_token') return response.vpToken
  throw refusedPresentation('query_unsatisfied')
}
