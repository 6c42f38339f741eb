/**
 * One issuer of this process, from its part of the configuration.
 *
 * Owns turning files and members into the options of `@attache/issuer`. What several issuers must satisfy
 * together is `issuer-paths.ts`.
 *
 * @module
 */
import {
  type Clock,
  configurationError,
  createGuardedFetch,
  type Log,
  type Random,
  type Store,
} from '@attache/core'
import type { ConfiguredFiles } from '@attache/daemon'
import {
  createDirectory,
  createIssuer,
  type Directory,
  type Issuer,
  type IssuerOptions,
  type SignIn,
} from '@attache/issuer'
import { createAnchors, parseAlgorithms, type Seal, type TrustAnchors } from '@attache/keys'
import { createStatusLists } from '@attache/status-list'
import type { IssuerConfiguration } from './issuer-configuration.js'
import { keyPublication } from './key-succession.js'
import { createOperatorSignIn } from './operator-sign-in.js'
import { readTemplate } from './template-files.js'
import { createUpstreamSignIn } from './upstream-sign-in.js'

/** An issuer and the people and agents it issues for. */
export interface TenantIssuer {
  readonly tenant: string
  readonly issuer: Issuer
  readonly directory: Directory
}

/** An issuer whose files were read. */
export interface PlannedIssuer {
  readonly configuration: IssuerConfiguration
  readonly options: IssuerOptions
}

/** What the issuers of a process share. */
export interface TenantIssuerDeps {
  readonly files: ConfiguredFiles
  readonly store: Store
  readonly seal: Seal
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Builds an issuer. @throws {TypeError} With a code and one line that says what to do. */
export function createTenantIssuer(
  { configuration, options }: PlannedIssuer,
  deps: TenantIssuerDeps,
): TenantIssuer {
  const { files, store } = deps
  const { tenant } = configuration
  const signer = files.signer(configuration.signing)
  const statusSigner = configuration.statusSigning ? files.signer(configuration.statusSigning) : signer
  const directory = createDirectory({ store, tenant })
  const statusLists = createStatusLists(statusListOptions(configuration), { ...deps, signer: statusSigner })
  const signIn = signInOf(configuration, directory, deps)
  const issuer = createIssuer(options, { ...deps, signer, claims: directory, statusLists, signIn })
  return { tenant, issuer, directory }
}

/** The options of an issuer. @throws {TypeError} A file is missing or wrong. */
export function issuerOptions(configuration: IssuerConfiguration, files: ConfiguredFiles): IssuerOptions {
  const { credentialIssuer } = configuration
  return {
    credentialIssuer,
    tenant: configuration.tenant,
    mode: configuration.mode,
    templates: configuration.templates.map((file) => readTemplate(file, files, credentialIssuer)),
    grants: configuration.grants,
    clientAuthentication: clientAuthentication(configuration, files),
    transactionCode: configuration.transactionCode,
    transactionCodeAttempts: configuration.transactionCodeAttempts,
    algorithms: configuration.algorithms && parseAlgorithms(configuration.algorithms),
    dpopNonces: configuration.dpopNonces,
    batchSize: configuration.batchSize,
    display: configuration.display,
    lifetimes: lifetimes(configuration),
    keyAttesters: anchors('keyAttesters', configuration, files),
    proofCertificates: anchors('proofCertificates', configuration, files),
    redirectUris: configuration.redirectUris,
    credentialIdentifiers: configuration.credentialIdentifiers,
    refreshRotationGraceSeconds: configuration.refreshRotationGraceSeconds,
    notifications: configuration.notifications,
    signedMetadata: configuration.signedMetadata,
    keyPublication: keyPublication(configuration, files),
    refreshTokenSeconds: configuration.refreshTokenSeconds,
    automaticApproval: configuration.automaticApproval,
    encryption: configuration.encryption && {
      ...configuration.encryption,
      keys: configuration.encryption.keys.map(files.decryptionKey),
    },
  }
}

function signInOf(configuration: IssuerConfiguration, directory: Directory, deps: TenantIssuerDeps): SignIn {
  const { operators, upstream } = configuration
  const { files } = deps
  if (upstream === undefined) {
    const known = operators.map(({ name, passwordFile, owner }) => ({
      name,
      password: files.token(passwordFile, 12),
      owner,
    }))
    return createOperatorSignIn(known, directory)
  }
  if (operators.length > 0) {
    throw configurationError('sign_in', 'People sign in as operators or upstream. Remove one of the two.')
  }
  const { certificateAuthority: ca, allowPrivate, clientSecretFile } = upstream
  const fetch = createGuardedFetch({ allowPrivate, ...(ca === undefined ? {} : { ca: [files.text(ca)] }) })
  const clientSecret = files.token(clientSecretFile)
  return createUpstreamSignIn({ ...upstream, clientSecret }, { ...deps, fetch, directory })
}

/** What is not said about lifetimes is left to the issuer's defaults. */
function lifetimes({ lifetimes: said }: IssuerConfiguration): IssuerOptions['lifetimes'] {
  return Object.fromEntries(
    Object.entries(said).flatMap(([name, seconds]) => (seconds === undefined ? [] : [[name, seconds]])),
  )
}

function anchors(
  name: 'keyAttesters' | 'proofCertificates',
  configuration: IssuerConfiguration,
  files: ConfiguredFiles,
): TrustAnchors | undefined {
  const file = configuration[name]
  return file === undefined ? undefined : createAnchors(name, [files.text(file)])
}

function clientAuthentication(
  configuration: IssuerConfiguration,
  files: ConfiguredFiles,
): IssuerOptions['clientAuthentication'] {
  if (configuration.clientAuthentication === 'none') {
    return { method: 'none', anonymousAccess: configuration.anonymousAccess }
  }
  return {
    method: 'attestation',
    challenges: configuration.attestationChallenges,
    maxAttestationAgeSeconds: configuration.maxAttestationAgeSeconds,
    attesters: configuration.walletAttesters.map(({ name, anchors: file, issuer, clients }) => ({
      name,
      anchors: createAnchors(name, [files.text(file)]),
      issuer,
      clients: clients === 'any' ? clients : clients.map((is) => ({ is })),
    })),
  }
}

function statusListOptions(configuration: IssuerConfiguration) {
  const { ttlSeconds, lifetimeSeconds, size, cacheSeconds } = configuration.statusList
  return {
    issuer: configuration.credentialIssuer,
    tenant: configuration.tenant,
    bits: 2 as const,
    ttlSeconds,
    lifetimeSeconds,
    ...(size === undefined ? {} : { size }),
    ...(cacheSeconds === undefined ? {} : { cacheSeconds }),
  }
}
