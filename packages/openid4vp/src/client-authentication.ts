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
import { isJsonArray, member, type NumericDate, VerificationError } from '@attache/core'
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

/** Whom a wallet believes to be who they say, per prefix; what is absent refuses the prefix. */
export interface ClientTrust {
  /** Anchors for `x509_hash` and `x509_san_dns`. */
  readonly anchors?: TrustAnchors | undefined
  /** Keys of a client registered here; `undefined`: not registered. */
  readonly registeredClient?: (clientId: string) => { readonly keys: readonly PublicJwk[] } | undefined
  /** The key that a DID document's `verificationMethod` gives for a DID URL; `undefined`: none. */
  readonly didKey?: (didUrl: string) => Promise<PublicJwk | undefined>
}

/** A client that proved to be who it says. */
export interface AuthenticatedClient {
  /** The full identifier: key of every policy, log and `aud`. */
  readonly clientId: ClientIdentifier
  /** The certificate chain of an `x509_*` client: names to link a response_uri to. */
  readonly chain?: VerifiedChain
}

/**
 * Verifies a request object's signature with the key that its Client Identifier demands.
 *
 * @throws {VerificationError} `signature`, `x5c`, `invalid_request`, `unknown_client`: nothing is sent.
 *
 * Source: OpenID4VP 1.0, section 5.9.3.
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
      return { clientId }
    }
    case 'decentralized_identifier': {
      const key = await didKey(jws, clientId, expected.trust)
      verifySignature(jws, [key], expected.algorithms)
      return { clientId }
    }
    case 'redirect_uri':
      throw new VerificationError('invalid_request', 'The prefix redirect_uri cannot sign requests.')
    case 'verifier_attestation':
      throw new VerificationError('invalid_request', 'The prefix verifier_attestation is not supported here.')
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
  const key = await trust.didKey?.(kid)
  if (key === undefined)
    throw new VerificationError('signature', 'No key is known for the kid of the request.')
  return key
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
