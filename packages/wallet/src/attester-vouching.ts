/**
 * Vouching for one instance: from a request to a client attestation.
 *
 * Owns the order of the checks. The proof of possession comes first, since it costs one signature and no network;
 * the challenge is spent last, in one step of the store, so that a refused request spends nothing and of many equal
 * ones a single one is answered. The challenge is single-use, the workload token is not: it counts until it expires.
 *
 * Source: attestation-based client authentication -11, sections 4, 10.2 and 12.1; HAIP 1.0, section 4.4.1.
 *
 * @module
 */
import type { AuditTrail } from '@attache/audit'
import type { NumericDate, Store } from '@attache/core'
import { jwkThumbprint, type Signer } from '@attache/keys'
import { createClientAttestation, type ServerNonces, spendChallenge } from '@attache/oauth'
import { failedCheck } from './attester-errors.js'
import { type AttestationRequest, verifyInstanceProof } from './attester-messages.js'
import type { AttesterOptions } from './attester-options.js'
import { matchWorkload } from './workload-rules.js'
import type { WorkloadTokens } from './workload-token.js'

/** What vouching needs. */
export interface VouchingDeps {
  readonly options: AttesterOptions
  readonly challenges: ServerNonces
  readonly tokens: WorkloadTokens
  readonly store: Pick<Store, 'commit'>
  /** Key of the attester with its chain, leaf first, without the anchor. */
  readonly signer: Signer
  readonly audit?: Pick<AuditTrail, 'append'> | undefined
}

/** An attestation, and what may be said about it in a log. */
export interface Vouched {
  readonly attestation: string
  readonly expiresAt: NumericDate
  /** Id of the rule that was met. */
  readonly rule: string
  readonly clientId: string
  /** Thumbprint of the attested key. */
  readonly instanceJkt: string
}

const DEFAULT_ATTESTATION_SECONDS = 900

/**
 * Vouches for the instance behind a request, or does not.
 *
 * @throws {VerificationError} A code of `ATTESTER_CHECKS`, or one of the keys room.
 */
export async function vouch(
  request: AttestationRequest,
  deps: VouchingDeps,
  now: NumericDate,
): Promise<Vouched> {
  const { options, challenges, tokens, store, signer } = deps
  const proof = verifyInstanceProof(request, options.attester)
  const challenge = challenges.open(proof.challenge, now)
  if (challenge === undefined) throw failedCheck('challenge_unknown')
  const identity = await tokens.verify(request.workloadToken, now)
  const rule = matchWorkload(options.rules, identity, proof)

  const place = { tenant: options.tenant ?? 'default', room: 'attester' }
  if (!(await store.commit([spendChallenge(challenge, place)]))) throw failedCheck('challenge_used')

  const expiresAt = now + (options.attestationSeconds ?? DEFAULT_ATTESTATION_SECONDS)
  const { instanceKey } = proof
  // Nothing but the key tells one instance from another: no agent, no subject, no pod.
  const statement = { clientId: rule.clientId, instanceKey, expiresAt, issuer: options.attester }
  const attestation = await createClientAttestation(statement, signer, now)
  const instanceJkt = jwkThumbprint(instanceKey)
  // Before it leaves: where this cannot be written down, the request fails as it does when the store fails.
  await deps.audit?.append({
    kind: 'attester.vouched',
    subject: rule.clientId,
    facts: { rule: rule.id, token_issuer: rule.issuer, instance: instanceJkt, expires_at: expiresAt },
  })
  return { attestation, expiresAt, rule: rule.id, clientId: rule.clientId, instanceJkt }
}
