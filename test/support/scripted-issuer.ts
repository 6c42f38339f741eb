/**
 * An issuer that does as it is told: sound by default, and wherever a script says so, wrong.
 *
 * The other side of every test of the wallet's issuance, good or evil. It answers over the in-process network,
 * so that everything the wallet sent is on record.
 *
 * @module
 */
import {
  type ClaimsPath,
  createMemoryStore,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type LogFields,
  type NumericDate,
  type OutboundFetch,
  type Telemetry,
} from '@attache/core'
import {
  createEnvelope,
  type DecryptionKey,
  decryptJwe,
  encryptJwe,
  generateDecryptionKey,
  type PublicJwk,
  parseJws,
  parsePublicJwk,
  type Signer,
} from '@attache/keys'
import { PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { createRulePdp, type Pdp } from '@attache/policy'
import { issueSdJwtVc } from '@attache/sd-jwt'
import {
  createStatusList,
  createStatusListToken,
  STATUS_LIST_MEDIA_TYPE,
  writeStatus,
} from '@attache/status-list'
import {
  type Attester,
  createWallet,
  createWalletProvider,
  type TrustedIssuer,
  type Wallet,
  type WalletOptions,
} from '@attache/wallet'
import { type Certified, partyOf } from '../flows/issuer-bench.js'
import { createFixedClock, type FixedClock, NOW } from './clock.js'
import { createNetwork, type Network, type RecordedCall } from './network.js'
import { createSeededRandom } from './random.js'

export const ORIGIN = 'https://issuer.example'
export const ISSUER = `${ORIGIN}/acme`
export const VCT = 'https://credentials.example/role/v1'
export const AGENT = 'agent-1'
export const CLIENT = 'https://agents.example/wallet/v1'
export const TX_CODE = '493536'
export const REDIRECT_URI = 'https://agents.example/cb'

/** A step that answers in the issuer's place; `undefined` leaves it to the issuer. */
export type Step = (call: ScriptedCall) => Response | undefined | Promise<Response | undefined>

export interface ScriptedCall {
  readonly request: Request
  readonly body: string
  /** Form or JSON body, read. */
  readonly form: URLSearchParams
  readonly json: JsonObject
  /** How often this path was called before. */
  readonly count: number
}

export interface Script {
  /** Alters documents on their way out. */
  readonly metadata?: (document: JsonObject) => JsonValue
  readonly server?: (document: JsonObject) => JsonValue
  readonly offer?: (document: JsonObject) => JsonValue
  /** Answers by path below the issuer, such as `/token`. */
  readonly steps?: Readonly<Record<string, Step>>
  /** Alters the claims of every credential. */
  readonly claims?: (claims: JsonObject) => JsonObject
  /** What of the claims can be withheld. Default role, region and employee_id. */
  readonly disclosable?: readonly ClaimsPath[]
  /** Alters the finished credentials of one response. */
  readonly credentials?: (
    credentials: readonly string[],
  ) => readonly JsonValue[] | Promise<readonly JsonValue[]>
  /** Signs credentials in the issuer's place. */
  readonly signer?: Signer
  readonly tokenResponse?: (response: JsonObject) => JsonObject
  readonly status?: number
  /** Tokens expire never and cannot be refreshed unless this is set. */
  readonly refreshToken?: string
}

export interface ScriptedWorld {
  readonly wallet: Wallet
  readonly network: Network
  readonly time: FixedClock
  readonly signing: Certified
  readonly lines: readonly string[]
  readonly store: ReturnType<typeof createMemoryStore>
  /** Changes what the issuer does from now on. */
  play(script: Script): void
  restart(): Wallet
  /** An offer by value with a Transaction Code, as the script alters it. */
  offer(): string
  receive(txCode?: string): ReturnType<Wallet['receive']>
  /** Calls to a path below the issuer, in order. */
  calls(path: string): readonly RecordedCall[]
}

export interface ScriptedOptions {
  readonly script?: Script
  readonly issuer?: Partial<TrustedIssuer>
  /** As `issuer`, made from the keys of this world. */
  readonly issuerOf?: (signing: Certified) => Partial<TrustedIssuer>
  readonly wallet?: Partial<WalletOptions>
  readonly attester?: (provider: Certified) => Attester
  readonly tamper?: (fetch: OutboundFetch) => OutboundFetch
  readonly pdp?: Pdp
  readonly telemetry?: Telemetry
  readonly requestKeys?: readonly DecryptionKey[]
}

export const METADATA: JsonObject = {
  credential_issuer: ISSUER,
  credential_endpoint: `${ISSUER}/credential`,
  nonce_endpoint: `${ISSUER}/nonce`,
  deferred_credential_endpoint: `${ISSUER}/deferred`,
  notification_endpoint: `${ISSUER}/notification`,
  batch_credential_issuance: { batch_size: 5 },
  credential_configurations_supported: {
    role_v1: {
      format: 'dc+sd-jwt',
      vct: VCT,
      scope: 'role',
      cryptographic_binding_methods_supported: ['jwk'],
      credential_signing_alg_values_supported: ['ES256'],
      proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
    },
  },
}

export const SERVER: JsonObject = {
  issuer: ISSUER,
  token_endpoint: `${ISSUER}/token`,
  authorization_endpoint: `${ISSUER}/authorize`,
  pushed_authorization_request_endpoint: `${ISSUER}/par`,
  authorization_response_iss_parameter_supported: true,
  response_types_supported: ['code'],
  grant_types_supported: [PRE_AUTHORIZED_CODE_GRANT, 'authorization_code', 'refresh_token'],
  token_endpoint_auth_methods_supported: ['attest_jwt_client_auth'],
  dpop_signing_alg_values_supported: ['ES256'],
}

export const OFFER: JsonObject = {
  credential_issuer: ISSUER,
  credential_configuration_ids: ['role_v1'],
  grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': 'code-1', tx_code: {} } },
}

export const STATUS_URI = `${ISSUER}/status/1`

export const offerLink = (offer: JsonValue, scheme = 'openid-credential-offer://'): string =>
  `${scheme}?credential_offer=${encodeURIComponent(JSON.stringify(offer))}`

export const answer = (status: number, body: JsonValue, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } })

