/**
 * The policy decision port: who asks for what, and the answer that names its reasons.
 *
 * Owns the shapes and the reason codes. How a decision is found is a matter of what stands behind the port:
 * rules.ts or cedar.ts. Whoever asks enforces the answer; a port never throws, an error is a denial.
 *
 * @module
 */
import type { JsonObject } from '@attache/core'

/** Someone or something that a policy speaks of. */
export interface PolicyEntity {
  readonly type: string
  readonly id: string
}

/** One question. */
export interface PolicyRequest {
  readonly principal: PolicyEntity
  readonly action: string
  readonly resource: PolicyEntity
  /** Facts about this very request: claims, purpose, time. */
  readonly context: JsonObject
}

/** Why a decision fell; stable, compared by programs and shown to operators. */
export const POLICY_REASONS = {
  /** A rule allows it and none forbids it. */
  allowed: 'allowed',
  /** A rule forbids it, whatever else allows it. */
  forbidden: 'forbidden',
  /** Nothing allows it. */
  noRule: 'no_rule',
  /** A rule could not be evaluated, or the question does not fit the schema. */
  policyError: 'policy_error',
} as const

/** One of {@link POLICY_REASONS}. */
export type PolicyReason = (typeof POLICY_REASONS)[keyof typeof POLICY_REASONS]

/** One answer. */
export interface PolicyDecision {
  readonly decision: 'allow' | 'deny'
  /** Ids of the rules that decided; empty when none did. */
  readonly policies: readonly string[]
  readonly reason: PolicyReason
}

/** Decides. */
export interface Pdp {
  /** Never rejects: what cannot be decided is denied with `policy_error`. */
  decide(request: PolicyRequest): Promise<PolicyDecision>
  /**
   * What of a request the policies look at, each as a path from `principal`, `resource` or `context` down; a path
   * stands for everything below it. Absent: not known. For comparing policies with what a caller can supply.
   */
  readonly reads?: readonly FactPath[]
}

/** Member names from a part of the request down, for example `['context', 'claims', 'role']`. */
export type FactPath = readonly string[]

/** A decision by rules: a denial wins, an error denies, nothing said means no. */
export function combine(found: {
  readonly allowing: readonly string[]
  readonly denying: readonly string[]
  readonly failing: readonly string[]
}): PolicyDecision {
  const { forbidden, policyError, allowed, noRule } = POLICY_REASONS
  if (found.denying.length > 0) return { decision: 'deny', policies: found.denying, reason: forbidden }
  if (found.failing.length > 0) return { decision: 'deny', policies: found.failing, reason: policyError }
  if (found.allowing.length > 0) return { decision: 'allow', policies: found.allowing, reason: allowed }
  return { decision: 'deny', policies: [], reason: noRule }
}
