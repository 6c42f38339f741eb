import type { JsonValue } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { policyWarnings } from './policy.js'

const TYPES = [{ type: 'payment' }]
const warningsFor = (rules: JsonValue, transactionDataTypes = TYPES) =>
  policyWarnings({ policy: { rules: 'rules.json' }, transactionDataTypes }, { json: () => rules })
const broad = { id: 'everything', effect: 'allow', principals: [{ type: 'Agent' }] }

describe('a rule without actions', () => {
  test('is named at the start, where transaction data is taken', () => {
    expect(warningsFor([broad])).toEqual([expect.stringContaining('"everything" names no actions')])
    expect(warningsFor([broad], [])).toEqual([])
  })

  test('is not, where it forbids, or can hold for presenting alone', () => {
    const vct = { path: ['context', 'vct'], op: 'equals', value: 'https://issuer.example/role' }
    expect(
      warningsFor([
        { ...broad, actions: ['present'] },
        { ...broad, effect: 'deny' },
        { ...broad, when: [vct] },
      ]),
    ).toEqual([])
    expect(warningsFor([{ ...broad, when: [{ path: ['context', 'vct'], op: 'absent' }] }])).toHaveLength(1)
    expect(
      warningsFor([{ ...broad, when: [{ path: ['context', 'type'], op: 'equals', value: 'x' }] }]),
    ).toHaveLength(1)
  })
})
