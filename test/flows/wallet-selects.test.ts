import { encodeBase64url, type JsonObject, type JsonValue, utf8 } from '@attache/core'
import { digest } from '@attache/keys'
import { PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { verifySdJwtVc } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import {
  AGENT,
  decoded,
  METADATA,
  OFFER,
  offerLink,
  type Script,
  START,
  TX_CODE,
  VCT,
  within,
} from '../support/scripted-issuer.js'
import {
  createPresentationWorld,
  NONCE,
  type PresentationOptions,
  type PresentationWorld,
  shown,
} from '../support/scripted-verifier.js'

const everything = { rules: () => [{ id: 'all', effect: 'allow' }] } as const
const issuer: Script = {
  claims: (claims) => ({
    ...claims,
    level: 3,
    active: true,
    plain: 'seen',
    teams: ['A', 'B'],
    addr: { city: 'Graz', zip: '8010' },
  }),
  disclosable: [
    ['role'],
    ['region'],
    ['level'],
    ['active'],
    ['teams'],
    ['teams', null],
    ['addr'],
    ['addr', 'city'],
    ['addr', 'zip'],
  ],
}
const query = (credential: JsonObject, more: JsonObject = {}): JsonObject => ({
  credentials: [{ id: 'c', format: 'dc+sd-jwt', meta: { vct_values: [VCT] }, ...credential }],
  ...more,
})

/** One query of the credential queries of several. */
const together = (...queries: readonly JsonObject[]): JsonObject => ({
  credentials: queries.flatMap(({ credentials }) => (Array.isArray(credentials) ? credentials : [])),
})

async function ask(wanted: JsonObject, options: PresentationOptions = {}) {
  const world = await createPresentationWorld({
    ...everything,
    script: issuer,
    ...options,
    verifierScript: { query: wanted },
  })
  const reply = await world.present()
  const token = await world.vpToken()
  const disclosed = Object.fromEntries(
    Object.entries(token).map(([id, values]) => [id, labels(values[0] ?? '')]),
  )
  return { world, reply, token, disclosed, reason: await world.reason() }
}
/** Names of disclosed members, values of disclosed elements. */
const labels = (presentation: string) =>
  presentation
    .split('~')
    .slice(1, -1)
    .map((part): unknown => JSON.parse(Buffer.from(part, 'base64url').toString()))
    .map((content) => (Array.isArray(content) ? String(content[1]) : ''))
    .sort()

const disclosedFor = async (...claims: readonly JsonValue[]) => {
  const { disclosed, reply } = await ask(query({ claims }))
  return reply.outcome === 'delivered' ? disclosed['c'] : 'access_denied'
}

describe('claims of a query', () => {
  test('absent discloses nothing [VP-W-CLM-01]', async () => {
    const { token } = await ask(query({}))
    expect(token['c']?.[0]?.split('~')).toHaveLength(2)
    expect(await disclosedFor({ path: ['role'] })).toEqual(['role'])
  })

  test('all or nothing [VP-W-CLM-02]', async () => {
    expect(await disclosedFor({ path: ['role'] }, { path: ['region'] })).toEqual(['region', 'role'])
    expect(await disclosedFor({ path: ['role'] }, { path: ['iban'] })).toBe('access_denied')
  })

  test('sets are tried in order, by presence and by value [VP-W-CLM-03]', async () => {
    const claims = [
      { id: 'a', path: ['role'] },
      { id: 'b', path: ['iban'] },
      { id: 'c', path: ['region'] },
    ]
    expect((await ask(query({ claims, claim_sets: [['a', 'b'], ['c']] }))).disclosed).toEqual({
      c: ['region'],
    })
    const valued = [
      { id: 'a', path: ['role'], values: ['Clerk'] },
      { id: 'c', path: ['region'] },
    ]
    expect((await ask(query({ claims: valued, claim_sets: [['a'], ['c']] }))).disclosed).toEqual({
      c: ['region'],
    })
    expect((await ask(query({ claims, claim_sets: [['b']] }))).reason).toBe('no_credential')
  })

  test('disclose nothing beside them [VP-W-CLM-04] [VP-W-VPR-01] [VP-W-VPR-02]', async () => {
    const { token, world } = await ask(query({ claims: [{ path: ['role'] }] }))
    const [presentation = ''] = token['c'] ?? []
    const { signer } = world.signing
    const verified = await verifySdJwtVc(presentation, {
      acceptedTypes: [VCT],
      algorithms: ['ES256'],
      keyBinding: { audience: world.clientId, nonce: NONCE, maxAgeSeconds: 60 },
      now: START,
      resolveIssuerKey: async () => ({ key: signer.publicJwk, issuer: 'Acme' }),
    })
    expect(verified.claims).toMatchObject({ role: 'Manager', plain: 'seen' })
    for (const name of ['region', 'level', 'teams', 'addr', 'employee_id'])
      expect(verified.claims[name]).toBe(name === 'employee_id' ? 'E-10442' : undefined)
  })

  test('match values by type and letter [VP-W-CLM-05]', async () => {
    expect(await disclosedFor({ path: ['role'], values: ['manager'] })).toBe('access_denied')
    expect(await disclosedFor({ path: ['level'], values: ['3'] })).toBe('access_denied')
    expect(await disclosedFor({ path: ['level'], values: [3] })).toEqual(['level'])
    expect(await disclosedFor({ path: ['active'], values: ['true'] })).toBe('access_denied')
    expect(await disclosedFor({ path: ['active'], values: [true] })).toEqual(['active'])
    expect(await disclosedFor({ path: ['teams'], values: ['A'] })).toBe('access_denied')
  })

  test('disclose of an array what matches, or all of it [VP-W-CLM-06] [VP-W-CLM-07]', async () => {
    expect(await disclosedFor({ path: ['teams', null], values: ['B', 'Z'] })).toEqual(['B', 'teams'])
    expect(await disclosedFor({ path: ['teams', null] })).toEqual(['A', 'B', 'teams'])
    expect(await disclosedFor({ path: ['teams', 1] })).toEqual(['B', 'teams'])
    expect(await disclosedFor({ path: ['teams', 2] })).toBe('access_denied')
  })

  test('below an object bring their parent, not their siblings [VP-W-CLM-08] [VP-W-CLM-09]', async () => {
    expect(await disclosedFor({ path: ['addr', 'city'] })).toEqual(['addr', 'city'])
    expect(await disclosedFor({ path: ['addr'] })).toEqual(['addr', 'city', 'zip'])
    expect(await disclosedFor({ path: ['addr', null] })).toBe('access_denied')
  })

  test('that are always visible need no disclosure [VP-W-CLM-10] [VP-W-CLM-11]', async () => {
    expect(await disclosedFor({ path: ['plain'], values: ['seen'] })).toEqual([])
    expect(await disclosedFor({ path: ['plain'], values: ['unseen'] })).toBe('access_denied')
    for (const path of [['role', 'x'], ['__proto__'], ['teams', 'length'], ['teams', '1'], ['constructor']]) {
      expect(await disclosedFor({ path })).toBe('access_denied')
    }
  })
})

describe('a query as a whole', () => {
  test('is answered with what it asks for, optional sets and siblings left out [IOP-W-19]', async () => {
    const none = { id: 'n', format: 'dc+sd-jwt', meta: { vct_values: ['https://credentials.example/none'] } }
    const claims = [{ path: ['addr', 'city'] }, { path: ['teams', 1] }]
    const wanted = together(query({ claims }), { credentials: [none] })
    const sets = [{ options: [['n']], required: false }, { options: [['c']] }]
    const { token, disclosed } = await ask({ ...wanted, credential_sets: sets })
    expect(Object.keys(token)).toEqual(['c'])
    expect(disclosed['c']).toEqual(['B', 'addr', 'city', 'teams'])
    expect((await ask(query({}))).disclosed).toEqual({ c: [] })
  })
})

describe('credentials of a query', () => {
  test('are refused where the query breaks a rule, and ignored where it only says more [VP-W-QRY-01] [VP-W-QRY-02] [VP-W-QRY-04]', async () => {
    for (const broken of [
      { credentials: [] },
      query({ id: 'a b' }),
      query({ claims: [] }),
      query({ meta: {} }),
      query({ claim_sets: [['a']] }),
    ]) {
      expect((await ask(broken)).reason).toBe('invalid_request')
    }
    expect(
      (await ask(query({ claims: [{ path: ['role'], extra: 1 }], extra: {} }, { extra: 2 }))).disclosed,
    ).toEqual({ c: ['role'] })
  })

  test('asked for twice are disclosed once [VP-W-QRY-03]', async () => {
    expect(await disclosedFor({ path: ['role'] }, { path: ['role'] })).toEqual(['role'])
  })

  test('are of the type, in force and bound to a key [VP-W-SEL-01] [VP-W-SEL-02]', async () => {
    expect((await ask(query({ meta: { vct_values: [`${VCT}/2`] } }))).reason).toBe('no_credential')
    expect((await ask(query({ meta: { vct_values: [VCT.toUpperCase()] } }))).reason).toBe('no_credential')
    expect((await ask(query({}))).reply).toMatchObject({ outcome: 'delivered' })
    const old = await createPresentationWorld({
      ...everything,
      script: issuer,
      verifierScript: { query: query({}) },
    })
    old.time.advance(31 * 86_400)
    expect(await old.present()).toMatchObject({ outcome: 'refused' })
    expect(await old.reason()).toBe('no_credential')
    const {
      proof_types_supported: _p,
      cryptographic_binding_methods_supported: _b,
      ...unbound
    } = within(METADATA, 'credential_configurations_supported', 'role_v1')
    const metadata = (document: JsonObject) => ({
      ...document,
      credential_configurations_supported: { role_v1: unbound },
    })
    expect((await ask(query({}), { script: { ...issuer, metadata } })).reason).toBe('no_credential')
  })

  test('answer to authorities by the key of their chain [VP-W-SEL-03]', async () => {
    expect((await ask(query({ trusted_authorities: [{ type: 'aki', values: ['AAAA'] }] }))).reason).toBe(
      'no_credential',
    )
    expect(
      (
        await ask(query({ trusted_authorities: [{ type: 'etsi_tl', values: ['https://lotl.example'] }] }))
      ).world.network.calls.some(({ url }) => url.includes('lotl')),
    ).toBe(false)
    expect((await ask(query({}))).reply).toMatchObject({ outcome: 'delivered' })
  })

  test('are all needed where no set is given, and never in part [VP-W-SEL-05] [VP-W-SEL-07]', async () => {
    const two = together(
      query({}),
      query({ id: 'x', meta: { vct_values: ['https://credentials.example/none'] } }),
    )
    const { reply, token } = await ask(two)
    expect(reply).toMatchObject({ outcome: 'refused' })
    expect(token).not.toHaveProperty('c')
    const both = together(
      query({ claims: [{ path: ['role'] }] }),
      query({ id: 'd', claims: [{ path: ['region'] }] }),
    )
    expect((await ask(both)).disclosed).toEqual({ c: ['role'], d: ['region'] })
  })

  test('come as the sets say, optional ones left out where they cannot be met [VP-W-SEL-06] [VP-W-SEL-08]', async () => {
    const credentials = ['a', 'b', 'c'].map((id) => ({
      id,
      format: 'dc+sd-jwt',
      meta: { vct_values: [id === 'a' ? 'https://credentials.example/none' : VCT] },
    }))
    const sets = async (credential_sets: JsonValue) =>
      Object.keys((await ask({ credentials, credential_sets })).token).sort()
    expect(await sets([{ options: [['a'], ['b', 'c']] }])).toEqual(['b', 'c'])
    expect(await sets([{ options: [['a']], required: false }, { options: [['c']] }])).toEqual(['c'])
    expect(await sets([{ options: [['c', 'a'], ['c']] }])).toEqual(['c'])
    const none = await ask({ credentials, credential_sets: [{ options: [['a']], required: false }] })
    expect(none.reply).toMatchObject({ outcome: 'refused' })
  })

  test('are one each, always the same, with a presentation of its own per query [VP-W-SEL-09] [VP-W-SEL-10]', async () => {
    const both = together(
      query({ claims: [{ path: ['role'] }] }),
      query({ id: 'd', claims: [{ path: ['region'] }] }),
    )
    const { token } = await ask(both)
    expect(token['c']).toHaveLength(1)
    expect(token['d']).toHaveLength(1)
    expect(shown(token['c']?.[0]).keyBinding.payload['sd_hash']).not.toBe(
      shown(token['d']?.[0]).keyBinding.payload['sd_hash'],
    )
    expect((await ask(query({ multiple: true }))).token['c']).toHaveLength(1)
  })
})

describe('a presentation', () => {
  test('is bound by exactly type, time, audience, nonce and hash [VP-W-VPR-03] [VP-W-VPR-04] [VP-W-VPR-05]', async () => {
    const { token, world } = await ask(query({ claims: [{ path: ['role'] }] }))
    const [presentation = ''] = token['c'] ?? []
    const { header, payload } = decoded(presentation.split('~').at(-1) ?? '')
    expect(header).toEqual({ alg: 'ES256', typ: 'kb+jwt' })
    const presented = presentation.slice(0, presentation.lastIndexOf('~') + 1)
    expect(payload).toEqual({
      iat: START,
      aud: world.clientId,
      nonce: NONCE,
      sd_hash: digest('sha-256', presented),
    })
  })

  test('is compact and always bound where the credential is [VP-W-VPR-06] [VP-W-VPR-10]', async () => {
    const { token } = await ask(query({}))
    const [presentation = ''] = token['c'] ?? []
    expect(presentation.split('~').at(-1)?.split('.')).toHaveLength(3)
    expect(presentation.startsWith('eyJ')).toBe(true)
  })
})

describe('transaction data', () => {
  test('of any kind ends the request while the feature is off [VP-W-TXD-01] [VP-W-TXD-02]', async () => {
    for (const entry of [
      { type: 'payment', credential_ids: ['c'] },
      { type: 'payment', credential_ids: [] },
      {},
    ]) {
      const world = await createPresentationWorld({ ...everything, script: issuer })
      world.perform({
        query: query({}),
        request: (p) => ({ ...p, transaction_data: [encodeBase64url(utf8(JSON.stringify(entry)))] }),
      })
      expect(await world.present()).toMatchObject({ outcome: 'refused' })
      expect(await world.reason()).toBe('invalid_transaction_data')
    }
  })
})

describe('privacy', () => {
  const answerBytes = (world: PresentationWorld) =>
    new URLSearchParams(world.to('/response')[0]?.body).toString()

  test('a missing credential, another value and no mandate look the same [VP-W-PRV-02] [VP-W-PRV-04]', async () => {
    const plain = { wallet: { profile: 'base' } } as const
    const ways: readonly PresentationOptions[] = [
      { ...plain, rules: () => [] },
      { ...plain, ...everything, holding: false },
      { ...plain, ...everything },
    ]
    const answers = []
    for (const options of ways) {
      const world = await createPresentationWorld({ script: issuer, ...options })
      const wanted = query({ claims: [{ path: ['role'], values: ['Clerk'] }] })
      world.perform({ query: wanted, request: (p) => ({ ...p, response_mode: 'direct_post' }) })
      expect(await world.present()).toEqual({ outcome: 'refused', reference: expect.stringMatching(/^req_/) })
      answers.push(answerBytes(world))
    }
    expect(new Set(answers)).toEqual(new Set(['error=access_denied&state=st-1']))
    expect((await ask(query({ claims: [{ path: ['role'], values: ['Manager'] }] }))).reply).toMatchObject({
      outcome: 'delivered',
    })
  })

  test('probing with ever other values ends at a limit [VP-W-PRV-03]', async () => {
    const world = await createPresentationWorld({
      ...everything,
      script: issuer,
      wallet: { refusals: { most: 5, windowSeconds: 60 } },
    })
    for (let probe = 0; probe < 8; probe += 1) {
      world.perform({ query: query({ claims: [{ path: ['role'], values: [`Guess ${probe}`] }] }) })
      await world.callApi()
    }
    expect(await world.reason()).toBe('refusal_limit')
    expect(world.lines.some((line) => line.includes('wallet.refusal_limit'))).toBe(true)
    const answered = world.to('/challenge').filter(({ body }) => body.includes('openid4vp_response'))
    expect(answered).toHaveLength(5)
    world.time.advance(61)
    world.perform({ query: query({ claims: [{ path: ['role'] }] }) })
    expect((await world.callApi()).status).toBe(200)
  })

  test('probing ends at the same limit where the requests come by link', async () => {
    const world = await createPresentationWorld({
      ...everything,
      script: issuer,
      wallet: { refusals: { most: 5, windowSeconds: 60 } },
    })
    for (let probe = 0; probe < 8; probe += 1) {
      world.perform({ query: query({ claims: [{ path: ['role'], values: [`Guess ${probe}`] }] }) })
      await world.present()
    }
    expect(await world.reason()).toBe('refusal_limit')
    expect(world.to('/response')).toHaveLength(5)
    world.time.advance(61)
    world.perform({ query: query({ claims: [{ path: ['role'] }] }) })
    expect(await world.present()).toMatchObject({ outcome: 'delivered' })
  })

  test('a revoked credential is not shown, and noted [VP-W-SEL-04]', async () => {
    const world = await createPresentationWorld({
      ...everything,
      script: issuer,
      verifierScript: { query: query({}) },
    })
    world.play({ ...issuer, status: 1 })
    world.time.advance(3601)
    expect(await world.present()).toMatchObject({ outcome: 'refused' })
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [{ state: 'revoked' }] })
  })
})

