/**
 * The `fetch` of an agent: calls an API, and lets the wallet answer when the API asks for a credential.
 *
 * Owns the order of attempts: send with what the wallet already holds for this URL, see a 401 or 403 with
 * a challenge, ask the wallet, send again. Each kind of challenge is answered once per call. Whatever the
 * wallet decides, the caller gets an answer that the API gave; nothing here makes one up. Keys, tokens,
 * nonces and claims stay in the daemon; what passes through is one request's headers.
 *
 * Source: RFC 9449, sections 7 and 9; RFC 9728, section 5; Fetch Standard.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import { sendRequest, type WireRequest } from './https-transport.js'
import { readReplayableBody, refuseStream } from './request-body.js'
import { callSocket, type RemoteFiles, walletUnreachable } from './socket-call.js'
import {
  type ApiChallenge,
  AUTHORIZATION_PATH,
  type AuthorizationAnswer,
  NONCE_PATH,
  parseAuthorizationAnswer,
  writeAuthorizationQuestion,
  writeNonceReport,
} from './socket-protocol.js'
import { findWallet, type WalletAddress } from './wallet-address.js'

/** How an agent's fetch finds its wallet and whom it trusts. */
export interface AgentFetchOptions {
  /**
   * Path of the agent's wallet socket, or the https URL of the agent at a daemon on another host.
   *
   * @default the environment variable ATTACHE_SOCKET
   */
  readonly socket?: string
  /** Files for an https URL. @default ATTACHE_CERT_FILE, ATTACHE_KEY_FILE, ATTACHE_WALLET_CA_FILE, ATTACHE_TOKEN_FILE */
  readonly remote?: RemoteFiles
  /** PEM file with certificate authorities trusted beside the system's. @default ATTACHE_CA_FILE */
  readonly caFile?: string
  /** Largest request body kept for a second attempt, in bytes. @default 10485760 */
  readonly maxBodyBytes?: number
}

/** How many redirects a call without credentials follows. */
const MAX_REDIRECTS = 10

/** Largest body of a challenge that goes to the wallet, in bytes. */
const MAX_CHALLENGE_BYTES = 65_536

/** One call, ready to be sent any number of times. */
interface Call {
  readonly wire: WireRequest
  readonly wallet: WalletAddress
  /** The API named this URL, not the agent. */
  readonly redirected?: boolean
}

/**
 * Makes a `fetch` with the standard signature, bound to one wallet socket.
 *
 * A call that carries its own `Authorization` or `DPoP` header is sent as it is: the wallet stays out.
 * With the wallet's headers on it a call follows no redirect; the 3xx answer is returned.
 *
 * @throws {TypeError} `socket_not_configured`, `socket_refused`, `ca_unreadable` (when made); when called:
 *   `body_not_replayable`, `body_too_large`, `wallet_unreachable`, all before anything is sent.
 */
export function createAgentFetch(options: AgentFetchOptions = {}): typeof globalThis.fetch {
  const wallet = findWallet(options)
  const ca = readCa(options.caFile ?? process.env['ATTACHE_CA_FILE'])

  return async (input, init) => {
    refuseStream(init?.body)
    const request = new Request(input, init)
    const body = await readReplayableBody(request, options.maxBodyBytes ?? 10_485_760)
    const url = new URL(request.url)
    url.hash = ''
    const wire: WireRequest = {
      url,
      method: request.method,
      headers: request.headers,
      signal: request.signal,
      ...(body === undefined ? {} : { body }),
      ...(ca === undefined ? {} : { ca }),
    }
    return followRedirects({ wire, wallet }, request.redirect)
  }
}

/**
 * The standard `fetch`, bound to the socket that ATTACHE_SOCKET names at the time of the call.
 *
 * @throws {TypeError} As {@link createAgentFetch}.
 */
export const fetch: typeof globalThis.fetch = async (input, init) => createAgentFetch()(input, init)

async function followRedirects(call: Call, mode: Request['redirect']): Promise<Response> {
  let current = call
  for (let hops = 0; ; hops += 1) {
    const { response, authorized } = await callWithWallet(current)
    const location = response.headers.get('location')
    const redirected = [301, 302, 303, 307, 308].includes(response.status) && location !== null
    // A proof is made for one URL and a token for one audience: neither travels on.
    if (!redirected || mode === 'manual' || authorized || hasCredentials(current.wire.headers))
      return response

    await response.body?.cancel()
    if (mode === 'error') throw new TypeError('fetch failed', { cause: new Error('The API redirects.') })
    if (hops === MAX_REDIRECTS)
      throw new TypeError('fetch failed', { cause: new Error('Too many redirects.') })
    const wire = redirectedRequest(current.wire, location, response.status)
    current = { ...current, wire, redirected: true }
  }
}

function redirectedRequest(wire: WireRequest, location: string, status: number): WireRequest {
  const url = new URL(location, wire.url)
  url.hash = ''
  const toGet = (status === 303 && wire.method !== 'HEAD') || (status <= 302 && wire.method === 'POST')
  if (!toGet) return { ...wire, url }

  const headers = new Headers(wire.headers)
  for (const name of ['content-type', 'content-length', 'content-language']) headers.delete(name)
  const { body: _dropped, ...rest } = wire
  return { ...rest, url, headers, method: 'GET' }
}

