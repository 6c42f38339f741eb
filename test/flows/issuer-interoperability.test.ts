import { isJsonObject, type JsonObject, selectByPath } from '@attache/core'
import {
  createSoftwareSigner,
  generateDecryptionKey,
  generatePrivateJwk,
  parseJws,
  signJws,
} from '@attache/keys'
import {
  decryptCredentialResponse,
  encryptCredentialRequest,
  makeResponseEncryption,
  PRE_AUTHORIZED_CODE_GRANT,
  parseCredentialOfferUri,
} from '@attache/openid4vci'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  base,
  bodyOf,
  CLIENT_ID,
  certify,
  clientHeaders,
  createIssuerBench,
  createWallet,
  ISSUER,
  type IssuerBench,
  keyProof,
  newSigner,
  obtainNonce,
  obtainToken,
  offerCode,
  postForm,
  postWithToken,
  requestCredential,
  requestToken,
  TEMPLATE,
  textOf,
} from './issuer-bench.js'
import {
  arrive,
  CALLBACK,
  codeOf,
  consent,
  outcome,
  push,
  pushed,
  ready,
  redeem,
  submit,
} from './issuer-browser.js'

const SERVER = 'https://issuer.example/.well-known/oauth-authorization-server/acme'
const APPROVE = { agent: 'payroll-export', decision: 'approve' } as const
const DETAILS = JSON.stringify([{ type: 'openid_credential', credential_configuration_id: 'agent-role' }])

async function held(options: Parameters<typeof createIssuerBench>[0] = {}) {
  const bench = await createIssuerBench(options)
  const wallet = await createWallet(bench)
  return { bench, wallet, token: (await obtainToken(bench, wallet)).token }
}

async function attesters(bench: IssuerBench, challenges: boolean) {
  const trusted = { name: 'p', anchors: bench.provider.anchors, clients: 'any' } as const
  return { method: 'attestation', attesters: [trusted], challenges } as const
}

