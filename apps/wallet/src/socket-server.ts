/**
 * A server on a Unix socket, for callers who hold its token.
 *
 * Owns the door: permissions of the socket, the token, `Host` and `Origin`, the body limit, and that a caller
 * learns nothing but what a call answers. A browser that is led here names another host or an origin and gets
 * nothing. Calls are functions from JSON to JSON. The same door stands in `remote-server.ts`, behind mutual TLS.
 *
 * Source: threat model, row 25.
 *
 * @module
 */

import { chmodSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { MAX_SOCKET_MESSAGE_BYTES, SOCKET_HOST } from '@attache/agent'
import { describeCause, equalText, type Log } from '@attache/core'
import { systemFailure } from '@attache/daemon'
import type { SocketPlace } from './runtime-folder.js'

/** What a call answers: a body, or the code of a refusal. */
export type CallAnswer =
  | { readonly status: 200; readonly body: unknown }
  /** For programs that read no JSON. */
  | { readonly status: 200; readonly text: string }
  | { readonly status: 400 | 404; readonly error: string }

/** One call: takes the parsed body, `undefined` where there was none. */
export type Call = (body: unknown) => Promise<CallAnswer>

/** Calls by method and path, such as `POST /v1/authorization`. */
export type Calls = Readonly<Record<string, Call>>

/** What one caller may reach. */
export interface Door {
  /** What the caller must show. */
  readonly token: string
  readonly calls: Calls
  /** Path of the call, such as `/v1/authorization`. */
  readonly path: string
}

/** Finds the door of a request by its host and where it came from; `undefined` for a foreign caller. */
export type FindDoor = (request: IncomingMessage) => Door | undefined

/** Limits of the HTTP server behind a door. */
export const CALL_LIMITS = { requestTimeout: 10_000, maxHeaderSize: 16_384 } as const

/** A server that is up. */
export interface SocketServer {
  close(): Promise<void>
}

/**
 * Opens a socket.
 *
 * @throws {TypeError} `socket_in_use`, `start_up_failed`.
 */
export async function serveSocket(
  place: SocketPlace,
  calls: Calls,
  deps: { readonly log: Log },
): Promise<SocketServer> {
  const { token, path: socketPath } = place
  const find: FindDoor = ({ headers, url = '' }) =>
    headers.host === SOCKET_HOST ? { token, calls, path: url } : undefined
  const server = createServer(CALL_LIMITS, answerCalls(find, deps))
  await listen(server, socketPath)
  chmodSync(socketPath, 0o600)
  return { close: () => closeServer(server) }
}

/** Answers calls at the doors that are found. */
export function answerCalls(
  find: FindDoor,
  deps: { readonly log: Log },
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    answer(request, find)
      .catch((error: unknown) => {
        deps.log.error('wallet.socket_fault', {
          cause: describeCause(error) ?? 'unknown',
          path: request.url,
        })
        return { status: 500, body: { error: 'server_error' } }
      })
      .then((answered) => send(response, answered))
  }
}

/** Closes a server at once: a call under way was asked by somebody who can ask again. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(systemFailure(error, `The socket ${path}`, 'socket_in_use')))
    // Nobody else may connect in the moment before the mode is set.
    const before = process.umask(0o177)
    server.listen(path, () => resolve())
    process.umask(before)
  })
}

const TEXT = 'text/plain; version=0.0.4; charset=utf-8'

interface Answer {
  readonly status: number
  /** A value to be written as JSON, or with a type of its own a text. */
  readonly body: unknown
  readonly contentType?: typeof TEXT
}

async function answer(request: IncomingMessage, find: FindDoor): Promise<Answer> {
  const { headers, method = '' } = request
  const fromPage = headers.origin !== undefined || headers['sec-fetch-mode'] !== undefined
  const door = fromPage ? undefined : find(request)
  if (door === undefined) return { status: 403, body: { error: 'foreign_caller' } }
  if (!equalText(headers.authorization ?? '', `Bearer ${door.token}`))
    return { status: 401, body: { error: 'unauthorized' } }

  const name = `${method} ${door.path}`
  const call = Object.hasOwn(door.calls, name) ? door.calls[name] : undefined
  if (call === undefined) return { status: 404, body: { error: 'unknown_call' } }
  const text = method === 'POST' ? await readText(request) : ''
  if (text === undefined) return { status: 413, body: { error: 'request_too_large' } }
  const parsed = method === 'POST' ? parse(request, text) : { value: undefined }
  if (parsed === undefined) return { status: 400, body: { error: 'invalid_request' } }

  const outcome = await call(parsed.value)
  if ('text' in outcome) return { status: 200, body: outcome.text, contentType: TEXT }
  return outcome.status === 200 ? outcome : { status: outcome.status, body: { error: outcome.error } }
}

async function readText(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue
    size += chunk.length
    if (size > MAX_SOCKET_MESSAGE_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse(request: IncomingMessage, text: string): { readonly value: unknown } | undefined {
  // Only this type: a page that posts a form or plain text without asking first gets nowhere.
  if (request.headers['content-type'] !== 'application/json') return undefined
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function send(response: ServerResponse, { status, body, contentType }: Answer): void {
  response.writeHead(status, {
    'content-type': contentType ?? 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    connection: 'close',
  })
  response.end(contentType === undefined ? JSON.stringify(body) : String(body))
}
