import { describe, expect, test } from 'vitest'
import { createCedarPdp } from './cedar.js'
import { createRulePdp } from './rule-pdp.js'

const schema = `
  entity Agent = { owner: String };
  entity Api;
  action call appliesTo {
    principal: Agent, resource: Api,
    context: { claims: { role: String, region?: String, scopes: Set<String>, address: { country: String } }, method: String }
  };
`
const readsOf = async (condition: string) =>
  (await createCedarPdp({ policies: `@id("p") permit (principal, action, resource) ${condition};`, schema }))
    .reads

describe('what Cedar policies read', () => {
  test.each([
    ['when { context.claims.role == "Manager" }', [['context', 'claims', 'role']]],
    ['when { context["claims"]["role"] == "Manager" }', [['context', 'claims', 'role']]],
    [
      'when { context.claims has region && context.claims.region == "EU" }',
      [['context', 'claims', 'region']],
    ],
    ['unless { context.claims.address.country == "XX" }', [['context', 'claims', 'address', 'country']]],
    [
      'when { context.claims.scopes.containsAny(["a", context.method]) }',
      [
        ['context', 'claims', 'scopes'],
        ['context', 'method'],
      ],
    ],
    [
      'when { if principal.owner like "a*" then true else context.claims.role == "x" }',
      [
        ['principal', 'owner'],
        ['context', 'claims', 'role'],
      ],
    ],
    ['when { [context.claims].contains(context.claims) }', [['context', 'claims']]],
    ['', []],
  ])('%s', async (condition, expected) => {
    expect(await readsOf(condition)).toEqual(expected)
  })

  test('of several policies, each fact once', async () => {
    const policies = ['role', 'scopes', 'role'].map(
      (name, at) =>
        `@id("p${at}") permit (principal, action, resource) when { context.claims.${name} == context.claims.${name} };`,
    )
    const { reads } = await createCedarPdp({ policies: policies.join('\n'), schema })
    expect(reads).toEqual([
      ['context', 'claims', 'role'],
      ['context', 'claims', 'scopes'],
    ])
  })
})

test('rules read what their conditions name', () => {
  const when = [{ path: ['context', 'claims', 'role'], op: 'equals', value: 'Manager' }]
  expect(
    createRulePdp([
      { id: 'a', effect: 'allow', when },
      { id: 'b', effect: 'deny' },
    ]).reads,
  ).toEqual([['context', 'claims', 'role']])
})
