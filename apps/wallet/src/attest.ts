/**
 * The attester as a process: builds it from its configuration and listens.
 *
 * Owns the composition, and taking it down again. It keeps no data: challenges are sealed with a key made at the
 * start, and the spent ones are remembered in memory for their minute, so that a restart ends both together. For that
 * reason one process answers for one identifier; several of them need `createAttester` over a shared seal and store.
 *
 * @module
 */
import { dirname, resolve } from 'node:path'
import {
  type Clock,
  createGuardedFetch,
  createMemoryStore,
  isJsonObject,
  type JsonObject,
  routeRequests,
  systemClock,
  systemRandom,
} from '@attache/core'
import {
  type ConfiguredFiles,
  createConfiguredFiles,
  createPinoLog,
  readText,
  startListener,
  startUpError,
} from '@attache/daemon'
import { createSeal } from '@attache/keys'
import { type AttesterOptions, createAttester, type WorkloadKeys } from '@attache/wallet'
import {
  type AttesterProcessConfiguration,
  parseAttesterConfiguration,
  type TokenIssuerConfiguration,
} from './attester-configuration.js'
import { withoutAbsent } from './without-absent.js'

/** An attester that is up. */
export interface RunningAttester {
  readonly attester: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly tokenIssuers: number
  readonly rules: number
  close(): Promise<void>
}

/**
 * Starts the attester.
 *
 * @param configPath Path of the configuration file.
 * @param clock The time everything in here agrees on.
 * @throws {TypeError} With a code and one line that says what to do.
 */
export async function attest(configPath: string, clock: Clock = systemClock): Promise<RunningAttester> {
  const path = resolve(configPath)
  const configuration = parseAttesterConfiguration(readText(path))
  const files = createConfiguredFiles(dirname(path))
  const log = createPinoLog(configuration.logLevel)
  const { allowPrivate, trustedCertificates, listen, signing } = configuration
  const role = createAttester(attesterOptions(configuration, files), {
    signer: files.signer(signing),
    store: createMemoryStore({ clock }),
    seal: createSeal([{ id: 'process', key: systemRandom(32) }], { random: systemRandom }),
    fetch: createGuardedFetch({ ca: trustedCertificates.map(files.text), allowPrivate }),
    clock,
    random: systemRandom,
    log,
  })
  const served = { origin: new URL(configuration.attester).origin, router: routeRequests(role.routes) }
  const { port, close } = await startListener(listen, served, { files, log })
  const { attester, tokenIssuers, rules } = configuration
  log.info('attester.ready', { attester, port, token_issuers: tokenIssuers.length, rules: rules.length })
  return {
    attester,
    listen: { host: listen.host, port },
    tokenIssuers: tokenIssuers.length,
    rules: rules.length,
    close,
  }
}

function attesterOptions(
  configuration: AttesterProcessConfiguration,
  files: ConfiguredFiles,
): AttesterOptions {
  const { attester, attestationSeconds, challengeSeconds, keyCache, rules, tokenIssuers } = configuration
  return {
    attester,
    ...withoutAbsent({ attestationSeconds, challengeSeconds }),
    keyCache: withoutAbsent(keyCache),
    tokenIssuers: tokenIssuers.map((issuer) => ({
      ...withoutAbsent({ maxLifetimeSeconds: issuer.maxLifetimeSeconds }),
      issuer: issuer.issuer,
      audience: issuer.audience,
      algorithms: issuer.algorithms,
      keys: keysOf(issuer, files),
    })),
    rules: rules.map(({ id, issuer, subject, clientId, claims, agents }) => ({
      ...withoutAbsent({ claims, agents }),
      id,
      issuer,
      subject,
      clientId,
    })),
  }
}

function keysOf({ jwksUri, jwks }: TokenIssuerConfiguration, files: ConfiguredFiles): WorkloadKeys {
  if (jwksUri !== undefined) return { jwksUri }
  return jwks === undefined ? { discovery: true } : { jwks: keySet(jwks, files) }
}

function keySet(file: string, files: ConfiguredFiles): JsonObject {
  const value = files.json(file)
  if (isJsonObject(value)) return value
  throw startUpError('file_malformed', `The file ${files.path(file)} must hold a JWK Set.`)
}
