/**
 * What a gate looks at, in its order: so that a log line about a refused call says what held and what did not.
 *
 * @module
 */
import type { ProblemCode } from './errors.js'

/** The checks of one call; the first that fails decides. */
export const GATE_CHECKS = [
  'request',
  'token',
  'proof',
  'signature',
  'scope',
  'credential',
  'status',
  'step-up',
  'decision',
] as const

const CHECK_OF: Readonly<Record<ProblemCode, (typeof GATE_CHECKS)[number]>> = {
  request_malformed: 'request',
  token_missing: 'token',
  token_invalid: 'token',
  keys_unavailable: 'token',
  proof_invalid: 'proof',
  proof_nonce_needed: 'proof',
  signature_invalid: 'signature',
  body_too_large: 'signature',
  body_too_slow: 'signature',
  scope_insufficient: 'scope',
  credential_expired: 'credential',
  credential_revoked: 'status',
  status_unavailable: 'status',
  step_up_needed: 'step-up',
  decision_denied: 'decision',
  decision_failed: 'decision',
}

/** One check of a call. */
export interface GateStep {
  readonly phase: (typeof GATE_CHECKS)[number]
  readonly outcome: 'passed' | ProblemCode
}

/** Each check with its outcome, up to the one that decided. */
export function gateSteps(code: ProblemCode): readonly GateStep[] {
  const at = GATE_CHECKS.indexOf(CHECK_OF[code])
  const passed = GATE_CHECKS.slice(0, at).map((phase) => ({ phase, outcome: 'passed' as const }))
  return [...passed, { phase: CHECK_OF[code], outcome: code }]
}

/** The same for a log line: `request passed, token passed, scope scope_insufficient`. */
export function checksUntil(code: ProblemCode): string {
  return gateSteps(code)
    .map(({ phase, outcome }) => `${phase} ${outcome}`)
    .join(', ')
}

/** Whether the caller had shown a token and its key: only such calls may leave a record behind. */
export function isKnownCaller(code: ProblemCode): boolean {
  return GATE_CHECKS.indexOf(CHECK_OF[code]) >= GATE_CHECKS.indexOf('scope')
}
