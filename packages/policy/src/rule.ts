/**
 * Rules as data: parsed once at load, refused with the path of what is wrong.
 *
 * Owns the form of a rule. What a rule means for a request is decided in rule-pdp.ts.
 *
 * @module
 */
import { configurationError, isJsonValue, type JsonValue } from '@attache/core'
import { z } from 'zod'

/** Whom or what a rule speaks of; without `id`, everything of the type. */
export interface EntityPattern {
  readonly type: string
  readonly id?: string | undefined
}

/**
 * How a condition compares what lies at its path with its `value`.
 *
 * - `equals`: the same JSON value
 * - `in`: one of the values of a list
 * - `contains`: the list at the path holds the value
 * - `subset`: the list at the path holds nothing but values of the list
 * - `at_least`, `at_most`: numbers
 * - `present`, `absent`: whether anything lies at the path (no `value`)
 */
export const CONDITION_OPERATORS = [
  'equals',
  'in',
  'contains',
  'subset',
  'at_least',
  'at_most',
  'present',
  'absent',
] as const

/** One of {@link CONDITION_OPERATORS}. */
export type ConditionOperator = (typeof CONDITION_OPERATORS)[number]

/** One condition of a rule; all of them must hold. */
export interface RuleCondition {
  /** Member names from the request down, for example `['context', 'claims', 'role']`. */
  readonly path: readonly string[]
  readonly op: ConditionOperator
  /** What to compare with; `null` for `present` and `absent`. */
  readonly value: JsonValue
}

/** One rule. A list that is left out says nothing about that part of the request. */
export interface Rule {
  /** Named by decisions. */
  readonly id: string
  readonly effect: 'allow' | 'deny'
  readonly principals?: readonly EntityPattern[] | undefined
  readonly actions?: readonly string[] | undefined
  readonly resources?: readonly EntityPattern[] | undefined
  readonly when: readonly RuleCondition[]
}

/**
 * Parses rules.
 *
 * Unknown members are refused, because a misspelt condition would widen a rule.
 *
 * @throws {TypeError} `policy_rules_invalid`: the message names the place and the reason.
 */
export function parseRules(value: unknown): readonly Rule[] {
  const text = z.string().min(1)
  const entities = z.array(z.strictObject({ type: text, id: text.optional() })).min(1)
  const condition = z.strictObject({
    path: z.tuple([z.enum(['principal', 'action', 'resource', 'context'])], text).readonly(),
    op: z.enum(CONDITION_OPERATORS),
    value: z.unknown().optional(),
  })
  const rule = z.strictObject({
    id: text,
    effect: z.enum(['allow', 'deny']),
    principals: entities.optional(),
    actions: z.array(text).min(1).optional(),
    resources: entities.optional(),
    when: z.array(condition).default([]),
  })

  const parsed = z.array(rule).safeParse(value)
  if (!parsed.success) throw invalid(describeIssue(parsed.error))
  const rules = parsed.data.map((found) => ({ ...found, when: found.when.map(parseCondition) }))
  if (new Set(rules.map(({ id }) => id)).size !== rules.length) throw invalid('two rules have the same id')
  return rules
}

function parseCondition(condition: {
  readonly path: readonly string[]
  readonly op: ConditionOperator
  readonly value?: unknown
}): RuleCondition {
  const { path, op, value } = condition
  const where = `the condition on ${path.join('.')}`
  if (op === 'present' || op === 'absent') {
    if (value !== undefined) throw invalid(`${where}: ${op} takes no value`)
    return { path, op, value: null }
  }
  if (value === undefined || !isJsonValue(value)) throw invalid(`${where}: ${op} needs a value`)
  if ((op === 'in' || op === 'subset') && !Array.isArray(value)) throw invalid(`${where}: ${op} needs a list`)
  if ((op === 'at_least' || op === 'at_most') && typeof value !== 'number') {
    throw invalid(`${where}: ${op} needs a number`)
  }
  return { path, op, value }
}

const describeIssue = (error: z.ZodError): string => {
  const [issue] = error.issues
  return `at ${issue?.path.join('.') || 'the top'}: ${issue?.message ?? 'not understood'}`
}

const invalid = (what: string) =>
  configurationError('policy_rules_invalid', `The policy rules are wrong, ${what}.`)
