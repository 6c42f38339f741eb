/**
 * Serving a request object: the same nonce, state and key at every fetch, until the answer or the end.
 *
 * Source: OpenID4VP 1.0, sections 5.8 and 5.10; RFC 9101, section 5.2.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Store } from '@attache/core'
import { createDecryptionKey, type Signer } from '@attache/keys'
import {
  type RequestUriPost,
  STATIC_AUDIENCE,
  signRequestObject,
  type WalletMetadata,
} from '@attache/openid4vp'
import { clientMetadataFor, RESPONSE_ENCS } from './presentation-request.js'
import type { Settings } from './settings.js'
import { parseTransaction, type Requested, transactionKey } from './transaction.js'

/** What serving needs. */
export interface ServeRequestDeps {
  readonly settings: Settings
  /** Signs requests. */
  readonly signer: Signer
  readonly store: Pick<Store, 'get'>
}

/**
 * Signs the request object of a transaction.
 *
 * @param facts.post What a POST said; absent for GET.
 * @throws {ProtocolError} `not_found`: unknown, answered or ended. `invalid_request`: the wallet's stated
 * capabilities and this verifier's have nothing in common.
 *
 * Source: OpenID4VP 1.0, section 5.10.
 */
export async function serveRequest(
  facts: { readonly handle: string; readonly post?: RequestUriPost; readonly now: NumericDate },
  deps: ServeRequestDeps,
): Promise<string> {
  const { settings, signer } = deps
  const stored = await deps.store.get(transactionKey(facts.handle))
  const transaction = stored === undefined ? undefined : parseTransaction(stored.value)
  if (transaction?.state !== 'requested' || transaction.expiresAt <= facts.now) {
    throw new ProtocolError('not_found', 'There is no such request. Start again.')
  }
  const { walletMetadata, walletNonce } = facts.post ?? {}
  if (walletMetadata !== undefined) requireCommonGround(walletMetadata, settings, signer)
  const audience = walletMetadata?.issuer ?? STATIC_AUDIENCE
  const lifetimeSeconds = Math.min(settings.lifetimes.requestObject, transaction.expiresAt - facts.now)
  const request = { ...authorizationRequest(transaction, facts.handle, settings), walletNonce }
  return signRequestObject({ request, audience, issuedAt: facts.now, lifetimeSeconds }, signer)
}

function authorizationRequest(transaction: Requested, handle: string, settings: Settings) {
  const { decryptionKey } = transaction
  const key = decryptionKey === undefined ? undefined : createDecryptionKey(decryptionKey)
  return {
    clientId: settings.clientId,
    responseMode: transaction.responseMode,
    responseUri: `${settings.origin}${settings.endpoints.response}/${handle}`,
    nonce: transaction.nonce,
    state: transaction.stateParameter,
    dcqlQuery: transaction.query,
    clientMetadata: clientMetadataFor(settings, key),
  }
}

// What a wallet leaves out of its excerpt says nothing; what it lists must include us.
function requireCommonGround(wallet: WalletMetadata, settings: Settings, signer: Signer): void {
  const prefix = settings.clientId.slice(0, Math.max(settings.clientId.indexOf(':'), 0)) || 'pre-registered'
  const fits =
    includesOne(wallet.clientIdPrefixes, [prefix]) &&
    includesOne(wallet.formats, ['dc+sd-jwt']) &&
    includesOne(wallet.requestObjectAlgorithms, [signer.alg]) &&
    includesOne(wallet.encryptionAlgorithms, ['ECDH-ES']) &&
    includesOne(wallet.encryptionEncs, RESPONSE_ENCS)
  if (!fits)
    throw new ProtocolError('invalid_request', 'The wallet supports nothing that this request needs.')
}

function includesOne(listed: readonly string[] | undefined, wanted: readonly string[]): boolean {
  return listed === undefined || wanted.some((value) => listed.includes(value))
}