/** The grants of the code flow, with an issuer_state. */
export const CODE_OFFER: JsonObject = {
  ...OFFER,
  grants: { authorization_code: { issuer_state: 'IuqGiVebDEz_Kdu1pXF2sNBT' } },
}

export async function createScriptedWorld(options: ScriptedOptions = {}): Promise<ScriptedWorld> {
  const time = createFixedClock()
  const [signing, provider] = await Promise.all([partyOf('Acme', ['issuer.example']), partyOf('Provider')])
  let script = options.script ?? {}
  const network = createNetwork()
  const counts = new Map<string, number>()
  network.serve(ORIGIN, async (request) => {
    const { pathname } = new URL(request.url)
    const count = counts.get(pathname) ?? 0
    counts.set(pathname, count + 1)
    const body = await request.clone().text()
    const call = { request, body, form: new URLSearchParams(body), json: jsonOf(body), count }
    const path = pathname.replace('/acme', '')
    return (await script.steps?.[path]?.(call)) ?? soundAnswer(path, call, { script, signing, time })
  })
  const store = createMemoryStore({ clock: time.clock })
  const lines: string[] = []
  const makeWallet = (): Wallet =>
    createScriptedWallet({ signing, provider, network, time, store, lines }, options)
  let wallet = makeWallet()
  const offer = () => offerLink(script.offer?.(OFFER) ?? OFFER)
  return {
    get wallet() {
      return wallet
    },
    network,
    time,
    signing,
    lines,
    store,
    play: (next) => {
      script = next
    },
    restart: () => {
      wallet = makeWallet()
      return wallet
    },
    offer,
    receive: (txCode = TX_CODE) => wallet.receive(AGENT, offer(), txCode),
    calls: (path) => network.calls.filter(({ url }) => new URL(url).pathname === `/acme${path}`),
  }
}

