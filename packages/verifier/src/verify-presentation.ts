/**
 * Judging a response: the one place where presentations become verified claims, whatever route they came by.
 *
 * Order: structure, then each presentation (integrity, query, holder binding, status), then the set. What a
 * wallet filtered is judged again. Nothing is stored here and no nonce is spent; the routes do that.
 *
 * Source: OpenID4VP 1.0, sections 8.6 and 14.2; HAIP 1.0, section 6.1.
 *
 * @module
 */
import type { JsonObject, JsonValue, Log, NumericDate, VerificationError } from '@attache/core'
import { type JwsAlgorithm, jwkThumbprint, type KeyPool } from '@attache/keys'
import {
  type CredentialQuery,
  type DcqlQuery,
  matchCredential,
  parseVpToken,
  satisfyCredentialSets,
  withHiddenElements,
} from '@attache/openid4vp'
import { type SdJwtVcExpectation, type VerifiedSdJwtVc, verifySdJwtVc } from '@attache/sd-jwt'
import { requireValidStatus, type StatusReference, type StatusResolver } from '@attache/status-list'
import { type PresentationReason, reasonOf, refusedPresentation } from './errors.js'
import { type Presentation, type PresentedCredential, projectClaims } from './presentation.js'
import { refusalFacts } from './refusal-facts.js'
import { requireTransactionData } from './transaction-data-coverage.js'
import type { ActiveTrust } from './trust-source.js'

/** One response, with everything it must agree with. */
export interface PresentationFacts {
  /** Id of the transaction or challenge that is answered. */
  readonly transaction: string
  readonly query: DcqlQuery
  /** As received. */
  readonly vpToken: JsonValue
  /** The nonce of this one request. */
  readonly nonce: string
  /** Accepted `aud` values; one, but for the challenge route's two forms. */
  readonly audiences: readonly string[]
  /** `transaction_data` entries exactly as sent. @default none */
  readonly transactionData?: readonly string[] | undefined
  readonly now: NumericDate
}

/** What judging a response needs. */
export interface VerifyPresentationDeps {
  /** Whose credentials count now; asked once for each response. */
  readonly trust: () => ActiveTrust
  /** Whether credentials are still in force. */
  readonly statuses: StatusResolver
  /** Accepted algorithms, of issuers and of holders; exactly what requests announce. */
  readonly algorithms: readonly JwsAlgorithm[]
  /** Greatest age of a KB-JWT, in seconds. */
  readonly keyBindingMaxAgeSeconds: number
  /** Whether a credential that is bound to a key needs its proof whatever the query says (HAIP 1.0). */
  readonly alwaysBind: boolean
  /** Whether a credential without a status is refused. */
  readonly requireStatus: boolean
  /** Remembers issuer signatures that held, each under its trust. @default none */
  readonly verifiedIssuers?: NonNullable<SdJwtVcExpectation['verifiedIssuers']>['cache']
  /** Imports each holder's key once. @default every time anew */
  readonly holderKeys?: KeyPool
  /** Hears every step, passed or not; for explaining. */
  readonly trace?: (step: VerificationStep) => void
  /** Receives why a credential was refused. */
  readonly log?: Log
}

/** What is judged, in this order: of each credential integrity, query and status, then of all of them the set. */
export const VERIFICATION_PHASES = ['structure', 'credential', 'query', 'status', 'set'] as const

/** One step of the judgement. */
export interface VerificationStep {
  readonly phase: (typeof VERIFICATION_PHASES)[number]
  readonly queryId?: string
  readonly outcome: 'passed' | PresentationReason
}

/**
 * Verifies a response.
 *
 * @returns The presentation, reduced to the claims that were asked for.
 * @throws {VerificationError} A reason of `PRESENTATION_REASONS`, the failed check as its cause.
 *
 * Source: OpenID4VP 1.0, section 8.6.
 */
export async function verifyPresentation(
  facts: PresentationFacts,
  given: VerifyPresentationDeps,
): Promise<Presentation> {
  // One trust from the first check to the last, whatever is reloaded meanwhile.
  const deps: Judging = { ...given, ...given.trust() }
  const token = parseVpToken(facts.vpToken, facts.query)
  deps.trace?.({ phase: 'structure', outcome: 'passed' })

  const accepted: Accepted[] = []
  let first: VerificationError | undefined
  for (const query of facts.query.credentials) {
    for (const text of token.get(query.id) ?? []) {
      const judged = await judge(text, query, { facts, deps })
      if ('refusal' in judged) first ??= judged.refusal
      else accepted.push(judged)
    }
  }
  const complete = completeSet(facts.query, accepted, { deps, first })
  if (facts.transactionData !== undefined) {
    const statements = complete.flatMap(({ credential, statement }) =>
      statement === undefined ? [] : [{ queryId: credential.queryId, payload: statement }],
    )
    requireTransactionData(facts.transactionData, facts.query, statements)
  }
  const credentials = complete.map(({ credential }) => credential)
  return { transaction: facts.transaction, credentials, presentedAt: facts.now }
}

interface Accepted {
  readonly credential: PresentedCredential
  /** Payload of the KB-JWT. */
  readonly statement: JsonObject | undefined
}

type Judgement = Accepted | { readonly refusal: VerificationError }

