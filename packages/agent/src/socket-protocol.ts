/**
 * Socket protocol `v1`: what an agent asks its wallet, and what the wallet answers.
 *
 * Owns both halves of the messages: the agent writes questions and reads answers, the daemon reads
 * questions and writes answers. The protocol is JSON over HTTP on a Unix domain socket. The answer to a
 * question is headers for one request, or nothing: never a key, a credential, a claim value, or a reason.
 * Transport (`socket-call.ts`) and decision (the daemon) live elsewhere.
 *
 * Source: Attaché, socket protocol v1 (own); RFC 9449, section 7; RFC 9728, section 5.
 *
 * @module
 */

import { type MessageParts, parseMessageParts } from './message-protocol.js'
import { isRecord, own, text } from './socket-read.js'

/** Path prefix of every call. A later, incompatible protocol gets another prefix beside this one. */
export const SOCKET_PROTOCOL = 'v1'

/** The only `Host` the daemon answers to: a browser that reaches the socket through a proxy names another. */
export const SOCKET_HOST = 'attache'

/** Where the agent asks for the headers of one request. */
export const AUTHORIZATION_PATH = '/v1/authorization'

/** Where the agent reports a `DPoP-Nonce` that came with an answer, so that the next proof carries it. */
export const NONCE_PATH = '/v1/nonce'

/** Where anybody who holds the token asks whether the daemon is alive. */
export const HEALTH_PATH = '/v1/health'

/** Largest question or answer, in bytes. */
export const MAX_SOCKET_MESSAGE_BYTES = 262_144

/** Headers the wallet may put on a request. Anything else in an answer is refused. */
const WALLET_HEADERS: readonly string[] = [
  'authorization',
  'dpop',
  'content-digest',
  'signature',
  'signature-input',
]

/** Wallet headers as one record: lower-case name to value. */
export type WalletHeaders = Readonly<Record<string, string>>

/** An API's refusal, as received: the agent adds nothing and leaves nothing out. */
export interface ApiChallenge {
  /** Status of the API's answer. */
  readonly status: 401 | 403
  /** Every `WWW-Authenticate` field value, in order. */
  readonly wwwAuthenticate: readonly string[]
  /** The `DPoP-Nonce` field value, if there was one. */
  readonly dpopNonce?: string
  /** Text of a JSON body, for challenges that carry a presentation request in it. At most 64 KiB. */
  readonly body?: string
  /** The `Accept-Signature` field value, if there was one: how the API wants the next attempt signed. */
  readonly acceptSignature?: string
}

/** Which request is about to be sent, and what the API said to the attempt before it. */
export interface AuthorizationQuestion {
  readonly method: string
  /** Absolute https URL, query included, fragment excluded. */
  readonly url: string
  /** Absent before the first attempt: the wallet then only looks at what it holds. */
  readonly challenge?: ApiChallenge
  /** What a signature of this attempt can cover; absent from agents that send no signatures. */
  readonly message?: MessageParts
}

/** Headers for exactly one attempt, or nothing. */
export type AuthorizationAnswer =
  | {
      readonly outcome: 'authorized'
      readonly headers: WalletHeaders
      /** The API signs its answers: this one counts only once the wallet has verified it. */
      readonly signedResponse?: true
    }
  | {
      readonly outcome: 'none'
      readonly reference?: string
      /** Only signed answers count here, and this call can have none: nothing but a refusal is handed on. */
      readonly signedResponse?: true
    }

/** A nonce that came with an answer of an API. */
export interface NonceReport {
  readonly url: string
  readonly dpopNonce: string
}

/** @returns The path of the token file that lies beside a socket. */
export function tokenPathOf(socketPath: string): string {
  return `${socketPath}.token`
}

/** Writes a question: the body of `POST /v1/authorization`. */
export function writeAuthorizationQuestion(question: AuthorizationQuestion): string {
  const { challenge } = question
  return JSON.stringify({
    method: question.method,
    url: question.url,
    challenge: challenge && {
      status: challenge.status,
      www_authenticate: challenge.wwwAuthenticate,
      dpop_nonce: challenge.dpopNonce,
      body: challenge.body,
      accept_signature: challenge.acceptSignature,
    },
    message: question.message,
  })
}

