import type { JsonObject, JsonValue } from '@attache/core'
import { type DcqlCredential, matchDcqlQuery, parseDcqlQuery } from '@attache/openid4vp'
import { DcqlQuery } from 'dcql'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

/** What a judge says: can it be answered, cannot, or is the query no query. */
type Verdict = 'answered' | 'unanswered' | 'refused'

function ours(query: JsonValue, held: readonly DcqlCredential[]): Verdict {
  try {
    return matchDcqlQuery(parseDcqlQuery(query), held).satisfied ? 'answered' : 'unanswered'
  } catch {
    return 'refused'
  }
}

function theirs(query: JsonValue, held: readonly DcqlCredential[]): Verdict {
  try {
    const parsed = DcqlQuery.parse(JSON.parse(JSON.stringify(query)))
    DcqlQuery.validate(parsed)
    const credentials = held.map(({ vct, claims, holderBound }) => ({
      credential_format: 'dc+sd-jwt' as const,
      vct,
      claims: JSON.parse(JSON.stringify(claims)),
      cryptographic_holder_binding: holderBound,
    }))
    return DcqlQuery.query(parsed, credentials).can_be_satisfied ? 'answered' : 'unanswered'
  } catch {
    return 'refused'
  }
}

const leaf = fc.constantFrom<JsonValue>('EU', 'US', 'Manager', 1, 2, true, false, '1', 'true')
const claims: fc.Arbitrary<JsonObject> = fc.record(
  {
    role: leaf,
    region: leaf,
    // Never empty: that is a known difference, below.
    roles: fc.array(leaf, { minLength: 1, maxLength: 3 }),
    address: fc.record({ region: leaf, city: leaf }, { requiredKeys: [] }),
    people: fc.array(fc.record({ name: leaf, role: leaf }, { requiredKeys: [] }), {
      minLength: 1,
      maxLength: 3,
    }),
  },
  { requiredKeys: [] },
)
const path = fc.constantFrom<JsonValue[]>(
  ['role'],
  ['region'],
  ['roles', null],
  ['roles', 0],
  ['roles', 2],
  ['address'],
  ['address', 'region'],
  ['address', null],
  ['people', null, 'name'],
  ['people', 1, 'role'],
  ['role', 'x'],
  ['missing'],
)
const vct = fc.constantFrom('a', 'b', 'c')
const held = fc
  .array(fc.record({ vct, claims, holderBound: fc.boolean() }), { maxLength: 4 })
  .map((list) => list.map((credential, at) => ({ ...credential, id: `c${at}`, format: 'dc+sd-jwt' })))
const claimQuery = fc.record(
  { path, values: fc.array(leaf, { minLength: 1, maxLength: 3 }) },
  { requiredKeys: ['path'] },
)
const credentialQuery = (id: string) =>
  fc
    .record(
      {
        vct_values: fc.uniqueArray(vct, { minLength: 1, maxLength: 2 }),
        claims: fc.uniqueArray(claimQuery, {
          minLength: 1,
          maxLength: 3,
          selector: (claim) => JSON.stringify(claim.path),
        }),
        multiple: fc.boolean(),
        require_cryptographic_holder_binding: fc.boolean(),
        sets: fc.boolean(),
      },
      { requiredKeys: ['vct_values', 'sets'] },
    )
    .map(({ vct_values, sets, claims: asked, ...rest }): JsonObject => {
      const base = { id, format: 'dc+sd-jwt', meta: { vct_values }, ...rest }
      if (asked === undefined) return base
      if (!sets) return { ...base, claims: asked }
      const named = asked.map((claim, at) => ({ ...claim, id: `k${at}` }))
      return {
        ...base,
        claims: named,
        claim_sets: [...named.map(({ id: name }) => [name]), named.map(({ id: name }) => name)],
      }
    })
const optionSets = fc.array(fc.subarray(['q0', 'q1'], { minLength: 1 }), { minLength: 1, maxLength: 2 })
const query = fc.record({
  credentials: fc.tuple(credentialQuery('q0'), credentialQuery('q1')),
  credential_sets: fc.option(
    fc.array(fc.record({ options: optionSets, required: fc.boolean() }), { minLength: 1, maxLength: 2 }),
    { nil: undefined },
  ),
})

function wire(drawn: {
  credentials: readonly JsonObject[]
  credential_sets?: readonly JsonObject[] | undefined
}): JsonObject {
  const { credentials, credential_sets } = drawn
  return credential_sets === undefined ? { credentials } : { credentials, credential_sets }
}

const allOptional = (asked: JsonObject): boolean =>
  Array.isArray(asked['credential_sets']) && asked['credential_sets'].every((set) => set.required === false)

describe('DCQL beside dcql 3.0.0', () => {
  test('agrees on 2000 drawn queries and holdings, but for the known differences', () => {
    fc.assert(
      fc.property(query, held, (drawn, credentials) => {
        const asked = wire(drawn)
        const [own, other] = [ours(asked, credentials), theirs(asked, credentials)]
        // Known: with nothing but optional sets, and none of them met, theirs is satisfied by an empty answer.
        if (allOptional(asked) && own === 'unanswered' && other === 'answered') return
        expect(own).toBe(other)
      }),
      { seed: 20, numRuns: 2000 },
    )
  })

  const base = { id: 'q0', format: 'dc+sd-jwt', meta: { vct_values: ['a'] } }
  const credential = (given: JsonObject): DcqlCredential => ({
    id: 'c0',
    format: 'dc+sd-jwt',
    vct: 'a',
    claims: given,
    holderBound: true,
  })

  test('known difference: inherited names are no claims here', () => {
    for (const name of ['constructor', 'toString', '__proto__']) {
      const asked = { credentials: [{ ...base, claims: [{ path: [name] }] }] }
      expect(ours(asked, [credential({})])).toBe('unanswered')
      expect(theirs(asked, [credential({})])).toBe('answered')
    }
  })

  test('known difference: all elements of an empty array are no elements here', () => {
    const asked = { credentials: [{ ...base, claims: [{ path: ['roles', null] }] }] }
    expect(ours(asked, [credential({ roles: [] })])).toBe('unanswered')
    expect(theirs(asked, [credential({ roles: [] })])).toBe('answered')
  })

  test('known difference: a missing meta or vct_values is refused here', () => {
    const { meta: _meta, ...without } = base
    const asked = { credentials: [without] }
    expect(ours(asked, [credential({})])).toBe('refused')
    expect(theirs(asked, [credential({})])).toBe('answered')
  })

  test('known difference: nothing but optional sets, none met, is no answer here', () => {
    const asked = { credentials: [base], credential_sets: [{ options: [['q0']], required: false }] }
    expect(ours(asked, [])).toBe('unanswered')
    expect(theirs(asked, [])).toBe('answered')
  })
})
