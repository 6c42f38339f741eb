/**
 * The whole job in one process: an issuer, a guarded API and the wallet under test, over a recorded network.
 *
 * Everything is the real room; only the network is in memory, and every call is on record.
 *
 * @module
 */
import type { AuthorizationAnswer } from '@attache/agent'
import {
  createMemoryStore,
  type Handler,
  type LogFields,
  type OutboundFetch,
  routeRequests,
  SILENT_LOG,
  type Store,
} from '@attache/core'
import { createEnvelope } from '@attache/keys'
import { x509HashClientIdentifier } from '@attache/openid4vp'
import { createRulePdp, type Pdp } from '@attache/policy'
import { createVerifier, type Requirement, type Verifier, type VerifierOptions } from '@attache/verifier'
import {
  type Attester,
  createWallet,
  createWalletProvider,
  type Wallet,
  type WalletOptions,
} from '@attache/wallet'
import {
  type BenchOptions,
  type Certified,
  createIssuerBench,
  ISSUER,
  type IssuerBench,
  partyOf,
} from '../flows/issuer-bench.js'
import { createNetwork, type Network } from './network.js'
import { createSeededRandom } from './random.js'

export const API = 'https://api.example'
export const AGENT = 'payroll-export'
export const CLIENT = 'https://wallet.example/agents'
export const VCT = `${ISSUER}/types/agent-role/v1`
export const SCOPE = 'payroll:export'

export const QUERY = {
  credentials: [
    {
      id: 'role_cred',
      format: 'dc+sd-jwt',
      meta: { vct_values: [VCT] },
      claims: [{ path: ['role'] }, { path: ['region'] }],
    },
  ],
}

export const MANAGERS_IN_EU: Requirement = {
  scope: SCOPE,
  query: QUERY,
  decide: (claims) => claims['role'] === 'Manager' && claims['region'] === 'EU',
}

/** The mandate of the agent: role and region, to the payroll API, and nothing else. */
export const mandate = (clientId: string) => [
  {
    id: 'payroll',
    effect: 'allow',
    principals: [{ type: 'Agent', id: AGENT }],
    actions: ['present'],
    resources: [{ type: 'Verifier', id: clientId }],
    when: [
      { path: ['context', 'vct'], op: 'equals', value: VCT },
      { path: ['context', 'claims'], op: 'subset', value: ['role', 'region'] },
    ],
  },
]

/** A guarded API and who it is to a wallet. */
export interface GuardedApi {
  readonly origin: string
  readonly clientId: string
  readonly certified: Certified
  readonly verifier: Verifier
}

export interface WalletWorld {
  readonly bench: IssuerBench
  /** Further APIs, as asked for. */
  readonly others: readonly GuardedApi[]
  readonly verifier: Verifier
  readonly clientId: string
  readonly api: Certified
  readonly network: Network
  readonly wallet: Wallet
  readonly store: Store
  readonly lines: readonly string[]
  /** A wallet over the same store and network, as after a restart. */
  restart(): Wallet
  /** Calls the API as the agent's fetch does: with what is held, then with what a challenge leads to. */
  callApi(path?: string, agent?: string, origin?: string): Promise<Response>
  offer(options?: {
    readonly by?: 'value' | 'reference'
    readonly agent?: string
  }): Promise<{ uri: string; txCode: string }>
}

export interface WorldOptions {
  readonly issuer?: BenchOptions
  readonly wallet?: Partial<WalletOptions>
  readonly verifier?: Partial<VerifierOptions>
  readonly requirement?: Requirement
  /** Origins of further APIs that ask for the same, trusted by the wallet as the first one is. */
  readonly otherApis?: readonly string[]
  readonly pdp?: (clientId: string) => Pdp
  readonly attester?: Attester
  /** Stands between the wallet and the network. */
  readonly tamper?: (fetch: OutboundFetch) => OutboundFetch
  /** Answers for the API's own routes instead of the guarded one. */
  readonly serveApi?: (guarded: Handler) => Handler
}

export async function createWalletWorld(options: WorldOptions = {}): Promise<WalletWorld> {
  const bench = await createIssuerBench({ dpopNonces: true, batchSize: 5, ...options.issuer })
  const network = createNetwork()
  network.serve('https://issuer.example', async (request) => bench.send(request.url, await initOf(request)))

  const { certified: api, clientId, verifier } = await serveApi(API, { bench, network }, options)
  const others: GuardedApi[] = []
  for (const origin of options.otherApis ?? []) {
    others.push(await serveApi(origin, { bench, network }, options))
  }

  const lines: string[] = []
  const store = createMemoryStore({ clock: bench.time.clock })
  const makeWallet = () => createWorldWallet({ bench, api, others, network, store, clientId, lines }, options)
  const wallet = makeWallet()
  return {
    bench,
    others,
    verifier,
    clientId,
    api,
    network,
    wallet,
    store,
    lines,
    restart: makeWallet,
    callApi: (path = '/payroll/export', agent = AGENT, origin = API) =>
      callAsAgent(wallet, network, { url: `${origin}${path}`, agent }),
    offer: async ({ by = 'value', agent = AGENT } = {}) => {
      const { uri, txCode } = await bench.issuer.createOffer({ agent, by }, bench.time.clock())
      return { uri, txCode: txCode ?? '' }
    },
  }
}

