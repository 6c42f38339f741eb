/**
 * Whether a credential may be issued, and what it will say.
 *
 * Owns the policy of issuance: an active subject, facts that last, all mandatory claims, and the template's
 * schema. Asked when a credential is requested, and again when a deferred one is delivered.
 *
 * Source: OpenID4VCI 1.0, sections 8.3.1.2 (`credential_request_denied`) and B.2 (`mandatory`).
 *
 * @module
 */
import { type JsonObject, type NumericDate, ProtocolError, selectByPath } from '@attache/core'
import type { ClaimsSource, ClaimsSubject } from './claims-source.js'
import { type CredentialTemplate, claimsFromFacts } from './credential-template.js'
import { credentialTimes } from './make-credentials.js'

/** A subject, and the claims of the credential about it. */
export interface CredentialSubject {
  readonly agent: string
  readonly owner: string
  readonly claims: JsonObject
  readonly until: NumericDate | undefined
}

/** What judging a subject needs. */
export interface CredentialSubjectDeps {
  readonly claims: ClaimsSource
}

/**
 * Finds the subject and fills the template.
 *
 * @throws {ProtocolError} `credential_request_denied`, with the reason.
 */
export async function credentialSubject(
  facts: { readonly template: CredentialTemplate; readonly agent: string; readonly now: NumericDate },
  deps: CredentialSubjectDeps,
): Promise<CredentialSubject> {
  const { template, now } = facts
  const subject = await deps.claims.find(facts.agent, now)
  if (subject === undefined) throw denied('There is no active person behind this agent.')
  const { exp } = credentialTimes({ template, until: subject.until, now })
  if (exp <= now) throw denied('The facts about this agent end too soon for a credential.')
  return {
    agent: subject.agent,
    owner: subject.owner,
    claims: filledClaims(template, subject),
    until: subject.until,
  }
}

function filledClaims(template: CredentialTemplate, subject: ClaimsSubject): JsonObject {
  const first = (facts: JsonObject, path: Parameters<typeof selectByPath>[1]) =>
    selectByPath(facts, path)?.[0]
  const { claims, missing } = claimsFromFacts(template, subject.facts, first)
  const [firstMissing] = missing
  if (firstMissing !== undefined) throw denied(`The claim ${firstMissing} has no value, and it is mandatory.`)
  const [problem] = template.checkClaims(claims)
  if (problem !== undefined) throw denied(`The claims do not fit the template: ${problem}.`)
  return claims
}

function denied(description: string): ProtocolError {
  return new ProtocolError('credential_request_denied', description)
}
