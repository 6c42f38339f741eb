import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect } from 'node:tls'
import {
  createGuardedFetch,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  type OutboundFetch,
  type OutboundRequest,
  parseJson,
  selectByPath,
  systemClock,
  systemRandom,
} from '@attache/core'
import { describeFailure } from '@attache/daemon'
import {
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  privateJwkToPem,
  type Signer,
} from '@attache/keys'
import { createClientAttestation, createClientAttestationPop, createDpopProof } from '@attache/oauth'
import { createKeyProof, PRE_AUTHORIZED_CODE_GRANT, parseCredentialOffer } from '@attache/openid4vci'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningServer, serve } from './serve.js'

const ISSUER = 'https://localhost:18443'
const TOKEN = 'management-token-of-the-test-0123456789'
const PEOPLE =
  '\uFEFFemployee_id,family_name,given_name,email,birth_date,role,region,department,salary_band,leave_date,status\r\n' +
  'E-1,"Lindqvist, PhD",Åsa,asa@acme.example,1979-11-30,Manager,EU,Research,B9,,active\r\n' +
  'E-2,山田,太郎,taro@acme.example,1992-10-02,Engineer,,Platform,B5,,active\r\n' +
  'E-3,Gone,Pat,pat@acme.example,1980-10-10,Manager,EU,Sales,B7,2020-03-31,terminated\r\n' +
  'E-4,Leaver,Future,leaver@acme.example,1985-05-09,Manager,EU,Sales,B7,2999-12-31,active\r\n' +
  'E-5,Twin,Other,asa@acme.example,1985-05-09,Manager,EU,Sales,B7,,active\r\n'
const TEMPLATE = `
id: agent-role
version: 1
vct: /types/agent-role/v1
name: Agent role
lifetime_days: 7
claims:
  - { name: agent, from: agent.id, mandatory: true }
  - { name: owner, from: owner.name, mandatory: true }
  - { name: role, from: owner.role, mandatory: true }
`

let folder: string
let fetch: OutboundFetch
let rootPem: string
let provider: Signer
let running: RunningServer

async function certified(commonName: string, privateJwk: JsonObject, dnsNames: readonly string[]) {
  const now = systemClock()
  const validity = { notBefore: now - 60, notAfter: now + 86_400 }
  const issuer = await createCertificateAuthority(
    { commonName: `${commonName} root`, privateJwk: generatePrivateJwk('ES256'), ...validity },
    { random: systemRandom },
  )
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const leaf = await issueCertificate(
    { commonName, publicJwk, issuer, dnsNames, ipAddresses: ['127.0.0.1'], ...validity },
    { random: systemRandom },
  )
  return { root: issuer.pem, leaf }
}

type Changes = Readonly<Record<string, JsonObject[string] | undefined>>

function configuration(changes: Changes = {}) {
  const tls = { certificate: 'tls.pem', key: 'tls.key' }
  return {
    version: 1,
    credentialIssuer: ISSUER,
    mode: 'haip',
    dataFolder: 'data',
    listen: { port: 0, tls },
    management: { port: 0, tls, tokenFile: 'management.token' },
    signing: { key: 'signing.jwk', certificates: 'signing.pem' },
    sealKeys: ['seal.key'],
    clientAuthentication: 'attestation',
    walletAttesters: [{ name: 'wallets', anchors: 'providers.pem', clients: 'any' }],
    templates: ['agent-role.yaml'],
    grants: ['pre-authorized_code'],
    transactionCode: { inputMode: 'numeric', length: 6 },
    statusList: { ttlSeconds: 5, lifetimeSeconds: 3600 },
    logLevel: 'silent',
    ...changes,
  }
}

function writeConfiguration(changes: Changes = {}): string {
  const path = join(folder, 'issuer.json')
  writeFileSync(path, JSON.stringify(configuration(changes)))
  return path
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'attache-issuer-'))
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  const [tlsKey, signingKey, providerKey] = [1, 2, 3].map(() => generatePrivateJwk('ES256'))
  if (!tlsKey || !signingKey || !providerKey) throw new Error('Three keys were made.')
  const tls = await certified('localhost', tlsKey, ['localhost'])
  const signing = await certified('Acme', signingKey, ['localhost'])
  const wallets = await certified('Wallets', providerKey, [])
  write('tls.pem', tls.leaf.pem)
  write('tls.key', privateJwkToPem(tlsKey))
  write('signing.jwk', JSON.stringify(signingKey))
  write('signing.pem', signing.leaf.pem)
  write('providers.pem', wallets.root)
  write('seal.key', encodeBase64url(systemRandom(32)))
  write('management.token', `${TOKEN}\n`)
  write('agent-role.yaml', TEMPLATE)
  rootPem = tls.root
  provider = createSoftwareSigner(providerKey, { x5c: wallets.leaf.x5c })
  fetch = createGuardedFetch({ ca: [rootPem], allowPrivate: ['127.0.0.1', 'localhost'] })
  running = await serve(writeConfiguration())
})

