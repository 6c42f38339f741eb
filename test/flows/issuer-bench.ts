/**
 * An issuer on a bench: built from real parts in memory, with a scripted wallet that can be told to err.
 *
 * @module
 */
import {
  createMemoryStore,
  type JsonObject,
  type JsonValue,
  type Log,
  type LogFields,
  parseJson,
  routeRequests,
  type Store,
} from '@attache/core'
import {
  type CredentialTemplate,
  createDirectory,
  createIssuer,
  type Directory,
  type ImportRow,
  type Issuer,
  type IssuerOptions,
  parseCredentialTemplate,
  type SignIn,
} from '@attache/issuer'
import {
  createAnchors,
  createCertificateAuthority,
  createSeal,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  type Signer,
  type TrustAnchors,
} from '@attache/keys'
import {
  createClientAttestation,
  createClientAttestationPop,
  createDpopProof,
  type TrustedAttester,
} from '@attache/oauth'
import { createKeyProof, PRE_AUTHORIZED_CODE_GRANT, parseCredentialOfferUri } from '@attache/openid4vci'
import { createStatusLists, type StatusLists } from '@attache/status-list'
import { createFixedClock, type FixedClock, NOW } from '../support/clock.js'
import { createSeededRandom } from '../support/random.js'

export const ISSUER = 'https://issuer.example/acme'
export const CLIENT_ID = 'https://wallet.example/agents'

export const TEMPLATE = `
id: agent-role
version: 1
vct: /types/agent-role/v1
name: Agent role
lifetime_days: 30
display:
  - { name: Agent role, locale: en }
claims:
  - { name: agent, from: agent.name, mandatory: true }
  - { name: owner, from: owner.name, mandatory: true }
  - { name: role, from: owner.role, mandatory: true, display: [{ name: Role, locale: en }] }
  - { name: region, from: owner.region, mandatory: true }
  - { name: department, from: owner.department }
  - { name: purpose, from: agent.purpose }
  - { name: employee_id, from: owner.employee_id }
  - { name: birth_date, from: owner.birth_date }
  - { name: salary_band, from: owner.salary_band }
schema:
  type: object
  properties:
    region: { enum: [EU, US, APAC, LATAM, MEA] }
`

export const PERSON: Readonly<Record<string, string>> = {
  employee_id: 'E-10442',
  family_name: 'Okafor',
  given_name: 'Ngozi',
  email: 'ngozi.okafor@acme.example',
  birth_date: '1984-03-12',
  role: 'Manager',
  region: 'EU',
  department: 'Sales',
  salary_band: 'B7',
  leave_date: '',
  status: 'active',
}

/** One certified key of some party, and the anchors that trust it. */
export interface Certified {
  readonly signer: Signer
  readonly anchors: TrustAnchors
}

export async function certify(name: string, dnsNames: readonly string[] = []): Promise<Certified> {
  const random = createSeededRandom(name)
  const validity = { notBefore: NOW - 86_400, notAfter: NOW + 365 * 86_400 }
  const root = await createCertificateAuthority(
    { commonName: `${name} root`, privateJwk: generatePrivateJwk('ES256'), ...validity },
    { random },
  )
  const privateJwk = generatePrivateJwk('ES256')
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const leaf = await issueCertificate(
    { commonName: name, publicJwk, issuer: root, dnsNames, ...validity },
    { random },
  )
  return {
    signer: createSoftwareSigner(privateJwk, { x5c: leaf.x5c }),
    anchors: createAnchors(name, [root.pem]),
  }
}

const PARTIES = new Map<string, Promise<Certified>>()

/**
 * A party of every world in a file of tests, certified once: certificates are the slow part of a world, and nothing
 * of a test depends on a world having its own. Somebody who must be another one is made by `certify`.
 */
export function partyOf(name: string, dnsNames: readonly string[] = []): Promise<Certified> {
  const key = JSON.stringify([name, dnsNames])
  const party = PARTIES.get(key) ?? certify(name, dnsNames)
  PARTIES.set(key, party)
  return party
}

