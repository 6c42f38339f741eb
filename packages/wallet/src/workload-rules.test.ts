import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkWorkloadRules, matchWorkload, type WorkloadRule } from './workload-rules.js'

const ISSUER = 'https://cluster.example'
const CLIENT = 'https://wallet.example/agents'
const wanted = { clientId: CLIENT, agent: 'payroll-export' }

const rule = (change: Partial<WorkloadRule> = {}): WorkloadRule => ({
  id: 'r',
  issuer: ISSUER,
  subject: 'system:serviceaccount:payroll:export',
  clientId: CLIENT,
  ...change,
})
const identity = (claims = {}, subject = 'system:serviceaccount:payroll:export', issuer = ISSUER) => ({
  issuer,
  subject,
  claims,
})
const codeOf = (work: () => unknown): unknown => {
  try {
    work()
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : 'none'
  }
  return 'none'
}

describe('matchWorkload', () => {
  test('takes the first rule that is met', () => {
    const rules = [
      rule({ id: 'other', subject: 'system:serviceaccount:payroll:web' }),
      rule({ id: 'exact' }),
      rule({ id: 'wide', subject: 'system:serviceaccount:payroll:*' }),
    ]
    expect(matchWorkload(rules, identity(), wanted).id).toBe('exact')
    expect(matchWorkload(rules, identity({}, 'system:serviceaccount:payroll:new'), wanted).id).toBe('wide')
  })

  test('refuses without a rule, and says how far the nearest one came', () => {
    const web = rule({ subject: 'system:serviceaccount:payroll:web' })
    const claim = rule({ claims: [{ path: ['env'], equals: 'prod' }] })
    const client = rule({ clientId: 'https://other.example' })
    const agent = rule({ agents: ['other'] })
    const code = (...rules: WorkloadRule[]) => codeOf(() => matchWorkload(rules, identity(), wanted))
    expect(code()).toBe('workload_subject')
    expect(code(web)).toBe('workload_subject')
    expect(code(web, claim)).toBe('workload_claims')
    expect(code(web, claim, client)).toBe('workload_client')
    expect(code(agent, web, claim, client)).toBe('workload_agent')
    const foreign = identity({}, undefined, 'https://other.example')
    expect(codeOf(() => matchWorkload([rule()], foreign, wanted))).toBe('workload_subject')
  })

  test('compares claims by place, type and value', () => {
    const claims = { a: { b: ['x', true, 1] }, text: 'true' }
    const meets = (path: readonly (string | number)[], equals: string | number | boolean) =>
      codeOf(() => matchWorkload([rule({ claims: [{ path, equals }] })], identity(claims), wanted)) === 'none'
    expect(meets(['a', 'b', 0], 'x')).toBe(true)
    expect(meets(['a', 'b', 1], true)).toBe(true)
    expect(meets(['a', 'b', 2], 1)).toBe(true)
    expect(meets(['text'], true)).toBe(false)
    expect(meets(['a', 'b', 2], '1')).toBe(false)
    expect(meets(['a', 'b', 3], 'x')).toBe(false)
    expect(meets(['a', 'b'], 'x')).toBe(false)
    expect(meets(['a.b', 0], 'x')).toBe(false)
    expect(meets(['constructor', 'name'], 'Object')).toBe(false)
    expect(meets(['__proto__'], 'x')).toBe(false)
  })

  test('a pattern that may stand never takes a name of another beginning, or one that is only longer [WL-06]', () => {
    const part = fc.stringMatching(/^[a-z0-9.-]{1,8}$/)
    fc.assert(
      fc.property(part, part, part, part, (domain, path, added, name) => {
        const subject = `spiffe://${domain}/${path}/*`
        const rules = [rule({ subject })]
        checkWorkloadRules(rules, [ISSUER])
        const code = (text: string) => codeOf(() => matchWorkload(rules, identity({}, text), wanted))
        fc.pre(name !== '.' && name !== '..')
        expect(code(`spiffe://${domain}/${path}/${name}`)).toBe('none')
        expect(code(`spiffe://${domain}${added}/${path}/${name}`)).toBe('workload_subject')
        expect(code(`spiffe://${added}${domain}/${path}/${name}`)).toBe('workload_subject')
        expect(code(`spiffe://${domain}/${path}${added}/${name}`)).toBe('workload_subject')
        expect(code(`spiffe://${domain}/${path}`)).toBe('workload_subject')
      }),
    )
  })
})

describe('checkWorkloadRules', () => {
  test('lets through what the documentation shows', () => {
    const shown = [
      'system:serviceaccount:payroll:*',
      'spiffe://prod.example/ns/payroll/*',
      'spiffe://prod.example/*',
      'repo:acme/*',
      'repo:acme/payroll:environment:production',
    ]
    const rules = shown.map((subject, at) => rule({ id: `r${at}`, subject }))
    expect(() => checkWorkloadRules(rules, [ISSUER])).not.toThrow()
  })
})
