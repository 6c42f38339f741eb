/**
 * Redeeming a pre-authorized code.
 *
 * Owns the use case: a wrong Transaction Code counts and burns nothing, a right one removes the offer in the
 * same commit that makes the token, so of many parallel redemptions one wins.
 *
 * Source: OpenID4VCI 1.0, sections 4.1.1, 6.1, 6.3 and 13.6.3.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Store, type StoredValue } from '@attache/core'
import type { PreAuthorizedCodeTokenRequest, TokenResponse } from '@attache/oauth'
import type { AuthenticatedClient } from './authenticate-client.js'
import { commitOnce } from './commit-once.js'
import { type GrantTokensDeps, grantTokens } from './grant-tokens.js'
import { namedDatasets, narrowedConfigurations } from './granted-datasets.js'
import { migrateOfferRecord, type OfferRecord } from './offer-record.js'
import { isTransactionCode } from './transaction-code.js'

/** What redeeming needs. */
export interface RedeemPreAuthorizedCodeDeps extends GrantTokensDeps {
  readonly store: Pick<Store, 'get' | 'commit'>
}

/**
 * Redeems a pre-authorized code.
 *
 * @throws {ProtocolError} `invalid_grant`: unknown, used, expired or dead code, or a wrong Transaction Code.
 *   `invalid_request`: a Transaction Code is missing or was not asked for.
 *   `invalid_authorization_details`: more than was offered.
 */
export async function redeemPreAuthorizedCode(
  facts: {
    readonly request: PreAuthorizedCodeTokenRequest
    readonly client: AuthenticatedClient
    readonly now: NumericDate
  },
  deps: RedeemPreAuthorizedCodeDeps,
): Promise<TokenResponse> {
  const { request, client, now } = facts
  const key = deps.keys.hashed('offer', request.preAuthorizedCode)
  // Each turn ends in an answer or means that somebody else's redemption or wrong guess went through first.
  for (;;) {
    const stored = await deps.store.get(key)
    const offer = openOffer(stored, now)
    const fits = transactionCodeFits(offer, request)
    if (!fits) {
      await countWrongCode({ key, version: stored?.version ?? '', offer }, client, deps)
      continue
    }
    const configurationIds = narrowedConfigurations(
      offer.configurationIds,
      request.authorizationDetails,
      deps,
    )
    const datasets = namedDatasets(configurationIds, request.authorizationDetails !== undefined, deps)
    const granted = grantTokens({ agent: offer.agent, configurationIds, datasets, client, now }, deps)
    const spend = { op: 'remove', key, version: stored?.version ?? '' } as const
    if (await commitOnce(deps.store, client.guards, [spend, ...granted.steps])) return granted.response
  }
}

function openOffer(stored: StoredValue | undefined, now: NumericDate): OfferRecord {
  const offer = stored && migrateOfferRecord(stored.value)
  if (offer?.grant !== 'pre-authorized_code' || offer.expiresAt <= now) throw deadCode()
  if (offer.txCode !== null && offer.txCode.attemptsLeft < 1) throw deadCode()
  return offer
}

/** False: a wrong code. A code that is missing or superfluous is a malformed request and counts as nothing. */
function transactionCodeFits(offer: OfferRecord, request: PreAuthorizedCodeTokenRequest): boolean {
  if (offer.txCode === null) {
    if (request.txCode === undefined) return true
    throw new ProtocolError(
      'invalid_request',
      'No transaction code belongs to this offer. Leave tx_code out.',
    )
  }
  if (request.txCode === undefined) {
    throw new ProtocolError('invalid_request', 'This offer needs a transaction code. Send it as tx_code.')
  }
  return isTransactionCode(request.preAuthorizedCode, request.txCode, offer.txCode.hash)
}

/** Takes one attempt away and says so; returns only when another request moved meanwhile. */
async function countWrongCode(
  found: { readonly key: string; readonly version: string; readonly offer: OfferRecord },
  client: AuthenticatedClient,
  deps: RedeemPreAuthorizedCodeDeps,
): Promise<void> {
  const { key, version, offer } = found
  if (offer.txCode === null) return
  const value = { ...offer, txCode: { ...offer.txCode, attemptsLeft: offer.txCode.attemptsLeft - 1 } }
  const counted = { op: 'replace', key, version, value, expiresAt: offer.expiresAt } as const
  if (await commitOnce(deps.store, client.guards, [counted])) {
    throw new ProtocolError('invalid_grant', 'The transaction code is not right. Ask its receiver again.')
  }
}

function deadCode(): ProtocolError {
  return new ProtocolError(
    'invalid_grant',
    'The pre-authorized code is not good any more. Ask for a new offer.',
  )
}
