/**
 * The end of route (a): an answered transaction becomes a token, without an authorization server.
 *
 * The token goes to whoever has all three: the transaction id (of the refused call), the response code (of the
 * posted presentation) and the DPoP key the transaction is bound to. So a relayed challenge gives nothing: the
 * code went to the wallet that presented, and its key is not the relay's. Each counts once, in one store step.
 *
 * Source: OpenID4VP 1.0, sections 8.2, 13.3 and 14.3; requirements/headless-presentation.md, (a) 6.
 *
 * @module
 */
import {
  equalText,
  type NumericDate,
  ProtocolError,
  type Random,
  randomId,
  SPENT_MARGIN_SECONDS,
  type Store,
} from '@attache/core'
import { digest } from '@attache/keys'
import { type DpopProof, rememberProof, type TokenResponse } from '@attache/oauth'
import { PLACE } from './client-authentication.js'
import { encodePresentation } from './presentation.js'
import {
  createPresentationToken,
  type PresentationTokenDeps,
  tokenEnd,
  tokenKey,
} from './presentation-token.js'
import { inContext, PRESENTATION_CONTEXTS } from './step-up.js'
import {
  type Answered,
  encodeTransaction,
  parseTransaction,
  redeemed,
  transactionHandle,
  transactionKey,
} from './transaction.js'

/** Who redeems, and with what. */
export interface TransactionRedemption {
  readonly transactionId: string
  readonly responseCode: string
  /** Verified for this very endpoint, and not yet remembered. */
  readonly proof: DpopProof
  readonly now: NumericDate
}

/** What redeeming needs. */
export interface RedeemTransactionDeps extends PresentationTokenDeps {
  readonly random: Random
  readonly store: Pick<Store, 'get' | 'commit'>
}

/**
 * Redeems a transaction.
 *
 * @throws {ProtocolError} `invalid_grant`: one uniform error, whichever of the three is missing or wrong, or when
 * the transaction has ended or was redeemed.
 *
 * Source: requirements/headless-presentation.md, (a) 6.
 */
export async function redeemTransaction(
  { transactionId, responseCode, proof, now }: TransactionRedemption,
  deps: RedeemTransactionDeps,
): Promise<TokenResponse> {
  const key = transactionKey(transactionHandle(transactionId))
  const stored = await deps.store.get(key)
  const transaction = stored === undefined ? undefined : parseTransaction(stored.value)
  if (stored === undefined || transaction?.state !== 'answered') throw notRedeemable()
  const { grant } = transaction
  if (grant === undefined || !isHolder(transaction, { responseCode, jkt: proof.jkt })) throw notRedeemable()
  if (transaction.expiresAt <= now) throw notRedeemable()

  const presentation = inContext(transaction.presentation, PRESENTATION_CONTEXTS.keyBound)
  const jti = randomId(deps.random, 'tok')
  const expiresAt = tokenEnd(presentation, now, deps.settings)
  const spent = encodeTransaction(redeemed(transaction))
  // Forgotten while its request still opens, by a clock that is behind the store's, it would begin anew.
  const spentUntil = transaction.expiresAt + SPENT_MARGIN_SECONDS
  const committed = await deps.store.commit([
    { op: 'replace', key, version: stored.version, value: spent, expiresAt: spentUntil },
    { op: 'put', key: tokenKey(jti), value: encodePresentation(presentation), expiresAt },
    rememberProof(proof, PLACE),
  ])
  if (!committed) throw notRedeemable()
  // No client is registered on this route: the key is the client (RFC 9278).
  const clientId = `urn:ietf:params:oauth:jwk-thumbprint:sha-256:${proof.jkt}`
  const confirmation = { jkt: proof.jkt }
  const granted = { clientId, scope: grant.scope, presentation, confirmation }
  return createPresentationToken({ ...granted, jti, now, expiresAt }, deps)
}

// A transaction that no key was bound to is nobody's.
function isHolder(
  { grant, responseCode }: Answered,
  shown: { readonly responseCode: string; readonly jkt: string },
): boolean {
  if (grant?.jkt === undefined || responseCode === undefined) return false
  return equalText(responseCode, digest('sha-256', shown.responseCode)) && equalText(grant.jkt, shown.jkt)
}

function notRedeemable(): ProtocolError {
  return new ProtocolError(
    'invalid_grant',
    'Transaction, response code and key do not belong together, or were used. Start again.',
  )
}
