/**
 * Protected resource metadata: who grants access to a resource, and how it wants to be called.
 *
 * Owns the document, both halves, and where it lies. Fetching it is the role's, over the guarded fetch.
 *
 * Source: RFC 9728, sections 2, 3 and 7.
 *
 * @module
 */
import {
  configurationError,
  type JsonObject,
  type NumericDate,
  parseHttpsUrl,
  VerificationError,
} from '@attache/core'
import { checkTimes, type JwsAlgorithm, type PublicJwk, parseJws, verifyJws } from '@attache/keys'
import { z } from 'zod'
import { jsonMembers, malformedAnswer, readable } from './message-members.js'
import {
  encodeMessageSignatures,
  MESSAGE_SIGNATURES_MEMBER,
  type MessageSignatureRule,
  parseMessageSignatures,
} from './message-signature-metadata.js'

/** What a resource announces. Lists that would be empty are left out. */
export interface ProtectedResourceMetadata {
  /** Resource identifier. */
  readonly resource: string
  /** Issuer identifiers of the authorization servers that grant access. */
  readonly authorizationServers?: readonly string[] | undefined
  readonly jwksUri?: string | undefined
  readonly scopesSupported?: readonly string[] | undefined
  readonly bearerMethodsSupported?: readonly string[] | undefined
  readonly resourceSigningAlgValuesSupported?: readonly string[] | undefined
  readonly dpopSigningAlgValuesSupported?: readonly string[] | undefined
  readonly dpopBoundAccessTokensRequired?: boolean | undefined
  readonly tlsClientCertificateBoundAccessTokens?: boolean | undefined
  readonly authorizationDetailsTypesSupported?: readonly string[] | undefined
  /** Where attestation challenges are handed out. */
  readonly challengeEndpoint?: string | undefined
  readonly resourceName?: string | undefined
  readonly resourceDocumentation?: string | undefined
  /** Which calls are signed, scope by scope: a member of our own. */
  readonly messageSignatures?: readonly MessageSignatureRule[] | undefined
  /** A JWT whose values go before the plain ones. */
  readonly signedMetadata?: string | undefined
}

const SUFFIX = '/.well-known/oauth-protected-resource'

/**
 * Where the metadata of a resource lies: the well-known segment after the host, then path and query.
 *
 * @throws {TypeError} `resource_identifier_invalid` for anything but an https URL without fragment.
 *
 * Source: RFC 9728, sections 1.2 and 3.1.
 */
export function protectedResourceMetadataUrl(resource: string): string {
  const url = parseHttpsUrl(resource)
  if (url === undefined || resource.includes('#')) {
    throw configurationError(
      'resource_identifier_invalid',
      'A resource identifier is an https URL without fragment.',
    )
  }
  // The identifier's own spelling of path and query, not the one a URL parser makes of it.
  const rest = /^https:\/\/[^/?]*(.*)$/i.exec(resource)?.[1] ?? ''
  return `${url.origin}${SUFFIX}${rest.replace(/^\/(?=\?|$)/, '')}`
}

/**
 * Writes the document.
 *
 * @throws {TypeError} `message_unusable` for an identifier or endpoint that is no https URL.
 *
 * Source: RFC 9728, section 3.2.
 */
export function createProtectedResourceMetadata(metadata: ProtectedResourceMetadata): JsonObject {
  const document = jsonMembers({
    resource: metadata.resource,
    authorization_servers: list(metadata.authorizationServers),
    jwks_uri: metadata.jwksUri,
    scopes_supported: list(metadata.scopesSupported),
    bearer_methods_supported: list(metadata.bearerMethodsSupported),
    resource_signing_alg_values_supported: list(metadata.resourceSigningAlgValuesSupported),
    dpop_signing_alg_values_supported: list(metadata.dpopSigningAlgValuesSupported),
    dpop_bound_access_tokens_required: metadata.dpopBoundAccessTokensRequired,
    tls_client_certificate_bound_access_tokens: metadata.tlsClientCertificateBoundAccessTokens,
    authorization_details_types_supported: list(metadata.authorizationDetailsTypesSupported),
    challenge_endpoint: metadata.challengeEndpoint,
    resource_name: metadata.resourceName,
    resource_documentation: metadata.resourceDocumentation,
    [MESSAGE_SIGNATURES_MEMBER]: encodeMessageSignatures(metadata.messageSignatures),
    signed_metadata: metadata.signedMetadata,
  })
  return readable(document, parseDocument)
}

function list(values: readonly string[] | undefined): readonly string[] | undefined {
  return values === undefined || values.length === 0 ? undefined : [...values]
}

const texts = z.array(z.string()).optional()
const url = z
  .string()
  .refine((text) => parseHttpsUrl(text) !== undefined && !text.includes('#'))
  .optional()
const metadataSchema = z.looseObject({
  resource: z.string().refine((text) => parseHttpsUrl(text) !== undefined && !text.includes('#')),
  authorization_servers: texts,
  jwks_uri: url,
  scopes_supported: texts,
  bearer_methods_supported: texts,
  resource_signing_alg_values_supported: texts,
  dpop_signing_alg_values_supported: texts,
  dpop_bound_access_tokens_required: z.boolean().optional(),
  tls_client_certificate_bound_access_tokens: z.boolean().optional(),
  authorization_details_types_supported: texts,
  challenge_endpoint: url,
  resource_name: z.string().optional(),
  resource_documentation: z.string().optional(),
  signed_metadata: z.string().optional(),
})

