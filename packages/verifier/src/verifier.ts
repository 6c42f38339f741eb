/**
 * A verifier: its routes, its gates, its transactions. Composition only; every rule has its own file.
 *
 * @module
 */
import type { AuditTrail } from '@attache/audit'
import {
  type Clock,
  configurationError,
  type JsonObject,
  type Log,
  type OutboundFetch,
  type Random,
  type Route,
  type Store,
} from '@attache/core'
import { createKeyPool, createSeal, type Seal, type Signer } from '@attache/keys'
import { createServerNonces } from '@attache/oauth'
import { createVerifiedIssuerCache } from '@attache/sd-jwt'
import { createStatusResolver } from '@attache/status-list'
import { createRecord } from './audit-record.js'
import { challengeEndpoint } from './challenge-endpoint.js'
import type { ClaimsOf } from './claim-shape.js'
import { type Explanation, readExplanation } from './explanation.js'
import { createGate, type Gate } from './gate.js'
import { createSigningRegister } from './message-signing.js'
import { metadataEndpoints } from './metadata-endpoints.js'
import { pageEndpoints } from './page-endpoints.js'
import type { Presentation } from './presentation.js'
import type { DrawQr } from './presentation-page.js'
import { readPages } from './read-pages.js'
import { type ResultRequest, redeemResult, type TransactionResult } from './redeem-result.js'
import { checkRequestUriChallenge } from './request-uri-challenge.js'
import {
  type AskedRequirement,
  checkPresentationScopes,
  type Requirement,
  readRequirement,
} from './requirement.js'
import { type PageVisit, redeemPage } from './return-result.js'
import { readSettings, type Settings, type VerifierOptions } from './settings.js'
import { type StartedTransaction, startTransaction, type TransactionOptions } from './start-transaction.js'
import { tokenEndpoint } from './token-endpoint.js'
import { transactionEndpoints } from './transaction-endpoints.js'
import { createTransactionWatch, type Wait } from './transaction-watch.js'
import { createTrustSource, type TrustSource, type TrustUpdate } from './trust-source.js'
import type { VerifyPresentationDeps } from './verify-presentation.js'

/** With what a verifier works. */
export interface VerifierDeps {
  /** Signs requests and access tokens; with a certificate chain in `x5c`. */
  readonly signer: Signer
  /** Remembers transactions, codes and what was used once; shared by all processes of one API. */
  readonly store: Store
  /** Fetches status lists. */
  readonly fetch: OutboundFetch
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Seals challenges; to be handed in where several processes serve one API. @default a key of this process */
  readonly seal?: Seal
  /** Where it is written down who was judged, granted and let in; `createAuditTrail` makes one. @default nowhere */
  readonly audit?: Pick<AuditTrail, 'append'>
  /** Draws the QR codes of pages for other devices: `(text) => create(text).modules` of qrcode. @default none */
  readonly qr?: DrawQr
  /** Waits between two looks at a transaction that a page follows. @default real time */
  readonly wait?: Wait
}

/** A verifier. */
export interface Verifier {
  /** To be served under the origin. */
  readonly routes: readonly Route[]
  /**
   * Makes the gate of a route and lets its scope be asked for.
   *
   * @throws {TypeError} `scope_taken`: the scope stands for another query already; `signature_scope`,
   * `signature_signer`; or as `readRequirement`.
   */
  requirePresentation<const Query extends JsonObject>(requirement: Requirement<Query>): Gate<ClaimsOf<Query>>
  /** Begins a plain OpenID4VP transaction. */
  startTransaction(options: TransactionOptions): Promise<StartedTransaction>
  /** Reads the result of a transaction, once. */
  redeemResult(wanted: ResultRequest): Promise<TransactionResult>
  /** Reads the result of a page where its `continueTo` leads, once, for the browser that presented. */
  redeemPage(visit: PageVisit): Promise<Presentation | undefined>
  /**
   * Why a presentation was accepted or refused, or a call was refused: each check with its outcome, never a value.
   *
   * @param transaction Id as in the log or in a refusal, or of `startTransaction`.
   * @returns Nothing when it was not judged yet, or longer ago than `explanationSeconds`.
   */
  explain(transaction: string): Promise<Explanation | undefined>
  /**
   * Lets another trust count from the next call on, without a restart. A call that is being judged keeps the one it
   * began with; what does not hold changes nothing.
   *
   * @throws {TypeError} `trust_rollback`, `trust_version`, `trust_attesters`, `unsafe_anchor`, or a code of
   * `createIssuerTrust`.
   */
  reloadTrust(update: TrustUpdate): void
}

