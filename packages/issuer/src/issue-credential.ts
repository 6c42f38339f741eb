/**
 * Issuing: from a parsed Credential Request to committed credentials, or to the promise of them.
 *
 * Owns the use case and its order: which keys, may it be, make it, commit. Spent nonce, status indices and
 * register entries are one commit; whoever loses the race for the nonce gets nothing.
 *
 * Source: OpenID4VCI 1.0, sections 8.2 and 8.3; requirements/issuer.md, section 13 (check order).
 *
 * @module
 */
import { type NumericDate, randomId, randomText } from '@attache/core'
import type { PublicJwk } from '@attache/keys'
import type { CredentialConfiguration, CredentialResponse, Proofs } from '@attache/openid4vci'
import { commitOnce, type Guard } from './commit-once.js'
import { type CredentialSubjectDeps, credentialSubject } from './credential-subject.js'
import type { CredentialTemplate } from './credential-template.js'
import { type DeliverCredentialsDeps, deliverCredentials } from './deliver-credentials.js'
import type { GrantRecord } from './grant-record.js'
import type { TransactionRecord } from './transaction-record.js'
import { type VerifyProofsDeps, verifyProofs } from './verify-proofs.js'

/** What issuing needs. */
export interface IssueCredentialDeps extends DeliverCredentialsDeps, CredentialSubjectDeps, VerifyProofsDeps {
  readonly configurations: ReadonlyMap<string, CredentialConfiguration>
  /** How long a deferred credential can be fetched, in seconds. */
  readonly transactionSeconds: number
  /** What a wallet is told to wait, in seconds. */
  readonly intervalSeconds: number
}

/** A request whose template is known and covered by its token. */
export interface CredentialOrderFacts {
  readonly template: CredentialTemplate
  readonly proofs: Proofs | undefined
  readonly grant: GrantRecord
  readonly guards: readonly Guard[]
  readonly now: NumericDate
}

/**
 * Issues the credentials of one request, or takes it on for later.
 *
 * @throws {ProtocolError} `invalid_proof`, `invalid_nonce`, `invalid_credential_request`,
 *   `credential_request_denied`.
 */
export async function issueCredential(
  facts: CredentialOrderFacts,
  deps: IssueCredentialDeps,
): Promise<CredentialResponse> {
  const { template, grant, now } = facts
  const configuration = deps.configurations.get(template.id)
  if (configuration === undefined) throw new Error(`The template ${template.id} has no configuration.`)
  const clientId = grant.clientId ?? undefined
  const { holderKeys, guards } = verifyProofs({ proofs: facts.proofs, configuration, clientId, now }, deps)
  const subject = await credentialSubject({ template, agent: grant.agent, now }, deps)
  const spent = [...facts.guards, ...guards]
  if (template.issuance === 'deferred') return defer({ ...facts, guards: spent }, holderKeys, deps)
  return deliverCredentials(
    { template, subject, holderKeys, grantId: grant.id, guards: spent, steps: [], now },
    deps,
  )
}

async function defer(
  facts: CredentialOrderFacts,
  holderKeys: readonly PublicJwk[],
  deps: IssueCredentialDeps,
): Promise<CredentialResponse> {
  const transactionId = randomText(deps.random)
  const expiresAt = facts.now + deps.transactionSeconds
  const record: TransactionRecord = {
    v: 1,
    id: randomId(deps.random, 'dfr'),
    grantId: facts.grant.id,
    template: facts.template.id,
    agent: facts.grant.agent,
    holderKeys,
    state: 'pending',
    requestedAt: facts.now,
    expiresAt,
  }
  const key = deps.keys.hashed('transaction', transactionId)
  const step = { op: 'putIfAbsent', key, value: record, expiresAt } as const
  if (!(await commitOnce(deps.store, facts.guards, [step])))
    throw new Error('A random transaction_id was taken.')
  return { state: 'pending', transactionId, interval: deps.intervalSeconds }
}
