import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  answerChallenge,
  beginChallenge,
  createWallet,
  createWorld,
  fetchRequest,
  MANAGERS_IN_EU,
  postResponse,
  QUERY,
  soundBody,
  soundResponse,
  storedText,
} from '../support/presentation-world.js'

const PHASES = ['structure', 'credential', 'query', 'status', 'set']

async function present(
  world: ReturnType<typeof createWorld>,
  wallet: Awaited<ReturnType<typeof createWallet>>,
) {
  const started = await world.verifier.startTransaction({ query: QUERY })
  const { request, responseUri } = await fetchRequest(world, started.requestUrl)
  await postResponse(world, responseUri, await soundBody(wallet, request))
  return started.transactionId
}

describe('explain', () => {
  test('names every check of an accepted presentation, in order [VP-V-TOK-06]', async () => {
    const world = createWorld()
    const id = await present(world, await createWallet())
    const told = await world.verifier.explain(id)
    expect(told).toMatchObject({ outcome: 'accepted', judgedAt: NOW })
    expect(told).not.toHaveProperty('reason')
    expect(told?.checks.map(({ phase }) => phase)).toEqual(PHASES)
    expect(told?.checks.every(({ outcome }) => outcome === 'passed')).toBe(true)
    expect(told?.checks[1]).toMatchObject({ queryId: 'role_cred' })
    // The id in the log leads to the same record.
    expect(await world.verifier.explain(told?.transaction ?? '')).toEqual(told)
  })

  test('names the check that failed, and no value', async () => {
    const world = createWorld()
    const id = await present(world, await createWallet({ claims: { exp: NOW - 100 } }))
    const told = await world.verifier.explain(id)
    expect(told).toMatchObject({ outcome: 'refused', reason: 'credential_expired' })
    expect(told?.checks).toEqual([
      { phase: 'structure', outcome: 'passed' },
      { phase: 'credential', queryId: 'role_cred', outcome: 'credential_expired' },
      { phase: 'set', outcome: 'query_unsatisfied' },
    ])
    expect(JSON.stringify(told)).not.toMatch(/Manager|"EU"|eyJ[\w-]+\.eyJ/)
    expect(await storedText(world)).not.toMatch(/Manager|eyJ[\w-]+\.eyJ/)
  })

  test('knows the challenge route too', async () => {
    const world = createWorld()
    world.verifier.requirePresentation(MANAGERS_IN_EU)
    const wallet = await createWallet()
    const begun = await beginChallenge(world, wallet)
    await answerChallenge(world, wallet, begun.authSession, await soundResponse(wallet, begun))
    const line = world.lines.find((text) => text.includes('verifier.challenge.answered')) ?? '{}'
    const logged: { transaction?: string } = JSON.parse(line)
    expect(await world.verifier.explain(logged.transaction ?? '')).toMatchObject({ outcome: 'accepted' })
  })

  test('forgets after the stated time, and keeps nothing where told so', async () => {
    const world = createWorld({ explanationSeconds: 60 })
    const wallet = await createWallet()
    const id = await present(world, wallet)
    world.time.advance(59)
    expect(await world.verifier.explain(id)).toBeDefined()
    world.time.advance(2)
    expect(await world.verifier.explain(id)).toBeUndefined()
    const none = createWorld({ explanationSeconds: 0 })
    expect(await none.verifier.explain(await present(none, wallet))).toBeUndefined()
    for (const unknown of ['', 'x', '../../secret', 'x'.repeat(5000), '__proto__']) {
      expect(await world.verifier.explain(unknown)).toBeUndefined()
    }
    expect(() => createWorld({ explanationSeconds: -1 })).toThrow(
      expect.objectContaining({ code: 'lifetime' }),
    )
  })
})
