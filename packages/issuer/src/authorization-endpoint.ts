/**
 * The Authorization Endpoint: what a browser sees.
 *
 * Owns the shells of the three steps: arrive, sign in, decide. Only pushed requests are answered; whatever
 * else stands in the URL is not looked at, and nobody is redirected before a decision.
 *
 * Source: RFC 6749, section 4.1; RFC 9126, section 4; HAIP 1.0, section 4; FAPI 2.0 Security Profile,
 * section 5.3.2.2.
 *
 * @module
 */
import {
  type Clock,
  describeCause,
  type Log,
  type NumericDate,
  ProtocolError,
  parseForm,
  REQUEST_ID,
  type Route,
  randomId,
  readForm,
} from '@attache/core'
import type { Seal } from '@attache/keys'
import { parsePushedAuthorizationReference, REQUEST_URI_PREFIX } from '@attache/oauth'
import { type AskConsentDeps, askConsent } from './ask-consent.js'
import { errorPage, PAGE_HEADERS, pageResponse, signInPage } from './authorization-pages.js'
import { approvableAgents, arriveWith, decideRequest, signInFor } from './authorize.js'
import { pathOf } from './endpoint-urls.js'
import type { PushedRequestRecord } from './pushed-request-record.js'
import { isUpstream, type PasswordSignIn, type SignedInPerson, type SignIn } from './sign-in.js'
import { leaveForUpstream, returnFromUpstream } from './upstream-journey.js'

/** What the endpoint needs. */
export interface AuthorizationEndpointDeps extends AskConsentDeps {
  readonly signIn: SignIn
  readonly seal: Seal
  /** For trials: approves every request without a page. */
  readonly automaticApproval: SignedInPerson | undefined
  readonly clock: Clock
  readonly log: Log
}

const ERROR_STATUSES: Readonly<Record<string, number>> = {
  request_too_large: 413,
  temporarily_unavailable: 503,
}
const MAX_FORM_BYTES = 32_768

/** The routes of the three steps. */
export function authorizationEndpoint(deps: AuthorizationEndpointDeps): readonly Route[] {
  const path = pathOf(deps.urls.authorization)
  const { signIn: way } = deps
  return [
    { method: 'GET', path, handle: page((request) => arrive(request, deps), deps) },
    isUpstream(way)
      ? {
          method: 'GET',
          path: `${path}/callback`,
          handle: page((request) => returnFromUpstream(request, { ...deps, upstream: way }), deps),
        }
      : {
          method: 'POST',
          path: `${path}/sign-in`,
          handle: page((request) => signIn(request, { ...deps, passwords: way }), deps),
        },
    { method: 'POST', path: `${path}/decision`, handle: page((request) => decide(request, deps), deps) },
  ]
}

async function arrive(request: Request, deps: AuthorizationEndpointDeps): Promise<Response> {
  const now = deps.clock()
  const query = parseForm(new URL(request.url).search.slice(1))
  const { clientId, requestUri } = parsePushedAuthorizationReference(query)
  const secret = requestUri.slice(REQUEST_URI_PREFIX.length)
  const { record } = await arriveWith({ clientId, secret, now }, deps)
  if (deps.automaticApproval)
    return approveAtOnce(record, { secret, person: deps.automaticApproval, now }, deps)
  if (isUpstream(deps.signIn)) return leaveForUpstream({ secret, now }, { ...deps, upstream: deps.signIn })
  const { browser, cookie } = deps.interactions.browserOf(request.headers)
  const interaction = deps.interactions.seal({ requestSecret: secret }, browser, now)
  const action = `${deps.urls.authorization}/sign-in`
  return pageResponse(200, signInPage({ action, interaction, failed: false }), { cookie })
}

async function approveAtOnce(
  record: PushedRequestRecord,
  facts: { readonly secret: string; readonly person: SignedInPerson; readonly now: NumericDate },
  deps: AuthorizationEndpointDeps,
): Promise<Response> {
  const [agent] = approvableAgents(record, facts.person)
  return redirect(await decideRequest({ ...facts, agent, approve: true }, deps))
}

async function signIn(
  request: Request,
  deps: AuthorizationEndpointDeps & { readonly passwords: PasswordSignIn },
): Promise<Response> {
  const now = deps.clock()
  const form = await readForm(request, { maxBytes: MAX_FORM_BYTES })
  const { requestSecret: secret } = deps.interactions.open(form.get('interaction'), request.headers, now)
  const [username, password] = [form.get('username') ?? '', form.get('password') ?? '']
  const { request: found, person } = await signInFor({ secret, username, password, now }, deps)
  const { browser } = deps.interactions.browserOf(request.headers)
  if (person === undefined) {
    const interaction = deps.interactions.seal({ requestSecret: secret }, browser, now)
    return pageResponse(
      401,
      signInPage({ action: `${deps.urls.authorization}/sign-in`, interaction, failed: true }),
    )
  }
  return askConsent({ request: found, person, browser, now }, deps)
}

async function decide(request: Request, deps: AuthorizationEndpointDeps): Promise<Response> {
  const now = deps.clock()
  const form = await readForm(request, { maxBytes: MAX_FORM_BYTES })
  const { requestSecret: secret, person } = deps.interactions.open(
    form.get('interaction'),
    request.headers,
    now,
  )
  const decision = form.get('decision')
  if (person === undefined || (decision !== 'approve' && decision !== 'deny')) {
    throw new ProtocolError('invalid_request', 'Sign in first, then approve or deny.')
  }
  const facts = { secret, person, agent: form.get('agent'), approve: decision === 'approve', now }
  return redirect(await decideRequest(facts, deps))
}

// 303 and never 307: the browser must not post the password to the wallet.
function redirect(location: string): Response {
  return new Response(null, { status: 303, headers: { ...PAGE_HEADERS, Location: location } })
}

/** Turns errors into pages, as `endpoint` turns them into JSON. */
function page(
  work: (request: Request) => Promise<Response>,
  deps: AuthorizationEndpointDeps,
): Route['handle'] {
  return async (request) => {
    const requestId = randomId(deps.random, 'req')
    const response = await answered(work, request, { requestId, deps })
    response.headers.set(REQUEST_ID, requestId)
    return response
  }
}

async function answered(
  work: (request: Request) => Promise<Response>,
  request: Request,
  { requestId, deps }: { readonly requestId: string; readonly deps: AuthorizationEndpointDeps },
): Promise<Response> {
  const refused = (code: string, reason: string, cause?: unknown) => {
    const fields = { code, reason, cause: describeCause(cause), request_id: requestId }
    deps.log.warn('issuer.authorization.refused', fields)
  }
  try {
    const response = await work(request)
    // Not an error page: the form comes again. Somebody who guesses passwords shows in the log all the same.
    if (response.status === 401)
      refused('sign_in_failed', 'Name and password do not fit. They are asked again.')
    return response
  } catch (error) {
    if (error instanceof ProtocolError) {
      refused(error.code, error.message, error.cause)
      return pageResponse(ERROR_STATUSES[error.code] ?? 400, errorPage(error))
    }
    deps.log.error('issuer.authorization.fault', { cause: describeCause(error), request_id: requestId })
    return pageResponse(
      500,
      errorPage({ code: 'server_error', message: 'Something went wrong on our side.' }),
    )
  }
}
