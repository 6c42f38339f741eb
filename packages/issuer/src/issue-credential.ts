/**
 * Issuing: from a parsed Credential Request to committed credentials.
 *
 * Owns the use case and its order: which credential, which keys, may it be, make it, commit. Spent nonce,
 * status indices and register entries are one commit; whoever loses the race for the nonce gets nothing.
 *
 * Source: OpenID4VCI 1.0, sections 8.2 and 8.3; requirements/issuer.md, section 13 (check order).
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Store, selectByPath } from '@attache/core'
import type { CredentialConfiguration, CredentialRequest, CredentialResponse } from '@attache/openid4vci'
import type { ClaimsSource, ClaimsSubject } from './claims-source.js'
import { commitOnce, type Guard } from './commit-once.js'
import { type CredentialTemplate, claimsFromFacts } from './credential-template.js'
import type { GrantRecord } from './grant-record.js'
import { grantedTemplate } from './granted-credential.js'
import { credentialTimes, type MakeCredentialsDeps, makeCredentials } from './make-credentials.js'
import { type VerifyProofsDeps, verifyProofs } from './verify-proofs.js'

/** What issuing needs. */
export interface IssueCredentialDeps extends MakeCredentialsDeps, VerifyProofsDeps {
  readonly templates: ReadonlyMap<string, CredentialTemplate>
  readonly configurations: ReadonlyMap<string, CredentialConfiguration>
  readonly claims: ClaimsSource
  readonly store: Pick<Store, 'get' | 'commit'>
}

/** A request as the endpoint hands it over. */
export interface CredentialRequestFacts {
  readonly request: CredentialRequest
  readonly grant: GrantRecord
  readonly guards: readonly Guard[]
  readonly now: NumericDate
}

// An index that somebody else took meanwhile is rare: the lists are large. More in a row is a fault.
const MAX_COMMITS = 8

/**
 * Issues the credentials of one request.
 *
 * @throws {ProtocolError} Every code of the Credential Error Response, and `insufficient_scope`.
 */
export async function issueCredential(
  facts: CredentialRequestFacts,
  deps: IssueCredentialDeps,
): Promise<CredentialResponse> {
  const { grant, now } = facts
  const template = grantedTemplate(facts.request.wanted, grant, deps.templates)
  const configuration = deps.configurations.get(template.id)
  if (configuration === undefined) throw new Error(`The template ${template.id} has no configuration.`)

  const clientId = grant.clientId ?? undefined
  const proofs = verifyProofs({ proofs: facts.request.proofs, configuration, clientId, now }, deps)
  const subject = await subjectOf(grant, template, { now, claims: deps.claims })
  const claims = judgedClaims(template, subject)
  const order = {
    template,
    agent: subject.agent,
    owner: subject.owner,
    claims,
    holderKeys: proofs.holderKeys,
    until: subject.until,
    now,
  }
  const guards = [...facts.guards, ...proofs.guards]
  for (let turn = 0; turn < MAX_COMMITS; turn += 1) {
    const made = await makeCredentials(order, deps)
    if (await commitOnce(deps.store, guards, made.steps)) {
      return { state: 'issued', credentials: made.credentials }
    }
  }
  throw new Error('The status list moved at every attempt to issue.')
}

async function subjectOf(
  grant: GrantRecord,
  template: CredentialTemplate,
  deps: { readonly now: NumericDate; readonly claims: ClaimsSource },
): Promise<ClaimsSubject> {
  const subject = await deps.claims.find(grant.agent, deps.now)
  if (subject === undefined) throw denied('There is no active person behind this agent.')
  const { exp } = credentialTimes({ template, until: subject.until, now: deps.now })
  if (exp <= deps.now) throw denied('The facts about this agent end too soon for a credential.')
  return subject
}

function judgedClaims(template: CredentialTemplate, subject: ClaimsSubject) {
  const { claims, missing } = claimsFromFacts(
    template,
    subject.facts,
    (facts, path) => selectByPath(facts, path)?.[0],
  )
  const [firstMissing] = missing
  if (firstMissing !== undefined) throw denied(`The claim ${firstMissing} has no value, and it is mandatory.`)
  const [problem] = template.checkClaims(claims)
  if (problem !== undefined) throw denied(`The claims do not fit the template: ${problem}.`)
  return claims
}

function denied(description: string): ProtocolError {
  return new ProtocolError('credential_request_denied', description)
}
