/**
 * The ways in that are off until they are configured: agents on other hosts, visitors, the inbox.
 *
 * Owns opening them beside the sockets. Visitors have a wallet of their own over a store of their own, with the
 * same lists and the same policy; everything else works on the agents' wallet.
 *
 * Source: design, 'The runtime path of an agent', 8; threat model, rows 25 and 26.
 *
 * @module
 */
import { type Clock, type Log, type Random, routeRequests, type Store } from '@attache/core'
import { type ConfiguredFiles, startListener, startUpError } from '@attache/daemon'
import type { Wallet } from '@attache/wallet'
import type { WalletConfiguration } from './configuration.js'
import { createInbox, type Inbox } from './inbox.js'
import { openInboxFolder } from './inbox-folder.js'
import { inboxRoutes } from './inbox-routes.js'
import { createOpener } from './open-address.js'
import type { Opened } from './opened.js'
import { serveRemote } from './remote-server.js'
import { startRounds } from './repeated-work.js'
import type { Calls } from './socket-server.js'
import { visitorRoutes } from './visitor-routes.js'
import { createVisits, type Visits } from './visits.js'

/** What was opened. */
export interface Intake {
  /** Ports by part, as far as they are open. */
  readonly ports: Readonly<Partial<Record<'remote' | 'visitors' | 'inbox', number>>>
  readonly visits?: Visits
  /** The wallet that visitors meet; stopped and explained with the other one. */
  readonly visitorsWallet?: Wallet
  readonly inbox?: Inbox
  /** For people, at every start. */
  readonly warnings: readonly string[]
}

/** What opening needs. */
export interface IntakeDeps {
  readonly files: ConfiguredFiles
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
  /** The agents' wallet. */
  readonly wallet: Wallet
  /** A wallet like it over another store, whose records do not open in the agents' own. */
  readonly walletOver: (store: Store) => Wallet
  readonly openStore: (folder: string) => Promise<Store & { close(): Promise<void> }>
  readonly callsOf: (agent: string) => Calls
  readonly opened: Opened
}

/**
 * Opens what is configured.
 *
 * @throws {TypeError} With a code and one line that says what to do.
 */
export async function openIntake(configuration: WalletConfiguration, deps: IntakeDeps): Promise<Intake> {
  const remote = await openRemote(configuration, deps)
  const visitors = await openVisitors(configuration, deps)
  const inbox = await openInbox(configuration, deps)
  return {
    ports: { ...remote.ports, ...visitors.ports, ...inbox.ports },
    ...(visitors.visits === undefined ? {} : { visits: visitors.visits }),
    ...(visitors.visitorsWallet === undefined ? {} : { visitorsWallet: visitors.visitorsWallet }),
    ...(inbox.inbox === undefined ? {} : { inbox: inbox.inbox }),
    warnings: visitors.warnings ?? [],
  }
}

async function openRemote({ remote, agents }: WalletConfiguration, deps: IntakeDeps) {
  if (remote === undefined) return {}
  const isAgent = (agent: string) => agents.some(({ id }) => id === agent)
  const server = await serveRemote(
    remote,
    (agent) => (isAgent(agent) ? deps.callsOf(agent) : undefined),
    deps,
  )
  deps.opened.push(() => server.close())
  return { ports: { remote: server.port } }
}

async function openVisitors(
  configuration: WalletConfiguration,
  deps: IntakeDeps,
): Promise<Partial<Pick<Intake, 'ports' | 'visits' | 'visitorsWallet' | 'warnings'>>> {
  const { visitors, maintenanceSeconds } = configuration
  if (visitors === undefined) return {}
  const { files, log, clock, opened } = deps
  const { agent, consent, origin, listen, openWith, transactionCodeFile } = visitors
  checkVisitors(configuration, files)
  const store = await deps.openStore(files.path(visitors.dataFolder))
  opened.push(() => store.close())
  const wallet = deps.walletOver(store)
  await stopAlike(agent, { from: deps.wallet, to: wallet })
  const txCode = transactionCodeFile === undefined ? undefined : files.text(transactionCodeFile).trim()
  const open = openWith === undefined ? {} : { open: createOpener(openWith, { log }) }
  const visits = createVisits({ agent, consent, txCode }, { ...deps, ...open, wallet })
  const router = routeRequests(visitorRoutes(visits, files.token(visitors.statusTokenFile), { clock, log }))
  const listener = await startListener(listen, { origin, router }, { files, log })
  opened.push(() => listener.close())
  const rounds = { seconds: maintenanceSeconds, event: 'wallet.visitors_maintenance_fault', log }
  opened.push(startRounds(() => wallet.maintain(), rounds))
  const said = consent === 'automatic' ? 'without asking anybody' : "after the operator's consent"
  const warning = `Visitors are let in at ${origin}: whoever reaches it can start issuances and presentations for ${agent}, ${said}. This part is for tests with strict peers; remove visitors from the configuration when they are done.`
  log.warn('wallet.visitors_open', { origin, agent, consent })
  return { ports: { visitors: listener.port }, visits, visitorsWallet: wallet, warnings: [warning] }
}

// The switch may have been used while this part was off.
async function stopAlike(
  agent: string,
  { from, to }: { readonly from: Wallet; readonly to: Wallet },
): Promise<void> {
  const [{ stopped }, own] = [await from.overview(agent), await to.overview(agent)]
  if (own.stopped !== stopped) await to.setStopped(agent, stopped)
}

function checkVisitors({ visitors, agents, dataFolder }: WalletConfiguration, files: ConfiguredFiles): void {
  if (visitors === undefined) return
  if (!agents.some(({ id }) => id === visitors.agent))
    throw startUpError('visitors_agent_unknown', `Visitors meet ${visitors.agent}, which is no agent here.`)
  if (files.path(visitors.dataFolder) === files.path(dataFolder))
    throw startUpError(
      'visitors_data_folder',
      'Visitors must have a dataFolder of their own: what they bring must not lie beside the agents’ credentials.',
    )
}

async function openInbox(
  { inbox: configured, agents, issuers }: WalletConfiguration,
  deps: IntakeDeps,
): Promise<Partial<Pick<Intake, 'ports' | 'inbox'>>> {
  if (configured === undefined) return {}
  const { files, log, opened } = deps
  const { most, everySeconds, push } = configured
  const names = agents.map(({ id }) => id)
  const folder = openInboxFolder(files.path(configured.folder), names)
  const inbox = createInbox(most, { wallet: deps.wallet, folder, log })
  // Closed last of the inbox: a push may have begun a look that no round waits for.
  opened.push(inbox.close)
  opened.push(startRounds(inbox.look, { seconds: everySeconds, event: 'wallet.inbox_fault', log }))
  if (push === undefined) return { inbox }
  const facts = {
    agents: names,
    issuers: issuers.map(({ credentialIssuer }) => credentialIssuer),
    perMinute: push.perMinute,
    most,
  }
  const router = routeRequests(inboxRoutes(facts, { ...deps, folder, onKept: () => void inbox.look() }))
  const listener = await startListener(push.listen, { origin: push.origin, router }, { files, log })
  opened.push(() => listener.close())
  return { ports: { inbox: listener.port }, inbox }
}