describe('strict peers of the issuer', () => {
  test('identifiers with and without path and slash, byte for byte [IOP-I-01, IOP-C-03]', async () => {
    for (const [identifier, issuerPath, serverPath] of [
      ['https://issuer.example', '', ''],
      ['https://issuer.example:8443/a', '/a', '/a'],
      ['https://issuer.example/a/', '/a/', '/a'],
    ] as const) {
      const bench = await createIssuerBench({ credentialIssuer: identifier })
      const { origin } = new URL(identifier)
      const headers = { Host: 'evil.example', 'X-Forwarded-Host': 'evil.example' }
      const issuer = await bodyOf(
        await bench.send(`${origin}/.well-known/openid-credential-issuer${issuerPath}`, { headers }),
      )
      const server = await bodyOf(
        await bench.send(`${origin}/.well-known/oauth-authorization-server${serverPath}`),
      )
      expect([issuer['credential_issuer'], server['issuer']]).toEqual([identifier, identifier])
      expect(JSON.stringify([issuer, server])).not.toContain('evil')
      const appended = `${identifier.replace(/\/$/, '')}/x/.well-known/openid-credential-issuer`
      expect((await bench.send(appended)).status).toBe(404)
      const wallet = await createWallet(bench)
      const { token } = await obtainToken(bench, wallet)
      const answer = await bodyOf(await requestCredential(bench, wallet, token))
      const credential = String(selectByPath(answer, ['credentials', 0, 'credential'])?.[0])
      expect(parseJws(credential.split('~')[0] ?? '', { maxDepth: 32 }).payload['iss']).toBe(identifier)
      expect(String(issuer['credential_endpoint'])).toBe(`${base(bench)}/credential`)
    }
  })

  test('the server metadata of three configurations, member by member [IOP-I-05]', async () => {
    const some = await createIssuerBench()
    const shared = {
      issuer: ISSUER,
      token_endpoint: `${ISSUER}/token`,
      scopes_supported: [`${ISSUER}/types/agent-role/v1`],
      response_types_supported: ['code'],
      token_endpoint_auth_methods_supported: ['attest_jwt_client_auth'],
      dpop_signing_alg_values_supported: ['ES256'],
      client_attestation_signing_alg_values_supported: ['ES256'],
      client_attestation_pop_signing_alg_values_supported: ['ES256'],
      authorization_details_types_supported: ['openid_credential'],
      'pre-authorized_grant_anonymous_access_supported': false,
    }
    const code = {
      authorization_endpoint: `${ISSUER}/authorize`,
      pushed_authorization_request_endpoint: `${ISSUER}/par`,
      require_pushed_authorization_requests: true,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
    }
    const documentOf = async (bench: IssuerBench) => bodyOf(await bench.send(SERVER))
    expect(await documentOf(some)).toEqual({ ...shared, grant_types_supported: [PRE_AUTHORIZED_CODE_GRANT] })
    expect(await documentOf(await createIssuerBench({ grants: ['authorization_code'] }))).toEqual({
      ...shared,
      ...code,
      grant_types_supported: ['authorization_code'],
    })
    const full = await createIssuerBench({
      grants: ['authorization_code', 'pre-authorized_code'],
      refreshTokenSeconds: 600,
      clientAuthentication: await attesters(some, true),
    })
    expect(await documentOf(full)).toEqual({
      ...shared,
      ...code,
      challenge_endpoint: `${ISSUER}/challenge`,
      grant_types_supported: ['authorization_code', PRE_AUTHORIZED_CODE_GRANT, 'refresh_token'],
    })
  })

  test('challenges on and off, good for minutes and several requests [IOP-I-07]', async () => {
    const off = await ready()
    expect((await off.bench.send(`${ISSUER}/challenge`, { method: 'POST' })).status).toBe(404)
    expect((await push(off)).status).toBe(201)
    const on = await ready({ clientAuthentication: await attesters(off.bench, true) })
    const answer = await on.bench.send(`${ISSUER}/challenge`, { method: 'POST' })
    expect([answer.status, answer.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
    const challenge = textOf(await bodyOf(answer), 'attestation_challenge')
    const form = { grant_type: 'authorization_code', code: 'x', code_verifier: 'x', redirect_uri: CALLBACK }
    for (let nth = 0; nth < 2; nth += 1) {
      const headers = await clientHeaders(on.bench, on.wallet, `${ISSUER}/token`, { challenge })
      expect(await outcome(await postForm(on.bench, '/token', form, headers))).toEqual([400, 'invalid_grant'])
      on.bench.time.advance(120)
    }
  })

  test('two clients side by side; any https redirect URI, or a list of them [IOP-I-08]', async () => {
    const first = await ready()
    const second = { bench: first.bench, wallet: await createWallet(first.bench, 'https://second.example') }
    const uris = [await pushed(first), textOf(await bodyOf(await push(second)), 'request_uri')]
    expect(new Set(uris).size).toBe(2)
    const tokens = [await obtainCode(first), await obtainCode(first, { redirect_uri: `${CALLBACK}?a=1` })]
    expect(tokens.every((code) => code.length === 43)).toBe(true)
    const listed = await ready({ redirectUris: [CALLBACK] })
    expect((await push(listed)).status).toBe(201)
    expect(await outcome(await push(listed, { redirect_uri: `${CALLBACK}/other` }))).toEqual([
      400,
      'invalid_request',
    ])
  })

  const obtainCode = codeOf

  test('PAR: its faults, its lifetime [IOP-I-09]', async () => {
    const peer = await ready({ lifetimes: { requestUri: 30 } })
    expect((await peer.bench.send(`${ISSUER}/par`)).status).toBe(405)
    expect((await bodyOf(await push(peer)))['expires_in']).toBe(30)
    expect((await bodyOf(await push(await ready())))['expires_in']).toBe(60)
    const faults: readonly [Record<string, string | undefined>, string][] = [
      [{ code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
      [{ code_challenge_method: 'plain' }, 'invalid_request'],
      [{ redirect_uri: undefined }, 'invalid_request'],
      [{ request_uri: 'urn:x' }, 'invalid_request'],
      [{ response_type: 'code token' }, 'unsupported_response_type'],
    ]
    for (const [change, code] of faults) expect(await outcome(await push(peer, change))).toEqual([400, code])
    const mismatch = await push(peer, { dpop_jkt: newSigner().kid }, true)
    expect(await outcome(mismatch)).toEqual([400, 'invalid_dpop_proof'])
  })

  test('the authorization page: twice, then approved, then gone; five bad kinds [IOP-I-10]', async () => {
    const peer = await ready()
    const requestUri = await pushed(peer)
    await arrive(peer, requestUri, { scope: 'evil' })
    const shown = await consent(peer, requestUri)
    expect((await submit(peer, shown, 'decision', APPROVE)).status).toBe(303)
    const expired = await pushed(peer)
    peer.bench.time.advance(61)
    const fresh = await pushed(peer)
    const bad = [
      await peer.bench.send(`${ISSUER}/authorize?client_id=x&response_type=code`),
      await peer.bench.send(`${ISSUER}/authorize?client_id=${CLIENT_ID}&request_uri=urn:x`),
      await peer.bench.send(
        `${ISSUER}/authorize?${new URLSearchParams({ client_id: CLIENT_ID, request_uri: expired })}`,
      ),
      await peer.bench.send(
        `${ISSUER}/authorize?${new URLSearchParams({ client_id: 'other', request_uri: fresh })}`,
      ),
      await peer.bench.send(
        `${ISSUER}/authorize?${new URLSearchParams({ client_id: CLIENT_ID, request_uri: requestUri })}`,
      ),
    ]
    for (const answer of bad) {
      expect([answer.status, answer.headers.get('Location')]).toEqual([400, null])
      expect(answer.headers.get('Content-Type')).toBe('text/html; charset=utf-8')
      expect(await answer.text()).toContain('id="authorization-error"')
    }
  })

  test('consent has two controls and no script; automatic continuation has no page [IOP-I-11]', async () => {
    const peer = await ready()
    const shown = await consent(peer, await pushed(peer))
    expect(shown.html).toMatch(/<button id="approve".*<button id="deny"/s)
    expect(shown.html).not.toMatch(/<script/i)
    const denied = await submit(peer, shown, 'decision', { ...APPROVE, decision: 'deny' })
    expect(new URL(denied.location ?? '').searchParams.get('error')).toBe('access_denied')

    const automaticApproval = { name: 'Trial', agents: ['payroll-export'] }
    const trial = await ready({ mode: 'base', automaticApproval })
    const passed = await arrive(trial, await pushed(trial))
    expect([passed.status, passed.html]).toEqual([303, ''])
    const code = new URL(passed.location ?? '').searchParams.get('code') ?? ''
    expect((await redeem(trial, code)).status).toBe(200)
    await expect(createIssuerBench({ automaticApproval })).rejects.toMatchObject({ code: 'issuer_haip' })
  })

  test('the authorization response [IOP-I-12]', async () => {
    const peer = await ready()
    const state = 'z'.repeat(1000)
    for (const [change, sent] of [
      [{ state }, state],
      [{ state: undefined }, null],
    ] as const) {
      for (const decision of ['approve', 'deny']) {
        const shown = await consent(peer, await pushed(peer, change))
        const { searchParams } = new URL(
          (await submit(peer, shown, 'decision', { ...APPROVE, decision })).location ?? '',
        )
        expect([searchParams.get('state'), searchParams.get('iss')]).toEqual([sent, ISSUER])
        expect(searchParams.has(decision === 'approve' ? 'code' : 'error')).toBe(true)
      }
    }
  })

  test('a code is bound in every way, and its second use ends the first [IOP-I-13, IOP-I-17]', async () => {
    const peer = await ready()
    const code = await codeOf(peer, { dpop_jkt: peer.wallet.dpop.kid })
    const invalid = [400, 'invalid_grant']
    const otherClient = { bench: peer.bench, wallet: await createWallet(peer.bench, 'https://other.example') }
    const otherKey = { bench: peer.bench, wallet: { ...peer.wallet, dpop: newSigner() } }
    expect(await outcome(await redeem(otherClient, code))).toEqual(invalid)
    expect(await outcome(await redeem(otherKey, code))).toEqual(invalid)
    expect(await outcome(await redeem(peer, code, { redirect_uri: `${CALLBACK}?x` }))).toEqual(invalid)
    expect(await outcome(await redeem(peer, code, { code_verifier: 'y'.repeat(43) }))).toEqual(invalid)
    expect(await outcome(await redeem(peer, code, { code_verifier: '' }))).toEqual(invalid)
    expect(await outcome(await redeem(peer, code, { client_id: 'https://other.example' }))).toEqual([
      401,
      'invalid_client',
    ])
    expect(await peer.bench.store.list('t/default/issuer/access-token/')).toEqual([])
    const token = textOf(await bodyOf(await redeem(peer, code)), 'access_token')
    expect(await outcome(await redeem(peer, code))).toEqual(invalid)
    expect((await requestCredential(peer.bench, peer.wallet, token)).status).toBe(401)
    const late = await codeOf(peer)
    peer.bench.time.advance(61)
    expect(await outcome(await redeem(peer, late))).toEqual(invalid)
  })

  test('by scope, by details, and from an offer [IOP-I-14]', async () => {
    const peer = await ready()
    const created = await peer.bench.issuer.createOffer({ agent: 'payroll-export', by: 'value' }, NOW)
    const issuerState = created.offer?.grants?.authorizationCode?.issuerState ?? ''
    const forms = [{}, { scope: undefined, authorization_details: DETAILS }, { issuer_state: issuerState }]
    for (const form of forms) {
      const token = await bodyOf(await redeem(peer, await codeOf(peer, form)))
      const [identifier] =
        selectByPath(token, ['authorization_details', 0, 'credential_identifiers', 0]) ?? []
      const named: JsonObject = identifier === undefined ? {} : { credential_identifier: identifier }
      const issued = await requestCredential(peer.bench, peer.wallet, textOf(token, 'access_token'), named)
      expect(issued.status).toBe(200)
    }
    expect(await outcome(await push(peer, { issuer_state: 'unknown' }))).toEqual([400, 'invalid_request'])
  })

  test('offers of every kind; a fixed transaction code; a wallet of one URL [IOP-I-15]', async () => {
    for (const transactionCode of [null, { inputMode: 'numeric', length: 6 }] as const) {
      const bench = await createIssuerBench({
        grants: ['pre-authorized_code', 'authorization_code'],
        transactionCode,
      })
      const wallet = await createWallet(bench)
      for (const by of ['value', 'reference'] as const) {
        for (const grant of ['pre-authorized_code', 'authorization_code'] as const) {
          const endpoint = 'https://wallet.example/offer'
          const wanted = { agent: 'payroll-export', by, grant, endpoint }
          const created = await bench.issuer.createOffer(wanted, bench.time.clock())
          expect(created.uri).toMatch(/^https:\/\/wallet\.example\/offer\?credential_offer(_uri)?=/)
          const carried = parseCredentialOfferUri(created.uri)
          const offer =
            carried.by === 'value'
              ? JSON.parse(new URL(created.uri).searchParams.get('credential_offer') ?? '{}')
              : await bodyOf(await bench.send(carried.credentialOfferUri))
          const issuerState = offer.grants.authorization_code?.issuer_state
          const code = offer.grants[PRE_AUTHORIZED_CODE_GRANT]?.['pre-authorized_code']
          const tx: Record<string, string> = created.txCode === undefined ? {} : { tx_code: created.txCode }
          const granted =
            grant === 'pre-authorized_code'
              ? await requestToken(bench, wallet, { 'pre-authorized_code': code, ...tx })
              : await redeem(
                  { bench, wallet },
                  await codeOf({ bench, wallet }, { issuer_state: issuerState }),
                )
          const token = textOf(await bodyOf(granted), 'access_token')
          expect((await requestCredential(bench, wallet, token)).status).toBe(200)
        }
      }
    }
    const fixed = await createIssuerBench({
      mode: 'base',
      transactionCode: { inputMode: 'numeric', fixed: '1234' },
    })
    const wallet = await createWallet(fixed)
    const { code } = await offerCode(fixed)
    const wrong = await requestToken(fixed, wallet, { 'pre-authorized_code': code, tx_code: '1235' })
    expect(await outcome(wrong)).toEqual([400, 'invalid_grant'])
    expect((await requestToken(fixed, wallet, { 'pre-authorized_code': code, tx_code: '1234' })).status).toBe(
      200,
    )
  })

  test('the token response, with identifiers on and off [IOP-I-18]', async () => {
    for (const credentialIdentifiers of [true, false]) {
      const bench = await createIssuerBench({ credentialIdentifiers })
      const wallet = await createWallet(bench)
      const { body, token } = await obtainToken(bench, wallet)
      const [identifier] = selectByPath(body, ['authorization_details', 0, 'credential_identifiers', 0]) ?? []
      expect(Object.keys(body).includes('authorization_details')).toBe(credentialIdentifiers)
      expect([body['token_type'], body['expires_in'], body['id_token']]).toEqual(['DPoP', 600, undefined])
      const named: JsonObject = identifier === undefined ? {} : { credential_identifier: identifier }
      expect((await requestCredential(bench, wallet, token, named)).status).toBe(200)
    }
  })

  test('refresh: off, bound, and rotated with a grace of 30 s [IOP-I-19]', async () => {
    expect((await obtainToken(...(await pair()))).body).not.toHaveProperty('refresh_token')
    const [bench, wallet] = await pair({
      mode: 'base',
      refreshTokenSeconds: 3600,
      refreshRotationGraceSeconds: 31,
    })
    const first = textOf((await obtainToken(bench, wallet)).body, 'refresh_token')
    const refresh = (token: string, by = wallet) =>
      requestToken(bench, by, { grant_type: 'refresh_token', refresh_token: token })
    expect(await outcome(await refresh(first, await createWallet(bench)))).toEqual([400, 'invalid_grant'])
    const other = await createWallet(bench, 'https://other.example')
    expect(await outcome(await refresh(first, other))).toEqual([400, 'invalid_grant'])
    const form = { grant_type: 'refresh_token', refresh_token: first }
    expect(await outcome(await postForm(bench, '/token', form, {}))).toEqual([401, 'invalid_client'])
    const { DPoP: _, ...unproven } = await clientHeaders(bench, wallet, `${ISSUER}/token`)
    expect(await outcome(await postForm(bench, '/token', form, unproven))).toEqual([
      400,
      'invalid_dpop_proof',
    ])

    const second = textOf(
      await bodyOf(await refresh(first, { ...wallet, dpop: newSigner() })),
      'refresh_token',
    )
    expect(second).not.toBe(first)
    bench.time.advance(30)
    expect((await refresh(first)).status).toBe(200)
    expect((await refresh(second)).status).toBe(200)
    bench.time.advance(31)
    expect(await outcome(await refresh(first))).toEqual([400, 'invalid_grant'])
    bench.time.advance(3600)
    const now = bench.time.clock()
    expect(now).toBeGreaterThan(NOW + 3600)
    expect(await outcome(await refresh(second))).toEqual([400, 'invalid_grant'])
    await expect(pair({ refreshTokenSeconds: 60, refreshRotationGraceSeconds: 30 })).rejects.toMatchObject({
      code: 'issuer_haip',
    })
  })

  async function pair(options: Parameters<typeof createIssuerBench>[0] = {}) {
    const bench = await createIssuerBench(options)
    return [bench, await createWallet(bench)] as const
  }

  test('the nonce endpoint [IOP-I-20]', async () => {
    const { bench } = await held()
    const answer = await bench.send(`${ISSUER}/nonce`, { method: 'POST', body: '' })
    expect([answer.status, answer.headers.get('Content-Type')]).toEqual([200, 'application/json'])
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    expect(await bodyOf(answer)).toEqual({ c_nonce: expect.any(String) })
    expect((await bench.send(`${ISSUER}/nonce`)).status).toBe(405)
  })

  test('a proof names its key by certificate where those are trusted [VCI-I-PRF-02]', async () => {
    const device = await certify('Device')
    const stranger = await certify('Other device')
    const peer = await held({ proofCertificates: device.anchors })
    const proofOf = async ({ signer }: typeof device) => {
      const header = { typ: 'openid4vci-proof+jwt', x5c: [...(signer.x5c ?? [])] }
      return signJws(
        { header, payload: { aud: ISSUER, iat: NOW, nonce: await obtainNonce(peer.bench) } },
        signer,
      )
    }
    const ask = async (jwt: string) =>
      requestCredential(peer.bench, peer.wallet, peer.token, { proofs: { jwt: [jwt] } })
    expect((await ask(await proofOf(device))).status).toBe(200)
    expect(await outcome(await ask(await proofOf(stranger)))).toEqual([400, 'invalid_proof'])
  })

  test('one input for each code, in the clear also when encryption was asked [IOP-I-22, IOP-C-09]', async () => {
    const keys = [generateDecryptionKey()]
    const encryption = { keys, encValues: ['A128GCM'], requestRequired: false, response: 'offered' } as const
    const peer = await held({ encryption })
    const published = { jwks: keys.map((key) => key.publicJwk), encValues: ['A128GCM'], required: false }
    const asked = makeResponseEncryption({ jwk: generateDecryptionKey().publicJwk, enc: 'A128GCM' })
    const role = { credential_configuration_id: 'agent-role' }
    const proofs = { jwt: [await keyProof(peer.bench, newSigner())] }
    const stale = { jwt: [await keyProof(peer.bench, newSigner(), { nonce: 'stale' })] }
    const cases: readonly [string, JsonObject][] = [
      ['invalid_nonce', { ...role, proofs: stale }],
      ['invalid_proof', role],
      ['unknown_credential_configuration', { credential_configuration_id: 'x', proofs }],
      ['unknown_credential_identifier', { credential_identifier: 'x', proofs }],
      [
        'invalid_encryption_parameters',
        { ...role, proofs, credential_response_encryption: { ...asked, enc: 'x' } },
      ],
      ['invalid_credential_request', { ...role, credential_identifier: 'x', proofs }],
    ]
    for (const [code, members] of cases) {
      const body = await encryptCredentialRequest(
        { credential_response_encryption: asked, ...members },
        published,
      )
      const call = { token: peer.token, path: '/credential', body, type: 'application/jwt' }
      const answer = await postWithToken(peer.bench, peer.wallet, call)
      expect([answer.status, answer.headers.get('Content-Type')]).toEqual([400, 'application/json'])
      const { error, error_description: description, ...others } = await bodyOf(answer)
      expect([error, others]).toEqual([code, {}])
      expect(description).toMatch(/^[\x20\x21\x23-\x5B\x5D-\x7E]+$/)
    }
  })

  test('answers plain, encrypted and deferred; two credentials with one token [IOP-I-23]', async () => {
    const keys = [generateDecryptionKey()]
    const encryption = { keys, encValues: ['A128GCM'], requestRequired: false, response: 'offered' } as const
    const peer = await held({ encryption, notifications: true })
    for (let nth = 0; nth < 2; nth += 1) {
      const answer = await requestCredential(peer.bench, peer.wallet, peer.token)
      expect([answer.status, answer.headers.get('Content-Type')]).toEqual([200, 'application/json'])
      expect(Object.keys(await bodyOf(answer))).toEqual(['credentials', 'notification_id'])
    }
    const key = generateDecryptionKey()
    const published = { jwks: keys.map((each) => each.publicJwk), encValues: ['A128GCM'], required: false }
    const wanted = {
      credential_configuration_id: 'agent-role',
      proofs: { jwt: [await keyProof(peer.bench, newSigner())] },
      credential_response_encryption: makeResponseEncryption({ jwk: key.publicJwk, enc: 'A128GCM' }),
    }
    const body = await encryptCredentialRequest(wanted, published)
    const call = { token: peer.token, path: '/credential', body, type: 'application/jwt' }
    const encrypted = await postWithToken(peer.bench, peer.wallet, call)
    expect([encrypted.status, encrypted.headers.get('Content-Type')]).toEqual([200, 'application/jwt'])
    const opened = await decryptCredentialResponse(await encrypted.text(), { key, enc: 'A128GCM' })
    expect(isJsonObject(opened) ? Object.keys(opened) : []).toEqual(['credentials', 'notification_id'])

    const later = await held({ template: `${TEMPLATE}\nissuance: deferred\n` })
    const pending = await requestCredential(later.bench, later.wallet, later.token)
    const waiting = await bodyOf(pending)
    expect([pending.status, Object.keys(waiting)]).toEqual([202, ['transaction_id', 'interval']])
    const [entry] = await later.bench.issuer.listDeferred()
    await later.bench.issuer.decideDeferred(entry?.id ?? '', 'approved')
    const poll = { transaction_id: textOf(waiting, 'transaction_id') }
    const early = await postWithToken(later.bench, later.wallet, {
      token: later.token,
      path: '/deferred',
      body: poll,
    })
    expect([early.status, Object.keys(await bodyOf(early))]).toEqual([200, ['credentials']])
  })

  test('a batch of five cannot be linked [IOP-I-24]', async () => {
    const peer = await held({ batchSize: 5, template: `${TEMPLATE}\nround_times_to: hour\n` })
    const nonce = await obtainNonce(peer.bench)
    const jwt = await Promise.all(
      Array.from({ length: 5 }, () => keyProof(peer.bench, newSigner(), { nonce })),
    )
    const answer = await bodyOf(
      await requestCredential(peer.bench, peer.wallet, peer.token, { proofs: { jwt } }),
    )
    const credentials = (selectByPath(answer, ['credentials', null, 'credential']) ?? []).map(String)
    const payloads = credentials.map((text) => parseJws(text.split('~')[0] ?? '', { maxDepth: 32 }).payload)
    const distinct = (values: readonly unknown[]) => new Set(values).size
    expect(credentials).toHaveLength(5)
    expect(distinct(payloads.map((payload) => selectByPath(payload, ['cnf', 'jwk', 'x'])?.[0]))).toBe(5)
    expect(distinct(credentials.flatMap((text) => text.split('~').slice(1, -1)))).toBe(45)
    expect(distinct(payloads.flatMap((payload) => selectByPath(payload, ['_sd', null]) ?? []))).toBe(45)
    const indices = payloads.map((payload) =>
      Number(selectByPath(payload, ['status', 'status_list', 'idx'])?.[0]),
    )
    const sorted = indices.toSorted((a, b) => a - b)
    expect(sorted.slice(1).every((index, at) => index - (sorted[at] ?? 0) > 1)).toBe(true)
    for (const { iat, exp } of payloads) expect([Number(iat) % 3600, Number(exp) % 3600]).toEqual([0, 0])
  })

  test('notifications are optional [IOP-I-25]', async () => {
    const peer = await held({ notifications: true })
    const body = await bodyOf(await requestCredential(peer.bench, peer.wallet, peer.token))
    const notify = async (id: string) =>
      postWithToken(peer.bench, peer.wallet, {
        token: peer.token,
        path: '/notification',
        body: { notification_id: id, event: 'credential_accepted', foo: {} },
      })
    const [entry] = await peer.bench.issuer.listCredentials({ limit: 10 })
    if (!entry?.status) throw new Error('The credential is registered with a status.')
    expect(await peer.bench.statusLists.statusOf(entry.status)).toBe(0)
    expect((await notify(textOf(body, 'notification_id'))).status).toBe(204)
    expect(await outcome(await notify('unknown'))).toEqual([400, 'invalid_notification_id'])
    expect(await peer.bench.statusLists.statusOf(entry.status)).toBe(0)
  })

  test('the consent screen lists the claims that the metadata of the configuration names [VCI-I-META-22]', async () => {
    const peer = await ready()
    const url = 'https://issuer.example/.well-known/openid-credential-issuer/acme'
    const metadata = await bodyOf(await peer.bench.send(url))
    const path = [
      'credential_configurations_supported',
      'agent-role',
      'credential_metadata',
      'claims',
      null,
    ] as const
    const shown = await consent(peer, await pushed(peer))
    const listed = [...shown.html.matchAll(/<li>([^<]+)<\/li>/g)].map(([, name]) => name)
    const names = (selectByPath(metadata, path) ?? []).map((claim) =>
      isJsonObject(claim)
        ? String(selectByPath(claim, ['display', 0, 'name'])?.[0] ?? selectByPath(claim, ['path', 0])?.[0])
        : '',
    )
    expect(listed).toEqual(names)
    expect(names).toContain('Role')
  })
})

describe('algorithms', () => {
  test.each(['ES384', 'EdDSA', 'PS256'] as const)(
    'ES256 is accepted everywhere, %s only where it is configured, none and MACs never [VCI-I-SEC-02]',
    async (alg) => {
      const holder = createSoftwareSigner(generatePrivateJwk(alg))
      for (const [algorithms, status] of [
        [undefined, 400],
        [['ES256', alg], 200],
      ] as const) {
        const peer = await held(algorithms === undefined ? {} : { algorithms })
        const proofs = { jwt: [await keyProof(peer.bench, holder)] }
        expect((await requestCredential(peer.bench, peer.wallet, peer.token, { proofs })).status).toBe(status)
        const dpop = { ...peer.wallet, dpop: holder }
        const { code, txCode } = await offerCode(peer.bench)
        const granted = await requestToken(peer.bench, dpop, { 'pre-authorized_code': code, tx_code: txCode })
        expect(granted.status).toBe(status)
        const instance = await createWallet(peer.bench)
        for (const name of ['OAuth-Client-Attestation', 'OAuth-Client-Attestation-PoP', 'DPoP']) {
          for (const unsafe of ['none', 'HS256']) {
            const headers = await clientHeaders(peer.bench, instance, `${ISSUER}/token`)
            const [, payload, signature] = (headers[name] ?? '').split('.')
            const header = parseJws(headers[name] ?? '').header
            const forged = Buffer.from(JSON.stringify({ ...header, alg: unsafe })).toString('base64url')
            const form = { grant_type: PRE_AUTHORIZED_CODE_GRANT, 'pre-authorized_code': 'x' }
            const text = `${forged}.${payload}.${unsafe === 'none' ? '' : signature}`
            const refused = await postForm(peer.bench, '/token', form, { ...headers, [name]: text })
            const code = name === 'DPoP' ? [400, 'invalid_dpop_proof'] : [401, 'invalid_client']
            expect(await outcome(refused)).toEqual(code)
          }
        }
      }
    },
  )
})
