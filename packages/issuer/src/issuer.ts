/**
 * The Credential Issuer with its small authorization server, put together.
 *
 * Owns the composition: checks the options, makes the documents once, hands each endpoint what it needs.
 * Knows no HTTP server; routes are carried by a host.
 *
 * Source: OpenID4VCI 1.0; HAIP 1.0, section 4.
 *
 * @module
 */
import type { NumericDate, Route } from '@attache/core'
import { createServerNonces, type ServerNonces } from '@attache/oauth'
import { type CredentialConfiguration, makeIssuerMetadata } from '@attache/openid4vci'
import type { StatusName } from '@attache/status-list'
import { authorizationEndpoint } from './authorization-endpoint.js'
import { changeStatus } from './change-status.js'
import { type CreatedOffer, createOffer, type NewOffer } from './create-offer.js'
import { type CredentialEndpointDeps, credentialEndpoint } from './credential-endpoint.js'
import type { CredentialTemplate } from './credential-template.js'
import { decideDeferred, listDeferred, type WaitingCredential } from './decide-deferred.js'
import { deferredEndpoint } from './deferred-endpoint.js'
import { type EndpointUrls, endpointUrls } from './endpoint-urls.js'
import { grantTable } from './grant-table.js'
import { createInteractions } from './interactions.js'
import { issuerKeysEndpoint, provableIssuer } from './issuer-keys.js'
import { authorizationServerMetadataOf, configurationOf, issuerMetadataOf } from './issuer-metadata.js'
import {
  DEFAULT_LIFETIMES,
  type IssuerDeps,
  type IssuerLifetimes,
  type IssuerOptions,
} from './issuer-options.js'
import { checkIssuerOptions } from './issuer-rules.js'
import { metadataEndpoints } from './metadata-endpoints.js'
import { challengeEndpoint, nonceEndpoint } from './nonce-endpoint.js'
import { type CredentialNonces, createCredentialNonces } from './nonces.js'
import { notificationEndpoint } from './notification-endpoint.js'
import { offerEndpoint } from './offer-endpoint.js'
import { parEndpoint } from './par-endpoint.js'
import { listEntries, type RegisterEntry, type RegisterQuery } from './register-entry.js'
import { checkStoredFormat } from './stored-format.js'
import { createRecordKeys, type RecordKeys } from './stored-record.js'
import { tokenEndpoint } from './token-endpoint.js'

/** An issuer: what it answers, and what its operator can do. */
export interface Issuer {
  readonly credentialIssuer: string
  readonly routes: readonly Route[]
  /** To be called before serving. @throws {TypeError} `stored_data_newer`: a newer release wrote the data. */
  checkStoredData(): Promise<void>
  /** @throws {ProtocolError} `unknown_agent`, `unknown_configuration`, `grant_not_offered`. */
  createOffer(wanted: NewOffer, now: NumericDate): Promise<CreatedOffer>
  /** @throws {ProtocolError} `unknown_credential`, `status_not_supported`, `status_final`. */
  changeStatus(query: RegisterQuery, status: StatusName): Promise<readonly RegisterEntry[]>
  /** Deferred credentials that were not fetched yet. */
  listDeferred(): Promise<readonly WaitingCredential[]>
  /** @throws {ProtocolError} `unknown_deferred`, `deferred_decided`. */
  decideDeferred(id: string, decision: 'approved' | 'denied'): Promise<void>
  /** Unexpired credentials, a page at a time. */
  listCredentials(page: {
    readonly after?: string | undefined
    readonly limit: number
  }): Promise<readonly RegisterEntry[]>
}

/**
 * Builds an issuer.
 *
 * @throws {TypeError} A code of `checkIssuerOptions` or of the metadata rules: the configuration is refused.
 *
 * Source: OpenID4VCI 1.0, section 12.
 */
export function createIssuer(options: IssuerOptions, deps: IssuerDeps): Issuer {
  checkIssuerOptions(options, deps)
  const parts = partsOf(options, deps)
  const { keys, templates, urls } = parts
  const { store } = deps
  return {
    credentialIssuer: options.credentialIssuer,
    routes: routesOf(options, deps, parts),
    checkStoredData: () => checkStoredFormat({ store, keys }),
    createOffer: (wanted, now) =>
      createOffer(wanted, now, {
        ...deps,
        credentialIssuer: options.credentialIssuer,
        urls,
        keys,
        templates,
        grants: options.grants,
        transactionCode: options.transactionCode,
        transactionCodeAttempts: options.transactionCodeAttempts ?? 5,
        offerSeconds: parts.lifetimes.offer,
      }),
    changeStatus: (query, status) =>
      changeStatus(query, status, { store, keys, statusLists: deps.statusLists }),
    listDeferred: () => listDeferred({ store, keys }),
    decideDeferred: (id, decision) => decideDeferred({ id, decision }, { store, keys }),
    listCredentials: (page) => listEntries(page, { store, keys }),
  }
}

