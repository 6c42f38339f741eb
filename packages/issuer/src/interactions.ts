/**
 * The state of somebody who is approving, between two pages.
 *
 * Owns sealing it into the form and tying it to the browser by a cookie, so that a form of one browser is
 * worth nothing in another one. Nothing is stored.
 *
 * Source: RFC 9700, section 4.7 (cross-site request forgery).
 *
 * @module
 */
import {
  equalText,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  member,
  type NumericDate,
  ProtocolError,
  type Random,
  randomText,
} from '@attache/core'
import type { Seal } from '@attache/keys'

/** Where somebody stands. */
export interface Interaction {
  /** Secret part of the `request_uri`. */
  readonly requestSecret: string
  /** Set after sign-in. */
  readonly person?: { readonly name: string; readonly agents: readonly string[] } | undefined
}

/** Seals and opens interactions. */
export interface Interactions {
  /** A browser's own value, from its cookie or new. */
  browserOf(headers: Headers): { readonly browser: string; readonly cookie: string }
  seal(interaction: Interaction, browser: string, now: NumericDate): string
  /** @throws {ProtocolError} `invalid_request`: expired, changed, or of another browser. */
  open(text: string | undefined, headers: Headers, now: NumericDate): Interaction
}

const COOKIE = '__Host-attache-browser'
const LIFETIME_SECONDS = 600
// Sealed texts open up to 8 KiB; who may receive credentials for more agents picks them by offer.
const MAX_AGENTS = 100

/** Makes the interactions of one issuer. */
export function createInteractions(
  options: { readonly credentialIssuer: string },
  deps: { readonly seal: Seal; readonly random: Random },
): Interactions {
  const purpose = `interaction ${options.credentialIssuer}`
  return {
    browserOf(headers) {
      const browser = cookieOf(headers) ?? randomText(deps.random)
      return { browser, cookie: `${COOKIE}=${browser}; Path=/; Secure; HttpOnly; SameSite=Strict` }
    },
    seal({ requestSecret, person }, browser, now) {
      const agents = person?.agents.slice(0, MAX_AGENTS) ?? []
      const content = { requestSecret, browser, ...(person ? { name: person.name, agents } : {}) }
      return deps.seal.seal(content, { purpose, expiresAt: now + LIFETIME_SECONDS })
    },
    open(text, headers, now) {
      const content = text === undefined ? undefined : deps.seal.open(text, { purpose, now })
      const interaction = isJsonObject(content) ? interactionOf(content) : undefined
      const browser = isJsonObject(content) ? member(content, 'browser') : undefined
      const shown = cookieOf(headers)
      if (interaction && typeof browser === 'string' && shown !== undefined && equalText(browser, shown)) {
        return interaction
      }
      throw new ProtocolError(
        'invalid_request',
        'This page is too old or belongs to another browser. Start again.',
      )
    },
  }
}

function interactionOf(content: JsonObject): Interaction | undefined {
  const requestSecret = member(content, 'requestSecret')
  if (typeof requestSecret !== 'string') return undefined
  const [name, agents] = [member(content, 'name'), member(content, 'agents')]
  if (typeof name !== 'string' || !isJsonArray(agents)) return { requestSecret }
  return { requestSecret, person: { name, agents: agents.filter((agent) => typeof agent === 'string') } }
}

function cookieOf(headers: Headers): string | undefined {
  const pairs = (headers.get('Cookie') ?? '').split(';').map((pair) => pair.trim())
  return pairs.find((pair) => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1)
}
