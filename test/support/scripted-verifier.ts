/**
 * An API and its authorization server that do as they are told: sound by default, evil where a script says so.
 *
 * The other side of every test of the wallet's presentations. It judges nothing; what the wallet sent is on
 * record, and the tests look at it. Serves the challenge route and plain OpenID4VP.
 *
 * @module
 */
import type { AuthorizationAnswer } from '@attache/agent'
import { isJsonObject, type JsonObject, type JsonValue } from '@attache/core'
import { type DecryptionKey, decryptJwe, generateDecryptionKey, type Signer } from '@attache/keys'
import { x509HashClientIdentifier } from '@attache/openid4vp'
import { createRulePdp, type Pdp } from '@attache/policy'
import type { TrustedVerifier } from '@attache/wallet'
import { type Certified, partyOf } from '../flows/issuer-bench.js'
import { signRaw } from './credentials.js'
import type { RecordedCall } from './network.js'
import {
  AGENT,
  createScriptedWorld,
  decoded,
  type ScriptedOptions,
  type ScriptedWorld,
  VCT,
} from './scripted-issuer.js'

export const API = 'https://api.example'
export const CALL = `${API}/payroll/export`
export const CHALLENGE = `${API}/challenge`
export const TOKEN = `${API}/token`
export const NONCE = 'uL1scwPNFi23QeahPgKFI0-rH1d9QUqMutLrzrWbpx0'
export const RESPONSE_URI = `${API}/response`
export const REQUEST_URI = `${API}/request`

/** Key for encrypted responses. */
export const RESPONSE_KEY: DecryptionKey = generateDecryptionKey({ kid: 'resp-1' })

export const QUERY: JsonObject = {
  credentials: [
    {
      id: 'role_cred',
      format: 'dc+sd-jwt',
      meta: { vct_values: [VCT] },
      claims: [{ path: ['role'] }, { path: ['region'] }],
    },
  ],
}

export interface VerifierCall {
  readonly request: Request
  readonly form: URLSearchParams
  /** How often this path was called before. */
  readonly count: number
}

export interface VerifierScript {
  /** Answers by path in the verifier's place. */
  readonly steps?: Readonly<
    Record<string, (call: VerifierCall) => Response | undefined | Promise<Response | undefined>>
  >
  readonly resource?: (document: JsonObject) => JsonValue
  readonly server?: (document: JsonObject) => JsonValue
  /** Parameters of the Authorization Request, as they are signed. */
  readonly request?: (parameters: JsonObject) => JsonObject
  readonly requestHeader?: (header: JsonObject) => JsonObject
  readonly signer?: Signer
  /** Alters the finished demand of the challenge endpoint. */
  readonly demand?: (body: JsonObject) => JsonObject
  readonly query?: JsonObject
}

export interface PresentationWorld extends ScriptedWorld {
  readonly verifier: Certified
  readonly clientId: string
  perform(script: VerifierScript): void
  /** Calls the API as the agent's fetch does; the last answer of the API. */
  callApi(url?: string): Promise<Response>
  /** The API's own refusal, as received without a wallet. */
  refusal(): Promise<Response>
  to(path: string): readonly RecordedCall[]
  /** The vp_token of the last presentation, decrypted. */
  vpToken(): Promise<Record<string, readonly string[]>>
  /** Presents by a request URL of the plain route. */
  present(parameters?: Record<string, string>): ReturnType<ScriptedWorld['wallet']['present']>
  /** Reason of the newest decision. */
  reason(): Promise<string>
}

export interface PresentationOptions extends Omit<ScriptedOptions, 'pdp'> {
  readonly verifierScript?: VerifierScript
  readonly trust?: Partial<TrustedVerifier>
  readonly rules?: (clientId: string) => JsonValue
  readonly policy?: Pdp
  /** Whether the agent receives its credential first. Default true. */
  readonly holding?: boolean
}

const release = (clientId: string): JsonValue => [
  {
    id: 'release',
    effect: 'allow',
    resources: [{ type: 'Verifier', id: clientId }],
    when: [{ path: ['context', 'claims'], op: 'subset', value: ['role', 'region'] }],
  },
]

