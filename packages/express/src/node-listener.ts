/**
 * A `Request -> Response` handler as a listener of plain node:http and node:https servers.
 *
 * Lies beside the Express adapter because the way between Node's messages and the web's does.
 *
 * @module
 */
import type { RequestListener } from 'node:http'
import type { Handler } from '@attache/core'
import { isPlainPath } from '@attache/verifier'
import { type ConnectionOptions, sendWebResponse, webRequest } from './web-request.js'

/**
 * Makes a listener of a handler: `createServer(createNodeListener(handle))`.
 *
 * A path that parsers read differently is answered with 400 before any handler sees it resolved. A handler that
 * rejects is a fault: 500, and its error goes to `onFault`.
 */
export function createNodeListener(
  handle: Handler,
  options: ConnectionOptions & { readonly onFault?: (error: unknown) => void } = {},
): RequestListener {
  return (message, response) => {
    const target = message.url ?? ''
    const asked =
      isPlainPath(target.replace(/\?.*$/, '')) && webRequest(message, { ...options, target, body: true })
    if (!asked) {
      response.writeHead(400).end()
      return
    }
    handle(asked)
      .then((answer) => sendWebResponse(answer, response))
      .catch((error: unknown) => {
        options.onFault?.(error)
        if (!response.headersSent) response.writeHead(500)
        response.end()
      })
  }
}
