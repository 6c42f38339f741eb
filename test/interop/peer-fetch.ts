/**
 * A fetch for peers: the web's signature over node:https, trusting the authority of this run.
 *
 * Node's own fetch takes no authority after the process has started. Redirects are handed back, not followed.
 *
 * @module
 */
import { request as httpsRequest } from 'node:https'
import { tlsAuthority } from './world.js'

/** What a peer sent and got, in order. */
export interface PeerCall {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: string
  readonly status: number
}

/** What peers hand over: members that are undefined count as absent. */
interface SendInit {
  readonly method?: string | undefined
  readonly headers?: RequestInit['headers'] | undefined
  readonly body?: RequestInit['body'] | undefined
}

export interface PeerFetch {
  readonly fetch: (input: string | URL | Request, init?: SendInit) => Promise<Response>
  readonly calls: readonly PeerCall[]
}

/** Makes a fetch that keeps what passed through it. */
export function createPeerFetch(): PeerFetch {
  const calls: PeerCall[] = []
  const send = async (input: string | URL | Request, init: SendInit = {}): Promise<Response> => {
    const { method: verb, headers: fields, body: content } = init
    const request = new Request(input, {
      ...(verb === undefined ? {} : { method: verb }),
      ...(fields === undefined ? {} : { headers: fields }),
      ...(content === undefined ? {} : { body: content, duplex: 'half' }),
    })
    const body = Buffer.from(await request.arrayBuffer())
    const response = await exchange(request, body)
    const { method, url, headers } = request
    calls.push({ method, url, headers, body: body.toString(), status: response.status })
    return response
  }
  return { fetch: send, calls }
}

function exchange(request: Request, body: Buffer): Promise<Response> {
  return new Promise((resolve, reject) => {
    const headers = Object.fromEntries(request.headers)
    const length = body.length === 0 ? {} : { 'content-length': String(body.length) }
    const options = { method: request.method, ca: tlsAuthority.pem, headers: { ...headers, ...length } }
    const outgoing = httpsRequest(request.url, options, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () => {
        const answer = new Headers()
        for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
          answer.append(incoming.rawHeaders[at] ?? '', incoming.rawHeaders[at + 1] ?? '')
        }
        const status = incoming.statusCode ?? 500
        const content = chunks.length === 0 ? null : Buffer.concat(chunks)
        const response = new Response(status === 204 || status === 304 ? null : content, {
          status,
          headers: answer,
        })
        // A library may compare where an answer came from; a made Response has no address.
        Object.defineProperty(response, 'url', { value: request.url })
        resolve(response)
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
