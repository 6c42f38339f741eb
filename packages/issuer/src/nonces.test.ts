import { createMemoryStore, systemRandom as random, SPENT_MARGIN_SECONDS } from '@attache/core'
import { createSeal } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { createCredentialNonces } from './nonces.js'
import { createRecordKeys } from './stored-record.js'

const NOW = 1_790_000_000

describe('createCredentialNonces', () => {
  test('a nonce judged in its last second and committed late stays spent', async () => {
    let clock = NOW
    const store = createMemoryStore({ clock: () => clock })
    const nonces = createCredentialNonces(
      { credentialIssuer: 'https://issuer.example', lifetimeSeconds: 300 },
      {
        seal: createSeal([{ id: 'a', key: random(32) }], { random }),
        random,
        keys: createRecordKeys('default'),
      },
    )
    const nonce = nonces.issue(NOW)
    const spend = (now: number) => store.commit([nonces.open(nonce, now).step])
    expect(await spend(NOW)).toBe(true)

    // The proof travels in the body: its sender decides how long after the start of the request it is there.
    clock = NOW + 299 + SPENT_MARGIN_SECONDS
    expect(await spend(NOW + 299)).toBe(false)
    expect(() => nonces.open(nonce, NOW + 300)).toThrow(expect.objectContaining({ code: 'invalid_nonce' }))
  })
})
