/**
 * Work that is done again and again, one round after the other.
 *
 * @module
 */
import type { Log } from '@attache/core'

/**
 * Starts the rounds.
 *
 * @param event Name of a fault in the log.
 * @returns Ends them, when the round under way has ended.
 */
export function startRounds(
  work: () => Promise<unknown>,
  { seconds, event, log }: { readonly seconds: number; readonly event: string; readonly log: Log },
): () => Promise<void> {
  let stopped = false
  let round: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    round = round.then(async () => {
      if (stopped) return
      try {
        await work()
      } catch (error) {
        log.error(event, { cause: error instanceof Error ? error.name : 'unknown' })
      }
    })
  }, seconds * 1000)
  return async () => {
    stopped = true
    clearInterval(timer)
    await round
  }
}
