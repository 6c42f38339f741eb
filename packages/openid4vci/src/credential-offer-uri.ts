/**
 * The link that carries a Credential Offer, by value or by reference.
 *
 * Owns both halves of the wallet invocation: `credential_offer` or `credential_offer_uri`, never both. Does
 * not fetch a referenced offer.
 *
 * Source: OpenID4VCI 1.0, sections 4.1 and 12.1.1; HAIP 1.0, section 4.2 (`haip-vci://`).
 *
 * @module
 */
import { ProtocolError, parseHttpsUrl, parseJson } from '@attache/core'
import { type CredentialOffer, makeCredentialOffer, parseCredentialOffer } from './credential-offer.js'
import { made } from './make-message.js'

/**
 * The scheme to use when nothing is known about the wallet.
 *
 * Source: OpenID4VCI 1.0, section 12.1.1.
 */
export const DEFAULT_CREDENTIAL_OFFER_ENDPOINT = 'openid-credential-offer://'

/**
 * What a link carries: the offer itself, or where it can be fetched.
 *
 * Source: OpenID4VCI 1.0, section 4.1.
 */
export type CarriedOffer =
  | { readonly by: 'value'; readonly offer: CredentialOffer }
  | { readonly by: 'reference'; readonly credentialOfferUri: string }

/**
 * Makes the link.
 *
 * @param carried The offer, or the https URL under which it is served.
 * @param endpoint The wallet's credential offer endpoint: a custom scheme or an https URL.
 * @throws {TypeError} `message_refused`: the reference is not an https URL, the offer is malformed, or the
 *   endpoint is no link that can carry it (one with a fragment, or with an offer already in its query).
 *
 * Source: OpenID4VCI 1.0, section 4.1.
 */
export function makeCredentialOfferUri(
  carried: CarriedOffer,
  endpoint: string = DEFAULT_CREDENTIAL_OFFER_ENDPOINT,
): string {
  const parameter =
    carried.by === 'value'
      ? `credential_offer=${encodeURIComponent(JSON.stringify(makeCredentialOffer(carried.offer)))}`
      : `credential_offer_uri=${encodeURIComponent(carried.credentialOfferUri)}`
  return made(`${endpoint}${endpoint.includes('?') ? '&' : '?'}${parameter}`, parseCredentialOfferUri)
}

/**
 * Reads a link, whatever its scheme: which schemes are listened to is the wallet's configuration.
 *
 * @throws {ProtocolError} `invalid_offer`: not a link, both or none of the parameters, one of them twice, a
 *   reference that is not https, or a malformed offer.
 *
 * Source: OpenID4VCI 1.0, section 4.1.
 */
export function parseCredentialOfferUri(text: string): CarriedOffer {
  const parameters = parametersOf(text)
  const offers = parameters.getAll('credential_offer')
  const references = parameters.getAll('credential_offer_uri')
  if (offers.length + references.length !== 1) {
    throw new ProtocolError(
      'invalid_offer',
      'The link must carry exactly one of credential_offer and credential_offer_uri.',
    )
  }
  const [reference] = references
  if (reference !== undefined) {
    if (parseHttpsUrl(reference) === undefined) {
      throw new ProtocolError('invalid_offer', 'credential_offer_uri must be an https URL.')
    }
    return { by: 'reference', credentialOfferUri: reference }
  }
  return { by: 'value', offer: parseCredentialOffer(offerObject(offers[0] ?? '')) }
}

function parametersOf(text: string): URLSearchParams {
  try {
    return new URL(text).searchParams
  } catch {
    throw new ProtocolError('invalid_offer', 'The credential offer must be a link.')
  }
}

function offerObject(text: string): unknown {
  const parsed = parseJson(text)
  if (!parsed.ok) throw new ProtocolError('invalid_offer', 'credential_offer must be well-formed JSON.')
  return parsed.value
}
