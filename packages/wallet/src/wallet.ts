/**
 * The wallet: composition of its use cases, with names for what a host may call.
 *
 * Owns which operations there are and who may ask for them: an agent asks one question; everything else is the
 * operator's. No operation returns a key, a token, a credential or a presentation.
 *
 * @module
 */
import type {
  AuthorizationAnswer,
  AuthorizationQuestion,
  NonceReport,
  ReceiveReply,
  ResponseReport,
} from '@attache/agent'
import {
  type Clock,
  type JsonObject,
  type Log,
  type NumericDate,
  type OutboundFetch,
  ProtocolError,
  type Random,
  SILENT_TELEMETRY,
  type Store,
  type Telemetry,
  VerificationError,
} from '@attache/core'
import type { DecryptionKey, Envelope, KeyProvider } from '@attache/keys'
import type { Pdp } from '@attache/policy'
import { createStatusResolver, trustCertificates } from '@attache/status-list'
import { abort } from './abort.js'
import { createAccessTokens } from './access-tokens.js'
import type { Attester } from './attester.js'
import { createAttestations } from './attester-memory.js'
import { finishAuthorization } from './authorization-code.js'
import { type AuthorizeCallDeps, authorizeCall, noteNonce } from './authorize-call.js'
import { createExplanations, type Decision, type RecordedDecision } from './explanations.js'
import { followAuthorization } from './follow-authorization.js'
import { createHeldCredentials } from './held-credentials.js'
import { createKillSwitch } from './kill-switch.js'
import { createLedger } from './ledger.js'
import { createBackoff, type MaintainDeps, maintain } from './maintain.js'
import { observed } from './observed-wallet.js'
import { checkWalletOptions, type WalletAgent, type WalletOptions } from './options.js'
import { type AgentOverview, overviewOf, refreshOverview } from './overview.js'
import { createOwnStatus, type ReadStatus } from './own-status.js'
import { createPendingIssuances } from './pending-issuance.js'
import { presentByRequest } from './present-by-request.js'
import { inspectOffer, type OfferNeeds, receiveOffer, requestCredentials } from './receive-offer.js'
import { createRefusalLimit } from './refusal-limit.js'
import { createResourceKeys } from './resource-keys.js'
import { createSealedKeys } from './sealed-keys.js'
import { createServerMemory } from './server-memory.js'
import { createSingleFlight } from './single-flight.js'
import { createTypeNames } from './type-names.js'
import { createVault, type Vault } from './vault.js'
import { isSigned, type VerifyAnswerDeps } from './verify-answer.js'

/** What a wallet works with. */
export interface WalletDeps {
  readonly store: Store
  /** Seals every record; its master key is the host's. */
  readonly envelope: Envelope
  readonly fetch: OutboundFetch
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where work is reported in numbers. @default nowhere */
  readonly telemetry?: Telemetry
  /** The release policy. */
  readonly pdp: Pdp
  readonly attester: Attester
  /** Key provider of an agent. @default keys sealed in the store */
  readonly keysOf?: (agent: string) => KeyProvider
  /** Keys that verifiers may encrypt their request objects to. @default none: such an object is refused */
  readonly requestKeys?: readonly DecryptionKey[]
}

/** A wallet. */
export interface Wallet {
  /** The agent's question. */
  authorize(agent: string, question: AuthorizationQuestion): Promise<AuthorizationAnswer>
  /** The agent's report of a nonce. */
  noteNonce(agent: string, report: NonceReport): void
  /** The agent asks whether an answer is what the API signed. Never rejects for a reason of the API. */
  verifyResponse(agent: string, report: ResponseReport): Promise<boolean>
  /** The operator hands in an offer. Never rejects for what the issuer or the offer did wrong. */
  receive(agent: string, offer: string, txCode?: string): Promise<ReceiveReply>
  /** Looks at an offer without using it up. Never rejects for what the issuer or the offer did wrong. */
  inspectOffer(
    agent: string,
    offer: string,
  ): Promise<OfferNeeds | Extract<ReceiveReply, { outcome: 'refused' }>>
  /** The operator asks for credentials that nobody offered; a login decides. */
  request(agent: string, credentialIssuer: string, configurationIds: readonly string[]): Promise<ReceiveReply>
  /** The operator hands back where the browser was sent after a login. */
  finishAuthorization(agent: string, url: string): Promise<ReceiveReply>
  /** The operator hands in a request for a presentation, or a host one that came from an API. */
  present(agent: string, request: string | JsonObject): Promise<PresentationReply>
  /** @param languages Language tags for names, most wanted first. @default English */
  overview(agent: string, languages?: readonly string[]): Promise<AgentOverview>
  /** Looks at the status of every credential of an agent now, as far as its list can be had. */
  refresh(agent: string): Promise<void>
  /** Decisions of an agent, newest first. */
  explain(
    agent: string,
    options: { readonly reference?: string; readonly limit: number },
  ): Promise<readonly RecordedDecision[]>
  /** Stops an agent, or releases it. */
  setStopped(agent: string, stopped: boolean): Promise<void>
  /** One round of renewals and interrupted issuances, for all agents. */
  maintain(): Promise<void>
  /** Wraps every record with the newest master key. @returns How many were rewritten. */
  rotateMasterKey(): Promise<number>
}

