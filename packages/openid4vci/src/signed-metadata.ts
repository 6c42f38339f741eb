/**
 * Credential Issuer Metadata, the signed form.
 *
 * Owns both halves of `openidvci-issuer-metadata+jwt`. Which form travels is content negotiation, the
 * issuer's; what the members mean is `issuer-metadata.ts`.
 *
 * Source: OpenID4VCI 1.0, section 12.2.3; HAIP 1.0, section 4.1.
 *
 * @module
 */
import {
  configurationError,
  type JsonObject,
  member,
  type NumericDate,
  ProtocolError,
  VerificationError,
} from '@attache/core'
import {
  checkTimes,
  type JwsAlgorithm,
  parseJws,
  parseX5c,
  requireOwnChain,
  type Signer,
  signJws,
  type TrustAnchors,
  verifyCertificateChain,
  verifyJws,
} from '@attache/keys'
import { parseIssuerMetadata } from './issuer-metadata.js'
import type { IssuerMetadata } from './issuer-metadata-document.js'
import { made, wireObject } from './make-message.js'

/** Header `typ` of signed metadata. Source: OpenID4VCI 1.0, section 12.2.3. */
export const SIGNED_METADATA_TYP = 'openidvci-issuer-metadata+jwt'

const MAX_BYTES = 262_144

/**
 * Signs issuer metadata.
 *
 * @param metadata The unsigned document; every member becomes a top-level claim.
 * @param signer Its certificate chain goes into `x5c`.
 * @throws {TypeError} `message_refused`: not issuer metadata, or an expiry that is over. `self_signed`,
 *   `x5c_anchor`, `x5c_key_mismatch`, `x5c_malformed`: a chain that must not be sent.
 *
 * Source: OpenID4VCI 1.0, section 12.2.3; HAIP 1.0, section 4.1.
 */
export async function createSignedMetadata(
  metadata: JsonObject,
  signer: Signer,
  times: { readonly now: NumericDate; readonly expiresAt?: NumericDate | undefined },
): Promise<string> {
  requireOwnChain(signer.x5c ?? [], signer.publicJwk)
  if (times.expiresAt !== undefined && times.expiresAt <= times.now) {
    throw configurationError('message_refused', 'Signed metadata must expire after they are made.')
  }
  const sub = member(metadata, 'credential_issuer') ?? ''
  made(metadata, (document) => parseIssuerMetadata(document, { credentialIssuer: String(sub) }))
  const payload = { ...metadata, ...wireObject({ sub, iat: times.now, exp: times.expiresAt }) }
  return signJws({ header: wireObject({ typ: SIGNED_METADATA_TYP, x5c: signer.x5c }), payload }, signer)
}

/**
 * Verifies and reads signed issuer metadata.
 *
 * @param expected.credentialIssuer The identifier from which the URL was built.
 * @param expected.anchors Who may sign metadata of this issuer.
 * @throws {ProtocolError} `metadata_signature`: type, algorithm, chain, signature, `sub` or times are not
 *   accepted. `metadata`, `issuer_mismatch`: as for the unsigned form.
 *
 * Source: OpenID4VCI 1.0, section 12.2.3.
 */
export function verifySignedMetadata(
  jwt: string,
  expected: {
    readonly credentialIssuer: string
    readonly anchors: TrustAnchors
    readonly algorithms: readonly JwsAlgorithm[]
  },
  now: NumericDate,
): IssuerMetadata {
  const payload = verifiedPayload(jwt, expected, now)
  if (member(payload, 'sub') !== expected.credentialIssuer || member(payload, 'iat') === undefined) {
    throw new ProtocolError('metadata_signature', 'Signed metadata must have iat, and the issuer as sub.')
  }
  return parseIssuerMetadata(payload, expected)
}

function verifiedPayload(
  jwt: string,
  expected: { readonly anchors: TrustAnchors; readonly algorithms: readonly JwsAlgorithm[] },
  now: NumericDate,
): JsonObject {
  try {
    const jws = parseJws(jwt, { maxBytes: MAX_BYTES })
    const chain = verifyCertificateChain(parseX5c(member(jws.header, 'x5c')) ?? [], {
      anchors: expected.anchors,
      now,
    })
    verifyJws(jws, { typ: SIGNED_METADATA_TYP, algorithms: expected.algorithms, key: chain.leafKey })
    checkTimes(jws.payload, now)
    return jws.payload
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause
    throw new ProtocolError('metadata_signature', 'The signature of the metadata is not accepted.', { cause })
  }
}
