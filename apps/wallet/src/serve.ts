/**
 * Serving: builds the wallet from its configuration and opens its sockets.
 *
 * Owns the composition of rooms into a process, the rounds of maintenance, and taking it all down again.
 *
 * @module
 */

import { dirname, resolve } from 'node:path'
import type { Finding } from '@attache/agent'
import {
  type Clock,
  createGuardedFetch,
  type Log,
  type OutboundFetch,
  type Store,
  systemClock,
  systemRandom,
} from '@attache/core'
import { type ConfiguredFiles, createConfiguredFiles, createPinoLog, readText } from '@attache/daemon'
import { createEnvelope } from '@attache/keys'
import { createLevelStore } from '@attache/storage'
import { createWallet, type Wallet, type WalletOptions } from '@attache/wallet'
import { agentCalls } from './agent-calls.js'
import { createConfiguredAttester } from './attestation.js'
import { parseConfiguration, type WalletConfiguration } from './configuration.js'
import { readConfiguredOffers } from './configured-offers.js'
import { examine } from './examine.js'
import { examineStatuses } from './examine-statuses.js'
import { type Intake, openIntake } from './intake.js'
import { readMasterKeys } from './master-keys.js'
import { createOpened, type Opened } from './opened.js'
import { operatorCalls } from './operator-calls.js'
import { createPolicy, policyWarnings } from './policy.js'
import { startRounds } from './repeated-work.js'
import {
  claimSocket,
  OPERATOR_SOCKET,
  prepareRuntimeFolder,
  releaseSocket,
  type SocketPlace,
} from './runtime-folder.js'
import { type Calls, type SocketServer, serveSocket } from './socket-server.js'
import { createTelemetry } from './telemetry.js'
import { requestKeys, walletOptions } from './wallet-options.js'

/** A daemon that is up. */
export interface RunningWallet {
  readonly operatorSocket: string
  /** Socket paths by agent. */
  readonly agentSockets: ReadonlyMap<string, string>
  /** Ports of the other ways in, as far as they are configured. */
  readonly ports: Intake['ports']
  /** What the operator should read at every start. */
  readonly warnings: readonly string[]
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
  const startedWith = readText(path)
  const configuration = parseConfiguration(startedWith)
  const files = createConfiguredFiles(dirname(path))
  const log = createPinoLog(configuration.logLevel)
  const options = walletOptions(configuration, files)
  const pdp = await createPolicy(configuration.policy, files)
  const masterKeys = await readMasterKeys(configuration.masterKeys, {
    files,
    random: systemRandom,
    credentialsFolder: process.env['CREDENTIALS_DIRECTORY'],
  })
  const agents = options.agents.map(({ id }) => id)
  const runtimeFolder = files.path(configuration.runtimeFolder)
  prepareRuntimeFolder(runtimeFolder, [OPERATOR_SOCKET, ...agents])

  const opened = createOpened()
  try {
    const openStore = (folder: string) => createLevelStore({ path: folder, clock })
    const store = await openStore(files.path(configuration.dataFolder))
    opened.push(() => store.close())
    const world = worldOf(configuration, files)
    const { telemetry, metrics } = createTelemetry()
    const shared = {
      ...world,
      ...requestKeys(configuration, files),
      clock,
      log,
      telemetry,
      pdp,
      envelope: createEnvelope(masterKeys, { random: systemRandom }),
      attester: createConfiguredAttester(configuration, { files, fetch: world.fetch }),
    }
    const wallet = createWallet(options, { ...shared, store })
    // Of another tenant: its records are sealed for places of their own and open nowhere in the agents' store.
    const apart = { ...options, tenant: `${configuration.tenant}.visitors` }
    const walletOver = (over: Store) => createWallet(apart, { ...shared, store: over })
    const callsOf = (agent: string) => agentCalls(agent, wallet)
    const receiveOffers = readConfiguredOffers(configuration, { wallet, store, files, log })
    const ways = { ...world, files, log, clock, wallet, walletOver, openStore, callsOf, opened }
    const intake = await openIntake(configuration, ways)
    const examination = examinationOf({ path, startedWith, agents }, { fetch: world.fetch, wallet, clock })
    const places = await openSockets(
      { folder: runtimeFolder, wallet, intake, log, opened, startedAt: clock(), examination, metrics },
      options,
    )
    const seconds = configuration.maintenanceSeconds
    opened.push(startRounds(() => wallet.maintain(), { seconds, event: 'wallet.maintenance_fault', log }))
    opened.push(receiveInBackground(receiveOffers, log))
    const warnings = [...policyWarnings(configuration, files), ...intake.warnings]
    return { ...places, ports: intake.ports, warnings, close: opened.close }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/** The daemon's half of `attache wallet doctor`. */
function examinationOf(
  started: { readonly path: string; readonly startedWith: string; readonly agents: readonly string[] },
  deps: { readonly fetch: OutboundFetch; readonly wallet: Wallet; readonly clock: Clock },
): () => Promise<readonly Finding[]> {
  const { path: configPath, startedWith, agents } = started
  return () =>
    examine({
      configPath,
      startedWith,
      fetch: deps.fetch,
      milliseconds: () => deps.clock() * 1000,
      machineMilliseconds: Date.now,
      examineStatuses: () => examineStatuses(agents, deps),
    })
}

// An issuer that is slow or away keeps no agent waiting for its socket.
function receiveInBackground(receive: () => Promise<void>, log: Log): () => Promise<void> {
  const receiving = receive().catch((error: unknown) => {
    log.error('wallet.configured_offer_fault', { cause: error instanceof Error ? error.name : 'unknown' })
  })
  return () => receiving
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
    readonly intake: Intake
    readonly log: Log
    readonly opened: Opened
    readonly startedAt: number
    readonly examination: () => Promise<readonly Finding[]>
    readonly metrics: () => Promise<string>
  },
  options: WalletOptions,
): Promise<Pick<RunningWallet, 'operatorSocket' | 'agentSockets'>> {
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
  const { startedAt, intake, metrics, examination } = parts
  const facts = { agents: agentSockets, startedAt, intake, metrics, examine: examination }
  // Last: whoever finds the operator's socket finds everything open.
  const operatorSocket = await open(OPERATOR_SOCKET, () => operatorCalls(facts, wallet))
  return { operatorSocket, agentSockets }
}
