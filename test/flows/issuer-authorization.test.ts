import { type JsonObject, selectByPath } from '@attache/core'
import { describe, expect, test } from 'vitest'
import {
  bodyOf,
  CLIENT_ID,
  clientHeaders,
  createWallet,
  ISSUER,
  newSigner,
  postForm,
  requestCredential,
  TEMPLATE,
  textOf,
} from './issuer-bench.js'
import {
  approved,
  arrive,
  CALLBACK,
  codeOf,
  consent,
  GOOD,
  outcome,
  page,
  push,
  pushed,
  REQUEST,
  ready,
  redeem,
  SCOPE,
  submit,
} from './issuer-browser.js'

describe('the authorization code flow', () => {
  test('from scope to credential [VCI-I-AZ-01, VCI-I-AZ-15, VCI-I-AZ-24]', async () => {
    const held = await ready()
    const shown = await consent(held, await pushed(held))
    for (const text of [CLIENT_ID, 'Agent role', 'Role', 'salary_band', 'Ngozi', 'payroll-export']) {
      expect(shown.html).toContain(text)
    }
    for (const id of ['consent-form', 'agent', 'approve', 'deny']) expect(shown.html).toContain(`id="${id}"`)
    expect(await held.bench.store.list('t/default/issuer/authorization-code/')).toEqual([])
    const decided = await submit(held, shown, 'decision', { agent: 'payroll-export', decision: 'approve' })
    const code = new URL(decided.location ?? '').searchParams.get('code') ?? ''
    const token = await bodyOf(await redeem(held, code))
    expect(token['token_type']).toBe('DPoP')
    expect(token).not.toHaveProperty('authorization_details')
    const issued = await requestCredential(held.bench, held.wallet, textOf(token, 'access_token'))
    expect(issued.status).toBe(200)
  })

  test('nothing but pushed requests, and no redirect to an unverified place [VCI-I-AZ-03, VCI-I-AZ-26]', async () => {
    const held = await ready()
    const query = new URLSearchParams({ ...REQUEST, client_id: CLIENT_ID })
    const raw = await page(await held.bench.send(`${ISSUER}/authorize?${query}`))
    expect([raw.status, raw.location]).toEqual([400, null])
    expect(raw.html).toMatch(/id="authorization-error"[^>]*data-error="invalid_request"/)
    for (const url of [`${ISSUER}/authorize`, `${ISSUER}/authorize?client_id=a&client_id=b`]) {
      const answer = await held.bench.send(url)
      expect(answer.status).toBe(400)
      expect(answer.headers.get('Strict-Transport-Security')).toMatch(/^max-age=\d{7,}/)
    }
    const good = await consent(held, await pushed(held))
    expect(good.headers.get('Strict-Transport-Security')).toMatch(/^max-age=\d{7,}/)
  })

  test('PAR authenticates the client, who is the attested one [VCI-I-AZ-04, VCI-I-WA-04]', async () => {
    const held = await ready()
    expect(await outcome(await postForm(held.bench, '/par', REQUEST, {}))).toEqual([401, 'invalid_client'])
    expect(await outcome(await push(held, { client_id: 'https://other.example' }))).toEqual([
      401,
      'invalid_client',
    ])
    expect((await push(held, { client_id: CLIENT_ID })).status).toBe(201)
  })

  test('request_uri: short-lived, unguessable, of one client [VCI-I-AZ-05, VCI-I-TK-18]', async () => {
    const held = await ready()
    const answer = await push(held)
    expect([answer.status, answer.headers.get('Cache-Control')]).toEqual([201, 'no-store'])
    const body = await bodyOf(answer)
    expect(Object.keys(body)).toEqual(['request_uri', 'expires_in'])
    expect(body['expires_in']).toBe(60)
    const requestUri = textOf(body, 'request_uri')
    expect(requestUri).toMatch(/^urn:ietf:params:oauth:request_uri:[\w-]{43}$/)
    const refusal = /data-error="invalid_request_uri"/
    const other = await arrive(held, requestUri, { client_id: 'https://other.example' })
    expect([other.status, refusal.test(other.html)]).toEqual([400, true])
    expect((await arrive(held, `${requestUri.slice(0, -1)}x`)).html).toMatch(refusal)
    expect((await arrive(held, requestUri)).status).toBe(200)
    held.bench.time.advance(60)
    const late = await arrive(held, requestUri)
    expect([late.status, refusal.test(late.html)]).toEqual([400, true])
  })

  test('request_uri survives a reload and ends with the decision [VCI-I-AZ-06]', async () => {
    const held = await ready()
    for (const decision of ['approve', 'deny']) {
      const requestUri = await pushed(held)
      await arrive(held, requestUri)
      const shown = await consent(held, requestUri)
      const fields = { agent: 'payroll-export', decision }
      expect((await submit(held, shown, 'decision', fields)).status).toBe(303)
      expect((await arrive(held, requestUri)).status).toBe(400)
      expect((await submit(held, shown, 'decision', fields)).status).toBe(400)
    }
    const requestUri = await pushed(held)
    const shown = await consent(held, requestUri)
    const many = await Promise.all(
      Array.from({ length: 20 }, () =>
        submit(held, shown, 'decision', { agent: 'payroll-export', decision: 'approve' }),
      ),
    )
    expect(many.filter((answer) => answer.status === 303)).toHaveLength(1)
  })

  test('PAR is POST, and pushes no request_uri [VCI-I-AZ-07, VCI-I-AZ-18]', async () => {
    const held = await ready()
    expect(await outcome(await push(held, { request_uri: 'urn:x' }))).toEqual([400, 'invalid_request'])
    expect((await held.bench.send(`${ISSUER}/par`)).status).toBe(405)
    expect((await push(held, { foo: '1' })).status).toBe(201)
    const { DPoP: _, ...headers } = await clientHeaders(held.bench, held.wallet, `${ISSUER}/par`)
    const twice = `${new URLSearchParams({ ...REQUEST })}&scope=x`
    expect(await outcome(await postForm(held.bench, '/par', twice, headers))).toEqual([
      400,
      'invalid_request',
    ])
  })

  test.each([
    ['no challenge', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['method plain', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['no method', { code_challenge_method: undefined }, 'invalid_request'],
    ['a malformed challenge', { code_challenge: 'x' }, 'invalid_request'],
    ['response_type token', { response_type: 'token' }, 'unsupported_response_type'],
    ['no response_type', { response_type: undefined }, 'invalid_request'],
    ['no redirect_uri', { redirect_uri: undefined }, 'invalid_request'],
    ['an http redirect_uri', { redirect_uri: 'http://agents.example/cb' }, 'invalid_request'],
    ['a fragment in redirect_uri', { redirect_uri: `${CALLBACK}#x` }, 'invalid_request'],
    ['a script as redirect_uri', { redirect_uri: 'javascript:alert(1)' }, 'invalid_request'],
  ])('PAR refuses %s [VCI-I-AZ-08, VCI-I-AZ-09]', async (_, change, code) => {
    expect(await outcome(await push(await ready(), change))).toEqual([400, code])
  })

  test.each(['http://127.0.0.1:7777/cb', 'http://[::1]:7777/cb', `${CALLBACK}?a=1`])(
    'PAR accepts the redirect_uri %s [VCI-I-AZ-08, VCI-I-AZ-09]',
    async (redirectUri) => {
      expect((await push(await ready(), { redirect_uri: redirectUri })).status).toBe(201)
    },
  )

  const detail = (change: JsonObject = {}) => ({
    type: 'openid_credential',
    credential_configuration_id: 'agent-role',
    foo: 'ignored',
    ...change,
  })

  test.each([
    ['an unknown id', [detail({ credential_configuration_id: 'x' })]],
    ['an unknown type', [detail(), { type: 'payment' }]],
    ['no id', [{ type: 'openid_credential' }]],
    ['another location', [detail({ locations: ['https://other.example'] })]],
    ['a claim twice', [detail({ claims: [{ path: ['role'] }, { path: ['role'] }] })]],
    ['no claims', [detail({ claims: [] })]],
    ['claims that contradict', [detail({ claims: [{ path: ['a', 0] }, { path: ['a', 'b'] }] })]],
    ['an object', detail()],
  ])('details with %s are refused [VCI-I-AZ-10, VCI-I-AZ-11, VCI-I-AZ-12]', async (_, details) => {
    const change = { scope: undefined, authorization_details: JSON.stringify(details) }
    expect(await outcome(await push(await ready(), change))).toEqual([400, 'invalid_authorization_details'])
  })

  test('details with further members, the own location and claims are fine [VCI-I-AZ-10, VCI-I-AZ-11, VCI-I-AZ-12]', async () => {
    const details = [detail({ locations: [ISSUER], claims: [{ path: ['role'] }, { path: ['region'] }] })]
    const change = { scope: undefined, authorization_details: JSON.stringify(details) }
    expect((await push(await ready(), change)).status).toBe(201)
  })

  test('unknown scopes are ignored as long as a known one is left [VCI-I-AZ-13]', async () => {
    const held = await ready()
    const code = await codeOf(held, { scope: `${SCOPE} unknown` })
    const token = textOf(await bodyOf(await redeem(held, code)), 'access_token')
    expect((await requestCredential(held.bench, held.wallet, token)).status).toBe(200)
    expect(await outcome(await push(held, { scope: 'unknown' }))).toEqual([400, 'invalid_scope'])
    expect(await outcome(await push(held, { scope: undefined }))).toEqual([400, 'invalid_scope'])
  })

  test('scope and details for one credential: the details win [VCI-I-AZ-14, VCI-I-TK-09]', async () => {
    const held = await ready()
    const code = await codeOf(held, { authorization_details: JSON.stringify([detail()]) })
    const token = await bodyOf(await redeem(held, code))
    const [identifier] = selectByPath(token, ['authorization_details', 0, 'credential_identifiers', 0]) ?? []
    const issued = await requestCredential(held.bench, held.wallet, textOf(token, 'access_token'), {
      credential_identifier: String(identifier),
    })
    expect(issued.status).toBe(200)
  })

  test('resource is the issuer or nothing [VCI-I-AZ-16]', async () => {
    const held = await ready()
    expect((await push(held, { resource: ISSUER })).status).toBe(201)
    expect(await outcome(await push(held, { resource: 'https://other.example' }))).toEqual([
      400,
      'invalid_target',
    ])
  })

  test('issuer_state leads to the offer, and widens nothing [VCI-I-AZ-17, VCI-I-OFFER-05]', async () => {
    const held = await ready()
    const offer = async (agent: string) => {
      const created = await held.bench.issuer.createOffer({ agent, by: 'value' }, held.bench.time.clock())
      return created.offer?.grants?.authorizationCode?.issuerState ?? ''
    }
    const own = await consent(held, await pushed(held, { issuer_state: await offer('payroll-export') }))
    expect(own.html).toContain('<option value="payroll-export">')
    const foreign = await consent(held, await pushed(held, { issuer_state: await offer('other-agent') }))
    expect(foreign.html).toMatch(/data-error="access_denied"/)
    expect(await outcome(await push(held, { issuer_state: 'made-up' }))).toEqual([400, 'invalid_request'])
    const injected = await consent(held, await pushed(held))
    const decided = await submit(held, injected, 'decision', { agent: 'other-agent', decision: 'approve' })
    expect([decided.status, decided.location]).toEqual([400, null])
  })

  test('answers carry iss and the state unchanged, denial too; a query is kept [VCI-I-AZ-19, VCI-I-AZ-23]', async () => {
    const held = await ready()
    const state = 'ä &=#+ '.repeat(125)
    const good = await approved(held, { redirect_uri: `${CALLBACK}?a=1`, state })
    expect([...good.searchParams.keys()]).toEqual(['a', 'code', 'state', 'iss'])
    expect([good.searchParams.get('state'), good.searchParams.get('iss')]).toEqual([state, ISSUER])

    const shown = await consent(held, await pushed(held))
    const denied = await submit(held, shown, 'decision', { agent: 'payroll-export', decision: 'deny' })
    expect(denied.status).toBe(303)
    const url = new URL(denied.location ?? '')
    expect([
      url.searchParams.get('error'),
      url.searchParams.get('iss'),
      url.searchParams.get('state'),
    ]).toEqual(['access_denied', ISSUER, REQUEST['state']])
    expect([...denied.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
    const stateless = await approved(held, { state: undefined })
    expect(stateless.searchParams.has('state')).toBe(false)
  })

  test('a code: 60 s, once, of its client, redirect URI and verifier [VCI-I-AZ-20, VCI-I-TK-15]', async () => {
    const held = await ready()
    const other = { bench: held.bench, wallet: await createWallet(held.bench, 'https://other.example') }
    const code = await codeOf(held)
    const invalid = [400, 'invalid_grant']
    expect(await outcome(await redeem(other, code))).toEqual(invalid)
    expect(await outcome(await redeem(held, code, { redirect_uri: `${CALLBACK}/` }))).toEqual(invalid)
    expect(await outcome(await redeem(held, code, { redirect_uri: '' }))).toEqual(invalid)
    expect(await outcome(await redeem(held, code, { code_verifier: 'x'.repeat(43) }))).toEqual(invalid)
    expect(await outcome(await redeem(held, code, { code_verifier: '' }))).toEqual(invalid)
    expect(await outcome(await redeem(held, `${code}x`))).toEqual(invalid)
    expect((await redeem(held, code)).status).toBe(200)
    const late = await codeOf(held)
    held.bench.time.advance(61)
    expect(await outcome(await redeem(held, late))).toEqual(invalid)
  })

  test('of 50 parallel redemptions of one code, at most one gets tokens [VCI-I-AZ-20]', async () => {
    const held = await ready()
    const code = await codeOf(held)
    const answers = await Promise.all(Array.from({ length: 50 }, () => redeem(held, code)))
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
  })

  test('a second use ends what the first one brought [VCI-I-AZ-21]', async () => {
    const held = await ready()
    const code = await codeOf(held)
    const token = textOf(await bodyOf(await redeem(held, code)), 'access_token')
    expect((await requestCredential(held.bench, held.wallet, token)).status).toBe(200)
    expect(await outcome(await redeem(held, code))).toEqual([400, 'invalid_grant'])
    const after = await requestCredential(held.bench, held.wallet, token)
    expect([after.status, after.headers.get('WWW-Authenticate')]).toEqual([
      401,
      expect.stringContaining('error="invalid_token"'),
    ])
  })

  test('dpop_jkt and a proof at PAR both bind the code [VCI-I-AZ-22]', async () => {
    const held = await ready()
    const stranger = { bench: held.bench, wallet: { ...held.wallet, dpop: newSigner() } }
    const conflict = await push(held, { dpop_jkt: stranger.wallet.dpop.kid }, true)
    expect(await outcome(conflict)).toEqual([400, 'invalid_dpop_proof'])
    const byParameter = await codeOf(held, { dpop_jkt: held.wallet.dpop.kid })
    expect(await outcome(await redeem(stranger, byParameter))).toEqual([400, 'invalid_grant'])
    expect((await redeem(held, byParameter)).status).toBe(200)

    const requestUri = textOf(await bodyOf(await push(held, {}, true)), 'request_uri')
    const decided = await submit(held, await consent(held, requestUri), 'decision', {
      agent: 'payroll-export',
      decision: 'approve',
    })
    const byProof = new URL(decided.location ?? '').searchParams.get('code') ?? ''
    expect(await outcome(await redeem(stranger, byProof))).toEqual([400, 'invalid_grant'])
    expect((await redeem(held, byProof)).status).toBe(200)
  })

  test('only the pushed parameters count [VCI-I-AZ-25]', async () => {
    const held = await ready()
    const requestUri = await pushed(held, { state: undefined })
    const more = { state: 'evil', scope: 'evil', redirect_uri: 'https://evil.example', foo: '1' }
    const arrived = await arrive(held, requestUri, more)
    const shown = await submit(held, arrived, 'sign-in', GOOD)
    const decided = await submit(held, shown, 'decision', { agent: 'payroll-export', decision: 'approve' })
    const url = new URL(decided.location ?? '')
    expect(`${url.origin}${url.pathname}`).toBe(CALLBACK)
    expect(url.searchParams.has('state')).toBe(false)
  })

  test('signing in: five attempts, tied to one browser, nothing before it', async () => {
    const held = await ready()
    const requestUri = await pushed(held)
    let shown = await arrive(held, requestUri)
    const skipped = await submit(held, shown, 'decision', { agent: 'payroll-export', decision: 'approve' })
    expect([skipped.status, skipped.location]).toEqual([400, null])
    const elsewhere = await submit(held, { ...shown, cookie: '__Host-attache-browser=x' }, 'sign-in', GOOD)
    expect(elsewhere.status).toBe(400)
    for (let nth = 0; nth < 5; nth += 1) {
      shown = await submit(held, shown, 'sign-in', { ...GOOD, password: 'wrong' })
      expect([shown.status, shown.html.includes('id="sign-in-failed"')]).toEqual([401, true])
    }
    const tooLate = await submit(held, shown, 'sign-in', GOOD)
    expect([tooLate.status, tooLate.html.includes('access_denied')]).toEqual([400, true])
  })

  test('what a client sends stays inert on the pages', async () => {
    const held = await ready({ template: TEMPLATE.replace('name: Agent role', `name: '<b>"x"</b>'`) })
    const evil = { bench: held.bench, wallet: await createWallet(held.bench, 'https://x.example/<script>') }
    const requestUri = await pushed(evil)
    const query = new URLSearchParams({ client_id: 'https://x.example/<script>', request_uri: requestUri })
    const arrived = await page(await held.bench.send(`${ISSUER}/authorize?${query}`))
    const shown = await submit(evil, arrived, 'sign-in', GOOD)
    expect(shown.status).toBe(200)
    expect(shown.html).not.toMatch(/<script>|<b>/)
    expect(shown.headers.get('Content-Security-Policy')).toContain("default-src 'none'")
    expect(shown.headers.get('X-Frame-Options')).toBe('DENY')
  })
})
