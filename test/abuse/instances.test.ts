/**
 * What counts once counts once for all instances of an API, and after a restart of all of them.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLevelStore, type LevelStore } from '@attache/storage'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFixedClock } from '../support/clock.js'
import {
  answerChallenge,
  beginChallenge,
  call,
  createWallet,
  createWorld,
  fetchRequest,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  postResponse,
  QUERY,
  redeem,
  soundBody,
  soundResponse,
  textOf,
} from '../support/presentation-world.js'
import { createSeededRandom } from '../support/random.js'

const victim = await createWallet()
let folder = ''
let store: LevelStore
const time = createFixedClock()

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'attache-instances-'))
  store = await createLevelStore({ path: folder, clock: time.clock })
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

/** One process of the API: the same store, randomness of its own. */
function instance(name: string, clock = time) {
  const world = createWorld({}, createSeededRandom(name), { store, time: clock })
  return { ...world, gate: world.verifier.requirePresentation(MANAGERS_IN_EU) }
}

const restart = async () => {
  await store.close()
  store = await createLevelStore({ path: folder, clock: time.clock })
}

describe('a DPoP proof', () => {
  test('is taken once by two instances and by both after a restart', async () => {
    const [one, two] = [instance('one'), instance('two')]
    const token = await obtainToken(one, victim)
    const captured = await call(one, token, { dpop: victim.dpop })

    expect(await one.gate(captured.clone())).toMatchObject({ allowed: true })
    expect(await two.gate(captured.clone())).toMatchObject({ allowed: false })
    await restart()
    for (const name of ['three', 'four']) {
      const { gate } = instance(name)
      expect(await gate(captured.clone())).toMatchObject({ allowed: false })
    }
    // The token itself outlived the restart; only the proof is spent.
    const fresh = await call(one, token, { dpop: victim.dpop })
    expect(await instance('five').gate(fresh)).toMatchObject({ allowed: true })
  })

  test('of forty copies at two instances at once lets one in', async () => {
    const [one, two] = [instance('one'), instance('two')]
    const token = await obtainToken(one, victim)
    const captured = await call(one, token, { dpop: victim.dpop })

    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, nth) => (nth % 2 === 0 ? one : two).gate(captured.clone())),
    )
    expect(outcomes.filter(({ allowed }) => allowed)).toHaveLength(1)
  })

  test('is spent at an instance whose clock is a minute behind', async () => {
    const behind = createFixedClock(time.clock() - 60)
    const [one, late] = [instance('one'), instance('late', behind)]
    const token = await obtainToken(one, victim)
    const captured = await call(one, token, { dpop: victim.dpop })
    const unused = await Promise.all([1, 2, 3, 4].map(() => call(one, token, { dpop: victim.dpop })))
    expect(await one.gate(captured.clone())).toMatchObject({ allowed: true })

    // As long as the late clock takes proofs of that second, the store must know the spent one.
    for (const [nth, seconds] of [51, 20, 20, 29].entries()) {
      time.advance(seconds)
      behind.advance(seconds)
      expect(await late.gate(captured.clone())).toMatchObject({ allowed: false })
      expect(await late.gate(unused[nth] ?? captured)).toMatchObject({ allowed: true })
    }
  })
})

describe('an answer', () => {
  test('to a transaction is taken once, whichever instance gets it', async () => {
    const [one, two] = [instance('one'), instance('two')]
    const started = await one.verifier.startTransaction({ query: QUERY, crossDevice: true })
    const { request, responseUri } = await fetchRequest(two, started.requestUrl)
    const body = await soundBody(victim, request)

    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, nth) => postResponse(nth % 2 === 0 ? one : two, responseUri, body)),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
    await restart()
    expect((await postResponse(instance('three'), responseUri, body)).status).toBe(400)
  })

  test('to a challenge is nothing to an instance with another seal, and leaves the challenge open', async () => {
    const [one, two] = [instance('one'), instance('two')]
    const begun = await beginChallenge(one, victim)
    const response = await soundResponse(victim, begun)

    expect((await answerChallenge(two, victim, begun.authSession, response)).status).toBe(400)
    expect((await answerChallenge(one, victim, begun.authSession, response)).status).toBe(200)
  })

  test('earns a code that is redeemed once, whichever instance gets it', async () => {
    const [one, two] = [instance('one'), instance('two')]
    const begun = await beginChallenge(one, victim)
    const answered = await answerChallenge(one, victim, begun.authSession, await soundResponse(victim, begun))
    const code = textOf(await objectOf(answered), 'authorization_code')

    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, nth) =>
        redeem(nth % 2 === 0 ? one : two, victim, code, begun.pkce.codeVerifier),
      ),
    )
    expect(tokens.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1)
    expect(tokens.every(({ status }) => status === 200 || status === 400)).toBe(true)
  })
})
