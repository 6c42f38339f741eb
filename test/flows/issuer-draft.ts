/**
 * Requests to the issuer as drafts: every part can be spoilt before it is signed and sent.
 *
 * Owns what a good request of each endpoint is, and turning a draft into bytes. A draft sent twice carries the
 * same `jti` values twice: what a refusal wrote would be noticed.
 *
 * @module
 */
import { createHmac } from 'node:crypto'
import { encodeBase64url, type JsonObject, type JsonValue, utf8 } from '@attache/core'
import { type DecryptionKey, digest, encryptJwe, generateDecryptionKey, type Signer } from '@attache/keys'
import { PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { createSeededRandom } from '../support/random.js'
import {
  type BenchOptions,
  bodyOf,
  CLIENT_ID,
  createIssuerBench,
  createWallet,
  ISSUER,
  type IssuerBench,
  newSigner,
  obtainNonce,
  offerCode,
  type ScriptedWallet,
  TEMPLATE,
  textOf,
} from './issuer-bench.js'
import { REQUEST } from './issuer-browser.js'

/** `bearer` is base mode with a client that knows no DPoP. */
export type Mode = 'haip' | 'base' | 'bearer'

/** A JWT that is made when it is sent. */
export interface Jwt {
  header: Record<string, JsonValue>
  payload: Record<string, JsonValue>
  signer: Signer
  /** In place of an honest signature. */
  forged?: 'none' | 'hmac' | 'flipped' | undefined
}

/** One request. */
export interface Draft {
  method: string
  path: string
  type: string | undefined
  headers: [string, string][]
  attestation?: Jwt | undefined
  pop?: Jwt | undefined
  dpop?: Jwt | undefined
  token?: { scheme: string; text: string } | undefined
  form?: Record<string, string>
  /** Name of a parameter that is sent twice. */
  twice?: string
  body?: Record<string, JsonValue>
  /** Become `proofs.jwt` of the body. */
  proofs?: Jwt[] | undefined
  /** In place of the body. */
  text?: string
  /** The body is encrypted to it. */
  envelope?: DecryptionKey | undefined
}

/** An issuer in one mode, and a wallet before it. */
export interface Stage {
  readonly mode: Mode
  readonly bench: IssuerBench
  readonly wallet: ScriptedWallet
}

/** Key of request encryption, where a stage has it. */
export const REQUEST_KEY = generateDecryptionKey()
export const ENCRYPTION = {
  keys: [REQUEST_KEY],
  encValues: ['A128GCM'],
  requestRequired: false,
  response: 'offered',
} as const satisfies BenchOptions['encryption']

/** A template of its own id, with further members. */
export const templateOf = (id: string, more = ''): string =>
  `${TEMPLATE.replace('id: agent-role', `id: ${id}`).replace('/types/agent-role/v1', `/types/${id}/v1`)}${more}`

export const TEMPLATES: readonly string[] = [
  templateOf('agent-role'),
  templateOf('other-role'),
  templateOf('later-role', 'issuance: deferred\n'),
]

const OF_MODE: Readonly<Record<Mode, BenchOptions>> = {
  haip: {},
  base: { mode: 'base', clientAuthentication: { method: 'none', anonymousAccess: false } },
  bearer: { mode: 'base', clientAuthentication: { method: 'none', anonymousAccess: false } },
}

export async function createStage(mode: Mode, options: BenchOptions = {}): Promise<Stage> {
  const bench = await createIssuerBench({
    grants: ['pre-authorized_code', 'authorization_code'],
    templates: TEMPLATES,
    notifications: true,
    refreshTokenSeconds: 86_400,
    batchSize: 2,
    ...OF_MODE[mode],
    ...options,
  })
  return { mode, bench, wallet: await createWallet(bench) }
}

const random = createSeededRandom('drafts')
const jti = (): string => encodeBase64url(random(16))

function serverDraft(stage: Stage, path: string, form: Record<string, string>): Draft {
  const { bench, wallet, mode } = stage
  const [iat, url] = [bench.time.clock(), `${ISSUER}${path}`]
  const draft: Draft = {
    method: 'POST',
    path,
    type: 'application/x-www-form-urlencoded',
    headers: [],
    form: { client_id: CLIENT_ID, ...form },
  }
  if (mode !== 'bearer') draft.dpop = dpopProof(wallet.dpop, { htu: url, iat })
  if (mode === 'haip') {
    draft.attestation = {
      header: { typ: 'oauth-client-attestation+jwt', x5c: [...(bench.provider.signer.x5c ?? [])] },
      payload: { sub: CLIENT_ID, iat, exp: iat + 600, cnf: { jwk: { ...wallet.instance.publicJwk } } },
      signer: bench.provider.signer,
    }
    draft.pop = {
      header: { typ: 'oauth-client-attestation-pop+jwt' },
      payload: { iss: CLIENT_ID, aud: ISSUER, jti: jti(), iat },
      signer: wallet.instance,
    }
  }
  return draft
}

function dpopProof(signer: Signer, payload: JsonObject): Jwt {
  return {
    header: { typ: 'dpop+jwt', jwk: { ...signer.publicJwk } },
    payload: { jti: jti(), htm: 'POST', ...payload },
    signer,
  }
}

/** A token request for a fresh offer. */
export async function codeDraft(
  stage: Stage,
  configurationIds: readonly string[] = ['agent-role', 'later-role'],
): Promise<Draft> {
  const { code, txCode } = await offerCode(stage.bench, {
    configurationIds,
    grant: 'pre-authorized_code',
  })
  const tx: Record<string, string> = txCode === '' ? {} : { tx_code: txCode }
  return serverDraft(stage, '/token', {
    grant_type: PRE_AUTHORIZED_CODE_GRANT,
    'pre-authorized_code': code,
    ...tx,
  })
}

/** A token request with other parameters. */
export function tokenDraft(stage: Stage, form: Record<string, string>): Draft {
  return serverDraft(stage, '/token', form)
}

/** A pushed authorization request. */
export function parDraft(stage: Stage): Draft {
  return serverDraft(stage, '/par', { ...REQUEST })
}

/** Takes challenge and nonce from an answer, as a wallet does. False: there was nothing to learn. */
export function learn(draft: Draft, { headers }: Response): boolean {
  const challenge = headers.get('OAuth-Client-Attestation-Challenge')
  const nonce = headers.get('DPoP-Nonce')
  if (challenge !== null && draft.pop) draft.pop.payload['challenge'] = challenge
  if (nonce !== null && draft.dpop) draft.dpop.payload['nonce'] = nonce
  return challenge !== null || nonce !== null
}

/** Sends a draft that must succeed, and gives the body. */
export async function body(stage: Stage, draft: Draft): Promise<JsonObject> {
  let response = await send(stage, draft)
  for (let turn = 0; turn < 2 && !response.ok && learn(draft, response); turn += 1) {
    response = await send(stage, draft)
  }
  if (!response.ok) throw new Error(`${draft.path} answered ${response.status} ${await response.text()}`)
  return bodyOf(response)
}

/** A request with a token. */
export function resourceDraft(
  stage: Stage,
  facts: { readonly path: string; readonly token: string; readonly body: Record<string, JsonValue> },
): Draft {
  const { bench, wallet, mode } = stage
  const bound = mode !== 'bearer'
  const draft: Draft = {
    method: 'POST',
    path: facts.path,
    type: 'application/json',
    headers: [],
    token: { scheme: bound ? 'DPoP' : 'Bearer', text: facts.token },
    body: facts.body,
  }
  const htu = `${ISSUER}${facts.path}`
  const ath = digest('sha-256', facts.token)
  if (bound) draft.dpop = dpopProof(wallet.dpop, { htu, iat: bench.time.clock(), ath })
  return draft
}

export async function obtainedToken(stage: Stage, configurationIds?: readonly string[]): Promise<string> {
  return textOf(await body(stage, await codeDraft(stage, configurationIds)), 'access_token')
}

/** A Credential Request with one key proof. */
export async function credentialDraft(stage: Stage, configuration = 'agent-role'): Promise<Draft> {
  const draft = resourceDraft(stage, {
    path: '/credential',
    token: await obtainedToken(stage, [configuration]),
    body: { credential_configuration_id: configuration },
  })
  return { ...draft, proofs: [await proofJwt(stage)] }
}

/** A key proof by a new key. */
export async function proofJwt({ bench }: Stage, signer = newSigner()): Promise<Jwt> {
  const nonce = await obtainNonce(bench)
  return {
    header: { typ: 'openid4vci-proof+jwt', jwk: { ...signer.publicJwk } },
    payload: { aud: ISSUER, iat: bench.time.clock(), nonce },
    signer,
  }
}

/** A poll for a credential that is not decided yet. */
export async function deferredDraft(stage: Stage, envelope?: DecryptionKey): Promise<Draft> {
  const first = { ...(await credentialDraft(stage, 'later-role')), envelope }
  const transactionId = textOf(await body(stage, first), 'transaction_id')
  return resourceDraft(stage, {
    path: '/deferred',
    token: first.token?.text ?? '',
    body: { transaction_id: transactionId },
  })
}

/** What a wallet says about a credential it got. */
export async function notificationDraft(stage: Stage): Promise<Draft> {
  const first = await credentialDraft(stage)
  const notificationId = textOf(await body(stage, first), 'notification_id')
  return resourceDraft(stage, {
    path: '/notification',
    token: first.token?.text ?? '',
    body: { notification_id: notificationId, event: 'credential_accepted' },
  })
}

/** A copy to be spoilt. */
export function copyOf(draft: Draft): Draft {
  const jwt = (made: Jwt): Jwt => ({ ...made, header: { ...made.header }, payload: { ...made.payload } })
  return {
    ...draft,
    headers: [...draft.headers],
    ...(draft.attestation && { attestation: jwt(draft.attestation) }),
    ...(draft.pop && { pop: jwt(draft.pop) }),
    ...(draft.dpop && { dpop: jwt(draft.dpop) }),
    ...(draft.token && { token: { ...draft.token } }),
    ...(draft.form && { form: { ...draft.form } }),
    ...(draft.body && { body: { ...draft.body } }),
    ...(draft.proofs && { proofs: draft.proofs.map(jwt) }),
  }
}

/** The same request with proofs of its own, as a wallet makes them for its next attempt. */
export function renewed(draft: Draft): Draft {
  const copy = copyOf(draft)
  for (const part of [copy.pop, copy.dpop]) if (part) part.payload['jti'] = jti()
  return copy
}

export async function send({ bench }: Pick<Stage, 'bench'>, draft: Draft): Promise<Response> {
  const headers = new Headers(draft.headers)
  if (draft.type !== undefined) headers.set('Content-Type', draft.type)
  if (draft.token) headers.append('Authorization', `${draft.token.scheme} ${draft.token.text}`)
  if (draft.attestation) headers.append('OAuth-Client-Attestation', await signed(draft.attestation))
  if (draft.pop) headers.append('OAuth-Client-Attestation-PoP', await signed(draft.pop))
  if (draft.dpop) headers.append('DPoP', await signed(draft.dpop))
  const bare = draft.method === 'GET'
  const init = bare ? {} : { body: await textOfBody(draft, headers) }
  return bench.send(`${ISSUER}${draft.path}`, { method: draft.method, headers, ...init })
}

async function textOfBody(draft: Draft, headers: Headers): Promise<string> {
  if (draft.form !== undefined) {
    const form = new URLSearchParams(draft.form)
    if (draft.twice !== undefined) {
      for (const value of form.has(draft.twice) ? ['x'] : ['x', 'y']) form.append(draft.twice, value)
    }
    return draft.text ?? form.toString()
  }
  const jwt = draft.proofs && (await Promise.all(draft.proofs.map(signed)))
  const proofs = jwt && draft.body && !('proofs' in draft.body) ? { proofs: { jwt } } : {}
  const text = draft.text ?? JSON.stringify({ ...draft.body, ...proofs })
  if (draft.envelope === undefined) return text
  if (draft.type === 'application/json') headers.set('Content-Type', 'application/jwt')
  return encryptJwe(utf8(text), { jwk: draft.envelope.publicJwk, enc: 'A128GCM' })
}

/** A compact JWS without the maker's own checks. */
export async function signed({ header, payload, signer, forged }: Jwt): Promise<string> {
  const part = (value: JsonObject) => encodeBase64url(utf8(JSON.stringify(value)))
  const alg = forged === 'none' ? 'none' : forged === 'hmac' ? 'HS256' : signer.alg
  const input = `${part({ alg, ...header })}.${part(payload)}`
  if (forged === 'none') return `${input}.`
  // The classic confusion: the public key as the secret of a MAC.
  const mac = () => createHmac('sha256', JSON.stringify(signer.publicJwk)).update(input).digest()
  const signature = forged === 'hmac' ? mac() : await signer.sign(utf8(input))
  const [first = 0] = signature
  if (forged === 'flipped') signature[0] = first ^ 1
  return `${input}.${encodeBase64url(signature)}`
}