export function newSigner(): Signer {
  return createSoftwareSigner(generatePrivateJwk('ES256'))
}

export interface LogLine extends LogFields {
  readonly event: string
}

export interface IssuerBench {
  readonly issuer: Issuer
  readonly directory: Directory
  readonly statusLists: StatusLists
  readonly store: Store
  readonly time: FixedClock
  readonly logged: readonly LogLine[]
  readonly provider: Certified
  readonly signing: Certified
  send(url: string, init?: RequestInit): Promise<Response>
}

/** Signs in `ngozi` with `correct horse`, for the agent `payroll-export`. */
const SIGN_IN: SignIn = {
  signIn: async ({ username, password }) =>
    username === 'ngozi' && password === 'correct horse'
      ? { name: 'Ngozi', agents: ['payroll-export'] }
      : undefined,
}

export type BenchOptions = Partial<Omit<IssuerOptions, 'templates'>> & {
  readonly template?: string
  readonly templates?: readonly string[]
  readonly people?: readonly ImportRow[]
  readonly store?: Store
  /** Of this issuer's randomness; another one for another issuer on the same store. */
  readonly seed?: string
  /** Of the attestation that clients need unless `clientAuthentication` says otherwise. */
  readonly attestation?: {
    readonly challenges?: boolean
    readonly maxAttestationAgeSeconds?: number
    /** Trusted beside the wallet provider of the bench. */
    readonly attesters?: readonly TrustedAttester[]
  }
}

/** Read once in a file of tests: compiling the schema is most of what a bench costs, and templates hold no state. */
const TEMPLATES_READ = new Map<string, CredentialTemplate>()

function templateOf(text: string, credentialIssuer: string): CredentialTemplate {
  const key = JSON.stringify([credentialIssuer, text])
  const template = TEMPLATES_READ.get(key) ?? parseCredentialTemplate(text, { credentialIssuer })
  TEMPLATES_READ.set(key, template)
  return template
}

/** Builds an issuer with one person and the agent `payroll-export`. */
export async function createIssuerBench(options: BenchOptions = {}): Promise<IssuerBench> {
  const time = createFixedClock()
  const random = createSeededRandom(options.seed ?? 'issuer')
  const tenant = options.tenant ?? 'default'
  const store = options.store ?? createMemoryStore({ clock: time.clock })
  const [provider, signing] = await Promise.all([
    partyOf('Wallet Provider'),
    partyOf('Acme', ['issuer.example', 'localhost']),
  ])
  const credentialIssuer = options.credentialIssuer ?? ISSUER
  const { log, logged } = recordingLog()
  const shared = { store, clock: time.clock, random, log }
  const directory = createDirectory({ store, tenant })
  await directory.importPeople(options.people ?? [{ line: 2, cells: PERSON }], NOW)
  const agents = ['payroll-export', 'other-agent'].map((agent, index) => ({
    line: index + 2,
    cells: { agent, owner: 'E-10442', purpose: 'Exports the payroll' },
  }))
  await directory.importAgents(agents, NOW)
  const statusLists = createStatusLists(
    {
      issuer: credentialIssuer,
      tenant,
      bits: 2,
      ttlSeconds: 300,
      lifetimeSeconds: 86_400,
      size: 100_000,
    },
    { ...shared, signer: signing.signer },
  )
  const texts = options.templates ?? [options.template ?? TEMPLATE]
  const { template, people, store: given, templates, attestation, seed, ...rest } = options
  const issuer = createIssuer(
    {
      mode: 'haip',
      grants: ['pre-authorized_code'],
      clientAuthentication: {
        method: 'attestation',
        challenges: false,
        ...attestation,
        attesters: [
          { name: 'provider', anchors: provider.anchors, clients: 'any' },
          ...(attestation?.attesters ?? []),
        ],
      },
      transactionCode: { inputMode: 'numeric', length: 6 },
      ...rest,
      credentialIssuer,
      templates: texts.map((text) => templateOf(text, credentialIssuer)),
    },
    {
      ...shared,
      signer: signing.signer,
      claims: directory,
      statusLists,
      signIn: SIGN_IN,
      // Issuers of one process share it.
      seal: createSeal([{ id: 'k1', key: createSeededRandom('seal')(32) }], { random }),
    },
  )
  const router = routeRequests(issuer.routes)
  const send = async (url: string, init?: RequestInit): Promise<Response> =>
    (await router(new Request(url, init))) ?? new Response(null, { status: 404 })
  return { issuer, directory, statusLists, store, time, logged, provider, signing, send }
}

