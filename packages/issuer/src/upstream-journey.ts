/**
 * The browser's way to an upstream sign-in and back.
 *
 * Owns what travels with the browser: a sealed cookie for each journey, named by its `state`, so that two
 * tabs do not disturb each other. It must be `Lax`, because the way back begins on a foreign site.
 *
 * Source: OpenID Connect Core 1.0, section 3.1.2; RFC 9700, section 4.7.1 (state bound to the browser).
 *
 * @module
 */
import {
  isJsonObject,
  type JsonObject,
  member,
  type NumericDate,
  ProtocolError,
  type Random,
  randomText,
} from '@attache/core'
import type { Seal } from '@attache/keys'
import { type AskConsentDeps, askConsent } from './ask-consent.js'
import { PAGE_HEADERS } from './authorization-pages.js'
import { approvableAgents, findRequest } from './authorize.js'
import type { UpstreamSignIn } from './sign-in.js'

/** What the journey needs. */
export interface UpstreamJourneyDeps extends AskConsentDeps {
  readonly upstream: UpstreamSignIn
  readonly seal: Seal
  readonly random: Random
}

const COOKIE = '__Host-attache-upstream-'
const LIFETIME_SECONDS = 600
// Browsers keep at least so many bytes of one cookie.
const MAX_COOKIE = 4000

/** Sends the browser away. @throws {ProtocolError} `temporarily_unavailable`. */
export async function leaveForUpstream(
  facts: { readonly secret: string; readonly now: NumericDate },
  deps: UpstreamJourneyDeps & { readonly clock: () => NumericDate },
): Promise<Response> {
  const state = randomText(deps.random)
  const { location, kept } = await deps.upstream.begin({ callback: callbackOf(deps), state, now: facts.now })
  const content = { requestSecret: facts.secret, state, kept }
  const sealed = deps.seal.seal(content, {
    purpose: purposeOf(deps),
    expiresAt: facts.now + LIFETIME_SECONDS,
  })
  if (sealed.length > MAX_COOKIE) throw new Error('What the sign-in keeps is larger than a cookie.')
  const cookie = `${cookieName(state)}=${sealed}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${LIFETIME_SECONDS}`
  const headers = { ...PAGE_HEADERS, Location: location, 'Set-Cookie': cookie }
  return new Response(null, { status: 303, headers })
}

/**
 * Takes the browser back, and asks for consent.
 *
 * @throws {ProtocolError} `invalid_request`: another browser, or too late. `access_denied`: nobody known, or
 *   not for this credential.
 */
export async function returnFromUpstream(
  request: Request,
  deps: UpstreamJourneyDeps & { readonly clock: () => NumericDate },
): Promise<Response> {
  const now = deps.clock()
  const answer = new URL(request.url).searchParams
  const { state, secret, kept } = openJourney(
    request.headers,
    { state: answer.get('state') ?? '', now },
    deps,
  )
  const found = await findRequest(secret, deps)
  const person = await deps.upstream.complete({ callback: callbackOf(deps), state, answer, kept, now })
  if (person === undefined) throw new ProtocolError('access_denied', 'Nobody here is known by this sign-in.')
  const agents = approvableAgents(found.record, person)
  const { browser, cookie } = deps.interactions.browserOf(request.headers)
  return askConsent({ request: found, person: { ...person, agents }, browser, cookie, now }, deps)
}

function openJourney(
  headers: Headers,
  facts: { readonly state: string; readonly now: NumericDate },
  deps: UpstreamJourneyDeps,
): { readonly state: string; readonly secret: string; readonly kept: JsonObject } {
  const name = cookieName(facts.state)
  const pairs = (headers.get('Cookie') ?? '').split(';').map((pair) => pair.trim())
  const sealed = pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1)
  const content = sealed && deps.seal.open(sealed, { purpose: purposeOf(deps), now: facts.now })
  if (isJsonObject(content)) {
    const [state, secret] = [member(content, 'state'), member(content, 'requestSecret')]
    const kept = member(content, 'kept')
    if (state === facts.state && typeof secret === 'string' && isJsonObject(kept))
      return { state, secret, kept }
  }
  throw new ProtocolError(
    'invalid_request',
    'This sign-in is too old or belongs to another browser. Start again.',
  )
}

function cookieName(state: string): string {
  return `${COOKIE}${state.slice(0, 16)}`
}

function callbackOf({ urls }: UpstreamJourneyDeps): string {
  return `${urls.authorization}/callback`
}

function purposeOf({ credentialIssuer }: UpstreamJourneyDeps): string {
  return `upstream ${credentialIssuer}`
}
