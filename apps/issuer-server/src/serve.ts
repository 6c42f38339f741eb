/**
 * Serving: builds the issuer from its configuration and listens.
 *
 * Owns the composition of rooms into a process, and taking it down again.
 *
 * @module
 */

import { dirname, resolve } from 'node:path'
import { routeRequests, systemClock, systemRandom } from '@attache/core'
import { type ConfiguredFiles, createConfiguredFiles, createPinoLog, readText } from '@attache/daemon'
import { createDirectory, createIssuer, type IssuerOptions, parseCredentialTemplate } from '@attache/issuer'
import { createAnchors, createSeal, type TrustAnchors } from '@attache/keys'
import { createStatusLists } from '@attache/status-list'
import { createLevelStore, type LevelStore } from '@attache/storage'
import { type IssuerServerConfiguration, parseConfiguration } from './configuration.js'
import { type RunningListener, startListener } from './https-listener.js'
import { managementRoutes } from './management-routes.js'
import { createOperatorSignIn, type Operator } from './operator-sign-in.js'

/** A server that is up. */
export interface RunningServer {
  readonly credentialIssuer: string
  readonly listen: { readonly host: string; readonly port: number }
  /** Undefined: not configured. */
  readonly management: { readonly host: string; readonly port: number } | undefined
  close(): Promise<void>
}

/**
 * Starts the server.
 *
 * @param configPath Path of the configuration file.
 * @throws {TypeError} With a code and one line that says what to do.
 */
export async function serve(configPath: string): Promise<RunningServer> {
  const path = resolve(configPath)
  const configuration = parseConfiguration(readText(path))
  const files = createConfiguredFiles(dirname(path))
  const options = issuerOptions(configuration, files)
  const store = await createLevelStore({ path: files.path(configuration.dataFolder), clock: systemClock })
  const listeners: RunningListener[] = []
  const close = async (): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close()))
    await store.close()
  }
  try {
    await listen({ configuration, files, options, store }, listeners)
  } catch (error) {
    await close()
    throw error
  }
  const [publicPort = 0, managementPort = 0] = listeners.map((listener) => listener.port)
  return {
    credentialIssuer: configuration.credentialIssuer,
    listen: { host: configuration.listen.host, port: publicPort },
    management: configuration.management && { host: configuration.management.host, port: managementPort },
    close,
  }
}

async function listen(
  parts: {
    readonly configuration: IssuerServerConfiguration
    readonly files: ConfiguredFiles
    readonly options: IssuerOptions
    readonly store: LevelStore
  },
  listeners: RunningListener[],
): Promise<void> {
  const { configuration, files, options, store } = parts
  const log = createPinoLog(configuration.logLevel)
  const random = systemRandom
  const clock = systemClock
  const shared = { store, clock, random, log }
  const { credentialIssuer, tenant } = configuration
  const signer = files.signer(configuration.signing)
  const statusSigner = configuration.statusSigning ? files.signer(configuration.statusSigning) : signer
  const directory = createDirectory({ store, tenant })
  const statusLists = createStatusLists(statusListOptions(configuration), { ...shared, signer: statusSigner })
  const seal = createSeal(configuration.sealKeys.map(files.secretKey), { random })
  const signIn = createOperatorSignIn(operators(configuration, files), directory)
  const issuer = createIssuer(options, { ...shared, signer, claims: directory, statusLists, seal, signIn })

  await issuer.checkStoredData()
  const { origin } = new URL(credentialIssuer)
  const deps = { files, log }
  listeners.push(
    await startListener(configuration.listen, { origin, router: routeRequests(issuer.routes) }, deps),
  )
  if (configuration.management === undefined) return
  const token = files.token(configuration.management.tokenFile)
  const router = routeRequests(managementRoutes({ issuer, directory, token, clock, random, log }))
  listeners.push(await startListener(configuration.management, { origin: 'https://localhost', router }, deps))
}

function issuerOptions(configuration: IssuerServerConfiguration, files: ConfiguredFiles): IssuerOptions {
  const { credentialIssuer } = configuration
  return {
    credentialIssuer,
    tenant: configuration.tenant,
    mode: configuration.mode,
    templates: configuration.templates.map((file) =>
      parseCredentialTemplate(files.text(file), { credentialIssuer }),
    ),
    grants: configuration.grants,
    clientAuthentication: clientAuthentication(configuration, files),
    transactionCode: configuration.transactionCode,
    dpopNonces: configuration.dpopNonces,
    batchSize: configuration.batchSize,
    display: configuration.display,
    lifetimes: configuration.lifetimes,
    keyAttesters: anchors('keyAttesters', configuration, files),
    proofCertificates: anchors('proofCertificates', configuration, files),
    redirectUris: configuration.redirectUris,
    credentialIdentifiers: configuration.credentialIdentifiers,
    refreshRotationGraceSeconds: configuration.refreshRotationGraceSeconds,
    notifications: configuration.notifications,
    signedMetadata: configuration.signedMetadata,
    refreshTokenSeconds: configuration.refreshTokenSeconds,
    encryption: configuration.encryption && {
      ...configuration.encryption,
      keys: configuration.encryption.keys.map(files.decryptionKey),
    },
  }
}

function anchors(
  name: 'keyAttesters' | 'proofCertificates',
  configuration: IssuerServerConfiguration,
  files: ConfiguredFiles,
): TrustAnchors | undefined {
  const file = configuration[name]
  return file === undefined ? undefined : createAnchors(name, [files.text(file)])
}

function operators(configuration: IssuerServerConfiguration, files: ConfiguredFiles): readonly Operator[] {
  return configuration.operators.map(({ name, passwordFile, owner }) => ({
    name,
    password: files.token(passwordFile, 12),
    owner,
  }))
}

function clientAuthentication(
  configuration: IssuerServerConfiguration,
  files: ConfiguredFiles,
): IssuerOptions['clientAuthentication'] {
  if (configuration.clientAuthentication === 'none') return { method: 'none', anonymousAccess: true }
  return {
    method: 'attestation',
    challenges: configuration.attestationChallenges,
    attesters: configuration.walletAttesters.map(({ name, anchors, issuer, clients }) => ({
      name,
      anchors: createAnchors(name, [files.text(anchors)]),
      issuer,
      clients: clients === 'any' ? clients : clients.map((is) => ({ is })),
    })),
  }
}

function statusListOptions(configuration: IssuerServerConfiguration) {
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
