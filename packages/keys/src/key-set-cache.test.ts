import { describe, expect, test } from 'vitest'
import { createKeySetCache, type KeySource } from './key-set-cache.js'
import { generatePrivateJwk } from './private-jwk.js'
import { createSoftwareSigner } from './signer.js'

const NOW = 1_790_000_000
const wanted = { kid: 'a', alg: 'ES256' }
const keys = [{ ...createSoftwareSigner(generatePrivateJwk('ES256')).publicJwk, kid: 'a' }]

/** A source whose calls are counted and answered by hand. */
function source(name = 'https://keys.example') {
  const waiting: { resolve: () => void; reject: (cause: Error) => void }[] = []
  const made: KeySource = {
    name,
    load: () =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve: () => resolve(keys), reject })
      }),
  }
  return { source: made, waiting }
}

const answering = (name: string, calls: string[]): KeySource => ({
  name,
  load: async () => {
    calls.push(name)
    return keys
  },
})

describe('createKeySetCache', () => {
  test('asks once for all who wait', async () => {
    const cache = createKeySetCache()
    const { source: one, waiting } = source()
    const found = Array.from({ length: 50 }, () => cache.find(one, wanted, NOW))
    expect(waiting).toHaveLength(1)
    waiting[0]?.resolve()
    expect((await Promise.all(found)).every(({ kid }) => kid === 'a')).toBe(true)
  })

  test('serves what it has while a hanging host is asked again', async () => {
    const cache = createKeySetCache({ maxAgeSeconds: 300 })
    const { source: one, waiting } = source()
    const first = cache.find(one, wanted, NOW)
    waiting[0]?.resolve()
    await first

    const hanging = cache.find(one, wanted, NOW + 301)
    expect(waiting).toHaveLength(2)
    expect((await cache.find(one, wanted, NOW + 301)).kid).toBe('a')
    waiting[1]?.reject(new Error('timeout'))
    expect((await hanging).kid).toBe('a')
    expect((await cache.find(one, wanted, NOW + 302)).kid).toBe('a')
    expect(waiting).toHaveLength(2)
  })

  test('asks a failing source once per cool-down, and recovers', async () => {
    const cache = createKeySetCache({ cooldownSeconds: 30 })
    const { source: one, waiting } = source()
    const first = cache.find(one, wanted, NOW)
    waiting[0]?.reject(new Error('refused'))
    await expect(first).rejects.toMatchObject({
      code: 'issuer_keys_unavailable',
      cause: { message: 'refused' },
    })
    await expect(cache.find(one, wanted, NOW + 29)).rejects.toMatchObject({ code: 'issuer_keys_unavailable' })
    expect(waiting).toHaveLength(1)

    const again = cache.find(one, wanted, NOW + 30)
    waiting[1]?.resolve()
    expect((await again).kid).toBe('a')
  })

  test('answers a thousand unknown kid values with one fetch [VC-K-07]', async () => {
    const cache = createKeySetCache()
    const calls: string[] = []
    const one = answering('one', calls)
    const strangers = Array.from({ length: 1000 }, (_, n) =>
      cache.find(one, { kid: `x${n}`, alg: 'ES256' }, NOW),
    )
    const outcomes = await Promise.allSettled(strangers)
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    expect(calls).toHaveLength(1)
  })

  test('keeps no more sets than told, the ones used last', async () => {
    const cache = createKeySetCache({ maxSets: 2 })
    const calls: string[] = []
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await cache.find(answering(name, calls), wanted, NOW)
    expect(calls).toEqual(['a', 'b', 'c', 'b'])
  })
})
