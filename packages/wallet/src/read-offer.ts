/**
 * Reading a credential offer: untrusted text, until it names an issuer we trust on our own.
 *
 * Owns the order: the link is parsed and its issuer's trust looked up before any request is sent; an offer by
 * reference is fetched from a host of a trusted issuer only. What the offer says about credentials and grants
 * is checked against the issuer's metadata by the caller.
 *
 * Source: OpenID4VCI 1.0, sections 4.1, 12.1.1, 13.5 and 15.6; HAIP 1.0, section 4.2.
 *
 * @module
 */
import { type OutboundFetch, parseHttpsUrl, parseJson } from '@attache/core'
import { type CredentialOffer, parseCredentialOffer, parseCredentialOfferUri } from '@attache/openid4vci'
import { abort, abortWith } from './abort.js'
import type { TrustedIssuer } from './options.js'

/** An offer of an issuer that is trusted for other reasons than the offer. */
export interface TrustedOffer {
  readonly offer: CredentialOffer
  readonly issuer: TrustedIssuer
}

const SCHEMES = ['openid-credential-offer:', 'haip-vci:', 'https:']

/**
 * Reads an offer.
 *
 * @param text The link: pasted, from a deep link, or out of a QR code.
 */
export async function readOffer(
  text: string,
  trusted: readonly TrustedIssuer[],
  deps: { readonly fetch: OutboundFetch },
): Promise<TrustedOffer> {
  const link = text.trim()
  if (!URL.canParse(link) || !SCHEMES.includes(new URL(link).protocol)) throw abort('invalid_offer')
  const carried = await abortWith('invalid_offer', () => parseCredentialOfferUri(link))
  const offer =
    carried.by === 'value' ? carried.offer : await fetchOffer(carried.credentialOfferUri, trusted, deps)
  const issuer = trusted.find(({ credentialIssuer }) => credentialIssuer === offer.credentialIssuer)
  if (issuer === undefined) throw abort('untrusted_issuer')
  return { offer, issuer }
}

async function fetchOffer(
  uri: string,
  trusted: readonly TrustedIssuer[],
  deps: { readonly fetch: OutboundFetch },
): Promise<CredentialOffer> {
  const origin = parseHttpsUrl(uri)?.origin
  // The reference is as untrusted as the link it came in: fetching it elsewhere would be a request at will.
  if (!trusted.some(({ credentialIssuer }) => new URL(credentialIssuer).origin === origin))
    throw abort('untrusted_issuer')
  return abortWith('invalid_offer', async () => {
    const init = { headers: { accept: 'application/json' }, contentTypes: ['application/json'] }
    const response = await deps.fetch(uri, init)
    const parsed = parseJson(await response.text())
    if (response.status !== 200 || !parsed.ok) throw abort('invalid_offer')
    return parseCredentialOffer(parsed.value)
  })
}
