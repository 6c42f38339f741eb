/**
 * Whose request object is it: the key rule of each Client Identifier Prefix.
 *
 * A key from the message itself is never believed: it comes from a certificate that leads to an anchor, from
 * a registration, or from a resolved DID document.
 *
 * Source: OpenID4VP 1.0, section 5.9.3.
 *
 * @module
 */
import { isJsonArray, member, type NumericDate, ProtocolError, VerificationError } from '@attache/core'
import {
  type JwsAlgorithm,
  type ParsedJws,
  type PublicJwk,
  type TrustAnchors,
  type VerifiedChain,
  verifyCertificateChain,
  verifyJws,
} from '@attache/keys'
import type { ClientIdentifier } from './client-identifier.js'
import { verifyVerifierAttestation } from './verifier-attestation.js'

/** Whom a wallet believes to be who they say, per prefix; what is absent refuses the prefix. */
export interface ClientTrust {
  /** Anchors for `x509_hash` and `x509_san_dns`. */
  readonly anchors?: TrustAnchors | undefined
  /** A client registered here; `undefined`: not registered. */
  readonly registeredClient?: (clientId: string) => RegisteredClient | undefined
  /** The key that a DID document's `verificationMethod` gives for a DID URL: `createDidKeys`. */
  readonly didKey?: (didUrl: string) => Promise<PublicJwk | undefined>
  /** Keys of an attester whose word counts for `verifier_attestation`; `undefined`: nobody trusts it. */
  readonly verifierAttesters?: (issuer: string) => readonly PublicJwk[] | undefined
}

/** What a registration holds. */
export interface RegisteredClient {
  readonly keys: readonly PublicJwk[]
  /** Its metadata is registered too; a request may then bring none (section 8.5). @default false */
  readonly hasMetadata?: boolean
}

/** A client that proved to be who it says. */
export interface AuthenticatedClient {
  /** The full identifier: key of every policy, log and `aud`. */
  readonly clientId: ClientIdentifier
  /** The certificate chain of an `x509_*` client: names to link a response_uri to. */
  readonly chain?: VerifiedChain
  /** Where an attester says its answers may go, to the letter; absent: no attester says so. */
  readonly redirectUris?: readonly string[]
}

/**
 * Verifies a request object's signature with the key that its Client Identifier demands.
 *
 * @throws {VerificationError} `signature`, `x5c`, `attestation`, `invalid_request`, `unknown_client`: nothing
 * is sent.
 * @throws {ProtocolError} `invalid_client`: the client is authentic and its metadata came though registered.
 *
 * Source: OpenID4VP 1.0, sections 5.9.3 and 8.5.
 */
export async function authenticateClient(
  jws: ParsedJws,
  clientId: ClientIdentifier,
  expected: {
    readonly trust: ClientTrust
    readonly algorithms: readonly JwsAlgorithm[]
    readonly now: NumericDate
  },
): Promise<AuthenticatedClient> {
  switch (clientId.prefix) {
    case 'x509_hash':
    case 'x509_san_dns': {
      const chain = verifyChain(jws, expected)
      checkCertificateName(clientId, chain)
      verifySignature(jws, [chain.leafKey], expected.algorithms)
      return { clientId, chain }
    }
    case 'pre-registered': {
      const registered = expected.trust.registeredClient?.(clientId.full)
      if (registered === undefined)
        throw new VerificationError('unknown_client', 'The client is not registered.')
      verifySignature(jws, registered.keys, expected.algorithms)
      if (registered.hasMetadata === true && member(jws.payload, 'client_metadata') !== undefined) {
        throw new ProtocolError(
          'invalid_client',
          'Metadata of this client is registered. Leave client_metadata out.',
        )
      }
      return { clientId }
    }
    case 'decentralized_identifier': {
      const key = await didKey(jws, clientId, expected.trust)
      verifySignature(jws, [key], expected.algorithms)
      return { clientId }
    }
    case 'redirect_uri':
      throw new VerificationError('invalid_request', 'The prefix redirect_uri cannot sign requests.')
    case 'verifier_attestation': {
      const { trust, algorithms, now } = expected
      const facts = { subject: clientId.original, attesters: trust.verifierAttesters, algorithms, now }
      const { key, redirectUris } = verifyVerifierAttestation(member(jws.header, 'jwt'), facts)
      verifySignature(jws, [key], algorithms)
      return redirectUris === undefined ? { clientId } : { clientId, redirectUris }
    }
  }
}

function verifyChain(
  jws: ParsedJws,
  expected: { readonly trust: ClientTrust; readonly now: NumericDate },
): VerifiedChain {
  const header = member(jws.header, 'x5c')
  const x5c = isJsonArray(header) ? header.filter((entry) => typeof entry === 'string') : []
  if (expected.trust.anchors === undefined || !isJsonArray(header) || x5c.length !== header.length) {
    throw new VerificationError('x5c', 'The Request Object has no certificate chain that is trusted here.')
  }
  try {
    return verifyCertificateChain(x5c, { anchors: expected.trust.anchors, now: expected.now })
  } catch (cause) {
    throw new VerificationError('x5c', 'The certificate chain of the Request Object is not trusted.', {
      cause,
    })
  }
}

function checkCertificateName(clientId: ClientIdentifier, chain: VerifiedChain): void {
  const named =
    clientId.prefix === 'x509_hash'
      ? chain.sha256 === clientId.original
      : chain.dnsNames.includes(clientId.original)
  if (!named) {
    throw new VerificationError('invalid_request', 'The Client Identifier is not the one of the certificate.')
  }
}

async function didKey(jws: ParsedJws, clientId: ClientIdentifier, trust: ClientTrust): Promise<PublicJwk> {
  const kid = member(jws.header, 'kid')
  if (typeof kid !== 'string' || !kid.startsWith(`${clientId.original}#`)) {
    throw new VerificationError('signature', 'The kid does not name a key of the DID that asks.')
  }
  let cause: unknown
  try {
    const key = await trust.didKey?.(kid)
    if (key !== undefined) return key
  } catch (failure) {
    if (!(failure instanceof VerificationError)) throw failure
    cause = failure
  }
  throw new VerificationError('signature', 'No key is known for the kid of the request.', { cause })
}

function verifySignature(
  jws: ParsedJws,
  keys: readonly PublicJwk[],
  algorithms: readonly JwsAlgorithm[],
): void {
  let cause: unknown
  for (const key of keys) {
    try {
      verifyJws(jws, { typ: 'oauth-authz-req+jwt', algorithms, key })
      return
    } catch (failure) {
      cause = failure
    }
  }
  throw new VerificationError('signature', 'The Request Object is not signed by its client.', { cause })
}
