/**
 * An issuer, an agent's wallet and a guarded API in one process, and the wallet's half of both routes as plain
 * functions that tests can bend.
 *
 * @module
 */
import {
  createMemoryStore,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  parseForm,
  type Random,
  type Route,
  routeRequests,
} from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  type Signer,
} from '@attache/keys'
import {
  CLIENT_ATTESTATION_HEADER,
  CLIENT_ATTESTATION_POP_HEADER,
  createAuthorizationChallengeRequest,
  createClientAttestation,
  createClientAttestationPop,
  createDpopProof,
  createPkce,
  createTokenRequest,
  encodeForm,
  type FormParameters,
} from '@attache/oauth'
import {
  type AuthorizationRequest,
  directPostBody,
  encodeIaResponse,
  IA_OPENID4VP_PRESENTATION,
  iaAudience,
  matchDcqlQuery,
  parseIaRequest,
  parseRequestUrl,
  STATIC_AUDIENCE,
  verifyRequestObject,
} from '@attache/openid4vp'
import { issueSdJwtVc, parseHeldSdJwtVc, presentSdJwtVc } from '@attache/sd-jwt'
import {
  createStatusList,
  createStatusListToken,
  STATUS_LIST_MEDIA_TYPE,
  writeStatus,
} from '@attache/status-list'
import { createVerifier, type Requirement, type VerifierDeps, type VerifierOptions } from '@attache/verifier'
import { createFixedClock, type FixedClock, NOW } from './clock.js'
import { createNetwork } from './network.js'
import { createSeededRandom } from './random.js'

export const API = 'https://api.example'
export const ISSUER = 'https://issuer.example'
export const STATUS_URI = `${ISSUER}/status/1`
export const VCT = `${ISSUER}/types/agent-role/v1`
export const CHALLENGE = `${API}/attache/challenge`
export const CLIENT_ID = 'agent-17'

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

const YEAR = 31_536_000
const TIMES = { notBefore: NOW - YEAR, notAfter: NOW + YEAR }

const caRandom = createSeededRandom('presentation-ca')
export const ca = await createCertificateAuthority(
  { commonName: 'Example Anchor', privateJwk: generatePrivateJwk('ES256'), ...TIMES },
  { random: caRandom },
)

/** A signer with a certificate under the anchor, or under another authority. */
export async function certified(host: string, authority = ca): Promise<Signer> {
  const privateJwk = generatePrivateJwk('ES256')
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const certificate = await issueCertificate(
    { commonName: host, publicJwk, issuer: authority, dnsNames: [host], ...TIMES },
    { random: caRandom },
  )
  return createSoftwareSigner(privateJwk, { x5c: certificate.x5c })
}

export const freshKey = (): Signer => createSoftwareSigner(generatePrivateJwk('ES256'))

const [issuerSigner, apiSigner, attesterSigner] = await Promise.all(
  ['issuer.example', 'api.example', 'attester.example'].map((host) => certified(host)),
)
if (issuerSigner === undefined || apiSigner === undefined || attesterSigner === undefined) {
  throw new Error('The world needs its three signers.')
}
export const signers = { issuer: issuerSigner, api: apiSigner, attester: attesterSigner }

export const CLAIMS: JsonObject = {
  iss: ISSUER,
  vct: VCT,
  iat: NOW - 86_400,
  exp: NOW + 86_400,
  agent: 'agent-17',
  role: 'Manager',
  region: 'EU',
  salary_band: 'salary-band-S7',
  birth_date: '1980-02-03',
  status: { status_list: { idx: 7, uri: STATUS_URI } },
}
const DISCLOSABLE = ['agent', 'role', 'region', 'salary_band', 'birth_date'].map((name) => [name] as const)

export type World = ReturnType<typeof createWorld>

/** What instances of one API have in common, and what else a test hands in. */
export interface WorldDeps extends Partial<VerifierDeps> {
  readonly time?: FixedClock
}

