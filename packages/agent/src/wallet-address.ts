/**
 * Where an agent's wallet is: a socket on this host, or a daemon elsewhere behind mutual TLS.
 *
 * Owns the settings and their refusals: an address over TCP without all four files is no address, and one
 * without TLS is none at all.
 *
 * Source: Attaché, socket protocol v1 (own); threat model, row 25.
 *
 * @module
 */
import { isRemoteAddress, type RemoteFiles } from './socket-call.js'

/** How a wallet is reached, ready for `callSocket`. */
export interface WalletAddress {
  readonly socketPath: string
  readonly remote?: RemoteFiles
}

/**
 * Finds the wallet by options, else by the environment.
 *
 * @throws {TypeError} `socket_not_configured`: no address, or a file is missing beside an https URL;
 *   `socket_refused`: a URL that is not https, or with more than host, port and path.
 */
export function findWallet(options: {
  readonly socket?: string
  readonly remote?: RemoteFiles
}): WalletAddress {
  const socketPath = options.socket ?? process.env['ATTACHE_SOCKET']
  if (socketPath === undefined || socketPath === '') {
    throw refused(
      'socket_not_configured',
      'No wallet socket is named. Set ATTACHE_SOCKET or pass the option socket.',
    )
  }
  if (!isRemoteAddress(socketPath)) return { socketPath }
  if (!isPlainHttpsUrl(socketPath)) {
    throw refused(
      'socket_refused',
      'A wallet on another host is named by an https URL such as https://wallet.internal:8555/agent-id.',
    )
  }
  return { socketPath, remote: options.remote ?? remoteFromEnvironment() }
}

function remoteFromEnvironment(): RemoteFiles {
  const file = (variable: string): string => {
    const value = process.env[variable]
    if (value !== undefined && value !== '') return value
    throw refused(
      'socket_not_configured',
      `ATTACHE_SOCKET is a URL, and a wallet on another host wants certificates. Set ${variable} as well.`,
    )
  }
  return {
    certificateFile: file('ATTACHE_CERT_FILE'),
    keyFile: file('ATTACHE_KEY_FILE'),
    caFile: file('ATTACHE_WALLET_CA_FILE'),
    tokenFile: file('ATTACHE_TOKEN_FILE'),
  }
}

function isPlainHttpsUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, search, hash } = new URL(text)
  return protocol === 'https:' && `${username}${password}${search}${hash}` === ''
}

function refused(code: string, message: string): TypeError & { readonly code: string } {
  return Object.assign(new TypeError(message), { code })
}