describe('copies for one use', () => {
  test('are spent before the bytes leave, each once, also over a restart [VCI-W-SEC-06] [VP-W-SEL-11] [VP-W-PRV-07]', async () => {
    const world = await createPresentationWorld({
      ...everything,
      script: { ...issuer, disclosable: [] },
      issuer: { copies: 3, use: 'once' },
      verifierScript: { query: query({}) },
    })
    const seen: string[] = []
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await world.present()).toMatchObject({ outcome: 'delivered' })
      seen.push((await world.vpToken())['c']?.[0]?.split('~')[0] ?? '')
      world.restart()
    }
    expect(new Set(seen).size).toBe(3)
    expect(await world.present()).toMatchObject({ outcome: 'refused' })
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [{ copiesLeft: 0 }] })
  })

  test('are topped up in time, and a crash after the token loses no credential', async () => {
    const world = await createPresentationWorld({
      ...everything,
      script: { ...issuer, refreshToken: 'r1' },
      issuer: { copies: 4, use: 'once' },
      verifierScript: { query: query({}) },
    })
    for (let turn = 0; turn < 3; turn += 1) await world.present()
    await world.wallet.maintain()
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [{ copiesLeft: 4 }] })

    world.play({
      ...issuer,
      steps: {
        '/credential': () => {
          throw new Error('The process ended here.')
        },
      },
    })
    const link = offerLink({
      ...OFFER,
      grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': 'code-9', tx_code: {} } },
    })
    await expect(world.wallet.receive(AGENT, link, TX_CODE)).rejects.toThrow('ended here')
    world.play(issuer)
    const before = (await world.wallet.overview(AGENT)).credentials[0]?.id
    world.time.advance(61)
    world.restart()
    await world.wallet.maintain()
    expect((await world.wallet.overview(AGENT)).credentials[0]?.id).not.toBe(before)
  })
})
