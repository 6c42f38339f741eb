import { createMemoryStore, type JsonObject, type JsonValue } from '@attache/core'
import { createExpressVerifier } from '@attache/express'
import { createTestBench } from '@attache/testing'
import {
  type AcceptedPresentation,
  type ClaimsOf,
  claimsIn,
  createVerifier,
  credential,
  credentialSet,
  guardHandler,
  query,
  type Requirement,
  routeGuarded,
} from '@attache/verifier'
import express from 'express'
import { describe, expect, expectTypeOf, test } from 'vitest'

const ORIGIN = 'https://api.example'
const VCT = 'https://hr.example/types/agent-role/v1'
const managers = query(credential('role', { vct: VCT, claims: { role: 'string', level: 'number' } }))
const URL_OF_ROUTE = `${ORIGIN}/payroll/export`

async function start<const Query extends JsonObject>(requirement: Requirement<Query>) {
  const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
  const verifier = createVerifier(bench.options, bench.deps)
  const gate = verifier.requirePresentation(requirement)
  const seen: AcceptedPresentation<ClaimsOf<Query>>[] = []
  const handle = async (request: Request) => {
    const outcome = await gate(request)
    if (!outcome.allowed) return outcome.response
    seen.push(outcome.presentation)
    return Response.json(outcome.presentation)
  }
  const call = async (claims: JsonObject) => {
    const agent = await bench.createAgent(claims)
    return agent.connect({ routes: verifier.routes, handle })(URL_OF_ROUTE, { method: 'POST' })
  }
  return { bench, call, seen }
}

describe('the types of claims', () => {
  test('come from the shapes of the builder', () => {
    const built = query(
      credential('role', {
        vct: VCT,
        claims: {
          role: 'string',
          level: 'number',
          active: 'boolean',
          scopes: ['string'],
          anything: 'json',
          address: { country: 'string' },
        },
      }),
    )
    expectTypeOf<ClaimsOf<typeof built>>().toEqualTypeOf<{
      readonly role: string
      readonly level: number
      readonly active: boolean
      readonly scopes: readonly string[]
      readonly anything: JsonValue
      readonly address: { readonly country: string }
    }>()
    expect(built['credentials']).toHaveLength(1)
  })

  test('say which claims may be absent', () => {
    const sets = query(
      credential('role', {
        vct: VCT,
        claims: { role: 'string', region: 'string', country: 'string' },
        claimSets: [
          ['role', 'region'],
          ['role', 'country'],
        ],
      }),
    )
    expectTypeOf<ClaimsOf<typeof sets>>().toEqualTypeOf<{
      readonly role: string
      readonly region?: string
      readonly country?: string
    }>()
    const either = query(
      credential('role', { vct: VCT, claims: { role: 'string' } }),
      credential('badge', { vct: 'https://hr.example/types/badge', claims: { badge: 'string' } }),
      credentialSet([['role'], ['badge']]),
    )
    expectTypeOf<ClaimsOf<typeof either>>().toEqualTypeOf<{ readonly role?: string }>()
    expect(either['credential_sets']).toEqual([{ options: [['role'], ['badge']] }])
  })

  test('come from the paths of a query in the source, names alone', () => {
    const written = {
      credentials: [
        {
          id: 'role',
          format: 'dc+sd-jwt',
          meta: { vct_values: [VCT] },
          claims: [{ path: ['role'] }, { path: ['address', 'country'] }, { path: ['scopes', null] }],
        },
      ],
    } as const
    expectTypeOf<ClaimsOf<typeof written>>().toEqualTypeOf<{
      readonly role: JsonValue
      readonly address: { readonly country: JsonValue }
      readonly scopes: readonly JsonValue[]
    }>()
    const unknown: JsonObject = written
    expectTypeOf<ClaimsOf<typeof unknown>>().toEqualTypeOf<JsonObject>()
    expect(written.credentials).toHaveLength(1)
  })

  test('reach the decision, the outcome and the handler of any server', async () => {
    const { call, seen } = await start({
      scope: 'payroll:export',
      query: managers,
      decide: (claims, { scope, clientId }) => {
        expectTypeOf(claims).toEqualTypeOf<{ readonly role: string; readonly level: number }>()
        expect([scope, clientId]).toEqual(['payroll:export', 'fake-agent'])
        return claims.role === 'Manager' && claims.level > 2
      },
    })
    expect((await call({ role: 'Manager', level: 3 })).status).toBe(200)
    const [presentation] = seen
    expectTypeOf(presentation?.claims.role).toEqualTypeOf<string | undefined>()
    expect(presentation?.claims).toEqual({ role: 'Manager', level: 3 })
  })

  test('are typed from a query written inside the requirement', async () => {
    const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
    const gate = createVerifier(bench.options, bench.deps).requirePresentation({
      scope: 'payroll:export',
      query: {
        credentials: [
          { id: 'role', format: 'dc+sd-jwt', meta: { vct_values: [VCT] }, claims: [{ path: ['role'] }] },
        ],
      },
      decide: (claims) => {
        expectTypeOf(claims).toEqualTypeOf<{ readonly role: JsonValue }>()
        // @ts-expect-error: nobody asks for a region here
        return claims.region === claims.role
      },
    })
    const outcome = await gate(new Request(URL_OF_ROUTE))
    if (outcome.allowed) expectTypeOf(outcome.presentation.claims.role).toEqualTypeOf<JsonValue>()
    expect(outcome.allowed).toBe(false)
  })

  test('reach handlers of Request and Response, alone and behind the router that denies by default', async () => {
    const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
    const requirement = { scope: 'payroll:export', query: managers, decide: claimsIn({ role: ['Manager'] }) }
    const gate = createVerifier(bench.options, bench.deps).requirePresentation({
      ...requirement,
      reads: ['level'],
    })
    const alone = guardHandler(gate, (_request, { claims }) => {
      expectTypeOf(claims).toEqualTypeOf<{ readonly role: string; readonly level: number }>()
      return Response.json(claims.level)
    })
    const routed = routeGuarded([
      { method: 'GET', path: '/health', gate: 'public', handle: async () => new Response('up') },
      {
        method: 'POST',
        path: '/payroll/export',
        gate,
        // A table of routes has one type for all of them: names are not known here.
        handle: (_request, { claims }) => Response.json(claims['level'] ?? null),
      },
    ])
    for (const handle of [alone, routed]) {
      expect((await handle(new Request(URL_OF_ROUTE, { method: 'POST' }))).status).toBe(401)
    }
  })

  test('reach request.presentation in Express, with issuer, status, holder key and transaction', async () => {
    const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
    const verifier = createExpressVerifier(bench.options, {
      ...bench.deps,
      store: createMemoryStore(bench.time),
    })
    const requirement = { scope: 'payroll:export', query: managers, decide: claimsIn({ role: ['Manager'] }) }
    const app = express()
    app.post('/payroll/:month', verifier.requirePresentation(requirement), (request, response) => {
      expectTypeOf(request.presentation.claims.role).toEqualTypeOf<string>()
      expectTypeOf(request.presentation.claims.level).toEqualTypeOf<number>()
      expectTypeOf(request.presentation.issuer).toEqualTypeOf<string>()
      expectTypeOf(request.presentation.holderKey).toEqualTypeOf<string | undefined>()
      expectTypeOf(request.presentation.transaction).toEqualTypeOf<string>()
      expectTypeOf(request.presentation.status?.uri).toEqualTypeOf<string | undefined>()
      expectTypeOf(request.params.month).toEqualTypeOf<string>()
      expectTypeOf(response.locals.presentation.claims.role).toEqualTypeOf<string>()
      // @ts-expect-error: nobody asks for a region here
      response.json(request.presentation.claims.region)
    })
    app.get('/health', (request, response) => {
      expectTypeOf(request.presentation).toEqualTypeOf<AcceptedPresentation | undefined>()
      response.end()
    })
    expect(app).toBeTypeOf('function')
  })
})

