/**
 * Serving a request object: the same nonce, state and key at every fetch, until the answer or the end.
 *
 * Source: OpenID4VP 1.0, sections 5.8 and 5.10; RFC 9101, section 5.2.
 *
 * @module
 */
import { type NumericDate, ProtocolError } from '@attache/core'
import type { Signer } from '@attache/keys'
import {
  encryptRequestObject,
  type RequestUriPost,
  STATIC_AUDIENCE,
  type WalletMetadata,
} from '@attache/openid4vp'
import { type FindTransactionDeps, findTransaction } from './kept-transaction.js'
import { RESPONSE_ENCS, transactionRequest } from './presentation-request.js'
import { signRequest } from './request-identity.js'

/** What serving needs. */
export interface ServeRequestDeps extends FindTransactionDeps {
  /** Signs requests. */
  readonly signer: Signer
}

/**
 * Signs the request object of a transaction, and encrypts it where the wallet brought a key for that.
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
  const { transaction } = (await findTransaction(facts.handle, facts.now, deps)) ?? {}
  const ended = transaction?.state !== 'requested' || transaction.expiresAt <= facts.now
  // A request of the prefix redirect_uri travelled whole in its URL and cannot be signed.
  if (ended || transaction.clientId.startsWith('redirect_uri:')) {
    throw new ProtocolError('not_found', 'There is no such request. Start again.')
  }
  const { walletMetadata, walletNonce } = facts.post ?? {}
  if (walletMetadata !== undefined) requireCommonGround(walletMetadata, transaction.clientId, signer)
  const audience = walletMetadata?.issuer ?? STATIC_AUDIENCE
  const lifetimeSeconds = Math.min(settings.lifetimes.requestObject, transaction.expiresAt - facts.now)
  const request = { ...transactionRequest(transaction, facts.handle, settings), walletNonce }
  const { identity } = settings
  const input = { request, audience, issuedAt: facts.now, lifetimeSeconds }
  const requestObject = await signRequest(input, { identity, signer })
  const encryption = walletMetadata?.requestEncryption
  return encryption === undefined ? requestObject : encryptRequestObject(requestObject, encryption)
}

// What a wallet leaves out of its excerpt says nothing; what it lists must include us.
function requireCommonGround(wallet: WalletMetadata, clientId: string, signer: Signer): void {
  const prefix = clientId.slice(0, Math.max(clientId.indexOf(':'), 0)) || 'pre-registered'
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
