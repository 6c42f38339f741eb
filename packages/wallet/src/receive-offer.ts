/**
 * Receiving an offer: from a link somebody handed in to a kept credential.
 *
 * Owns the sentence: read, trust, plan, obtain a token, keep; and where it pauses for a person: a Transaction
 * Code, or a login at the authorization server. An offer is redeemed once; a wrong Transaction Code is asked
 * for again, three times at most.
 *
 * Source: OpenID4VCI 1.0, sections 3.4, 4.1, 6.1, 13.5 and 13.6.
 *
 * @module
 */
import type { ReceiveReply } from '@attache/agent'
import { isJsonObject, member, type NumericDate, VerificationError } from '@attache/core'
import { digest } from '@attache/keys'
import type { CredentialOffer } from '@attache/openid4vci'
import { abort } from './abort.js'
import { startAuthorization } from './authorization-code.js'
import { clientInstanceAt } from './client-instance.js'
import { requestIssuanceToken } from './issuance-token.js'
import type { WalletAgent } from './options.js'
import { type IssuancePlan, planFromOffer } from './plan-issuance.js'
import { readOffer, type TrustedOffer } from './read-offer.js'
import { type ReceiveDeps, redeem } from './redeem-token.js'
import { planProof } from './request-credential.js'

/** An offer, handed in for one agent. */
export interface OfferFacts {
  readonly agent: WalletAgent
  readonly offer: string
  readonly txCode?: string | undefined
  readonly now: NumericDate
}

/** How often a Transaction Code may be wrong. */
const MOST_TX_CODES = 3
/** How long a redeemed or failed offer is remembered, in seconds. */
const OFFER_REMEMBERED_SECONDS = 30 * 86_400

/**
 * Receives an offer.
 *
 * @throws {VerificationError} A code of `ISSUANCE_ABORTS`: nothing was kept.
 */
export async function receiveOffer(facts: OfferFacts, deps: ReceiveDeps): Promise<ReceiveReply> {
  const { agent, now } = facts
  const { trusted, plan, grant } = await planOffer(facts, deps)
  const where = { agent: agent.id, clientId: agent.clientId, authorizationServer: plan.server.issuer }
  const preAuthorized = trusted.offer.grants?.preAuthorizedCode
  if (grant === 'authorization_code' || preAuthorized === undefined) {
    const issuerState = trusted.offer.grants?.authorizationCode?.issuerState
    return startAuthorization({ plan, client: await clientInstanceAt(where, deps), issuerState, now }, deps)
  }

  const attempts = await offerAttempts(facts, preAuthorized.preAuthorizedCode, deps)
  if (preAuthorized.txCode !== undefined && facts.txCode === undefined)
    return txCodeRequired(plan, preAuthorized.txCode)
  const client = await clientInstanceAt(where, deps)
  const request = {
    grantType: 'pre-authorized_code',
    preAuthorizedCode: preAuthorized.preAuthorizedCode,
    txCode: preAuthorized.txCode === undefined ? undefined : facts.txCode,
  } as const
  await attempts.begin()
  const token = await requestIssuanceToken({ plan, client, request, now }, deps).catch(
    async (error: unknown) => {
      const wrongCode = error instanceof VerificationError && error.code === 'invalid_grant'
      await attempts.end(wrongCode)
      if (!wrongCode || request.txCode === undefined || attempts.interrupted) throw error
      if (attempts.areLeft) return undefined
      throw abort('tx_code_attempts', error)
    },
  )
  if (token === undefined)
    return {
      ...txCodeRequired(plan, preAuthorized.txCode ?? { inputMode: 'numeric' }),
      code: 'tx_code_wrong',
    }
  return redeem({ plan, client, token, now, steps: [await attempts.closing()] }, deps)
}

/**
 * Starts an issuance nobody offered: the operator names issuer and credential, a login decides.
 *
 * @param facts.configurationIds Credential configurations of the issuer.
 * @throws {VerificationError} A code of `ISSUANCE_ABORTS`.
 *
 * Source: OpenID4VCI 1.0, sections 3.4 and 5.
 */
export async function requestCredentials(
  facts: {
    readonly agent: WalletAgent
    readonly credentialIssuer: string
    readonly configurationIds: readonly string[]
    readonly now: NumericDate
  },
  deps: ReceiveDeps,
): Promise<ReceiveReply> {
  const { agent, credentialIssuer, configurationIds: credentialConfigurationIds, now } = facts
  const issuer = deps.options.issuers.find((one) => one.credentialIssuer === credentialIssuer)
  if (issuer === undefined) throw abort('untrusted_issuer')
  const offer = { credentialIssuer, credentialConfigurationIds }
  const { plan } = await planTrusted({ trusted: { offer, issuer }, agent, now }, deps)
  const where = { agent: agent.id, clientId: agent.clientId, authorizationServer: plan.server.issuer }
  const client = await clientInstanceAt(where, deps)
  return startAuthorization({ plan, client, issuerState: undefined, now }, deps)
}

