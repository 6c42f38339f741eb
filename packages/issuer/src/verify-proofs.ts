/**
 * The proofs of one Credential Request: which keys to bind to, and which nonce they answer.
 *
 * Owns the rules over all proofs of a request: one bad proof fails them all, they share one nonce, no key
 * twice, and a key attestation brings its other keys along.
 *
 * Source: OpenID4VCI 1.0, sections 8.2 and 12.2.4 and Appendix F; requirements/issuer.md D-06, D-08, D-09.
 *
 * @module
 */
import { type NumericDate, ProtocolError } from '@attache/core'
import { jwkThumbprint, type PublicJwk, type TrustAnchors, verifyCertificateChain } from '@attache/keys'
import {
  type CredentialConfiguration,
  type ExpectedKeyAttestation,
  type ExpectedKeyProof,
  type KeyAttestation,
  type Proofs,
  verifyKeyAttestation,
  verifyKeyProof,
} from '@attache/openid4vci'
import type { Guard } from './commit-once.js'
import type { CredentialNonces } from './nonces.js'

/** What the proofs of a request show. */
export interface VerifiedProofs {
  /** Keys to bind to, the proofs' own first; not more than a request may have. */
  readonly holderKeys: readonly PublicJwk[]
  /** Spends the nonce. */
  readonly guards: readonly Guard[]
}

/** What judging proofs needs. */
export interface VerifyProofsDeps {
  readonly expected: Omit<ExpectedKeyProof, 'clientId' | 'keyAttestation' | 'leafKey'>
  /** Who certifies keys that a proof names by `x5c`; undefined: `x5c` is refused. */
  readonly proofCertificates: TrustAnchors | undefined
  /** Whose key attestations count; undefined: none are read. */
  readonly keyAttestation: ExpectedKeyAttestation | undefined
  /** Most keys of one request. */
  readonly batchSize: number
  readonly nonces: CredentialNonces
}

/**
 * Judges the proofs of a request.
 *
 * @throws {ProtocolError} `invalid_proof`, `invalid_nonce`, `invalid_credential_request` (too many).
 */
export function verifyProofs(
  facts: {
    readonly proofs: Proofs | undefined
    readonly configuration: CredentialConfiguration
    readonly clientId: string | undefined
    readonly now: NumericDate
  },
  deps: VerifyProofsDeps,
): VerifiedProofs {
  const { proofs, configuration } = facts
  if (configuration.proofTypes === undefined) return { holderKeys: [], guards: [] }
  if (proofs === undefined) {
    throw new ProtocolError('invalid_proof', 'This credential is bound to a key. Send proofs.')
  }
  if (proofs.values.length > deps.batchSize) {
    throw new ProtocolError('invalid_credential_request', `Send at most ${deps.batchSize} proofs at a time.`)
  }
  const found = judge(proofs, facts, deps)
  const holderKeys = distinctKeys(found.keys)
  const nonce = sharedNonce(found.nonces)
  const guards = nonce === undefined ? [] : [deps.nonces.open(nonce, facts.now)]
  return { holderKeys: holderKeys.slice(0, deps.batchSize), guards }
}

interface Judged {
  /** The proofs' own keys first, then the further attested ones. */
  readonly keys: readonly PublicJwk[]
  readonly nonces: readonly (string | undefined)[]
}

function judge(proofs: Proofs, facts: Parameters<typeof verifyProofs>[0], deps: VerifyProofsDeps): Judged {
  const rules = facts.configuration.proofTypes
  if (proofs.type === 'jwt' && rules?.jwt) {
    const demanded = rules.jwt.keyAttestations !== undefined
    const requirement = rules.jwt.keyAttestations
    const keyAttestation = deps.keyAttestation && { ...deps.keyAttestation, requirement, demanded }
    const expected = {
      ...deps.expected,
      clientId: facts.clientId,
      keyAttestation,
      leafKey: leafKeyBy(deps, facts.now),
    }
    const verified = proofs.values.map((jwt) => verifyKeyProof(jwt, expected, facts.now))
    const attested = verified.flatMap((proof) => proof.keyAttestation?.attestedKeys ?? [])
    return {
      keys: [...verified.map((proof) => proof.holderKey), ...attested],
      nonces: verified.flatMap((proof) => [proof.nonce, ...attestationNonce(proof.keyAttestation)]),
    }
  }
  const [attestation] = proofs.values
  if (
    proofs.type === 'attestation' &&
    rules?.attestation &&
    deps.keyAttestation &&
    attestation !== undefined
  ) {
    const requirement = rules.attestation.keyAttestations
    const expected = { ...deps.keyAttestation, requirement, expiry: 'optional' } as const
    const verified = verifyKeyAttestation(attestation, expected, facts.now)
    if (verified.nonce === undefined) throw invalid('The key attestation must carry the c_nonce.')
    return { keys: verified.attestedKeys, nonces: [verified.nonce] }
  }
  throw invalid('This credential does not accept that type of proof. See proof_types_supported.')
}

function leafKeyBy(deps: VerifyProofsDeps, now: NumericDate): ExpectedKeyProof['leafKey'] {
  const { proofCertificates: anchors } = deps
  return anchors && ((x5c) => verifyCertificateChain(x5c, { anchors, now }).leafKey)
}

// 1.0 wants the nonce inside a key attestation that travels in a proof, too (D-09).
function attestationNonce(attestation: KeyAttestation | undefined): readonly string[] {
  if (attestation === undefined) return []
  if (attestation.nonce === undefined) throw invalid('The key attestation must carry the c_nonce.')
  return [attestation.nonce]
}

function sharedNonce(nonces: readonly (string | undefined)[]): string | undefined {
  const [first, ...others] = new Set(nonces)
  if (others.length === 0) return first
  throw new ProtocolError('invalid_nonce', 'All proofs of a request must carry one and the same c_nonce.')
}

function distinctKeys(keys: readonly PublicJwk[]): readonly PublicJwk[] {
  const byThumbprint = new Map<string, PublicJwk>()
  for (const key of keys) {
    const thumbprint = jwkThumbprint(key)
    if (!byThumbprint.has(thumbprint)) byThumbprint.set(thumbprint, key)
  }
  return [...byThumbprint.values()]
}

function invalid(description: string): ProtocolError {
  return new ProtocolError('invalid_proof', description)
}
