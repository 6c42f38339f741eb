/**
 * Where a Credential Offer by reference is fetched.
 *
 * Source: OpenID4VCI 1.0, section 4.1.3.
 *
 * @module
 */
import {
  type Clock,
  endpoint,
  json,
  type Log,
  NO_STORE,
  ProtocolError,
  type Random,
  type Route,
  type Store,
} from '@attache/core'
import { makeCredentialOffer } from '@attache/openid4vci'
import { offerOf } from './create-offer.js'
import { type EndpointUrls, pathOf } from './endpoint-urls.js'
import { migrateOfferRecord, offerHandle } from './offer-record.js'
import type { RecordKeys } from './stored-record.js'

/** What the endpoint needs. */
export interface OfferEndpointDeps {
  readonly credentialIssuer: string
  readonly urls: EndpointUrls
  readonly store: Pick<Store, 'get'>
  readonly keys: RecordKeys
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** The route of offers by reference. Offers are plain JSON, never signed. */
export function offerEndpoint(deps: OfferEndpointDeps): Route {
  const handle = endpoint(
    async (_request, { secret = '' }) => {
      const handle = offerHandle(secret)
      const stored = await deps.store.get(deps.keys.hashed('offer', handle))
      const record = stored && migrateOfferRecord(stored.value)
      if (record === undefined || record.expiresAt <= deps.clock()) {
        throw new ProtocolError('not_found', 'There is no such offer (any more). Ask for a new one.')
      }
      return json(200, makeCredentialOffer(offerOf(record, handle, deps.credentialIssuer)), NO_STORE)
    },
    { ...deps, statuses: { not_found: 404 }, event: 'issuer.offer' },
  )
  return { method: 'GET', path: `${pathOf(deps.urls.offers)}/:secret`, handle }
}
