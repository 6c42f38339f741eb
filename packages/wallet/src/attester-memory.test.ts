import { type LogFields, VerificationError } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import type { Attester } from './attester.js'
import { createAttestations } from './attester-memory.js'
import type { ClientInstance } from './client-instance.js'

const NOW = 1_790_000_000
const LIFE = 900

function instance(): ClientInstance {
  const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
  return {
    agent: 'payroll-export',
    clientId: 'https://wallet.example/agents',
    authorizationServer: 'https://as.example',
    instance: signer,
    dpop: signer,
  }
}

/** An attester that counts, and fails while it is told to. */
function createBench(options: { readonly jitter?: number; readonly life?: number } = {}) {
  const state = { asked: 0, down: false, fault: false }
  const lines: LogFields[] = []
  const attester: Attester = {
    async attest(_, now) {
      state.asked += 1
      if (state.fault) throw new RangeError('a bug')
      if (state.down) throw new VerificationError('attester_unavailable', 'The attester gave no answer.')
      return { jwt: `attestation-${state.asked}`, expiresAt: now + (options.life ?? LIFE) }
    },
  }
  const write = (event: string, fields: LogFields = {}) => {
    lines.push({ ...fields, event })
  }
  const attestations = createAttestations({
    attester,
    random: (count) => new Uint8Array(count).fill(options.jitter ?? 0),
    log: { info: write, warn: write, error: write },
  })
  return { attestations, state, lines }
}

describe('createAttestations', () => {
  test('asks once per instance until a minute before the end; a new key is a new attestation [ABCA-M-04]', async () => {
    const { attestations, state } = createBench()
    const [client, other] = [instance(), instance()]
    expect(await attestations.of(client, NOW)).toBe('attestation-1')
    expect(await attestations.of(client, NOW + LIFE - 61)).toBe('attestation-1')
    expect(await attestations.of(other, NOW)).toBe('attestation-2')
    expect(await attestations.of(client, NOW + LIFE - 60)).toBe('attestation-3')
    expect(state.asked).toBe(3)
  })

  test('each instance comes back at a moment of its own, within a minute', async () => {
    const late = createBench({ jitter: 255 })
    const client = instance()
    await late.attestations.of(client, NOW)
    expect(await late.attestations.of(client, NOW + LIFE - 120)).toBe('attestation-1')
    expect(await late.attestations.of(client, NOW + LIFE - 119)).toBe('attestation-2')
  })

  test('an attestation of half a minute is used for some of it', async () => {
    const { attestations, state } = createBench({ life: 30 })
    const client = instance()
    await attestations.of(client, NOW)
    await attestations.of(client, NOW + 14)
    expect(state.asked).toBe(1)
    await attestations.of(client, NOW + 15)
    expect(state.asked).toBe(2)
  })

  test('one question for many who wait', async () => {
    const { attestations, state } = createBench()
    const client = instance()
    const given = await Promise.all(Array.from({ length: 20 }, () => attestations.of(client, NOW)))
    expect(new Set(given)).toEqual(new Set(['attestation-1']))
    expect(state.asked).toBe(1)
  })

  test('asks anew when the server refused the one at hand', async () => {
    const { attestations } = createBench()
    const client = instance()
    await attestations.of(client, NOW)
    expect(await attestations.of(client, NOW, { fresh: true })).toBe('attestation-2')
    expect(await attestations.of(client, NOW)).toBe('attestation-2')
  })

  test('goes on with the one at hand while the attester is down, and asks less and less', async () => {
    const { attestations, state, lines } = createBench()
    const client = instance()
    await attestations.of(client, NOW)
    state.down = true
    const start = NOW + LIFE - 60
    for (let second = 0; second < 54; second += 1)
      expect(await attestations.of(client, start + second)).toBe('attestation-1')
    // At 0, 2, 6, 14 and 30 seconds.
    expect(state.asked).toBe(6)
    expect(lines).toHaveLength(5)
    expect(lines[0]).toMatchObject({ event: 'wallet.attestation_kept', code: 'attester_unavailable' })

    // It is over: the failure of the last attempt, without another one until its turn.
    await expect(attestations.of(client, start + 56)).rejects.toMatchObject({ code: 'attester_unavailable' })
    expect(state.asked).toBe(6)
    state.down = false
    expect(await attestations.of(client, start + 62)).toBe('attestation-7')
    expect(await attestations.of(client, start + 63)).toBe('attestation-7')
  })

  test('a first failure is told as it is, and a fault is not taken for one', async () => {
    const { attestations, state } = createBench()
    const client = instance()
    state.down = true
    await expect(attestations.of(client, NOW)).rejects.toMatchObject({ code: 'attester_unavailable' })
    state.fault = true
    await expect(attestations.of(client, NOW + 2)).rejects.toThrow(RangeError)
    await expect(attestations.of(client, NOW + 2)).rejects.toThrow(RangeError)
    expect(state.asked).toBe(3)
  })
})
