import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { AGENT, ORIGIN, TX_CODE } from '../support/scripted-issuer.js'
import { API, CALL, createPresentationWorld } from '../support/scripted-verifier.js'

const manifest = (room: string) =>
  readFileSync(new URL(`../../${room}/package.json`, import.meta.url), 'utf8')

describe('codes, tokens and proofs', () => {
  test('pass through the wallet alone [VCI-W-SEC-03]', async () => {
    const world = await createPresentationWorld({ holding: false })
    const received = await world.receive()
    expect(received).toMatchObject({ outcome: 'stored' })
    expect((await world.callApi()).status).toBe(200)

    // The secrets of the issuance go to the issuer's own origin and to nobody else.
    const sent = (url: string, body: unknown, headers: Headers) =>
      `${url} ${String(body ?? '')} ${[...headers].join(' ')}`
    const [toIssuer, toOthers] = [true, false].map((own) =>
      world.network.calls
        .filter(({ url }) => url.startsWith(`${ORIGIN}/`) === own)
        .map(({ url, body, headers }) => sent(url, body, headers))
        .join('\n'),
    )
    for (const secret of ['code-1', TX_CODE, 'token-0']) expect(toIssuer).toContain(secret)
    const issuance = world.network.calls.filter(({ url }) => url.startsWith(`${ORIGIN}/`))
    const proofs = issuance.flatMap(({ headers }) => headers.get('dpop') ?? [])
    expect(proofs.length).toBeGreaterThan(0)
    for (const secret of [TX_CODE, ...proofs]) expect(toOthers).not.toContain(secret)

    // Operator and log hear what came of it, never with what.
    const told = JSON.stringify([received, await world.wallet.overview(AGENT), world.lines])
    const explained = JSON.stringify(await world.wallet.explain(AGENT, { limit: 50 }))
    for (const secret of ['code-1', TX_CODE, 'token-0', ...proofs]) {
      expect(told).not.toContain(secret)
      expect(explained).not.toContain(secret)
    }
    // An agent is given the headers of one request to the API it called, and for no other host.
    const answer = await world.wallet.authorize(AGENT, { method: 'POST', url: CALL })
    expect(answer).toMatchObject({ outcome: 'authorized' })
    if (answer.outcome === 'authorized')
      expect(Object.keys(answer.headers).sort()).toEqual(['authorization', 'dpop'])
    const elsewhere = CALL.replace(API, 'https://other.example')
    expect(await world.wallet.authorize(AGENT, { method: 'POST', url: elsewhere })).toEqual({
      outcome: 'none',
    })
  })

  test('are unknown to what runs beside an agent or an operator [VCI-W-SEC-03]', () => {
    const rooms = /@attache\/(?:oauth|openid4vci|openid4vp|keys|sd-jwt|wallet)"/
    for (const room of ['packages/agent', 'apps/cli']) expect(manifest(room)).not.toMatch(rooms)
    expect(manifest('packages/wallet')).toMatch(rooms)
  })
})
