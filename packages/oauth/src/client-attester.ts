/**
 * Whose word counts for which clients: the trust in attesters.
 *
 * Owns the choice of the key that verifies an attestation: a certificate chain to configured anchors, or a
 * configured key. Never a key or an address that the attestation itself brings.
 *
 * Source: draft-ietf-oauth-attestation-based-client-auth-11, sections 7.1 (4), 10.8 and 12.2.
 *
 * @module
 */
import { member, type NumericDate, VerificationError } from '@attache/core'
import {
  type JwsAlgorithm,
  type ParsedJws,
  type PublicJwk,
  parseX5c,
  type TrustAnchors,
  verifyCertificateChain,
  verifyJws,
} from '@attache/keys'

/** Client identifiers: one of them, or all that begin alike. */
export type ClientPattern = { readonly is: string } | { readonly startsWith: string }

/** An attester whose attestations are accepted for some clients. */
export interface TrustedAttester {
  /** Name for logs and policy. */
  readonly name: string
  /** Accepted by a certificate chain in `x5c` that ends at one of these anchors. */
  readonly anchors?: TrustAnchors | undefined
  /** Accepted by one of these keys, chosen by `kid` where they have one. */
  readonly keys?: readonly PublicJwk[] | undefined
  /** The `iss` an attestation of this attester carries, when it carries one. */
  readonly issuer?: string | undefined
  /** The clients this attester may speak for. */
  readonly clients: 'any' | readonly ClientPattern[]
}

/**
 * Verifies the signature of an attestation and that its attester may speak for the client.
 *
 * @returns The first attester that fits.
 * @throws {VerificationError} `attester_not_trusted`: nobody fits; the reasons are in the cause.
 *
 * Source: attestation-based client authentication -11, sections 7.1 (4) and 10.8.
 */
export function verifyAttester(
  jws: ParsedJws,
  expected: {
    readonly typ: string
    readonly clientId: string
    readonly attesters: readonly TrustedAttester[]
    readonly algorithms: readonly JwsAlgorithm[]
  },
  now: NumericDate,
): TrustedAttester {
  const causes: unknown[] = []
  for (const attester of expected.attesters) {
    if (!maySpeakFor(attester, expected.clientId) || !issuerFits(attester, jws)) continue
    try {
      const keys = keysOf(attester, jws, now)
      if (keys.some((key) => signs(jws, { ...expected, key }, causes))) return attester
    } catch (cause) {
      causes.push(cause)
    }
  }
  throw new VerificationError('attester_not_trusted', 'No configured attester vouches for this client.', {
    cause: new AggregateError(causes),
  })
}

function maySpeakFor(attester: TrustedAttester, clientId: string): boolean {
  if (attester.clients === 'any') return true
  return attester.clients.some((pattern) =>
    'is' in pattern ? pattern.is === clientId : clientId.startsWith(pattern.startsWith),
  )
}

function issuerFits(attester: TrustedAttester, jws: ParsedJws): boolean {
  const iss = member(jws.payload, 'iss')
  return iss === undefined || attester.issuer === undefined || iss === attester.issuer
}

function keysOf(attester: TrustedAttester, jws: ParsedJws, now: NumericDate): readonly PublicJwk[] {
  const x5c = attester.anchors === undefined ? undefined : parseX5c(member(jws.header, 'x5c'))
  if (attester.anchors !== undefined && x5c !== undefined) {
    return [verifyCertificateChain(x5c, { anchors: attester.anchors, now }).leafKey]
  }
  const kid = member(jws.header, 'kid')
  return (attester.keys ?? []).filter((key) => key.kid === undefined || kid === undefined || key.kid === kid)
}

function signs(jws: ParsedJws, expected: Parameters<typeof verifyJws>[1], causes: unknown[]): boolean {
  try {
    verifyJws(jws, { typ: expected.typ, algorithms: expected.algorithms, key: expected.key })
    return true
  } catch (cause) {
    causes.push(cause)
    return false
  }
}
