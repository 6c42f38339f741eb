/**
 * A request to a protected resource: how the access token is sent, and that the sender holds the token's key.
 *
 * Owns the `Authorization` field on the server's side, the confirmation rule (`cnf`), and the answer that
 * names what is missing. Does not verify the token (`access-token.ts`) nor the proof (`dpop.ts`).
 *
 * Source: RFC 9449, sections 7.1 and 7.2; RFC 6750, sections 2 and 3; RFC 8705, section 3; RFC 7800, section 3.
 *
 * @module
 */
import { equalText, ProtocolError } from '@attache/core'
import { createWwwAuthenticate } from './www-authenticate.js'

/** The access token as it was sent. */
export interface PresentedToken {
  readonly scheme: 'dpop' | 'bearer'
  readonly accessToken: string
}

/** Keys that a token is bound to; every one that is there must be shown. */
export interface Confirmation {
  /** RFC 7638 thumbprint of the DPoP key. */
  readonly jkt?: string | undefined
  /** SHA-256 over the DER of the client certificate, base64url: `x5t#S256`. */
  readonly certificateThumbprint?: string | undefined
}

const CREDENTIALS = /^(dpop|bearer) ([A-Za-z0-9\-._~+/]+=*)$/i
const TOKEN_PARAMETER = /[?&]access_token(=|&|$)/i

/**
 * Finds the access token of a request.
 *
 * @param authorization The `Authorization` field as `Headers.get` gives it.
 * @param url The requested URL; a token in its query is refused.
 * @returns Nothing when the request carries no token of these schemes: answer without an `error`.
 * @throws {ProtocolError} `invalid_request`: two methods at once, a token in the query, malformed credentials.
 *
 * Source: RFC 9449, sections 7.1 and 7.2; RFC 6750, section 5.3; RFC 9700, section 4.3.2.
 */
export function parsePresentedToken(
  authorization: string | null | undefined,
  url: string,
): PresentedToken | undefined {
  if (TOKEN_PARAMETER.test(url)) {
    throw new ProtocolError('invalid_request', 'Send the access token in the Authorization header field.')
  }
  if (authorization === null || authorization === undefined) return undefined
  const [, scheme, accessToken] = CREDENTIALS.exec(authorization) ?? []
  if (scheme !== undefined && accessToken !== undefined) {
    return { scheme: scheme.toLowerCase() === 'dpop' ? 'dpop' : 'bearer', accessToken }
  }
  // A comma cannot stand in credentials of ours: two fields were sent and joined.
  if (/^(dpop|bearer)\b/i.test(authorization) || /,\s*(dpop|bearer)\s/i.test(authorization)) {
    throw new ProtocolError('invalid_request', 'Send one Authorization header field with one access token.')
  }
  return undefined
}

/**
 * Verifies that the token is bound, and bound to what the sender has shown.
 *
 * @param token.scheme How the token was sent: a bound token as Bearer is refused, with or without a proof.
 * @param shown.jkt Thumbprint of the verified proof's key.
 * @param shown.certificateThumbprint Of the certificate of this TLS connection.
 * @throws {ProtocolError} `invalid_token` in every other case, an unbound token included.
 *
 * Source: RFC 9449, sections 7.1 and 7.2; RFC 8705, section 3.
 */
export function requireConfirmation(
  token: { readonly scheme: PresentedToken['scheme']; readonly confirmation: Confirmation | undefined },
  shown: Confirmation,
): void {
  const { jkt, certificateThumbprint } = token.confirmation ?? {}
  if (jkt === undefined && certificateThumbprint === undefined) {
    throw invalidToken('The access token is not bound to a key.')
  }
  if ((token.scheme === 'dpop') !== (jkt !== undefined)) {
    throw invalidToken('Send a DPoP-bound access token, and only such a one, with the DPoP scheme.')
  }
  if (!matches(jkt, shown.jkt)) throw invalidToken('The access token is bound to another DPoP key.')
  if (!matches(certificateThumbprint, shown.certificateThumbprint)) {
    throw invalidToken('The access token is bound to another client certificate.')
  }
}

function matches(bound: string | undefined, shown: string | undefined): boolean {
  return bound === undefined || (shown !== undefined && equalText(bound, shown))
}

function invalidToken(description: string): ProtocolError {
  return new ProtocolError('invalid_token', description)
}

/** What a protected resource says when it does not let a request in. */
export interface ResourceChallenge {
  /** Accepted proof algorithms, announced as `algs`. */
  readonly algorithms: readonly string[]
  /** URL of the resource's own metadata. */
  readonly resourceMetadata?: string | undefined
  /** Whether tokens bound to a certificate alone are taken as well, which go as Bearer. @default false */
  readonly bearer?: boolean | undefined
  /** Scope that would help. */
  readonly scope?: string | undefined
  /** Leave out when the request carried no token at all. */
  readonly error?: string | undefined
  readonly errorDescription?: string | undefined
  /** Step-up: authentication contexts that would do, best first. */
  readonly acrValues?: readonly string[] | undefined
  /** Step-up: greatest age of the authentication, in seconds. */
  readonly maxAgeSeconds?: number | undefined
}

/**
 * The value of `WWW-Authenticate` on a 401 or 403.
 *
 * Source: RFC 9449, section 7.1; RFC 9728, section 5.1; RFC 9470, section 3; RFC 8705, section 3.
 */
export function createResourceChallenge(challenge: ResourceChallenge): string {
  const parameters = new Map<string, string>()
  const put = (name: string, value: string | undefined) => value !== undefined && parameters.set(name, value)
  put('error', challenge.error)
  put('error_description', challenge.errorDescription)
  put('scope', challenge.scope)
  put('acr_values', challenge.acrValues?.join(' '))
  put('max_age', challenge.maxAgeSeconds?.toString())
  put('resource_metadata', challenge.resourceMetadata)
  const bearer = challenge.bearer === true ? [{ scheme: 'Bearer', parameters: new Map(parameters) }] : []
  put('algs', challenge.algorithms.join(' '))
  return createWwwAuthenticate([{ scheme: 'DPoP', parameters }, ...bearer])
}

/** For answers that a browser may read: names the fields its script needs (RFC 9449, sections 7.1 and 8). */
export const EXPOSED_HEADERS = { 'Access-Control-Expose-Headers': 'WWW-Authenticate, DPoP-Nonce' } as const
