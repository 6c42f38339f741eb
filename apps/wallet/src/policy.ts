/**
 * The release policy, from the files that the configuration names.
 *
 * @module
 */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, member } from '@attache/core'
import type { ConfiguredFiles } from '@attache/daemon'
import { createCedarPdp, createRulePdp, type Pdp } from '@attache/policy'
import type { PolicyConfiguration, WalletConfiguration } from './configuration.js'

/**
 * Reads the policy.
 *
 * @throws {TypeError} A file cannot be read, or the policy is malformed.
 */
export async function createPolicy(policy: PolicyConfiguration, files: ConfiguredFiles): Promise<Pdp> {
  if ('rules' in policy) return createRulePdp(files.json(policy.rules))
  const entities = policy.entities === undefined ? undefined : files.json(policy.entities)
  return createCedarPdp({
    policies: files.text(policy.cedar),
    schema: files.text(policy.schema),
    ...(isJsonArray(entities) ? { entities } : {}),
  })
}

/**
 * What a rule file allows without saying so: a rule that names no actions covers `agree` (to transaction data) as well
 * as `present`. Where transaction data is taken, the operator reads that at every start. Cedar policies name their
 * actions, or say by `action` alone that they mean every one.
 */
export function policyWarnings(
  configuration: Pick<WalletConfiguration, 'policy' | 'transactionDataTypes'>,
  files: Pick<ConfiguredFiles, 'json'>,
): readonly string[] {
  const { policy, transactionDataTypes = [] } = configuration
  if (!('rules' in policy) || transactionDataTypes.length === 0) return []
  const rules = files.json(policy.rules)
  if (!isJsonArray(rules)) return []
  return rules.filter(isJsonObject).flatMap((rule) => {
    if (member(rule, 'effect') !== 'allow' || member(rule, 'actions') !== undefined || isForPresenting(rule))
      return []
    const id = String(member(rule, 'id'))
    return [
      `The release rule ${JSON.stringify(id)} names no actions: it also allows agree, to transaction data. Give it "actions": ["present"] if that is not meant.`,
    ]
  })
}

/** What only the context of `present` has; a condition on it holds for nothing else. */
const OF_PRESENT: readonly JsonValue[] = ['vct', 'claims', 'stage']

function isForPresenting(rule: JsonObject): boolean {
  const when = member(rule, 'when')
  return (
    when !== undefined &&
    isJsonArray(when) &&
    when.filter(isJsonObject).some((condition) => {
      const path = member(condition, 'path')
      const [root, name = null] = path !== undefined && isJsonArray(path) ? path : []
      return root === 'context' && OF_PRESENT.includes(name) && member(condition, 'op') !== 'absent'
    })
  )
}
