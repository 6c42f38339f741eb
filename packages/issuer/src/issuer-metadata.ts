/**
 * What an issuer announces about itself and about its authorization server.
 *
 * Owns turning options into the two documents: a feature that is off is not in them. The documents' form is
 * `@attache/openid4vci` and `@attache/oauth`.
 *
 * Source: OpenID4VCI 1.0, sections 12.2.4 and 12.3; RFC 8414, section 2; HAIP 1.0, section 4.1.
 *
 * @module
 */
import type { JsonObject } from '@attache/core'
import type { JwsAlgorithm } from '@attache/keys'
import { createAuthorizationServerMetadata } from '@attache/oauth'
import type { CredentialConfiguration, IssuerMetadata } from '@attache/openid4vci'
import { checkHaipIssuerMetadata, PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { responseOffer } from './credential-message.js'
import type { CredentialTemplate } from './credential-template.js'
import type { EndpointUrls } from './endpoint-urls.js'
import type { IssuerOptions } from './issuer-options.js'

/** The configuration that announces a template. */
export function configurationOf(
  template: CredentialTemplate,
  algorithms: { readonly signing: JwsAlgorithm; readonly proofs: readonly JwsAlgorithm[] },
): CredentialConfiguration {
  const rules = { signingAlgorithms: algorithms.proofs, keyAttestations: template.keyAttestations }
  return {
    vct: template.vct,
    scope: template.scope,
    signingAlgorithms: [algorithms.signing],
    bindingMethods: ['jwk'],
    proofTypes: {
      jwt: template.proofTypes.includes('jwt') ? rules : undefined,
      attestation: template.proofTypes.includes('attestation') ? rules : undefined,
    },
    display: template.display,
    claims: template.claims.map((claim) => ({
      path: [claim.name] as const,
      ...(claim.mandatory ? { mandatory: true } : {}),
      ...(claim.display === undefined ? {} : { display: claim.display }),
    })),
  }
}

/** Credential Issuer Metadata. @throws {TypeError} `metadata_haip`: it breaks a rule of the profile it claims. */
export function issuerMetadataOf(
  options: IssuerOptions,
  urls: EndpointUrls,
  configurations: ReadonlyMap<string, CredentialConfiguration>,
): IssuerMetadata {
  const { encryption } = options
  const defers = options.templates.some((template) => template.issuance === 'deferred')
  const metadata: IssuerMetadata = {
    credentialIssuer: options.credentialIssuer,
    credentialEndpoint: urls.credential,
    nonceEndpoint: urls.nonce,
    deferredCredentialEndpoint: defers ? urls.deferred : undefined,
    notificationEndpoint: options.notifications ? urls.notification : undefined,
    requestEncryption: encryption && {
      jwks: encryption.keys.map((key) => key.publicJwk),
      encValues: encryption.encValues,
      required: encryption.requestRequired,
    },
    responseEncryption: encryption && responseOffer(encryption),
    batchSize: options.batchSize,
    display: options.display,
    credentialConfigurations: configurations,
  }
  if (options.mode === 'haip') checkHaipIssuerMetadata(metadata)
  return metadata
}

/** Authorization Server Metadata. */
export function authorizationServerMetadataOf(
  options: IssuerOptions,
  urls: EndpointUrls,
  algorithms: readonly JwsAlgorithm[],
): JsonObject {
  const { clientAuthentication: authentication } = options
  const attestation = authentication.method === 'attestation'
  const code = options.grants.includes('authorization_code')
  const grants = options.grants.map((grant) =>
    grant === 'pre-authorized_code' ? PRE_AUTHORIZED_CODE_GRANT : grant,
  )
  return createAuthorizationServerMetadata({
    issuer: options.credentialIssuer,
    tokenEndpoint: urls.token,
    ...(code ? codeFlow(urls) : {}),
    challengeEndpoint: attestation && authentication.challenges ? urls.challenge : undefined,
    grantTypesSupported: options.refreshTokenSeconds === undefined ? grants : [...grants, 'refresh_token'],
    scopesSupported: options.templates.map((template) => template.scope),
    tokenEndpointAuthMethodsSupported: attestation ? ['attest_jwt_client_auth'] : ['none'],
    clientAttestationSigningAlgValuesSupported: attestation ? algorithms : undefined,
    clientAttestationPopSigningAlgValuesSupported: attestation ? algorithms : undefined,
    dpopSigningAlgValuesSupported: algorithms,
    authorizationDetailsTypesSupported: ['openid_credential'],
    preAuthorizedGrantAnonymousAccessSupported:
      authentication.method === 'none' && authentication.anonymousAccess,
  })
}

function codeFlow(urls: EndpointUrls) {
  return {
    authorizationEndpoint: urls.authorization,
    pushedAuthorizationRequestEndpoint: urls.pushedAuthorizationRequest,
    requirePushedAuthorizationRequests: true,
    responseTypesSupported: ['code'],
    codeChallengeMethodsSupported: ['S256'],
    authorizationResponseIssParameterSupported: true,
  }
}
