/**
 * Which workload may be which client: rules as data, and nobody else.
 *
 * Owns the shape of a rule, the checks made while it is loaded, and the match. A rule names the issuer, the subject
 * and any number of claims; what no rule names is refused. A subject is matched as a whole, or by a pattern
 * `prefix*` whose prefix ends where a part of the name ends:
 *
 * - `system:serviceaccount:payroll:*`: every service account of the namespace `payroll`, and of no other;
 * - `spiffe://prod.example/ns/payroll/*`: every workload below this path of this trust domain;
 * - `repo:acme/*`: every repository of `acme`, and not one of `acme-tools`.
 *
 * Refused while loading: a star anywhere else, a prefix that ends inside a part (`spiffe://prod.example*` would take
 * `spiffe://prod.example.evil/`), a URI whose authority is not complete, and a prefix of one part (`repo:*` is
 * everybody). There are no regular expressions: a dot in one is how a rule comes to mean more than it says.
 *
 * Source: requirements/sender-constraint.md, WL-05 and WL-06; SPIFFE ID, section 2.
 *
 * @module
 */
import { type ClaimsPath, selectByPath } from '@attache/core'
import { failedCheck, invalidAttester } from './attester-errors.js'
import type { WorkloadIdentity } from './workload-token.js'

/** One claim that must have one value. */
export interface WorkloadClaim {
  /** Member names and array positions from the top of the payload, such as `['kubernetes.io', 'namespace']`. */
  readonly path: readonly (string | number)[]
  /** The value, of the same type. */
  readonly equals: string | number | boolean
}

/** A workload that may be a client. */
export interface WorkloadRule {
  /** Name in the log. */
  readonly id: string
  /** One of the configured token issuers. */
  readonly issuer: string
  /** The whole `sub`, or a pattern `prefix*`. */
  readonly subject: string
  /** All of them must be met. @default none */
  readonly claims?: readonly WorkloadClaim[]
  /** Who the workload is vouched to be: `sub` of the attestation. */
  readonly clientId: string
  /** The agents it may work for. @default any */
  readonly agents?: readonly string[]
}

/** What an instance wants to be, beside the identity of its workload. */
export interface WantedClient {
  readonly clientId: string
  readonly agent: string
}

/** How far a rule is met; the reason of a refusal is the one of the rule that is met furthest. */
const STAGES = ['workload_subject', 'workload_claims', 'workload_client', 'workload_agent'] as const

/**
 * Finds the first rule that is met.
 *
 * @throws {VerificationError} `workload_subject`, `workload_claims`, `workload_client`, `workload_agent`: no rule is
 *   met; the code says where the one that came furthest ended.
 */
export function matchWorkload(
  rules: readonly WorkloadRule[],
  identity: WorkloadIdentity,
  wanted: WantedClient,
): WorkloadRule {
  const candidates = rules.filter(({ issuer }) => issuer === identity.issuer)
  const ends = candidates.map((rule) => endOf(rule, identity, wanted))
  const met = candidates.find((_, at) => ends[at] === STAGES.length)
  if (met !== undefined) return met
  throw failedCheck(STAGES[Math.max(0, ...ends)] ?? 'workload_subject')
}

/** The first stage at which a rule is not met; the number of stages when it is met. */
function endOf(rule: WorkloadRule, identity: WorkloadIdentity, wanted: WantedClient): number {
  const stages = [
    matchesSubject(rule.subject, identity.subject),
    (rule.claims ?? []).every((claim) => meetsClaim(claim, identity)),
    rule.clientId === wanted.clientId,
    rule.agents === undefined || rule.agents.includes(wanted.agent),
  ]
  const end = stages.indexOf(false)
  return end === -1 ? stages.length : end
}

function meetsClaim({ path, equals }: WorkloadClaim, { claims }: WorkloadIdentity): boolean {
  const [first, ...rest] = path
  if (first === undefined) return false
  const wanted: ClaimsPath = [first, ...rest]
  // Equal as a value of the same type: the text `true` is not true, and an array is equal to nothing.
  return selectByPath(claims, wanted)?.[0] === equals
}

function matchesSubject(pattern: string, subject: string): boolean {
  if (!pattern.endsWith('*')) return subject === pattern
  const prefix = pattern.slice(0, -1)
  if (!subject.startsWith(prefix)) return false
  const rest = subject.slice(prefix.length)
  // A name that climbs out of its path is below the prefix by its letters alone.
  return rest !== '' && !rest.split('/').some((part) => part === '' || part === '.' || part === '..')
}

/**
 * Checks the rules of a configuration.
 *
 * @param issuers The configured token issuers.
 * @throws {TypeError} `attester_options_invalid`: the message names the rule and its member.
 */
export function checkWorkloadRules(rules: readonly WorkloadRule[], issuers: readonly string[]): void {
  rules.forEach((rule, at) => {
    const where = `rules[${at}]`
    const refuse = (member: string, what: string) => invalidAttester(`${where}.${member} ${what}`)
    if (rule.id === '' || rules.findIndex(({ id }) => id === rule.id) !== at)
      throw refuse('id', 'is empty or stands there twice')
    if (!issuers.includes(rule.issuer)) throw refuse('issuer', 'is none of the token issuers')
    const fault = faultOfPattern(rule.subject)
    if (fault !== undefined) throw refuse('subject', fault)
    rule.claims?.forEach(({ path }, index) => {
      if (path.length === 0) throw refuse(`claims[${index}].path`, 'is empty')
    })
    if (rule.clientId === '') throw refuse('clientId', 'is empty')
    if (rule.agents?.length === 0) throw refuse('agents', 'is empty; leave it out for any agent')
  })
}

/** What is wrong with a subject or its pattern. */
function faultOfPattern(subject: string): string | undefined {
  const star = subject.indexOf('*')
  if (subject === '') return 'is empty'
  if (star === -1) return undefined
  if (star !== subject.length - 1) return 'has a star that is not its last character'
  const prefix = subject.slice(0, -1)
  if (!/[:/]$/.test(prefix))
    return 'ends inside a part of the name; end the prefix with / or : before the star'
  if (prefix.includes('://') && !/^[^:/]+:\/\/[^/]+\//.test(prefix))
    return 'leaves the authority of its URI open; name it whole, with the / after it'
  if (prefix.split(/[:/]+/).filter((part) => part !== '').length < 2)
    return 'names a single part before the star, which takes nearly everybody; name two or more'
  return undefined
}
