/**
 * The request both routes send: what is asked, what is announced, to which fresh key the answer is encrypted.
 *
 * Announced algorithms are exactly the ones verification accepts.
 *
 * Source: OpenID4VP 1.0, sections 5.1 and 8.3; HAIP 1.0, section 5.
 *
 * @module
 */
import { createDecryptionKey, type DecryptionKey } from '@attache/keys'
import type { AuthorizationRequest, ClientMetadata, ResponseEnc } from '@attache/openid4vp'
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
export function clientMetadataFor(settings: Settings, key: DecryptionKey | undefined): ClientMetadata {
  const algorithms = settings.algorithms
  return {
    sdJwt: { issuerAlgorithms: algorithms, keyBindingAlgorithms: algorithms },
    encryptionKeys: key === undefined ? [] : [key.publicJwk],
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
  const key = decryptionKey === undefined ? undefined : createDecryptionKey(decryptionKey)
  return {
    clientId: transaction.clientId,
    responseMode: transaction.responseMode,
    ...answerAddress(transaction, handle, settings),
    nonce: transaction.nonce,
    state: transaction.stateParameter,
    ...(transaction.scope === undefined ? { dcqlQuery: transaction.query } : { scope: transaction.scope }),
    transactionData: transaction.transactionData,
    clientMetadata: clientMetadataFor(settings, key),
  }
}

// A browser brings a fragment to the page it is sent to; that page posts it to the same endpoint.
function answerAddress(
  { responseMode, returnUri }: Requested,
  handle: string,
  settings: Settings,
): Pick<AuthorizationRequest, 'responseUri' | 'redirectUri'> {
  if (responseMode !== 'fragment') return { responseUri: responseUri(handle, settings) }
  return { redirectUri: returnUri ?? `${settings.origin}${settings.endpoints.done}` }
}

/** Where the answer to a transaction goes. */
export function responseUri(handle: string, { origin, endpoints }: Settings): string {
  return `${origin}${endpoints.response}/${handle}`
}
