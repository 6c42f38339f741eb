/**
 * A plain client of node:http and node:https: whole answers, connections kept as told.
 *
 * @module
 */
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

/**
 * A client with connections of its own.
 *
 * @param {{ port: number, ca?: string }} server With `ca` it speaks TLS.
 */
export function createClient({ port, ca }) {
  const secure = ca !== undefined
  const agent = secure
    ? new HttpsAgent({ keepAlive: true, ca, maxCachedSessions: 0 })
    : new HttpAgent({ keepAlive: true })
  const begin = secure ? httpsRequest : httpRequest
  const send = (url, { method = 'GET', headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const { pathname, search } = new URL(url)
      const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
      const options = { host: 'localhost', port, path: pathname + search, method, agent }
      const outgoing = begin({ ...options, headers: { ...headers, ...length } }, (incoming) => {
        const chunks = []
        incoming.on('data', (chunk) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () =>
          resolve({
            status: incoming.statusCode,
            headers: incoming.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        )
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  return { send, close: () => agent.destroy() }
}

/** The JSON of an answer that must have this status. */
export function jsonOf(answer, status = 200) {
  if (answer.status !== status) throw new Error(`Got ${answer.status} for ${status}: ${answer.text}`)
  return JSON.parse(answer.text)
}

export const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
