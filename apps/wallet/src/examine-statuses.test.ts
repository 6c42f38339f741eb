import { VerificationError } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { examineStatuses } from './examine-statuses.js'

const held = {
  id: 'crd_1',
  vct: 'v',
  issuer: 'i',
  state: 'active',
  copiesLeft: 1,
  hasStatusList: true,
} as const

describe('the status of what is held', () => {
  test('is examined for every agent, also where the records of another one cannot be read', async () => {
    const wallet = {
      refresh: async (agent: string) => {
        if (agent === 'damaged') throw new VerificationError('record_rolled_back', 'An older record.')
      },
      overview: async (agent: string) => ({
        agent,
        stopped: false,
        pending: 0,
        credentials: [{ ...held, lookedAt: 5 }],
      }),
    }
    const findings = await examineStatuses(['damaged', 'payroll'], { wallet, clock: () => 5 })
    expect(findings).toMatchObject([
      { check: 'records:damaged', outcome: 'failed' },
      { check: 'status:payroll:crd_1', outcome: 'ok' },
    ])
    expect(findings[0]?.message).toContain('record_rolled_back')
  })
})
