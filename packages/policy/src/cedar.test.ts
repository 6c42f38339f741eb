import { describe, expect, test } from 'vitest'
import { type CedarPdpOptions, createCedarPdp } from './cedar.js'
import type { PolicyRequest } from './decision.js'

const schema = `
  entity Group;
  entity Agent in [Group];
  entity Api;
  action call appliesTo {
    principal: Agent, resource: Api,
    context: { role: String, amount?: Long, owner?: Group }
  };
`
const buyers =
  '@id("buyers") permit (principal, action == Action::"call", resource) when { context.role == "buyer" };'
const limit =
  '@id("limit") forbid (principal, action, resource) when { context has amount && context.amount > 100 };'
const members = '@id("members") permit (principal in Group::"ops", action, resource);'
const overflow =
  '@id("overflow") forbid (principal, action, resource) when { context has amount && context.amount * 9223372036854775807 > 1 };'
const entities: NonNullable<CedarPdpOptions['entities']> = [
  { uid: { type: 'Agent', id: 'agt_2' }, attrs: {}, parents: [{ type: 'Group', id: 'ops' }] },
  { uid: { type: 'Group', id: 'ops' }, attrs: {}, parents: [] },
]
const pdp = (policies: string) => createCedarPdp({ policies, schema, entities })
const ask = (context: PolicyRequest['context'], agent = 'agt_1'): PolicyRequest => ({
  principal: { type: 'Agent', id: agent },
  action: 'call',
  resource: { type: 'Api', id: 'orders' },
  context,
})

describe('decide', () => {
  test('allows, forbids and denies by default, naming the policies', async () => {
    const { decide } = await pdp(`${buyers} ${limit} ${members}`)

    expect(await decide(ask({ role: 'buyer' }))).toEqual({
      decision: 'allow',
      policies: ['buyers'],
      reason: 'allowed',
    })
    expect(await decide(ask({ role: 'seller' }, 'agt_2'))).toMatchObject({ policies: ['members'] })
    expect(await decide(ask({ role: 'buyer', amount: 101 }))).toEqual({
      decision: 'deny',
      policies: ['limit'],
      reason: 'forbidden',
    })
    expect(await decide(ask({ role: 'seller' }))).toEqual({
      decision: 'deny',
      policies: [],
      reason: 'no_rule',
    })
  })

  test('denies when a policy fails to evaluate, where Cedar alone would allow', async () => {
    const { decide } = await pdp(`${buyers} ${overflow}`)
    expect(await decide(ask({ role: 'buyer', amount: 2 }))).toEqual({
      decision: 'deny',
      policies: ['overflow'],
      reason: 'policy_error',
    })
    expect((await decide(ask({ role: 'buyer' }))).decision).toBe('allow')
  })

  test('denies a request that does not fit the schema, and never rejects', async () => {
    const { decide } = await pdp(buyers)
    const misfits: readonly PolicyRequest[] = [
      ask({}),
      ask({ role: 1 }),
      ask({ role: 'buyer', other: true }),
      ask({ role: null }),
      ask({ role: 'buyer', amount: 1.5 }),
      { ...ask({ role: 'buyer' }), action: 'delete' },
      { ...ask({ role: 'buyer' }), resource: { type: 'Group', id: 'ops' } },
      { ...ask({ role: 'buyer' }), principal: { type: 'not a type', id: 'x' } },
    ]
    for (const misfit of misfits) {
      expect(await decide(misfit)).toEqual({ decision: 'deny', policies: [], reason: 'policy_error' })
    }
  })

  test('does not let a fact become an entity', async () => {
    const { decide } = await pdp(members)
    const { decide: byOwner } = await pdp(
      '@id("owner") permit (principal, action, resource) when { context has owner && context.owner == Group::"ops" };',
    )
    const forged = { role: 'x', owner: { __entity: { type: 'Group', id: 'ops' } } }
    expect((await byOwner(ask(forged))).reason).toBe('policy_error')
    expect((await decide(ask(forged, 'agt_2'))).reason).toBe('policy_error')
  })

  test('keeps two policy sets apart', async () => {
    const [open, closed] = [await pdp(buyers), await pdp(limit)]
    expect((await open.decide(ask({ role: 'buyer' }))).decision).toBe('allow')
    expect((await closed.decide(ask({ role: 'buyer' }))).decision).toBe('deny')
  })
})

describe('createCedarPdp', () => {
  test.each([
    ['text that is no policy', 'permit everything'],
    ['a policy without id', 'permit (principal, action, resource);'],
    ['an id twice', `${buyers} ${buyers}`],
    ['a template', '@id("t") permit (principal == ?principal, action, resource);'],
    [
      'an attribute the schema does not have',
      '@id("x") permit (principal, action, resource) when { context.rol == "buyer" };',
    ],
    ['a type the schema does not have', '@id("x") permit (principal is Person, action, resource);'],
    [
      'an optional attribute used without asking',
      '@id("x") forbid (principal, action, resource) when { context.amount > 1 };',
    ],
  ])('refuses at load: %s', async (_what, policies) => {
    await expect(pdp(policies)).rejects.toMatchObject({ name: 'TypeError', code: 'cedar_policies_invalid' })
  })

  test('refuses a schema and entities that Cedar does not take', async () => {
    await expect(createCedarPdp({ policies: buyers, schema: 'entity' })).rejects.toMatchObject({
      code: 'cedar_schema_invalid',
    })
    const strange = [{ uid: { type: 'Person', id: 'p' }, attrs: {}, parents: [] }]
    await expect(createCedarPdp({ policies: buyers, schema, entities: strange })).rejects.toMatchObject({
      code: 'cedar_entities_invalid',
    })
  })

  test('takes a schema as JSON', async () => {
    const json: PolicyRequest['context'] = {
      '': {
        entityTypes: { Agent: {}, Api: {} },
        actions: {
          call: {
            appliesTo: {
              principalTypes: ['Agent'],
              resourceTypes: ['Api'],
              context: { type: 'Record', attributes: { role: { type: 'String', required: true } } },
            },
          },
        },
      },
    }
    const { decide } = await createCedarPdp({ policies: buyers, schema: json })
    expect((await decide(ask({ role: 'buyer' }))).decision).toBe('allow')
  })
})
