/**
 * The release policy, from the files that the configuration names.
 *
 * @module
 */
import { isJsonArray } from '@attache/core'
import type { ConfiguredFiles } from '@attache/daemon'
import { createCedarPdp, createRulePdp, type Pdp } from '@attache/policy'
import type { PolicyConfiguration } from './configuration.js'

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
