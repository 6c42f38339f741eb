/**
 * One run for many callers: whoever comes while a run is under way gets its result.
 *
 * @module
 */

/** Runs work by key. */
export interface SingleFlight<T> {
  /** Joins the run under this key, or starts one. */
  run(key: string, work: () => Promise<T>): Promise<T>
}

/** Creates an empty table of runs. */
export function createSingleFlight<T>(): SingleFlight<T> {
  const underWay = new Map<string, Promise<T>>()
  return {
    run(key, work) {
      const running = underWay.get(key)
      if (running !== undefined) return running
      const started = work().finally(() => underWay.delete(key))
      underWay.set(key, started)
      return started
    },
  }
}
