/**
 * Ask for a presentation, judge it, guard a route.
 *
 * @module
 */
export type { AuthRequestOptions } from './auth-request.js'
export { createAuthRequestHandler } from './auth-request.js'
export type {
  ClaimKind,
  ClaimShape,
  ClaimShapes,
  ClaimsOf,
  ClaimsOfShapes,
  ClaimsReader,
  TypedQuery,
  ValueOf,
} from './claim-shape.js'
export type { Approval, Decide, DecisionContext, Refusal } from './decision.js'
export { claimsIn } from './decision.js'
export type { PresentationReason, ProblemCode } from './errors.js'
export { PRESENTATION_REASONS, PROBLEMS, VERIFIER_STATUSES } from './errors.js'
export type { ExplainedCheck, Explanation } from './explanation.js'
export type { AcceptedPresentation, Gate, GateOutcome, SignResponse } from './gate.js'
export type { GuardedHandler, GuardedRoute } from './guarded-routes.js'
export { guardHandler, routeGuarded } from './guarded-routes.js'
export type { TrustedIssuer } from './issuer-trust.js'
export type { MessageSigning, RequestSignatureRule } from './message-signing.js'
export { isPlainPath } from './plain-request.js'
export type { PolicyQuestionOptions } from './policy-decision.js'
export { byPolicy, cedar, policyQuestion } from './policy-decision.js'
export type { Presentation, PresentedCredential } from './presentation.js'
export type { DrawQr, PresentationPage, QrModules, WalletLink } from './presentation-page.js'
export { PRESENTATION_CLAIM } from './presentation-token.js'
export type { CredentialOptions, CredentialPart, CredentialSetPart } from './query-builder.js'
export { credential, credentialSet, query } from './query-builder.js'
export type { ResultRequest, TransactionResult } from './redeem-result.js'
export type { Requirement } from './requirement.js'
export type { PageVisit } from './return-result.js'
export type { VerifierOptions } from './settings.js'
export type { StartedTransaction, TransactionOptions, VerifierInfoMaker } from './start-transaction.js'
export type { PresentationContext, StepUp } from './step-up.js'
export { PRESENTATION_CONTEXTS } from './step-up.js'
export type {
  TokenCredential,
  TokenOutcome,
  TokenVerifier,
  TokenVerifierDeps,
  TokenVerifierOptions,
  VerifiedToken,
} from './token-verifier.js'
export { createTokenVerifier } from './token-verifier.js'
export type { Wait } from './transaction-watch.js'
export type { BundledAttester, ExpectedTrustBundle, TrustBundle } from './trust-bundle.js'
export { openTrustBundle, signTrustBundle } from './trust-bundle.js'
export type { TrustUpdate } from './trust-source.js'
export { UNSAFE_SUBJECT_PREFIX } from './unsafe-anchors.js'
export type { Verifier, VerifierDeps } from './verifier.js'
export { createVerifier } from './verifier.js'
export type { VerificationStep } from './verify-presentation.js'