/**
 * Creates a verifier.
 *
 * @throws {TypeError} A code of `readSettings` or `createIssuerTrust`: a wrong option stops the start.
 */
export function createVerifier(options: VerifierOptions, deps: VerifierDeps): Verifier {
  const read = readSettings(options, deps.signer)
  const trust = createTrustSource({ ...options, version: options.trustVersion }, deps)
  const settings = withTrust(read, trust)
  checkPresentationScopes(settings)
  const verification = createVerification(options, { settings, trust }, deps)
  const seal = deps.seal ?? createSeal([{ id: 'process', key: deps.random(32) }], deps)
  const requirements = new Map<string, AskedRequirement>()
  const requirementOf = (scope: string) => requirements.get(scope)
  const scopes = () => [...requirements.keys()]
  const signing = createSigningRegister(deps.signer)
  const nonces = options.requireDpopNonce === true ? createNonces(settings.origin, { ...deps, seal }) : {}
  // The same agents come again, call by call: importing a key costs as much as verifying with it.
  const proofKeys = createKeyPool()
  const explanationSeconds = settings.lifetimes.explanation
  const shared = {
    ...deps,
    ...nonces,
    settings,
    seal,
    verification,
    requirementOf,
    scopes,
    signatureRules: signing.rules,
    proofKeys,
    explanationSeconds,
    watch: createTransactionWatch(deps),
    record: createRecord(options.auditFailure, deps),
    pages: readPages(settings, deps.qr),
  }
  const challenge =
    settings.walletAttesters.length === 0 ? [] : [challengeEndpoint(shared), tokenEndpoint(shared)]
  return {
    routes: [
      ...metadataEndpoints(shared),
      ...challenge,
      ...transactionEndpoints(shared),
      ...pageEndpoints(shared),
    ],
    requirePresentation<const Query extends JsonObject>(wanted: Requirement<Query>) {
      const { requirement, warnings } = readRequirement(wanted, settings)
      if (requirement.challenge === 'request_uri') checkRequestUriChallenge(requirement, shared)
      register(requirement, requirements)
      signing.add(requirement.scope, requirement.signing)
      for (const warning of warnings) deps.log.warn('verifier.query_advice', { scope: wanted.scope, warning })
      const tokenKeys = [{ ...deps.signer.publicJwk, kid: deps.signer.kid }]
      return createGate(requirement, { ...shared, ...verification, tokenKeys })
    },
    startTransaction: (wanted) => startTransaction(wanted, deps.clock(), shared),
    redeemResult: (wanted) => redeemResult(wanted, deps.clock(), shared),
    redeemPage: (visit) => redeemPage(visit, shared),
    explain: (transaction) => readExplanation(transaction, deps),
    reloadTrust: trust.reload,
  }
}

// The one setting that may change while the verifier runs is read where it is used.
function withTrust(settings: Settings, trust: TrustSource): Settings {
  return {
    ...settings,
    get walletAttesters() {
      return trust.attesters()
    },
  }
}

// Two kinds, so that a nonce of the authorization server opens nothing at the resource.
function createNonces(origin: string, deps: { readonly seal: Seal; readonly random: Random }) {
  return {
    serverNonces: createServerNonces({ use: 'dpop-nonce', server: `${origin} as` }, deps),
    resourceNonces: createServerNonces({ use: 'dpop-nonce', server: `${origin} resource` }, deps),
  }
}

function createVerification(
  options: VerifierOptions,
  { settings, trust }: { readonly settings: Settings; readonly trust: TrustSource },
  deps: VerifierDeps,
): VerifyPresentationDeps {
  const { algorithms } = settings
  return {
    trust: trust.current,
    log: deps.log,
    // A list may state a short ttl so that a revocation is felt soon; it is followed to the second.
    statuses: createStatusResolver(
      { algorithms, minTtlSeconds: 1, staleIfErrorSeconds: options.staleStatusSeconds ?? 0 },
      deps,
    ),
    algorithms,
    keyBindingMaxAgeSeconds: options.keyBindingMaxAgeSeconds ?? 300,
    verifiedIssuers: createVerifiedIssuerCache(),
    holderKeys: createKeyPool(),
    alwaysBind: settings.profile === 'haip',
    requireStatus: options.requireStatus ?? false,
  }
}

// Several routes may share one requirement; one scope never means two queries.
function register(requirement: AskedRequirement, requirements: Map<string, AskedRequirement>): void {
  const known = requirements.get(requirement.scope)
  if (known !== undefined && JSON.stringify(known.query) !== JSON.stringify(requirement.query)) {
    throw configurationError(
      'scope_taken',
      `The scope ${requirement.scope} stands for another query already.`,
    )
  }
  requirements.set(requirement.scope, requirement)
}
