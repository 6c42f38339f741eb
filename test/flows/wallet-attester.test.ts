import { createHmac } from 'node:crypto'
import { type AuditTrail, createAuditTrail } from '@attache/audit'
import {
  createMemoryStore,
  encodeBase64url,
  type LogFields,
  parseJson,
  routeRequests,
  utf8,
} from '@attache/core'
import { createSeal, digest, jwkThumbprint, parseJws, type Signer, signJws } from '@attache/keys'
import { createClientAttestation, createClientAttestationPop, verifyClientAttestation } from '@attache/oauth'
import {
  type AttesterOptions,
  createAttestationRequest,
  createAttester,
  createRemoteAttester,
} from '@attache/wallet'
import { describe, expect, test } from 'vitest'
import { createFixedClock, NOW } from '../support/clock.js'
import { createNetwork, type Network } from '../support/network.js'
import { createSeededRandom } from '../support/random.js'
import { createTokenIssuer, serviceAccountClaims, type TokenIssuer } from '../support/token-issuer.js'
import { certify, newSigner } from './issuer-bench.js'

const ATTESTER = 'https://attester.example'
const CLUSTER = 'https://cluster.example'
const CLIENT = 'https://wallet.example/agents'
const CLAIMS = { issuer: CLUSTER, audience: ATTESTER }

const cluster = await createTokenIssuer(CLUSTER)
const attesterKey = await certify('Attester')

interface Line extends LogFields {
  readonly event: string
}

interface World {
  readonly network: Network
  readonly lines: readonly Line[]
  readonly time: ReturnType<typeof createFixedClock>
  readonly issuer: TokenIssuer
  readonly trail: AuditTrail
  /** How many challenges are remembered as spent. */
  spent(): Promise<number>
  /** Asks as a wallet does. */
  attest(token: string, options?: { instance?: Signer; clientId?: string; agent?: string }): Promise<string>
  /** The check that the last refusal stands for, from the log. */
  lastCheck(): string | undefined
  challenge(): Promise<string>
  post(body: unknown): Promise<Response>
}

const RULES: AttesterOptions['rules'] = [
  {
    id: 'payroll',
    issuer: CLUSTER,
    subject: 'system:serviceaccount:payroll:*',
    claims: [{ path: ['kubernetes.io', 'serviceaccount', 'name'], equals: 'export' }],
    clientId: CLIENT,
    agents: ['payroll-export'],
  },
]