/** What an offer will need, without using it up. */
export interface OfferNeeds {
  readonly issuer: string
  readonly needs: 'nothing' | 'transaction_code' | 'authorization'
  /** What the issuer says about the code, where it needs one. */
  readonly description?: string
}

/**
 * Looks at an offer: trusted, planned, and not redeemed.
 *
 * @throws {VerificationError} A code of `ISSUANCE_ABORTS`: nobody would receive it.
 */
export async function inspectOffer(facts: OfferFacts, deps: ReceiveDeps): Promise<OfferNeeds> {
  const { trusted, plan, grant } = await planOffer(facts, deps)
  const issuer = plan.issuer.credentialIssuer
  const preAuthorized = trusted.offer.grants?.preAuthorizedCode
  if (grant === 'authorization_code' || preAuthorized === undefined) return { issuer, needs: 'authorization' }
  await offerAttempts(facts, preAuthorized.preAuthorizedCode, deps)
  if (preAuthorized.txCode === undefined) return { issuer, needs: 'nothing' }
  const { description } = preAuthorized.txCode
  return { issuer, needs: 'transaction_code', ...(description === undefined ? {} : { description }) }
}

async function planOffer(facts: OfferFacts, deps: ReceiveDeps) {
  const trusted = await readOffer(facts.offer, deps.options.issuers, deps)
  return planTrusted({ trusted, agent: facts.agent, now: facts.now }, deps)
}

async function planTrusted(
  facts: { readonly trusted: TrustedOffer; readonly agent: WalletAgent; readonly now: NumericDate },
  deps: ReceiveDeps,
) {
  const { trusted, agent, now } = facts
  const { plan, grant } = await planFromOffer(
    { ...trusted, agent, profile: deps.options.profile },
    { fetch: deps.fetch, algorithms: deps.options.algorithms, now },
  )
  for (const wanted of plan.wanted) planProof(wanted, deps.attester)
  return { trusted, plan, grant }
}

type TransactionCodeInput = NonNullable<
  NonNullable<NonNullable<CredentialOffer['grants']>['preAuthorizedCode']>['txCode']
>

function txCodeRequired(
  plan: IssuancePlan,
  input: TransactionCodeInput,
): Extract<ReceiveReply, { outcome: 'tx_code_required' }> {
  return {
    outcome: 'tx_code_required',
    issuer: plan.issuer.credentialIssuer,
    tokenEndpoint: plan.server.tokenEndpoint ?? '',
    inputMode: input.inputMode,
    ...(input.length === undefined ? {} : { length: input.length }),
    ...(input.description === undefined ? {} : { description: input.description }),
  }
}

/**
 * How often this offer was tried; an offer that gave a token, or was wrong three times, is closed. A try counts
 * before it goes out. One that was begun and never ended may have used the offer up: nobody is told then that the
 * Transaction Code was wrong.
 */
async function offerAttempts(facts: OfferFacts, code: string, deps: ReceiveDeps) {
  const where = { agent: facts.agent.id, kind: 'pending', id: `offer-${digest('sha-256', code)}` } as const
  const record = await deps.vault.read(where)
  const content = record && isJsonObject(record.content) ? record.content : {}
  const tried = member(content, 'attempts')
  const attempts = typeof tried === 'number' ? tried : 0
  if (member(content, 'closed') === true) throw abort('offer_used')
  if (attempts >= MOST_TX_CODES) throw abort('tx_code_attempts')

  const writing = (next: { attempts: number; closed: boolean; began?: boolean }) => {
    const expiresAt = facts.now + OFFER_REMEMBERED_SECONDS
    return deps.vault.writing(where, { v: 1, stage: 'offer', ...next }, { expiresAt })
  }
  return {
    interrupted: member(content, 'began') === true,
    /** Whether another code may be asked for after this one. */
    areLeft: attempts + 1 < MOST_TX_CODES,
    closing: () => writing({ attempts, closed: true }),
    async begin() {
      await deps.vault.commit([await writing({ attempts: attempts + 1, closed: false, began: true })])
    },
    /** Only what the server called wrong counts. */
    async end(wrong: boolean) {
      await deps.vault.commit([await writing({ attempts: wrong ? attempts + 1 : attempts, closed: false })])
    },
  }
}