function recordingLog(): { log: Log; logged: LogLine[] } {
  const logged: LogLine[] = []
  const write = (event: string, fields: LogFields = {}) => {
    logged.push({ ...fields, event })
  }
  return { log: { info: write, warn: write, error: write }, logged }
}

/** A body as JSON, strictly read. */
export async function bodyOf(response: Response): Promise<JsonObject> {
  const parsed = parseJson(await response.text(), { maxDepth: 32 })
  const value: JsonValue = parsed.ok ? parsed.value : {}
  return typeof value === 'object' && value !== null && !Array.isArray(value) && isObject(value) ? value : {}
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function textOf(object: JsonObject, name: string): string {
  const value = object[name]
  if (typeof value !== 'string')
    throw new Error(`${name} is no text in ${JSON.stringify(Object.keys(object))}`)
  return value
}

/** The keys of one scripted wallet. */
export interface ScriptedWallet {
  readonly clientId: string
  readonly instance: Signer
  readonly dpop: Signer
  readonly attestation: string
  readonly random: (byteCount: number) => Uint8Array
}

let wallets = 0

export async function createWallet(bench: IssuerBench, clientId = CLIENT_ID): Promise<ScriptedWallet> {
  const instance = newSigner()
  const now = bench.time.clock()
  wallets += 1
  return {
    clientId,
    instance,
    dpop: newSigner(),
    random: createSeededRandom(`wallet ${wallets}`),
    attestation: await createClientAttestation(
      { clientId, instanceKey: instance.publicJwk, expiresAt: now + 86_400 },
      bench.provider.signer,
      now,
    ),
  }
}

/** The header fields of a request to the authorization server. */
export async function clientHeaders(
  bench: IssuerBench,
  wallet: ScriptedWallet,
  url: string,
  extra: { readonly nonce?: string; readonly challenge?: string } = {},
): Promise<Record<string, string>> {
  const facts = { now: bench.time.clock(), random: wallet.random }
  const statement = {
    audience: bench.issuer.credentialIssuer,
    clientId: wallet.clientId,
    challenge: extra.challenge,
  }
  return {
    'OAuth-Client-Attestation': wallet.attestation,
    'OAuth-Client-Attestation-PoP': await createClientAttestationPop(statement, wallet.instance, facts),
    DPoP: await createDpopProof({ method: 'POST', url, nonce: extra.nonce }, wallet.dpop, facts),
  }
}

/** Without it a request is refused before anybody looks at its token. */
export const JSON_BODY: Readonly<Record<string, string>> = { 'Content-Type': 'application/json' }

export async function postForm(
  bench: IssuerBench,
  path: string,
  form: Readonly<Record<string, string>> | string,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  return bench.send(`${base(bench)}${path}`, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/x-www-form-urlencoded' },
    body: typeof form === 'string' ? form : new URLSearchParams({ ...form }).toString(),
  })
}

export function base(bench: IssuerBench): string {
  return bench.issuer.credentialIssuer.replace(/\/$/, '')
}

/** An offer of the bench's agent: its code and its Transaction Code. */
export async function offerCode(
  bench: IssuerBench,
  wanted: Partial<Parameters<Issuer['createOffer']>[0]> = {},
): Promise<{ code: string; txCode: string }> {
  const created = await bench.issuer.createOffer(
    { agent: 'payroll-export', by: 'value', ...wanted },
    bench.time.clock(),
  )
  const carried = parseCredentialOfferUri(created.uri)
  const code = carried.by === 'value' ? carried.offer.grants?.preAuthorizedCode?.preAuthorizedCode : undefined
  return { code: code ?? '', txCode: created.txCode ?? '' }
}

