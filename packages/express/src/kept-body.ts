/**
 * A body that is read twice: by a gate that verifies it, and then by the route as if nobody had touched it.
 *
 * What was read is put back into the message before anybody hears of its end, so that body parsers, pipes and loops
 * behind the gate work as ever.
 *
 * @module
 */
import type { IncomingMessage } from 'node:http'
import { configurationError } from '@attache/core'

/** Whether a message brings a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const { 'transfer-encoding': coding, 'content-length': length } = headers
  return coding !== undefined || (length !== undefined && length !== '0')
}

/**
 * Refuses a message whose body somebody took before the gate.
 *
 * @throws {TypeError} `body_consumed`: the verified body would be another one than the route has.
 */
export function requireUnread(message: IncomingMessage): void {
  if (!hasBody(message) || !message.readableDidRead) return
  throw configurationError(
    'body_consumed',
    'The body was read before the guard, which has to verify it. Put the guard before every body parser.',
  )
}

/** The body as a stream; read to its end, it is back in the message. Read in part, it is lost. */
export function keptBody(message: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks: Buffer[] = []
  // Nothing ahead of time: a body that is refused by its announced length is not begun.
  const strategy = { highWaterMark: 0 }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const seen = chunks.length
        await readAvailable(message, chunks)
        for (const chunk of chunks.slice(seen)) controller.enqueue(new Uint8Array(chunk))
        if (message.complete) controller.close()
      },
    },
    strategy,
  )
}

// Resolves with every chunk that is there; at the end of the body, with all of it put back.
function readAvailable(message: IncomingMessage, chunks: Buffer[]): Promise<void> {
  const before = chunks.length
  const takeAll = (): boolean => {
    // Never past the end: that would announce the end to whoever listens, before the bytes are back.
    while (message.readableLength > 0) chunks.push(Buffer.from(message.read()))
    if (message.complete && chunks.length > 0) message.unshift(Buffer.concat(chunks))
    return message.complete || chunks.length > before
  }
  if (takeAll()) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      message.off('readable', read).off('error', fail).off('close', gone)
      act()
    }
    const fail = (error: unknown) => settle(() => reject(error))
    const gone = () => fail(new Error('The connection ended before the body did.'))
    const read = () => {
      if (takeAll()) settle(resolve)
    }
    message.on('readable', read).on('error', fail).on('close', gone)
  })
}