/** What the client knows about a resource before it reads the metadata. */
export interface ProtectedResourceExpectation {
  /** The identifier the metadata URL was made from, or the URL that was requested when a 401 led here. */
  readonly resource: string
  /** Whose signature counts for `signed_metadata`; without it, signed metadata is ignored. */
  readonly signedBy?: MetadataSigner | undefined
}

/** Whoever signs metadata. */
export interface MetadataSigner {
  readonly issuer: string
  readonly keys: readonly PublicJwk[]
  readonly algorithms: readonly JwsAlgorithm[]
  readonly now: NumericDate
  /** Greatest age by `iat`, in seconds, for signers that state no `exp`. @default any, as RFC 9728 has it */
  readonly maxAgeSeconds?: number | undefined
}

/**
 * Parses metadata fetched from {@link protectedResourceMetadataUrl} or from a 401's `resource_metadata`.
 *
 * @throws {VerificationError} `answer_malformed`, `metadata_identifier_mismatch`, `metadata_signature`.
 *
 * Source: RFC 9728, sections 2.2, 3.2 and 3.3.
 */
export function parseProtectedResourceMetadata(
  body: unknown,
  expected: ProtectedResourceExpectation,
): ProtectedResourceMetadata {
  const plain = parseDocument(body)
  const metadata =
    plain.signedMetadata === undefined || expected.signedBy === undefined
      ? plain
      : withSigned(plain, verifySignedMetadata(plain.signedMetadata, expected.signedBy))
  if (metadata.resource !== expected.resource) {
    throw new VerificationError('metadata_identifier_mismatch', 'The metadata is of another resource.')
  }
  return metadata
}

function parseDocument(body: unknown): ProtectedResourceMetadata {
  const parsed = metadataSchema.safeParse(body)
  if (!parsed.success) throw malformedAnswer(parsed.error)
  const { data } = parsed
  return {
    resource: data.resource,
    authorizationServers: data.authorization_servers,
    jwksUri: data.jwks_uri,
    scopesSupported: data.scopes_supported,
    bearerMethodsSupported: data.bearer_methods_supported,
    resourceSigningAlgValuesSupported: data.resource_signing_alg_values_supported,
    dpopSigningAlgValuesSupported: data.dpop_signing_alg_values_supported,
    dpopBoundAccessTokensRequired: data.dpop_bound_access_tokens_required,
    tlsClientCertificateBoundAccessTokens: data.tls_client_certificate_bound_access_tokens,
    authorizationDetailsTypesSupported: data.authorization_details_types_supported,
    challengeEndpoint: data.challenge_endpoint,
    resourceName: data.resource_name,
    resourceDocumentation: data.resource_documentation,
    messageSignatures: parseMessageSignatures(data[MESSAGE_SIGNATURES_MEMBER]),
    signedMetadata: data.signed_metadata,
  }
}

function withSigned(plain: ProtectedResourceMetadata, signed: JsonObject): ProtectedResourceMetadata {
  return parseDocument({ ...createProtectedResourceMetadata(plain), ...signed })
}

function verifySignedMetadata(text: string, signer: MetadataSigner): JsonObject {
  try {
    const jws = parseJws(text, { maxBytes: 65_536 })
    const { iss, signed_metadata: nested, ...members } = jws.payload
    if (iss !== signer.issuer || nested !== undefined) throw new Error('issuer or nesting')
    if (!signer.keys.some((key) => verifies(jws, { ...signer, key }))) throw new Error('signature')
    checkTimes(jws.payload, signer.now)
    checkAge(jws.payload, signer)
    return members
  } catch (cause) {
    throw new VerificationError(
      'metadata_signature',
      'The signed metadata is not signed by a trusted key, or not for this time.',
      { cause },
    )
  }
}

function checkAge({ iat }: JsonObject, { now, maxAgeSeconds }: MetadataSigner): void {
  if (maxAgeSeconds === undefined) return
  if (typeof iat !== 'number' || now - iat > maxAgeSeconds) throw new Error('age')
}

// RFC 9728 names no type. What names one that is not plain is another kind of token of the same signer.
const PLAIN_TYPES = [undefined, 'JWT']

function verifies(
  jws: ReturnType<typeof parseJws>,
  expected: { readonly algorithms: readonly JwsAlgorithm[]; readonly key: PublicJwk },
): boolean {
  return PLAIN_TYPES.some((typ) => {
    try {
      verifyJws(jws, { typ, algorithms: expected.algorithms, key: expected.key })
      return true
    } catch {
      return false
    }
  })
}

/**
 * Chooses the authorization server to ask.
 *
 * @param trusted Issuer identifiers the client trusts, in its order of preference.
 * @throws {VerificationError} `authorization_server_not_trusted`.
 *
 * Source: RFC 9728, section 7.6.
 */
export function chooseAuthorizationServer(
  metadata: ProtectedResourceMetadata,
  trusted: readonly string[],
): string {
  const issuer = trusted.find((candidate) => metadata.authorizationServers?.includes(candidate))
  if (issuer !== undefined) return issuer
  throw new VerificationError(
    'authorization_server_not_trusted',
    'The resource names no authorization server that is trusted here.',
  )
}