/** What the caller of `present` learns. */
export type PresentationReply =
  | { readonly outcome: 'delivered'; readonly redirectUri?: string; readonly reference: string }
  | { readonly outcome: 'refused'; readonly reference: string }

/** How long a status list that cannot be fetched is not asked for again, in seconds. */
const STATUS_RETRY_SECONDS = 10

/**
 * Makes a wallet.
 *
 * @throws {TypeError} `wallet_options_invalid`
 */
export function createWallet(given: WalletOptions, deps: WalletDeps): Wallet {
  const options = checkWalletOptions(given)
  const all = composeDeps(options, deps)
  const agentOf = (id: string): WalletAgent => {
    const agent = options.agents.find((one) => one.id === id)
    if (agent === undefined) throw abort('agent_unknown')
    return agent
  }
  const wallet: Wallet = {
    authorize: (id, question) => authorizeCall({ agent: agentOf(id), question, now: deps.clock() }, all),
    noteNonce: (id, report) => noteNonce(agentOf(id).id, report, all),
    verifyResponse: (id, report) => isSigned({ agent: agentOf(id), report, now: deps.clock() }, all),
    receive: (id, offer, txCode) =>
      receiving(id, all, async (now) => {
        const agent = agentOf(id)
        return followAuthorization(
          await receiveOffer({ agent, offer, txCode, now }, all),
          { agent, now },
          all,
        )
      }),
    inspectOffer: (id, offer) =>
      receiving(id, all, (now) => inspectOffer({ agent: agentOf(id), offer, now }, all)),
    request: (id, credentialIssuer, configurationIds) =>
      receiving(id, all, async (now) => {
        const agent = agentOf(id)
        const wanted = { agent, credentialIssuer, configurationIds, now }
        return followAuthorization(await requestCredentials(wanted, all), { agent, now }, all)
      }),
    finishAuthorization: (id, url) =>
      receiving(id, all, (now) => finishAuthorization({ agent: agentOf(id), url, now }, all)),
    present: (id, request) => presenting(agentOf(id), request, all),
    overview: (id, languages) => overviewOf({ agent: agentOf(id).id, now: deps.clock() }, all, languages),
    refresh: (id) => refreshOverview({ agent: agentOf(id).id, now: deps.clock() }, all, 0),
    explain: (id, what) => all.explanations.read(agentOf(id).id, what),
    async setStopped(id, stopped) {
      const now = deps.clock()
      await all.killSwitch.set(agentOf(id).id, stopped, now)
      if (stopped) await all.tokens.dropAll(id)
      const code = stopped ? 'stopped' : 'released'
      await all.explanations.record(
        { agent: id, event: 'stop', outcome: 'granted', code, message: `The agent was ${code}.`, facts: {} },
        now,
      )
    },
    async maintain() {
      await maintain(options.agents, all)
    },
    async rotateMasterKey() {
      let rewritten = 0
      for (const { id } of options.agents) rewritten += await all.vault.rewrap(id)
      return rewritten
    },
  }
  return { ...wallet, ...observed(wallet, all) }
}

type AllDeps = AuthorizeCallDeps & VerifyAnswerDeps & MaintainDeps & { readonly vault: Vault }

