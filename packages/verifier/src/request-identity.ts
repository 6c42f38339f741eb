/**
 * Who asks: the Client Identifier this verifier sends its requests under, and what its signature shows for it.
 *
 * By default the certificate is the identity. A DID, an attester or a federation may stand in its place; each names
 * the key in its own way, and what cannot be believed by any wallet stops the start.
 *
 * Source: OpenID4VP 1.0, sections 5.9.3 and 12; DID Core 1.0, section 5.2; did:jwk; did:web.
 *
 * @module
 */
import {
  configurationError,
  decodeBase64url,
  decodeUtf8,
  type JsonObject,
  type NumericDate,
  ProtocolError,
  parseJson,
  VerificationError,
} from '@attache/core'
import { bareJwk, jwkThumbprint, type PublicJwk, parsePublicJwk, type Signer } from '@attache/keys'
import {
  type AuthorizationRequest,
  attestationProblem,
  type OwnCertificate,
  parseClientIdentifier,
  type RequestSigner,
  readOwnCertificate,
  signRequestObject,
  x509HashClientIdentifier,
} from '@attache/openid4vp'

/** What the options say about who asks. */
export interface RequestIdentityOptions {
  /** Full Client Identifier, prefix included. @default `x509_hash:` of the signer's certificate */
  readonly clientId?: string
  /**
   * Name of the signing key where wallets find it by name: a DID URL, or the `kid` of an entity configuration.
   * @default `#0` of a did:jwk; else the signer's `kid`, behind the DID and `#` of a did:web
   */
  readonly keyId?: string
  /**
   * For `verifier_attestation`: the attestation in force, asked for with every request, so that it can be renewed
   * in time. @default none
   */
  readonly verifierAttestation?: () => string
  /** For `openid_federation`: entity statements up to a trust anchor. @default wallets resolve them */
  readonly trustChain?: readonly string[]
}

/** Who asks, read. */
export interface RequestIdentity {
  readonly clientId: string
  /** There where wallets find the key by name. */
  readonly keyId: string | undefined
  readonly verifierAttestation: (() => string) | undefined
  readonly trustChain: readonly string[] | undefined
  /** Names of our own certificate, read once; absent where it is not who asks. */
  readonly certificate: OwnCertificate | undefined
}

const FEDERATION = 'openid_federation:'
const DID = 'decentralized_identifier:'
const ATTESTED = 'verifier_attestation:'

/**
 * Reads who asks.
 *
 * @throws {TypeError} `signer_certificate`: the identity is a certificate and the signer has none. `client_id`: a
 * prefix that is not used here, or another certificate's. `did_key`: the DID is not the signer's, or `keyId` is of
 * another DID. `attestation`: there is none to show. Or a code of `readOwnCertificate`.
 */
export function readIdentity(options: RequestIdentityOptions, signer: Signer): RequestIdentity {
  const clientId = readClientId(options.clientId, signer)
  const { verifierAttestation, trustChain } = options
  if (clientId.startsWith(ATTESTED) && verifierAttestation === undefined) {
    throw configurationError(
      'attestation',
      'A clientId under verifier_attestation needs a verifierAttestation.',
    )
  }
  const keyId = clientId.startsWith(FEDERATION)
    ? (options.keyId ?? signer.kid)
    : didKeyId(clientId, options, signer)
  const { x5c, publicJwk } = signer
  const isCertificate = clientId.startsWith('x509_') && x5c !== undefined
  const certificate = isCertificate ? readOwnCertificate(x5c, publicJwk) : undefined
  return { clientId, keyId, verifierAttestation, trustChain, certificate }
}

function readClientId(text: string | undefined, signer: Signer): string {
  if (text?.startsWith(FEDERATION)) return text
  const [leaf] = signer.x5c ?? []
  const own = leaf === undefined ? undefined : x509HashClientIdentifier(leaf)
  if (text === undefined && own === undefined) {
    throw configurationError('signer_certificate', 'The signer needs a certificate chain in x5c.')
  }
  if (text === undefined || text === own) return own ?? ''
  const { prefix } = parsePrefix(text)
  if (prefix === 'x509_hash' || prefix === 'redirect_uri') {
    throw configurationError('client_id', 'The clientId is not the one of the signing certificate.')
  }
  if (prefix === 'x509_san_dns' && own === undefined) {
    throw configurationError('signer_certificate', 'The signer needs a certificate chain in x5c.')
  }
  return text
}

function parsePrefix(text: string) {
  try {
    return parseClientIdentifier(text)
  } catch (cause) {
    if (!(cause instanceof VerificationError) && !(cause instanceof ProtocolError)) throw cause
    throw configurationError('client_id', 'The clientId has a prefix that is not used here.')
  }
}