// A presentation that fails is set aside; the set check runs on the rest (section 8.6).
async function judge(text: string, query: CredentialQuery, context: Context): Promise<Judgement> {
  try {
    return await verifyOne(text, query, context)
  } catch (cause) {
    const reason = reasonOf(cause)
    if (reason === undefined) throw cause
    context.deps.trace?.({ phase: 'credential', queryId: query.id, outcome: reason })
    logRefusal(reason, cause, { query, context })
    const refusal = refusedPresentation(reason, cause)
    // A foreign nonce in any presentation spoils the whole response (section 14.2.2).
    if (reason === 'kb_nonce_mismatch') throw refusal
    return { refusal }
  }
}

function logRefusal(
  reason: PresentationReason,
  cause: unknown,
  { query, context }: { readonly query: CredentialQuery; readonly context: Context },
): void {
  const { facts, deps } = context
  deps.log?.warn('verifier.credential.refused', {
    transaction: facts.transaction,
    query: query.id,
    reason,
    trust: deps.trustVersion,
    ...refusalFacts(cause),
  })
}

type Judging = VerifyPresentationDeps & ActiveTrust

interface Context {
  readonly facts: PresentationFacts
  readonly deps: Judging
}

async function verifyOne(text: string, query: CredentialQuery, { facts, deps }: Context): Promise<Accepted> {
  const step = { queryId: query.id, outcome: 'passed' } as const
  const verified = await verifySdJwtVc(text, expectation(text, query, { facts, deps }))
  if (deps.alwaysBind && verified.holderKey !== undefined && verified.keyBinding === undefined) {
    throw refusedPresentation('kb_missing')
  }
  deps.trace?.({ phase: 'credential', ...step })

  const trust = deps.issuers.factsOf(verified.issuerKey)
  const claims = withHiddenElements(verified.claims, verified.hiddenElements)
  const match = matchCredential(query, {
    id: verified.credentialHash,
    format: 'dc+sd-jwt',
    vct: verified.vct,
    claims,
    holderBound: verified.keyBinding !== undefined,
    authorityKeyIds: trust.authorityKeyIds,
  })
  if (!match.matches) throw refusedPresentation(match.reason)
  deps.trace?.({ phase: 'query', ...step })

  const status = await checkStatus(verified, { now: facts.now, deps, trust: trust.ruleId })
  deps.trace?.({ phase: 'status', ...step })
  const bound = verified.keyBinding !== undefined && verified.holderKey !== undefined
  const credential = {
    queryId: query.id,
    issuer: verified.issuer,
    trust: trust.ruleId,
    vct: verified.vct,
    claims: projectClaims(claims, match.paths),
    holderKey: bound && verified.holderKey !== undefined ? jwkThumbprint(verified.holderKey) : undefined,
    replayable: !bound,
    status,
    expiresAt: verified.expiresAt,
    credentialHash: verified.credentialHash,
  }
  return { credential, statement: verified.keyBinding?.payload }
}

function expectation(text: string, query: CredentialQuery, { facts, deps }: Context) {
  // Wanted or not, a proof that came must hold: a broken one is never waved through as "not needed".
  const bind = query.requireCryptographicHolderBinding || !text.endsWith('~')
  return {
    resolveIssuerKey: deps.issuers.resolve,
    acceptedTypes: query.vctValues,
    algorithms: deps.algorithms,
    keyBinding: bind
      ? { audience: facts.audiences, nonce: facts.nonce, maxAgeSeconds: deps.keyBindingMaxAgeSeconds }
      : ('not-required' as const),
    credentialAudience: facts.audiences,
    now: facts.now,
    ...(deps.verifiedIssuers === undefined
      ? {}
      : { verifiedIssuers: { cache: deps.verifiedIssuers, trustFingerprint: deps.trustFingerprint } }),
    ...(deps.holderKeys === undefined ? {} : { holderKeys: deps.holderKeys }),
  }
}

// Only after everything else held: a forged credential must not make this server fetch anything.
async function checkStatus(
  verified: VerifiedSdJwtVc,
  context: { readonly now: NumericDate; readonly deps: Judging; readonly trust: string },
): Promise<StatusReference | undefined> {
  const { deps, now } = context
  if (verified.status === undefined) {
    if (deps.requireStatus) throw refusedPresentation('status_unavailable')
    return undefined
  }
  const trust = deps.issuers.statusTrust(context.trust)
  if (verified.status.mechanism !== 'status_list' || trust === undefined) {
    throw refusedPresentation('status_unavailable')
  }
  const reference = { uri: verified.status.uri, idx: verified.status.idx }
  requireValidStatus(await deps.statuses.resolve(reference, { trust, now }))
  return reference
}

function completeSet(
  query: DcqlQuery,
  accepted: readonly Accepted[],
  context: { readonly deps: VerifyPresentationDeps; readonly first: VerificationError | undefined },
): readonly Accepted[] {
  const answered = (id: string) => accepted.some(({ credential }) => credential.queryId === id)
  const outcome = satisfyCredentialSets(query, answered)
  if (outcome.satisfied) {
    context.deps.trace?.({ phase: 'set', outcome: 'passed' })
    return accepted.filter(({ credential }) => outcome.queryIds.includes(credential.queryId))
  }
  const reason = query.credentialSets === undefined ? 'query_unsatisfied' : 'credential_set_unsatisfied'
  context.deps.trace?.({ phase: 'set', outcome: reason })
  // The check that failed says more than the gap it left.
  throw context.first ?? refusedPresentation(reason)
}
