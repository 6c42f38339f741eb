/**
 * The time of every test: fixed, and moved only by hand.
 *
 * @module
 */
import type { Clock, NumericDate } from '@attache/core'

/** 2026-09-21T14:13:20Z, the time at which the examples of the tables are valid. */
export const NOW: NumericDate = 1_790_000_000

/** A clock that stands still until it is moved. */
export interface FixedClock {
  readonly clock: Clock
  /** Moves forward (or back) by whole seconds. */
  advance(seconds: number): void
}

export function createFixedClock(start: NumericDate = NOW): FixedClock {
  let now = start
  return {
    clock: () => now,
    advance: (seconds) => {
      now += seconds
    },
  }
}
