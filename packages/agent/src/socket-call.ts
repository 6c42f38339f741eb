/**
 * One JSON call to the daemon: over a Unix domain socket, or over TCP with mutual TLS.
 *
 * Owns the client's end of the transport. Over TCP both sides show certificates and the token is asked for all
 * the same; there is no plain TCP. Does not know what is said: messages live in
 * `socket-protocol.ts` and `operator-protocol.ts`.
 *
 * Source: Attaché, socket protocol v1 (own).
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { MAX_SOCKET_MESSAGE_BYTES, SOCKET_HOST, tokenPathOf } from './socket-protocol.js'

/** What a daemon that is reached over TCP asks for, as files; read for every call, so that they can be renewed. */
export interface RemoteFiles {
  /** PEM certificate chain of this agent, pinned at the daemon. */
  readonly certificateFile: string
  /** PEM private key of that certificate. */
  readonly keyFile: string
  /** PEM authorities of the daemon's certificate. No other is trusted, the system's neither. */
  readonly caFile: string
  /** The token that lies beside the socket elsewhere. */
  readonly tokenFile: string
}

/** A call to be made. */
export interface SocketCall {
  /** Absolute path of the socket, or the https URL of the agent at a remote daemon. */
  readonly socketPath: string
  /** Needed with an https URL. */
  readonly remote?: RemoteFiles
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
 * @throws {TypeError} `wallet_unreachable`: no socket, no readable token file, a certificate that one side does not
 *   accept, or no whole answer in time.
 */
export async function callSocket(call: SocketCall): Promise<SocketReply> {
  const { request, options } = await connection(call)
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { ...options, ...(call.signal === undefined ? {} : { signal: call.signal }) },
      (response) => readReply(response, call).then(resolve, reject),
    )
    outgoing.setTimeout(call.timeoutMs ?? 30_000, () => outgoing.destroy(new Error('No answer in time.')))
    outgoing.on('error', (cause) =>
      reject(call.signal?.aborted ? call.signal.reason : walletUnreachable(call.socketPath, cause)),
    )
    outgoing.end(call.body)
  })
}

async function connection(call: SocketCall) {
  const { socketPath, remote, method, path, body } = call
  const content =
    body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const headersWith = (token: string) => ({ authorization: `Bearer ${token}`, ...content })
  if (!isRemoteAddress(socketPath)) {
    const headers = { host: SOCKET_HOST, ...headersWith(await read(tokenPathOf(socketPath), call)) }
    return { request: httpRequest, options: { socketPath, method, path, headers, agent: false } as const }
  }
  if (remote === undefined) throw walletUnreachable(socketPath, new Error('No certificate is configured.'))
  const { hostname, port, pathname } = new URL(socketPath)
  const [cert, key, ca, token] = await Promise.all([
    read(remote.certificateFile, call),
    read(remote.keyFile, call),
    read(remote.caFile, call),
    read(remote.tokenFile, call),
  ])
  const options = {
    // An IPv6 address has brackets in a URL and none on the wire.
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 443 : Number(port),
    method,
    path: `${pathname.replace(/\/$/, '')}${path}`,
    headers: headersWith(token),
    minVersion: 'TLSv1.3',
    agent: false,
    cert,
    key,
    ca,
  } as const
  return { request: httpsRequest, options }
}

/** Whether a wallet is named by URL: it is then reached over TCP. */
export function isRemoteAddress(socketPath: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(socketPath)
}

function readReply(response: IncomingMessage, call: SocketCall): Promise<SocketReply> {
  return new Promise((resolve, reject) => {
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

async function read(file: string, call: SocketCall): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw walletUnreachable(call.socketPath, cause)
  }
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