describe('what the types promise', () => {
  test('is looked at: a claim of another type denies the call and is named, not shown', async () => {
    const { call } = await start({ scope: 'payroll:export', query: managers, decide: () => true })
    const refused = await call({ role: 'Manager', level: 'three' })
    expect(refused.status).toBe(403)
    const text = await refused.text()
    expect(JSON.parse(text)).toMatchObject({ code: 'decision_denied', missing: ['role', 'level'] })
    expect(text).not.toContain('three')
  })

  test('holds for lists and claims inside claims', async () => {
    const shaped = query(
      credential('role', { vct: VCT, claims: { scopes: ['string'], address: { country: 'string' } } }),
    )
    const { call, seen } = await start({ scope: 'orders', query: shaped, decide: () => true })
    const address = { country: 'AT', street: 'Main Street' }
    expect((await call({ scopes: ['a', 'b'], address })).status).toBe(200)
    expect(seen[0]?.claims).toEqual({ scopes: ['a', 'b'], address: { country: 'AT' } })
    expect((await call({ scopes: ['a', 1], address })).status).toBe(403)
    expect((await call({ scopes: ['a'], address: { country: 7 } })).status).toBe(403)
  })

  test('holds for claims that may be absent', async () => {
    const sets = query(
      credential('role', {
        vct: VCT,
        claims: { role: 'string', region: 'string' },
        claimSets: [['role'], ['role', 'region']],
      }),
    )
    const { call, seen } = await start({
      scope: 'orders',
      query: sets,
      decide: ({ role }) => role === 'Manager',
    })
    expect((await call({ role: 'Manager', region: 'EU' })).status).toBe(200)
    expect(seen[0]?.claims).toEqual({ role: 'Manager' })
  })
})