async function initOf(request: Request): Promise<RequestInit> {
  const base = { method: request.method, headers: request.headers }
  return request.method === 'GET' ? base : { ...base, body: await request.text() }
}

/** An API of its own on the network: routes of its verifier, and everything else guarded. */
async function serveApi(
  origin: string,
  { bench, network }: { bench: IssuerBench; network: Network },
  options: WorldOptions,
): Promise<GuardedApi> {
  const certified = await partyOf(`API ${origin}`, [new URL(origin).hostname])
  const clock = bench.time.clock
  const verifier = createVerifier(
    {
      origin,
      trustedIssuers: [{ vct: VCT, anchors: bench.signing.anchors.certificates }],
      keyBinding: 'required',
      walletAttesters: [{ name: 'provider', anchors: bench.provider.anchors, clients: 'any' }],
      ...options.verifier,
    },
    {
      signer: certified.signer,
      store: createMemoryStore({ clock }),
      fetch: network.fetch,
      clock,
      random: createSeededRandom(`verifier ${origin}`),
      log: SILENT_LOG,
    },
  )
  const gate = verifier.requirePresentation(options.requirement ?? MANAGERS_IN_EU)
  const routes = routeRequests(verifier.routes)
  const guarded: Handler = async (request) => {
    const answer = await routes(request.clone())
    if (answer !== undefined) return answer
    const outcome = await gate(request)
    return outcome.allowed ? Response.json({ done: true }) : outcome.response
  }
  network.serve(origin, options.serveApi?.(guarded) ?? guarded)
  const clientId = x509HashClientIdentifier(certified.signer.x5c?.[0] ?? '')
  return { origin, clientId, certified, verifier }
}

interface WalletParts {
  readonly bench: IssuerBench
  readonly api: Certified
  readonly others: readonly GuardedApi[]
  readonly network: Network
  readonly store: Store
  readonly clientId: string
  readonly lines: string[]
}

function createWorldWallet(parts: WalletParts, options: WorldOptions): Wallet {
  const { bench, api, others, network, store, clientId, lines } = parts
  const random = createSeededRandom(`wallet ${lines.length}`)
  const write = (event: string, fields: LogFields = {}) => {
    lines.push(JSON.stringify({ event, ...fields }))
  }
  return createWallet(
    {
      profile: 'haip',
      algorithms: ['ES256'],
      agents: [
        { id: AGENT, clientId: CLIENT },
        { id: 'other-agent', clientId: CLIENT },
      ],
      issuers: [{ credentialIssuer: ISSUER, vcts: [VCT], anchors: bench.signing.anchors }],
      verifiers: [
        { clientId, anchors: api.anchors, apis: [API], authorizationServer: API },
        ...others.map(({ origin, certified, clientId: other }) => ({
          clientId: other,
          anchors: certified.anchors,
          apis: [origin],
          authorizationServer: origin,
        })),
      ],
      ...options.wallet,
    },
    {
      store,
      envelope: createEnvelope([{ id: 'm1', key: new Uint8Array(32).fill(7) }], { random }),
      fetch: options.tamper?.(network.fetch) ?? network.fetch,
      clock: bench.time.clock,
      random,
      log: { info: write, warn: write, error: write },
      pdp: options.pdp?.(clientId) ?? createRulePdp(mandate(clientId)),
      attester:
        options.attester ??
        createWalletProvider({ issuer: 'https://provider.example' }, { signer: bench.provider.signer }),
    },
  )
}

async function callAsAgent(
  wallet: Wallet,
  network: Network,
  call: { url: string; agent: string },
): Promise<Response> {
  const question = { method: 'POST', url: call.url }
  const send = (answer: AuthorizationAnswer) =>
    network.fetch(call.url, {
      method: 'POST',
      headers: answer.outcome === 'authorized' ? answer.headers : {},
    })
  const first = await send(await wallet.authorize(call.agent, question))
  const wwwAuthenticate = first.headers.get('WWW-Authenticate')
  if ((first.status !== 401 && first.status !== 403) || wwwAuthenticate === null) return first
  const dpopNonce = first.headers.get('DPoP-Nonce')
  const body = wwwAuthenticate.startsWith('OpenID4VP ') ? { body: await first.clone().text() } : {}
  const challenge = {
    status: first.status,
    wwwAuthenticate: [wwwAuthenticate],
    ...(dpopNonce === null ? {} : { dpopNonce }),
    ...body,
  } as const
  const answer = await wallet.authorize(call.agent, { ...question, challenge })
  return answer.outcome === 'authorized' ? send(answer) : first
}
