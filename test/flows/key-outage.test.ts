import { json } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { forgedFor, judge, only } from '../support/forged-presentation.js'
import {
  call,
  createWallet,
  createWorld,
  freshKey,
  ISSUER,
  MANAGERS_IN_EU,
  obtainToken,
  STATUS_URI,
  VCT,
} from '../support/presentation-world.js'

const key = freshKey()
const JWKS = 'https://keys.example/jwks'
const jwks = { keys: [JSON.parse(JSON.stringify({ ...key.publicJwk, kid: key.kid }))] }

/** An API whose issuer publishes its keys, and a switch for that. */
function discovering() {
  const trusted = { vct: VCT, issuer: ISSUER, discovery: { jwksUri: JWKS } }
  const world = createWorld({ keyBinding: 'not-required', trustedIssuers: [trusted] })
  const published = { online: true, keys: jwks }
  world.network.serve('https://keys.example', async () =>
    published.online ? json(200, published.keys) : new Response(null, { status: 503 }),
  )
  const ask = async () => {
    const now = world.time.clock()
    const issued = { issuer: key, header: { kid: key.kid }, payload: { iss: ISSUER, exp: now + 3600 } }
    const bound = { payload: { iat: now } }
    const judged = await judge(async (request) => only(await forgedFor(request, issued, bound)), { world })
    return [judged.status, judged.reason]
  }
  const fetched = () => world.network.calls.filter(({ url }) => url === JWKS).length
  return { world, published, ask, fetched }
}

describe('keys that cannot be fetched', () => {
  test('are nobody’s: a first presentation is refused, and the next one after the outage counts', async () => {
    const { world, published, ask } = discovering()
    published.online = false
    expect(await ask()).toEqual([400, 'issuer_untrusted'])
    published.online = true
    world.time.advance(31)
    expect(await ask()).toEqual([200, 'accepted'])
  })

  test('keep serving from the cache through an outage, and not for ever', async () => {
    const { world, published, ask, fetched } = discovering()
    expect(await ask()).toEqual([200, 'accepted'])
    published.online = false
    for (const seconds of [1, 300, 3600]) {
      world.time.advance(seconds)
      expect(await ask()).toEqual([200, 'accepted'])
    }
    world.time.advance(86_400)
    expect(await ask()).toEqual([400, 'issuer_untrusted'])
    // A source that fails is not asked for every presentation.
    const before = fetched()
    for (let round = 0; round < 5; round += 1) await ask()
    expect(fetched()).toBe(before)
  })

  test('that were withdrawn stop counting when the set is fetched anew', async () => {
    const { world, published, ask } = discovering()
    expect(await ask()).toEqual([200, 'accepted'])
    const other = freshKey()
    published.keys = { keys: [JSON.parse(JSON.stringify({ ...other.publicJwk, kid: other.kid }))] }
    world.time.advance(301)
    expect(await ask()).toEqual([400, 'issuer_untrusted'])
  })
})

describe('a status that cannot be fetched', () => {
  test('is served from the list at hand for its ttl, then denied, and counts again after the outage', async () => {
    const world = createWorld()
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const wallet = await createWallet()
    const token = await obtainToken(world, wallet)
    const ask = async () => {
      const outcome = await gate(await call(world, token, { dpop: wallet.dpop }))
      return outcome.allowed ? 200 : outcome.response.status
    }
    world.status.online = false
    world.time.advance(59)
    expect(await ask()).toBe(200)
    world.time.advance(2)
    expect(await ask()).toBe(403)
    world.status.online = true
    world.time.advance(60)
    expect(await ask()).toBe(200)
    expect(world.network.calls.filter(({ url }) => url === STATUS_URI).length).toBeGreaterThan(1)
  })
})
