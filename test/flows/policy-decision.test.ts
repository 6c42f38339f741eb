import { createAuditTrail } from '@attache/audit'
import { createMemoryStore, type JsonObject, type LogFields } from '@attache/core'
import { createRulePdp, type Pdp } from '@attache/policy'
import { createTestBench } from '@attache/testing'
import {
  byPolicy,
  cedar,
  claimsIn,
  createVerifier,
  credential,
  policyQuestion,
  query,
  type Requirement,
} from '@attache/verifier'
import { describe, expect, test } from 'vitest'
import { objectOf } from '../support/presentation-world.js'

const ORIGIN = 'https://api.example'
const VCT = 'https://hr.example/types/agent-role/v1'
const QUERY = query(credential('role', { vct: VCT, claims: { role: 'string', region: 'string' } }))
const URL_OF_ROUTE = `${ORIGIN}/payroll/export`

const schema = `
  entity Agent;
  entity Api;
  action "payroll:export" appliesTo {
    principal: Agent, resource: Api,
    context: {
      claims: { role: String, region: String, level?: Long },
      issuer: String, vct: String, method: String, path: String
    }
  };
`
const managers =
  '@id("managers") permit (principal, action == Action::"payroll:export", resource == Api::"https://api.example") when { context.claims.role == "Manager" };'
const onlyEu = '@id("only-eu") forbid (principal, action, resource) unless { context.claims.region == "EU" };'

async function world(requirement: Partial<Requirement> & Pick<Requirement, 'decide'>) {
  const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
  const lines: { event: string; fields: LogFields }[] = []
  const note = (event: string, fields: LogFields = {}) => void lines.push({ event, fields })
  const log = { info: note, warn: note, error: note }
  const trail = createAuditTrail(
    { tenant: 'default' },
    { store: createMemoryStore(bench.time), signer: bench.deps.signer, clock: bench.time.clock },
  )
  const options = { ...bench.options, auditFailure: 'deny' } as const
  const verifier = createVerifier(options, { ...bench.deps, log, audit: trail })
  const gate = verifier.requirePresentation({ scope: 'payroll:export', query: QUERY, ...requirement })
  const handle = async (request: Request) => {
    const outcome = await gate(request)
    return outcome.allowed ? Response.json(outcome.presentation.claims) : outcome.response
  }
  const call = async (claims: JsonObject) => {
    const agent = await bench.createAgent(claims)
    return agent.connect({ routes: verifier.routes, handle })(URL_OF_ROUTE, { method: 'POST' })
  }
  const lineOf = (event: string) => lines.findLast((line) => line.event === event)?.fields
  const advice = () =>
    lines.filter(({ event }) => event === 'verifier.query_advice').map(({ fields }) => fields['warning'])
  const facts = async (wanted: string) => {
    for await (const entry of trail.export()) if (entry.kind === wanted) return entry.facts
    return undefined
  }
  return { call, lineOf, lines, advice, facts }
}

describe('Cedar policies with their schema decide', () => {
  test('each call, and the log names the policies and no value', async () => {
    const { call, lineOf, lines } = await world({
      decide: await cedar({ policies: `${managers} ${onlyEu}`, schema }),
    })
    expect((await call({ role: 'Manager', region: 'EU' })).status).toBe(200)
    expect(lineOf('verifier.gate.allowed')).toMatchObject({ policies: 'managers' })

    const refused = await call({ role: 'Manager', region: 'region-of-a-canary' })
    expect(refused.status).toBe(403)
    expect(await refused.json()).toMatchObject({
      code: 'decision_denied',
      scope: 'payroll:export',
      missing: ['role', 'region'],
    })
    expect(lineOf('verifier.gate.refused')).toMatchObject({ policies: 'only-eu', reason: 'forbidden' })
    expect((await call({ role: 'Clerk', region: 'EU' })).status).toBe(403)
    expect(lineOf('verifier.gate.refused')).toMatchObject({ reason: 'no_rule' })
    expect(JSON.stringify(lines)).not.toMatch(/region-of-a-canary|Manager|Clerk/)
  })

  test('may see method, path, issuer and agent as well as claims', async () => {
    const policies =
      '@id("all") permit (principal == Agent::"fake-agent", action, resource) when { context.method == "POST" && context.path == "/payroll/export" && context.issuer == "https://issuer.example" && context.claims.role != context.claims.region };'
    const { call } = await world({ decide: await cedar({ policies, schema }) })
    expect((await call({ role: 'Manager', region: 'EU' })).status).toBe(200)
  })

  test('an error denies: what does not fit the schema, and a policy that fails', async () => {
    const narrow = schema.replace('issuer: String, ', '')
    const misfit = await world({
      decide: await cedar({ policies: managers, schema: narrow }),
      reads: ['region'],
    })
    const refused = await misfit.call({ role: 'Manager', region: 'EU' })
    expect([refused.status, (await objectOf(refused))['code']]).toEqual([403, 'decision_failed'])
    expect(misfit.lineOf('verifier.gate.refused')).toMatchObject({ code: 'decision_failed' })

    const broken: Pdp = { decide: () => Promise.reject(new Error('down')) }
    expect(
      await (await (await world({ decide: broken })).call({ role: 'Manager', region: 'EU' })).json(),
    ).toMatchObject({
      code: 'decision_failed',
    })
  })

  test('policies that do not fit their schema stop the start', async () => {
    const policies = managers.replace('claims.role', 'claims.rolle')
    await expect(cedar({ policies, schema })).rejects.toMatchObject({ code: 'cedar_policies_invalid' })
  })
})

