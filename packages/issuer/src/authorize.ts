/**
 * Approving a pushed authorization request.
 *
 * Owns the use cases behind the pages: finding the request, signing in with capped attempts, deciding. The
 * request is consumed by the decision, not by looking at the page.
 *
 * Source: RFC 9126, section 4; RFC 6749, section 4.1.2; RFC 9207, section 2; OpenID4VCI 1.0, section 5.1.3;
 * FAPI 2.0 Security Profile, section 5.3.2.2.
 *
 * @module
 */
import {
  type NumericDate,
  ProtocolError,
  type Random,
  randomText,
  type Store,
  type StoreStep,
} from '@attache/core'
import { createAuthorizationResponse } from '@attache/oauth'
import {
  type AuthorizationCodeRecord,
  migratePushedRequestRecord,
  type PushedRequestRecord,
} from './pushed-request-record.js'
import type { PasswordSignIn, SignedInPerson } from './sign-in.js'
import type { RecordKeys } from './stored-record.js'

/** What approving needs. */
export interface AuthorizeDeps {
  readonly credentialIssuer: string
  readonly store: Pick<Store, 'get' | 'replace' | 'commit'>
  readonly keys: RecordKeys
  readonly random: Random
  readonly codeSeconds: number
}

/** A pushed request that is still open. */
export interface OpenRequest {
  readonly secret: string
  readonly record: PushedRequestRecord
  readonly version: string
}

/** Finds a request that nobody has decided about. @throws {ProtocolError} `invalid_request_uri`. */
export async function findRequest(secret: string, deps: AuthorizeDeps): Promise<OpenRequest> {
  const stored = await deps.store.get(deps.keys.hashed('pushed-request', secret))
  if (stored === undefined) throw unknownRequest()
  return { secret, record: migratePushedRequestRecord(stored.value), version: stored.version }
}

/** Finds the request a browser arrives with. @throws {ProtocolError} `invalid_request_uri`. */
export async function arriveWith(
  reference: { readonly clientId: string; readonly secret: string; readonly now: NumericDate },
  deps: AuthorizeDeps,
): Promise<OpenRequest> {
  const found = await findRequest(reference.secret, deps)
  if (found.record.clientId !== reference.clientId || found.record.arriveBy <= reference.now)
    throw unknownRequest()
  return found
}

/**
 * Signs somebody in for a request.
 *
 * @returns Undefined: name and password do not fit.
 * @throws {ProtocolError} `access_denied`: too many attempts. `invalid_request_uri`.
 */
export async function signInFor(
  facts: {
    readonly secret: string
    readonly username: string
    readonly password: string
    readonly now: NumericDate
  },
  deps: AuthorizeDeps & { readonly passwords: PasswordSignIn },
): Promise<{ readonly request: OpenRequest; readonly person: SignedInPerson | undefined }> {
  const request = await findRequest(facts.secret, deps)
  const { record, version } = request
  if (record.signInAttemptsLeft < 1)
    throw new ProtocolError('access_denied', 'Too many attempts. Start again.')
  // Counted before the password is looked at: parallel guesses cannot share one attempt.
  const counted = { ...record, signInAttemptsLeft: record.signInAttemptsLeft - 1 }
  const key = deps.keys.hashed('pushed-request', facts.secret)
  if (!(await deps.store.replace(key, version, counted, record.expiresAt))) throw unknownRequest()
  const person = await deps.passwords.signIn(facts)
  if (person === undefined) return { request, person }
  return { request, person: { ...person, agents: approvableAgents(record, person) } }
}

/** Agents to choose from. With an `issuer_state` only the offered one, and only for somebody who may receive for it anyway. */
export function approvableAgents(record: PushedRequestRecord, person: SignedInPerson): readonly string[] {
  const { offeredAgent } = record
  const agents =
    offeredAgent === null ? person.agents : person.agents.filter((agent) => agent === offeredAgent)
  if (agents.length > 0) return agents
  throw new ProtocolError('access_denied', 'You may not receive this credential for any agent.')
}

/**
 * Decides about a request.
 *
 * @returns Where the browser is sent.
 * @throws {ProtocolError} `invalid_request_uri`: it was decided before. `invalid_request`: another agent than
 *   the person may receive for.
 */
export async function decideRequest(
  facts: {
    readonly secret: string
    readonly person: SignedInPerson
    readonly agent: string | undefined
    readonly approve: boolean
    readonly now: NumericDate
  },
  deps: AuthorizeDeps,
): Promise<string> {
  const { record, version } = await findRequest(facts.secret, deps)
  const key = deps.keys.hashed('pushed-request', facts.secret)
  const consume: StoreStep = { op: 'remove', key, version }
  const { redirectUri } = record
  const context = { redirectUri, state: record.state ?? undefined, issuer: deps.credentialIssuer }
  if (!facts.approve) {
    if (!(await deps.store.commit([consume]))) throw unknownRequest()
    const errorDescription = 'The request was denied.'
    return createAuthorizationResponse({ kind: 'error', error: 'access_denied', errorDescription }, context)
  }
  const { agent } = facts
  if (agent === undefined || !facts.person.agents.includes(agent)) {
    throw new ProtocolError('invalid_request', 'Choose one of the agents on the page.')
  }
  const code = randomText(deps.random)
  const step = codeStep(code, { record, agent, now: facts.now }, deps)
  if (!(await deps.store.commit([consume, step]))) throw unknownRequest()
  return createAuthorizationResponse({ kind: 'code', code }, context)
}

function codeStep(
  code: string,
  facts: { readonly record: PushedRequestRecord; readonly agent: string; readonly now: NumericDate },
  deps: AuthorizeDeps,
): StoreStep {
  const { clientId, instanceJkt, jkt, redirectUri, codeChallenge, configurationIds, byDetails } = facts.record
  const asked = { clientId, instanceJkt, jkt, redirectUri, codeChallenge, configurationIds, byDetails }
  const expiresAt = facts.now + deps.codeSeconds
  const value: AuthorizationCodeRecord = { v: 1, ...asked, agent: facts.agent, usedForGrant: null, expiresAt }
  return { op: 'put', key: deps.keys.hashed('authorization-code', code), value, expiresAt }
}

function unknownRequest(): ProtocolError {
  return new ProtocolError('invalid_request_uri', 'The request is unknown, expired or decided. Start again.')
}
