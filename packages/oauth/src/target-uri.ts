/**
 * Target URIs: which request a proof or signature speaks about, and when two spellings are one URI.
 *
 * Owns the normalisation that DPoP compares by, and the rule that our own origin comes from configuration.
 *
 * Source: RFC 9449, section 4.3; RFC 3986, sections 6.2.2 and 6.2.3.
 *
 * @module
 */
import { configurationError } from '@attache/core'

// Characters that RFC 3986 knows. The URL parser of the platform quietly repairs all others.
const URI_CHARACTERS = /^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/
const ABSOLUTE_HTTP = /^https?:\/\/[^/?#]+/i
const UNRESERVED = /^[A-Za-z0-9\-._~]$/

/**
 * The URI without query and fragment, in one spelling: scheme and host in lower case, no default port, dot
 * segments resolved, unreserved characters decoded. The case of the path and a final slash stay as they are.
 *
 * @returns Nothing for a text that is not an absolute http(s) URI, or that carries user information.
 *
 * Source: RFC 9449, section 4.3, last paragraph; RFC 3986, sections 6.2.2.1 to 6.2.3.
 */
export function normalizeTargetUri(text: string): string | undefined {
  if (!URI_CHARACTERS.test(text) || !ABSOLUTE_HTTP.test(text)) return undefined
  const stripped = text.replace(/[?#].*$/, '')
  if (stripped.includes('@') && /^https?:\/\/[^/]*@/i.test(stripped)) return undefined
  // Decode before the dot segments are resolved, so that %2E and %2e%2e are dots for everybody.
  const decoded = stripped.replace(/%([0-9A-Fa-f]{2})/g, (encoded, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return UNRESERVED.test(character) ? character : encoded.toUpperCase()
  })
  if (/%(?![0-9A-F]{2})/.test(decoded) || !URL.canParse(decoded)) return undefined
  const { origin, pathname } = new URL(decoded)
  return `${origin}${pathname}`
}

/**
 * The URI that the client sees for a request: path and query of the request at the configured origin.
 *
 * Neither the Host header nor a forwarding header has a say: an attacker chooses those.
 *
 * @param origin Public origin, for example `https://api.example.com`; a path prefix that a proxy takes away
 *   may follow it.
 * @param requestUrl `Request.url` as received.
 * @throws {TypeError} `origin_invalid` when the origin is no absolute http(s) URI or has a query.
 *
 * Source: requirements/sender-constraint.md, DPOP-S-09 and HMS-V-10.
 */
export function externalUrl(origin: string, requestUrl: string): string {
  const base = /^(https?:\/\/[^/?#@]+(?:\/[^?#]*)?)$/i.exec(origin)?.[1]
  if (base === undefined) {
    throw configurationError(
      'origin_invalid',
      'The public origin is an absolute URI without query or fragment.',
    )
  }
  const target = requestUrl.replace(/#.*$/, '').replace(/^https?:\/\/[^/?#]*/i, '')
  return `${base.replace(/\/$/, '')}${target.startsWith('/') ? '' : '/'}${target}`
}

/** Scheme, host and port of a URL: what one server's nonces are kept under. */
export function originOf(url: string): string {
  return new URL(url).origin
}