export async function createPresentationWorld(options: PresentationOptions = {}): Promise<PresentationWorld> {
  const verifier = await partyOf('Payroll API', ['api.example'])
  const clientId = x509HashClientIdentifier(verifier.signer.x5c?.[0] ?? '')
  const trusted: TrustedVerifier = {
    clientId,
    anchors: verifier.anchors,
    apis: [API],
    authorizationServer: API,
    ...options.trust,
  }
  const world = await createScriptedWorld({
    ...options,
    wallet: { verifiers: [trusted], ...options.wallet },
    pdp: options.policy ?? createRulePdp(options.rules?.(clientId) ?? release(clientId)),
  })
  let script = options.verifierScript ?? {}
  const counts = new Map<string, number>()
  world.network.serve(API, async (request) => {
    const path = new URL(request.url).pathname
    const count = counts.get(path) ?? 0
    counts.set(path, count + 1)
    const form = new URLSearchParams(await request.clone().text())
    const call = { request, form, count }
    return (
      (await script.steps?.[path]?.(call)) ?? soundAnswer(path, call, { script, verifier, clientId, world })
    )
  })
  if (options.holding !== false) await world.receive()
  const to = (path: string) => world.network.calls.filter(({ url }) => url.startsWith(`${API}${path}`))
  const send = (url: string, answer: AuthorizationAnswer) =>
    world.network.fetch(url, {
      method: 'POST',
      headers: answer.outcome === 'authorized' ? answer.headers : {},
    })
  return Object.assign(world, {
    verifier,
    clientId,
    to,
    perform: (next: VerifierScript) => {
      script = next
    },
    async callApi(url = CALL) {
      const question = { method: 'POST', url }
      const first = await send(url, await world.wallet.authorize(AGENT, question))
      const said = first.headers.get('WWW-Authenticate')
      if ((first.status !== 401 && first.status !== 403) || said === null) return first
      const dpopNonce = first.headers.get('DPoP-Nonce')
      const nonce = dpopNonce === null ? {} : { dpopNonce }
      const body = said.startsWith('OpenID4VP') ? { body: await first.clone().text() } : {}
      const challenge = { status: first.status, wwwAuthenticate: [said], ...nonce, ...body } as const
      const answer = await world.wallet.authorize(AGENT, { ...question, challenge })
      return answer.outcome === 'authorized' ? send(url, answer) : first
    },
    refusal: () => world.network.fetch(CALL, { method: 'POST' }),
    async vpToken() {
      const posted = [...to('/challenge'), ...to('/response')].map(({ body }) => new URLSearchParams(body))
      const last = posted
        .filter((form) => form.has('openid4vp_response') || form.has('response') || form.has('vp_token'))
        .at(-1)
      return readVpToken(last)
    },
    present(parameters: Record<string, string> = {}) {
      const query = new URLSearchParams({ client_id: clientId, request_uri: REQUEST_URI, ...parameters })
      return world.wallet.present(AGENT, `openid4vp://?${query}`)
    },
    async reason() {
      const [newest] = await world.wallet.explain(AGENT, { limit: 1 })
      return newest?.code ?? ''
    },
  })
}

async function readVpToken(form: URLSearchParams | undefined): Promise<Record<string, readonly string[]>> {
  const text = form?.get('openid4vp_response') ?? form?.get('vp_token') ?? form?.get('response') ?? '{}'
  const outer: unknown = text.startsWith('{') ? JSON.parse(text) : { response: text }
  const jwe = isJsonObject(outer) ? outer['response'] : undefined
  const content: unknown = typeof jwe === 'string' ? JSON.parse(await decrypted(jwe)) : outer
  const token =
    isJsonObject(content) && isJsonObject(content['vp_token'])
      ? content['vp_token']
      : isJsonObject(content)
        ? content
        : {}
  return Object.fromEntries(
    Object.entries(token).map(([id, value]) => [id, Array.isArray(value) ? value.map(String) : []]),
  )
}

export async function decrypted(jwe: string): Promise<string> {
  const { plaintext } = await decryptJwe(jwe, { keys: [RESPONSE_KEY], encs: ['A256GCM', 'A128GCM'] })
  return new TextDecoder().decode(plaintext)
}

interface Parts {
  readonly script: VerifierScript
  readonly verifier: Certified
  readonly clientId: string
  readonly world: ScriptedWorld
}

const json = (status: number, body: JsonValue): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })

