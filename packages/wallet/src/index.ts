/**
 * The wallet of unattended agents: receive, hold, renew, decide, present.
 *
 * @module
 */
export type { IssuanceAbort } from './abort.js'
export { ISSUANCE_ABORTS } from './abort.js'
export type { JsonType, TransactionDataType } from './agree-transaction-data.js'
export type { Attestation, Attester, WalletProviderOptions } from './attester.js'
export { createWalletProvider } from './attester.js'
export type { Decision, RecordedDecision } from './explanations.js'
export type {
  TrustedIssuer,
  TrustedVerifier,
  VerifierAttester,
  WalletAgent,
  WalletOptions,
} from './options.js'
export type { OfferNeeds } from './receive-offer.js'
export { AGENT_ID } from './vault.js'
export type { AgentOverview, PresentationReply, Wallet, WalletDeps } from './wallet.js'
export { createWallet } from './wallet.js'
