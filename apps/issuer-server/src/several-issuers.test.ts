import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createGuardedFetch,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  type OutboundFetch,
  type OutboundRequest,
  parseJson,
  selectByPath,
  systemClock,
  systemRandom,
} from '@attache/core'
import { describeFailure } from '@attache/daemon'
import {
  bareJwk,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  jwkThumbprint,
  privateJwkToPem,
} from '@attache/keys'
import { createDpopProof } from '@attache/oauth'
import { createKeyProof, PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningServer, serve } from './serve.js'

const ORIGIN = 'https://localhost:18444'
const HR = `${ORIGIN}/hr`
const PLANT = `${ORIGIN}/plants/lyon`
const TOKEN = 'management-token-of-the-test-0123456789'
const PEOPLE =
  'employee_id,family_name,given_name,email,birth_date,role,region,department,salary_band,leave_date,status\n' +
  'E-1,Okafor,Ngozi,ngozi@acme.example,1984-03-12,Manager,EU,Sales,B7,,active\n'
const TEMPLATE = `
id: agent-role
version: 1
vct: /types/agent-role/v1
name: Agent role
lifetime_days: 7
claims:
  - { name: agent, from: agent.id, mandatory: true }
  - { name: owner, from: owner.name, mandatory: true }
`
const DAY = 86_400

let folder: string
let fetch: OutboundFetch
let folders = 0
const oldKey = createSoftwareSigner(generatePrivateJwk('ES256')).publicJwk
const nextKey = generatePrivateJwk('ES256')

const write = (name: string, text: string) => writeFileSync(join(folder, name), text)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'attache-issuers-'))
  const [tlsKey, signingKey] = [generatePrivateJwk('ES256'), generatePrivateJwk('ES256')]
  const now = systemClock()
  const validity = { notBefore: now - 60, notAfter: now + DAY }
  const authority = await createCertificateAuthority(
    { commonName: 'root', privateJwk: generatePrivateJwk('ES256'), ...validity },
    { random: systemRandom },
  )
  const certify = (commonName: string, key: JsonObject, names: { dnsNames?: string[]; uris?: string[] }) =>
    issueCertificate(
      {
        commonName,
        publicJwk: createSoftwareSigner(key).publicJwk,
        issuer: authority,
        ...names,
        ...validity,
      },
      { random: systemRandom },
    )
  write('tls.pem', (await certify('localhost', tlsKey, { dnsNames: ['localhost'] })).pem)
  write('tls.key', privateJwkToPem(tlsKey))
  write('signing.jwk', JSON.stringify(signingKey))
  write('signing.pem', (await certify('HR', signingKey, { uris: [HR] })).pem)
  write('seal.key', encodeBase64url(systemRandom(32)))
  write('management.token', TOKEN)
  write('agent-role.yaml', TEMPLATE)
  write('password', 'correct-horse-battery')
  write('old.jwk', JSON.stringify(oldKey))
  write('next.jwk', JSON.stringify(nextKey))
  fetch = createGuardedFetch({ ca: [authority.pem], allowPrivate: ['localhost', '127.0.0.1'] })
})

afterAll(() => rmSync(folder, { recursive: true }))

type Members = Readonly<Record<string, JsonValue | undefined>>

function issuerMembers(changes: Members = {}): Members {
  return {
    credentialIssuer: HR,
    mode: 'base',
    signing: { key: 'signing.jwk', certificates: 'signing.pem' },
    clientAuthentication: 'none',
    templates: ['agent-role.yaml'],
    grants: ['pre-authorized_code'],
    transactionCode: { inputMode: 'numeric', length: 6 },
    statusList: { ttlSeconds: 5, lifetimeSeconds: 3600 },
    ...changes,
  }
}

function processMembers(changes: Members = {}): Members {
  const tls = { certificate: 'tls.pem', key: 'tls.key' }
  folders += 1
  return {
    version: 1,
    dataFolder: `data-${folders}`,
    listen: { port: 0, tls },
    management: { port: 0, tls, tokenFile: 'management.token' },
    sealKeys: ['seal.key'],
    logLevel: 'silent',
    ...changes,
  }
}