describe('the audit trail', () => {
  test('names the policies of each decision and the trust it stood on, and no value', async () => {
    const { call, facts } = await world({
      decide: await cedar({ policies: `${managers} ${onlyEu}`, schema }),
    })
    await call({ role: 'Manager', region: 'EU' })
    await call({ role: 'Manager', region: 'region-of-a-canary' })
    const [allowed, refused] = [await facts('verifier.call_allowed'), await facts('verifier.call_refused')]
    expect(allowed).toMatchObject({ policies: ['managers'], trust: expect.any(String) })
    expect(refused).toMatchObject({ policies: ['only-eu'], code: 'decision_denied' })
    expect(JSON.stringify([allowed, refused])).not.toMatch(/region-of-a-canary|Manager/)
  })
})

describe('any decision point can be handed in', () => {
  const rule = {
    id: 'managers',
    effect: 'allow',
    actions: ['payroll:export'],
    when: [{ path: ['context', 'claims', 'role'], op: 'equals', value: 'Manager' }],
  }

  test('rules as data', async () => {
    const { call, lineOf } = await world({ decide: createRulePdp([rule]), reads: ['region'] })
    expect((await call({ role: 'Manager', region: 'EU' })).status).toBe(200)
    expect(lineOf('verifier.gate.allowed')).toMatchObject({ policies: 'managers' })
    expect((await call({ role: 'Clerk', region: 'EU' })).status).toBe(403)
  })

  test('with a question of its own', async () => {
    const pdp = createRulePdp([{ ...rule, actions: ['export'] }])
    const decide = byPolicy(pdp, {
      ask: (claims, context) => ({ ...policyQuestion(claims, context), action: 'export' }),
    })
    expect(
      (await (await world({ decide, reads: ['region'] })).call({ role: 'Manager', region: 'EU' })).status,
    ).toBe(200)
  })

  test('claims handed back by mistake are no approval', async () => {
    const { call } = await world({ decide: (claims) => ({ ...claims }) })
    expect((await call({ role: 'Manager', region: 'EU' })).status).toBe(403)
  })
})

describe('query and decision compared at the start', () => {
  const start = (requirement: Partial<Requirement> & Pick<Requirement, 'decide'>) => world(requirement)
  const level =
    '@id("level") permit (principal, action, resource) when { context.claims has level && context.claims.level > 2 };'

  test('a policy on a claim that the query never asks for stops the start', async () => {
    for (const decide of [
      await cedar({ policies: `${managers} ${level}`, schema }),
      claimsIn({ role: ['Manager'], level: [3] }),
      createRulePdp([
        { id: 'a', effect: 'allow', when: [{ path: ['context', 'claims', 'level'], op: 'present' }] },
      ]),
    ]) {
      await expect(start({ decide })).rejects.toMatchObject({
        code: 'policy_reads_unasked',
        message: expect.stringContaining('reads level'),
      })
    }
    await expect(start({ decide: () => true, reads: ['department'] })).rejects.toMatchObject({
      code: 'policy_reads_unasked',
    })
  })

  test('a claim that no policy reads is advice in the log, and stops a strict start', async () => {
    const decide = await cedar({ policies: managers, schema })
    const advice = 'The query asks for region, which no decision reads. Leave it out, or name it in reads.'
    expect((await start({ decide })).advice()).toEqual([advice])
    expect((await start({ decide, reads: ['region'] })).advice()).toEqual([])
    await expect(start({ decide, strict: true })).rejects.toMatchObject({
      code: 'requirement_advice',
      message: advice,
    })
    expect(
      (await start({ decide: claimsIn({ role: ['Manager'], region: ['EU'] }), strict: true })).advice(),
    ).toEqual([])
  })

  test('what a function reads is not known, unless it says so', async () => {
    const decide = (claims: JsonObject) => claims['role'] === 'Manager'
    expect((await start({ decide })).advice()).toEqual([])
    expect((await start({ decide, reads: ['role'] })).advice()).toEqual([
      'The query asks for region, which no decision reads. Leave it out, or name it in reads.',
    ])
  })

  test('a policy that looks at the claims as a whole reads all of them', async () => {
    const policies =
      '@id("all") permit (principal, action, resource) when { [context.claims].contains(context.claims) };'
    expect((await start({ decide: await cedar({ policies, schema }) })).advice()).toEqual([])
  })

  test('values in a query are advice: only the decision counts', async () => {
    const valued = {
      credentials: [
        {
          id: 'role',
          format: 'dc+sd-jwt',
          meta: { vct_values: [VCT] },
          claims: [{ path: ['role'], values: ['Manager'] }],
        },
      ],
    }
    const advice =
      'The query lists values for role, which only help a wallet to choose. Check them in the decision as well.'
    expect((await start({ query: valued, decide: () => true })).advice()).toEqual([advice])
    expect((await start({ query: valued, decide: () => true, reads: [] })).advice()).toEqual([advice])
    expect((await start({ query: valued, decide: claimsIn({ role: ['Manager'] }) })).advice()).toEqual([])
  })

  test('a claim inside a claim is read by its path', async () => {
    const nested = query(credential('role', { vct: VCT, claims: { address: { country: 'string' } } }))
    const when = (path: readonly string[]) => [
      { id: 'a', effect: 'allow', when: [{ path: ['context', 'claims', ...path], op: 'present' }] },
    ]
    const decide = createRulePdp(when(['address', 'country']))
    expect((await start({ query: nested, decide, strict: true })).advice()).toEqual([])
    await expect(
      start({ query: nested, decide: createRulePdp(when(['address', 'street'])) }),
    ).rejects.toMatchObject({
      code: 'policy_reads_unasked',
    })
  })
})