/**
 * Reads a question, strictly.
 *
 * @returns `undefined` when the question is malformed; unknown members are ignored.
 */
export function parseAuthorizationQuestion(value: unknown): AuthorizationQuestion | undefined {
  if (!isRecord(value)) return undefined
  const method = text(value, 'method', 32)
  const url = text(value, 'url', 8192)
  if (method === undefined || !/^[A-Z]+$/.test(method) || url === undefined || !isHttpsUrl(url))
    return undefined
  const [received, parts] = [own(value, 'challenge'), own(value, 'message')]
  const challenge = received === undefined ? undefined : parseChallenge(received)
  const message = parts === undefined ? undefined : parseMessageParts(parts)
  if (received !== undefined && challenge === undefined) return undefined
  if (parts !== undefined && message === undefined) return undefined
  return { method, url, ...(challenge && { challenge }), ...(message && { message }) }
}

function parseChallenge(value: unknown): ApiChallenge | undefined {
  if (!isRecord(value)) return undefined
  const status = own(value, 'status')
  const wwwAuthenticate = own(value, 'www_authenticate')
  if (status !== 401 && status !== 403) return undefined
  if (!isTextList(wwwAuthenticate, 16, 8192)) return undefined

  const dpopNonce = text(value, 'dpop_nonce', 1024)
  const body = text(value, 'body', 65_536)
  const acceptSignature = text(value, 'accept_signature', 8192)
  return {
    status,
    wwwAuthenticate,
    ...(dpopNonce === undefined ? {} : { dpopNonce }),
    ...(body === undefined ? {} : { body }),
    ...(acceptSignature === undefined ? {} : { acceptSignature }),
  }
}

/** Writes an answer: the body of the daemon's 200. */
export function writeAuthorizationAnswer(answer: AuthorizationAnswer): string {
  return JSON.stringify(encodeAuthorizationAnswer(answer))
}

/** An answer in the form it has on the socket, for a daemon that writes JSON elsewhere. */
export function encodeAuthorizationAnswer(answer: AuthorizationAnswer): Readonly<Record<string, unknown>> {
  const { signedResponse, ...said } = answer
  return { ...said, ...(signedResponse && { signed_response: true }) }
}

/**
 * Reads an answer, strictly: a header the wallet has no business with makes the whole answer unusable.
 *
 * @returns `undefined` when the answer is malformed.
 */
export function parseAuthorizationAnswer(value: unknown): AuthorizationAnswer | undefined {
  if (!isRecord(value)) return undefined
  const outcome = own(value, 'outcome')
  const signed = own(value, 'signed_response')
  if (signed !== undefined && typeof signed !== 'boolean') return undefined
  const signature = signed === true ? ({ signedResponse: true } as const) : {}
  if (outcome === 'none') {
    const reference = text(value, 'reference', 128)
    return { outcome, ...(reference === undefined ? {} : { reference }), ...signature }
  }

  const headers = own(value, 'headers')
  if (outcome !== 'authorized' || !isRecord(headers)) return undefined
  const entries: [string, string][] = []
  for (const [name, content] of Object.entries(headers)) {
    if (!WALLET_HEADERS.includes(name) || typeof content !== 'string') return undefined
    if (!/^[\x20-\x7e]+$/.test(content)) return undefined
    entries.push([name, content])
  }
  return { outcome, headers: Object.fromEntries(entries), ...signature }
}

/** Writes the body of `POST /v1/nonce`. */
export function writeNonceReport(report: NonceReport): string {
  return JSON.stringify({ url: report.url, dpop_nonce: report.dpopNonce })
}

/** @returns `undefined` when the report is malformed. */
export function parseNonceReport(value: unknown): NonceReport | undefined {
  if (!isRecord(value)) return undefined
  const url = text(value, 'url', 8192)
  const dpopNonce = text(value, 'dpop_nonce', 1024)
  if (url === undefined || !isHttpsUrl(url) || dpopNonce === undefined) return undefined
  return { url, dpopNonce }
}

function isTextList(value: unknown, maxItems: number, maxLength: number): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= maxItems &&
    value.every((item) => typeof item === 'string' && item.length <= maxLength)
  )
}

function isHttpsUrl(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, username, password } = new URL(url)
  return protocol === 'https:' && username === '' && password === ''
}
