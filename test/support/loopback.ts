/**
 * A listener on a free port of 127.0.0.1, and raw bytes sent to it.
 *
 * @module
 */
import { createServer, type RequestListener } from 'node:http'
import { connect } from 'node:net'
import type { Handler } from '@attache/core'

export interface Loopback {
  readonly port: number
  /** Sends a request to the listener, whatever origin its URL names. */
  readonly handle: Handler
  close(): Promise<void>
}

export async function listenOnLoopback(listener: RequestListener): Promise<Loopback> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    port,
    handle: async (request) => {
      const { pathname, search } = new URL(request.url)
      const init = { method: request.method, headers: request.headers }
      const body = request.body === null ? {} : { body: await request.arrayBuffer() }
      return fetch(`http://127.0.0.1:${port}${pathname}${search}`, { ...init, ...body })
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Sends bytes as they are. @returns Everything that came back; empty when the peer just closed. */
export function sendRaw(port: number, text: string, host = '127.0.0.1'): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.end(text))
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', () => undefined)
  })
}

/** The status of a raw answer; 0 when the peer closed without one. */
export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0)
