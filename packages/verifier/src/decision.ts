/**
 * The decision on one call, taken from the disclosed claims every time.
 *
 * Owns what a decision sees and may answer. What decides, a function, rules or Cedar, is the author's choice; here
 * nothing but a clear yes is one.
 *
 * Source: requirements/verifier.md, VP-V-EVL-01; design of the runtime path, 4.
 *
 * @module
 */
import type { JsonObject, JsonValue } from '@attache/core'
import type { ClaimsReader } from './claim-shape.js'
import type { Presentation, PresentedCredential } from './presentation.js'

/** What a decision sees of one call. */
export interface DecisionContext {
  /** HTTP method of the call. */
  readonly method: string
  /** URL of the call as the client sees it. */
  readonly url: string
  /** Scope that names the requirement. */
  readonly scope: string
  /** Client the token was granted to: the agent. */
  readonly clientId: string
  /** All verified credentials; `claims` are those of the first query alone. */
  readonly credentials: readonly PresentedCredential[]
}

/** A refusal that another program can act on: names, never values. */
export interface Refusal {
  /** Names of claims that are missing or do not suffice. */
  readonly missing?: readonly string[]
  /** One sentence for whoever operates the agent. */
  readonly hint?: string
  /** Ids of the policies that decided; for the log. */
  readonly policies?: readonly string[]
  /** Why, as a stable code; for the log. With `policy_error` the answer says that no decision could be made. */
  readonly reason?: string
}

/** The mark of a yes that names its policies. A symbol, so that claims handed back by mistake never carry it. */
export const APPROVED: unique symbol = Symbol('attache.approved')

/** A yes, and the ids of the policies that said it. */
export interface Approval {
  readonly [APPROVED]: readonly string[]
}

/** Says yes with `true` or an approval; everything else is a no. */
export interface Decide<Claims = JsonObject> {
  (
    claims: Claims,
    context: DecisionContext,
  ): boolean | Refusal | Approval | Promise<boolean | Refusal | Approval>
  /** Names of the claims it looks at, nested ones joined with a dot. Absent: not known. */
  readonly reads?: readonly string[]
}

/**
 * A decision that asks top-level claims for one of some values.
 *
 * @param accepted Accepted values per claim; every claim must have one, of identical JSON type.
 */
export function claimsIn(accepted: Readonly<Record<string, readonly (string | number | boolean)[]>>): Decide {
  const wanted = Object.entries(accepted)
  const decide: Decide = (claims) => {
    const missing = wanted.flatMap(([name, values]) => (hasOne(claims, name, values) ? [] : [name]))
    return missing.length === 0 || { missing }
  }
  return Object.assign(decide, { reads: Object.keys(accepted) })
}

function hasOne(claims: JsonObject, name: string, values: readonly JsonValue[]): boolean {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined
  return value !== undefined && values.includes(value)
}

/** The outcome of a decision; `policies` are the ids of those that decided, where the decision names them. */
export type DecisionOutcome<Claims> =
  | { readonly allowed: true; readonly claims: Claims; readonly policies: readonly string[] }
  | {
      readonly allowed: false
      /** Whether no decision could be made, which denies. */
      readonly failed: boolean
      readonly refusal: Refusal
      readonly policies: readonly string[]
    }

/** What deciding needs to know of a requirement. */
export interface Decider<Claims> {
  readonly scope: string
  readonly decide: Decide<JsonObject & Claims>
  readonly readsClaims: ClaimsReader<Claims>
  /** Names of the claims asked for, for refusals that name none themselves. */
  readonly claimNames: readonly string[]
}

/**
 * Decides one call. Nothing but a clear yes allows; a decision that throws denies, and so does a claim that is not
 * there or not of its type.
 *
 * @param own Claims of the first credential query.
 */
export async function decideCall<Claims>(
  { scope, decide, readsClaims, claimNames }: Decider<Claims>,
  { own, presentation, call }: DecisionFacts,
): Promise<DecisionOutcome<Claims>> {
  const denied = { allowed: false, failed: false, policies: [] } as const
  if (!readsClaims(own)) return { ...denied, refusal: { missing: claimNames } }
  try {
    const decided = await decide(own, { ...call, scope, credentials: presentation.credentials })
    if (decided === true) return { allowed: true, claims: own, policies: [] }
    if (isApproval(decided)) return { allowed: true, claims: own, policies: decided[APPROVED] }
    const refusal: Refusal = typeof decided === 'object' && decided !== null ? decided : {}
    const { policies = [], reason } = refusal
    if (reason === 'policy_error') return { allowed: false, failed: true, refusal: {}, policies }
    return { ...denied, policies, refusal: { missing: claimNames, ...refusal } }
  } catch {
    return { ...denied, failed: true, refusal: {} }
  }
}

/** One call to decide. */
export interface DecisionFacts {
  /** Claims of the first credential query. */
  readonly own: JsonObject
  readonly presentation: Presentation
  readonly call: Pick<DecisionContext, 'method' | 'url' | 'clientId'>
}

function isApproval(decided: boolean | Refusal | Approval): decided is Approval {
  return typeof decided === 'object' && decided !== null && Object.hasOwn(decided, APPROVED)
}
