/**
 * What a wallet instance and its attester say to each other: request and answer, both halves of each.
 *
 * Owns the proof of possession: a JWT of a type of its own, signed with the instance key it brings, bound to one
 * attester, to one challenge of it and to the workload token beside it. Does not know which tokens, challenges or
 * workloads count; the attester asks elsewhere. The exchange is in-house and versioned by the type of the proof.
 *
 * Source: RFC 7800, section 3; RFC 8725, sections 3.8 to 3.12; the hash of the token as in the Workload Proof
 * Token (-02), section 2.
 *
 * @module
 */
import { isJsonObject, type JsonObject, member, ProtocolError } from '@attache/core'
import {
  bareJwk,
  digest,
  type PublicJwk,
  parseJws,
  parsePublicJwk,
  type Signer,
  signJws,
  verifyJws,
} from '@attache/keys'
import { z } from 'zod'
import { failedCheck } from './attester-errors.js'

const PROOF_TYP = 'attache-instance-proof-v1+jwt'

/** Algorithms of instance keys: the one a wallet makes, and the one high assurance profiles take. */
const INSTANCE_ALGORITHMS = ['ES256'] as const

/** The longest workload token that is read, in characters. Those of Kubernetes and CI systems have 1,000 to 3,000. */
export const MAX_WORKLOAD_TOKEN_LENGTH = 8192

/** The longest body of a request, in bytes: token and proof, each with some air. */
export const MAX_ATTESTATION_REQUEST_BYTES = 16_384

/** Where the endpoints of an attester lie, made from its identifier. */
export function attesterUrls(attester: string): { readonly challenge: string; readonly attestation: string } {
  const base = attester.replace(/\/$/, '')
  return { challenge: `${base}/challenge`, attestation: `${base}/attestation` }
}

/** What an instance asks for, and with what. */
export interface AttestationRequestStatement {
  /** Identifier of the attester, character by character. */
  readonly attester: string
  readonly challenge: string
  readonly workloadToken: string
  /** The client it wants to be. */
  readonly clientId: string
  /** The agent it works for. */
  readonly agent: string
}

/** Makes the body of a request; the proof is signed with the key that is to be attested. */
export async function createAttestationRequest(
  statement: AttestationRequestStatement,
  instance: Signer,
): Promise<JsonObject> {
  const payload = {
    aud: statement.attester,
    challenge: statement.challenge,
    wth: digest('sha-256', statement.workloadToken),
    client_id: statement.clientId,
    agent: statement.agent,
  }
  const header = { typ: PROOF_TYP, jwk: bareJwk(instance.publicJwk) }
  return { workload_token: statement.workloadToken, proof: await signJws({ header, payload }, instance) }
}

/** A request taken apart; nothing about it is proven yet. */
export interface AttestationRequest {
  readonly workloadToken: string
  readonly proof: string
}

/**
 * Parses the body of a request.
 *
 * @throws {ProtocolError} `invalid_request`: not two compact JWTs under their names.
 */
export function parseAttestationRequest(body: unknown): AttestationRequest {
  const jwt = z.string().regex(/^[\w-]+\.[\w-]+\.[\w-]*$/)
  const parsed = z
    .looseObject({ workload_token: jwt.max(MAX_WORKLOAD_TOKEN_LENGTH), proof: jwt })
    .safeParse(body)
  if (parsed.success) return { workloadToken: parsed.data.workload_token, proof: parsed.data.proof }
  throw new ProtocolError('invalid_request', 'Send workload_token and proof, each one compact JWT.')
}

/** What a proof shows, once it holds: who holds the key wants to be this client, for this agent. */
export interface InstanceProof {
  readonly instanceKey: PublicJwk
  /** As it came; whether it is one of ours is the attester's question. */
  readonly challenge: string
  readonly clientId: string
  readonly agent: string
}

/**
 * Verifies the proof of possession of a request.
 *
 * @param attester Identifier of this attester.
 * @throws {VerificationError} `instance_proof`, the check below as its cause.
 */
export function verifyInstanceProof(request: AttestationRequest, attester: string): InstanceProof {
  try {
    const jws = parseJws(request.proof, { maxBytes: MAX_WORKLOAD_TOKEN_LENGTH })
    const instanceKey = parsePublicJwk(member(jws.header, 'jwk'))
    verifyJws(jws, { typ: PROOF_TYP, algorithms: INSTANCE_ALGORITHMS, key: instanceKey })
    const claims = proofClaims(jws.payload)
    if (claims.aud !== attester) throw failedCheck('instance_proof')
    // A proof is for the token it came with: one of them alone is worth nothing beside another of the other kind.
    if (claims.wth !== digest('sha-256', request.workloadToken)) throw failedCheck('instance_proof')
    return { instanceKey: bareJwk(instanceKey), ...claims }
  } catch (cause) {
    throw failedCheck('instance_proof', cause)
  }
}

function proofClaims(payload: JsonObject) {
  const text = (name: string): string => {
    const value = member(payload, name)
    if (typeof value !== 'string' || value === '' || value.length > 2048) throw failedCheck('instance_proof')
    return value
  }
  const [aud, challenge, wth] = [text('aud'), text('challenge'), text('wth')]
  return { aud, challenge, wth, clientId: text('client_id'), agent: text('agent') }
}

/** The body of an answer. */
export function createAttestationAnswer(attestation: string): JsonObject {
  return { client_attestation: attestation }
}

/** Takes the attestation out of an answer; `undefined` where there is none. */
export function parseAttestationAnswer(body: unknown): string | undefined {
  const attestation = isJsonObject(body) ? member(body, 'client_attestation') : undefined
  return typeof attestation === 'string' ? attestation : undefined
}
