/**
 * Serving: builds the issuers of a configuration and listens.
 *
 * Owns the composition of rooms into a process, and taking it down again.
 *
 * @module
 */

import { dirname, resolve } from 'node:path'
import { routeRequests, systemClock, systemRandom } from '@attache/core'
import {
  type ConfiguredFiles,
  createConfiguredFiles,
  createPinoLog,
  type RunningListener,
  readText,
  startListener,
} from '@attache/daemon'
import { createSeal } from '@attache/keys'
import { createLevelStore, type LevelStore } from '@attache/storage'
import { type IssuerServerConfiguration, parseConfiguration } from './configuration.js'
import { checkIssuers, checkRoutes } from './issuer-paths.js'
import { managementRoutes } from './management-routes.js'
import { createTenantIssuer, issuerOptions, type PlannedIssuer } from './tenant-issuer.js'

/** A server that is up. */
export interface RunningServer {
  /** In the order of the configuration. */
  readonly credentialIssuers: readonly string[]
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
  const origin = checkIssuers(configuration)
  // Before the store is opened: a missing file is named even where another process has the data.
  const planned = configuration.issuers.map((each) => ({
    configuration: each,
    options: issuerOptions(each, files),
  }))
  const store = await createLevelStore({ path: files.path(configuration.dataFolder), clock: systemClock })
  const listeners: RunningListener[] = []
  const close = async (): Promise<void> => {
    await Promise.all(listeners.map((listener) => listener.close()))
    await store.close()
  }
  try {
    await listen({ configuration, files, origin, planned, store }, listeners)
  } catch (error) {
    await close()
    throw error
  }
  const [publicPort = 0, managementPort = 0] = listeners.map((listener) => listener.port)
  return {
    credentialIssuers: configuration.issuers.map((issuer) => issuer.credentialIssuer),
    listen: { host: configuration.listen.host, port: publicPort },
    management: configuration.management && { host: configuration.management.host, port: managementPort },
    close,
  }
}

async function listen(
  parts: {
    readonly configuration: IssuerServerConfiguration
    readonly files: ConfiguredFiles
    readonly origin: string
    readonly planned: readonly PlannedIssuer[]
    readonly store: LevelStore
  },
  listeners: RunningListener[],
): Promise<void> {
  const { configuration, files, origin, planned, store } = parts
  const log = createPinoLog(configuration.logLevel)
  const random = systemRandom
  const clock = systemClock
  const seal = createSeal(configuration.sealKeys.map(files.secretKey), { random })
  const shared = { files, store, seal, clock, random, log }
  const issuers = planned.map((each) => createTenantIssuer(each, shared))
  checkRoutes(issuers.map(({ issuer }) => issuer))
  for (const { issuer } of issuers) await issuer.checkStoredData()

  const deps = { files, log }
  const router = routeRequests(issuers.flatMap(({ issuer }) => issuer.routes))
  listeners.push(await startListener(configuration.listen, { origin, router }, deps))
  if (configuration.management === undefined) return
  const token = files.token(configuration.management.tokenFile)
  const routes = issuers.flatMap(({ issuer, directory, tenant }) => {
    const management = { issuer, directory, token, clock, random, log }
    // One issuer is managed at the short paths too: a script goes on working when a second one comes.
    const places = configuration.several ? [`tenants/${tenant}/`] : ['', `tenants/${tenant}/`]
    return places.flatMap((place) => managementRoutes(place, management))
  })
  const managed = { origin: 'https://localhost', router: routeRequests(routes) }
  listeners.push(await startListener(configuration.management, managed, deps))
}