/** What several endpoints share. */
interface Parts {
  readonly urls: EndpointUrls
  readonly keys: RecordKeys
  readonly algorithms: NonNullable<IssuerOptions['algorithms']>
  readonly lifetimes: IssuerLifetimes
  readonly templates: ReadonlyMap<string, CredentialTemplate>
  readonly configurations: ReadonlyMap<string, CredentialConfiguration>
  readonly nonces: CredentialNonces
  readonly challenges: ServerNonces | undefined
  /** Of the authorization server. */
  readonly dpopNonces: ServerNonces | undefined
  /** Of the credential issuer; not interchangeable with the former (RFC 9449, section 9). */
  readonly resourceNonces: ServerNonces | undefined
  /** Tokens bound to no key exist for trials only: where clients are attested, tokens are bound. */
  readonly bearerTokens: boolean
}

function partsOf(options: IssuerOptions, deps: IssuerDeps): Parts {
  const { credentialIssuer: server, clientAuthentication } = options
  const keys = createRecordKeys(options.tenant ?? 'default')
  const algorithms = options.algorithms ?? ['ES256']
  const lifetimes = { ...DEFAULT_LIFETIMES, ...options.lifetimes }
  const templates = new Map(options.templates.map((template) => [template.id, template]))
  const signing = { signing: deps.signer.alg, proofs: algorithms }
  const challenged = clientAuthentication.method === 'attestation' && clientAuthentication.challenges
  const nonces = (use: 'dpop-nonce' | 'attestation-challenge', name: string) =>
    createServerNonces({ use, server: name }, deps)
  return {
    urls: endpointUrls(server),
    keys,
    algorithms,
    lifetimes,
    templates,
    configurations: new Map(options.templates.map((each) => [each.id, configurationOf(each, signing)])),
    nonces: createCredentialNonces(
      { credentialIssuer: server, lifetimeSeconds: lifetimes.cNonce },
      { ...deps, keys },
    ),
    challenges: challenged ? nonces('attestation-challenge', server) : undefined,
    dpopNonces: options.dpopNonces ? nonces('dpop-nonce', `${server} as`) : undefined,
    resourceNonces: options.dpopNonces ? nonces('dpop-nonce', `${server} rs`) : undefined,
    bearerTokens: clientAuthentication.method === 'none',
  }
}

function routesOf(options: IssuerOptions, deps: IssuerDeps, parts: Parts): readonly Route[] {
  const { credentialIssuer, clientAuthentication, keyPublication } = options
  const shared = { ...deps, ...parts, credentialIssuer, clientAuthentication }
  const credential = credentialDeps(options, deps, parts)
  const defers = options.templates.some((template) => template.issuance === 'deferred')
  return [
    ...metadataEndpoints({
      ...shared,
      issuerMetadata: makeIssuerMetadata(issuerMetadataOf(options, parts.urls, parts.configurations)),
      authorizationServerMetadata: authorizationServerMetadataOf(options, parts.urls, parts.algorithms),
      templates: options.templates,
      metadataSigner: options.signedMetadata ? deps.signer : undefined,
    }),
    ...(keyPublication ? [issuerKeysEndpoint({ credentialIssuer, publication: keyPublication }, deps)] : []),
    offerEndpoint(shared),
    nonceEndpoint(shared),
    ...(parts.challenges ? [challengeEndpoint({ ...shared, challenges: parts.challenges })] : []),
    tokenEndpoint({
      ...shared,
      dpop: parts.bearerTokens ? 'optional' : 'required',
      grants: grantTable(options, { ...deps, ...parts }),
    }),
    ...codeFlowRoutes(options, { ...shared, ...deps }),
    credentialEndpoint(credential),
    ...(defers ? [deferredEndpoint(credential)] : []),
    ...(options.notifications ? [notificationEndpoint(shared)] : []),
    ...deps.statusLists.routes,
  ]
}

function credentialDeps(options: IssuerOptions, deps: IssuerDeps, parts: Parts): CredentialEndpointDeps {
  const { credentialIssuer, keyAttesters } = options
  const { algorithms, lifetimes } = parts
  return {
    ...deps,
    ...parts,
    iss: provableIssuer(credentialIssuer, {
      signer: deps.signer,
      published: options.keyPublication !== undefined,
    }),
    batchSize: options.batchSize ?? 1,
    encryption: options.encryption,
    proofCertificates: options.proofCertificates,
    notifications: options.notifications ?? false,
    transactionSeconds: lifetimes.transaction,
    intervalSeconds: lifetimes.interval,
    keyAttestation: keyAttesters && { anchors: keyAttesters, algorithms },
    expected: {
      audience: credentialIssuer,
      algorithms,
      maxAgeSeconds: lifetimes.keyProof,
      nonce: 'required',
    },
  }
}

function codeFlowRoutes(
  options: IssuerOptions,
  shared: IssuerDeps & Parts & Pick<IssuerOptions, 'credentialIssuer' | 'clientAuthentication'>,
): readonly Route[] {
  const { signIn } = shared
  if (!options.grants.includes('authorization_code') || signIn === undefined) return []
  const { lifetimes, credentialIssuer } = { ...shared }
  const interactions = createInteractions({ credentialIssuer }, shared)
  return [
    parEndpoint({ ...shared, requestUriSeconds: lifetimes.requestUri, redirectUris: options.redirectUris }),
    ...authorizationEndpoint({
      ...shared,
      signIn,
      interactions,
      codeSeconds: lifetimes.code,
      automaticApproval: options.automaticApproval,
    }),
  ]
}
