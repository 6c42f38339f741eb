import { type JsonObject, selectByPath } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, type Signer, signJws } from '@attache/keys'
import { createClientAttestation, createDpopProof } from '@attache/oauth'
import { PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { beforeAll, describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { createSeededRandom } from '../support/random.js'
import {
  bodyOf,
  type Certified,
  CLIENT_ID,
  certify,
  clientHeaders,
  createIssuerBench,
  createWallet,
  ISSUER,
  type IssuerBench,
  JSON_BODY,
  keyProof,
  newSigner,
  obtainNonce,
  obtainToken,
  offerCode,
  postForm,
  postWithToken,
  requestCredential,
  requestToken,
  type ScriptedWallet,
  textOf,
  tokenHeaders,
} from './issuer-bench.js'

const TOKEN_URL = `${ISSUER}/token`

async function outcome(response: Response): Promise<readonly [number, unknown]> {
  return [response.status, (await bodyOf(response))['error']]
}

const PLAIN = { mode: 'base', clientAuthentication: { method: 'none', anonymousAccess: true } } as const

type Fields = Record<string, string> | [string, string][]

/** Offers, then asks for a token with other header fields. */
async function tokenWith(
  bench: IssuerBench,
  change: (headers: Record<string, string>) => Promise<Fields> | Fields,
): Promise<Response> {
  const wallet = await createWallet(bench)
  const { code, txCode } = await offerCode(bench)
  const headers = new Headers(await change(await clientHeaders(bench, wallet, TOKEN_URL)))
  headers.set('Content-Type', 'application/x-www-form-urlencoded')
  const form = { grant_type: PRE_AUTHORIZED_CODE_GRANT, 'pre-authorized_code': code, tx_code: txCode }
  return bench.send(TOKEN_URL, { method: 'POST', headers, body: new URLSearchParams(form).toString() })
}

describe('the token endpoint with a pre-authorized code', () => {
  test('needs the code [VCI-I-TK-01]', async () => {
    const bench = await createIssuerBench()
    expect(await outcome(await requestToken(bench, await createWallet(bench), {}))).toEqual([
      400,
      'invalid_request',
    ])
  })

  test('a transaction code that is absent, or not asked for, counts as nothing [VCI-I-TK-02]', async () => {
    const bench = await createIssuerBench({ transactionCodeAttempts: 1 })
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    for (let nth = 0; nth < 3; nth += 1) {
      const absent = await requestToken(bench, wallet, { 'pre-authorized_code': code })
      expect(await outcome(absent)).toEqual([400, 'invalid_request'])
    }
    const right = await requestToken(bench, wallet, { 'pre-authorized_code': code, tx_code: txCode })
    expect(right.status).toBe(200)

    const open = await createIssuerBench({ transactionCode: null, refreshTokenSeconds: 600 })
    const other = await createWallet(open)
    const { code: bare } = await offerCode(open)
    const superfluous = await requestToken(open, other, { 'pre-authorized_code': bare, tx_code: '123456' })
    expect(await outcome(superfluous)).toEqual([400, 'invalid_request'])
    const foreign = await requestToken(open, other, {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      tx_code: '1',
    })
    expect(await outcome(foreign)).toEqual([400, 'invalid_request'])
    expect((await requestToken(open, other, { 'pre-authorized_code': bare })).status).toBe(200)
  })

  test('a wrong transaction code burns nothing [VCI-I-TK-03]', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const wrong = await requestToken(bench, wallet, { 'pre-authorized_code': code, tx_code: `${txCode}0` })
    expect(await outcome(wrong)).toEqual([400, 'invalid_grant'])
    const right = await requestToken(bench, wallet, { 'pre-authorized_code': code, tx_code: txCode })
    expect(right.status).toBe(200)
  })

  test('after five wrong transaction codes the right one is too late, also when guessed in parallel [VCI-I-TK-06]', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    for (const guesses of [5, 40]) {
      const { code, txCode } = await offerCode(bench)
      const wrong = Array.from({ length: guesses }, () =>
        requestToken(bench, wallet, { 'pre-authorized_code': code, tx_code: 'nonsense' }),
      )
      for (const answer of await Promise.all(wrong))
        expect(await outcome(answer)).toEqual([400, 'invalid_grant'])
      const right = await requestToken(bench, wallet, { 'pre-authorized_code': code, tx_code: txCode })
      expect(await outcome(right)).toEqual([400, 'invalid_grant'])
    }
  })

  test('of 200 parallel redemptions of one code, one wins [VCI-I-TK-04]', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const answers = await Promise.all(
      Array.from({ length: 200 }, () =>
        requestToken(bench, wallet, { 'pre-authorized_code': code, tx_code: txCode }),
      ),
    )
    const statuses = answers.map((answer) => answer.status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 400)).toHaveLength(199)
    for (const unknown of ['x', 'x'.repeat(43)]) {
      const refused = await requestToken(bench, wallet, { 'pre-authorized_code': unknown, tx_code: '1' })
      expect(await outcome(refused)).toEqual([400, 'invalid_grant'])
    }
  })

  test('wants a client where anonymous access is off [VCI-I-TK-05]', async () => {
    const closed = { method: 'none', anonymousAccess: false } as const
    const bench = await createIssuerBench({ mode: 'base', clientAuthentication: closed })
    const { code, txCode } = await offerCode(bench)
    const form = { grant_type: PRE_AUTHORIZED_CODE_GRANT, 'pre-authorized_code': code, tx_code: txCode }
    const anonymous = await postForm(bench, '/token', form, {})
    expect(await outcome(anonymous)).toEqual([401, 'invalid_client'])
    expect((await postForm(bench, '/token', { ...form, client_id: 'c' }, {})).status).toBe(200)
  })

  test('a token covers what was offered, and details narrow it [VCI-I-TK-07, VCI-I-TK-08, VCI-I-CRED-06]', async () => {
    const second =
      'id: second\nversion: 1\nvct: urn:example:second\nname: Second\nlifetime_days: 1\nclaims: [{ name: a, from: agent.id }]\n'
    const role = second.replaceAll('second', 'agent-role')
    const bench = await createIssuerBench({ templates: [role, second] })
    const wallet = await createWallet(bench)
    const detail = (id: string) => ({ type: 'openid_credential', credential_configuration_id: id, foo: 1 })
    const asking = async (ids: readonly string[], details?: readonly JsonObject[]) => {
      const { code, txCode } = await offerCode(bench, { configurationIds: ids })
      const extra: Record<string, string> = details ? { authorization_details: JSON.stringify(details) } : {}
      return requestToken(bench, wallet, { 'pre-authorized_code': code, tx_code: txCode, ...extra })
    }
    const token = textOf(await bodyOf(await asking(['agent-role'])), 'access_token')
    const outside = await requestCredential(bench, wallet, token, { credential_configuration_id: 'second' })
    expect(outside.status).toBe(403)
    expect(outside.headers.get('WWW-Authenticate')).toMatch(
      /^DPoP .*error="insufficient_scope".*scope="urn:example:second"/,
    )

    const subset = await bodyOf(await asking(['agent-role', 'second'], [detail('second')]))
    expect(selectByPath(subset, ['authorization_details', null, 'credential_configuration_id'])).toEqual([
      'second',
    ])
    const superset = await asking(['second'], [detail('second'), detail('agent-role')])
    expect(await outcome(superset)).toEqual([400, 'invalid_authorization_details'])
  })

  test('details bring identifiers, one for each dataset, the same after a refresh [VCI-I-TK-09, VCI-I-TK-10]', async () => {
    const bench = await createIssuerBench({ refreshTokenSeconds: 86_400 })
    const wallet = await createWallet(bench)
    const details = JSON.stringify([{ type: 'openid_credential', credential_configuration_id: 'agent-role' }])
    const { body } = await obtainToken(bench, wallet, { authorization_details: details })
    const [identifier] = selectByPath(body, ['authorization_details', 0, 'credential_identifiers', 0]) ?? []
    expect(body['authorization_details']).toEqual([
      {
        type: 'openid_credential',
        credential_configuration_id: 'agent-role',
        credential_identifiers: [expect.stringMatching(/^dts_[\w-]{22}$/)],
      },
    ])
    const refreshed = await bodyOf(
      await requestToken(bench, wallet, {
        grant_type: 'refresh_token',
        refresh_token: textOf(body, 'refresh_token'),
      }),
    )
    expect(refreshed['authorization_details']).toEqual(body['authorization_details'])
    const issued = await requestCredential(bench, wallet, textOf(refreshed, 'access_token'), {
      credential_identifier: String(identifier),
    })
    expect(issued.status).toBe(200)

    const without = await obtainToken(bench, wallet)
    expect(without.body).not.toHaveProperty('authorization_details')
    expect((await requestCredential(bench, wallet, without.token)).status).toBe(200)
  })

  test('answers with JSON that nobody keeps, a lifetime, DPoP, no id_token [VCI-I-TK-11, VCI-I-TK-18]', async () => {
    const bench = await createIssuerBench({ refreshTokenSeconds: 600 })
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const answer = await requestToken(bench, wallet, { 'pre-authorized_code': code, tx_code: txCode })
    expect(answer.headers.get('Content-Type')).toBe('application/json')
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    const body = await bodyOf(answer)
    expect(Object.keys(body).toSorted()).toEqual([
      'access_token',
      'expires_in',
      'refresh_token',
      'token_type',
    ])
    expect([body['token_type'], body['expires_in']]).toEqual(['DPoP', 600])
    for (const secret of [code, textOf(body, 'access_token'), textOf(body, 'refresh_token')]) {
      expect(Buffer.from(secret, 'base64url').length).toBe(32)
    }
    const refused = await requestToken(bench, wallet, { 'pre-authorized_code': code, tx_code: txCode })
    expect(refused.headers.get('Cache-Control')).toBe('no-store')
    expect(Object.keys(await bodyOf(refused))).toEqual(['error', 'error_description'])
  })

  test('a token that is not bound lives five minutes at most [VCI-I-TK-14, VCI-I-AZ-02]', async () => {
    const bench = await createIssuerBench(PLAIN)
    const { code, txCode } = await offerCode(bench)
    const form = { grant_type: PRE_AUTHORIZED_CODE_GRANT, 'pre-authorized_code': code, tx_code: txCode }
    const body = await bodyOf(await postForm(bench, '/token', form, {}))
    expect([body['token_type'], body['expires_in']]).toEqual(['Bearer', 300])
    const { token } = await obtainToken(bench, await createWallet(bench))
    expect(token).toBeDefined()
  })

  test.each(['password', 'client_credentials', 'implicit', 'authorization_code', 'refresh_token'])(
    'does not offer the grant %s unless it is on [VCI-I-AZ-23]',
    async (grant) => {
      const bench = await createIssuerBench()
      const parameters = { grant_type: grant, code: 'x', refresh_token: 'x' }
      expect(await outcome(await requestToken(bench, await createWallet(bench), parameters))).toEqual([
        400,
        'unsupported_grant_type',
      ])
    },
  )

  test('ignores unknown parameters and refuses repeated ones [VCI-I-AZ-18]', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const headers = await clientHeaders(bench, wallet, TOKEN_URL)
    const form = new URLSearchParams({
      grant_type: PRE_AUTHORIZED_CODE_GRANT,
      'pre-authorized_code': code,
      tx_code: txCode,
      foo: '1',
    }).toString()
    expect(await outcome(await postForm(bench, '/token', `${form}&tx_code=1`, headers))).toEqual([
      400,
      'invalid_request',
    ])
    expect(
      (await postForm(bench, '/token', form, await clientHeaders(bench, wallet, TOKEN_URL))).status,
    ).toBe(200)
  })
})

