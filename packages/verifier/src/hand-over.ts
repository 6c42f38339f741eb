/**
 * Handing a request over: the URL for a wallet, and every rule that a wallet would refuse it by.
 *
 * Source: OpenID4VP 1.0, sections 5.1, 5.4 and 5.7; RFC 9101, section 5.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import type { Signer } from '@attache/keys'
import {
  checkOutgoingRequest,
  checkRequestReference,
  encodeAuthorizationRequest,
  requestUrlWithObject,
  STATIC_AUDIENCE,
} from '@attache/openid4vp'
import { requestUriOf, requestUrl, transactionRequest } from './presentation-request.js'
import { refuseFederatedEncryption, requestSigner, signRequest } from './request-identity.js'
import type { Settings } from './settings.js'
import type { Requested } from './transaction.js'

/** How a request is handed over. */
export interface HandOverFacts {
  readonly handle: string
  readonly options: {
    readonly delivery?: 'reference' | 'value'
    /** Where wallets listen. @default `openid4vp://` */
    readonly walletUrl?: string
  }
  readonly now: NumericDate
}

/**
 * Makes the URL for a wallet.
 *
 * @throws {TypeError} `request_uri`, `request_uri_method`, `federation_encryption`, or a code of
 * `checkOutgoingRequest`: what wallets would refuse is refused before anything is kept.
 *
 * Source: OpenID4VP 1.0, sections 5.4 and 5.7.
 */
export async function handOver(
  transaction: Requested,
  { handle, options, now }: HandOverFacts,
  { settings, signer }: { readonly settings: Settings; readonly signer: Signer },
): Promise<{ readonly requestUri: string; readonly requestUrl: string }> {
  const { clientId, responseMode, method } = transaction
  const { identity, profile } = settings
  const { walletUrl: base = 'openid4vp://', delivery = 'reference' } = options
  // The prefix redirect_uri cannot sign: such a request travels whole in its URL.
  const unsigned = clientId.startsWith('redirect_uri:')
  if (responseMode === 'direct_post.jwt') refuseFederatedEncryption(clientId)
  const request = transactionRequest(transaction, handle, settings)
  checkOutgoingRequest({
    parameters: encodeAuthorizationRequest(request),
    delivery: unsigned ? 'parameters' : delivery,
    signer: unsigned ? undefined : requestSigner(clientId, now, { identity, signer }),
    profile,
  })
  const requestUri = requestUriOf(handle, settings)
  checkRequestReference(requestUri, method)
  if (unsigned || delivery === 'reference') {
    return { requestUri, requestUrl: requestUrl(transaction, { handle, base }, settings) }
  }
  const lifetimeSeconds = Math.min(settings.lifetimes.requestObject, transaction.expiresAt - now)
  const input = { request, audience: STATIC_AUDIENCE, issuedAt: now, lifetimeSeconds }
  const requestObject = await signRequest(input, { identity, signer })
  return { requestUri, requestUrl: requestUrlWithObject(base, { clientId, requestObject }) }
}