async function createWorld(
  change: Partial<AttesterOptions> = {},
  issuer: TokenIssuer = cluster,
  audit?: Pick<AuditTrail, 'append'>,
): Promise<World> {
  const time = createFixedClock()
  const random = createSeededRandom('attester')
  const lines: Line[] = []
  const write = (event: string, fields: LogFields = {}) => {
    lines.push({ ...fields, event })
  }
  const log = { info: write, warn: write, error: write }
  const store = createMemoryStore({ clock: time.clock })
  const trail = createAuditTrail(
    { tenant: 'default', trail: 'attester' },
    { store, signer: attesterKey.signer, clock: time.clock },
  )
  const network = createNetwork({ [issuer.issuer]: issuer.handle })
  const role = createAttester(
    {
      attester: ATTESTER,
      tokenIssuers: [
        {
          issuer: CLUSTER,
          audience: ATTESTER,
          keys: { jwksUri: `${CLUSTER}/jwks` },
          algorithms: ['RS256'],
        },
      ],
      rules: RULES,
      ...change,
    },
    {
      signer: attesterKey.signer,
      store,
      audit: audit ?? trail,
      seal: createSeal([{ id: 's1', key: random(32) }], { random }),
      fetch: network.fetch,
      clock: time.clock,
      random,
      log,
    },
  )
  const router = routeRequests(role.routes)
  network.serve(ATTESTER, async (request) => (await router(request)) ?? new Response(null, { status: 404 }))
  const post = (body: unknown) =>
    network.fetch(`${ATTESTER}/attestation`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  return {
    network,
    lines,
    time,
    issuer,
    post,
    trail,
    spent: async () => (await store.list('t/default/attester/')).length,
    async attest(token, { instance = newSigner(), clientId = CLIENT, agent = 'payroll-export' } = {}) {
      const options = { attester: ATTESTER, anchors: attesterKey.anchors }
      const client = createRemoteAttester(options, { fetch: network.fetch, readToken: async () => token })
      return (await client.attest({ clientId, agent, instance }, time.clock())).jwt
    },
    lastCheck() {
      const cause = lines.filter(({ event }) => event === 'attester.attestation.refused').at(-1)?.['cause']
      return typeof cause === 'string' ? cause : undefined
    },
    async challenge() {
      const response = await network.fetch(`${ATTESTER}/challenge`, { method: 'POST' })
      const parsed = parseJson(await response.text())
      const value = parsed.ok ? parsed.value : null
      return typeof value === 'object' && value !== null && 'attestation_challenge' in value
        ? String(value['attestation_challenge'])
        : ''
    },
  }
}

const token = (change = {}) => cluster.sign(serviceAccountClaims(CLAIMS, change))

/** Expects the one refusal, and its reason in the log. */
async function expectRefusal(world: World, attempt: Promise<string>, check: string): Promise<void> {
  await expect(attempt).rejects.toMatchObject({ code: 'attester_refused' })
  expect(world.lastCheck()?.split(' <- ')).toContain(check)
}

describe('the attester', () => {
  test('vouches for a workload that a rule names: client, key and a short life, nothing else [ABCA-A-02] [WL-05]', async () => {
    const world = await createWorld()
    const instance = newSigner()
    const jwt = await world.attest(await token(), { instance })

    const { header, payload } = parseJws(jwt)
    expect(header).toMatchObject({ typ: 'oauth-client-attestation+jwt', alg: 'ES256' })
    expect(Object.keys(payload).sort()).toEqual(['cnf', 'exp', 'iat', 'iss', 'sub'])
    expect(payload).toMatchObject({ iss: ATTESTER, sub: CLIENT, iat: NOW, exp: NOW + 900 })

    const pop = await createClientAttestationPop(
      { audience: 'https://as.example', clientId: CLIENT },
      instance,
      {
        now: NOW,
        random: createSeededRandom('pop'),
      },
    )
    const attesters = [
      { name: 'attester', anchors: attesterKey.anchors, issuer: ATTESTER, clients: [{ is: CLIENT }] },
    ]
    const expected = {
      audience: 'https://as.example',
      attesters,
      algorithms: ['ES256'],
      dpopCombined: false,
    } as const
    expect(verifyClientAttestation({ attestation: jwt, pop }, expected, NOW)).toMatchObject({
      clientId: CLIENT,
      instanceJkt: jwkThumbprint(instance.publicJwk),
    })
  })

  test('takes the same workload token again until it expires; another key is all that differs [VCI-W-WA-03]', async () => {
    const world = await createWorld()
    const text = await token()
    const [first, second] = [await world.attest(text), await world.attest(text)]
    const [{ cnf: one, ...rest }, { cnf: other, ...same }] = [
      parseJws(first).payload,
      parseJws(second).payload,
    ]
    expect(one).not.toEqual(other)
    expect(rest).toEqual(same)
    world.time.advance(2900)
    await expect(world.attest(text)).resolves.toBeTruthy()
    world.time.advance(161)
    await expectRefusal(world, world.attest(text), 'jwt_expired')
  })

  test('hands out challenges to anyone and writes nothing for them', async () => {
    const world = await createWorld()
    const response = await world.network.fetch(`${ATTESTER}/challenge`, { method: 'POST' })
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect((await world.network.fetch(`${ATTESTER}/challenge`)).status).toBe(405)
    expect(await world.spent()).toBe(0)
    await world.attest(await token())
    expect(await world.spent()).toBe(1)
  })
})

describe('the audit trail of an attester', () => {
  test('names the rule, the client and the key, in a chain; a refusal is in the log alone', async () => {
    const world = await createWorld()
    const [first, second] = [newSigner(), newSigner()]
    const text = await token()
    await world.attest(text, { instance: first })
    await expect(world.attest(text, { agent: 'other-agent' })).rejects.toMatchObject({
      code: 'attester_refused',
    })
    await world.attest(text, { instance: second })
    const entries = []
    for await (const { kind, subject, facts } of world.trail.export()) entries.push({ kind, subject, facts })
    expect(entries).toEqual(
      [first, second].map(({ kid }) => ({
        kind: 'attester.vouched',
        subject: CLIENT,
        facts: { rule: 'payroll', token_issuer: CLUSTER, instance: kid, expires_at: NOW + 900 },
      })),
    )
    expect(await world.trail.verify()).toMatchObject({ ok: true })
  })

  test('nothing leaves that could not be written down', async () => {
    const world = await createWorld({}, cluster, {
      append: async () => {
        throw new Error('The disk is full.')
      },
    })
    await expect(world.attest(await token())).rejects.toMatchObject({ code: 'attester_unavailable' })
    expect(world.lines.at(-1)?.event).toBe('attester.attestation.fault')
  })
})

describe('the attester refuses, by one code', () => {
  const cases: readonly (readonly [string, Record<string, unknown>, string])[] = [
    [
      'the audience of the API server',
      { aud: ['https://kubernetes.default.svc'] },
      'workload_token_audience',
    ],
    ['another audience beside its own', { aud: [ATTESTER, 'https://b.example'] }, 'workload_token_audience'],
    ['an audience that only begins alike', { aud: `${ATTESTER}.evil.example` }, 'workload_token_audience'],
    ['no audience', { aud: undefined }, 'workload_token_audience'],
    ['a token that is bound to a key', { cnf: { jkt: 'x' } }, 'workload_token_bound'],
    ['another namespace', { sub: 'system:serviceaccount:payroll-tools:export' }, 'workload_subject'],
    ['a subject that ends with the prefix', { sub: 'system:serviceaccount:payroll:' }, 'workload_subject'],
    ['no subject', { sub: undefined }, 'workload_token_claims'],
    ['a subject that is no text', { sub: 7 }, 'workload_token_claims'],
    [
      'a claim with another value',
      { 'kubernetes.io': { serviceaccount: { name: 'web' } } },
      'workload_claims',
    ],
    [
      'a claim of another type',
      { 'kubernetes.io': { serviceaccount: { name: ['export'] } } },
      'workload_claims',
    ],
    ['no such claim', { 'kubernetes.io': undefined }, 'workload_claims'],
    ['an expired token', { iat: NOW - 4000, exp: NOW - 60 }, 'jwt_expired'],
    ['a token that never expires', { exp: undefined }, 'workload_token_claims'],
    ['a token without a beginning', { iat: undefined }, 'workload_token_claims'],
    ['a token that lives too long', { exp: NOW + 86_400 }, 'workload_token_life'],
    ['a token from the future', { iat: NOW + 300, exp: NOW + 900 }, 'jwt_issued_in_future'],
    ['a token that is not valid yet', { nbf: NOW + 300 }, 'jwt_not_yet_valid'],
    ['a time in milliseconds', { exp: (NOW + 60) * 1000 }, 'jwt_time_malformed'],
    ['an issuer nobody configured', { iss: 'https://cluster.example.evil' }, 'workload_token_issuer'],
    ['an issuer with a slash more', { iss: `${CLUSTER}/` }, 'workload_token_issuer'],
    ['the issuer __proto__', { iss: '__proto__' }, 'workload_token_issuer'],
  ]
  test.each(cases)('%s [WL-05]', async (_, change, check) => {
    const world = await createWorld()
    await expectRefusal(world, world.attest(await token(change)), check)
  })

  test('another client, and an agent the rule does not name', async () => {
    const world = await createWorld()
    const text = await token()
    await expectRefusal(world, world.attest(text, { clientId: 'https://other.example' }), 'workload_client')
    await expectRefusal(world, world.attest(text, { agent: 'other-agent' }), 'workload_agent')
  })

  test('says the same to the caller whatever failed, and logs no word of the token', async () => {
    const world = await createWorld()
    const answers: string[] = []
    for (const change of [
      { aud: 'x' },
      { sub: 'subject-canary-value' },
      { exp: NOW - 100, iat: NOW - 200 },
    ]) {
      const text = await token(change)
      const instance = newSigner()
      const challenge = await world.challenge()
      const statement = { attester: ATTESTER, challenge, workloadToken: text, clientId: CLIENT, agent: 'a' }
      const response = await world.post(await createAttestationRequest(statement, instance))
      expect(response.status).toBe(403)
      expect(response.headers.get('cache-control')).toBe('no-store')
      answers.push(await response.text())
      const line = world.lines.at(-1)
      expect(line?.['request_id']).toBe(response.headers.get('x-request-id'))
      const [, payload = '', signature = ''] = text.split('.')
      for (const secret of [payload, signature, 'subject-canary-value', challenge])
        expect(JSON.stringify(world.lines)).not.toContain(secret)
    }
    expect(new Set(answers).size).toBe(1)
    expect(answers[0]).toContain('"error":"attestation_refused"')
  })

  test('a body that is no request', async () => {
    const world = await createWorld()
    for (const body of [{}, [], { workload_token: 'a.b.c' }, { workload_token: 'a.b.c', proof: 'a b.c.d' }]) {
      const response = await world.post(body)
      expect(response.status).toBe(400)
      expect(await response.text()).toContain('invalid_request')
    }
    const long = `a.${'b'.repeat(9000)}.c`
    expect((await world.post({ workload_token: long, proof: 'a.b.c' })).status).toBe(400)
    expect((await world.post({ workload_token: 'a.b.c', proof: 'x'.repeat(20_000) })).status).toBe(413)
  })
})

describe('types and algorithms of workload tokens', () => {
  const encode = (value: unknown) => encodeBase64url(utf8(JSON.stringify(value)))

  test('no type, JWT and JOSE count; the type of another kind of token does not', async () => {
    const world = await createWorld()
    const claims = serviceAccountClaims(CLAIMS)
    await expect(world.attest(await cluster.sign(claims, { typ: 'JWT' }))).resolves.toBeTruthy()
    await expect(world.attest(await cluster.sign(claims, { typ: 'JOSE' }))).resolves.toBeTruthy()
    for (const typ of ['at+jwt', 'jwt', 'logout+jwt', ''])
      await expectRefusal(world, world.attest(await cluster.sign(claims, { typ })), 'workload_token_type')
  })

  test('none, a MAC with the public key, and an algorithm that is not listed never reach a key', async () => {
    const world = await createWorld()
    const claims = serviceAccountClaims(CLAIMS)
    const [publicJwk] = cluster.jwks().keys
    for (const alg of ['none', 'HS256', 'PS256', 'RS384']) {
      const input = `${encode({ alg, kid: 'key-1' })}.${encode(claims)}`
      const signature = createHmac('sha256', JSON.stringify(publicJwk)).update(input).digest('base64url')
      await expectRefusal(world, world.attest(`${input}.${signature}`), 'workload_token_algorithm')
    }
    expect(world.network.calls.filter(({ url }) => url.startsWith(CLUSTER))).toEqual([])
    const unsigned = `${encode({ alg: 'none' })}.${encode(claims)}.`
    await expectRefusal(world, world.attest(unsigned), 'jws_malformed')
  })

  test('a key that the token brings itself is not looked at', async () => {
    const world = await createWorld()
    const thief = newSigner()
    const issuers = [
      {
        issuer: CLUSTER,
        audience: ATTESTER,
        keys: { jwksUri: `${CLUSTER}/jwks` },
        algorithms: ['ES256'] as const,
      },
    ]
    const open = await createWorld({ tokenIssuers: issuers })
    const payload = JSON.stringify(serviceAccountClaims(CLAIMS))
    for (const header of [
      { kid: 'key-1', jwk: { ...thief.publicJwk } },
      { jku: 'https://evil.example/jwks' },
    ]) {
      const forged = await signJws({ header, payload }, thief)
      await expectRefusal(world, world.attest(forged), 'workload_token_algorithm')
      await expectRefusal(open, open.attest(forged), 'workload_token_key')
    }
    expect(open.network.calls.some(({ url }) => url.includes('evil'))).toBe(false)
  })

  test.each(['ES256', 'EdDSA'] as const)(
    'takes %s where it is listed, and keys found by discovery',
    async (alg) => {
      const issuer = await createTokenIssuer('https://ci.example/tenant', { alg })
      const world = await createWorld(
        {
          tokenIssuers: [
            { issuer: issuer.issuer, audience: ATTESTER, keys: { discovery: true }, algorithms: [alg] },
          ],
          rules: [{ id: 'ci', issuer: issuer.issuer, subject: 'repo:acme/*', clientId: CLIENT }],
        },
        issuer,
      )
      network(world, issuer)
      const claims = { iss: issuer.issuer, aud: ATTESTER, iat: NOW, exp: NOW + 300 }
      const good = await issuer.sign({ ...claims, sub: 'repo:acme/payroll:ref:refs/heads/main' })
      await expect(world.attest(good)).resolves.toBeTruthy()
      const other = await issuer.sign({ ...claims, sub: 'repo:acme-tools/payroll:ref:refs/heads/main' })
      await expectRefusal(world, world.attest(other), 'workload_subject')
    },
  )
})

/** Answers for the origin of an issuer whose identifier has a path. */
function network(world: World, issuer: TokenIssuer): void {
  world.network.serve(new URL(issuer.issuer).origin, issuer.handle)
}

describe('keys of a token issuer', () => {
  test('a rotated key is found by one refetch, and the retired one counts no more', async () => {
    const issuer = await createTokenIssuer(CLUSTER)
    const world = await createWorld({}, issuer)
    const old = await issuer.sign(serviceAccountClaims(CLAIMS))
    await world.attest(old)
    await issuer.rotate('key-2')
    world.time.advance(31)
    await expect(world.attest(await issuer.sign(serviceAccountClaims(CLAIMS)))).resolves.toBeTruthy()
    expect(issuer.fetches()).toBe(2)
    await expectRefusal(world, world.attest(old), 'issuer_key_not_found')
    expect(issuer.fetches()).toBe(2)
  })

  test('a storm of unknown kids costs the issuer one fetch per cool-down', async () => {
    const issuer = await createTokenIssuer(CLUSTER)
    const world = await createWorld({}, issuer)
    await world.attest(await issuer.sign(serviceAccountClaims(CLAIMS)))
    world.time.advance(31)
    const claims = serviceAccountClaims(CLAIMS)
    const invented = await Promise.all(
      Array.from({ length: 50 }, (_, at) => issuer.sign(claims, { kid: `invented-${at}` })),
    )
    const outcomes = await Promise.allSettled(invented.map((text) => world.attest(text)))
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    expect(issuer.fetches()).toBe(2)
  })

  test('an issuer that does not answer: known keys serve for an hour, then nobody is vouched for', async () => {
    const issuer = await createTokenIssuer(CLUSTER)
    const world = await createWorld({}, issuer)
    const at = (iat: number) => issuer.sign(serviceAccountClaims(CLAIMS, { iat, nbf: iat, exp: iat + 600 }))
    await world.attest(await at(NOW))
    world.network.serve(CLUSTER, async () => new Response(null, { status: 503 }))
    world.time.advance(3500)
    await expect(world.attest(await at(NOW + 3500))).resolves.toBeTruthy()
    world.time.advance(200)
    await expectRefusal(world, world.attest(await at(NOW + 3700)), 'issuer_keys_unavailable')
    world.network.serve(CLUSTER, issuer.handle)
    world.time.advance(31)
    await expect(world.attest(await at(NOW + 3731))).resolves.toBeTruthy()
  })

  test('a literal set is what it is: nothing is fetched, and a new key is a new configuration', async () => {
    const issuer = await createTokenIssuer(CLUSTER)
    const keys = { jwks: { keys: [...issuer.jwks().keys] } }
    const tokenIssuers = [{ issuer: CLUSTER, audience: ATTESTER, keys, algorithms: ['RS256'] as const }]
    const world = await createWorld({ tokenIssuers }, issuer)
    const sign = () => issuer.sign(serviceAccountClaims(CLAIMS))
    await expect(world.attest(await sign())).resolves.toBeTruthy()
    await issuer.rotate('key-2', { keep: true })
    await expectRefusal(world, world.attest(await sign()), 'issuer_key_not_found')
    expect(issuer.fetches()).toBe(0)
  })

  test('a kid means a key of the issuer that the token names, and of no other', async () => {
    const other = await createTokenIssuer('https://other.example', { kid: 'key-1' })
    const issuers = [cluster, other].map(({ issuer }) => ({
      issuer,
      audience: ATTESTER,
      keys: { jwksUri: `${issuer}/jwks` },
      algorithms: ['RS256'] as const,
    }))
    const rules = [
      ...RULES,
      { id: 'other', issuer: other.issuer, subject: 'spiffe://other.example/job', clientId: CLIENT },
    ]
    const world = await createWorld({ tokenIssuers: issuers, rules })
    network(world, other)
    await expect(world.attest(await token())).resolves.toBeTruthy()
    const forged = await other.sign(serviceAccountClaims(CLAIMS))
    await expectRefusal(world, world.attest(forged), 'jws_signature')
    // What the other issuer may say is its own rule alone.
    const foreign = await other.sign(serviceAccountClaims({ issuer: other.issuer, audience: ATTESTER }))
    await expectRefusal(world, world.attest(foreign), 'workload_subject')
  })
})

describe('SPIFFE JWT-SVIDs', () => {
  test('count by the whole trust domain, and by the path below it [WL-06]', async () => {
    const spire = await createTokenIssuer('https://oidc.prod.example', { alg: 'ES256' })
    const tokenIssuers = [
      {
        issuer: spire.issuer,
        audience: ATTESTER,
        keys: { jwksUri: `${spire.issuer}/jwks` },
        algorithms: ['ES256'] as const,
        maxLifetimeSeconds: 600,
      },
    ]
    const subject = 'spiffe://prod.example/ns/payroll/*'
    const rules = [{ id: 'payroll', issuer: spire.issuer, subject, clientId: CLIENT }]
    const world = await createWorld({ tokenIssuers, rules }, spire)
    const svid = (sub: string, aud: readonly string[] = [ATTESTER]) =>
      spire.sign({ iss: spire.issuer, sub, aud: [...aud], iat: NOW, exp: NOW + 300 }, { typ: 'JOSE' })
    await expect(world.attest(await svid('spiffe://prod.example/ns/payroll/sa/export'))).resolves.toBeTruthy()
    for (const stranger of [
      'spiffe://other.example/ns/payroll/sa/export',
      'spiffe://prod.example.evil/ns/payroll/sa/export',
      'spiffe://prod.example/ns/payroll-tools/sa/export',
      'spiffe://prod.example/ns/payroll/',
      'spiffe://prod.example/ns/payroll/../admin',
      'spiffe://prod.example/ns/payroll//x',
      'SPIFFE://prod.example/ns/payroll/sa/export',
    ]) {
      await expectRefusal(world, world.attest(await svid(stranger)), 'workload_subject')
    }
    const shared = await svid('spiffe://prod.example/ns/payroll/sa/export', [ATTESTER, 'https://b.example'])
    await expectRefusal(world, world.attest(shared), 'workload_token_audience')
  })
})

describe('a wallet takes from its attester', () => {
  const attestationFor = async (change: {
    clientId?: string
    expiresAt?: number
    key?: Signer
    by?: Signer
  }) => {
    const world = await createWorld()
    const instance = newSigner()
    const { clientId = CLIENT, expiresAt = NOW + 900, key = instance, by = attesterKey.signer } = change
    const jwt = await createClientAttestation({ clientId, expiresAt, instanceKey: key.publicJwk }, by, NOW)
    world.network.serve(ATTESTER, async (request) =>
      request.url.endsWith('/challenge')
        ? Response.json({ attestation_challenge: 'c' })
        : Response.json({ client_attestation: jwt }),
    )
    return world.attest(await token(), { instance })
  }
  const unfit = { code: 'attester_answer' }

  test('an attestation for itself, its key and a time to come, by the attester it knows', async () => {
    const stranger = await certify('Stranger')
    await expect(attestationFor({})).resolves.toBeTruthy()
    await expect(attestationFor({ clientId: 'https://other.example' })).rejects.toMatchObject(unfit)
    await expect(attestationFor({ key: newSigner() })).rejects.toMatchObject(unfit)
    await expect(attestationFor({ expiresAt: NOW - 61 })).rejects.toMatchObject(unfit)
    await expect(attestationFor({ by: newSigner() })).rejects.toMatchObject(unfit)
    await expect(attestationFor({ by: stranger.signer })).rejects.toMatchObject({
      ...unfit,
      message: expect.stringContaining('anchor_not_found'),
    })
  })

  const answers: readonly (readonly [string, () => Response, string])[] = [
    ['a fault', () => new Response(null, { status: 500 }), 'attester_unavailable'],
    ['another path', () => new Response(null, { status: 404 }), 'attester_unavailable'],
    ['a page', () => new Response('<html>'), 'attester_unavailable'],
    ['no challenge', () => Response.json({}), 'attester_unavailable'],
    ['no attestation', () => Response.json({ attestation_challenge: 'c' }), 'attester_answer'],
    [
      'no JWT',
      () => Response.json({ attestation_challenge: 'c', client_attestation: 'x' }),
      'attester_answer',
    ],
  ]
  test.each(answers)('nothing from %s, and says what to look at', async (_, answer, code) => {
    const world = await createWorld()
    world.network.serve(ATTESTER, async () => answer())
    const told = { code, message: expect.stringMatching(/Check .*attestation\.attester\.url/) }
    await expect(world.attest(await token())).rejects.toMatchObject(told)
  })

  test('nothing of the words of a refusal but an id of the known form', async () => {
    const world = await createWorld()
    world.network.serve(ATTESTER, async (request) =>
      request.url.endsWith('/challenge')
        ? Response.json({ attestation_challenge: 'c' })
        : Response.json({ error: 'canary' }, { status: 403, headers: { 'x-request-id': 'canary text' } }),
    )
    const told = world.attest(await token())
    await expect(told).rejects.toMatchObject({ code: 'attester_refused' })
    await expect(told).rejects.not.toThrow('canary')
  })
})

describe('proof of possession', () => {
  const fresh = async (world: World, workloadToken: string, instance: Signer) => {
    const challenge = await world.challenge()
    const statement = {
      attester: ATTESTER,
      challenge,
      workloadToken,
      clientId: CLIENT,
      agent: 'payroll-export',
    }
    return createAttestationRequest(statement, instance)
  }
  const refused = async (world: World, body: unknown, check: string) => {
    const response = await world.post(body)
    expect(response.status).toBe(403)
    expect(world.lastCheck()?.split(' <- ')).toContain(check)
  }

  test('a stolen token brings nobody an attestation over a key that he does not hold', async () => {
    const world = await createWorld()
    const [victim, thief] = [newSigner(), newSigner()]
    const text = await token()
    const payload = {
      aud: ATTESTER,
      challenge: await world.challenge(),
      wth: digest('sha-256', text),
      client_id: CLIENT,
      agent: 'payroll-export',
    }
    const header = { typ: 'attache-instance-proof-v1+jwt', jwk: { ...victim.publicJwk } }
    await refused(
      world,
      { workload_token: text, proof: await signJws({ header, payload }, thief) },
      'jws_signature',
    )
    // The same proof with the right key holds: nothing else was wrong with it.
    const sound = { workload_token: text, proof: await signJws({ header, payload }, victim) }
    expect((await world.post(sound)).status).toBe(200)
  })

  test('a challenge serves once, also when the request is sent many times at once', async () => {
    const world = await createWorld()
    const body = await fresh(world, await token(), newSigner())
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.post(body)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    await refused(world, body, 'challenge_used')
  })

  test('a refused request spends no challenge', async () => {
    const world = await createWorld()
    const instance = newSigner()
    const challenge = await world.challenge()
    const request = async (workloadToken: string) =>
      createAttestationRequest(
        { attester: ATTESTER, challenge, workloadToken, clientId: CLIENT, agent: 'payroll-export' },
        instance,
      )
    await refused(world, await request(await token({ aud: 'x' })), 'workload_token_audience')
    expect((await world.post(await request(await token()))).status).toBe(200)
  })

  test('an old challenge, and one that is not ours', async () => {
    const world = await createWorld()
    const text = await token()
    const body = await fresh(world, text, newSigner())
    world.time.advance(60)
    await refused(world, body, 'challenge_unknown')
    const statement = {
      attester: ATTESTER,
      challenge: 'made-up',
      workloadToken: text,
      clientId: CLIENT,
      agent: 'a',
    }
    await refused(world, await createAttestationRequest(statement, newSigner()), 'challenge_unknown')
  })

  test('a proof for another attester, for another token, of another type', async () => {
    const world = await createWorld()
    const instance = newSigner()
    const [text, other] = [await token(), await token({ iat: NOW - 61 })]
    const challenge = await world.challenge()
    const statement = { challenge, workloadToken: text, clientId: CLIENT, agent: 'payroll-export' }
    const elsewhere = await createAttestationRequest(
      { ...statement, attester: 'https://a.example' },
      instance,
    )
    await refused(world, elsewhere, 'instance_proof')
    const here = await createAttestationRequest({ ...statement, attester: ATTESTER }, instance)
    await refused(world, { ...here, workload_token: other }, 'instance_proof')
    const payload = { aud: ATTESTER, challenge, wth: digest('sha-256', text), client_id: CLIENT, agent: 'a' }
    for (const typ of ['oauth-client-attestation-pop+jwt', 'dpop+jwt', 'JWT']) {
      const proof = await signJws({ header: { typ, jwk: { ...instance.publicJwk } }, payload }, instance)
      await refused(world, { workload_token: text, proof }, 'jws_typ')
    }
  })
})

describe('options of an attester', () => {
  const [rule] = RULES
  const issuer = {
    issuer: CLUSTER,
    audience: ATTESTER,
    keys: { discovery: true },
    algorithms: ['RS256'],
  } as const
  const subject = (text: string) => ({
    rules: [{ id: 'r', issuer: CLUSTER, subject: text, clientId: CLIENT }],
  })
  const faults: readonly (readonly [string, Partial<AttesterOptions>, string])[] = [
    ['no https URL', { attester: 'http://attester.example' }, 'attester is no https URL'],
    ['no rules', { rules: [] }, 'rules is empty'],
    ['no issuers', { tokenIssuers: [] }, 'tokenIssuers is empty'],
    ['an issuer twice', { tokenIssuers: [issuer, issuer] }, 'tokenIssuers[1].issuer'],
    ['no algorithm', { tokenIssuers: [{ ...issuer, algorithms: [] }] }, 'tokenIssuers[0].algorithms'],
    ['no keys', { tokenIssuers: [{ ...issuer, keys: { jwks: { keys: [] } } }] }, 'tokenIssuers[0].keys'],
    [
      'keys over http',
      { tokenIssuers: [{ ...issuer, keys: { jwksUri: 'http://x' } }] },
      'tokenIssuers[0].keys',
    ],
    ['a long life', { attestationSeconds: 86_400 }, 'attestationSeconds'],
    [
      'an unknown issuer',
      { rules: [{ id: 'r', issuer: 'x', subject: 's', clientId: CLIENT }] },
      'rules[0].issuer',
    ],
    ['an id twice', { rules: rule === undefined ? [] : [rule, rule] }, 'rules[1].id'],
    ['an open host', subject('spiffe://prod.example*'), 'rules[0].subject ends inside a part'],
    ['an open authority', subject('spiffe://*'), 'rules[0].subject leaves the authority'],
    ['an open port', subject('https://host.example:*'), 'rules[0].subject leaves the authority'],
    ['everybody', subject('*'), 'rules[0].subject ends inside a part'],
    ['every repository', subject('repo:*'), 'rules[0].subject names a single part'],
    ['a star within', subject('repo:*/payroll'), 'rules[0].subject has a star'],
    ['two stars', subject('repo:acme/**'), 'rules[0].subject has a star'],
  ]
  test.each(faults)('%s is refused while loading, by name', async (_, change, message) => {
    await expect(
      createWorld({ ...subject('system:serviceaccount:payroll:export'), ...change }),
    ).rejects.toThrow(
      expect.objectContaining({
        code: 'attester_options_invalid',
        message: expect.stringContaining(message),
      }),
    )
  })
})
