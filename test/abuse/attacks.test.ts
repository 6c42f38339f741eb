/**
 * Every attack of the tables against our verifier: refused for the one reason it must have, and nothing granted.
 */
import { describe, expect, test } from 'vitest'
import { reasonIn } from '../support/forged-presentation.js'
import type { World } from '../support/presentation-world.js'
import { ANSWER_ATTACKS, HONEST_ANSWER } from './answer-attacks.js'
import { beginTransaction, holdToken } from './attack.js'
import { CALL_ATTACKS } from './call-attacks.js'

/** What a store holds that would be worth something to an attacker. */
async function granted({ store }: World): Promise<readonly string[]> {
  const entries = await store.list('', undefined, 1000)
  return entries.filter(({ key }) => /\/(token|code)\//.test(key)).map(({ key }) => key)
}

describe('an answer', () => {
  test('is accepted when it is honest', async () => {
    const scene = await beginTransaction(HONEST_ANSWER)

    expect((await scene.world.send(await HONEST_ANSWER.forge(scene))).status).toBe(200)
    const result = await scene.world.verifier.redeemResult({ transactionId: scene.transactionId })
    expect(result.status).toBe('answered')
  })

  test.each(ANSWER_ATTACKS.map((attack) => [attack.row, attack.name, attack] as const))(
    'row %i: %s',
    async (_row, _name, attack) => {
      const scene = await beginTransaction(attack)
      const request = await attack.forge(scene)
      const before = scene.world.lines.length

      const answer = await scene.world.send(request)

      expect([answer.status, reasonIn(scene.world.lines.slice(before))]).toEqual([400, attack.refused])
      expect(await granted(scene.world)).toEqual([])
      // What no trusted issuer signed makes this server call nobody.
      if (attack.row === 5) expect(scene.world.network.calls).toEqual([])
      const result = await scene.world.verifier.redeemResult({ transactionId: scene.transactionId })
      expect(result.status).not.toBe('answered')
    },
  )
})

describe('a call', () => {
  test.each(CALL_ATTACKS.map((attack) => [attack.row, attack.name, attack] as const))(
    'row %i: %s',
    async (_row, _name, attack) => {
      const scene = await holdToken()
      const request = await attack.forge(scene)
      const before = await granted(scene.world)

      const outcome = await scene.gate(request)

      if (outcome.allowed) throw new Error('It was let in.')
      const code = /"code":"([a-z_]+)"/.exec(scene.world.lines.at(-1) ?? '')?.[1]
      expect([outcome.response.status, code]).toEqual([401, attack.refused])
      expect(await granted(scene.world)).toEqual(before)
    },
  )
})

test('every attack has a name of its own', () => {
  const names = [...ANSWER_ATTACKS, ...CALL_ATTACKS].map(({ name }) => name)

  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([])
})
