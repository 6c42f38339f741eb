/**
 * Authorization server metadata: which endpoints and methods a server has.
 *
 * Owns the document, both halves, and where it lies. Fetching it is the role's; unknown members are ignored.
 *
 * Source: RFC 8414, sections 2 and 3; RFC 9126, section 5; RFC 9207, section 3; RFC 9449, section 5.1;
 * RFC 8705, sections 3.3 and 5; RFC 9728, section 4; attestation-based client authentication -11, section 8;
 * first-party apps -03, section 4; OpenID4VCI 1.0, section 12.3.
 *
 * @module
 */
import { type JsonObject, parseHttpsUrl, VerificationError, wellKnownUrl } from '@attache/core'
import { z } from 'zod'
import { jsonMembers, malformedAnswer, readable } from './message-members.js'

/** What a server announces. Lists that would be empty are left out. */
export interface AuthorizationServerMetadata {
  readonly issuer: string
  readonly authorizationEndpoint?: string | undefined
  readonly tokenEndpoint?: string | undefined
  readonly pushedAuthorizationRequestEndpoint?: string | undefined
  readonly requirePushedAuthorizationRequests?: boolean | undefined
  readonly authorizationChallengeEndpoint?: string | undefined
  /** Whether the challenge endpoint is the only way in; means something only beside the endpoint. */
  readonly requireInteractiveAuthorization?: boolean | undefined
  /** Where attestation challenges are handed out. */
  readonly challengeEndpoint?: string | undefined
  readonly jwksUri?: string | undefined
  readonly introspectionEndpoint?: string | undefined
  readonly scopesSupported?: readonly string[] | undefined
  readonly responseTypesSupported?: readonly string[] | undefined
  readonly grantTypesSupported?: readonly string[] | undefined
  readonly codeChallengeMethodsSupported?: readonly string[] | undefined
  readonly tokenEndpointAuthMethodsSupported?: readonly string[] | undefined
  readonly dpopSigningAlgValuesSupported?: readonly string[] | undefined
  readonly clientAttestationSigningAlgValuesSupported?: readonly string[] | undefined
  readonly clientAttestationPopSigningAlgValuesSupported?: readonly string[] | undefined
  readonly clientAttestationPopMethodsSupported?: readonly string[] | undefined
  readonly authorizationDetailsTypesSupported?: readonly string[] | undefined
  readonly authorizationResponseIssParameterSupported?: boolean | undefined
  readonly preAuthorizedGrantAnonymousAccessSupported?: boolean | undefined
  readonly tlsClientCertificateBoundAccessTokens?: boolean | undefined
  /** Endpoints to use when the client presents a certificate, by metadata member name. */
  readonly mtlsEndpointAliases?: Readonly<Record<string, string>> | undefined
  /** Resources this server knows. */
  readonly protectedResources?: readonly string[] | undefined
}

/**
 * Where the metadata of an issuer lies: the well-known segment between host and path, one final slash removed.
 *
 * Source: RFC 8414, section 3.1.
 */
export function authorizationServerMetadataUrl(issuer: string): string {
  return wellKnownUrl(issuer.replace(/\/$/, ''), 'oauth-authorization-server')
}

/**
 * Writes the document.
 *
 * @throws {TypeError} `message_unusable` for an identifier or endpoint that is no https URL.
 *
 * Source: RFC 8414, section 3.2.
 */
export function createAuthorizationServerMetadata(metadata: AuthorizationServerMetadata): JsonObject {
  const document = jsonMembers({
    issuer: metadata.issuer,
    authorization_endpoint: metadata.authorizationEndpoint,
    token_endpoint: metadata.tokenEndpoint,
    pushed_authorization_request_endpoint: metadata.pushedAuthorizationRequestEndpoint,
    require_pushed_authorization_requests: metadata.requirePushedAuthorizationRequests,
    authorization_challenge_endpoint: metadata.authorizationChallengeEndpoint,
    require_interactive_authorization: metadata.requireInteractiveAuthorization,
    challenge_endpoint: metadata.challengeEndpoint,
    jwks_uri: metadata.jwksUri,
    introspection_endpoint: metadata.introspectionEndpoint,
    scopes_supported: list(metadata.scopesSupported),
    // REQUIRED, also of a server without an authorization endpoint.
    response_types_supported: metadata.responseTypesSupported ?? ['code'],
    grant_types_supported: list(metadata.grantTypesSupported),
    code_challenge_methods_supported: list(metadata.codeChallengeMethodsSupported),
    token_endpoint_auth_methods_supported: list(metadata.tokenEndpointAuthMethodsSupported),
    dpop_signing_alg_values_supported: list(metadata.dpopSigningAlgValuesSupported),
    client_attestation_signing_alg_values_supported: list(
      metadata.clientAttestationSigningAlgValuesSupported,
    ),
    client_attestation_pop_signing_alg_values_supported: list(
      metadata.clientAttestationPopSigningAlgValuesSupported,
    ),
    client_attestation_pop_methods_supported: list(metadata.clientAttestationPopMethodsSupported),
    authorization_details_types_supported: list(metadata.authorizationDetailsTypesSupported),
    authorization_response_iss_parameter_supported: metadata.authorizationResponseIssParameterSupported,
    'pre-authorized_grant_anonymous_access_supported': metadata.preAuthorizedGrantAnonymousAccessSupported,
    tls_client_certificate_bound_access_tokens: metadata.tlsClientCertificateBoundAccessTokens,
    mtls_endpoint_aliases:
      metadata.mtlsEndpointAliases === undefined ? undefined : { ...metadata.mtlsEndpointAliases },
    protected_resources: list(metadata.protectedResources),
  })
  return readable(document, (body) => parseAuthorizationServerMetadata(body, metadata))
}

