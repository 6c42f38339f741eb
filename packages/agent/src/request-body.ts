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
  const bytes = await readAtMost(request.body, { maxBytes, signal: request.signal })
  if (bytes !== 'too_large') return bytes
  throw bodyError(
    'body_too_large',
    `The body has more than ${maxBytes} bytes and is kept for a second attempt. Raise maxBodyBytes or send less.`,
  )
}

/**
 * Reads a stream into memory, up to a limit.
 *
 * @returns `undefined` where there is no stream.
 * @throws The signal's reason, at once: a stream that has stalled is not waited for.
 */
export async function readAtMost(
  stream: ReadableStream<Uint8Array> | null,
  limits: { readonly maxBytes: number; readonly signal?: AbortSignal | undefined },
): Promise<Uint8Array | 'too_large' | undefined> {
  if (stream === null) return undefined
  const { maxBytes, signal } = limits
  const reader = stream.getReader()
  const abort = createAbort(signal)
  const chunks: Uint8Array[] = []
  try {
    for (let size = 0; ; ) {
      const { done, value } = await Promise.race([reader.read(), abort.aborted])
      if (done) return Buffer.concat(chunks)
      size += value.byteLength
      if (size > maxBytes) return 'too_large'
      chunks.push(value)
    }
  } catch (error) {
    // An abort also breaks the stream, and its error may win the race.
    signal?.throwIfAborted()
    throw error
  } finally {
    abort.end()
    // Nobody reads on; what is wrong with the rest of it says nothing new.
    reader.cancel().catch(() => undefined)
  }
}

function createAbort(signal: AbortSignal | undefined): { readonly aborted: Promise<never>; end(): void } {
  let end = () => {}
  const aborted = new Promise<never>((_, reject) => {
    const listen = () => reject(signal?.reason)
    if (signal?.aborted) listen()
    signal?.addEventListener('abort', listen, { once: true })
    end = () => signal?.removeEventListener('abort', listen)
  })
  aborted.catch(() => undefined)
  return { aborted, end: () => end() }
}

function bodyError(code: string, message: string): TypeError & { readonly code: string } {
  return Object.assign(new TypeError(message), { code })
}
