import { createMemoryStore, SPENT_MARGIN_SECONDS } from '@attache/core'
import { createAuthorizationChallengeRequest, createPkce } from '@attache/oauth'
import { IA_OPENID4VP_PRESENTATION } from '@attache/openid4vp'
import { describe, expect, test } from 'vitest'
import { createFixedClock, NOW } from '../support/clock.js'
import {
  answerChallenge,
  beginChallenge,
  CHALLENGE,
  clientHeaders,
  createWallet,
  createWorld,
  freshKey,
  MANAGERS_IN_EU,
  objectOf,
  postForm,
  soundResponse,
  type World,
} from '../support/presentation-world.js'

const wallet = await createWallet()

function guarded(more: Parameters<typeof createWorld>[2] = {}): World {
  const world = createWorld({}, undefined, more)
  world.verifier.requirePresentation(MANAGERS_IN_EU)
  return world
}

describe('a request for a challenge', () => {
  test('that names a DPoP key names the one of its proof [DPOP-A-06]', async () => {
    const world = guarded()
    const ask = async (dpopJkt: string) => {
      const { codeChallenge } = createPkce(world.random)
      const form = createAuthorizationChallengeRequest({
        kind: 'initial',
        request: { clientId: wallet.clientId, scope: 'payroll:export', codeChallenge, dpopJkt },
        interactionTypesSupported: [IA_OPENID4VP_PRESENTATION],
      })
      return postForm(world, CHALLENGE, form, await clientHeaders(world, wallet, CHALLENGE))
    }
    const own = await ask(wallet.dpop.kid)
    expect([own.status, (await objectOf(own))['error']]).toEqual([401, 'insufficient_authorization'])
    const other = await ask(freshKey().kid)
    expect([other.status, (await objectOf(other))['error']]).toEqual([400, 'invalid_dpop_proof'])
    expect(await world.store.list('')).toEqual([])
  })
})

describe('a challenge that was answered', () => {
  const spentAt = (world: World) => world.store.list('t/default/verifier/challenge-spent/')

  test('is remembered longer than it could be answered, by a margin for clocks that differ', async () => {
    const world = guarded()
    const begun = await beginChallenge(world, wallet)
    const response = await soundResponse(wallet, begun)
    expect((await answerChallenge(world, wallet, begun.authSession, response)).status).toBe(200)
    expect(await spentAt(world)).toHaveLength(1)
    world.time.advance(120 + SPENT_MARGIN_SECONDS - 1)
    expect(await spentAt(world)).toHaveLength(1)
    world.time.advance(1)
    expect(await spentAt(world)).toHaveLength(0)
  })

  test('is not answered again where the store’s clock runs ahead', async () => {
    const ahead = createFixedClock(NOW + SPENT_MARGIN_SECONDS - 1)
    const world = guarded({ store: createMemoryStore(ahead) })
    const begun = await beginChallenge(world, wallet)
    const response = await soundResponse(wallet, begun)
    expect((await answerChallenge(world, wallet, begun.authSession, response)).status).toBe(200)
    // The last second in which this session opens: to the store its time is long over.
    world.time.advance(119)
    ahead.advance(119)
    const again = await answerChallenge(world, wallet, begun.authSession, response)
    expect([again.status, (await objectOf(again))['error']]).toEqual([400, 'invalid_session'])
  })
})
