/**
 * The agent's calls over TCP, for agents on another host: mutual TLS, or nothing.
 *
 * Owns who is who. A client certificate must lead to the configured authority to get in at all, and be, byte for
 * byte, the one pinned to the agent that the path names; `Host`, `Origin` and the token are asked for as on a
 * socket. There is no setting for plain TCP, and the operator has no door here.
 *
 * Source: threat model, rows 21 and 25; RFC 8446, section 4.4.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import { encodeBase64url, type Log } from '@attache/core'
import { type ConfiguredFiles, createTlsServer, listenOn, startUpError } from '@attache/daemon'
import { x5cFromPem } from '@attache/keys'
import type { RemoteConfiguration } from './listener-configuration.js'
import {
  answerCalls,
  CALL_LIMITS,
  type Calls,
  closeServer,
  type FindDoor,
  type SocketServer,
} from './socket-server.js'

/** A server that is up. */
export interface RemoteServer extends SocketServer {
  readonly port: number
}

/** An agent on another host. */
interface Client {
  readonly agent: string
  /** SHA-256 of its certificate, base64url. */
  readonly pin: string
  readonly token: string
  readonly calls: Calls
}

/**
 * Opens the listener.
 *
 * @param callsOf The calls of an agent's socket; `undefined`: no such agent.
 * @throws {TypeError} `remote_client_unknown`, `remote_client_repeated`, `port_in_use`, `start_up_failed`.
 */
export async function serveRemote(
  configuration: RemoteConfiguration,
  callsOf: (agent: string) => Calls | undefined,
  deps: { readonly files: ConfiguredFiles; readonly log: Log },
): Promise<RemoteServer> {
  const { listen, hostname, clientAuthority } = configuration
  const clients = readClients(configuration, callsOf, deps.files)
  const server = createTlsServer(listen.tls, deps.files, { authority: clientAuthority })
  server.requestTimeout = CALL_LIMITS.requestTimeout
  const port = await listenOn(server, listen)
  const hosts = port === 443 ? [hostname, `${hostname}:443`] : [`${hostname}:${port}`]
  server.on('request', answerCalls(findDoor(clients, hosts), deps))
  return { port, close: () => closeServer(server) }
}

function readClients(
  { clients }: RemoteConfiguration,
  callsOf: (agent: string) => Calls | undefined,
  files: ConfiguredFiles,
): readonly Client[] {
  const found = clients.map(({ agent, certificate, tokenFile }) => {
    const calls = callsOf(agent)
    if (calls === undefined)
      throw startUpError('remote_client_unknown', `The remote client ${agent} is no agent of this wallet.`)
    const [leaf] = x5cFromPem(files.text(certificate))
    if (leaf === undefined)
      throw startUpError('start_up_failed', `The file ${files.path(certificate)} holds no certificate.`)
    return { agent, pin: pinOf(Buffer.from(leaf, 'base64')), token: files.token(tokenFile), calls }
  })
  for (const name of ['agent', 'pin', 'token'] as const) {
    // One certificate or token for two agents would be one agent with the credentials of both.
    if (new Set(found.map((client) => client[name])).size === found.length) continue
    throw startUpError(
      'remote_client_repeated',
      `Two remote clients have the same ${name}. Give each its own.`,
    )
  }
  return found
}

/** By host, path and certificate; which of them was wrong is not said. */
function findDoor(clients: readonly Client[], hosts: readonly string[]): FindDoor {
  return ({ headers, url = '', socket }: IncomingMessage) => {
    if (!hosts.includes(headers.host?.toLowerCase() ?? '')) return undefined
    const [, agent = ''] = url.split('/', 2)
    const client = clients.find((one) => one.agent === agent)
    if (client === undefined || peerPin(socket) !== client.pin) return undefined
    return { token: client.token, calls: client.calls, path: url.slice(agent.length + 1) }
  }
}

function peerPin(socket: IncomingMessage['socket']): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const { raw } = socket.getPeerCertificate()
  return raw instanceof Buffer ? pinOf(raw) : undefined
}

function pinOf(der: Uint8Array): string {
  return encodeBase64url(createHash('sha256').update(der).digest())
}
