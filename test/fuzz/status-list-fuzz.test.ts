import { describe, expect, test } from 'vitest'
import { FUZZ_MAX_INFLATED_BYTES, fuzzStatusListTokens } from './status-list-fuzz.js'

/** A short run by default; the long one is 100000 inputs. */
const inputs = Number(process.env['FUZZ_STATUS_TOKENS'] ?? 4_000)

describe('mutated Status List Tokens', () => {
  test(`${inputs} inputs: no fault, no wrong verdict, bounded work [TSL-V-02, TSL-V-07, TSL-V-10]`, async () => {
    const report = await fuzzStatusListTokens({ inputs, seed: 20_260_921 })
    const { wrong, slowest, mostInflatedBytes, accepted, refused } = report

    expect(wrong).toEqual([])
    expect(mostInflatedBytes).toBeLessThanOrEqual(FUZZ_MAX_INFLATED_BYTES)
    // Both sides of each rule were met, or the run shows nothing.
    expect(accepted).toBeGreaterThan(inputs / 50)
    expect(Object.keys(refused)).toEqual(
      expect.arrayContaining([
        'jws_malformed',
        'jws_signature',
        'jws_typ',
        'jwt_expired',
        'status_list_malformed',
        'status_list_too_large',
        'status_token_malformed',
        'status_token_subject',
      ]),
    )
    console.info(`slowest: ${slowest.milliseconds.toFixed(2)} ms, ${slowest.input}`)
  }, 600_000)
})