/** One API with its own store and clock unless given, and an issuer that answers for its status list. */
export function createWorld(
  options: Partial<VerifierOptions> = {},
  random: Random = createSeededRandom('world'),
  { time = createFixedClock(), ...more }: WorldDeps = {},
) {
  const list = createStatusList(1024, 2)
  const status = { ttl: 60, online: true }
  const network = createNetwork()
  network.serve(ISSUER, async () => {
    if (!status.online) return new Response(null, { status: 503 })
    const token = { uri: STATUS_URI, iat: time.clock(), exp: time.clock() + 3600, ttl: status.ttl, list }
    const headers = { 'Content-Type': STATUS_LIST_MEDIA_TYPE }
    return new Response(await createStatusListToken(token, signers.issuer), { headers })
  })
  const store = more.store ?? createMemoryStore(time)
  const lines: string[] = []
  const note = (event: string, fields: object = {}) => void lines.push(JSON.stringify({ event, ...fields }))
  const verifier = createVerifier(
    {
      origin: API,
      trustedIssuers: [{ vct: VCT, anchors: [ca.pem], issuer: ISSUER }],
      keyBinding: 'required',
      walletAttesters: [
        { name: 'wallet', anchors: createAnchors('walletAttesters', [ca.pem]), clients: 'any' },
      ],
      ...options,
    },
    {
      signer: signers.api,
      store,
      fetch: network.fetch,
      clock: time.clock,
      random,
      log: { info: note, warn: note, error: note },
      ...more,
    },
  )
  return {
    verifier,
    store,
    time,
    network,
    random,
    /** Log lines as JSON. */
    lines,
    status,
    revoke: (idx = 7) => writeStatus(list, idx, 1),
    /** 0 VALID, 1 INVALID, 2 SUSPENDED, 3 of the issuer's own meaning. */
    setStatus: (value: number, idx = 7) => writeStatus(list, idx, value),
    send: answerWith(verifier.routes),
  }
}

/** Sends a request to routes; an unknown path is a 404. */
export function answerWith(routes: readonly Route[]): (request: Request) => Promise<Response> {
  const answer = routeRequests(routes)
  return async (request) => (await answer(request)) ?? new Response(null, { status: 404 })
}

/** An agent's wallet: keys, an attestation and credentials. */
export interface Wallet {
  readonly clientId: string
  readonly holder: Signer
  readonly dpop: Signer
  readonly instance: Signer
  readonly attestation: string
  readonly credential: string
}

/** Makes a wallet that holds one credential; what is given replaces the sound default. */
export async function createWallet(
  override: { claims?: JsonObject; issuer?: Signer; clientId?: string; attester?: Signer } = {},
): Promise<Wallet> {
  const [holder, dpop, instance] = [freshKey(), freshKey(), freshKey()]
  const clientId = override.clientId ?? CLIENT_ID
  const statement = { clientId, instanceKey: instance.publicJwk, expiresAt: NOW + 3600 }
  return {
    clientId,
    holder,
    dpop,
    instance,
    attestation: await createClientAttestation(statement, override.attester ?? signers.attester, NOW),
    credential: await issueCredential(holder, override.claims, override.issuer),
  }
}

/** Issues a role credential bound to a key. */
export function issueCredential(
  holder: Signer,
  claims: JsonObject = {},
  issuer = signers.issuer,
): Promise<string> {
  const content = { claims: { ...CLAIMS, ...claims }, disclosable: DISCLOSABLE, holderKey: holder.publicJwk }
  return issueSdJwtVc(content, { signer: issuer, random: createSeededRandom(holder.kid) })
}

/** Header fields that authenticate a wallet at an endpoint of the API. */
export async function clientHeaders(
  world: World,
  wallet: Wallet,
  url: string,
): Promise<Record<string, string>> {
  const facts = { now: world.time.clock(), random: world.random }
  return {
    DPoP: await createDpopProof({ method: 'POST', url }, wallet.dpop, facts),
    [CLIENT_ATTESTATION_HEADER]: wallet.attestation,
    [CLIENT_ATTESTATION_POP_HEADER]: await createClientAttestationPop(
      { audience: API },
      wallet.instance,
      facts,
    ),
  }
}

