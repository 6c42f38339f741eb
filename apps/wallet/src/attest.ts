/**
 * The attester as a process: builds it from its configuration and listens.
 *
 * Owns the composition, and taking it down again. All it may keep is its audit trail: challenges are sealed with a key
 * made at the start, so that a restart ends them together with what was remembered of the spent ones. For that reason
 * one process answers for one identifier; several of them need `createAttester` over a shared seal and store.
 *
 * @module
 */
import { dirname, resolve } from 'node:path'
import { createAuditTrail } from '@attache/audit'
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
import { createSeal, type Signer } from '@attache/keys'
import { createLevelStore } from '@attache/storage'
import { type AttesterDeps, type AttesterOptions, createAttester, type WorkloadKeys } from '@attache/wallet'
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
  const signer = files.signer(configuration.signing)
  const options = attesterOptions(configuration, files)
  const memory = await openMemory(configuration.dataFolder, { files, signer, clock })
  try {
    const { allowPrivate, trustedCertificates, listen, attester, tokenIssuers, rules } = configuration
    const role = createAttester(options, {
      ...memory.deps,
      signer,
      seal: createSeal([{ id: 'process', key: systemRandom(32) }], { random: systemRandom }),
      fetch: createGuardedFetch({ ca: trustedCertificates.map(files.text), allowPrivate }),
      clock,
      random: systemRandom,
      log,
    })
    const served = { origin: new URL(attester).origin, router: routeRequests(role.routes) }
    const listener = await startListener(listen, served, { files, log })
    const counts = { tokenIssuers: tokenIssuers.length, rules: rules.length }
    const { port } = listener
    log.info('attester.ready', { attester, port, token_issuers: counts.tokenIssuers, rules: counts.rules })
    const close = async () => {
      await listener.close()
      await memory.close()
    }
    return { attester, listen: { host: listen.host, port }, ...counts, close }
  } catch (error) {
    await memory.close()
    throw error
  }
}

/** What an attester remembers: in memory, or on disk together with its audit trail. */
async function openMemory(
  dataFolder: string | undefined,
  {
    files,
    signer,
    clock,
  }: { readonly files: ConfiguredFiles; readonly signer: Signer; readonly clock: Clock },
): Promise<{ readonly deps: Pick<AttesterDeps, 'store' | 'audit'>; close(): Promise<void> }> {
  if (dataFolder === undefined)
    return { deps: { store: createMemoryStore({ clock }) }, close: async () => {} }
  const store = await createLevelStore({ path: files.path(dataFolder), clock })
  const audit = createAuditTrail({ tenant: 'default', trail: 'attester' }, { store, signer, clock })
  return { deps: { store, audit }, close: () => store.close() }
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
