/**
 * Following an authorization without a person: redirects of the authorization server, up to the redirect URI.
 *
 * For servers that decide by themselves (a test peer, a policy, an approval given before). Owns where it may
 * go: the origin of the authorization endpoint, by GET, over https, a few hops, and the redirect URI itself is
 * read, never called. A page means that a person is needed, and the link goes to the operator as ever.
 *
 * Source: OpenID4VCI 1.0, section 5.2; RFC 6749, section 4.1.2; RFC 9700, section 4.12.
 *
 * @module
 */
import type { ReceiveReply } from '@attache/agent'
import type { NumericDate } from '@attache/core'
import { finishAuthorization } from './authorization-code.js'
import type { WalletAgent } from './options.js'
import type { ReceiveDeps } from './redeem-token.js'

const MOST_HOPS = 10
const REDIRECTS: readonly number[] = [302, 303, 307]

/**
 * Follows the link of an `authorization_required` where the issuer's setting says so; hands on every other reply.
 *
 * @throws {VerificationError} As `finishAuthorization`, or a `fetch_…` code.
 */
export async function followAuthorization(
  reply: ReceiveReply,
  facts: { readonly agent: WalletAgent; readonly now: NumericDate },
  deps: ReceiveDeps,
): Promise<ReceiveReply> {
  if (reply.outcome !== 'authorization_required') return reply
  const issuer = deps.options.issuers.find(({ credentialIssuer }) => credentialIssuer === reply.issuer)
  const { redirectUri } = deps.options
  if (issuer?.authorization !== 'follow' || redirectUri === undefined) return reply
  const url = await followRedirects(reply.authorizationUrl, redirectUri, deps)
  return url === undefined ? reply : finishAuthorization({ ...facts, url }, deps)
}

/** @returns The redirect URI as the server wrote it, `undefined` where the server wants a person. */
async function followRedirects(
  start: string,
  redirectUri: string,
  { fetch }: Pick<ReceiveDeps, 'fetch'>,
): Promise<string | undefined> {
  const { origin } = new URL(start)
  const cookies = new Map<string, string>()
  let current = start
  for (let hop = 0; hop < MOST_HOPS; hop += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { accept: 'text/html', ...(cookie === '' ? {} : { cookie }) }
    const response = await fetch(current, { headers, redirects: 'return' })
    const location = response.headers.get('Location')
    if (!REDIRECTS.includes(response.status) || location === null || !URL.canParse(location, current))
      return undefined
    const next = new URL(location, current).href
    if (next.startsWith(`${redirectUri}?`)) return next
    if (new URL(next).origin !== origin) return undefined
    keepCookies(cookies, response.headers)
    current = next
  }
  return undefined
}

// One origin and one minute: path and lifetime of a cookie cannot matter here.
function keepCookies(cookies: Map<string, string>, headers: Headers): void {
  for (const line of headers.getSetCookie()) {
    const [pair = ''] = line.split(';')
    const at = pair.indexOf('=')
    if (at > 0) cookies.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim())
  }
}
