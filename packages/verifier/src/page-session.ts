/**
 * Which browser is it: the cookie that ties a transaction to the browser that began it.
 *
 * Owns the cookie and the question whether a form was sent by our own page. The cookie is a name and nothing more:
 * its hash, together with the page's name, stands in the transaction, and nothing is kept per browser.
 *
 * Source: OpenID4VP 1.0, section 14.3; HAIP 1.0, section 5.1; RFC 6265bis, section 4.1.3 (`__Host-`); Fetch
 * Metadata Request Headers, section 2.
 *
 * @module
 */
import { equalText, type Random, randomText } from '@attache/core'
import { digest } from '@attache/keys'
import type { Transaction } from './transaction.js'

const COOKIE = '__Host-attache-presentation'
const SESSION = /^[A-Za-z0-9_-]{43}$/

/**
 * The session a browser shows.
 *
 * @param cookie The `Cookie` field.
 * @returns Nothing when it shows none, two, or none of ours.
 */
export function shownSession(cookie: string | null | undefined): string | undefined {
  const pairs = (cookie ?? '').split(';').map((pair) => pair.trim())
  const values = pairs.flatMap((pair) =>
    pair.startsWith(`${COOKIE}=`) ? [pair.slice(COOKIE.length + 1)] : [],
  )
  const [value = ''] = values
  return values.length === 1 && SESSION.test(value) ? value : undefined
}

/** Makes a session for a browser that has none. */
export function newSession(random: Random): string {
  return randomText(random)
}

/**
 * The cookie of a session: no script reads it, no other site sends it along but by a link, no subdomain sets it.
 *
 * `Lax`, not `Strict`: a wallet that is a web site comes back by a link.
 */
export function sessionCookie(session: string): string {
  return `${COOKIE}=${session}; Path=/; Secure; HttpOnly; SameSite=Lax`
}

/**
 * A browser's session as far as one page goes: what was begun on one page is nothing on another, whose place may ask
 * for more.
 */
export function sessionOn(page: string, session: string): string {
  return `${page} ${session}`
}

/** The session that a browser shows, as far as one page goes; nothing as in {@link shownSession}. */
export function shownOn(page: string, cookie: string | null | undefined): string | undefined {
  const session = shownSession(cookie)
  return session === undefined ? undefined : sessionOn(page, session)
}

/** Whether a transaction was begun in this session; one without a session was begun in none. */
export function isBegunIn(transaction: Transaction, session: string | undefined): boolean {
  if (transaction.session === undefined || session === undefined) return false
  return equalText(transaction.session, digest('sha-256', session))
}

/** Whether a form comes from a page of this origin, as far as the browser says. */
export function isSentByUs(headers: Headers, origin: string): boolean {
  const [sender, site] = [headers.get('Origin'), headers.get('Sec-Fetch-Site')]
  return (sender === null || sender === origin) && (site === null || site === 'same-origin')
}
