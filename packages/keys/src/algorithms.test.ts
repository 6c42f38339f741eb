import { describe, expect, test } from 'vitest'
import { parseAlgorithms } from './algorithms.js'

describe('parseAlgorithms', () => {
  test('takes asymmetric algorithms, and refuses the rest at the start [SDJWT-I-01]', () => {
    expect(parseAlgorithms(['ES256', 'EdDSA', 'PS256'])).toEqual(['ES256', 'EdDSA', 'PS256'])
    expect(parseAlgorithms([])).toEqual([])
    for (const alg of ['none', 'None', 'NONE', 'HS256', 'HS512', 'ES256K', 'RS1', 'es256', '', '__proto__']) {
      expect(() => parseAlgorithms(['ES256', alg])).toThrow(
        expect.objectContaining({ code: 'algorithm_refused' }),
      )
    }
  })
})
