/**
 * The wallet daemon as it runs: configuration and key files, sockets, a database, https to issuer and API.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAgentFetch } from '@attache/agent'
import {
  createMemoryStore,
  encodeBase64url,
  type Handler,
  type JsonObject,
  routeRequests,
  SILENT_LOG,
} from '@attache/core'
import {
  type CertificateAuthority,
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  privateJwkToPem,
  type TrustAnchors,
} from '@attache/keys'
import { x509HashClientIdentifier } from '@attache/openid4vp'
import {
  createVerifier,
  guardHandler,
  type MessageSigning,
  type Requirement,
  type StepUp,
} from '@attache/verifier'
import { type RunningWallet, serve } from '../../apps/wallet/src/serve.js'
import { type BenchOptions, createIssuerBench, type IssuerBench, partyOf } from '../flows/issuer-bench.js'
import { NOW } from './clock.js'
import { createHttpsOrigin, createTlsAuthority } from './https-origin.js'
import { createNetwork } from './network.js'
import { createSeededRandom } from './random.js'
import { AGENT, CLIENT, MANAGERS_IN_EU } from './wallet-world.js'

export interface DaemonWorld {
  readonly folder: string
  readonly configPath: string
  readonly caFile: string
  readonly api: string
  readonly clientId: string
  readonly vct: string
  readonly bench: IssuerBench
  /** Every request the API saw. */
  readonly seen: readonly Request[]
  daemon(): RunningWallet
  agentFetch(agent?: string): typeof globalThis.fetch
  /** Puts something before the guarded API. */
  serveApi(before: (guarded: Handler) => Handler): void
  /** Puts something in the place of the issuer, or the issuer back. */
  serveIssuer(instead?: Handler): void
  restart(): Promise<void>
  close(): Promise<void>
}

/** An attester elsewhere, in the place of a provider key in the wallet's folder. */
export interface ForeignAttester {
  /** Whom issuer and API trust to vouch. */
  readonly anchors: TrustAnchors
  /** The member `attestation` of the wallet's configuration. */
  readonly attestation: JsonObject
  /** The authority of all TLS certificates. */
  readonly tls: CertificateAuthority
}

/** What a guarded route can want beside its query and decision. */
export type ApiRequirement = StepUp & MessageSigning & Partial<Pick<Requirement, 'challenge'>>

/**
 * @param change Alters the configuration before it is written.
 * @param options.batchSize How many copies the issuer gives at once.
 * @param options.requirement What the guarded route wants beside the usual.
 */
