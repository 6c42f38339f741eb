/**
 * A valid token of a credential that is not worth anything any more: whatever the store says about it, every call
 * looks at expiry, trust and status itself.
 */
import { isJsonArray, isJsonObject, type JsonObject, member } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  call,
  createWallet,
  createWorld,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  textOf,
} from '../support/presentation-world.js'

const victim = await createWallet()

async function withToken() {
  const world = createWorld()
  const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
  const token = await obtainToken(world, victim)
  const outcome = async () => {
    const judged = await gate(await call(world, token, { dpop: victim.dpop }))
    return judged.allowed ? [200] : [judged.response.status, textOf(await objectOf(judged.response), 'code')]
  }
  /** Rewrites what is kept of the credential behind the token. */
  const rewrite = async (change: JsonObject) => {
    const [kept] = (await world.store.list('')).filter(({ key }) => key.includes('/token/'))
    const credentials = isJsonObject(kept?.value) ? member(kept.value, 'credentials') : undefined
    if (!isJsonObject(kept?.value) || !isJsonArray(credentials)) throw new Error('Nothing is kept.')
    const changed = credentials.map((credential) => ({
      ...(isJsonObject(credential) ? credential : {}),
      ...change,
    }))
    await world.store.put(kept.key, { ...kept.value, credentials: changed }, NOW + 600)
  }
  return { world, outcome, rewrite }
}

describe('a call with a token', () => {
  test('is refused in the second in which the credential expires, though its record is still there', async () => {
    const { world, outcome, rewrite } = await withToken()
    await rewrite({ exp: NOW + 10 })
    world.time.advance(9)
    expect(await outcome()).toEqual([200])
    world.time.advance(1)
    expect(await outcome()).toEqual([401, 'credential_expired'])
  })

  test('is refused when the rule that vouched is gone from the configuration', async () => {
    const { outcome, rewrite } = await withToken()
    expect(await outcome()).toEqual([200])
    await rewrite({ trust: 'a rule of yesterday' })
    expect(await outcome()).toEqual([401, 'credential_revoked'])
  })

  test.each([
    [1, 'revoked'],
    [2, 'suspended'],
    [3, 'of a status that is not understood here'],
  ])('is refused when the list says %i, %s', async (value) => {
    const { world, outcome } = await withToken()
    expect(await outcome()).toEqual([200])
    world.setStatus(value)
    world.time.advance(61)
    expect(await outcome()).toEqual([401, 'credential_revoked'])
  })

  test('is refused when what is kept cannot be read, or nothing is kept', async () => {
    for (const change of [{ claims: 'text' }, { vct: 7 }, { status: { uri: 7, idx: 'x' } }]) {
      const { outcome, rewrite } = await withToken()
      await rewrite(change)
      expect(await outcome()).toEqual([401, 'token_invalid'])
    }
    const { world, outcome } = await withToken()
    for (const { key } of await world.store.list('')) if (key.includes('/token/')) await world.store.take(key)
    expect(await outcome()).toEqual([401, 'token_invalid'])
  })
})