interface Parts {
  readonly signing: Certified
  readonly provider: Certified
  readonly network: Network
  readonly time: FixedClock
  readonly store: ReturnType<typeof createMemoryStore>
  readonly lines: string[]
}

function createScriptedWallet(parts: Parts, options: ScriptedOptions): Wallet {
  const { signing, provider, network, time, store, lines } = parts
  const random = createSeededRandom(`scripted ${lines.length}`)
  const write = (event: string, fields: LogFields = {}) => {
    lines.push(JSON.stringify({ event, ...fields }))
  }
  const log = { info: write, warn: write, error: write }
  return createWallet(
    {
      profile: 'haip',
      algorithms: ['ES256'],
      agents: [
        { id: AGENT, clientId: CLIENT },
        { id: 'agent-2', clientId: CLIENT },
      ],
      issuers: [
        {
          credentialIssuer: ISSUER,
          vcts: [VCT],
          anchors: signing.anchors,
          copies: 1,
          ...options.issuer,
          ...options.issuerOf?.(signing),
        },
      ],
      verifiers: [],
      redirectUri: REDIRECT_URI,
      ...options.wallet,
    },
    {
      store,
      log,
      random,
      clock: time.clock,
      envelope: createEnvelope([{ id: 'm1', key: new Uint8Array(32).fill(7) }], { random }),
      fetch: options.tamper?.(network.fetch) ?? network.fetch,
      pdp: options.pdp ?? createRulePdp([]),
      ...(options.telemetry === undefined ? {} : { telemetry: options.telemetry }),
      ...(options.requestKeys === undefined ? {} : { requestKeys: options.requestKeys }),
      attester:
        options.attester?.(provider) ??
        createWalletProvider({ issuer: 'https://provider.example' }, provider),
    },
  )
}

interface SoundParts {
  readonly script: Script
  readonly signing: Certified
  readonly time: FixedClock
}

async function soundAnswer(path: string, call: ScriptedCall, parts: SoundParts): Promise<Response> {
  const { script } = parts
  if (path === '/.well-known/openid-credential-issuer')
    return answer(200, script.metadata?.(METADATA) ?? METADATA)
  if (path === '/.well-known/oauth-authorization-server')
    return answer(200, script.server?.(SERVER) ?? SERVER)
  switch (path) {
    case '/offer':
      return answer(200, script.offer?.(OFFER) ?? OFFER)
    case '/par':
      return answer(201, { request_uri: `urn:ietf:params:oauth:request_uri:${call.count}`, expires_in: 60 })
    case '/challenge':
      return answer(200, { attestation_challenge: `challenge-${call.count}` })
    case '/token':
      return answer(200, soundToken(call, script))
    case '/nonce':
      return answer(200, { c_nonce: `c-nonce-${call.count}` })
    case '/credential':
      return soundCredentials(call, parts)
    case '/notification':
      return new Response(null, { status: 204 })
    case '/status/1':
      return statusList(parts)
    default:
      return answer(404, { error: 'not_found' })
  }
}

function soundToken(call: ScriptedCall, script: Script): JsonObject {
  const response = {
    access_token: `token-${call.count}`,
    token_type: 'DPoP',
    expires_in: 600,
    ...(script.refreshToken === undefined ? {} : { refresh_token: script.refreshToken }),
  }
  return script.tokenResponse?.(response) ?? response
}

async function soundCredentials(call: ScriptedCall, parts: SoundParts): Promise<Response> {
  const body =
    call.request.headers.get('content-type') === 'application/jwt' ? await opened(call.body) : call.json
  const credentials = await credentialsFor(body, parts)
  const finished = (await parts.script.credentials?.(credentials)) ?? credentials
  const response = { credentials: finished.map((credential) => ({ credential })), notification_id: 'note-1' }
  const wanted = body['credential_response_encryption']
  if (!isJsonObject(wanted)) return answer(200, response)
  const jwk = parsePublicJwk(wanted['jwk'])
  const enc = wanted['enc'] === 'A128GCM' ? 'A128GCM' : 'A256GCM'
  const jwe = await encryptJwe(new TextEncoder().encode(JSON.stringify(response)), { jwk, enc })
  return new Response(jwe, { headers: { 'Content-Type': 'application/jwt' } })
}