/** Sends a token request for a pre-authorized code. */
export async function requestToken(
  bench: IssuerBench,
  wallet: ScriptedWallet,
  parameters: Readonly<Record<string, string>>,
  extra: { readonly nonce?: string; readonly challenge?: string } = {},
): Promise<Response> {
  const headers = await clientHeaders(bench, wallet, `${base(bench)}/token`, extra)
  return postForm(bench, '/token', { grant_type: PRE_AUTHORIZED_CODE_GRANT, ...parameters }, headers)
}

/** A token for a fresh offer. */
export async function obtainToken(
  bench: IssuerBench,
  wallet: ScriptedWallet,
  parameters: Readonly<Record<string, string>> = {},
): Promise<{ token: string; body: JsonObject }> {
  const { code, txCode } = await offerCode(bench)
  const tx: Record<string, string> = txCode === '' ? {} : { tx_code: txCode }
  const response = await requestToken(bench, wallet, { 'pre-authorized_code': code, ...tx, ...parameters })
  const body = await bodyOf(response)
  return { token: textOf(body, 'access_token'), body }
}

export async function obtainNonce(bench: IssuerBench): Promise<string> {
  return textOf(await bodyOf(await bench.send(`${base(bench)}/nonce`, { method: 'POST' })), 'c_nonce')
}

/** The header fields of a request with an access token. */
export async function tokenHeaders(
  bench: IssuerBench,
  wallet: ScriptedWallet,
  call: { readonly token: string; readonly path: string; readonly nonce?: string },
): Promise<Record<string, string>> {
  const facts = { now: bench.time.clock(), random: wallet.random }
  const url = `${base(bench)}${call.path}`
  const request = { method: 'POST', url, accessToken: call.token, nonce: call.nonce }
  return { Authorization: `DPoP ${call.token}`, DPoP: await createDpopProof(request, wallet.dpop, facts) }
}

/** Sends a body to an endpoint that needs the token. */
export async function postWithToken(
  bench: IssuerBench,
  wallet: ScriptedWallet,
  call: {
    readonly token: string
    readonly path: string
    readonly body: JsonValue | string
    readonly type?: string
    readonly nonce?: string
  },
): Promise<Response> {
  return bench.send(`${base(bench)}${call.path}`, {
    method: 'POST',
    headers: {
      ...(await tokenHeaders(bench, wallet, call)),
      ...JSON_BODY,
      ...(call.type === undefined ? {} : { 'Content-Type': call.type }),
    },
    body: typeof call.body === 'string' ? call.body : JSON.stringify(call.body),
  })
}

/** A key proof with a fresh nonce. */
export async function keyProof(
  bench: IssuerBench,
  holder: Signer,
  facts: { readonly nonce?: string; readonly audience?: string; readonly clientId?: string } = {},
): Promise<string> {
  const nonce = facts.nonce ?? (await obtainNonce(bench))
  const audience = facts.audience ?? bench.issuer.credentialIssuer
  return createKeyProof({ audience, nonce, clientId: facts.clientId }, holder, bench.time.clock())
}

/** Asks for the role credential, bound to one fresh key unless told otherwise. */
export async function requestCredential(
  bench: IssuerBench,
  wallet: ScriptedWallet,
  token: string,
  body: JsonObject = {},
): Promise<Response> {
  const proofs = body['proofs'] ?? { jwt: [await keyProof(bench, newSigner())] }
  const named = 'credential_identifier' in body || 'credential_configuration_id' in body
  const wanted = named ? {} : { credential_configuration_id: 'agent-role' }
  return postWithToken(bench, wallet, { token, path: '/credential', body: { ...wanted, ...body, proofs } })
}
