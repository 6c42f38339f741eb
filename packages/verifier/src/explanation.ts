/**
 * Why a presentation or a call was accepted or refused, for whoever runs the verifier: check by check, by name.
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
import {
  isPresentationReason,
  isProblemCode,
  type PresentationReason,
  type ProblemCode,
  reasonOf,
} from './errors.js'
import { GATE_CHECKS, type GateStep, gateSteps, isKnownCaller } from './gate-checks.js'
import type { Presentation } from './presentation.js'
import { transactionHandle } from './transaction.js'
import {
  type PresentationFacts,
  VERIFICATION_PHASES,
  type VerificationStep,
  type VerifyPresentationDeps,
  verifyPresentation,
} from './verify-presentation.js'

/** One check: of a presentation, or of a call to a guarded route. */
export type ExplainedCheck = VerificationStep | GateStep

/** What became of one presentation or of one refused call, and why. */
export interface Explanation {
  /** Id under which the log knows it. */
  readonly transaction: string
  readonly about: 'presentation' | 'call'
  readonly outcome: 'accepted' | 'refused'
  /** The check that decided; absent when all held. What it says is in `PRESENTATION_REASONS` or `PROBLEMS`. */
  readonly reason?: PresentationReason | ProblemCode
  /** Every step in the order in which it was taken. */
  readonly checks: readonly ExplainedCheck[]
  /** Ids of the policies that decided the call. */
  readonly policies?: readonly string[]
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
  const about = { transaction, about: 'presentation' } as const
  try {
    const presentation = await verifyPresentation(facts, { ...deps.verification, trace })
    await keep({ ...about, outcome: 'accepted', checks, judgedAt: now }, deps)
    await deps.record(judgedEvent(transaction, presentation))
    return presentation
  } catch (cause) {
    const reason = reasonOf(cause)
    if (reason !== undefined) {
      await keep({ ...about, outcome: 'refused', reason, checks, judgedAt: now }, deps)
      await deps.record(judgedEvent(transaction, reason))
    }
    throw cause
  }
}

/** What became of one call to a guarded route. */
export interface RefusedCall {
  /** Id under which the log and the answer know it. */
  readonly transaction: string
  readonly code: ProblemCode
  readonly policies: readonly string[]
  readonly now: NumericDate
}

/** Explanations of refused calls kept by one gate in a minute; the log has the others. */
const MOST_CALLS_A_MINUTE = 60

/**
 * Makes what keeps why calls were refused. Calls of strangers leave nothing, and those of an agent that is refused
 * again and again leave little: neither flood may fill the store.
 */
export function createRefusedCalls(
  deps: Pick<ExplanationDeps, 'store' | 'explanationSeconds'>,
): (call: RefusedCall) => Promise<void> {
  let minute = 0
  let count = 0
  return async ({ transaction, code, policies, now }) => {
    if (!isKnownCaller(code)) return
    if (Math.floor(now / 60) !== minute) [minute, count] = [Math.floor(now / 60), 0]
    count += 1
    if (count > MOST_CALLS_A_MINUTE) return
    const named = policies.length === 0 ? {} : { policies }
    const told = { transaction, about: 'call', outcome: 'refused', reason: code, judgedAt: now } as const
    await keep({ ...told, checks: gateSteps(code), ...named }, deps)
  }
}

/**
 * Reads an explanation.
 *
 * @param transaction Id as in the log or in a refusal, or the transaction id of a plain transaction.
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

async function keep(
  explanation: Explanation,
  { store, explanationSeconds }: Pick<ExplanationDeps, 'store' | 'explanationSeconds'>,
): Promise<void> {
  if (explanationSeconds === 0) return
  const { transaction, judgedAt } = explanation
  const expiresAt = judgedAt + explanationSeconds
  await store.put(explanationKey(transaction), encodeExplanation(explanation), expiresAt)
}

function encodeExplanation(explanation: Explanation): JsonObject {
  const { transaction, about, outcome, reason, checks, judgedAt, policies } = explanation
  const written = checks.map((check) => ({
    phase: check.phase,
    outcome: check.outcome,
    ...('queryId' in check && check.queryId !== undefined ? { queryId: check.queryId } : {}),
  }))
  return {
    v: 1,
    transaction,
    about,
    outcome,
    checks: written,
    judgedAt,
    ...(reason === undefined ? {} : { reason }),
    ...(policies === undefined ? {} : { policies }),
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
  // The first release explained presentations alone, and did not say so.
  const about = member(value, 'about') === 'call' ? 'call' : 'presentation'
  const steps = checks.flatMap(about === 'call' ? parseGateStep : parseStep)
  const read: Explanation = { transaction, about, outcome, checks: steps, judgedAt }
  const names = member(value, 'policies')
  const policies = names === undefined ? {} : { policies: textsOf(names) }
  const known = typeof reason === 'string' && (isPresentationReason(reason) || isProblemCode(reason))
  return { ...read, ...policies, ...(known ? { reason } : {}) }
}

function textsOf(value: JsonValue | undefined): readonly string[] {
  return value !== undefined && isJsonArray(value) ? value.filter((one) => typeof one === 'string') : []
}

function parseStep(value: JsonValue): readonly ExplainedCheck[] {
  if (!isJsonObject(value)) return []
  const [outcome, queryId] = [member(value, 'outcome'), member(value, 'queryId')]
  const phase = VERIFICATION_PHASES.find((known) => known === member(value, 'phase'))
  if (phase === undefined || typeof outcome !== 'string') return []
  if (outcome !== 'passed' && !isPresentationReason(outcome)) return []
  return [{ phase, outcome, ...(typeof queryId === 'string' ? { queryId } : {}) }]
}

function parseGateStep(value: JsonValue): readonly ExplainedCheck[] {
  if (!isJsonObject(value)) return []
  const outcome = member(value, 'outcome')
  const phase = GATE_CHECKS.find((known) => known === member(value, 'phase'))
  if (phase === undefined) return []
  if (outcome === 'passed') return [{ phase, outcome }]
  return typeof outcome === 'string' && isProblemCode(outcome) ? [{ phase, outcome }] : []
}
