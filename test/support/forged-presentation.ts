/**
 * Presentations made by hand: whatever header, payload, Disclosures and KB-JWT a test wants, really signed.
 *
 * @module
 */
import { encodeBase64url, type JsonObject, type JsonValue, member, utf8 } from '@attache/core'
import { digest, type Signer } from '@attache/keys'
import type { AuthorizationRequest } from '@attache/openid4vp'
import { NOW } from './clock.js'
import {
  CLAIMS,
  createWorld,
  fetchRequest,
  freshKey,
  objectOf,
  postResponse,
  QUERY,
  signers,
  VCT,
  type World,
} from './presentation-world.js'

export const holder = freshKey()

export const encodeJson = (value: JsonValue): string => encodeBase64url(utf8(JSON.stringify(value)))
export const disclosure = (...elements: readonly JsonValue[]): string => encodeJson(elements)
export const hashOf = (encoded: string): string => digest('sha-256', encoded)

/** Signs exactly what is given. */
export async function signRaw(header: JsonObject, payload: JsonObject, signer: Signer): Promise<string> {
  const input = `${encodeJson(header)}.${encodeJson(payload)}`
  return `${input}.${encodeBase64url(await signer.sign(utf8(input)))}`
}

export const ROLE = disclosure('salt-role-0000000000', 'role', 'Manager')
export const REGION = disclosure('salt-region-00000000', 'region', 'EU')

/** What a forged credential is made of. */
export interface Forgery {
  readonly header?: JsonObject
  /** Members that replace the sound ones; `null` takes one out. */
  readonly payload?: JsonObject
  readonly disclosures?: readonly string[]
  readonly issuer?: Signer
}

/** `JWT~D1~…~Dn~` */
export async function forge(forgery: Forgery = {}): Promise<string> {
  const { issuer = signers.issuer, disclosures = [ROLE, REGION] } = forgery
  const sound: JsonObject = {
    iss: member(CLAIMS, 'iss') ?? '',
    vct: VCT,
    iat: NOW - 86_400,
    exp: NOW + 86_400,
    cnf: { jwk: plainJwk(holder) },
    _sd_alg: 'sha-256',
    _sd: [ROLE, REGION].map(hashOf),
    ...forgery.payload,
  }
  const payload = Object.fromEntries(Object.entries(sound).filter(([, value]) => value !== null))
  const x5c: JsonObject = issuer.x5c === undefined ? {} : { x5c: issuer.x5c }
  const header = { alg: 'ES256', typ: 'dc+sd-jwt', ...x5c, ...forgery.header }
  return [await signRaw(header, payload, issuer), ...disclosures, ''].join('~')
}

/** The four members of an EC key. */
export function plainJwk({ publicJwk }: Signer): JsonObject {
  const { kty, crv = '', x = '', y = '' } = publicJwk
  return { kty, crv, x, y }
}

/** What a forged KB-JWT is made of. */
export interface Binding {
  readonly header?: JsonObject
  /** Members that replace the sound ones; `null` takes one out. */
  readonly payload?: JsonObject
  readonly signer?: Signer
}

/** Adds a KB-JWT for a request. */
export async function bindTo(
  request: AuthorizationRequest,
  presented: string,
  binding: Binding = {},
): Promise<string> {
  const sound: JsonObject = {
    iat: NOW,
    aud: request.clientId ?? '',
    nonce: request.nonce,
    sd_hash: digest('sha-256', presented),
    ...binding.payload,
  }
  const payload = Object.fromEntries(Object.entries(sound).filter(([, value]) => value !== null))
  const header = { alg: 'ES256', typ: 'kb+jwt', ...binding.header }
  return presented + (await signRaw(header, payload, binding.signer ?? holder))
}

/** A whole presentation: credential forged, bound to the request. */
export async function forgedFor(
  request: AuthorizationRequest,
  forgery: Forgery = {},
  binding: Binding = {},
): Promise<string> {
  return bindTo(request, await forge(forgery), binding)
}

/** What became of a response. */
export interface Verdict {
  readonly status: number
  readonly body: JsonObject
  /** The reason in the log; `accepted` when there was none. */
  readonly reason: string
  /** Claims by credential query id, of accepted credentials in their order. */
  readonly claims: readonly JsonValue[]
  readonly world: World
  readonly responseUri: string
}

/** How a verdict is asked for. */
export interface Ask {
  readonly world?: World
  readonly query?: JsonObject
  readonly mode?: 'direct_post' | 'direct_post.jwt'
}

/**
 * Starts a plain transaction, lets `answer` make the `vp_token` for its request, posts it in the clear, and
 * says what the verifier made of it.
 */
export async function judge(
  answer: (request: AuthorizationRequest) => Promise<JsonValue> | JsonValue,
  ask: Ask = {},
): Promise<Verdict> {
  const { world = createWorld({ keyBinding: 'not-required' }), query = QUERY } = ask
  const options = { query, responseMode: 'direct_post' as const, crossDevice: true }
  const started = await world.verifier.startTransaction(options)
  const { request, responseUri } = await fetchRequest(world, started.requestUrl)
  const vpToken = await answer(request)
  const form = new URLSearchParams({ vp_token: JSON.stringify(vpToken), state: request.state ?? '' })
  const before = world.lines.length
  const response = await postResponse(world, responseUri, form.toString())
  const body = await objectOf(response)
  // What was set aside among others that held is in the log as well, and is no refusal.
  const reason = response.status === 200 ? 'accepted' : reasonIn(world.lines.slice(before))
  const claims = response.status === 200 ? await claimsOf(world, started.transactionId) : []
  return { status: response.status, body, reason, claims, world, responseUri }
}

/** The last reason of a refusal in log lines. */
export function reasonIn(lines: readonly string[]): string {
  const reasons = lines.flatMap((text) => /"reason":"([a-z_]+)"/.exec(text)?.[1] ?? [])
  return reasons.at(-1) ?? 'accepted'
}

async function claimsOf(world: World, transactionId: string): Promise<readonly JsonValue[]> {
  const result = await world.verifier.redeemResult({ transactionId })
  return result.status === 'answered' ? result.presentation.credentials.map(({ claims }) => claims) : []
}

/** The usual token: one presentation under the one query. */
export const only = (presentation: string): JsonObject => ({ role_cred: [presentation] })