describe('the builder', () => {
  const sound = { vct: VCT, claims: { role: 'string' } } as const
  const text = (value: unknown) => JSON.stringify(value)

  test('writes plain DCQL', () => {
    const built = query(
      credential('role', {
        vct: [VCT, `${VCT}x`],
        claims: { role: 'string', address: { country: 'string' }, scopes: ['string'] },
        claimSets: [['role'], ['role', 'address', 'scopes']],
        multiple: true,
        authorities: ['vTxktQ7DMVwxKxgG_riCOhQ4iaM'],
        keyBinding: 'not-required',
      }),
    )
    expect(JSON.parse(text(built))).toEqual({
      credentials: [
        {
          id: 'role',
          format: 'dc+sd-jwt',
          meta: { vct_values: [VCT, `${VCT}x`] },
          multiple: true,
          require_cryptographic_holder_binding: false,
          trusted_authorities: [{ type: 'aki', values: ['vTxktQ7DMVwxKxgG_riCOhQ4iaM'] }],
          claims: [
            { id: 'claim-1', path: ['role'] },
            { id: 'claim-2', path: ['address', 'country'] },
            { id: 'claim-3', path: ['scopes', null] },
          ],
          claim_sets: [['claim-1'], ['claim-1', 'claim-2', 'claim-3']],
        },
      ],
    })
  })

  test.each([
    ['an id with a dot', () => credential('a.b', sound), 'query_id'],
    ['an id that is too long', () => credential('x'.repeat(65), sound), 'query_id'],
    ['an id twice', () => query(credential('role', sound), credential('role', sound)), 'query_id'],
    ['no credential type', () => credential('role', { ...sound, vct: [] }), 'query_vct'],
    ['an empty credential type', () => credential('role', { ...sound, vct: '' }), 'query_vct'],
    ['no claims', () => credential('role', { vct: VCT, claims: {} }), 'query_claims'],
    [
      'claims inside that are none',
      () => credential('role', { vct: VCT, claims: { a: {} } }),
      'query_claims',
    ],
    ['a wildcard', () => credential('role', { vct: VCT, claims: { '*': 'json' } }), 'query_claim_name'],
    [
      'a path in one text',
      () => credential('role', { vct: VCT, claims: { 'a.b': 'json' } }),
      'query_claim_name',
    ],
    ['a JSONPath', () => credential('role', { vct: VCT, claims: { '$.role': 'json' } }), 'query_claim_name'],
    [
      'what every credential shows',
      () => credential('role', { vct: VCT, claims: { iss: 'string' } }),
      'query_claim_name',
    ],
    [
      'an empty list of authorities',
      () => credential('role', { ...sound, authorities: [] }),
      'query_authorities',
    ],
    ['no claim set at all', () => credential('role', { ...sound, claimSets: [] }), 'query_claim_set'],
    ['an empty claim set', () => credential('role', { ...sound, claimSets: [[]] }), 'query_claim_set'],
    [
      'a claim in no claim set',
      () => credential('role', { vct: VCT, claims: { a: 'json', b: 'json' }, claimSets: [['a']] }),
      'query_claim_set',
    ],
    [
      'a claim set with an unknown claim',
      // @ts-expect-error: the compiler says so as well
      () => credential('role', { ...sound, claimSets: [['region']] }),
      'query_claim_set',
    ],
    [
      'a credential set with an unknown id',
      () => query(credential('role', sound), credentialSet([['role'], ['badge']])),
      'query_credential_set',
    ],
    [
      'an empty credential set',
      () => query(credential('role', sound), credentialSet([])),
      'query_credential_set',
    ],
    [
      'an empty alternative',
      () => query(credential('role', sound), credentialSet([[]])),
      'query_credential_set',
    ],
  ])('refuses %s', (_what, build, code) => {
    expect(build).toThrow(expect.objectContaining({ name: 'TypeError', code }))
  })

  test('takes a URL as the name of a claim', () => {
    const named = credential('role', { vct: VCT, claims: { 'https://hr.example/claims/role': 'string' } })
    expect(named.dcql['claims']).toEqual([{ path: ['https://hr.example/claims/role'] }])
  })

  test('a query without holder binding stops the start where the options require it', async () => {
    const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
    const unbound = query(credential('role', { ...sound, keyBinding: 'not-required' }))
    const requirement = { scope: 'a', query: unbound, decide: () => true }
    expect(() => createVerifier(bench.options, bench.deps).requirePresentation(requirement)).toThrow(
      expect.objectContaining({ code: 'key_binding' }),
    )
    const lenient = createVerifier({ ...bench.options, keyBinding: 'not-required' }, bench.deps)
    expect(lenient.requirePresentation(requirement)).toBeTypeOf('function')
  })
})