async function soundAnswer(path: string, call: VerifierCall, parts: Parts): Promise<Response> {
  const { script } = parts
  switch (path) {
    case '/.well-known/oauth-protected-resource': {
      const document = { resource: API, authorization_servers: [API] }
      return json(200, script.resource?.(document) ?? document)
    }
    case '/.well-known/oauth-authorization-server': {
      const document = {
        issuer: API,
        token_endpoint: TOKEN,
        authorization_challenge_endpoint: CHALLENGE,
        response_types_supported: ['code'],
      }
      return json(200, script.server?.(document) ?? document)
    }
    case '/challenge':
      return challengeAnswer(call, parts)
    case '/token':
      return json(200, { access_token: `token-${call.count}`, token_type: 'DPoP', expires_in: 300 })
    case '/request':
      return new Response(
        await signedRequest(
          parts,
          { response_mode: 'direct_post.jwt', response_uri: RESPONSE_URI, state: 'st-1' },
          call,
        ),
        {
          headers: { 'Content-Type': 'application/oauth-authz-req+jwt' },
        },
      )
    case '/response':
      return json(200, { redirect_uri: `${API}/done#code` })
    default:
      return apiAnswer(call)
  }
}

function apiAnswer({ request }: VerifierCall): Response {
  if (request.headers.get('authorization')?.startsWith('DPoP ')) return json(200, { done: true })
  const field = `DPoP algs="ES256", scope="payroll", resource_metadata="${API}/.well-known/oauth-protected-resource"`
  return new Response('{"title":"Present a role."}', {
    status: 401,
    headers: { 'Content-Type': 'application/problem+json', 'WWW-Authenticate': field, 'X-Trace': 'abc' },
  })
}

async function challengeAnswer(call: VerifierCall, parts: Parts): Promise<Response> {
  const response = call.form.get('openid4vp_response')
  if (response !== null) {
    return response.includes('"error"')
      ? json(400, { error: 'access_denied' })
      : json(200, { authorization_code: 'code-1' })
  }
  const request = await signedRequest(parts, { response_mode: 'ia_post.jwt', expected_origins: [API] }, call)
  const body: JsonObject = {
    error: 'insufficient_authorization',
    auth_session: `session-${call.count}`,
    interaction_type_required: 'urn:openid:dcp:ia:openid4vp_presentation',
    openid4vp_request: { request },
  }
  return json(401, parts.script.demand?.(body) ?? body)
}

/** The parameters of a sound request. */
export function requestParameters(clientId: string, more: JsonObject, now: number): JsonObject {
  return {
    client_id: clientId,
    response_type: 'vp_token',
    nonce: NONCE,
    aud: 'https://self-issued.me/v2',
    iat: now,
    exp: now + 300,
    dcql_query: QUERY,
    client_metadata: {
      jwks: { keys: [{ ...RESPONSE_KEY.publicJwk }] },
      encrypted_response_enc_values_supported: ['A128GCM', 'A256GCM'],
      vp_formats_supported: {
        'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] },
      },
    },
    ...more,
  }
}

async function signedRequest(
  { script, verifier, clientId, world }: Parts,
  more: JsonObject,
  call: VerifierCall,
): Promise<string> {
  const echo = call.form.get('wallet_nonce')
  const sound = {
    ...requestParameters(clientId, more, world.time.clock()),
    ...(script.query === undefined ? {} : { dcql_query: script.query }),
    ...(echo === null ? {} : { wallet_nonce: echo }),
  }
  const signer = script.signer ?? verifier.signer
  const header: JsonObject = { alg: 'ES256', typ: 'oauth-authz-req+jwt', x5c: [...(signer.x5c ?? [])] }
  return signRaw(script.requestHeader?.(header) ?? header, script.request?.(sound) ?? sound, signer)
}

/** What one presentation shows: names of disclosed claims, and its KB-JWT. */
export function shown(presentation: string | undefined) {
  const parts = (presentation ?? '').split('~')
  const disclosed = parts
    .slice(1, -1)
    .map((part): unknown => JSON.parse(Buffer.from(part, 'base64url').toString()))
  const names = disclosed.map((content) =>
    Array.isArray(content) ? String(content.length === 3 ? content[1] : content[0 + 1]) : '',
  )
  return { names: names.sort(), keyBinding: decoded(parts.at(-1) ?? ''), text: presentation ?? '' }
}
