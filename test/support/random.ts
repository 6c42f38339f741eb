/**
 * Randomness that is the same in every run: SHA-256 of a seed and a counter.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import type { Random } from '@attache/core'

/**
 * @param seed Two generators with the same seed give the same bytes; take another seed for another party.
 */
export function createSeededRandom(seed = 'attache'): Random {
  let counter = 0
  return (byteCount) => {
    const bytes = new Uint8Array(byteCount)
    for (let offset = 0; offset < byteCount; offset += 32) {
      const block = createHash('sha256').update(`${seed}:${counter}`).digest()
      counter += 1
      bytes.set(block.subarray(0, Math.min(32, byteCount - offset)), offset)
    }
    return bytes
  }
}