/** Posts a form as a wallet. */
export async function postForm(
  world: World,
  url: string,
  form: FormParameters,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const type = { 'Content-Type': 'application/x-www-form-urlencoded' }
  return world.send(
    new Request(url, { method: 'POST', headers: { ...type, ...headers }, body: encodeForm(form) }),
  )
}

/** The body of an answer, which must be a JSON object. */
export async function objectOf(response: Response): Promise<JsonObject> {
  const body: unknown = await response.json()
  if (!isJsonObject(body)) throw new Error('The answer is no JSON object.')
  return body
}

/** A text member that must be there. */
export function textOf(object: JsonObject, name: string): string {
  const value = member(object, name)
  if (typeof value !== 'string') throw new Error(`The answer has no ${name}.`)
  return value
}

/** Chooses from the wallet's one credential and binds it. */
export async function present(
  wallet: Wallet,
  request: AuthorizationRequest,
  binding: { audience: string; nonce?: string; issuedAt?: number; signer?: Signer; members?: JsonObject },
): Promise<ReadonlyMap<string, readonly string[]>> {
  const held = parseHeldSdJwtVc(wallet.credential)
  if (request.dcqlQuery === undefined) throw new Error('The request has no query.')
  const credential = {
    id: 'only',
    format: 'dc+sd-jwt',
    vct: held.vct,
    claims: held.claims,
    holderBound: true,
  }
  const match = matchDcqlQuery(request.dcqlQuery, [credential])
  if (!match.satisfied) throw new Error('The wallet has nothing that answers.')
  const token = new Map<string, readonly string[]>()
  for (const { queryId, paths } of match.selections) {
    const keyBinding = {
      signer: binding.signer ?? wallet.holder,
      audience: binding.audience,
      nonce: binding.nonce ?? request.nonce,
      issuedAt: binding.issuedAt ?? NOW,
      ...(binding.members === undefined ? {} : { members: binding.members }),
    }
    token.set(queryId, [await presentSdJwtVc(held, { disclose: paths, keyBinding })])
  }
  return token
}

const trust = { anchors: createAnchors('verifiers', [ca.pem]) }

/** The first half of the challenge route, as a wallet. */
export async function beginChallenge(world: World, wallet: Wallet, scope = 'payroll:export') {
  const pkce = createPkce(world.random)
  const form = createAuthorizationChallengeRequest({
    kind: 'initial',
    request: { clientId: wallet.clientId, scope, codeChallenge: pkce.codeChallenge },
    interactionTypesSupported: [IA_OPENID4VP_PRESENTATION],
  })
  const answer = await postForm(world, CHALLENGE, form, await clientHeaders(world, wallet, CHALLENGE))
  const body = await objectOf(answer)
  const asked = parseIaRequest(member(body, 'openid4vp_request'))
  if (asked.kind !== 'signed') throw new Error('The request is not signed.')
  const { request, client } = await verifyRequestObject(asked.requestObject, {
    audiences: [STATIC_AUDIENCE],
    algorithms: ['ES256'],
    trust,
    now: world.time.clock(),
  })
  return { answer, body, request, client, pkce, authSession: textOf(body, 'auth_session') }
}

export type BegunChallenge = Awaited<ReturnType<typeof beginChallenge>>

/** The second half of the challenge route: posts whatever is given as the response. */
export async function answerChallenge(world: World, wallet: Wallet, authSession: string, response: string) {
  const form = createAuthorizationChallengeRequest({
    kind: 'follow_up',
    authSession,
    clientId: wallet.clientId,
    interaction: new Map([['openid4vp_response', response]]),
  })
  return postForm(world, CHALLENGE, form, await clientHeaders(world, wallet, CHALLENGE))
}

/** A sound response to a challenge. */
export async function soundResponse(
  wallet: Wallet,
  { request }: BegunChallenge,
  audience = iaAudience(CHALLENGE),
) {
  return encodeIaResponse(request, { vpToken: await present(wallet, request, { audience }) })
}