export async function createDaemonWorld(
  change: (configuration: JsonObject) => JsonObject = (same) => same,
  options: {
    readonly batchSize?: number
    readonly attester?: ForeignAttester
    readonly requirement?: ApiRequirement
    /** Further files of the wallet's folder, by name. */
    readonly files?: (tls: CertificateAuthority) => Promise<Readonly<Record<string, string>>>
    /** What the issuer does otherwise than usual. */
    readonly issuer?: BenchOptions
  } = {},
): Promise<DaemonWorld> {
  const { attester, requirement, files, issuer, ...benchOptions } = options
  const folder = mkdtempSync(join(tmpdir(), 'attache-'))
  const tls = attester?.tls ?? (await createTlsAuthority())
  const [issuerOrigin, apiOrigin] = [await createHttpsOrigin(tls), await createHttpsOrigin(tls)]
  const provider = attester?.anchors ?? (await writeProvider(folder))
  const attesters = [{ name: 'provider', anchors: provider, clients: 'any' }] as const
  const credentialIssuer = `${issuerOrigin.origin}/acme`
  const bench = await createIssuerBench({
    ...benchOptions,
    ...issuer,
    credentialIssuer,
    clientAuthentication: { method: 'attestation', attesters, challenges: true },
  })
  const issuing: Handler = async (request) => {
    const { method, headers } = request
    return bench.send(
      request.url,
      method === 'GET' ? { headers } : { method, headers, body: await request.text() },
    )
  }
  issuerOrigin.serve(issuing)

  const vct = `${credentialIssuer}/types/agent-role/v1`
  const api = await partyOf('Payroll API', ['localhost'])
  const clientId = x509HashClientIdentifier(api.signer.x5c?.[0] ?? '')
  const guarded = createGuardedApi({
    bench,
    attesters,
    api: api.signer,
    vct,
    origin: apiOrigin.origin,
    requirement,
  })
  const seen: Request[] = []
  const serveApi = (before: (guarded: Handler) => Handler) =>
    apiOrigin.serve((request) => {
      seen.push(request.clone())
      return before(guarded)(request)
    })
  serveApi((same) => same)

  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 })
    return name
  }
  const caFile = join(folder, write('tls-ca.pem', tls.pem))
  const [mandateRule] = mandateFor(clientId, vct)
  for (const [name, content] of Object.entries((await files?.(tls)) ?? {})) write(name, content)
  const configuration: JsonObject = {
    version: 1,
    profile: 'haip',
    dataFolder: 'data',
    runtimeFolder: 'run',
    masterKeys: [write('master.key', encodeBase64url(new Uint8Array(32).fill(9)))],
    ...(attester === undefined ? { walletProvider: WALLET_PROVIDER } : { attestation: attester.attestation }),
    trustedCertificates: ['tls-ca.pem'],
    allowPrivate: ['localhost'],
    agents: [
      { id: AGENT, clientId: CLIENT },
      { id: 'other-agent', clientId: CLIENT },
    ],
    issuers: [
      {
        credentialIssuer,
        vcts: [vct],
        anchors: write('issuer-ca.pem', bench.signing.anchors.certificates.join('\n')),
      },
    ],
    verifiers: [
      {
        clientId,
        anchors: write('verifier-ca.pem', api.anchors.certificates.join('\n')),
        apis: [apiOrigin.origin],
        authorizationServer: apiOrigin.origin,
      },
    ],
    policy: { rules: write('release-rules.json', JSON.stringify([mandateRule])) },
    logLevel: 'silent',
  }
  const configPath = join(folder, write('wallet.json', JSON.stringify(change(configuration))))
  let daemon = await serve(configPath, bench.time.clock)
  return {
    folder,
    configPath,
    caFile,
    api: apiOrigin.origin,
    clientId,
    vct,
    bench,
    seen,
    serveApi,
    serveIssuer: (instead = issuing) => issuerOrigin.serve(instead),
    daemon: () => daemon,
    agentFetch: (agent = AGENT) => createAgentFetch({ socket: daemon.agentSockets.get(agent) ?? '', caFile }),
    async restart() {
      await daemon.close()
      daemon = await serve(configPath, bench.time.clock)
    },
    async close() {
      await daemon.close()
      await Promise.all([issuerOrigin.close(), apiOrigin.close()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const WALLET_PROVIDER = {
  issuer: 'https://provider.example',
  key: 'provider.key',
  certificates: 'provider.pem',
}

/** Writes `provider.key` and `provider.pem`. @returns The anchors that trust it. */
export async function writeProvider(folder: string): Promise<TrustAnchors> {
  const random = createSeededRandom('provider')
  const validity = { notBefore: NOW - 86_400, notAfter: NOW + 365 * 86_400 }
  const privateJwk = generatePrivateJwk('ES256')
  const issuer = await createCertificateAuthority(
    { commonName: 'Provider root', privateJwk: generatePrivateJwk('ES256'), ...validity },
    { random },
  )
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const { pem } = await issueCertificate(
    { commonName: 'Provider', publicJwk, issuer, ...validity },
    { random },
  )
  writeFileSync(join(folder, 'provider.key'), privateJwkToPem(privateJwk), { mode: 0o600 })
  writeFileSync(join(folder, 'provider.pem'), pem)
  return createAnchors('provider', [issuer.pem])
}

function mandateFor(clientId: string, vct: string) {
  return [
    {
      id: 'payroll',
      effect: 'allow',
      principals: [{ type: 'Agent', id: AGENT }],
      actions: ['present'],
      resources: [{ type: 'Verifier', id: clientId }],
      when: [
        { path: ['context', 'vct'], op: 'equals', value: vct },
        { path: ['context', 'claims'], op: 'subset', value: ['role', 'region'] },
      ],
    },
  ]
}

function createGuardedApi(parts: {
  readonly bench: IssuerBench
  readonly attesters: NonNullable<Parameters<typeof createVerifier>[0]['walletAttesters']>
  readonly api: Parameters<typeof createVerifier>[1]['signer']
  readonly vct: string
  readonly origin: string
  readonly requirement: ApiRequirement | undefined
}): Handler {
  const { bench, attesters, api, vct, origin } = parts
  const { origin: issuer } = new URL(bench.issuer.credentialIssuer)
  const network = createNetwork({ [issuer]: (request) => bench.send(request.url) })
  const { clock } = bench.time
  const verifier = createVerifier(
    {
      origin,
      trustedIssuers: [{ vct, anchors: bench.signing.anchors.certificates }],
      keyBinding: 'required',
      walletAttesters: attesters,
    },
    {
      signer: api,
      store: createMemoryStore({ clock }),
      fetch: network.fetch,
      clock,
      random: createSeededRandom('verifier'),
      log: SILENT_LOG,
    },
  )
  const claims = [{ path: ['role'] }, { path: ['region'] }]
  const query = {
    credentials: [{ id: 'role_cred', format: 'dc+sd-jwt', meta: { vct_values: [vct] }, claims }],
  }
  const gate = verifier.requirePresentation({ ...MANAGERS_IN_EU, query, ...parts.requirement })
  const routes = routeRequests(verifier.routes)
  const answerCall = guardHandler(gate, () => Response.json({ done: true }))
  return async (request) => (await routes(request.clone())) ?? answerCall(request, {})
}
