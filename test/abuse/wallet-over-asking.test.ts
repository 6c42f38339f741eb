/**
 * Verifiers that ask for more than they may know, in words that do not say so; and what an issuer learns from the
 * status request of a wallet.
 */
import type { JsonObject, JsonValue } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { type Script, STATUS_URI, VCT } from '../support/scripted-issuer.js'
import { createPresentationWorld, type PresentationWorld, shown } from '../support/scripted-verifier.js'

const issuer: Script = {
  claims: (claims) => ({
    ...claims,
    salary_band: 'B7',
    teams: ['Payroll', 'Board'],
    address: { city: 'Graz', street: 'Ring 1' },
  }),
  disclosable: [
    ['role'],
    ['region'],
    ['employee_id'],
    ['salary_band'],
    ['teams'],
    ['teams', null],
    ['address'],
    ['address', 'city'],
    ['address', 'street'],
  ],
}

const query = (claims?: readonly JsonValue[]): JsonObject => ({
  credentials: [
    {
      id: 'role_cred',
      format: 'dc+sd-jwt',
      meta: { vct_values: [VCT] },
      ...(claims === undefined ? {} : { claims }),
    },
  ],
})

/** Both routes, with a mandate for role and region, or with one for everything. */
const worldFor = (wanted: JsonObject, rules: 'mandate' | 'everything') =>
  createPresentationWorld({
    script: issuer,
    verifierScript: { query: wanted },
    ...(rules === 'everything' ? { rules: () => [{ id: 'all', effect: 'allow' }] } : {}),
  })

/** Every presentation that left the wallet, whichever way. */
async function released(world: PresentationWorld): Promise<readonly string[]> {
  const { role_cred: presentations = [] } = await world.vpToken()
  return presentations
}

const WILDCARDS: readonly (readonly [string, JsonValue])[] = [
  ['everything at the top', [null]],
  ['everything below everything', [null, null]],
  ['everything below a text', ['role', null]],
  ['every member of an object', ['address', null]],
]

describe('a verifier that asks with wildcards', () => {
  for (const rules of ['mandate', 'everything'] as const) {
    for (const [name, path] of WILDCARDS) {
      test(`for ${name} gets nothing, under a mandate for ${rules === 'mandate' ? 'two claims' : 'all'}`, async () => {
        const wanted = query([{ path: ['role'] }, { path }])
        const byRequest = await worldFor(wanted, rules)
        expect(await byRequest.present()).toMatchObject({ outcome: 'refused' })
        expect(await released(byRequest)).toEqual([])
        const byChallenge = await worldFor(wanted, rules)
        expect((await byChallenge.callApi()).status).toBe(401)
        expect(await released(byChallenge)).toEqual([])
      })
    }
  }

  test('for every element of an array needs a mandate for that array', async () => {
    const wanted = query([{ path: ['role'] }, { path: ['teams', null] }])
    const refused = await worldFor(wanted, 'mandate')
    expect(await refused.present()).toMatchObject({ outcome: 'refused' })
    expect(await refused.reason()).toBe('no_rule')
    expect(await released(refused)).toEqual([])
    const allowed = await worldFor(wanted, 'everything')
    expect(await allowed.present()).toMatchObject({ outcome: 'delivered' })
    const [presentation] = await released(allowed)
    expect(shown(presentation).names).toEqual(['Board', 'Payroll', 'role', 'teams'].sort())
  })
})

describe('a verifier that names no claims', () => {
  test('sees no claim that could be withheld, on either route, whatever the mandate', async () => {
    const byRequest = await worldFor(query(), 'everything')
    expect(await byRequest.present()).toMatchObject({ outcome: 'delivered' })
    const byChallenge = await worldFor(query(), 'everything')
    expect((await byChallenge.callApi()).status).toBe(200)
    for (const world of [byRequest, byChallenge]) {
      const presentations = await released(world)
      expect(presentations).toHaveLength(1)
      expect(shown(presentations[0]).names).toEqual([])
    }
  })
})

describe('an issuer that watches its status host', () => {
  test('sees the same request from a wallet whichever credential is presented', async () => {
    const requests: string[] = []
    for (const idx of [7, 1001]) {
      const script: Script = {
        claims: (claims) => ({ ...claims, status: { status_list: { idx, uri: STATUS_URI } } }),
      }
      const world = await createPresentationWorld({ script })
      for (let nth = 0; nth < 3; nth += 1) expect((await world.callApi()).status).toBe(200)
      const asked = world.calls('/status/1')
      expect(asked.length).toBeGreaterThan(0)
      requests.push(JSON.stringify(asked.map(({ headers, ...rest }) => ({ ...rest, headers: [...headers] }))))
    }
    expect(requests[0]).toBe(requests[1])
    expect(requests[0]).not.toContain('api.example')
  })
})
