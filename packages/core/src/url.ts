/**
 * URLs as identifiers: compared as text, never normalised on the way.
 *
 * @module
 */

/**
 * Reads an absolute https URL without credentials.
 *
 * @returns The URL, or `undefined` for anything else.
 */
export function parseHttpsUrl(text: unknown): URL | undefined {
  if (typeof text !== 'string' || !URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '') return undefined
  return url
}

/**
 * Inserts a well-known segment between the host and the path of an https identifier.
 *
 * The path is kept byte for byte, its trailing slash included: OpenID4VCI keeps one, RFC 8414, RFC 9728 and
 * SD-JWT VC callers take one away first. A path of `/` alone counts as none.
 *
 * @param identifier https URL without query and fragment.
 * @param suffix For example `openid-credential-issuer`.
 *
 * Source: RFC 8414, section 3.1; OpenID4VCI 1.0, section 12.2.2.
 */
export function wellKnownUrl(identifier: string, suffix: string): string {
  const { origin } = new URL(identifier)
  // Not `pathname`: it would resolve dot segments and rewrite characters of an identifier.
  const path = /^[a-z]+:\/\/[^/]+(\/.*)?$/i.exec(identifier)?.[1] ?? ''
  return `${origin}/.well-known/${suffix}${path === '/' ? '' : path}`
}

/** Takes one trailing slash away, as RFC 8414 asks before a well-known segment is inserted. */
export function withoutTrailingSlash(identifier: string): string {
  return identifier.endsWith('/') ? identifier.slice(0, -1) : identifier
}