function start(configuration: Readonly<Record<string, unknown>>): Promise<RunningServer> {
  const path = join(folder, `issuer-${folders}.json`)
  writeFileSync(path, JSON.stringify(configuration))
  return serve(path)
}

async function failure(configuration: Readonly<Record<string, unknown>>): Promise<string> {
  try {
    const server = await start(configuration)
    await server.close()
  } catch (error) {
    return describeFailure(error).code
  }
  return 'started'
}

interface World {
  call(url: string, init?: OutboundRequest): Promise<{ status: number; body: JsonObject }>
  manage(path: string, body?: string, type?: string): Promise<{ status: number; body: JsonObject }>
}

/** @param take What a proxy takes away from the start of the path. */
function worldOf(server: RunningServer, take = ''): World {
  const read = async (response: Response) => {
    const parsed = parseJson(await response.text())
    return { status: response.status, body: parsed.ok && isJsonObject(parsed.value) ? parsed.value : {} }
  }
  return {
    call: async (url, init = {}) => {
      const public_ = url.startsWith(`${ORIGIN}${take}/`) ? url.slice(ORIGIN.length + take.length) : url
      const path = public_.startsWith(ORIGIN) ? public_.slice(ORIGIN.length) : public_
      return read(await fetch(`https://localhost:${server.listen.port}${path}`, init))
    },
    manage: async (path, body, type = 'application/json') => {
      const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': type }
      const url = `https://localhost:${server.management?.port}/manage/v1/${path}`
      return read(await fetch(url, body === undefined ? { headers } : { method: 'POST', headers, body }))
    },
  }
}

async function people(world: World, place: string) {
  await world.manage(`${place}people`, PEOPLE, 'text/csv')
  await world.manage(`${place}agents`, 'agent,owner,purpose\nbot,E-1,Exports\n', 'text/csv')
}

async function offered(world: World, place: string) {
  const { body } = await world.manage(`${place}offers`, '{"agent":"bot","by":"value"}')
  const code = selectByPath(body, [
    'credential_offer',
    'grants',
    PRE_AUTHORIZED_CODE_GRANT,
    'pre-authorized_code',
  ])?.[0]
  return { code: String(code), txCode: String(body['tx_code']), body }
}

const dpop = createSoftwareSigner(generatePrivateJwk('ES256'))
const facts = () => ({ now: systemClock(), random: systemRandom })

async function redeem(world: World, issuer: string, offer: { code: string; txCode: string }) {
  const url = `${issuer}/token`
  return world.call(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-www-form-urlencoded',
      DPoP: await createDpopProof({ method: 'POST', url }, dpop, facts()),
    },
    body: new URLSearchParams({
      grant_type: PRE_AUTHORIZED_CODE_GRANT,
      'pre-authorized_code': offer.code,
      tx_code: offer.txCode,
    }).toString(),
  })
}

async function nonceOf(world: World, issuer: string): Promise<string> {
  const { body } = await world.call(`${issuer}/nonce`, { method: 'POST' })
  return String(body['c_nonce'])
}

async function credential(world: World, issuer: string, accessToken: string, nonce: string) {
  const url = `${issuer}/credential`
  const holder = createSoftwareSigner(generatePrivateJwk('ES256'))
  return world.call(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Authorization: `DPoP ${accessToken}`,
      DPoP: await createDpopProof({ method: 'POST', url, accessToken }, dpop, facts()),
    },
    body: JSON.stringify({
      credential_configuration_id: 'agent-role',
      proofs: { jwt: [await createKeyProof({ audience: issuer, nonce }, holder, systemClock())] },
    }),
  })
}

function payloadOf(body: JsonObject): JsonObject {
  const compact = String(selectByPath(body, ['credentials', 0, 'credential'])?.[0])
  const parsed = parseJson(Buffer.from(compact.split('.')[1] ?? '', 'base64url').toString())
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : {}
}

