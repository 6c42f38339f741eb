import { type JsonObject, type LogFields, SILENT_LOG } from '@attache/core'
import { certificateNames, x5cFromPem } from '@attache/keys'
import { createTestBench, PRESENTATION_FAULTS, type PresentationFault } from '@attache/testing'
import {
  claimsIn,
  createVerifier,
  PRESENTATION_REASONS,
  type PresentationReason,
  type Requirement,
  UNSAFE_SUBJECT_PREFIX,
} from '@attache/verifier'
import { describe, expect, test } from 'vitest'

const ORIGIN = 'https://api.example'
const VCT = 'https://hr.example/types/agent-role/v1'
const MANAGER = { role: 'Manager', region: 'EU', salary_band: 'S7' }
const CLERK = { ...MANAGER, role: 'Clerk' }
const QUERY = {
  credentials: [
    {
      id: 'role',
      format: 'dc+sd-jwt',
      meta: { vct_values: [VCT] },
      claims: [{ path: ['role'] }, { path: ['region'] }],
    },
  ],
}
const REQUIREMENT: Requirement = {
  scope: 'payroll:export',
  query: QUERY,
  decide: claimsIn({ role: ['Manager'], region: ['EU'] }),
}

async function start(options: { requireDpopNonce?: boolean } = {}, requirement: Requirement = REQUIREMENT) {
  const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
  const reasons: unknown[] = []
  const warn = (event: string, { reason }: LogFields = {}) => {
    if (/^verifier\.(response|presentation)\.refused$/.test(event) && isReason(reason)) reasons.push(reason)
  }
  const log = { ...SILENT_LOG, warn }
  const verifier = createVerifier({ ...bench.options, ...options }, { ...bench.deps, log })
  const gate = verifier.requirePresentation(requirement)
  const calls: string[] = []
  const handle = async (request: Request) => {
    calls.push(request.headers.has('Authorization') ? 'token' : 'bare')
    const outcome = await gate(request)
    if (!outcome.allowed) return outcome.response
    return Response.json({ learned: outcome.presentation.claims, sent: await request.text() })
  }
  const connect = async (claims: JsonObject, fault?: PresentationFault) => {
    const agent = await bench.createAgent(claims, fault)
    return { agent, reasons, fetch: agent.connect({ routes: verifier.routes, handle }) }
  }
  return { bench, verifier, calls, reasons, connect }
}

const post = { method: 'POST', body: 'month=9' }

test('an agent signs its calls where the route wants it', async () => {
  const { connect, calls } = await start({}, { ...REQUIREMENT, requestSignature: 'required' })
  const { fetch } = await connect(MANAGER)
  for (const month of ['9', '10']) {
    const answer = await fetch(`${ORIGIN}/payroll/export`, { method: 'POST', body: `month=${month}` })
    expect(await answer.json()).toMatchObject({ sent: `month=${month}` })
  }
  expect(calls.filter((call) => call === 'token')).toHaveLength(2)
})
const URL_OF_ROUTE = `${ORIGIN}/payroll/export`
const faults = Object.keys(PRESENTATION_FAULTS).filter((name): name is PresentationFault =>
  Object.hasOwn(PRESENTATION_FAULTS, name),
)
// What asks for no values is answered by any; see the test on values below.
const harmless = ['over_disclosing', 'other_values'] as const
const refused = faults.filter((fault) => !harmless.some((name) => name === fault))

const REASONS: Readonly<Record<string, PresentationReason>> = {
  expired: 'credential_expired',
  revoked: 'status_invalid',
  suspended: 'status_invalid',
  untrusted_issuer: 'issuer_untrusted',
  wrong_audience: 'kb_aud_mismatch',
  wrong_nonce: 'kb_nonce_mismatch',
  foreign_key: 'kb_signature_invalid',
  unbound: 'kb_missing',
  stale: 'kb_iat_out_of_window',
}

const isReason = (reason: LogFields[string]): boolean =>
  typeof reason === 'string' && Object.hasOwn(PRESENTATION_REASONS, reason)

describe('the challenge route of a fake wallet', () => {
  test('presents once and sends the request, body included, again', async () => {
    const { connect, calls } = await start()
    const { fetch } = await connect(MANAGER)
    const answer = await fetch(URL_OF_ROUTE, post)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ learned: { role: 'Manager', region: 'EU' }, sent: 'month=9' })
    expect((await fetch(URL_OF_ROUTE, post)).status).toBe(200)
    expect(calls).toEqual(['bare', 'token', 'bare', 'token'])
  })

  test('goes along with a server that wants its nonce in proofs', async () => {
    const { fetch } = await (await start({ requireDpopNonce: true })).connect(MANAGER)
    expect((await fetch(URL_OF_ROUTE, post)).status).toBe(200)
  })

  test('a decision against the claims arrives as 403 that names them', async () => {
    const { fetch } = await (await start()).connect({ ...MANAGER, role: 'Clerk' })
    const answer = await fetch(URL_OF_ROUTE, post)
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ code: 'decision_denied', missing: ['role'] })
  })

  test.each(refused)('a presentation that is %s gets the API own refusal', async (fault) => {
    const { fetch } = await (await start()).connect(MANAGER, fault)
    const answer = await fetch(URL_OF_ROUTE, post)
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({ code: 'token_missing', scope: 'payroll:export' })
  })

  test('what was shown beyond the query is not learned', async () => {
    const { fetch } = await (await start()).connect(MANAGER, 'over_disclosing')
    const answer = await fetch(URL_OF_ROUTE, post)
    expect(await answer.json()).toMatchObject({ learned: { role: 'Manager', region: 'EU' } })
  })

  test('a credential revoked later closes the route within the ttl of its list', async () => {
    const { bench, connect } = await start()
    const { agent, fetch } = await connect(MANAGER)
    expect((await fetch(URL_OF_ROUTE, post)).status).toBe(200)
    bench.issuer.setStatus(agent.credential, 'invalid')
    bench.time.advance(2)
    expect((await fetch(URL_OF_ROUTE, post)).status).toBe(401)
  })

  test('a token that ended is replaced by presenting anew', async () => {
    const { bench, connect } = await start()
    const { fetch } = await connect(MANAGER)
    expect((await fetch(URL_OF_ROUTE, post)).status).toBe(200)
    bench.time.advance(600)
    expect((await fetch(URL_OF_ROUTE, post)).status).toBe(200)
  })
})

