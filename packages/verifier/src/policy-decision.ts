/**
 * Policies as the decision of a route: Cedar, rules, or any decision point behind the port.
 *
 * Owns the question that a call becomes. An error denies, and the answer names the policies that decided: they go
 * to the log with the call, values never do.
 *
 * @module
 */
import type { JsonObject } from '@attache/core'
import {
  type CedarPdpOptions,
  createCedarPdp,
  type FactPath,
  type Pdp,
  POLICY_REASONS,
  type PolicyRequest,
} from '@attache/policy'
import { APPROVED, type Decide, type DecisionContext } from './decision.js'

/** How a call becomes a question. */
export interface PolicyQuestionOptions {
  /**
   * Makes the question. `reads` of the port are compared with the query as far as they lie below
   * `context.claims`, so a question of one's own keeps the claims there.
   *
   * @default {@link policyQuestion}
   */
  readonly ask?: (claims: JsonObject, context: DecisionContext) => PolicyRequest
}

/**
 * The question of a call: principal `Agent` (its client identifier), action the scope, resource `Api` (its origin),
 * and as context `claims`, `issuer` and `vct` of the first credential, `method` and `path`.
 */
export function policyQuestion(claims: JsonObject, context: DecisionContext): PolicyRequest {
  const { origin, pathname } = new URL(context.url)
  const [first] = context.credentials
  return {
    principal: { type: 'Agent', id: context.clientId },
    action: context.scope,
    resource: { type: 'Api', id: origin },
    context: {
      claims,
      issuer: first?.issuer ?? '',
      vct: first?.vct ?? '',
      method: context.method,
      path: pathname,
    },
  }
}

/** Lets a policy decision point decide. Its refusals name the claims that its policies look at. */
export function byPolicy(pdp: Pdp, { ask = policyQuestion }: PolicyQuestionOptions = {}): Decide {
  const reads = pdp.reads === undefined ? undefined : claimsRead(pdp.reads)
  const decide: Decide = async (claims, context) => {
    const { decision, policies, reason } = await pdp.decide(ask(claims, context))
    if (decision === 'allow') return { [APPROVED]: policies }
    const missing = reason === POLICY_REASONS.policyError || reads === undefined ? {} : { missing: reads }
    return { policies, reason, ...missing }
  }
  return reads === undefined ? decide : Object.assign(decide, { reads })
}

/**
 * Cedar policies as a decision: `decide: await cedar({ policies, schema })`. Checked against their schema when they
 * are loaded; the schema declares the context of {@link policyQuestion}.
 *
 * @throws {TypeError} `cedar_schema_invalid`, `cedar_policies_invalid`, `cedar_entities_invalid`.
 */
export async function cedar(options: CedarPdpOptions & PolicyQuestionOptions): Promise<Decide> {
  const { ask, ...policies } = options
  return byPolicy(await createCedarPdp(policies), ask === undefined ? {} : { ask })
}

// `context.claims.address.country` is the claim `address.country`; `context.claims` as a whole names none.
function claimsRead(reads: readonly FactPath[]): readonly string[] | undefined {
  const claims = reads.filter(([part, member]) => part === 'context' && member === 'claims')
  const whole = [...claims, ...reads.filter((path) => path.length === 1 && path[0] === 'context')]
  if (whole.some((path) => path.length < 3)) return undefined
  return [...new Set(claims.map((path) => path.slice(2).join('.')))]
}
