/**
 * One policy decision port; rules and Cedar behind it.
 *
 * @module
 */

export type { CedarPdpOptions } from './cedar.js'
export { createCedarPdp } from './cedar.js'
export type { FactPath, Pdp, PolicyDecision, PolicyEntity, PolicyReason, PolicyRequest } from './decision.js'
export { POLICY_REASONS } from './decision.js'
export type { ConditionOperator, EntityPattern, Rule, RuleCondition } from './rule.js'
export { CONDITION_OPERATORS } from './rule.js'
export { createRulePdp } from './rule-pdp.js'