describe('plain transactions of a fake wallet', () => {
  const modes = [
    { responseMode: 'direct_post.jwt', method: 'get' },
    { responseMode: 'direct_post', method: 'post' },
    { clientIdPrefix: 'redirect_uri' },
  ] as const

  test.each(modes)('answers %o', async (mode) => {
    const { bench, verifier } = await start()
    const agent = await bench.createAgent(MANAGER)
    const transactionData = [{ type: 'payment', credential_ids: ['role'], amount: '10' }]
    const started = await verifier.startTransaction({
      query: QUERY,
      transactionData,
      crossDevice: true,
      ...mode,
    })
    expect((await agent.answerTransaction(started.requestUrl, verifier.routes)).status).toBe(200)
    const result = await verifier.redeemResult({ transactionId: started.transactionId })
    expect(result).toMatchObject({
      status: 'answered',
      presentation: { credentials: [{ claims: { role: 'Manager', region: 'EU' } }] },
    })
  })

  test('declines what its credential cannot answer', async () => {
    const { bench, verifier } = await start()
    const agent = await bench.createAgent({ role: 'Manager' })
    const started = await verifier.startTransaction({ query: QUERY, crossDevice: true })
    await agent.answerTransaction(started.requestUrl, verifier.routes)
    const result = await verifier.redeemResult({ transactionId: started.transactionId })
    expect(result).toMatchObject({ status: 'refused' })
  })

  test.each(refused)('a presentation that is %s is refused for that', async (fault) => {
    const { bench, verifier, reasons } = await start()
    const agent = await bench.createAgent(MANAGER, fault)
    const started = await verifier.startTransaction({ query: QUERY, crossDevice: true })
    expect((await agent.answerTransaction(started.requestUrl, verifier.routes)).status).toBe(400)
    expect(reasons).toEqual([REASONS[fault]])
  })
})

describe('values in a query', () => {
  const valued = {
    credentials: [
      { ...QUERY.credentials[0], claims: [{ path: ['role'], values: ['Manager'] }, { path: ['region'] }] },
    ],
  }
  const seen: unknown[] = []
  const decide = (claims: JsonObject) => {
    seen.push(claims['role'])
    return claims['role'] === 'Manager'
  }

  test('a wallet that answers with others is refused when it presents [VP-V-EVL-06]', async () => {
    const { fetch, reasons } = await (await start({}, { ...REQUIREMENT, query: valued })).connect(
      CLERK,
      'other_values',
    )
    expect((await fetch(URL_OF_ROUTE, post)).status).toBe(401)
    expect(reasons).toEqual(['value_mismatch'])
  })

  test('never decide: the decision reads what was disclosed, on every call [VP-V-EVL-01]', async () => {
    // Asked without values, answered with others: nothing but the decision stands in the way.
    const { fetch } = await (await start({}, { ...REQUIREMENT, decide })).connect(CLERK, 'other_values')
    expect((await fetch(URL_OF_ROUTE, post)).status).toBe(403)
    // Asked with values that the decision does not accept: an answer to the query is no permission.
    const lax = {
      ...valued,
      credentials: [{ ...valued.credentials[0], claims: [{ path: ['role'], values: ['Clerk', 'Manager'] }] }],
    }
    const other = await (await start({}, { ...REQUIREMENT, query: lax, decide })).connect(CLERK)
    expect((await other.fetch(URL_OF_ROUTE, post)).status).toBe(403)
    expect((await other.fetch(URL_OF_ROUTE, post)).status).toBe(403)
    expect(seen).toEqual(['Clerk', 'Clerk', 'Clerk'])
  })
})

describe('keys of a bench', () => {
  test('are marked, and stop the start of a verifier that is no test', async () => {
    const bench = await createTestBench({ origin: ORIGIN, vct: VCT })
    const { allowUnsafeAnchors, ...production } = bench.options
    expect(allowUnsafeAnchors).toBe(true)
    expect(() => createVerifier(production, bench.deps)).toThrow(
      expect.objectContaining({ code: 'unsafe_anchor' }),
    )
    const [anchor = ''] = bench.issuer.trustedIssuer.anchors ?? []
    for (const certificate of [...x5cFromPem(anchor), ...(bench.deps.signer.x5c ?? [])]) {
      expect(certificateNames([certificate]).subject).toContain(`CN=${UNSAFE_SUBJECT_PREFIX}`)
    }
  })
})
