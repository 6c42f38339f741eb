/**
 * One JSON call over a Unix domain socket, with the token that lies beside the socket.
 *
 * Owns the client's end of the transport. Does not know what is said: messages live in
 * `socket-protocol.ts` and `operator-protocol.ts`.
 *
 * Source: Attaché, socket protocol v1 (own).
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { MAX_SOCKET_MESSAGE_BYTES, SOCKET_HOST, tokenPathOf } from './socket-protocol.js'

/** A call to be made. */
export interface SocketCall {
  /** Absolute path of the socket. */
  readonly socketPath: string
  readonly method: 'GET' | 'POST'
  /** Path of the call, such as `/v1/authorization`. */
  readonly path: string
  /** JSON text of the question. */
  readonly body?: string
  readonly signal?: AbortSignal
  /** How long the daemon may take, in milliseconds. @default 30000 */
  readonly timeoutMs?: number
}

/** What the daemon said: its status, and its JSON body (`undefined` when it was no JSON). */
export interface SocketReply {
  readonly status: number
  readonly value: unknown
}

/**
 * Asks the daemon once. The token is read for every call: the daemon makes a new one at each start.
 *
 * @throws {TypeError} `wallet_unreachable`: no socket, no readable token file, or no whole answer in time.
 */
export async function callSocket(call: SocketCall): Promise<SocketReply> {
  const token = await readToken(call.socketPath)
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        socketPath: call.socketPath,
        method: call.method,
        path: call.path,
        agent: false,
        headers: {
          host: SOCKET_HOST,
          authorization: `Bearer ${token}`,
          ...(call.body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(call.body) }),
        },
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      },
      (response) => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > MAX_SOCKET_MESSAGE_BYTES) response.destroy(new Error('The answer is too large.'))
          else chunks.push(chunk)
        })
        response.on('error', (cause) => reject(walletUnreachable(call.socketPath, cause)))
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, value: parsed(Buffer.concat(chunks)) }),
        )
      },
    )
    request.setTimeout(call.timeoutMs ?? 30_000, () => request.destroy(new Error('No answer in time.')))
    request.on('error', (cause) =>
      reject(call.signal?.aborted ? call.signal.reason : walletUnreachable(call.socketPath, cause)),
    )
    request.end(call.body)
  })
}

/** @returns A TypeError with the code `wallet_unreachable`, naming the socket and the next step. */
export function walletUnreachable(
  socketPath: string,
  cause?: unknown,
): TypeError & { readonly code: string } {
  const message = `The wallet does not answer at ${socketPath}. Check that the daemon runs and that this user may open the socket.`
  return Object.assign(new TypeError(message, { cause }), { code: 'wallet_unreachable' })
}

async function readToken(socketPath: string): Promise<string> {
  try {
    return (await readFile(tokenPathOf(socketPath), 'utf8')).trim()
  } catch (cause) {
    throw walletUnreachable(socketPath, cause)
  }
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