function composeDeps(options: WalletOptions, deps: WalletDeps): AllDeps {
  const vault = createVault({ tenant: options.tenant ?? 'default' }, deps)
  const ledger = createLedger({ vault })
  const providers = new Map<string, KeyProvider>()
  const keysOf = (agent: string): KeyProvider => {
    const known = providers.get(agent) ?? deps.keysOf?.(agent) ?? createSealedKeys(agent, { vault })
    providers.set(agent, known)
    return known
  }
  const { most = 20, windowSeconds = 60 } = options.refusals ?? {}
  const { telemetry = SILENT_TELEMETRY } = deps
  return {
    ...deps,
    telemetry,
    options,
    vault,
    keysOf,
    held: createHeldCredentials({ vault, ledger }),
    pendings: createPendingIssuances({ vault }),
    tokens: createAccessTokens({ vault }),
    explanations: createExplanations({ ...deps, telemetry, vault }),
    killSwitch: createKillSwitch({ ledger }),
    refusals: createRefusalLimit({ most, windowSeconds }, deps),
    flights: createSingleFlight(),
    attestations: createAttestations(deps),
    memory: createServerMemory(),
    resourceKeys: createResourceKeys(deps),
    backoff: createBackoff(),
    typeNames: createTypeNames({ vcts: options.issuers.flatMap(({ vcts }) => vcts) }, deps),
    status: createOwnStatus({ read: statusReader(options, deps) }),
  }
}

function statusReader(options: WalletOptions, deps: WalletDeps): ReadStatus {
  const resolverOptions = { algorithms: options.algorithms, retryAfterSeconds: STATUS_RETRY_SECONDS }
  const resolver = createStatusResolver(resolverOptions, deps)
  return async ({ uri, index }, { credentialIssuer, now }) => {
    const issuer = options.issuers.find((one) => one.credentialIssuer === credentialIssuer)
    if (issuer === undefined) return undefined
    const trust = trustCertificates({ anchors: issuer.statusAnchors ?? issuer.anchors, signer: 'any' })
    try {
      return (await resolver.resolve({ uri, idx: index }, { trust, now })).value
    } catch (error) {
      if (error instanceof VerificationError) return undefined
      throw error
    }
  }
}

async function receiving<Reply extends ReceiveReply | OfferNeeds>(
  id: string,
  deps: AllDeps,
  work: (now: NumericDate) => Promise<Reply>,
): Promise<Reply | Extract<ReceiveReply, { outcome: 'refused' }>> {
  const now = deps.clock()
  try {
    if (await deps.killSwitch.isStopped(id)) throw abort('agent_stopped')
    const reply = await work(now)
    // Only looked at: nothing was decided that could be explained.
    if ('needs' in reply) return reply
    const facts = reply.outcome === 'stored' ? { issuer: reply.issuer, vct: reply.vct } : {}
    await deps.explanations.record(
      {
        agent: id,
        event: 'receive',
        outcome: 'granted',
        code: reply.outcome,
        message: 'The offer went this far.',
        facts,
      },
      now,
    )
    return reply
  } catch (error) {
    if (!(error instanceof VerificationError) && !(error instanceof ProtocolError)) throw error
    const { code, message } = error
    if (code !== 'agent_unknown') {
      await deps.explanations.record(
        { agent: id, event: 'receive', outcome: 'refused', code, message, facts: causeFacts(error) },
        now,
      )
    }
    return { outcome: 'refused', code, message }
  }
}

// The code of the check that failed below; never its message, which may speak of what was received.
function causeFacts(error: Error): Readonly<Record<string, string>> {
  const { cause } = error
  if (!(cause instanceof VerificationError) && !(cause instanceof ProtocolError)) return {}
  return { cause: cause.code }
}

async function presenting(
  agent: WalletAgent,
  request: string | JsonObject,
  deps: AllDeps,
): Promise<PresentationReply> {
  const now = deps.clock()
  const record = (entry: Pick<Decision, 'outcome' | 'code' | 'message' | 'facts'>) =>
    deps.explanations.record({ agent: agent.id, event: 'present', ...entry }, now)
  try {
    if (await deps.killSwitch.isStopped(agent.id)) throw abort('agent_stopped')
    const result = await presentByRequest({ agent: agent.id, request, now }, deps)
    const facts = { verifier: result.verifier, ...result.facts }
    if (result.kind === 'denied') {
      const { code, message } = result
      return { outcome: 'refused', reference: await record({ outcome: 'refused', code, message, facts }) }
    }
    const { redirectUri } = result
    const granted = {
      outcome: 'granted',
      code: 'presented',
      message: 'Presented by direct post.',
      facts,
    } as const
    const reference = await record(granted)
    return { outcome: 'delivered', reference, ...(redirectUri === undefined ? {} : { redirectUri }) }
  } catch (error) {
    if (!(error instanceof VerificationError) && !(error instanceof ProtocolError)) throw error
    const { code, message } = error
    return {
      outcome: 'refused',
      reference: await record({ outcome: 'refused', code, message, facts: causeFacts(error) }),
    }
  }
}
