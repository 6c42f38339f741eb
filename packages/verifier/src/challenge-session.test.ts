import { createSeal, generateDecryptionKey } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { openSession, sealSession } from './challenge-session.js'

const seal = createSeal([{ id: 'shared', key: new Uint8Array(32).fill(9) }], {
  random: (byteCount) => new Uint8Array(byteCount).fill(7),
})
const session = {
  id: 'ses_1',
  clientId: 'https://wallet.example/agents/1',
  jkt: 'key',
  instanceJkt: 'instance',
  scope: 'payroll:export',
  codeChallenge: 'challenge',
  nonce: 'nonce',
  decryptionKey: generateDecryptionKey().privateJwk,
  expiresAt: 1_790_000_120,
}

describe('openSession', () => {
  test('opens in time where it was sealed, and not at another API that shares the seal', () => {
    const [here, there] = ['https://api.example', 'https://other.example'].map((origin) => ({
      settings: { origin },
      seal,
    }))
    if (here === undefined || there === undefined) throw new Error('Two APIs are needed.')
    const text = sealSession(session, here)
    expect(openSession(text, 1_790_000_119, here)).toEqual(session)
    expect(openSession(text, 1_790_000_119, there)).toBeUndefined()
    expect(openSession(text, 1_790_000_120, here)).toBeUndefined()
  })
})
