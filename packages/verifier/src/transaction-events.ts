/**
 * A followed transaction as server-sent events: one word per change, nothing of what was presented.
 *
 * The last event has an id of its own, so that a browser that comes again after it is told to stay away.
 *
 * Source: HTML Living Standard, section 9.2 (server-sent events).
 *
 * @module
 */
import { utf8 } from '@attache/core'
import type { Sight, TransactionWatch } from './transaction-watch.js'

/** Header fields of a stream: neither kept nor changed nor held back on the way. */
export const EVENT_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
}

const LAST_ID = 'decided'
const RECONNECT_MILLISECONDS = 2000
/** Events that nobody read: the connection is dead, or its other end sleeps. */
const MOST_UNREAD = 8

/**
 * Follows a transaction as a stream of events that ends with it.
 *
 * @param lastEventId What the browser had seen when it was cut off.
 * @returns `known`: it has seen the end. `busy`: too many follow already.
 *
 * Source: HTML Living Standard, section 9.2.4.
 */
export function eventStream(
  handle: string,
  lastEventId: string | null,
  watch: TransactionWatch,
): ReadableStream<Uint8Array> | 'known' | 'busy' {
  if (lastEventId === LAST_ID) return 'known'
  const following: { stop?: (() => void) | undefined; ended: boolean } = { ended: false }
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const end = () => {
        if (!following.ended) controller.close()
        following.ended = true
      }
      const send = (text: string) => {
        if (following.ended) return
        controller.enqueue(utf8(text))
        if ((controller.desiredSize ?? 0) > -MOST_UNREAD) return
        following.stop?.()
        end()
      }
      send(`retry: ${RECONNECT_MILLISECONDS}\n\n`)
      const beat = () => send(': still waiting\n\n')
      following.stop = watch.follow(handle, { tell: (sight) => send(eventOf(sight)), beat, end })
    },
    cancel() {
      following.ended = true
      following.stop?.()
    },
  })
  return following.stop === undefined ? 'busy' : stream
}

function eventOf(sight: Sight): string {
  return `id: ${sight === 'waiting' ? 'begun' : LAST_ID}\nevent: state\ndata: ${sight}\n\n`
}
