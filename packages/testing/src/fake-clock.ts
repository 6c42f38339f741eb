/**
 * A clock for tests: stands still until it is moved.
 *
 * @module
 */
import type { Clock, NumericDate } from '@attache/core'

/** A clock and the hand that moves it. */
export interface FakeClock {
  readonly clock: Clock
  /** Moves forward, or back, by whole seconds. */
  advance(seconds: number): void
}

/** 2026-09-21T14:13:20Z. */
const START: NumericDate = 1_790_000_000

/**
 * Creates a clock.
 *
 * @param start NumericDate it stands at. @default 2026-09-21T14:13:20Z
 */
export function createFakeClock(start: NumericDate = START): FakeClock {
  let now = start
  return {
    clock: () => now,
    advance: (seconds) => {
      now += seconds
    },
  }
}
