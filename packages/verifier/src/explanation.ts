/**
 * Why a presentation was accepted or refused, for whoever runs the verifier: check by check, by name.
 *
 * Owns the record and its end. It holds names of checks, their outcomes and the ids of our own queries; no claim,
 * key or token, so that reading it needs no more care than reading the log. The other side never sees it.
 *
 * Source: requirements/verifier.md, VP-V-TOK-06 and Errors.
 *
 * @module
 */
import {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  type NumericDate,
  type Store,
  storeKey,
} from '@attache/core'
import { judgedEvent, type RecordEvent } from './audit-record.js'
import { PLACE } from './client-authentication.js'
import { isPresentationReason, type PresentationReason, reasonOf } from './errors.js'
import type { Presentation } from './presentation.js'
import { transactionHandle } from './transaction.js'
import {
  type PresentationFacts,
  VERIFICATION_PHASES,
  type VerificationStep,
  type VerifyPresentationDeps,
  verifyPresentation,
} from './verify-presentation.js'

/** What became of one presentation, and why. */
export interface Explanation {
  /** Id under which the log knows it. */
  readonly transaction: string
  readonly outcome: 'accepted' | 'refused'
  /** The check that decided; absent when all held. Its sentence is in `PRESENTATION_REASONS`. */
  readonly reason?: PresentationReason
  /** Every step in the order in which it was taken. */
  readonly checks: readonly VerificationStep[]
  /** When it was judged. */
  readonly judgedAt: NumericDate
}

/** What keeping explanations needs. */
export interface ExplanationDeps {
  readonly verification: VerifyPresentationDeps
  readonly store: Pick<Store, 'put'>
  /** How long an explanation is kept, in seconds; 0 keeps none. */
  readonly explanationSeconds: number
  readonly record: RecordEvent
}

/**
 * Verifies a response like `verifyPresentation`, keeps how it went and writes it down.
 *
 * @throws {VerificationError} As `verifyPresentation`, whose outcome nothing here changes.
 */
export async function verifyExplained(
  facts: PresentationFacts,
  deps: ExplanationDeps,
): Promise<Presentation> {
  const checks: VerificationStep[] = []
  const trace = (step: VerificationStep) => {
    checks.push(step)
    deps.verification.trace?.(step)
  }
  const { transaction, now } = facts
  try {
    const presentation = await verifyPresentation(facts, { ...deps.verification, trace })
    await keep({ transaction, outcome: 'accepted', checks, judgedAt: now }, deps)
    await deps.record(judgedEvent(transaction, presentation))
    return presentation
  } catch (cause) {
    const reason = reasonOf(cause)
    if (reason !== undefined) {
      await keep({ transaction, outcome: 'refused', reason, checks, judgedAt: now }, deps)
      await deps.record(judgedEvent(transaction, reason))
    }
    throw cause
  }
}

/**
 * Reads an explanation.
 *
 * @param transaction Id as in the log, or the transaction id of a plain transaction.
 * @returns Nothing when it was not judged yet, or its time is over.
 */
export async function readExplanation(
  transaction: string,
  { store }: { readonly store: Pick<Store, 'get'> },
): Promise<Explanation | undefined> {
  const stored =
    (await store.get(explanationKey(transaction))) ??
    (await store.get(explanationKey(transactionHandle(transaction))))
  return stored === undefined ? undefined : parseExplanation(stored.value)
}

function explanationKey(transaction: string): string {
  // Whoever asks names it: a text that fits no key is hashed, like any other unknown one.
  const id = /^[\w-]{1,64}$/.test(transaction) ? transaction : transactionHandle(transaction)
  return storeKey({ ...PLACE, kind: 'explanation', id })
}

async function keep(explanation: Explanation, { store, explanationSeconds }: ExplanationDeps): Promise<void> {
  if (explanationSeconds === 0) return
  const { transaction, judgedAt } = explanation
  const expiresAt = judgedAt + explanationSeconds
  await store.put(explanationKey(transaction), encodeExplanation(explanation), expiresAt)
}

function encodeExplanation({ transaction, outcome, reason, checks, judgedAt }: Explanation): JsonObject {
  const written = checks.map(({ phase, queryId, outcome: step }) => ({
    phase,
    outcome: step,
    ...(queryId === undefined ? {} : { queryId }),
  }))
  return {
    v: 1,
    transaction,
    outcome,
    checks: written,
    judgedAt,
    ...(reason === undefined ? {} : { reason }),
  }
}

function parseExplanation(value: JsonValue): Explanation | undefined {
  if (!isJsonObject(value) || member(value, 'v') !== 1) return undefined
  const [transaction, outcome] = [member(value, 'transaction'), member(value, 'outcome')]
  const [reason, checks] = [member(value, 'reason'), member(value, 'checks')]
  const judgedAt = member(value, 'judgedAt')
  if (typeof transaction !== 'string' || typeof judgedAt !== 'number' || !isJsonArray(checks))
    return undefined
  if (outcome !== 'accepted' && outcome !== 'refused') return undefined
  const read: Explanation = { transaction, outcome, checks: checks.flatMap(parseStep), judgedAt }
  return typeof reason === 'string' && isPresentationReason(reason) ? { ...read, reason } : read
}

function parseStep(value: JsonValue): readonly VerificationStep[] {
  if (!isJsonObject(value)) return []
  const [outcome, queryId] = [member(value, 'outcome'), member(value, 'queryId')]
  const phase = VERIFICATION_PHASES.find((known) => known === member(value, 'phase'))
  if (phase === undefined || typeof outcome !== 'string') return []
  if (outcome !== 'passed' && !isPresentationReason(outcome)) return []
  return [{ phase, outcome, ...(typeof queryId === 'string' ? { queryId } : {}) }]
}
