import { describe, expect, test } from 'vitest'
import { fuzzPresentations } from './sd-jwt-fuzz.js'
import { FUZZ_LIMITS } from './sd-jwt-tricks.js'

describe('mutated presentations', () => {
  test('4,000 inputs: no fault, no wrong verdict, bounded work [SDJWT-V-01]', async () => {
    const report = await fuzzPresentations({ inputs: 4_000, seed: 20_260_921 })

    expect(report.wrong).toEqual([])
    expect(report.most.bytes).toBeLessThanOrEqual(FUZZ_LIMITS.maxBytes)
    // Tricks at the limits make these equal, so that a limit off by one shows.
    expect(report.most.digests).toBe(FUZZ_LIMITS.maxDigests)
    expect(report.most.depth).toBe(FUZZ_LIMITS.maxDepth)
    // Both sides of each rule were met, or the run shows nothing.
    expect(report.accepted).toBeGreaterThan(200)
    expect(Object.keys(report.refused).length).toBeGreaterThan(20)
  })
})