/** Redeems a code. */
export async function redeem(world: World, wallet: Wallet, code: string, codeVerifier: string) {
  const url = `${API}/attache/token`
  const form = createTokenRequest({ grantType: 'authorization_code', code, codeVerifier })
  return postForm(world, url, form, await clientHeaders(world, wallet, url))
}

/** The whole challenge route: from nothing to an access token. */
export async function obtainToken(world: World, wallet: Wallet, scope = 'payroll:export'): Promise<string> {
  const begun = await beginChallenge(world, wallet, scope)
  const answered = await answerChallenge(world, wallet, begun.authSession, await soundResponse(wallet, begun))
  const code = textOf(await objectOf(answered), 'authorization_code')
  return textOf(await objectOf(await redeem(world, wallet, code, begun.pkce.codeVerifier)), 'access_token')
}

/** A call to a guarded route, with a fresh proof. */
export async function call(
  world: World,
  token: string,
  options: { method?: string; url?: string; dpop: Signer; headers?: Readonly<Record<string, string>> },
): Promise<Request> {
  const { method = 'POST', url = `${API}/payroll/export`, dpop, headers = {} } = options
  const facts = { now: world.time.clock(), random: world.random }
  const proof = await createDpopProof({ method, url, accessToken: token }, dpop, facts)
  return new Request(url, { method, headers: { Authorization: `DPoP ${token}`, DPoP: proof, ...headers } })
}

/** A requirement for managers in the EU. */
export const MANAGERS_IN_EU: Requirement = {
  scope: 'payroll:export',
  query: QUERY,
  decide: (claims) => {
    const missing = [
      ...(claims['role'] === 'Manager' ? [] : ['role']),
      ...(claims['region'] === 'EU' ? [] : ['region']),
    ]
    return missing.length === 0 || { missing, hint: 'Payroll is for managers in the EU.' }
  },
}

/** Fetches and verifies the request of a plain transaction, as a wallet. */
export async function fetchRequest(world: World, requestUrl: string, post?: FormParameters) {
  const handover = parseRequestUrl(requestUrl)
  if (handover.kind !== 'reference') throw new Error('The request does not travel by reference.')
  const answer =
    post === undefined
      ? await world.send(new Request(handover.requestUri))
      : await postForm(world, handover.requestUri, post)
  const text = await answer.clone().text()
  const walletNonce = post?.get('wallet_nonce')
  const { request, client } = await verifyRequestObject(text, {
    clientId: handover.clientId,
    audiences: [STATIC_AUDIENCE],
    algorithms: ['ES256'],
    trust,
    now: world.time.clock(),
    ...(walletNonce === undefined ? {} : { walletNonce }),
  })
  return { answer, request, client, text, responseUri: request.responseUri ?? '' }
}

/** A sound answer to a plain transaction, as a form body. */
export async function soundBody(wallet: Wallet, request: AuthorizationRequest): Promise<string> {
  return directPostBody(request, {
    vpToken: await present(wallet, request, { audience: request.clientId ?? '' }),
  })
}

/** Posts a body to a response_uri. */
export function postResponse(world: World, url: string, body: string): Promise<Response> {
  return postForm(world, url, parseForm(body))
}

/** Asks for the result of a transaction. */
export function askResult(world: World, parameters: Readonly<Record<string, string>>): Promise<Response> {
  return postForm(world, `${API}/attache/result`, new Map(Object.entries(parameters)))
}

/** The response code in the answer to a posted response. */
export async function responseCodeOf(response: Response): Promise<string> {
  const redirect = new URL(textOf(await objectOf(response), 'redirect_uri'))
  return redirect.searchParams.get('response_code') ?? ''
}

/** JSON of every value in the store, for looking at what is kept. */
export async function storedText(world: World): Promise<string> {
  const entries: readonly { key: string; value: JsonValue }[] = await world.store.list('')
  return JSON.stringify(entries)
}
