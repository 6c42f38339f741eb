/**
 * Repeatable dice for long runs: small and fast, nothing else (mulberry32).
 *
 * @module
 */

export interface Dice {
  /** A whole number from 0 to `bound - 1`. */
  below(bound: number): number
  pick<T>(items: readonly [T, ...T[]]): T
}

export function createDice(seed: number): Dice {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const below = (bound: number) => next() % bound
  return { below, pick: (items) => items[below(items.length)] ?? items[0] }
}