describe('refresh tokens', () => {
  async function refresh(
    bench: IssuerBench,
    wallet: ScriptedWallet,
    token: string,
    scope?: string,
  ): Promise<Response> {
    const extra: Record<string, string> = scope === undefined ? {} : { scope }
    return requestToken(bench, wallet, { grant_type: 'refresh_token', refresh_token: token, ...extra })
  }

  test('bring new tokens, and credentials with new dates and another status index [VCI-I-TK-16]', async () => {
    const bench = await createIssuerBench({ refreshTokenSeconds: 30 * 86_400 })
    const wallet = await createWallet(bench)
    const { token, body } = await obtainToken(bench, wallet)
    const payloadOf = async (accessToken: string) => {
      const answer = await bodyOf(await requestCredential(bench, wallet, accessToken))
      const credential = String(selectByPath(answer, ['credentials', 0, 'credential'])?.[0])
      return JSON.parse(Buffer.from(credential.split('.')[1] ?? '', 'base64url').toString())
    }
    const first = await payloadOf(token)
    bench.time.advance(86_000)
    const scope = `${ISSUER}/types/agent-role/v1`
    const later = await createWalletLike(bench, wallet)
    const again = await bodyOf(await refresh(bench, later, textOf(body, 'refresh_token'), scope))
    const second = await requestCredential(bench, later, textOf(again, 'access_token'))
    const credential = String(selectByPath(await bodyOf(second), ['credentials', 0, 'credential'])?.[0])
    const payload = JSON.parse(Buffer.from(credential.split('.')[1] ?? '', 'base64url').toString())
    expect(payload.exp).toBeGreaterThan(first.exp)
    expect(payload.status.status_list.idx).not.toBe(first.status.status_list.idx)
    const wider = await refresh(bench, later, textOf(body, 'refresh_token'), `${scope} more`)
    expect(await outcome(wider)).toEqual([400, 'invalid_scope'])
    bench.time.advance(30 * 86_400)
    const fresh = await createWalletLike(bench, wallet)
    expect(await outcome(await refresh(bench, fresh, textOf(body, 'refresh_token')))).toEqual([
      400,
      'invalid_grant',
    ])
  })

  test('belong to client and instance key, not to the DPoP key, and are not rotated [VCI-I-TK-17]', async () => {
    const bench = await createIssuerBench({ refreshTokenSeconds: 86_400 })
    const wallet = await createWallet(bench)
    const { body } = await obtainToken(bench, wallet)
    const token = textOf(body, 'refresh_token')
    const otherInstance = await createWallet(bench)
    expect(await outcome(await refresh(bench, otherInstance, token))).toEqual([400, 'invalid_grant'])
    const otherClient = await createWallet(bench, 'https://other.example')
    expect(await outcome(await refresh(bench, otherClient, token))).toEqual([400, 'invalid_grant'])
    const otherDpop = { ...wallet, dpop: newSigner() }
    const bound = await bodyOf(await refresh(bench, otherDpop, token))
    expect(bound).not.toHaveProperty('refresh_token')
    expect((await requestCredential(bench, otherDpop, textOf(bound, 'access_token'))).status).toBe(200)
    const stolen = await requestCredential(bench, wallet, textOf(bound, 'access_token'))
    expect(stolen.status).toBe(401)
    expect((await refresh(bench, wallet, token)).status).toBe(200)
    expect((await refresh(bench, wallet, token)).status).toBe(200)
  })
})

