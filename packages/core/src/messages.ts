/**
 * Bodies at the door: reading requests within limits, writing JSON answers.
 *
 * Source: RFC 9110; RFC 6749, sections 3.1 and 5.2.
 *
 * @module
 */
import { decodeUtf8 } from './bytes.js'
import { ProtocolError } from './errors.js'
import { type JsonValue, parseJson } from './json.js'
import { SPENT_MARGIN_SECONDS } from './store.js'

/** Header fields for an answer that nobody may keep (RFC 6749, section 5.1). */
export const NO_STORE: Readonly<Record<string, string>> = { 'Cache-Control': 'no-store' }

/**
 * Makes a JSON answer.
 *
 * @param headers Further header fields; an own `Content-Type` replaces `application/json`.
 */
export function json(
  status: number,
  body: JsonValue,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff', ...headers },
  })
}

/** The media type of a `Content-Type`, in lower case and without parameters; empty when there is none. */
export function mediaType(headers: Headers): string {
  const [type = ''] = (headers.get('Content-Type') ?? '').split(';')
  return type.trim().toLowerCase()
}

const MAX_BODY_SECONDS = SPENT_MARGIN_SECONDS / 2

/**
 * Reads a body of limited size, in limited time.
 *
 * @throws {ProtocolError} `request_too_large` (413): more than `maxBytes`, by announcement or in fact;
 *   `request_timed_out` (408): not complete after 30 seconds.
 */
export async function readBody(request: Request, limits: { readonly maxBytes: number }): Promise<Uint8Array> {
  const announced = Number(request.headers.get('Content-Length') ?? '0')
  if (announced > limits.maxBytes) throw tooLarge(limits.maxBytes)
  if (request.body === null) return new Uint8Array()

  const reader = request.body.getReader()
  const deadline = createDeadline(MAX_BODY_SECONDS)
  try {
    return await readChunks(() => Promise.race([reader.read(), deadline.passed]), limits.maxBytes)
  } catch (error) {
    // Nobody reads on: the sender learns it, and the failure of a stream that is broken anyway says nothing new.
    reader.cancel().catch(() => undefined)
    throw error
  } finally {
    deadline.cancel()
  }
}

type Chunk = { readonly done: boolean; readonly value?: Uint8Array | undefined }

async function readChunks(read: () => Promise<Chunk>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { value } = await read()
    if (value === undefined) return Buffer.concat(chunks)
    size += value.byteLength
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(value)
  }
}

function createDeadline(seconds: number): { readonly passed: Promise<never>; cancel(): void } {
  let cancel = () => {}
  const passed = new Promise<never>((_, reject) => {
    const tooLate = () =>
      reject(new ProtocolError('request_timed_out', 'The body took too long. Send it at once.'))
    const timer = setTimeout(tooLate, seconds * 1000)
    cancel = () => clearTimeout(timer)
  })
  return { passed, cancel: () => cancel() }
}

function tooLarge(maxBytes: number): ProtocolError {
  return new ProtocolError('request_too_large', `The body is larger than ${maxBytes} bytes. Send less.`)
}

async function readText(request: Request, type: string, maxBytes: number): Promise<string> {
  if (mediaType(request.headers) !== type) {
    throw new ProtocolError('invalid_request', `Send the body with Content-Type ${type}.`)
  }
  const text = decodeUtf8(await readBody(request, { maxBytes }))
  if (text === undefined) throw new ProtocolError('invalid_request', 'The body is not UTF-8.')
  return text
}

/**
 * Reads a JSON body strictly (see `parseJson`).
 *
 * @throws {ProtocolError} `invalid_request`: another media type, not UTF-8, not JSON, a member named twice,
 * nested deeper than `maxDepth` (default 16). `request_too_large`.
 */
export async function readJson(
  request: Request,
  limits: { readonly maxBytes: number; readonly maxDepth?: number },
): Promise<JsonValue> {
  const parsed = parseJson(await readText(request, 'application/json', limits.maxBytes), limits)
  if (parsed.ok) return parsed.value
  throw new ProtocolError('invalid_request', JSON_REFUSALS[parsed.reason])
}

const JSON_REFUSALS = {
  syntax: 'The body is not JSON.',
  duplicate_member: 'The body names a JSON member twice. Name each once.',
  too_deep: 'The body is nested too deeply.',
}

/**
 * Reads form parameters. One without a value counts as left out (RFC 6749, section 3.1).
 *
 * @throws {ProtocolError} `invalid_request`: another media type, not UTF-8, a parameter sent twice.
 * `request_too_large`.
 */
export async function readForm(
  request: Request,
  limits: { readonly maxBytes: number },
): Promise<ReadonlyMap<string, string>> {
  return parseForm(await readText(request, 'application/x-www-form-urlencoded', limits.maxBytes))
}

/**
 * Reads form or query parameters from their text, under the rules of {@link readForm}.
 *
 * @throws {ProtocolError} `invalid_request`: a parameter sent twice.
 */
export function parseForm(text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  const seen = new Set<string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (seen.has(name))
      throw new ProtocolError('invalid_request', 'A parameter was sent twice. Send each once.')
    seen.add(name)
    if (value !== '') parameters.set(name, value)
  }
  return parameters
}