afterAll(async () => {
  await running.close()
  rmSync(folder, { recursive: true })
})

function manage(path: string, body: string, type: string, token = TOKEN): Promise<Response> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': type }
  return fetch(`https://127.0.0.1:${running.management?.port}/manage/v1/${path}`, {
    method: 'POST',
    headers,
    body,
  })
}

async function bodyOf(response: Response): Promise<JsonObject> {
  const parsed = parseJson(await response.text())
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : {}
}

function text(body: JsonObject, name: string): string {
  return String(body[name])
}

function call(url: string, init: OutboundRequest = {}): Promise<Response> {
  return fetch(url.replace(ISSUER, `https://localhost:${running.listen.port}`), init)
}

describe('the issuer server over https', () => {
  test('reports bad rows by line and reason, and goes on with the good ones', async () => {
    const people = await manage('people', PEOPLE, 'text/csv')
    expect(people.status).toBe(200)
    expect(await people.json()).toEqual({
      imported: 2,
      refused: [
        { line: 3, reason: 'region is missing' },
        { line: 4, reason: 'the person has left' },
        { line: 6, reason: 'email belongs to another person already' },
      ],
    })
    const agents = await manage(
      'agents',
      'agent,owner,purpose\nbot,E-1,Exports\norphan,E-3,Nothing\n',
      'text/csv',
    )
    expect(await agents.json()).toEqual({
      imported: 1,
      refused: [{ line: 3, reason: 'owner is not a known, active person' }],
    })
  })

  test('issues, lists and revokes', async () => {
    await manage('people', PEOPLE, 'text/csv')
    await manage('agents', 'agent,owner,purpose\nbot,E-1,Exports\n', 'text/csv')
    const created = await bodyOf(
      await manage('offers', '{"agent":"bot","by":"reference"}', 'application/json'),
    )
    expect(created).toMatchObject({ expires_in: 600, tx_code: expect.stringMatching(/^\d{6}$/) })
    const offer = parseCredentialOffer(await (await call(text(created, 'credential_offer_uri'))).json())

    const [instance, dpop, holder] = [1, 2, 3].map(() => createSoftwareSigner(generatePrivateJwk('ES256')))
    if (!instance || !dpop || !holder) throw new Error('Three keys were made.')
    const facts = { now: systemClock(), random: systemRandom }
    const clientId = 'https://wallet.example/agents'
    const attestation = await createClientAttestation(
      { clientId, instanceKey: instance.publicJwk, expiresAt: facts.now + 600 },
      provider,
      facts.now,
    )
    const granted = await call(`${ISSUER}/token`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        'OAuth-Client-Attestation': attestation,
        'OAuth-Client-Attestation-PoP': await createClientAttestationPop(
          { audience: ISSUER, clientId },
          instance,
          facts,
        ),
        DPoP: await createDpopProof({ method: 'POST', url: `${ISSUER}/token` }, dpop, facts),
      },
      body: new URLSearchParams({
        grant_type: PRE_AUTHORIZED_CODE_GRANT,
        'pre-authorized_code': offer.grants?.preAuthorizedCode?.preAuthorizedCode ?? '',
        tx_code: text(created, 'tx_code'),
      }).toString(),
    })
    expect(granted.status).toBe(200)
    const accessToken = text(await bodyOf(granted), 'access_token')

    const nonce = text(await bodyOf(await call(`${ISSUER}/nonce`, { method: 'POST' })), 'c_nonce')
    const request = { method: 'POST', url: `${ISSUER}/credential`, accessToken }
    const issued = await call(`${ISSUER}/credential`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        Authorization: `DPoP ${accessToken}`,
        DPoP: await createDpopProof(request, dpop, facts),
      },
      body: JSON.stringify({
        credential_configuration_id: 'agent-role',
        proofs: { jwt: [await createKeyProof({ audience: ISSUER, nonce, clientId }, holder, facts.now)] },
      }),
    })
    expect(issued.status).toBe(200)
    expect(issued.headers.get('Date')).not.toBeNull()

    const url = `https://127.0.0.1:${running.management?.port}/manage/v1/credentials`
    const listed = await bodyOf(await fetch(url, { headers: { Authorization: `Bearer ${TOKEN}` } }))
    expect(listed['credentials']).toEqual([expect.objectContaining({ agent: 'bot', owner: 'E-1' })])
    const entry = selectByPath(listed, ['credentials', 0, 'id'])?.[0]
    const uri = selectByPath(listed, ['credentials', 0, 'status_list', 'uri'])?.[0]
    const revoked = await manage(
      'credentials/status',
      '{"owner":"E-1","status":"invalid"}',
      'application/json',
    )
    expect(await revoked.json()).toEqual({ changed: [entry], status: 'invalid' })
    const list = await call(String(uri))
    expect(list.headers.get('Content-Type')).toBe('application/statuslist+jwt')
  })

  test('draws an offer as a QR code', async () => {
    const offer = 'openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fid.example%2Foffers%2Fx'
    const drawn = await manage('offers/qr', JSON.stringify({ offer }), 'application/json')
    expect([drawn.status, drawn.headers.get('Content-Type')]).toEqual([200, 'image/svg+xml'])
    expect(drawn.headers.get('Cache-Control')).toBe('no-store')
    expect(await drawn.text()).toMatch(/^<svg .*<\/svg>\n$/s)
    for (const body of ['{"offer":"no link"}', '{}', `{"offer":"a://${'x'.repeat(3000)}"}`]) {
      expect((await manage('offers/qr', body, 'application/json')).status).toBe(400)
    }
  })

  test('the management API wants its token, on its own listener', async () => {
    const misspelt = await manage('offers', '{"agent":"bot","by":"refrence"}', 'application/json')
    expect(await misspelt.json()).toMatchObject({
      error_description: 'The body is wrong at by. One of: value, reference.',
    })
    expect((await manage('offers', '{}', 'application/json', 'guess')).status).toBe(401)
    // As long as the right one, and alike but for one character.
    for (const guess of [
      `x${TOKEN.slice(1)}`,
      `${TOKEN.slice(0, -1)}x`,
      TOKEN.toUpperCase(),
      'x'.repeat(TOKEN.length),
    ]) {
      const refused = await manage('people', PEOPLE, 'text/csv', guess)
      expect([refused.status, refused.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer'])
    }
    expect((await call(`${ISSUER}/manage/v1/credentials`)).status).toBe(404)
    const url = `https://127.0.0.1:${running.management?.port}/manage/v1/credentials?after=ü`
    expect((await fetch(url, { headers: { Authorization: `Bearer ${TOKEN}` } })).status).toBe(400)
  })

  test('there is no management listener unless it is configured [IOP-C-11]', async () => {
    const { management: _, ...bare } = configuration({ dataFolder: 'bare' })
    const path = join(folder, 'bare.json')
    writeFileSync(path, JSON.stringify(bare))
    const server = await serve(path)
    expect(server.management).toBeUndefined()
    await server.close()
    const enabled = await manage('people', PEOPLE, 'text/csv')
    expect([enabled.status, enabled.headers.get('Content-Type')]).toEqual([200, 'application/json'])
    expect((await manage('people', PEOPLE, 'text/csv', 'guess')).status).toBe(401)
  })

  test.each([
    ['malformed JSON', 'offers', '{', 'application/json', 400],
    ['an unknown member', 'offers', '{"agent":"bot","bye":"value"}', 'application/json', 400],
    ['an unknown agent', 'offers', '{"agent":"nobody"}', 'application/json', 404],
    [
      'a grant that is off',
      'offers',
      '{"agent":"bot","grant":"authorization_code"}',
      'application/json',
      400,
    ],
    [
      'two of agent, owner, id',
      'credentials/status',
      '{"agent":"a","id":"b","status":"valid"}',
      'application/json',
      400,
    ],
    [
      'an unknown credential',
      'credentials/status',
      '{"id":"crd_x","status":"valid"}',
      'application/json',
      404,
    ],
    [
      'an id that no credential can have',
      'credentials/status',
      '{"id":"crd_é","status":"valid"}',
      'application/json',
      404,
    ],
    [
      'an id longer than a key',
      'credentials/status',
      `{"id":"crd_${'x'.repeat(600)}","status":"valid"}`,
      'application/json',
      404,
    ],
    [
      'an agent by a name nobody has',
      'credentials/status',
      '{"agent":"山田","status":"valid"}',
      'application/json',
      404,
    ],
    ['a deferred id that is none', 'deferred', '{"id":"dfr_é","decision":"denied"}', 'application/json', 404],
    ['another media type', 'people', 'x', 'application/json', 415],
    ['a CSV without its columns', 'people', 'a,b\n', 'text/csv', 400],
  ])('refuses %s in the management API', async (_, path, body, type, status) => {
    await manage('people', PEOPLE, 'text/csv')
    await manage('agents', 'agent,owner,purpose\nbot,E-1,Exports\n', 'text/csv')
    const answer = await manage(path, body, type)
    expect(answer.status).toBe(status)
    expect(Object.keys(await bodyOf(answer))).toEqual(['error', 'error_description'])
  })

  test('takes 16 KiB of header fields and refuses oversized bodies with 413 [VCI-I-WA-11]', async () => {
    const long = await call(`${ISSUER}/nonce`, { method: 'POST', headers: { 'X-Long': 'x'.repeat(16_384) } })
    expect(long.status).toBe(200)
    const large = await call(`${ISSUER}/token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'x'.repeat(5_000_000),
    })
    expect(large.status).toBe(413)
  })

  test('an unknown route is 404, another method 405', async () => {
    for (const [path, status] of [
      ['nowhere', 404],
      ['nonce', 405],
    ] as const) {
      const answer = await call(`${ISSUER}/${path}`)
      expect([answer.status, answer.headers.get('X-Request-Id')]).toEqual([
        status,
        expect.stringMatching(/^req_[\w-]{22}$/),
      ])
    }
  })

  test.each([
    ['TLS 1.1', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    ['CBC suites', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' }],
    ['RSA key exchange', { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }],
  ] as const)('refuses %s [VCI-I-SEC-01, VCI-I-SEC-07, IOP-C-01]', async (_, options) => {
    await expect(handshake(options)).rejects.toThrow()
  })

  test.each([
    ['TLS 1.3 by preference', {}, 'TLSv1.3'],
    ['TLS 1.2 with AES-GCM', { maxVersion: 'TLSv1.2' }, 'TLSv1.2'],
  ] as const)('offers %s [VCI-I-SEC-01, VCI-I-SEC-07, IOP-C-01]', async (_, options, protocol) => {
    expect(await handshake(options)).toBe(protocol)
  })
})

function handshake(options: ConnectionOptions): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { host: '127.0.0.1', servername: 'localhost', port: running.listen.port, ca: [rootPem], ...options },
      () => {
        resolve(socket.getProtocol())
        socket.destroy()
      },
    )
    socket.once('error', reject)
  })
}

describe('what keeps the server from starting', () => {
  async function failure(changes: Changes): Promise<{ code: string; message: string }> {
    try {
      const server = await serve(writeConfiguration(changes))
      await server.close()
    } catch (error) {
      return describeFailure(error)
    }
    return { code: 'started', message: '' }
  }

  test.each([
    [
      'a misspelt member where the right one is missing',
      { templates: undefined, templetes: [] },
      /Did you mean templates\?/,
    ],
    ['an unknown member', { templetes: [] }, /unknown member templetes. Did you mean templates\?/],
    [
      'an unknown member inside',
      { listen: { prot: 1, port: 0 } },
      /unknown member listen.prot. Did you mean port\?/,
    ],
    ['a wrong value', { mode: 'high' }, /member mode is wrong/],
    ['a member left out', { dataFolder: undefined }, /member dataFolder is missing. Add it./],
    ['another version', { version: 2 }, /member version is wrong/],
    ['an unreadable file', { templates: ['missing.yaml'] }, /missing.yaml does not exist. Create it/],
    ['a locked data folder', {}, /Another process has the data folder .+ open: stop it/],
    [
      'a seal key of the wrong size',
      { dataFolder: 'other', sealKeys: ['management.token'] },
      /32 random bytes/,
    ],
    ['an identifier with a query', { dataFolder: 'other', credentialIssuer: `${ISSUER}?x` }, /without query/],
  ])('%s', async (_, changes, message) => {
    const failed = await failure(changes)
    expect(failed.message).toMatch(message)
    expect(failed.message).not.toContain('\n')
  })

  test('a busy port', async () => {
    const failed = await failure({ dataFolder: 'other', listen: { port: running.listen.port } })
    expect(failed).toEqual({
      code: 'port_in_use',
      message: `Port ${running.listen.port} on 127.0.0.1 is in use. Stop the other process or name another one in the configuration.`,
    })
  })
})