async function callWithWallet(call: Call): Promise<{ response: Response; authorized: boolean }> {
  const { wire } = call
  if (wire.url.protocol !== 'https:' || hasCredentials(wire.headers)) {
    return { response: await sendRequest(wire), authorized: false }
  }

  let answer = await askWallet(call)
  let response = await send(wire, answer)
  const answered = new Set<ChallengeKind>()
  for (let kind = challengeKind(response); kind !== undefined; kind = challengeKind(response)) {
    // A request for a presentation counts only from the origin that the agent itself called.
    if (answered.has(kind) || (call.redirected === true && carriesRequest(response))) break
    answered.add(kind)
    const challenge = await readChallenge(response)
    const next = await askWallet(call, challenge.challenge).catch(() => REFUSED)
    wire.signal?.throwIfAborted()
    if (next.outcome === 'none')
      return { response: challenge.response, authorized: answer.outcome === 'authorized' }

    await challenge.response.body?.cancel()
    answer = next
    response = await send(wire, answer)
  }
  return finish(call, response, answer.outcome === 'authorized')
}

const REFUSED: AuthorizationAnswer = { outcome: 'none' }

/** Two kinds of challenge: the proof wants a nonce, or the call wants an authorization. */
type ChallengeKind = 'nonce' | 'authorization'

function challengeKind(response: Response): ChallengeKind | undefined {
  if (response.status !== 401 && response.status !== 403) return undefined
  const challenges = response.headers.get('www-authenticate')
  if (challenges === null) return undefined
  if (/error\s*=\s*"?use_dpop_nonce/i.test(challenges)) return 'nonce'
  return /(?:^|[\s,])(?:DPoP|OpenID4VP)(?:\s|$|,)|resource_metadata\s*=/i.test(challenges)
    ? 'authorization'
    : undefined
}

/** Reads what the wallet needs to know; the response stays whole for the caller. */
async function readChallenge(response: Response): Promise<{ challenge: ApiChallenge; response: Response }> {
  const dpopNonce = response.headers.get('dpop-nonce')
  const challenge: ApiChallenge = {
    status: response.status === 403 ? 403 : 401,
    wwwAuthenticate: [response.headers.get('www-authenticate') ?? ''],
    ...(dpopNonce === null ? {} : { dpopNonce }),
  }
  // Only this scheme carries its request in the body; every other body is the caller's alone.
  if (!carriesRequest(response)) return { challenge, response }
  const body = await readSmallText(response.clone())
  return { challenge: body === undefined ? challenge : { ...challenge, body }, response }
}

function carriesRequest({ headers }: Response): boolean {
  return /(?:^|[\s,])OpenID4VP(?:\s|$|,)/i.test(headers.get('www-authenticate') ?? '')
}

/** The text of a body, chunked or not; nothing when it is empty or longer than a challenge can be. */
async function readSmallText({ body }: Response): Promise<string | undefined> {
  if (body === null) return undefined
  const decoder = new TextDecoder()
  const reader = body.getReader()
  let text = ''
  for (let size = 0; ; ) {
    const { done, value } = await reader.read()
    if (done) return text === '' ? undefined : text
    size += value.byteLength
    if (size > MAX_CHALLENGE_BYTES) {
      // Not awaited: a clone is only cancelled once its twin is.
      void reader.cancel().catch(() => undefined)
      return undefined
    }
    text += decoder.decode(value, { stream: true })
  }
}

async function askWallet(call: Call, challenge?: ApiChallenge): Promise<AuthorizationAnswer> {
  const { wire, wallet } = call
  const question = {
    method: wire.method,
    url: wire.url.href,
    ...(challenge === undefined ? {} : { challenge }),
  }
  const reply = await callSocket({
    ...wallet,
    method: 'POST',
    path: AUTHORIZATION_PATH,
    body: writeAuthorizationQuestion(question),
    ...(wire.signal === undefined ? {} : { signal: wire.signal }),
  })
  const answer = reply.status === 200 ? parseAuthorizationAnswer(reply.value) : undefined
  if (answer === undefined) throw walletUnreachable(wallet.socketPath, new Error(`Status ${reply.status}.`))
  return answer
}

function send(wire: WireRequest, answer: AuthorizationAnswer): Promise<Response> {
  if (answer.outcome === 'none') return sendRequest(wire)
  const headers = new Headers(wire.headers)
  for (const [name, value] of Object.entries(answer.headers)) headers.set(name, value)
  return sendRequest({ ...wire, headers })
}

async function finish(call: Call, response: Response, authorized: boolean) {
  const dpopNonce = response.headers.get('dpop-nonce')
  if (authorized && dpopNonce !== null) {
    const body = writeNonceReport({ url: call.wire.url.href, dpopNonce })
    // A lost report costs one more round trip at the next call, never this call.
    await callSocket({ ...call.wallet, method: 'POST', path: NONCE_PATH, body }).catch(() => undefined)
    // The nonce belongs to the wallet. A refusal is handed on as the API wrote it.
    if (response.status !== 401 && response.status !== 403) response.headers.delete('dpop-nonce')
  }
  return { response, authorized }
}

function hasCredentials(headers: Headers): boolean {
  return headers.has('authorization') || headers.has('dpop')
}

function readCa(path: string | undefined): readonly string[] | undefined {
  if (path === undefined || path === '') return undefined
  try {
    return [readFileSync(path, 'utf8')]
  } catch (cause) {
    const message = `The certificate file ${path} cannot be read. Check caFile or ATTACHE_CA_FILE.`
    throw Object.assign(new TypeError(message, { cause }), { code: 'ca_unreadable' })
  }
}