/** The same instance with a current attestation. */
async function createWalletLike(bench: IssuerBench, wallet: ScriptedWallet): Promise<ScriptedWallet> {
  const now = bench.time.clock()
  const statement = {
    clientId: wallet.clientId,
    instanceKey: wallet.instance.publicJwk,
    expiresAt: now + 600,
  }
  return { ...wallet, attestation: await createClientAttestation(statement, bench.provider.signer, now) }
}

describe('wallet attestation at the token endpoint', () => {
  let bench: IssuerBench
  let stranger: Certified

  beforeAll(async () => {
    bench = await createIssuerBench()
    stranger = await certify('Stranger')
  })

  const facts = { now: NOW, random: createSeededRandom('attestation test') }

  /** A token request whose two JWTs are made to order. */
  async function attested(
    change: {
      readonly header?: JsonObject
      readonly payload?: JsonObject
      readonly without?: string
      readonly signer?: Signer
      readonly popHeader?: JsonObject
      readonly popPayload?: JsonObject
      readonly popWithout?: string
      readonly popSigner?: Signer
      readonly now?: number
    } = {},
  ): Promise<Response> {
    const instance = newSigner()
    const now = change.now ?? NOW
    const signer = change.signer ?? bench.provider.signer
    const payload: Record<string, JsonObject[string]> = {
      sub: CLIENT_ID,
      iat: now,
      exp: now + 600,
      cnf: { jwk: { ...instance.publicJwk } },
      foo: 'ignored',
      ...change.payload,
    }
    const pop: Record<string, JsonObject[string]> = {
      iss: CLIENT_ID,
      aud: ISSUER,
      jti: `jti-${Math.floor(Number(`0.${facts.random(4).join('')}`) * 1e15)}`,
      iat: now,
      ...change.popPayload,
    }
    if (change.without) delete payload[change.without]
    if (change.popWithout) delete pop[change.popWithout]
    const header = { typ: 'oauth-client-attestation+jwt', x5c: [...(signer.x5c ?? [])], ...change.header }
    const popHeader = { typ: 'oauth-client-attestation-pop+jwt', ...change.popHeader }
    const attestation = await signJws({ header, payload }, signer)
    const proof = await signJws({ header: popHeader, payload: pop }, change.popSigner ?? instance)
    return tokenWith(bench, (headers) => ({
      DPoP: headers['DPoP'] ?? '',
      'OAuth-Client-Attestation': attestation,
      'OAuth-Client-Attestation-PoP': proof,
    }))
  }

  test('one attestation and one PoP authenticate the client [VCI-I-WA-01, VCI-I-TK-13]', async () => {
    expect((await attested()).status).toBe(200)
    for (const name of ['OAuth-Client-Attestation', 'OAuth-Client-Attestation-PoP']) {
      const missing = await tokenWith(bench, (headers) =>
        Object.entries(headers).filter(([header]) => header !== name),
      )
      expect(await outcome(missing)).toEqual([401, 'invalid_client'])
      const twice = await tokenWith(bench, (headers) => [
        ...Object.entries(headers),
        [name, headers[name] ?? ''],
      ])
      expect(await outcome(twice)).toEqual([401, 'invalid_client'])
    }
  })

  test('a second way to authenticate beside the attestation is refused [ABCA-A-10]', async () => {
    const second = await tokenWith(bench, (headers) => ({ ...headers, Authorization: 'Basic YTpi' }))
    expect(await outcome(second)).toEqual([401, 'invalid_client'])
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const grant = { 'pre-authorized_code': code, tx_code: txCode }
    const asserted = await requestToken(bench, wallet, { ...grant, client_assertion: 'eyJ' })
    expect(await outcome(asserted)).toEqual([401, 'invalid_client'])
    expect((await requestToken(bench, wallet, grant)).status).toBe(200)
  })

  test.each([
    ['another typ', { header: { typ: 'jwt' } }],
    ['no sub', { without: 'sub' }],
    ['no exp', { without: 'exp' }],
    ['no cnf', { without: 'cnf' }],
    ['an exp in the past', { payload: { exp: NOW - 120 } }],
    ['an nbf in the future', { payload: { nbf: NOW + 120 } }],
    ['a private key in cnf', { payload: { cnf: { jwk: generatePrivateJwk('ES256') } } }],
  ] as const)('an attestation with %s is refused [VCI-I-WA-02, VCI-I-WA-05]', async (_, change) => {
    expect(await outcome(await attested(change))).toEqual([401, 'invalid_client'])
  })

  test('iss may be absent; where the trust names one, a present one must match [VCI-I-WA-02]', async () => {
    const strict = await createIssuerBench({
      clientAuthentication: {
        method: 'attestation',
        challenges: false,
        attesters: [
          { name: 'p', anchors: bench.provider.anchors, issuer: 'https://provider.example', clients: 'any' },
        ],
      },
    })
    const before = bench
    bench = strict
    const absent = await attested()
    const right = await attested({ payload: { iss: 'https://provider.example' } })
    const wrong = await attested({ payload: { iss: 'https://other.example' } })
    bench = before
    expect([absent.status, right.status]).toEqual([200, 200])
    expect(await outcome(wrong)).toEqual([401, 'invalid_client'])
  })

  test('an attestation of an unknown provider, without x5c, or changed, is refused [VCI-I-WA-03]', async () => {
    expect(await outcome(await attested({ signer: stranger.signer }))).toEqual([401, 'invalid_client'])
    expect(await outcome(await attested({ header: { x5c: [] } }))).toEqual([401, 'invalid_client'])
    const changed = await tokenWith(bench, (headers) => {
      const [header, payload, signature = ''] = (headers['OAuth-Client-Attestation'] ?? '').split('.')
      const flipped = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
      return { ...headers, 'OAuth-Client-Attestation': [header, payload, flipped].join('.') }
    })
    expect(await outcome(changed)).toEqual([401, 'invalid_client'])
  })

  test.each([
    ['the token URL as aud', { popPayload: { aud: TOKEN_URL } }],
    ['another iss', { popPayload: { iss: 'https://other.example' } }],
    ['no jti', { popWithout: 'jti' }],
    ['no iat', { popWithout: 'iat' }],
    ['another typ', { popHeader: { typ: 'dpop+jwt' } }],
    ['another key', { popSigner: createSoftwareSigner(generatePrivateJwk('ES256')) }],
    ['an algorithm that is not on', { popSigner: createSoftwareSigner(generatePrivateJwk('ES384')) }],
  ] as const)('a PoP with %s is refused [VCI-I-WA-04, VCI-I-WA-05]', async (_, change) => {
    expect(await outcome(await attested(change))).toEqual([401, 'invalid_client'])
  })

  test('client_id must be the attested client when it is sent [VCI-I-WA-04]', async () => {
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const parameters = { 'pre-authorized_code': code, tx_code: txCode }
    const other = await requestToken(bench, wallet, { ...parameters, client_id: 'https://other.example' })
    expect(await outcome(other)).toEqual([401, 'invalid_client'])
    expect((await requestToken(bench, wallet, { ...parameters, client_id: CLIENT_ID })).status).toBe(200)
  })

  test('a PoP is fresh: a little ahead is fine, an hour is not [VCI-I-WA-06]', async () => {
    expect((await attested({ popPayload: { iat: NOW + 8 } })).status).toBe(200)
    for (const iat of [NOW + 61, NOW - 600, NOW + 3600, NOW - 3600]) {
      expect(await outcome(await attested({ popPayload: { iat } }))).toEqual([401, 'invalid_client'])
    }
  })

  test('a PoP works once, but survives a request that only lacked a DPoP nonce [VCI-I-WA-07]', async () => {
    const nonced = await createIssuerBench({ dpopNonces: true })
    const wallet = await createWallet(nonced)
    const { code, txCode } = await offerCode(nonced)
    const headers = await clientHeaders(nonced, wallet, TOKEN_URL)
    const form = { grant_type: PRE_AUTHORIZED_CODE_GRANT, 'pre-authorized_code': code, tx_code: txCode }
    const first = await postForm(nonced, '/token', form, headers)
    expect(await outcome(first)).toEqual([400, 'use_dpop_nonce'])
    const nonce = first.headers.get('DPoP-Nonce') ?? ''
    const dpop = (await clientHeaders(nonced, wallet, TOKEN_URL, { nonce }))['DPoP'] ?? ''
    expect((await postForm(nonced, '/token', form, { ...headers, DPoP: dpop })).status).toBe(200)

    const second = await offerCode(nonced)
    const again = { ...form, 'pre-authorized_code': second.code, tx_code: second.txCode }
    const fresh = (await clientHeaders(nonced, wallet, TOKEN_URL, { nonce }))['DPoP'] ?? ''
    const replayed = await postForm(nonced, '/token', again, { ...headers, DPoP: fresh })
    expect(await outcome(replayed)).toEqual([401, 'invalid_client'])
  })

  test('a challenge serves several requests until it expires [VCI-I-WA-08]', async () => {
    const challenged = await createIssuerBench({
      clientAuthentication: {
        method: 'attestation',
        challenges: true,
        attesters: [{ name: 'p', anchors: bench.provider.anchors, clients: 'any' }],
      },
    })
    const wallet = await createWallet(challenged)
    const answer = await challenged.send(`${ISSUER}/challenge`, { method: 'POST' })
    expect([answer.status, answer.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
    const challenge = textOf(await bodyOf(answer), 'attestation_challenge')
    for (let nth = 0; nth < 2; nth += 1) {
      const { code, txCode } = await offerCode(challenged)
      const parameters = { 'pre-authorized_code': code, tx_code: txCode }
      expect((await requestToken(challenged, wallet, parameters, { challenge })).status).toBe(200)
    }
    const { code, txCode } = await offerCode(challenged)
    const parameters = { 'pre-authorized_code': code, tx_code: txCode }
    const missing = await requestToken(challenged, wallet, parameters)
    expect(await outcome(missing)).toEqual([400, 'use_attestation_challenge'])
    const next = missing.headers.get('OAuth-Client-Attestation-Challenge') ?? ''
    expect((await requestToken(challenged, wallet, parameters, { challenge: next })).status).toBe(200)
    challenged.time.advance(301)
    const late = await offerCode(challenged)
    const stale = await requestToken(
      challenged,
      wallet,
      { 'pre-authorized_code': late.code, tx_code: late.txCode },
      { challenge },
    )
    expect(await outcome(stale)).toEqual([400, 'use_attestation_challenge'])
  })

  test('an attestation that is too old for the policy [VCI-I-WA-09]', async () => {
    const { anchors } = bench.provider
    const picky = await createIssuerBench({
      clientAuthentication: {
        method: 'attestation',
        challenges: false,
        attesters: [{ name: 'p', anchors, clients: 'any' }],
        maxAttestationAgeSeconds: 300,
      },
    })
    const before = bench
    bench = picky
    const old = await attested({ payload: { iat: NOW - 301 } })
    const young = await attested({ payload: { iat: NOW - 299 } })
    bench = before
    expect(await outcome(old)).toEqual([400, 'use_fresh_attestation'])
    expect(young.status).toBe(200)
  })
})

describe('DPoP at the token endpoint', () => {
  test('a proof is needed, and the token is bound to its key [VCI-I-TK-12, VCI-I-DP-01]', async () => {
    const bench = await createIssuerBench()
    const missing = await tokenWith(bench, ({ DPoP: _, ...headers }) => headers)
    expect(await outcome(missing)).toEqual([400, 'invalid_dpop_proof'])
    const malformed = await tokenWith(bench, (headers) => ({ ...headers, DPoP: 'x.y.z' }))
    expect(await outcome(malformed)).toEqual([400, 'invalid_dpop_proof'])
    const twice = await tokenWith(bench, (headers) => [
      ...Object.entries(headers),
      ['DPoP', headers['DPoP'] ?? ''],
    ])
    expect(await outcome(twice)).toEqual([400, 'invalid_dpop_proof'])
    const dpop = newSigner()
    const extra = await signJws(
      {
        header: { typ: 'dpop+jwt', jwk: { ...dpop.publicJwk }, foo: 1 },
        payload: { jti: 'extra', htm: 'POST', htu: TOKEN_URL, iat: NOW, nbf: NOW, exp: NOW + 60, foo: 1 },
      },
      dpop,
    )
    expect((await tokenWith(bench, (headers) => ({ ...headers, DPoP: extra }))).status).toBe(200)
  })

  test.each([
    ['another path', `${ISSUER}/nonce`, 400],
    ['a query and a fragment', `${TOKEN_URL}?a=1#b`, 200],
    ['another spelling', 'HTTPS://Issuer.Example:443/acme/%74oken', 200],
  ])('htu with %s [VCI-I-DP-02, VCI-I-DP-03]', async (_, htu, status) => {
    const bench = await createIssuerBench()
    const dpop = newSigner()
    const proof = await signJws(
      {
        header: { typ: 'dpop+jwt', jwk: { ...dpop.publicJwk } },
        payload: { jti: 'j', htm: 'POST', htu, iat: NOW },
      },
      dpop,
    )
    expect((await tokenWith(bench, (headers) => ({ ...headers, DPoP: proof }))).status).toBe(status)
  })

  test('a proof is short-lived and works once [VCI-I-DP-05]', async () => {
    const bench = await createIssuerBench()
    const dpop = newSigner()
    const random = createSeededRandom('dpop')
    for (const now of [NOW - 3600, NOW + 3600, NOW + 61]) {
      const proof = await createDpopProof({ method: 'POST', url: TOKEN_URL }, dpop, { now, random })
      const answer = await tokenWith(bench, (headers) => ({ ...headers, DPoP: proof }))
      expect(await outcome(answer)).toEqual([400, 'invalid_dpop_proof'])
    }
    const ahead = await createDpopProof({ method: 'POST', url: TOKEN_URL }, dpop, { now: NOW + 8, random })
    expect((await tokenWith(bench, (headers) => ({ ...headers, DPoP: ahead }))).status).toBe(200)
    const replayed = await tokenWith(bench, (headers) => ({ ...headers, DPoP: ahead }))
    expect(await outcome(replayed)).toEqual([400, 'invalid_dpop_proof'])
  })
})

describe('DPoP and nonces at the credential endpoint', () => {
  test('token and proof belong together, and travel in the header alone [VCI-I-DP-04, VCI-I-CRED-03]', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    const { token } = await obtainToken(bench, wallet)
    const url = `${ISSUER}/credential`
    const good = await tokenHeaders(bench, wallet, { token, path: '/credential' })
    const calls: readonly [string, Record<string, string>, string][] = [
      ['bearer', { Authorization: `Bearer ${token}` }, 'invalid_token'],
      ['bearer with a proof', { ...good, Authorization: `Bearer ${token}` }, 'invalid_token'],
      [
        'another key',
        { ...(await tokenHeaders(bench, { ...wallet, dpop: newSigner() }, { token, path: '/credential' })) },
        'invalid_token',
      ],
      ['an unknown token', { ...good, Authorization: `DPoP ${'x'.repeat(43)}` }, 'invalid_token'],
      ['no proof', { Authorization: `DPoP ${token}` }, 'invalid_dpop_proof'],
    ]
    for (const [, headers, code] of calls) {
      const sent = { ...JSON_BODY, ...headers }
      const answer = await bench.send(url, { method: 'POST', headers: sent, body: '{}' })
      expect(answer.status).toBe(401)
      expect(answer.headers.get('WWW-Authenticate')).toContain(`error="${code}"`)
    }
    const query = await bench.send(`${url}?access_token=${token}`, {
      method: 'POST',
      headers: { ...JSON_BODY, ...good },
      body: '{}',
    })
    expect(query.status).toBe(400)
    const form = await bench.send(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: `access_token=${token}`,
    })
    expect(form.status).toBe(400)
    const otherPath = { ...JSON_BODY, ...(await tokenHeaders(bench, wallet, { token, path: '/nonce' })) }
    const wrongTarget = await bench.send(url, { method: 'POST', headers: otherPath, body: '{}' })
    expect(wrongTarget.headers.get('WWW-Authenticate')).toContain('error="invalid_dpop_proof"')
  })

  test('a 401 lists algs, and no error where no token was sent [VCI-I-DP-07, VCI-I-CRED-02]', async () => {
    const bench = await createIssuerBench()
    const none = await bench.send(`${ISSUER}/credential`, { method: 'POST', headers: JSON_BODY, body: '{}' })
    expect([none.status, none.headers.get('WWW-Authenticate')]).toEqual([401, 'DPoP algs="ES256"'])
    const bad = await bench.send(`${ISSUER}/credential`, {
      method: 'POST',
      headers: { ...JSON_BODY, Authorization: `DPoP ${'x'.repeat(43)}` },
      body: '{}',
    })
    expect(bad.headers.get('WWW-Authenticate')).toMatch(/error="invalid_token".*algs="ES256"/)
  })

  test('an expired or revoked token is refused on every call [VCI-I-CRED-02, VCI-I-CRED-03]', async () => {
    const bench = await createIssuerBench()
    const wallet = await createWallet(bench)
    const { token } = await obtainToken(bench, wallet)
    expect((await requestCredential(bench, wallet, token)).status).toBe(200)
    for (const { key } of await bench.store.list('t/default/issuer/grant/')) await bench.store.take(key)
    const revoked = await requestCredential(bench, wallet, token)
    expect([revoked.status, revoked.headers.get('WWW-Authenticate')]).toEqual([
      401,
      expect.stringContaining('error="invalid_token"'),
    ])
    const other = await obtainToken(bench, wallet)
    bench.time.advance(600)
    expect((await requestCredential(bench, wallet, other.token)).status).toBe(401)
  })

  test('nonces of server and issuer are not interchangeable, and a refusal spends nothing [VCI-I-DP-06]', async () => {
    const bench = await createIssuerBench({ dpopNonces: true })
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const parameters = { 'pre-authorized_code': code, tx_code: txCode }
    const first = await requestToken(bench, wallet, parameters)
    expect(await outcome(first)).toEqual([400, 'use_dpop_nonce'])
    const serverNonce = first.headers.get('DPoP-Nonce') ?? ''
    const unknown = await requestToken(bench, wallet, parameters, { nonce: 'made-up' })
    expect(await outcome(unknown)).toEqual([400, 'use_dpop_nonce'])
    const granted = await requestToken(bench, wallet, parameters, { nonce: serverNonce })
    const token = textOf(await bodyOf(granted), 'access_token')

    const proofs = { jwt: [await keyProof(bench, newSigner())] }
    const body = { credential_configuration_id: 'agent-role', proofs }
    const call = { token, path: '/credential', body }
    const foreign = await postWithToken(bench, wallet, { ...call, nonce: serverNonce })
    expect(foreign.status).toBe(401)
    expect(foreign.headers.get('WWW-Authenticate')).toContain('error="use_dpop_nonce"')
    const issuerNonce = foreign.headers.get('DPoP-Nonce') ?? ''
    expect((await postWithToken(bench, wallet, { ...call, nonce: issuerNonce })).status).toBe(200)
  })

  test('the nonce answer brings a DPoP nonce that works at once [VCI-I-NON-02]', async () => {
    const bench = await createIssuerBench({ dpopNonces: true })
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const parameters = { 'pre-authorized_code': code, tx_code: txCode }
    const nonce = (await requestToken(bench, wallet, parameters)).headers.get('DPoP-Nonce') ?? ''
    const token = textOf(
      await bodyOf(await requestToken(bench, wallet, parameters, { nonce })),
      'access_token',
    )
    const answer = await bench.send(`${ISSUER}/nonce`, { method: 'POST' })
    const cNonce = textOf(await bodyOf(answer), 'c_nonce')
    const body = {
      credential_configuration_id: 'agent-role',
      proofs: { jwt: [await keyProof(bench, newSigner(), { nonce: cNonce })] },
    }
    const dpopNonce = answer.headers.get('DPoP-Nonce') ?? ''
    expect(
      (await postWithToken(bench, wallet, { token, path: '/credential', body, nonce: dpopNonce })).status,
    ).toBe(200)
  })

  test('10,000 nonces differ, nobody keeps them, and only POST gets one [VCI-I-NON-01, VCI-I-NON-03]', async () => {
    const bench = await createIssuerBench()
    const answer = await bench.send(`${ISSUER}/nonce`, { method: 'POST' })
    expect([answer.status, answer.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
    expect(Object.keys(await bodyOf(answer))).toEqual(['c_nonce'])
    const nonces = new Set<string>()
    for (let nth = 0; nth < 10_000; nth += 1) nonces.add(await obtainNonce(bench))
    expect(nonces.size).toBe(10_000)
    expect((await bench.send(`${ISSUER}/nonce`)).status).toBe(405)
    expect(await bench.store.list('t/default/issuer/nonce-used/')).toEqual([])
  })
})
