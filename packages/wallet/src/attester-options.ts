/**
 * What an attester is told: who it is, whose workload tokens count, and which workload may be which client.
 *
 * Owns the shape and the checks made once, while the attester is built. Nobody is vouched for by default.
 *
 * Source: requirements/sender-constraint.md, ABCA-A-02 and WL-05.
 *
 * @module
 */
import { parseHttpsUrl } from '@attache/core'
import type { KeySetCacheOptions } from '@attache/keys'
import { invalidAttester } from './attester-errors.js'
import { checkWorkloadRules, type WorkloadRule } from './workload-rules.js'
import type { WorkloadTokenIssuer } from './workload-token.js'

/** Options of an attester. */
export interface AttesterOptions {
  /**
   * Identifier: an https URL without query and fragment. Its routes lie below it, proofs name it as `aud`,
   * attestations as `iss`.
   */
  readonly attester: string
  /** @default 'default' */
  readonly tenant?: string
  /** Whose tokens count. */
  readonly tokenIssuers: readonly WorkloadTokenIssuer[]
  /** Who may be which client; the first rule that is met decides, and what none meets is refused. */
  readonly rules: readonly WorkloadRule[]
  /** Life of an attestation, in seconds: so long a workload that was shut out goes on. 60 to 3600. @default 900 */
  readonly attestationSeconds?: number
  /** Life of a challenge, in seconds. 1 to 300. @default 60 */
  readonly challengeSeconds?: number
  /**
   * How long keys of token issuers are believed.
   *
   * @default those of the keys room, but a set serves for one hour at most while its issuer does not answer
   */
  readonly keyCache?: KeySetCacheOptions
}

/** The longest life of a workload token that may be accepted by configuration, in seconds. */
const LONGEST_TOKEN_SECONDS = 86_400

/**
 * Checks what was configured; the keys of the token issuers are judged where they are loaded.
 *
 * @throws {TypeError} `attester_options_invalid`: the message names the member.
 */
export function checkAttesterOptions(options: AttesterOptions): AttesterOptions {
  if (parseHttpsUrl(options.attester) === undefined || /[?#]/.test(options.attester))
    throw invalidAttester('attester is no https URL without query and fragment')
  requireWithin(options.attestationSeconds, 'attestationSeconds', [60, 3600])
  requireWithin(options.challengeSeconds, 'challengeSeconds', [1, 300])
  if (options.tokenIssuers.length === 0) throw invalidAttester('tokenIssuers is empty')
  if (options.rules.length === 0) throw invalidAttester('rules is empty, so nobody could be vouched for')
  options.tokenIssuers.forEach((issuer, at) => {
    checkTokenIssuer(issuer, `tokenIssuers[${at}]`)
    if (options.tokenIssuers.findIndex((other) => other.issuer === issuer.issuer) !== at)
      throw invalidAttester(`tokenIssuers[${at}].issuer stands there twice`)
  })
  checkWorkloadRules(
    options.rules,
    options.tokenIssuers.map(({ issuer }) => issuer),
  )
  return options
}

function checkTokenIssuer(
  { issuer, audience, algorithms, maxLifetimeSeconds }: WorkloadTokenIssuer,
  where: string,
): void {
  if (issuer === '') throw invalidAttester(`${where}.issuer is empty`)
  if (audience === '') throw invalidAttester(`${where}.audience is empty`)
  if (algorithms.length === 0) throw invalidAttester(`${where}.algorithms is empty; name RS256 or ES256`)
  requireWithin(maxLifetimeSeconds, `${where}.maxLifetimeSeconds`, [60, LONGEST_TOKEN_SECONDS])
}

function requireWithin(
  value: number | undefined,
  name: string,
  [least, most]: readonly [number, number],
): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return
  throw invalidAttester(`${name} is not a whole number from ${least} to ${most}`)
}
