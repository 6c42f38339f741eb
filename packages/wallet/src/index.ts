/**
 * The wallet of unattended agents: receive, hold, renew, decide, present.
 *
 * @module
 */
export type { IssuanceAbort } from './abort.js'
export { ISSUANCE_ABORTS } from './abort.js'
export type { JsonType, TransactionDataType } from './agree-transaction-data.js'
export type {
  Attestation,
  AttestationRequestFacts,
  Attester,
  WalletProviderOptions,
} from './attester.js'
export { createWalletProvider } from './attester.js'
export type { RemoteAttesterDeps, RemoteAttesterOptions } from './attester-client.js'
export { createRemoteAttester } from './attester-client.js'
export { ATTESTATION_FAILURES, ATTESTER_CHECKS, ATTESTER_ERRORS } from './attester-errors.js'
export type { AttestationRequestStatement } from './attester-messages.js'
export { attesterUrls, createAttestationRequest, MAX_WORKLOAD_TOKEN_LENGTH } from './attester-messages.js'
export type { AttesterOptions } from './attester-options.js'
export type { AttesterDeps, AttesterRole } from './attester-role.js'
export { createAttester } from './attester-role.js'
export type { Decision, RecordedDecision } from './explanations.js'
export type {
  TrustedIssuer,
  TrustedVerifier,
  VerifierAttester,
  WalletAgent,
  WalletOptions,
} from './options.js'
export type { AgentOverview } from './overview.js'
export type { OfferNeeds } from './receive-offer.js'
export { AGENT_ID } from './vault.js'
export type { PresentationReply, Wallet, WalletDeps } from './wallet.js'
export { createWallet } from './wallet.js'
export type { WorkloadClaim, WorkloadRule } from './workload-rules.js'
export type { WorkloadKeys, WorkloadTokenIssuer } from './workload-token.js'