function list(values: readonly string[] | undefined): readonly string[] | undefined {
  return values === undefined || values.length === 0 ? undefined : [...values]
}

const address = z.string().refine((text) => parseHttpsUrl(text) !== undefined && !text.includes('#'))
const url = address.optional()
const texts = z.array(z.string()).optional()
const flag = z.boolean().optional()
const metadataSchema = z.looseObject({
  issuer: address.refine((text) => !text.includes('?')),
  authorization_endpoint: url,
  token_endpoint: url,
  pushed_authorization_request_endpoint: url,
  require_pushed_authorization_requests: flag,
  authorization_challenge_endpoint: url,
  require_interactive_authorization: flag,
  challenge_endpoint: url,
  jwks_uri: url,
  introspection_endpoint: url,
  scopes_supported: texts,
  response_types_supported: texts,
  grant_types_supported: texts,
  code_challenge_methods_supported: texts,
  token_endpoint_auth_methods_supported: texts,
  dpop_signing_alg_values_supported: texts,
  client_attestation_signing_alg_values_supported: texts,
  client_attestation_pop_signing_alg_values_supported: texts,
  client_attestation_pop_methods_supported: texts,
  authorization_details_types_supported: texts,
  authorization_response_iss_parameter_supported: flag,
  'pre-authorized_grant_anonymous_access_supported': flag,
  tls_client_certificate_bound_access_tokens: flag,
  mtls_endpoint_aliases: z.record(z.string(), address).optional(),
  protected_resources: texts,
})

/**
 * Parses metadata fetched from {@link authorizationServerMetadataUrl}.
 *
 * @param expected.issuer The identifier the URL was made from; the document must say the same one.
 * @throws {VerificationError} `answer_malformed`, `metadata_identifier_mismatch`.
 *
 * Source: RFC 8414, sections 3.2 and 3.3.
 */
export function parseAuthorizationServerMetadata(
  body: unknown,
  expected: { readonly issuer: string },
): AuthorizationServerMetadata {
  const parsed = metadataSchema.safeParse(body)
  if (!parsed.success) throw malformedAnswer(parsed.error)
  const { data } = parsed
  if (data.issuer !== expected.issuer) {
    throw new VerificationError('metadata_identifier_mismatch', 'The metadata is of another issuer.')
  }
  return {
    issuer: data.issuer,
    authorizationEndpoint: data.authorization_endpoint,
    tokenEndpoint: data.token_endpoint,
    pushedAuthorizationRequestEndpoint: data.pushed_authorization_request_endpoint,
    requirePushedAuthorizationRequests: data.require_pushed_authorization_requests,
    authorizationChallengeEndpoint: data.authorization_challenge_endpoint,
    requireInteractiveAuthorization: data.require_interactive_authorization,
    challengeEndpoint: data.challenge_endpoint,
    jwksUri: data.jwks_uri,
    introspectionEndpoint: data.introspection_endpoint,
    scopesSupported: data.scopes_supported,
    responseTypesSupported: data.response_types_supported,
    grantTypesSupported: data.grant_types_supported,
    codeChallengeMethodsSupported: data.code_challenge_methods_supported,
    tokenEndpointAuthMethodsSupported: data.token_endpoint_auth_methods_supported,
    dpopSigningAlgValuesSupported: data.dpop_signing_alg_values_supported,
    clientAttestationSigningAlgValuesSupported: data.client_attestation_signing_alg_values_supported,
    clientAttestationPopSigningAlgValuesSupported: data.client_attestation_pop_signing_alg_values_supported,
    clientAttestationPopMethodsSupported: data.client_attestation_pop_methods_supported,
    authorizationDetailsTypesSupported: data.authorization_details_types_supported,
    authorizationResponseIssParameterSupported: data.authorization_response_iss_parameter_supported,
    preAuthorizedGrantAnonymousAccessSupported: data['pre-authorized_grant_anonymous_access_supported'],
    tlsClientCertificateBoundAccessTokens: data.tls_client_certificate_bound_access_tokens,
    mtlsEndpointAliases: data.mtls_endpoint_aliases,
    protectedResources: data.protected_resources,
  }
}

/**
 * The endpoint to call: the mTLS alias when the client presents a certificate and there is one.
 *
 * @param name Wire name of the member, for example `token_endpoint`.
 *
 * Source: RFC 8705, section 5.
 */
export function mtlsEndpoint(
  metadata: AuthorizationServerMetadata,
  name: string,
  endpoint: string | undefined,
): string | undefined {
  const aliases = metadata.mtlsEndpointAliases ?? {}
  return Object.hasOwn(aliases, name) ? aliases[name] : endpoint
}