async function issue(world: World, issuer: string, place: string): Promise<JsonObject> {
  await people(world, place)
  const { body } = await redeem(world, issuer, await offered(world, place))
  const issued = await credential(world, issuer, String(body['access_token']), await nonceOf(world, issuer))
  expect(issued.status).toBe(200)
  return payloadOf(issued.body)
}

describe('several issuers in one process', () => {
  let server: RunningServer
  let world: World
  beforeAll(async () => {
    const issuers = [
      issuerMembers({ tenant: 'hr' }),
      issuerMembers({ tenant: 'plant', credentialIssuer: PLANT, dpopNonces: false }),
    ]
    server = await start({ ...processMembers(), issuers })
    world = worldOf(server)
  })
  afterAll(() => server.close())

  test.each([HR, PLANT])('%s is found by well-known paths inserted before its own', async (issuer) => {
    const path = issuer.slice(ORIGIN.length)
    const metadata = await world.call(`${ORIGIN}/.well-known/openid-credential-issuer${path}`)
    expect(metadata.body).toMatchObject({
      credential_issuer: issuer,
      credential_endpoint: `${issuer}/credential`,
    })
    const server_ = await world.call(`${ORIGIN}/.well-known/oauth-authorization-server${path}`)
    expect(server_.body).toMatchObject({ issuer, token_endpoint: `${issuer}/token` })
    const type = await world.call(`${issuer}/types/agent-role/v1`)
    expect(type.body).toMatchObject({ vct: `${issuer}/types/agent-role/v1` })
    expect((await world.call(`${ORIGIN}/.well-known/openid-credential-issuer`)).status).toBe(404)
  })

  test('each has its own people, offers, tokens, nonces and register', async () => {
    await people(world, 'tenants/hr/')
    const elsewhere = await world.manage('tenants/plant/offers', '{"agent":"bot"}')
    expect(elsewhere).toMatchObject({ status: 404, body: { error: 'unknown_agent' } })
    expect((await world.manage('offers', '{"agent":"bot"}')).status).toBe(404)

    const offer = await offered(world, 'tenants/hr/')
    expect((await redeem(world, PLANT, offer)).body).toMatchObject({ error: 'invalid_grant' })
    const { body } = await redeem(world, HR, offer)
    const token = String(member(body, 'access_token'))
    const foreign = await credential(world, PLANT, token, await nonceOf(world, PLANT))
    expect(foreign.status).toBe(401)
    const mixed = await credential(world, HR, token, await nonceOf(world, PLANT))
    expect(mixed).toMatchObject({ status: 400, body: { error: 'invalid_nonce' } })
    const issued = await credential(world, HR, token, await nonceOf(world, HR))
    expect(payloadOf(issued.body)).toMatchObject({ iss: HR, vct: `${HR}/types/agent-role/v1` })

    const here = await world.manage('tenants/hr/credentials')
    expect(here.body['credentials']).toEqual([expect.objectContaining({ agent: 'bot' })])
    expect((await world.manage('tenants/plant/credentials')).body).toEqual({ credentials: [] })
    const list = String(selectByPath(here.body, ['credentials', 0, 'status_list', 'uri'])?.[0])
    expect(list).toMatch(/^https:\/\/localhost:18444\/hr\/status\//)
    expect((await world.call(list)).status).toBe(200)
    expect((await world.call(list.replace('/hr/', '/plants/lyon/'))).status).toBe(404)
  })

  test.each([
    ['a tenant twice', [{ tenant: 'a' }, { tenant: 'a', credentialIssuer: PLANT }], 'issuer_tenants'],
    [
      'two origins',
      [{ tenant: 'a' }, { tenant: 'b', credentialIssuer: 'https://b.example' }],
      'issuer_paths',
    ],
    ['one identifier twice', [{ tenant: 'a' }, { tenant: 'b' }], 'issuer_paths'],
    [
      'one below an endpoint of the other',
      [{ tenant: 'a' }, { tenant: 'b', credentialIssuer: `${HR}/status` }],
      'issuer_paths',
    ],
    ['none', [], 'configuration_malformed'],
    ['one without tenant', [{}], 'configuration_malformed'],
    ['a misspelt member', [{ tenant: 'a', templetes: [] }], 'configuration_malformed'],
  ])('refuses to start with %s', async (_, entries, code) => {
    const issuers = entries.map((entry) => issuerMembers(entry))
    expect(await failure({ ...processMembers(), issuers })).toBe(code)
  })
})

describe('behind a proxy that takes a prefix away', () => {
  test('issues under the public identifier; nothing answers at the path as the public sees it', async () => {
    const tls = { certificate: 'tls.pem', key: 'tls.key' }
    const listen = { port: 0, tls, pathPrefix: '/hr' }
    const server = await start({ ...processMembers({ listen }), ...issuerMembers() })
    try {
      const world = worldOf(server, '/hr')
      const metadata = await world.call(`${ORIGIN}/.well-known/openid-credential-issuer/hr`)
      expect(metadata.body).toMatchObject({ credential_issuer: HR })
      expect(await issue(world, HR, '')).toMatchObject({ iss: HR })
      expect((await worldOf(server).call(`${HR}/nonce`, { method: 'POST' })).status).toBe(404)
    } finally {
      await server.close()
    }
  })

  test.each([
    ['that the identifier does not continue', '/other', 'path_prefix'],
    ['that continues inside a segment', '/h', 'path_prefix'],
    ['with a final slash', '/hr/', 'configuration_malformed'],
  ])('refuses a prefix %s', async (_, pathPrefix, code) => {
    const listen = { port: 0, pathPrefix }
    expect(await failure({ ...processMembers({ listen }), ...issuerMembers() })).toBe(code)
  })
})

describe('keys over time', () => {
  const today = () => new Date(systemClock() * 1000)
  const day = (days: number) => new Date(today().getTime() + days * DAY * 1000).toISOString().slice(0, 10)
  const retired = (from: number, until: number) => ({
    publicKey: 'old.jwk',
    signedUntil: day(from),
    publishedUntil: day(until),
  })
  const signing = (changes: Members) => ({ key: 'signing.jwk', certificates: 'signing.pem', ...changes })

  async function published(members: Members): Promise<unknown> {
    const server = await start({ ...processMembers(), ...issuerMembers(members) })
    const { body } = await worldOf(server).call(`${ORIGIN}/.well-known/jwt-vc-issuer/hr`)
    await server.close()
    return body
  }

  test('active, next and retired keys are published; a retired one until its day', async () => {
    const next = createSoftwareSigner(nextKey).publicJwk
    const shown = (jwk: typeof oldKey) => ({ ...bareJwk(jwk), kid: jwkThumbprint(jwk), use: 'sig' })
    const keys = { next: [{ key: 'next.jwk' }], retired: [retired(-2, 8)] }
    const now = await published({ signing: signing(keys), keyMetadata: true })
    expect(now).toMatchObject({
      issuer: HR,
      jwks: { keys: [expect.anything(), shown(next), shown(oldKey)] },
    })
    expect(JSON.stringify(now)).not.toContain('"d"')
    const later = await published({ signing: signing({ retired: [retired(-20, -1)] }), keyMetadata: true })
    expect(selectByPath(isJsonObject(later) ? later : {}, ['jwks', 'keys', null])).toHaveLength(1)
  })

  test('keys of status list tokens are published with their own succession', async () => {
    const statusSigning = { key: 'next.jwk', next: [], retired: [retired(-1, 1)] }
    const shown = await published({ statusSigning, keyMetadata: true })
    expect(selectByPath(isJsonObject(shown) ? shown : {}, ['jwks', 'keys', null])).toHaveLength(3)
  })

  test.each([
    ['a retired key that goes before a credential it signed', { retired: [retired(-1, 5)] }, 'issuer_keys'],
    ['a next key that is active', { next: [{ key: 'signing.jwk' }] }, 'issuer_keys'],
    [
      'the private key of a retired one',
      { retired: [{ ...retired(-1, 9), publicKey: 'next.jwk' }] },
      'signing_keys',
    ],
    [
      'a day that is none',
      { retired: [{ ...retired(-1, 9), signedUntil: 'May' }] },
      'configuration_malformed',
    ],
  ])('refuses to start with %s', async (_, changes, code) => {
    const members = issuerMembers({ signing: signing(changes), keyMetadata: true })
    expect(await failure({ ...processMembers(), ...members })).toBe(code)
  })

  test('refuses to start with keys that nobody would see', async () => {
    const members = issuerMembers({ signing: signing({ retired: [retired(-1, 9)] }) })
    expect(await failure({ ...processMembers(), ...members })).toBe('signing_keys')
  })
})

describe('iss next to a certificate chain', () => {
  async function issOf(members: Members): Promise<JsonValue | undefined> {
    const server = await start({ ...processMembers(), ...issuerMembers(members) })
    try {
      const issuer = String(members['credentialIssuer'] ?? HR)
      return member(await issue(worldOf(server), issuer, ''), 'iss')
    } finally {
      await server.close()
    }
  }

  test('stands there when the leaf names the issuer or its keys are published, else not', async () => {
    expect(await issOf({})).toBe(HR)
    expect(await issOf({ credentialIssuer: PLANT })).toBeUndefined()
    expect(await issOf({ credentialIssuer: PLANT, keyMetadata: true })).toBe(PLANT)
    expect(await issOf({ credentialIssuer: PLANT, signing: { key: 'next.jwk' } })).toBe(PLANT)
  })
})

describe('who approves in the code flow', () => {
  const code = {
    grants: ['authorization_code'],
    transactionCode: null,
    redirectUris: ['https://w.example/cb'],
  }
  const upstream = {
    issuer: 'https://login.example',
    clientId: 'attache-issuer',
    clientSecretFile: 'management.token',
    ownerClaim: 'employee_id',
  }
  const operators = [{ name: 'ngozi', passwordFile: 'password' }]
  const automaticApproval = { name: 'trial', agents: ['bot'] }

  test.each<[string, Members, string]>([
    ['operators and a provider at once', { upstream, operators }, 'sign_in'],
    [
      'a provider without https',
      { upstream: { ...upstream, issuer: 'http://l.example' } },
      'configuration_malformed',
    ],
    [
      'a provider whose claim is not named',
      { upstream: { ...upstream, ownerClaim: '' } },
      'configuration_malformed',
    ],
    [
      'an unreadable client secret',
      { upstream: { ...upstream, clientSecretFile: 'none' } },
      'start_up_failed',
    ],
    ['algorithms that are none', { algorithms: ['HS256'] }, 'algorithm_refused'],
  ])('refuses to start with %s', async (_, changes, expected) => {
    expect(await failure({ ...processMembers(), ...issuerMembers({ ...code, ...changes }) })).toBe(expected)
  })

  test('automatic approval redirects at once, without a page', async () => {
    const server = await start({ ...processMembers(), ...issuerMembers({ ...code, automaticApproval }) })
    try {
      const world = worldOf(server)
      await people(world, '')
      const pushed = await world.call(`${HR}/par`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          client_id: 'wallet',
          response_type: 'code',
          redirect_uri: 'https://w.example/cb',
          scope: `${HR}/types/agent-role/v1`,
          code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
          code_challenge_method: 'S256',
        }).toString(),
      })
      expect(pushed.status).toBe(201)
      const query = new URLSearchParams({
        client_id: 'wallet',
        request_uri: String(pushed.body['request_uri']),
      })
      // The guarded fetch follows no redirect and says so: that there is one is what is asked here.
      await expect(world.call(`${HR}/authorize?${query}`)).rejects.toMatchObject({
        code: 'fetch_redirect_refused',
      })
    } finally {
      await server.close()
    }
  })
})