function didKeyId(clientId: string, { keyId }: RequestIdentityOptions, signer: Signer): string | undefined {
  if (!clientId.startsWith(DID)) return undefined
  const did = clientId.slice(DID.length)
  if (did.startsWith('did:jwk:')) {
    if (!isKeyOfDidJwk(did, signer) || (keyId !== undefined && keyId !== `${did}#0`)) {
      throw configurationError('did_key', 'The did:jwk of the clientId is not the key that signs.')
    }
    return `${did}#0`
  }
  const named = keyId ?? `${did}#${signer.kid}`
  if (named.startsWith(`${did}#`)) return named
  throw configurationError('did_key', 'The keyId is a DID URL of the DID that asks.')
}

function isKeyOfDidJwk(did: string, { kid }: Signer): boolean {
  const text = decodeUtf8(decodeBase64url(did.slice('did:jwk:'.length)) ?? new Uint8Array())
  const parsed = text === undefined ? undefined : parseJson(text)
  try {
    return parsed?.ok === true && jwkThumbprint(parsePublicJwk(parsed.value)) === kid
  } catch (error) {
    if (error instanceof VerificationError) return false
    throw error
  }
}

/** A signer as the rules for outgoing requests look at it; the identity counts for its own identifier alone. */
export function requestSigner(
  clientId: string,
  now: NumericDate,
  { identity, signer }: { readonly identity: RequestIdentity; readonly signer: Signer },
): RequestSigner {
  const { alg, publicJwk, x5c } = signer
  const base = { alg, publicJwk, ...(x5c === undefined ? {} : { x5c, certificate: identity.certificate }) }
  if (clientId !== identity.clientId) return base
  const jwt = identity.verifierAttestation?.()
  return { ...base, keyId: identity.keyId, attestation: jwt === undefined ? undefined : { jwt, now } }
}

/**
 * Signs a request as whoever its identifier says.
 *
 * @throws {TypeError} `attestation`: the one in force when the request began is not any more. Wallets would only
 * turn away in silence; as a fault it is seen by whoever runs this verifier.
 */
export function signRequest(
  input: {
    readonly request: AuthorizationRequest
    readonly audience: string
    readonly issuedAt: NumericDate
    readonly lifetimeSeconds: number
  },
  { identity, signer }: { readonly identity: RequestIdentity; readonly signer: Signer },
): Promise<string> {
  if (input.request.clientId !== identity.clientId) return signRequestObject(input, signer)
  const { keyId, trustChain, clientId } = identity
  const attestation = clientId.startsWith(ATTESTED) ? identity.verifierAttestation?.() : undefined
  if (attestation !== undefined)
    refuseUnusable(attestation, clientId, { key: signer.publicJwk, now: input.issuedAt })
  return signRequestObject({ ...input, kid: keyId, attestation, trustChain }, signer)
}

function refuseUnusable(
  attestation: string,
  clientId: string,
  expected: { readonly key: PublicJwk; readonly now: NumericDate },
): void {
  const problem = attestationProblem(attestation, { subject: clientId.slice(ATTESTED.length), ...expected })
  if (problem !== undefined) throw configurationError('attestation', `The verifier attestation ${problem}.`)
}

/** Whether wallets know this verifier's metadata from elsewhere, so that requests bring none. */
export function isFederated(clientId: string): boolean {
  return clientId.startsWith(FEDERATION)
}

/**
 * Refuses to ask for encrypted answers as part of a federation: the key would have to stand in the trust chain, the
 * same for every request.
 *
 * @throws {TypeError} `federation_encryption`.
 */
export function refuseFederatedEncryption(clientId: string): void {
  if (!isFederated(clientId)) return
  throw configurationError(
    'federation_encryption',
    'Under openid_federation answers come in the clear: by direct_post or fragment, and by no challenge.',
  )
}

/** A DID document and where it lies. */
export interface DidDocument {
  /** Absolute path below the origin. */
  readonly path: string
  readonly document: JsonObject
}

/**
 * The document of a did:web on our own origin, so that nobody has to publish it by hand.
 *
 * @returns Nothing for any other identity: somebody else publishes it then.
 *
 * Source: did:web, section 2.4.2; DID Core 1.0, section 5.
 */
export function didDocument(
  { clientId, keyId }: RequestIdentity,
  { origin, signer }: { readonly origin: string; readonly signer: Signer },
): DidDocument | undefined {
  const did = clientId.slice(DID.length)
  const own = `did:web:${new URL(origin).host.replace(':', '%3A')}`
  if (!clientId.startsWith(DID) || keyId === undefined) return undefined
  if (did !== own && !did.startsWith(`${own}:`)) return undefined
  const below = did.slice(own.length).split(':').slice(1)
  const path = below.length === 0 ? '/.well-known/did.json' : `/${below.join('/')}/did.json`
  const { kty, ...rest } = bareJwk(signer.publicJwk)
  const method = { id: keyId, type: 'JsonWebKey', controller: did, publicKeyJwk: { kty, ...rest } }
  return {
    path,
    document: {
      '@context': ['https://www.w3.org/ns/did/v1'],
      id: did,
      verificationMethod: [method],
      assertionMethod: [keyId],
    },
  }
}
