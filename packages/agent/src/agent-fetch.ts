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
import { digestBody, type MessageParts, messageParts } from './message-protocol.js'
import { readAtMost, readReplayableBody, refuseStream } from './request-body.js'
import { refuseUnsigned, requireSignedResponse } from './signed-response.js'
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
  /** Largest request body kept for a second attempt, and largest signed answer, in bytes. @default 10485760 */
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
  readonly maxBytes: number
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
 *   `body_not_replayable`, `body_too_large`, `wallet_unreachable`, all before anything is sent; `response_signature`,
 *   `response_too_large` where the API signs its answers.
 */
export function createAgentFetch(options: AgentFetchOptions = {}): typeof globalThis.fetch {
  const wallet = findWallet(options)
  const maxBytes = options.maxBodyBytes ?? 10_485_760
  const ca = readCa(options.caFile ?? process.env['ATTACHE_CA_FILE'])

  return async (input, init) => {
    refuseStream(init?.body)
    const request = new Request(input, init)
    const body = await readReplayableBody(request, maxBytes)
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
    return followRedirects({ wire, wallet, maxBytes }, request.redirect)
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
  const wire = withContentType(call.wire)
  if (wire.url.protocol !== 'https:' || hasCredentials(wire.headers)) {
    return { response: await sendRequest(call.wire), authorized: false }
  }

  const message = messageParts(wire.headers, await digestBody(wire.body))
  let answer = await askWallet({ ...call, message })
  let sent = withWalletHeaders(wire, answer)
  let response = await sendRequest(sent)
  const answered = new Set<ChallengeKind>()
  for (let kind = challengeKind(response); kind !== undefined; kind = challengeKind(response)) {
    // A request for a presentation counts only from the origin that the agent itself called.
    if (answered.has(kind) || (call.redirected === true && carriesRequest(response))) break
    answered.add(kind)
    const { challenge, response: refusal } = await readChallenge(response, wire.signal)
    response = refusal
    const next = await askWallet({ ...call, message }, challenge).catch(() => REFUSED)
    wire.signal?.throwIfAborted()
    if (next.outcome === 'none') break

    await refusal.body?.cancel()
    answer = next
    sent = withWalletHeaders(wire, answer)
    response = await sendRequest(sent)
  }
  return finish(call, { sent, answer, response })
}

// A signature covers the type of the body, so it must have one; this one says that it is not known (RFC 9110, 8.3).
function withContentType(wire: WireRequest): WireRequest {
  if (wire.body === undefined || wire.body.byteLength === 0 || wire.headers.has('content-type')) return wire
  const headers = new Headers(wire.headers)
  headers.set('content-type', 'application/octet-stream')
  return { ...wire, headers }
}

const REFUSED: AuthorizationAnswer = { outcome: 'none' }

/** Three kinds of challenge: the proof wants a nonce, the call wants a signature, or an authorization. */
type ChallengeKind = 'nonce' | 'signature' | 'authorization'

function challengeKind(response: Response): ChallengeKind | undefined {
  if (response.status !== 401 && response.status !== 403) return undefined
  const challenges = response.headers.get('www-authenticate')
  if (challenges === null) return undefined
  if (/error\s*=\s*"?use_dpop_nonce/i.test(challenges)) return 'nonce'
  if (/error\s*=\s*"?invalid_signature/i.test(challenges)) return 'signature'
  return /(?:^|[\s,])(?:DPoP|OpenID4VP)(?:\s|$|,)|resource_metadata\s*=/i.test(challenges)
    ? 'authorization'
    : undefined
}

/** Reads what the wallet needs to know; the response stays whole for the caller. */
async function readChallenge(
  response: Response,
  signal: AbortSignal | undefined,
): Promise<{ challenge: ApiChallenge; response: Response }> {
  const dpopNonce = response.headers.get('dpop-nonce')
  const acceptSignature = response.headers.get('accept-signature')
  const challenge: ApiChallenge = {
    status: response.status === 403 ? 403 : 401,
    wwwAuthenticate: [response.headers.get('www-authenticate') ?? ''],
    ...(dpopNonce === null ? {} : { dpopNonce }),
    ...(acceptSignature === null ? {} : { acceptSignature }),
  }
  // Only this scheme carries its request in the body; every other body is the caller's alone.
  if (!carriesRequest(response)) return { challenge, response }
  const body = await readSmallText(response.clone(), signal)
  return { challenge: body === undefined ? challenge : { ...challenge, body }, response }
}

function carriesRequest({ headers }: Response): boolean {
  return /(?:^|[\s,])OpenID4VP(?:\s|$|,)/i.test(headers.get('www-authenticate') ?? '')
}

/** The text of a body, chunked or not; nothing when it is empty or longer than a challenge can be. */
async function readSmallText(
  { body }: Response,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const bytes = await readAtMost(body, { maxBytes: MAX_CHALLENGE_BYTES, signal })
  if (bytes === undefined || bytes === 'too_large' || bytes.byteLength === 0) return undefined
  return new TextDecoder().decode(bytes)
}

async function askWallet(
  call: Call & { readonly message: MessageParts },
  challenge?: ApiChallenge,
): Promise<AuthorizationAnswer> {
  const { wire, wallet, message } = call
  const question = {
    method: wire.method,
    url: wire.url.href,
    message,
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

function withWalletHeaders(wire: WireRequest, answer: AuthorizationAnswer): WireRequest {
  if (answer.outcome === 'none') return wire
  const headers = new Headers(wire.headers)
  for (const [name, value] of Object.entries(answer.headers)) headers.set(name, value)
  return { ...wire, headers }
}

interface Attempt {
  readonly sent: WireRequest
  readonly answer: AuthorizationAnswer
  readonly response: Response
}

async function finish(call: Call, { sent, answer, response: received }: Attempt) {
  if (answer.outcome === 'none') {
    if (answer.signedResponse) await refuseUnsigned(received)
    return { response: received, authorized: false }
  }
  const response = answer.signedResponse ? await requireSignedResponse(received, sent, call) : received
  const dpopNonce = response.headers.get('dpop-nonce')
  if (dpopNonce !== null) {
    const body = writeNonceReport({ url: call.wire.url.href, dpopNonce })
    // A lost report costs one more round trip at the next call, never this call.
    await callSocket({ ...call.wallet, method: 'POST', path: NONCE_PATH, body }).catch(() => undefined)
    // The nonce belongs to the wallet. A refusal is handed on as the API wrote it.
    if (response.status !== 401 && response.status !== 403) response.headers.delete('dpop-nonce')
  }
  return { response, authorized: true }
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
