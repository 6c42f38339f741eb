/**
 * Socket protocol `v1`, messages that are signed: what the wallet must know of a call to sign it, and of an answer
 * to verify its signature.
 *
 * Owns both halves. Bodies never go to the wallet, only their length and digests. Members of this file are additions
 * to `v1`: an agent or daemon that does not know them leaves them out.
 *
 * Source: Attaché, socket protocol v1 (own); RFC 9421, sections 2.4 and 3.1; RFC 9530, section 2.
 *
 * @module
 */
import { isRecord, own, text } from './socket-read.js'

/** Where the agent asks whether an answer is signed as the API announced. */
export const RESPONSE_PATH = '/v1/response'

/** A body as the wallet learns of it. */
export interface BodyDigest {
  /** In bytes. */
  readonly length: number
  /** SHA-256 over the bytes as they travel, base64url. */
  readonly sha256: string
  /** SHA-512, base64url; answers may carry either. */
  readonly sha512?: string
}

/** What a signature can cover of a message, beside method, URL and status. */
export interface MessageParts {
  /** Header fields by lower-case name, one value each. */
  readonly headers: Readonly<Record<string, string>>
  /** Absent: no body. */
  readonly body?: BodyDigest
}

/** An answer, and the request it came for, as it was sent. */
export interface ResponseReport {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly request: MessageParts
  readonly response: MessageParts
}

const MOST_FIELDS = 64
const MOST_CHARACTERS = 8192
/** Together, so that any question fits into a message of the socket. */
const MOST_IN_ALL = 65_536

// Never covered, and nobody's business: cookies belong to the agent, the rest is what the wallet itself sets.
const KEPT_BACK = new Set(['cookie', 'set-cookie'])

/** The parts of a message, as far as they can be told: fields too long or too many are left out. */
export function messageParts(headers: Headers, body: BodyDigest | undefined): MessageParts {
  const fields: Record<string, string> = {}
  let left = MOST_IN_ALL
  for (const [name, value] of [...headers].slice(0, MOST_FIELDS)) {
    const fits = value.length <= Math.min(MOST_CHARACTERS, left)
    if (!fits || KEPT_BACK.has(name)) continue
    left -= value.length
    fields[name] = value
  }
  return { headers: fields, ...(body === undefined ? {} : { body }) }
}

/** Computes what the wallet learns of a body; nothing of an empty one. */
export async function digestBody(bytes: Uint8Array | undefined): Promise<BodyDigest | undefined> {
  if (bytes === undefined || bytes.byteLength === 0) return undefined
  const content = new Uint8Array(bytes)
  const [sha256, sha512] = await Promise.all(
    ['SHA-256', 'SHA-512'].map((algorithm) => crypto.subtle.digest(algorithm, content)),
  )
  return { length: bytes.byteLength, sha256: base64url(sha256), sha512: base64url(sha512) }
}

function base64url(bytes: ArrayBuffer | undefined): string {
  return Buffer.from(bytes ?? new ArrayBuffer(0)).toString('base64url')
}

/** Writes the body of `POST /v1/response`. */
export function writeResponseReport(report: ResponseReport): string {
  return JSON.stringify(report)
}

/** @returns `undefined` when the report is malformed. */
export function parseResponseReport(value: unknown): ResponseReport | undefined {
  if (!isRecord(value)) return undefined
  const [method, url, status] = [text(value, 'method', 32), text(value, 'url', 8192), own(value, 'status')]
  const request = parseMessageParts(own(value, 'request'))
  const response = parseMessageParts(own(value, 'response'))
  if (method === undefined || url === undefined || !URL.canParse(url) || !isStatus(status)) return undefined
  if (request === undefined || response === undefined) return undefined
  return { method, url, status, request, response }
}

/** @returns `undefined` when the parts are malformed. */
export function parseMessageParts(value: unknown): MessageParts | undefined {
  if (!isRecord(value)) return undefined
  const fields = own(value, 'headers')
  const headers = isRecord(fields) ? parseFields(fields) : undefined
  const received = own(value, 'body')
  const body = received === undefined ? undefined : parseBodyDigest(received)
  if (headers === undefined || (received !== undefined && body === undefined)) return undefined
  return body === undefined ? { headers } : { headers, body }
}

function parseFields(fields: Readonly<Record<string, unknown>>): Record<string, string> | undefined {
  const entries = Object.entries(fields)
  if (entries.length > MOST_FIELDS) return undefined
  const texts: [string, string][] = []
  for (const [name, value] of entries) {
    if (!/^[a-z0-9!#$%&'*+\-.^_`|~]{1,128}$/.test(name) || typeof value !== 'string') return undefined
    if (value.length > MOST_CHARACTERS || /[\r\n\0]/.test(value)) return undefined
    texts.push([name, value])
  }
  return Object.fromEntries(texts)
}

function parseBodyDigest(value: unknown): BodyDigest | undefined {
  if (!isRecord(value)) return undefined
  const length = own(value, 'length')
  const [sha256, sha512] = [text(value, 'sha256', 43), text(value, 'sha512', 86)]
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 1) return undefined
  if (sha256 === undefined || !isDigest(sha256, 43)) return undefined
  if (sha512 === undefined) return { length, sha256 }
  return isDigest(sha512, 86) ? { length, sha256, sha512 } : undefined
}

function isDigest(value: string, characters: number): boolean {
  return value.length === characters && /^[A-Za-z0-9_-]+$/.test(value)
}

function isStatus(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 100 && value <= 599
}

/** Reads the wallet's word on an answer: nothing but a clear yes is one. */
export function parseVerdict(value: unknown): boolean {
  return isRecord(value) && own(value, 'outcome') === 'verified'
}
