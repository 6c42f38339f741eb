import { describe, expect, test } from 'vitest'
import { describeDecisions, describePresented, describeReceived, describeStatus } from './wallet-output.js'

const held = {
  id: 'crd_1',
  vct: 'https://issuer.example/types/role',
  issuer: 'https://issuer.example',
  state: 'active',
  copiesLeft: 3,
}
const shown = (credential: object) =>
  describeStatus({
    agents: [
      {
        agent: 'payroll',
        socket: '/run/payroll.sock',
        stopped: false,
        pending: 0,
        credentials: [{ ...held, ...credential }],
      },
    ],
  })

describe('the view of a credential', () => {
  test('says as of when its state is, and says so where nobody has looked', () => {
    expect(shown({ hasStatusList: true, lookedAt: 1_790_000_000 })).toContain(
      'active (as of 2026-09-21T14:13:20.000Z)',
    )
    expect(shown({ hasStatusList: true })).toContain('active (status not looked at yet)')
    expect(shown({ hasStatusList: false })).toContain('active (no status list)')
    expect(shown({ state: 'expired', hasStatusList: true, lookedAt: 1 })).toContain('expired  ')
  })

  test('says of an agent that its records cannot be read', () => {
    const agent = {
      agent: 'payroll',
      socket: '/run/payroll.sock',
      stopped: false,
      pending: 0,
      credentials: [],
    }
    const text = describeStatus({ agents: [{ ...agent, unreadable: 'record_rolled_back' }] })
    expect(text).toContain('cannot be read (record_rolled_back)')
    expect(text).not.toContain('no credential')
    expect(describeStatus({ agents: [agent] })).toContain('no credential')
  })

  test('shows the name of a type beside the type, and nothing a terminal would obey', () => {
    const name = `Role\u001b[2J\u202E"\n\u0007${'x'.repeat(200)}`
    const line = shown({ name })
    expect(line).toContain(held.vct)
    expect(line.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(line.split('\n')).toHaveLength(2)
    expect(line).toContain(`"Role?[2J?'??`)
    expect(line.length).toBeLessThan(300)
  })
})

describe('what a peer sent', () => {
  const evil = 'https://verifier.example/\u001b]0;owned\u0007\u202Etxt'

  test('reaches no terminal as a command, wherever it stands', () => {
    const texts = [
      describePresented({ outcome: 'delivered', reference: 'req_1', redirectUri: evil }),
      describeReceived({ outcome: 'tx_code_required', issuer: evil, tokenEndpoint: evil, inputMode: 'text' }),
      describeReceived({ outcome: 'authorization_required', authorizationUrl: evil }),
      describeReceived({ outcome: 'stored', vct: evil, issuer: evil, credentials: [] }),
      describeReceived({ outcome: 'refused', message: evil, code: evil }),
      describeDecisions([
        {
          at: 1,
          agent: 'payroll',
          event: 'receive',
          outcome: 'refused',
          code: evil,
          message: evil,
          reference: 'req_1',
          facts: { [evil]: evil },
        },
      ]),
    ]
    for (const text of texts) {
      expect(text).toContain('verifier.example')
      expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    }
  })
})
