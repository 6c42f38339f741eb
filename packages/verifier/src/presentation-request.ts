/**
 * The request both routes send: what is asked, what is announced, to which fresh key the answer is encrypted.
 *
 * Announced algorithms are exactly the ones verification accepts.
 *
 * Source: OpenID4VP 1.0, sections 5.1 and 8.3; HAIP 1.0, section 5.
 *
 * @module
 */
import { type PublicJwk, publishedDecryptionKey } from '@attache/keys'
import {
  type AuthorizationRequest,
  type ClientMetadata,
  type ResponseEnc,
  requestUrlByReference,
  requestUrlByValue,
} from '@attache/openid4vp'
import { isFederated } from './request-identity.js'
import type { Settings } from './settings.js'
import type { Requested } from './transaction.js'

/** Content encryption that answers may use. */
export const RESPONSE_ENCS: readonly ResponseEnc[] = ['A128GCM', 'A256GCM']

/**
 * What a request says about this verifier.
 *
 * @param key Fresh for this one request; absent where answers come in the clear.
 *
 * Source: OpenID4VP 1.0, sections 5.1 and 11.1.
 */
export function clientMetadataFor(settings: Settings, key: PublicJwk | undefined): ClientMetadata {
  const algorithms = settings.algorithms
  return {
    sdJwt: { issuerAlgorithms: algorithms, keyBindingAlgorithms: algorithms },
    encryptionKeys: key === undefined ? [] : [key],
    encryptedResponseEncs: key === undefined ? undefined : RESPONSE_ENCS,
  }
}

/**
 * The request of a plain transaction: the same at every fetch.
 *
 * Source: OpenID4VP 1.0, sections 5 and 8.2.
 */
export function transactionRequest(
  transaction: Requested,
  handle: string,
  settings: Settings,
): AuthorizationRequest {
  const { decryptionKey } = transaction
  const key = decryptionKey === undefined ? undefined : publishedDecryptionKey(decryptionKey)
  return {
    clientId: transaction.clientId,
    responseMode: transaction.responseMode,
    ...answerAddress(transaction, handle, settings),
    nonce: transaction.nonce,
    state: transaction.stateParameter,
    ...(transaction.scope === undefined ? { dcqlQuery: transaction.query } : { scope: transaction.scope }),
    transactionData: transaction.transactionData,
    verifierInfo: transaction.verifierInfo,
    ...(isFederated(transaction.clientId) ? {} : { clientMetadata: clientMetadataFor(settings, key) }),
  }
}

function answerAddress(
  transaction: Requested,
  handle: string,
  settings: Settings,
): Pick<AuthorizationRequest, 'responseUri' | 'redirectUri'> {
  if (transaction.responseMode !== 'fragment') return { responseUri: responseUri(handle, settings) }
  return { redirectUri: fragmentUri(transaction, settings) }
}

/** Where a browser brings a fragment: our page, or one of the API's own; either posts it to the response endpoint. */
export function fragmentUri(
  { redirectUri, returnUri }: Pick<Requested, 'redirectUri' | 'returnUri'>,
  { origin, endpoints }: Settings,
): string {
  return redirectUri ?? returnUri ?? `${origin}${endpoints.done}`
}

/** Where the answer to a transaction goes. */
export function responseUri(handle: string, { origin, endpoints }: Settings): string {
  return `${origin}${endpoints.response}/${handle}`
}

/** Where the request of a transaction is fetched. */
export function requestUriOf(handle: string, { origin, endpoints }: Settings): string {
  return `${origin}${endpoints.request}/${handle}`
}

/**
 * The URL that hands a transaction's request to a wallet; a request of the prefix `redirect_uri` travels in it whole.
 *
 * @param to.base Where the wallet listens.
 *
 * Source: OpenID4VP 1.0, sections 5.4 and 5.9.3.
 */
export function requestUrl(
  transaction: Requested,
  to: { readonly handle: string; readonly base: string },
  settings: Settings,
): string {
  const { clientId, method } = transaction
  if (clientId.startsWith('redirect_uri:')) {
    return requestUrlByValue(to.base, transactionRequest(transaction, to.handle, settings))
  }
  return requestUrlByReference(to.base, { clientId, requestUri: requestUriOf(to.handle, settings), method })
}
