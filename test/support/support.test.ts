import { createPrivateKey, createPublicKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createFixedClock, NOW } from './clock.js'
import { createNetwork } from './network.js'
import * as publishedKeys from './published-keys.js'
import { createSeededRandom } from './random.js'

describe('createFixedClock', () => {
  test('stands still until it is moved', () => {
    const { clock, advance } = createFixedClock()

    expect([clock(), clock()]).toEqual([NOW, NOW])
    advance(61)
    expect(clock()).toBe(NOW + 61)
  })
})

describe('createSeededRandom', () => {
  test('repeats itself for one seed, never within one, and differs for another', () => {
    const first = createSeededRandom('a')
    const bytes = [first(48), first(48)]

    expect(bytes[0]).toHaveLength(48)
    expect(bytes[0]).not.toEqual(bytes[1])
    expect(createSeededRandom('a')(48)).toEqual(bytes[0])
    expect(createSeededRandom('b')(48)).not.toEqual(bytes[0])
  })
})

describe('createNetwork', () => {
  const network = createNetwork({
    'https://a.example': async (request) => new Response(`a ${request.method} ${await request.text()}`),
    'https://b.example': async () =>
      new Response(null, { status: 302, headers: { location: 'https://a.example' } }),
  })

  test('answers by origin and records the call', async () => {
    const answer = await network.fetch('https://a.example/x?y=1', { method: 'POST', body: 'hello' })

    expect(await answer.text()).toBe('a POST hello')
    expect(network.calls[0]).toMatchObject({ method: 'POST', url: 'https://a.example/x?y=1', body: 'hello' })
  })

  test('keeps the promises of the guarded fetch', async () => {
    const refused = (code: string) => ({ code })

    await expect(network.fetch('http://a.example')).rejects.toMatchObject(refused('fetch_not_https'))
    await expect(network.fetch('https://c.example')).rejects.toMatchObject(refused('fetch_failed'))
    await expect(network.fetch('https://b.example')).rejects.toMatchObject(refused('fetch_redirect_refused'))
    await expect(network.fetch('https://a.example', { maxBytes: 3 })).rejects.toMatchObject(
      refused('fetch_too_large'),
    )
    await expect(
      network.fetch('https://a.example', { contentTypes: ['application/json'] }),
    ).rejects.toMatchObject(refused('fetch_content_type'))
  })
})

describe('published keys', () => {
  test.each(Object.entries(publishedKeys))('%s: private and public part belong together', (_, key) => {
    const derived = createPublicKey(createPrivateKey({ format: 'jwk', key })).export({ format: 'jwk' })

    expect(derived).toEqual({ kty: key.kty, crv: key.crv, x: key.x, y: key.y })
  })
})
