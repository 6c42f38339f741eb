import { describe, expect, test } from 'vitest'
import type { PolicyRequest } from './decision.js'
import { createRulePdp } from './rule-pdp.js'

const request: PolicyRequest = {
  principal: { type: 'agent', id: 'agt_1' },
  action: 'present',
  resource: { type: 'verifier', id: 'x509_hash:abc' },
  context: { claims: { role: 'buyer', scopes: ['orders', 'stock'] }, amount: 40, paths: ['role'] },
}
const withContext = (context: PolicyRequest['context']): PolicyRequest => ({ ...request, context })
const allowAll = { id: 'allow-all', effect: 'allow' }
const decide = (rules: unknown, asked = request) => createRulePdp(rules).decide(asked)
const condition = (path: readonly string[], op: string, value?: unknown) => ({
  path: ['context', ...path],
  op,
  ...(value === undefined ? {} : { value }),
})

describe('decide', () => {
  test('denies when nothing is said', async () => {
    expect(await decide([])).toEqual({ decision: 'deny', policies: [], reason: 'no_rule' })
  })

  test('names every rule that allows', async () => {
    const rules = [allowAll, { id: 'agents', effect: 'allow', principals: [{ type: 'agent' }] }]
    expect(await decide(rules)).toEqual({
      decision: 'allow',
      policies: ['allow-all', 'agents'],
      reason: 'allowed',
    })
  })

  test('lets a denial win over every permission, wherever it stands', async () => {
    const deny = { id: 'stop', effect: 'deny', resources: [{ type: 'verifier', id: 'x509_hash:abc' }] }
    for (const rules of [
      [allowAll, deny],
      [deny, allowAll],
    ]) {
      expect(await decide(rules)).toEqual({ decision: 'deny', policies: ['stop'], reason: 'forbidden' })
    }
  })

  test('compares principal, action and resource exactly', async () => {
    const rule = {
      id: 'r',
      effect: 'allow',
      principals: [{ type: 'agent', id: 'agt_1' }],
      actions: ['present'],
      resources: [{ type: 'verifier', id: 'x509_hash:abc' }],
    }
    const others: readonly PolicyRequest[] = [
      { ...request, principal: { type: 'agent', id: 'agt_10' } },
      { ...request, principal: { type: 'person', id: 'agt_1' } },
      { ...request, action: 'presents' },
      { ...request, resource: { type: 'verifier', id: 'abc' } },
    ]
    expect((await decide([rule])).decision).toBe('allow')
    for (const other of others) expect((await decide([rule], other)).reason).toBe('no_rule')
  })

  test.each([
    [condition(['claims', 'role'], 'equals', 'buyer'), condition(['claims', 'role'], 'equals', 'Buyer')],
    [
      condition(['claims'], 'equals', { scopes: ['orders', 'stock'], role: 'buyer' }),
      condition(['claims'], 'equals', {}),
    ],
    [
      condition(['claims', 'role'], 'in', ['seller', 'buyer']),
      condition(['claims', 'role'], 'in', ['buyers']),
    ],
    [
      condition(['claims', 'scopes'], 'contains', 'stock'),
      condition(['claims', 'scopes'], 'contains', 'stoc'),
    ],
    [
      condition(['paths'], 'subset', ['role', 'region']),
      condition(['claims', 'scopes'], 'subset', ['orders']),
    ],
    [condition(['amount'], 'at_least', 40), condition(['amount'], 'at_least', 41)],
    [condition(['amount'], 'at_most', 40), condition(['amount'], 'at_most', 39)],
    [condition(['amount'], 'present'), condition(['amount'], 'absent')],
    [condition(['nothing'], 'absent'), condition(['nothing'], 'present')],
  ])('judges %j', async (holds, fails) => {
    const rule = (when: unknown) => [{ ...allowAll, when: [when] }]
    expect((await decide(rule(holds))).decision).toBe('allow')
    expect((await decide(rule(fails))).reason).toBe('no_rule')
  })

  test('wants every condition to hold', async () => {
    const when = [condition(['amount'], 'at_most', 40), condition(['claims', 'role'], 'equals', 'seller')]
    expect((await decide([{ ...allowAll, when }])).decision).toBe('deny')
  })

  test('does not let a missing fact switch a prohibition off', async () => {
    const limit = { id: 'limit', effect: 'deny', when: [condition(['amount'], 'at_least', 1_000)] }
    const judged = (context: PolicyRequest['context']) => decide([allowAll, limit], withContext(context))

    expect((await judged({ amount: 999 })).decision).toBe('allow')
    expect(await judged({})).toEqual({ decision: 'deny', policies: ['limit'], reason: 'policy_error' })
    expect((await judged({ amount: '2000' })).reason).toBe('policy_error')
    expect((await judged({ amount: 1_000 })).reason).toBe('forbidden')
  })

  test('sees own members only', async () => {
    const rule = { ...allowAll, when: [condition(['constructor'], 'present')] }
    expect((await decide([rule])).decision).toBe('deny')
    const own: PolicyRequest['context'] = JSON.parse('{"__proto__":{"x":1}}')
    const named = { ...allowAll, when: [condition(['__proto__', 'x'], 'equals', 1)] }
    expect((await decide([named], withContext(own))).decision).toBe('allow')
    expect((await decide([named], withContext({}))).decision).toBe('deny')
  })
})

describe('createRulePdp', () => {
  test.each([
    ['no list', {}],
    ['a misspelt member', [{ ...allowAll, whne: [] }]],
    ['a misspelt effect', [{ id: 'x', effect: 'permit' }]],
    ['no id', [{ effect: 'allow' }]],
    ['an id twice', [allowAll, allowAll]],
    ['an empty list, which could mean all or none', [{ ...allowAll, actions: [] }]],
    ['a path outside the request', [{ ...allowAll, when: [{ path: ['env'], op: 'present' }] }]],
    ['an unknown operator', [{ ...allowAll, when: [condition(['x'], 'matches', '.*')] }]],
    ['an operator without value', [{ ...allowAll, when: [condition(['x'], 'equals')] }]],
    ['a value that is not compared', [{ ...allowAll, when: [condition(['x'], 'present', true)] }]],
    ['in without a list', [{ ...allowAll, when: [condition(['x'], 'in', 'abc')] }]],
    ['a limit that is no number', [{ ...allowAll, when: [condition(['x'], 'at_most', '1')] }]],
  ])('refuses at load: %s', (_what, rules) => {
    expect(() => createRulePdp(rules)).toThrow(expect.objectContaining({ code: 'policy_rules_invalid' }))
  })
})
