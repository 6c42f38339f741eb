/**
 * Between Express and the web's `Request` and `Response`: the only place that knows both.
 *
 * A header field that was sent twice stays visible as such: raw fields are joined, never dropped.
 *
 * @module
 */
import type { Request as ExpressRequest, Response as ExpressResponse } from 'express'

// Nobody below looks at it: the public origin comes from the verifier's configuration.
const ANY_ORIGIN = 'https://origin.invalid'

/**
 * Makes a web request of an Express request.
 *
 * @param options.body Whether the body is handed on; a guard leaves it to its route.
 * @returns Nothing for what the web's form cannot hold: a target that is no path, TRACE and its like.
 */
export function webRequest(
  request: ExpressRequest,
  options: { readonly body: boolean },
): Request | undefined {
  const { method, rawHeaders, originalUrl } = request
  const url = `${ANY_ORIGIN}${originalUrl}`
  const unknown = ['TRACE', 'TRACK', 'CONNECT'].includes(method.toUpperCase())
  // The path itself may hold anything, //host included; it stays a path.
  if (unknown || !originalUrl.startsWith('/') || !URL.canParse(url)) return undefined
  const headers = new Headers()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
  }
  if (!options.body || method === 'GET' || method === 'HEAD') return new Request(url, { method, headers })
  return new Request(url, { method, headers, ...streamed(request) })
}

// Pulled as it is read, so that a body over its limit is never taken in whole.
function streamed(request: ExpressRequest) {
  const chunks = request[Symbol.asyncIterator]()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await chunks.next()
      if (next.done === true) controller.close()
      else controller.enqueue(new Uint8Array(next.value))
    },
  })
  return { body, duplex: 'half' as const }
}

/** Sends a web response by Express. */
export async function sendWebResponse(from: Response, to: ExpressResponse): Promise<void> {
  to.status(from.status)
  from.headers.forEach((value, name) => {
    to.setHeader(name, value)
  })
  to.end(Buffer.from(await from.arrayBuffer()))
}
