/**
 * Bodies that can be sent twice.
 *
 * A request that the API refuses is sent again with an authorization, so its body must lie in memory.
 * A stream handed in as `body` is refused before anything is sent: it may never end, and once sent it is
 * gone. The body of a `Request` object is read into memory up to a stated limit.
 *
 * Source: Fetch Standard, request body `source`.
 *
 * @module
 */

/**
 * Refuses a streaming body, before anything is sent.
 *
 * @throws {TypeError} `body_not_replayable`
 */
export function refuseStream(body: unknown): void {
  const streams =
    body instanceof ReadableStream ||
    (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)
  if (!streams) return
  throw bodyError(
    'body_not_replayable',
    'A streaming body cannot be sent again after a challenge. Read it into memory and pass the bytes.',
  )
}

/**
 * Reads a request's body into memory.
 *
 * @param maxBytes Largest body, in bytes.
 * @returns `undefined` when the request has no body.
 * @throws {TypeError} `body_too_large`
 */
export async function readReplayableBody(
  request: Request,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  if (request.body === null) return undefined
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    request.signal.throwIfAborted()
    size += chunk.byteLength
    if (size > maxBytes) {
      throw bodyError(
        'body_too_large',
        `The body has more than ${maxBytes} bytes and is kept for a second attempt. Raise maxBodyBytes or send less.`,
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function bodyError(code: string, message: string): TypeError & { readonly code: string } {
  return Object.assign(new TypeError(message), { code })
}
