import { describe, expect, test } from 'vitest'
import { fuzzVerifier } from './verifier-fuzz.js'

describe('broken requests to every route of a verifier', () => {
  test('2,000 inputs: no fault, no answer of 500, no stray redirect', { timeout: 120_000 }, async () => {
    const report = await fuzzVerifier({ inputs: 2000, seed: 20_260_921 })

    expect(report.wrong).toEqual([])
    // Both sides were met, or the run shows nothing.
    expect(report.accepted).toBeGreaterThan(300)
    const seen = Object.keys(report.refused)
    for (const status of ['400', '401', '403', '404', '405', '413', '415']) expect(seen).toContain(status)
    expect(report.refused['unsendable'] ?? 0).toBeLessThan(200)
  })
})
