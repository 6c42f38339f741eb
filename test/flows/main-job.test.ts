import { describe, expect, test } from 'vitest'
import { AGENT, createWalletWorld, VCT } from '../support/wallet-world.js'

describe('the main job: offer in, API answers', () => {
  test('an agent receives its role and the API lets it in', async () => {
    const world = await createWalletWorld()
    const { uri, txCode } = await world.offer()
    expect(await world.wallet.receive(AGENT, uri, txCode)).toMatchObject({ outcome: 'stored', vct: VCT })
    expect((await world.wallet.explain(AGENT, { limit: 5 }))[0]).toMatchObject({
      event: 'receive',
      outcome: 'granted',
    })

    const answer = await world.callApi()
    expect(await world.wallet.explain(AGENT, { limit: 5 })).toMatchObject([{ code: 'presented' }, {}])
    expect(answer.status).toBe(200)
  })
})