/** The issuer's key for encrypted requests; put its public half into the metadata. */
export const REQUEST_KEY: DecryptionKey = generateDecryptionKey({ kid: 'enc-1' })

export async function opened(jwe: string): Promise<JsonObject> {
  const { plaintext } = await decryptJwe(jwe, { keys: [REQUEST_KEY], encs: ['A256GCM', 'A128GCM'] })
  return jsonOf(new TextDecoder().decode(plaintext))
}

/** Sound credentials for the proofs of a request. */
export async function credentialsFor(body: JsonObject, parts: SoundParts): Promise<readonly string[]> {
  return Promise.all(proofKeys(body).map((holderKey) => soundCredential(holderKey, parts)))
}

function proofKeys(body: JsonObject): readonly (PublicJwk | undefined)[] {
  const proofs = body['proofs']
  if (!isJsonObject(proofs)) return [undefined]
  const jwts = Array.isArray(proofs['jwt']) ? proofs['jwt'].map(String) : []
  if (jwts.length > 0) return jwts.map((jwt) => parsePublicJwk(parseJws(jwt).header['jwk']))
  const attestation = Array.isArray(proofs['attestation']) ? String(proofs['attestation'][0]) : ''
  const keys = parseJws(attestation).payload['attested_keys']
  return Array.isArray(keys) ? keys.map((key) => parsePublicJwk(key)) : []
}

let issued = 0

function soundCredential(
  holderKey: PublicJwk | undefined,
  { script, signing, time }: SoundParts,
): Promise<string> {
  issued += 1
  const claims = roleClaims(time.clock())
  return issueSdJwtVc(
    {
      claims: script.claims?.(claims) ?? claims,
      disclosable: script.disclosable ?? [['role'], ['region'], ['employee_id']],
      ...(holderKey === undefined ? {} : { holderKey }),
    },
    { signer: script.signer ?? signing.signer, random: createSeededRandom(`credential ${issued}`) },
  )
}

export const roleClaims = (now: NumericDate): JsonObject => ({
  iss: ISSUER,
  vct: VCT,
  iat: now - 3600,
  exp: now + 30 * 86_400,
  role: 'Manager',
  region: 'EU',
  employee_id: 'E-10442',
  status: { status_list: { idx: 7, uri: STATUS_URI } },
})

async function statusList({ script, signing, time }: SoundParts): Promise<Response> {
  const list = createStatusList(1024, 2)
  if (script.status !== undefined) writeStatus(list, 7, script.status)
  const token = { uri: STATUS_URI, iat: time.clock(), exp: time.clock() + 3600, ttl: 60, list }
  return new Response(await createStatusListToken(token, signing.signer), {
    headers: { 'Content-Type': STATUS_LIST_MEDIA_TYPE },
  })
}

function jsonOf(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : {}
  } catch {
    return {}
  }
}

/** Header and payload of a compact JWS, unjudged. */
export const decoded = (jws: string): { header: JsonObject; payload: JsonObject } => parseJws(jws)

/** The proof keys of a credential request, as sent. */
export const proofsOf = (call: RecordedCall | undefined): readonly string[] => {
  const proofs = jsonOf(call?.body ?? '')['proofs']
  return isJsonObject(proofs) && Array.isArray(proofs['jwt']) ? proofs['jwt'].map(String) : []
}

export const START = NOW

/** The object below a document, by names; empty where there is none. */
export const within = (document: JsonObject, ...names: readonly string[]): JsonObject =>
  names.reduce((inner: JsonObject, name) => {
    const next = inner[name]
    return isJsonObject(next) ? next : {}
  }, document)
