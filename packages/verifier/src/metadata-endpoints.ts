/**
 * What this verifier says about itself: as protected resource, as authorization server, and its keys.
 *
 * Source: RFC 9728, section 3; RFC 8414, section 3; RFC 7517, section 5.
 *
 * @module
 */
import { endpoint, type JsonObject, json, type Log, type Random, type Route } from '@attache/core'
import { bareJwk, type Signer } from '@attache/keys'
import {
  authorizationServerMetadataUrl,
  createAuthorizationServerMetadata,
  createProtectedResourceMetadata,
  type MessageSignatureRule,
  protectedResourceMetadataUrl,
} from '@attache/oauth'
import { didDocument } from './request-identity.js'
import type { Settings } from './settings.js'

/** What the endpoints need. */
export interface MetadataEndpointsDeps {
  readonly settings: Settings
  readonly signer: Signer
  /** Scopes of the guarded routes, as far as they are known by now. */
  readonly scopes: () => readonly string[]
  /** Under which of them something is signed. */
  readonly signatureRules: () => readonly MessageSignatureRule[]
  readonly log: Log
  readonly random: Random
}

/** Makes the routes. */
export function metadataEndpoints(deps: MetadataEndpointsDeps): readonly Route[] {
  const { settings } = deps
  const document = (url: string, make: () => JsonObject): Route => ({
    method: 'GET',
    path: new URL(url).pathname,
    handle: endpoint(async () => json(200, make(), { 'Cache-Control': 'max-age=300' }), {
      statuses: {},
      log: deps.log,
      random: deps.random,
      event: 'verifier.metadata',
    }),
  })
  const resource = document(protectedResourceMetadataUrl(settings.origin), () => resourceMetadata(deps))
  // For whoever verifies tokens or signed answers.
  const keys = document(`${settings.origin}${settings.endpoints.jwks}`, () => jwks(deps.signer))
  const did = didDocument(settings.identity, { origin: settings.origin, signer: deps.signer })
  const identity = did === undefined ? [] : [document(`${settings.origin}${did.path}`, () => did.document)]
  if (settings.walletAttesters.length === 0) return [resource, keys, ...identity]
  return [
    ...identity,
    resource,
    document(authorizationServerMetadataUrl(settings.origin), () => serverMetadata(deps)),
    keys,
  ]
}

function resourceMetadata({ settings, scopes, signatureRules, signer }: MetadataEndpointsDeps): JsonObject {
  const { origin, algorithms, walletAttesters } = settings
  const rules = signatureRules()
  const answers = rules.some(({ responses }) => responses)
  return createProtectedResourceMetadata({
    resource: origin,
    authorizationServers: walletAttesters.length === 0 ? [] : [origin],
    scopesSupported: scopes(),
    bearerMethodsSupported: ['header'],
    jwksUri: answers ? `${origin}${settings.endpoints.jwks}` : undefined,
    resourceSigningAlgValuesSupported: answers ? [signer.alg] : [],
    messageSignatures: rules,
    dpopSigningAlgValuesSupported: algorithms,
    dpopBoundAccessTokensRequired: settings.senderConstraint === 'dpop',
    tlsClientCertificateBoundAccessTokens: settings.clientCertificate === undefined ? undefined : true,
  })
}

function serverMetadata({ settings, scopes }: MetadataEndpointsDeps): JsonObject {
  const { origin, endpoints, algorithms } = settings
  return createAuthorizationServerMetadata({
    issuer: origin,
    tokenEndpoint: `${origin}${endpoints.token}`,
    authorizationChallengeEndpoint: `${origin}${endpoints.challenge}`,
    requireInteractiveAuthorization: true,
    jwksUri: `${origin}${endpoints.jwks}`,
    scopesSupported: scopes(),
    responseTypesSupported: ['code'],
    grantTypesSupported: ['authorization_code'],
    codeChallengeMethodsSupported: ['S256'],
    tokenEndpointAuthMethodsSupported: ['attest_jwt_client_auth', 'attest_jwt_client_auth_dpop'],
    dpopSigningAlgValuesSupported: algorithms,
    clientAttestationSigningAlgValuesSupported: algorithms,
    clientAttestationPopSigningAlgValuesSupported: algorithms,
    tlsClientCertificateBoundAccessTokens: settings.clientCertificate === undefined ? undefined : true,
    protectedResources: [origin],
  })
}

function jwks(signer: Signer): JsonObject {
  const { kty, ...rest } = bareJwk(signer.publicJwk)
  // The chain lets a wallet tell this key from one that somebody on the way put here (RFC 7517, section 4.7).
  const x5c = signer.x5c === undefined ? {} : { x5c: [...signer.x5c] }
  return { keys: [{ kty, ...rest, kid: signer.kid, alg: signer.alg, use: 'sig', ...x5c }] }
}
