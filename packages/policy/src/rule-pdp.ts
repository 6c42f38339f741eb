/**
 * Decisions by rules: a small evaluator without a language, for deployments that need no Cedar.
 *
 * Default deny; a deny rule wins over every allow rule. A condition that cannot be judged (nothing at its path,
 * or the wrong type there) does not hold in an allow rule; in a deny rule it denies with `policy_error`, because
 * a fact left out must not switch a prohibition off. `present` and `absent` are always judged.
 *
 * @module
 */
import {
  canonicalJson,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
} from '@attache/core'
import {
  combine,
  type Pdp,
  POLICY_REASONS,
  type PolicyDecision,
  type PolicyEntity,
  type PolicyRequest,
} from './decision.js'
import { type EntityPattern, parseRules, type Rule, type RuleCondition } from './rule.js'

/**
 * Creates a decision port over rules.
 *
 * @param rules Data, as read from a configuration: a list of rules, see {@link Rule}.
 * @throws {TypeError} `policy_rules_invalid`: the message names the place and the reason.
 */
export function createRulePdp(rules: unknown): Pdp {
  const parsed = parseRules(rules)
  return {
    reads: parsed.flatMap(({ when }) => when.map(({ path }) => path)),
    async decide(request) {
      try {
        return decideByRules(parsed, request)
      } catch {
        return { decision: 'deny', policies: [], reason: POLICY_REASONS.policyError }
      }
    },
  }
}

/** Decides one request; pure. */
function decideByRules(rules: readonly Rule[], request: PolicyRequest): PolicyDecision {
  const facts: JsonObject = {
    principal: { ...request.principal },
    action: request.action,
    resource: { ...request.resource },
    context: request.context,
  }
  const judged = rules
    .filter((rule) => speaksOf(rule, request))
    .map(({ id, effect, when }) => ({ id, effect, verdict: judge(when, facts) }))

  const ids = (effect: Rule['effect'], verdict: Verdict) =>
    judged.filter((rule) => rule.effect === effect && rule.verdict === verdict).map(({ id }) => id)
  return combine({
    allowing: ids('allow', 'holds'),
    denying: ids('deny', 'holds'),
    failing: ids('deny', 'unknown'),
  })
}

function speaksOf(rule: Rule, request: PolicyRequest): boolean {
  return (
    matchesEntity(rule.principals, request.principal) &&
    (rule.actions === undefined || rule.actions.includes(request.action)) &&
    matchesEntity(rule.resources, request.resource)
  )
}

function matchesEntity(patterns: readonly EntityPattern[] | undefined, entity: PolicyEntity): boolean {
  if (patterns === undefined) return true
  return patterns.some(({ type, id }) => type === entity.type && (id === undefined || id === entity.id))
}

type Verdict = 'holds' | 'fails' | 'unknown'

// One failing condition settles it, even beside one that cannot be judged.
function judge(conditions: readonly RuleCondition[], facts: JsonObject): Verdict {
  const verdicts = conditions.map((condition) => judgeCondition(condition, facts))
  if (verdicts.includes('fails')) return 'fails'
  return verdicts.includes('unknown') ? 'unknown' : 'holds'
}

function judgeCondition({ path, op, value }: RuleCondition, facts: JsonObject): Verdict {
  const found = lookUp(facts, path)
  if (op === 'present' || op === 'absent') return verdict((found !== undefined) === (op === 'present'))
  if (found === undefined) return 'unknown'

  switch (op) {
    case 'equals':
      return verdict(same(found, value))
    case 'in':
      return verdict(isJsonArray(value) && holds(value, found))
    case 'contains':
      return isJsonArray(found) ? verdict(holds(found, value)) : 'unknown'
    case 'subset':
      return isJsonArray(found) && isJsonArray(value)
        ? verdict(found.every((one) => holds(value, one)))
        : 'unknown'
    case 'at_least':
      return typeof found === 'number' && typeof value === 'number' ? verdict(found >= value) : 'unknown'
    case 'at_most':
      return typeof found === 'number' && typeof value === 'number' ? verdict(found <= value) : 'unknown'
  }
}

const verdict = (holdsTrue: boolean): Verdict => (holdsTrue ? 'holds' : 'fails')
const same = (a: JsonValue, b: JsonValue): boolean => a === b || canonicalJson(a) === canonicalJson(b)
const holds = (list: readonly JsonValue[], value: JsonValue): boolean => list.some((one) => same(one, value))

function lookUp(facts: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = facts
  for (const name of path) {
    if (!isJsonObject(value)) return undefined
    value = member(value, name)
  }
  return value
}
