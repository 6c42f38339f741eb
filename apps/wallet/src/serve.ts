/**
 * Serving: builds the wallet from its configuration and opens its sockets.
 *
 * Owns the composition of rooms into a process, the rounds of maintenance, and taking it all down again.
 *
 * @module
 */

import { dirname, resolve } from 'node:path'
import type { Finding } from '@attache/agent'
import { type Clock, createGuardedFetch, type Log, systemClock, systemRandom } from '@attache/core'
import {
  type ConfiguredFiles,
  createConfiguredFiles,
  createPinoLog,
  readText,
  startUpError,
} from '@attache/daemon'
import { createAnchors, createEnvelope, parseAlgorithms } from '@attache/keys'
import { createLevelStore } from '@attache/storage'
import { AGENT_ID, createWallet, type Wallet, type WalletOptions } from '@attache/wallet'
import { agentCalls } from './agent-calls.js'
import { createConfiguredAttester } from './attestation.js'
import { parseConfiguration, type WalletConfiguration } from './configuration.js'
import { examine } from './examine.js'
import { readMasterKeys } from './master-keys.js'
import { operatorCalls } from './operator-calls.js'
import { createPolicy } from './policy.js'
import {
  claimSocket,
  OPERATOR_SOCKET,
  prepareRuntimeFolder,
  releaseSocket,
  type SocketPlace,
} from './runtime-folder.js'
import { type Calls, type SocketServer, serveSocket } from './socket-server.js'
import { withoutAbsent } from './without-absent.js'

/** A daemon that is up. */
export interface RunningWallet {
  readonly operatorSocket: string
  /** Socket paths by agent. */
  readonly agentSockets: ReadonlyMap<string, string>
  close(): Promise<void>
}

/**
 * Starts the daemon.
 *
 * @param configPath Path of the configuration file.
 * @param clock The time everything in here agrees on.
 * @throws {TypeError} With a code and one line that says what to do.
 */
export async function serve(configPath: string, clock: Clock = systemClock): Promise<RunningWallet> {
  const path = resolve(configPath)
  const configuration = parseConfiguration(readText(path))
  const files = createConfiguredFiles(dirname(path))
  const log = createPinoLog(configuration.logLevel)
  const options = walletOptions(configuration, files)
  const pdp = await createPolicy(configuration.policy, files)
  const masterKeys = await readMasterKeys(configuration.masterKeys, {
    files,
    random: systemRandom,
    credentialsFolder: process.env['CREDENTIALS_DIRECTORY'],
  })
  const runtimeFolder = files.path(configuration.runtimeFolder)
  prepareRuntimeFolder(runtimeFolder, [OPERATOR_SOCKET, ...options.agents.map(({ id }) => id)])

  const opened = createOpened()
  try {
    const store = await createLevelStore({ path: files.path(configuration.dataFolder), clock })
    opened.push(() => store.close())
    const world = worldOf(configuration, files)
    const wallet = createWallet(options, {
      ...world,
      clock,
      store,
      log,
      pdp,
      envelope: createEnvelope(masterKeys, { random: systemRandom }),
      attester: createConfiguredAttester(configuration, { files, fetch: world.fetch }),
    })
    const examination = () =>
      examine({ configPath: path, fetch: world.fetch, milliseconds: () => clock() * 1000 })
    const places = await openSockets(
      { folder: runtimeFolder, wallet, log, opened, startedAt: clock(), examine: examination },
      options,
    )
    opened.push(startMaintenance(wallet, configuration.maintenanceSeconds, log))
    return { ...places, close: opened.close }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** What was opened, to be closed in the opposite order. */
interface Opened {
  push(close: () => Promise<void> | void): void
  close(): Promise<void>
}

function createOpened(): Opened {
  const closing: (() => Promise<void> | void)[] = []
  return {
    push: (close) => {
      closing.push(close)
    },
    async close() {
      for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close()
    },
  }
}

function walletOptions(configuration: WalletConfiguration, files: ConfiguredFiles): WalletOptions {
  const anchors = (name: string, file: string) => createAnchors(name, [files.text(file)])
  for (const { id } of configuration.agents) {
    if (id === OPERATOR_SOCKET || !AGENT_ID.test(id)) {
      throw startUpError(
        'agent_invalid',
        `The agent id ${JSON.stringify(id)} cannot name a socket. Choose another one.`,
      )
    }
  }
  const { tenant, profile, agents, redirectUri, errorDelivery, transactionDataTypes } = configuration
  return {
    tenant,
    profile,
    agents,
    algorithms: parseAlgorithms(configuration.algorithms),
    issuers: configuration.issuers.map(({ anchors: file, statusAnchors, metadataAnchors, ...issuer }) => ({
      ...withoutAbsent(issuer),
      anchors: anchors(`anchors of ${issuer.credentialIssuer}`, file),
      ...(statusAnchors === undefined
        ? {}
        : { statusAnchors: anchors(`status anchors of ${issuer.credentialIssuer}`, statusAnchors) }),
      ...(metadataAnchors === undefined
        ? {}
        : { metadataAnchors: anchors(`metadata anchors of ${issuer.credentialIssuer}`, metadataAnchors) }),
    })),
    verifiers: configuration.verifiers.map(({ anchors: file, ...verifier }) => ({
      ...withoutAbsent(verifier),
      ...(file === undefined ? {} : { anchors: anchors(`anchors of ${verifier.clientId}`, file) }),
    })),
    ...withoutAbsent({ redirectUri, errorDelivery, transactionDataTypes }),
  }
}

function worldOf(configuration: WalletConfiguration, files: ConfiguredFiles) {
  const ca = configuration.trustedCertificates.map(files.text)
  const { allowPrivate } = configuration
  return { fetch: createGuardedFetch({ ca, allowPrivate }), random: systemRandom }
}

async function openSockets(
  parts: {
    readonly folder: string
    readonly wallet: Wallet
    readonly log: Log
    readonly opened: Opened
    readonly startedAt: number
    readonly examine: () => Promise<readonly Finding[]>
  },
  options: WalletOptions,
): Promise<Omit<RunningWallet, 'close'>> {
  const { folder, wallet, log, opened } = parts
  const open = async (name: string, calls: (place: SocketPlace) => Calls): Promise<string> => {
    const place = await claimSocket(folder, name, { random: systemRandom })
    opened.push(() => releaseSocket(place))
    const server: SocketServer = await serveSocket(place, calls(place), { log })
    opened.push(() => server.close())
    return place.path
  }
  const agentSockets = new Map<string, string>()
  for (const { id } of options.agents) agentSockets.set(id, await open(id, () => agentCalls(id, wallet)))
  const { startedAt, examine: examination } = parts
  const facts = { agents: agentSockets, startedAt, examine: examination }
  // Last: whoever finds the operator's socket finds everything open.
  const operatorSocket = await open(OPERATOR_SOCKET, () => operatorCalls(facts, wallet))
  return { operatorSocket, agentSockets }
}

/** Rounds of maintenance, one after the other. @returns Ends them. */
function startMaintenance(wallet: Wallet, seconds: number, log: Log): () => Promise<void> {
  let stopped = false
  let round: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    round = round.then(async () => {
      if (stopped) return
      try {
        await wallet.maintain()
      } catch (error) {
        log.error('wallet.maintenance_fault', { cause: error instanceof Error ? error.name : 'unknown' })
      }
    })
  }, seconds * 1000)
  return async () => {
    stopped = true
    clearInterval(timer)
    await round
  }
}
