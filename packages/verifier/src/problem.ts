/**
 * What a guarded route answers when it does not let a call in: something another program can act on.
 *
 * A short `WWW-Authenticate` for OAuth clients, and a problem body with a stable code, the names (never the
 * values) of what is missing, a hint, and the transaction id under which the log knows the call.
 *
 * Source: RFC 9457; RFC 6750, section 3; RFC 9449, section 7.1; RFC 9728, section 5.1.
 *
 * @module
 */
import { type JsonObject, json, NO_STORE } from '@attache/core'
import { createResourceChallenge, protectedResourceMetadataUrl } from '@attache/oauth'
import type { Refusal } from './decision.js'
import { PROBLEMS, type ProblemCode } from './errors.js'
import type { Settings } from './settings.js'
import type { StepUpDemand } from './step-up.js'

/** What an answer says. */
export interface Problem {
  readonly code: ProblemCode
  /** Scope that names the requirement. */
  readonly scope: string
  /** Id of this call in the log. */
  readonly transaction: string
  /** OAuth error for `WWW-Authenticate`; absent when the call carried no token. */
  readonly error?: string | undefined
  readonly refusal?: Refusal | undefined
  /** What another presentation must be, where another one helps. */
  readonly stepUp?: StepUpDemand | undefined
  /** Further header fields, for example `DPoP-Nonce`. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Makes the answer.
 *
 * Source: RFC 9457, section 3; RFC 9728, section 5.1; RFC 9470, section 3.
 */
export function problemResponse(
  problem: Problem,
  settings: Pick<Settings, 'origin' | 'algorithms'> & Partial<Pick<Settings, 'senderConstraint'>>,
): Response {
  const { status, title, hint } = PROBLEMS[problem.code]
  const challenge = createResourceChallenge({
    algorithms: settings.algorithms,
    resourceMetadata: protectedResourceMetadataUrl(settings.origin),
    scope: problem.scope,
    error: problem.error,
    bearer: settings.senderConstraint === 'dpop-or-certificate',
    ...problem.stepUp,
  })
  return json(status, problemBody(problem, { status, title, hint }), {
    ...NO_STORE,
    ...problem.headers,
    'Content-Type': 'application/problem+json',
    ...(status === 401 || problem.error !== undefined ? { 'WWW-Authenticate': challenge } : {}),
  })
}

function problemBody(
  { code, scope, transaction, refusal, stepUp }: Problem,
  { status, title, hint }: { readonly status: number; readonly title: string; readonly hint: string },
): JsonObject {
  return {
    type: 'about:blank',
    title,
    status,
    code,
    scope,
    transaction,
    ...(refusal?.missing === undefined ? {} : { missing: refusal.missing }),
    hint: refusal?.hint ?? hint,
    ...(stepUp?.maxAgeSeconds === undefined ? {} : { max_age: stepUp.maxAgeSeconds }),
    ...(stepUp?.acrValues === undefined ? {} : { acr_values: stepUp.acrValues.join(' ') }),
  }
}
