import {
  createMemoryStore,
  decodeUtf8,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
  selectByPath,
} from '@attache/core'
import {
  encryptJwe,
  generateDecryptionKey,
  generatePrivateJwk,
  jwkThumbprint,
  parseJws,
  type Signer,
  sha256,
  verifyCertificateChain,
  verifyJws,
} from '@attache/keys'
import {
  decryptCredentialResponse,
  encryptCredentialRequest,
  makeResponseEncryption,
} from '@attache/openid4vci'
import { STATUS_LIST_TOKEN_TYPE, statusAt, verifyStatusListToken } from '@attache/status-list'
import { describe, expect, test } from 'vitest'
import { createFixedClock, NOW } from '../support/clock.js'
import {
  bodyOf,
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
  postForm,
  postWithToken,
  requestCredential,
  type ScriptedWallet,
  TEMPLATE,
  textOf,
} from './issuer-bench.js'

const DEFERRED = `${TEMPLATE}\nissuance: deferred\n`
const DAY = 86_400

async function outcome(response: Response): Promise<readonly [number, unknown]> {
  return [response.status, (await bodyOf(response))['error']]
}

async function ready(options: Parameters<typeof createIssuerBench>[0] = {}) {
  const bench = await createIssuerBench(options)
  const wallet = await createWallet(bench)
  const { token } = await obtainToken(bench, wallet)
  return { bench, wallet, token }
}

/** Issues for some keys and gives the credentials. */
async function issued(
  { bench, wallet, token }: { bench: IssuerBench; wallet: ScriptedWallet; token: string },
  holders: readonly Signer[] = [newSigner()],
): Promise<readonly string[]> {
  const nonce = await obtainNonce(bench)
  const jwt = await Promise.all(holders.map((holder) => keyProof(bench, holder, { nonce })))
  const answer = await requestCredential(bench, wallet, token, { proofs: { jwt } })
  const credentials = selectByPath(await bodyOf(answer), ['credentials', null, 'credential']) ?? []
  return credentials.filter((credential) => typeof credential === 'string')
}

function payloadOf(credential: string): JsonObject {
  return parseJws(credential.split('~')[0] ?? '', { maxDepth: 32 }).payload
}

function disclosuresOf(credential: string): readonly (readonly JsonValue[])[] {
  return credential
    .split('~')
    .slice(1, -1)
    .map((text) => {
      const parsed = parseJson(Buffer.from(text, 'base64url').toString())
      if (!parsed.ok || !Array.isArray(parsed.value)) throw new Error('A Disclosure is a JSON array.')
      return parsed.value
    })
}

describe('the credential endpoint', () => {
  test('is POST with JSON [VCI-I-CRED-01]', async () => {
    const { bench, wallet, token } = await ready()
    const body = { credential_configuration_id: 'agent-role' }
    for (const type of ['text/plain', 'application/jwt', 'application/x-www-form-urlencoded']) {
      const answer = await postWithToken(bench, wallet, { token, path: '/credential', body, type })
      expect(await outcome(answer)).toEqual([400, 'invalid_credential_request'])
    }
    expect((await bench.send(`${ISSUER}/credential`)).status).toBe(405)
    expect((await requestCredential(bench, wallet, token)).status).toBe(200)
  })

  test('a token that does not cover the credential is answered as RFC 6750 says [VCI-I-CRED-02]', async () => {
    const role = TEMPLATE.replace('/types/agent-role/v1', 'urn:example:a')
    const bench = await createIssuerBench({
      templates: [role, role.replaceAll('agent-role', 'other').replace('urn:example:a', 'urn:example:b')],
    })
    const wallet = await createWallet(bench)
    const created = await bench.issuer.createOffer(
      { agent: 'payroll-export', by: 'value', configurationIds: ['other'] },
      NOW,
    )
    const code = created.offer?.grants?.preAuthorizedCode?.preAuthorizedCode ?? ''
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:pre-authorized_code',
      'pre-authorized_code': code,
      tx_code: created.txCode ?? '',
    }
    const headers = await clientHeaders(bench, wallet, `${ISSUER}/token`)
    const token = textOf(await bodyOf(await postForm(bench, '/token', form, headers)), 'access_token')
    const refused = await requestCredential(bench, wallet, token)
    expect(await outcome(refused)).toEqual([403, 'insufficient_scope'])
    expect(refused.headers.get('WWW-Authenticate')).toContain('scope="urn:example:a"')
  })

  test('one id, the right one of the two [VCI-I-CRED-04, VCI-I-CRED-05]', async () => {
    const { bench, wallet, token } = await ready()
    const proofs = { jwt: ['x'] }
    const ask = async (body: JsonObject, held = token) =>
      outcome(
        await postWithToken(bench, wallet, { token: held, path: '/credential', body: { ...body, proofs } }),
      )
    const both = { credential_configuration_id: 'agent-role', credential_identifier: 'x' }
    expect(await ask(both)).toEqual([400, 'invalid_credential_request'])
    expect(await ask({})).toEqual([400, 'invalid_credential_request'])
    expect(await ask({ credential_configuration_id: 'x' })).toEqual([400, 'unknown_credential_configuration'])
    expect(await ask({ credential_identifier: 'x' })).toEqual([400, 'unknown_credential_identifier'])

    const details = JSON.stringify([{ type: 'openid_credential', credential_configuration_id: 'agent-role' }])
    const named = await obtainToken(bench, wallet, { authorization_details: details })
    const byConfiguration = { credential_configuration_id: 'agent-role' }
    expect(await ask(byConfiguration, named.token)).toEqual([400, 'invalid_credential_request'])
    expect(await ask({ credential_configuration_id: 'x' }, named.token)).toEqual([
      400,
      'unknown_credential_configuration',
    ])
    const other = await obtainToken(bench, wallet, { authorization_details: details })
    const [foreign] =
      selectByPath(other.body, ['authorization_details', 0, 'credential_identifiers', 0]) ?? []
    expect(await ask({ credential_identifier: String(foreign) }, named.token)).toEqual([
      400,
      'unknown_credential_identifier',
    ])
  })

  test('proofs are needed, of one type, within the batch size [VCI-I-CRED-07, VCI-I-CRED-08, VCI-I-CRED-09]', async () => {
    const { bench, wallet, token } = await ready({ batchSize: 2 })
    const ask = async (members: JsonObject) =>
      outcome(
        await postWithToken(bench, wallet, {
          token,
          path: '/credential',
          body: { credential_configuration_id: 'agent-role', ...members },
        }),
      )
    for (const members of [
      {},
      { proofs: {} },
      { proofs: { jwt: [] } },
      { proof: { proof_type: 'jwt', jwt: 'x' } },
    ]) {
      expect(await ask(members)).toEqual([400, 'invalid_proof'])
    }
    for (const proofs of [{ jwt: ['a'], attestation: ['b'] }, { jwt: 'a' }, { jwt: [1] }, 'jwt', ['jwt']]) {
      expect(await ask({ proofs })).toEqual([400, 'invalid_credential_request'])
    }
    for (const proofs of [{ ldp_vp: [{}] }, { attestation: ['x.y.z'] }]) {
      expect(await ask({ proofs })).toEqual([400, 'invalid_proof'])
    }
    expect(await ask({ proofs: { jwt: ['a', 'b', 'c'] } })).toEqual([400, 'invalid_credential_request'])
    expect(await issued({ bench, wallet, token }, [newSigner(), newSigner()])).toHaveLength(2)
  })

  test('unknown members are ignored, malformed JSON is refused [VCI-I-CRED-10, VCI-I-CRED-11]', async () => {
    const { bench, wallet, token } = await ready()
    expect((await requestCredential(bench, wallet, token, { foo: 1 })).status).toBe(200)
    const bodies = [
      '[',
      '',
      '[]',
      'null',
      '"x"',
      '{"a":1,"a":2}',
      '{"credential_configuration_id":{}}',
      '{"proofs":1}',
    ]
    for (const body of bodies) {
      const answer = await postWithToken(bench, wallet, { token, path: '/credential', body })
      const { error, error_description: description } = await bodyOf(answer)
      expect([answer.status, error]).toEqual([400, 'invalid_credential_request'])
      expect(description).toMatch(/^[\x20\x21\x23-\x5B\x5D-\x7E]*$/)
    }
    const odd = '{"credential_configuration_id":"\\"\\\\ü\\u0000","proofs":{"jwt":["x"]}}'
    const answer = await bodyOf(await postWithToken(bench, wallet, { token, path: '/credential', body: odd }))
    expect(answer['error']).toBe('unknown_credential_configuration')
    expect(answer['error_description']).toMatch(/^[\x20\x21\x23-\x5B\x5D-\x7E]*$/)
  })

  test('a leaver and facts that do not fit are denied [VCI-I-CRED-12]', async () => {
    const { bench, wallet, token } = await ready()
    const cells = {
      employee_id: 'E-10442',
      family_name: 'Okafor',
      given_name: 'Ngozi',
      email: 'ngozi.okafor@acme.example',
      birth_date: '1984-03-12',
      role: 'Manager',
      region: 'Moon',
      department: 'Sales',
      salary_band: 'B7',
      leave_date: '',
      status: 'active',
    }
    await bench.directory.importPeople([{ line: 2, cells }], NOW)
    expect(await outcome(await requestCredential(bench, wallet, token))).toEqual([
      400,
      'credential_request_denied',
    ])
    await bench.directory.importPeople([{ line: 2, cells: { ...cells, region: 'EU' } }], NOW)
    expect((await requestCredential(bench, wallet, token)).status).toBe(200)
    await bench.directory.importPeople([{ line: 2, cells: { ...cells, status: 'terminated' } }], NOW)
    expect(await outcome(await requestCredential(bench, wallet, token))).toEqual([
      400,
      'credential_request_denied',
    ])
  })

  test('an answer holds the credentials and nothing else [VCI-I-CRED-13, VCI-I-CRED-17, VCI-I-CRED-19]', async () => {
    const { bench, wallet, token } = await ready()
    const answer = await requestCredential(bench, wallet, token)
    expect(answer.headers.get('Content-Type')).toBe('application/json')
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    const body = await bodyOf(answer)
    expect(Object.keys(body)).toEqual(['credentials'])
    expect(selectByPath(body, ['credentials', null])?.map((entry) => Object.keys(Object(entry)))).toEqual([
      ['credential'],
    ])
    expect(selectByPath(body, ['credentials', 0, 'credential'])?.[0]).toMatch(
      /^[\w-]+\.[\w-]+\.[\w-]+(~[\w-]+){9}~$/,
    )
    const refused = await requestCredential(bench, wallet, token, { proofs: { jwt: ['x'] } })
    expect(Object.keys(await bodyOf(refused))).toEqual(['error', 'error_description'])
  })

  test('a batch: one credential a key, equal claims, nothing else in common [VCI-I-CRED-15, VCI-I-CRED-16, VCI-I-VC-08]', async () => {
    const held = await ready({ batchSize: 10 })
    const holders = Array.from({ length: 10 }, () => newSigner())
    const credentials = await issued(held, holders)
    const thumbprints = credentials.map((credential) => {
      const jwk = selectByPath(payloadOf(credential), ['cnf', 'jwk'])?.[0]
      return isJsonObject(jwk) ? Object.keys(jwk).join() : ''
    })
    expect(new Set(thumbprints)).toEqual(new Set(['crv,kty,x,y']))
    const keys = credentials.map(
      (credential) => selectByPath(payloadOf(credential), ['cnf', 'jwk', 'x'])?.[0],
    )
    expect(new Set(keys)).toEqual(new Set(holders.map((holder) => holder.publicJwk.x)))
    const claims = credentials.map((credential) =>
      disclosuresOf(credential)
        .map(([, name, value]) => `${name}=${value}`)
        .toSorted()
        .join(),
    )
    expect(new Set(claims).size).toBe(1)
    const salts = credentials.flatMap((credential) => disclosuresOf(credential).map(([salt]) => salt))
    expect(new Set(salts).size).toBe(90)
    const indices = credentials.map((credential) =>
      Number(selectByPath(payloadOf(credential), ['status', 'status_list', 'idx'])?.[0]),
    )
    const uris = credentials.map(
      (credential) => selectByPath(payloadOf(credential), ['status', 'status_list', 'uri'])?.[0],
    )
    expect(new Set(indices).size).toBe(10)
    expect(new Set(uris).size).toBe(1)
    const steps = indices.slice(1).map((index, at) => index - (indices[at] ?? 0))
    expect(new Set(steps).size).toBeGreaterThan(1)
    const signatures = credentials.map((credential) => credential.split('~')[0]?.split('.')[2])
    expect(new Set(signatures).size).toBe(10)
  })

  test('a further request leaves earlier credentials valid [VCI-I-CRED-18]', async () => {
    const held = await ready()
    const [first = ''] = await issued(held)
    expect(await issued(held)).toHaveLength(1)
    const reference = selectByPath(payloadOf(first), ['status', 'status_list'])?.[0]
    if (!isJsonObject(reference)) throw new Error('The credential has a status.')
    const status = await held.bench.statusLists.statusOf({
      idx: Number(reference['idx']),
      uri: String(reference['uri']),
    })
    expect(status).toBe(0)
  })

  test('of 200 parallel requests with one nonce, one wins [VCI-I-PRF-05]', async () => {
    const held = await ready()
    const proofs = { jwt: [await keyProof(held.bench, newSigner())] }
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => requestCredential(held.bench, held.wallet, held.token, { proofs })),
    )
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
    for (const answer of answers.filter((each) => each.status !== 200)) {
      expect(await outcome(answer)).toEqual([400, 'invalid_nonce'])
    }
    expect(await held.bench.store.list('t/default/issuer/credential/')).toHaveLength(1)
  })
})

describe('the issued credential', () => {
  test('has the right type, chain and form [VCI-I-VC-01, VCI-I-VC-02, VCI-I-VC-03]', async () => {
    const held = await ready()
    const [credential = ''] = await issued(held)
    const jws = parseJws(credential.split('~')[0] ?? '', { maxDepth: 32 })
    expect(jws.header).toMatchObject({ typ: 'dc+sd-jwt', alg: 'ES256' })
    expect(credential.endsWith('~')).toBe(true)
    const x5c = selectByPath(jws.header, ['x5c', null])?.filter((entry) => typeof entry === 'string') ?? []
    const { anchors } = held.bench.signing
    const { leafKey, dnsNames } = verifyCertificateChain(x5c, { anchors, now: NOW })
    verifyJws(jws, { typ: 'dc+sd-jwt', algorithms: ['ES256'], key: leafKey })
    expect(dnsNames).toContain(new URL(String(jws.payload['iss'])).host)
    expect(jws.payload['vct']).toBe(`${ISSUER}/types/agent-role/v1`)
  })

  test('keeps registered claims out of Disclosures, and personal ones in [VCI-I-VC-04, VCI-I-VC-10]', async () => {
    const [credential = ''] = await issued(await ready())
    const names = disclosuresOf(credential).map(([, name]) => name)
    expect(names.toSorted()).toEqual([
      'agent',
      'birth_date',
      'department',
      'employee_id',
      'owner',
      'purpose',
      'region',
      'role',
      'salary_band',
    ])
    expect(Object.keys(payloadOf(credential)).toSorted()).toEqual([
      '_sd',
      '_sd_alg',
      'cnf',
      'exp',
      'iat',
      'iss',
      'status',
      'vct',
    ])
    for (const name of ['iss', 'nbf', 'exp', 'cnf', 'vct', 'vct#integrity', 'status']) {
      const template = TEMPLATE.replace('name: purpose', `name: '${name}'`)
      await expect(createIssuerBench({ template })).rejects.toMatchObject({ code: 'template_reserved_claim' })
    }
  })

  test('is bound to the proven key, by its public members alone [VCI-I-VC-05, VCI-I-VC-06]', async () => {
    const holder = newSigner()
    const [credential = ''] = await issued(await ready(), [holder])
    const { cnf, exp, status } = payloadOf(credential)
    expect(cnf).toEqual({ jwk: holder.publicJwk })
    expect(jwkThumbprint(holder.publicJwk)).toHaveLength(43)
    expect([typeof exp, typeof status]).toEqual(['number', 'object'])
  })

  test('points into a status list that verifies, and revocation shows there [VCI-I-VC-07]', async () => {
    const held = await ready()
    const [credential = ''] = await issued(held)
    const reference = selectByPath(payloadOf(credential), ['status', 'status_list'])?.[0]
    const uri = isJsonObject(reference) ? String(reference['uri']) : ''
    const index = isJsonObject(reference) ? Number(reference['idx']) : -1
    const read = async () => {
      const answer = await held.bench.send(uri)
      expect(answer.headers.get('Content-Type')).toBe('application/statuslist+jwt')
      const token = await answer.text()
      const { header } = parseJws(token, { maxBytes: 1_000_000 })
      expect(header['typ']).toBe(STATUS_LIST_TOKEN_TYPE)
      const x5c = selectByPath(header, ['x5c', null])?.filter((entry) => typeof entry === 'string') ?? []
      const { leafKey } = verifyCertificateChain(x5c, { anchors: held.bench.signing.anchors, now: NOW })
      const verified = verifyStatusListToken(token, { uri, key: leafKey, algorithms: ['ES256'], now: NOW })
      expect([verified.uri, typeof verified.iat, typeof verified.exp, verified.ttl]).toEqual([
        uri,
        'number',
        'number',
        300,
      ])
      return statusAt(verified.list, index)
    }
    expect(await read()).toBe(0)
    const [entry] = await held.bench.issuer.changeStatus({ by: 'owner', owner: 'E-10442' }, 'suspended')
    expect(await read()).toBe(2)
    await held.bench.issuer.changeStatus({ by: 'id', id: entry?.id ?? '' }, 'invalid')
    expect(await read()).toBe(1)
    const again = held.bench.issuer.changeStatus({ by: 'id', id: entry?.id ?? '' }, 'valid')
    await expect(again).rejects.toMatchObject({ code: 'status_final' })
    expect(await held.bench.issuer.changeStatus({ by: 'agent', agent: 'payroll-export' }, 'valid')).toEqual(
      [],
    )
  })

  test('salts are fresh and long, digests unique, their order tells nothing [VCI-I-VC-09]', async () => {
    const held = await ready()
    const credentials = await Promise.all(Array.from({ length: 10 }, () => issued(held)))
    const salts = credentials
      .flat()
      .flatMap((credential) => disclosuresOf(credential).map(([salt]) => String(salt)))
    expect(new Set(salts).size).toBe(90)
    expect(salts.every((salt) => Buffer.from(salt, 'base64url').length >= 16)).toBe(true)
    for (const credential of credentials.flat()) {
      const payload = payloadOf(credential)
      const digests = selectByPath(payload, ['_sd', null])?.map(String) ?? []
      expect(payload['_sd_alg']).toBe('sha-256')
      expect(digests).toEqual(digests.toSorted())
      const expected = credential
        .split('~')
        .slice(1, -1)
        .map((text) => Buffer.from(sha256(new TextEncoder().encode(text))).toString('base64url'))
      expect(new Set(digests)).toEqual(new Set(expected))
    }
  })

  test('times are whole days, never ahead, never past the facts [VCI-I-VC-11, VCI-I-VC-12]', async () => {
    const held = await ready()
    const [first = ''] = await issued(held)
    held.bench.time.advance(120)
    const [second = ''] = await issued(held)
    const { iat, exp } = payloadOf(first)
    expect([iat, exp]).toEqual([payloadOf(second)['iat'], payloadOf(second)['exp']])
    expect([Number(iat) % DAY, Number(exp) % DAY]).toEqual([0, 0])
    expect(Number(iat)).toBeLessThanOrEqual(NOW)
    expect(Number(exp) - Number(iat)).toBe(30 * DAY)

    const leaver = '2026-09-25'
    const cells = {
      employee_id: 'E-10442',
      family_name: 'Okafor',
      given_name: 'Ngozi',
      email: 'ngozi.okafor@acme.example',
      birth_date: '1984-03-12',
      role: 'Manager',
      region: 'EU',
      department: 'Sales',
      salary_band: 'B7',
      leave_date: leaver,
      status: 'active',
    }
    await held.bench.directory.importPeople([{ line: 2, cells }], NOW)
    const [last = ''] = await issued(held)
    expect(payloadOf(last)['exp']).toBe(Date.parse('2026-09-26T00:00:00Z') / 1000)
  })

  test('its vct answers with Type Metadata, and an own URL without document stops the start [VCI-I-VC-13]', async () => {
    const { bench } = await ready()
    const answer = await bench.send(`${ISSUER}/types/agent-role/v1`)
    expect([answer.status, (await bodyOf(answer))['vct']]).toEqual([200, `${ISSUER}/types/agent-role/v1`])
    const template = TEMPLATE.replace('/types/agent-role/v1', 'https://issuer.example/elsewhere')
    await expect(createIssuerBench({ template })).rejects.toMatchObject({ code: 'issuer_type_metadata' })
  })

  test('no credential, key, code, token or claim is kept or logged [VCI-I-SEC-03]', async () => {
    const time = createFixedClock()
    const written: string[] = []
    const store = createMemoryStore({ clock: time.clock })
    const spying = {
      ...store,
      commit: (steps: Parameters<typeof store.commit>[0]) => {
        written.push(JSON.stringify(steps))
        return store.commit(steps)
      },
    }
    const bench = await createIssuerBench({ store: spying })
    const wallet = await createWallet(bench)
    const { token } = await obtainToken(bench, wallet)
    const imported = written.length
    const holder = newSigner()
    const [credential = ''] = await issued({ bench, wallet, token }, [holder])
    await requestCredential(bench, wallet, token, { proofs: { jwt: ['x'] } })
    const kept = written.slice(imported).join() + JSON.stringify(bench.logged)
    const signature = credential.split('~')[0]?.split('.')[2] ?? ''
    for (const secret of [token, signature, holder.publicJwk.x ?? '', 'Manager', '1984-03-12', 'B7']) {
      expect(kept).not.toContain(secret)
    }
    expect(written.join()).not.toContain(token)
  })
})

describe('encrypted messages', () => {
  const keys = [generateDecryptionKey(), generateDecryptionKey()]
  const encValues = ['A128GCM', 'A256GCM'] as const
  const offered = { keys, encValues, requestRequired: false, response: 'offered' } as const
  const published = { jwks: keys.map((key) => key.publicJwk), encValues, required: false }

  async function encrypted(
    held: { bench: IssuerBench; wallet: ScriptedWallet; token: string },
    body: JsonObject,
    path = '/credential',
  ): Promise<Response> {
    const text = await encryptCredentialRequest(body, published)
    return postWithToken(held.bench, held.wallet, {
      token: held.token,
      path,
      body: text,
      type: 'application/jwt',
    })
  }

  const wanted = async (bench: IssuerBench) => ({
    credential_configuration_id: 'agent-role',
    proofs: { jwt: [await keyProof(bench, newSigner())] },
  })

  test('an encrypted request equals the plain one, to every published key [VCI-I-ENC-01]', async () => {
    for (const key of keys) {
      const held = await ready({ encryption: offered })
      const text = await encryptCredentialRequest(await wanted(held.bench), {
        ...published,
        jwks: [key.publicJwk],
      })
      const call = { token: held.token, path: '/credential', body: text, type: 'application/jwt' }
      expect((await postWithToken(held.bench, held.wallet, call)).status).toBe(200)
    }
    const held = await ready({ encryption: { ...offered, encValues: ['A128GCM'] } })
    const stranger = generateDecryptionKey()
    const bad = [
      await encryptCredentialRequest(await wanted(held.bench), { ...published, jwks: [stranger.publicJwk] }),
      await encryptCredentialRequest(await wanted(held.bench), { ...published, encValues: ['A256GCM'] }),
      'x.y.z.a.b',
      JSON.stringify(await wanted(held.bench)),
    ]
    for (const body of bad) {
      const call = { token: held.token, path: '/credential', body, type: 'application/jwt' }
      expect(await outcome(await postWithToken(held.bench, held.wallet, call))).toEqual([
        400,
        'invalid_credential_request',
      ])
    }
  })

  test('a plain request is refused where encryption is required [VCI-I-ENC-02]', async () => {
    const held = await ready({ encryption: { ...offered, requestRequired: true } })
    const plain = await requestCredential(held.bench, held.wallet, held.token)
    expect(await outcome(plain)).toEqual([400, 'invalid_credential_request'])
    expect((await encrypted(held, await wanted(held.bench))).status).toBe(200)
  })

  test('response parameters travel only inside an encrypted request [VCI-I-ENC-03]', async () => {
    const held = await ready({ encryption: offered })
    const key = generateDecryptionKey()
    const responseEncryption = makeResponseEncryption({ jwk: key.publicJwk, enc: 'A128GCM' })
    const body = { ...(await wanted(held.bench)), credential_response_encryption: responseEncryption }
    const plain = await requestCredential(held.bench, held.wallet, held.token, body)
    expect(await outcome(plain)).toEqual([400, 'invalid_credential_request'])
    expect((await encrypted(held, body)).status).toBe(200)
  })

  test.each([
    ['required and missing', undefined, 'required'],
    ['not offered', {}, 'off'],
    ['a key without alg', { jwk: { ...keys[0]?.publicJwk, alg: undefined } }, 'offered'],
    ['an alg that is not supported', { jwk: { ...keys[0]?.publicJwk, alg: 'ECDH-ES+A128KW' } }, 'offered'],
    ['a private key', { jwk: { ...generatePrivateJwk('ES256'), alg: 'ECDH-ES' } }, 'offered'],
    ['an enc that is not supported', { enc: 'A128CBC-HS256' }, 'offered'],
    ['no enc', { enc: undefined }, 'offered'],
  ] as const)('response encryption with %s [VCI-I-ENC-04]', async (_, change, response) => {
    const held = await ready({ encryption: { ...offered, response } })
    const good = makeResponseEncryption({ jwk: generateDecryptionKey().publicJwk, enc: 'A128GCM' })
    const asked = parseJson(JSON.stringify({ ...good, ...change }))
    const parameters: JsonObject =
      change !== undefined && asked.ok ? { credential_response_encryption: asked.value } : {}
    const answer = await encrypted(held, { ...(await wanted(held.bench)), ...parameters })
    expect(answer.headers.get('Content-Type')).toBe('application/json')
    expect(await outcome(answer)).toEqual([400, 'invalid_encryption_parameters'])
  })

  test('answers are encrypted as asked, 200 and 202; errors never [VCI-I-ENC-05, VCI-I-ENC-06, VCI-I-DEF-06]', async () => {
    const key = generateDecryptionKey({ kid: 'wallet-1' })
    for (const enc of encValues) {
      for (const template of [TEMPLATE, DEFERRED]) {
        const held = await ready({ encryption: offered, template })
        const responseEncryption = makeResponseEncryption({ jwk: key.publicJwk, enc })
        const body = {
          ...(await wanted(held.bench)),
          credential_response_encryption: { ...responseEncryption, zip: 'DEF' },
        }
        const answer = await encrypted(held, body)
        expect([answer.status, answer.headers.get('Content-Type')]).toEqual([
          template === TEMPLATE ? 200 : 202,
          'application/jwt',
        ])
        const text = await answer.text()
        const header = parseJson(Buffer.from(text.split('.')[0] ?? '', 'base64url').toString())
        expect(header).toMatchObject({ ok: true, value: { alg: 'ECDH-ES', kid: 'wallet-1', enc } })
        expect(JSON.stringify(header)).not.toContain('zip')
        const opened = await decryptCredentialResponse(text, { key, enc })
        const name = template === TEMPLATE ? 'credentials' : 'transaction_id'
        expect(opened).toHaveProperty(name)
        const bad = await encrypted(held, { ...body, proofs: { jwt: ['x'] } })
        expect(bad.headers.get('Content-Type')).toBe('application/json')
        if (template === TEMPLATE) continue

        // Only this request's parameters count: another key, then none.
        const transactionId = isJsonObject(opened) ? String(opened['transaction_id']) : ''
        const other = generateDecryptionKey()
        const renewed = makeResponseEncryption({ jwk: other.publicJwk, enc })
        const poll = { transaction_id: transactionId, credential_response_encryption: renewed }
        const polled = await encrypted(held, poll, '/deferred')
        expect(await decryptCredentialResponse(await polled.text(), { key: other, enc })).toHaveProperty(
          'interval',
        )
        const plain = await encrypted(held, { transaction_id: transactionId }, '/deferred')
        expect([plain.status, plain.headers.get('Content-Type')]).toEqual([202, 'application/json'])
      }
    }
  })

  test('a compressed request is refused, however large it would become [VCI-I-ENC-07]', async () => {
    const held = await ready({ encryption: offered })
    const bomb = new TextEncoder().encode(`{"a":"${'x'.repeat(5_000_000)}"}`)
    const [key] = keys
    if (key === undefined) throw new Error('There are two keys.')
    const text = await encryptJwe(bomb, { jwk: key.publicJwk, enc: 'A128GCM', zip: 'DEF' })
    expect(text.length).toBeLessThan(20_000)
    const call = { token: held.token, path: '/credential', body: text, type: 'application/jwt' }
    expect(await outcome(await postWithToken(held.bench, held.wallet, call))).toEqual([
      400,
      'invalid_credential_request',
    ])
    expect(decodeUtf8(bomb.slice(0, 4))).toBe('{"a"')
  })
})

describe('deferred credentials', () => {
  async function deferred(options: Parameters<typeof createIssuerBench>[0] = {}) {
    const held = await ready({ template: DEFERRED, refreshTokenSeconds: DAY, ...options })
    const holder = newSigner()
    const proofs = { jwt: [await keyProof(held.bench, holder)] }
    const answer = await requestCredential(held.bench, held.wallet, held.token, { proofs })
    const body = await bodyOf(answer)
    const poll = async (
      members: JsonObject = { transaction_id: body['transaction_id'] ?? '' },
      token = held.token,
    ) => postWithToken(held.bench, held.wallet, { token, path: '/deferred', body: members })
    const decide = async (decision: 'approved' | 'denied') => {
      const [waiting] = await held.bench.issuer.listDeferred()
      await held.bench.issuer.decideDeferred(waiting?.id ?? '', decision)
    }
    return { ...held, holder, status: answer.status, body, poll, decide }
  }

  test('what is not ready gets a transaction_id and an interval [VCI-I-CRED-14, VCI-I-DEF-03]', async () => {
    const { status, body, poll, bench } = await deferred({ notifications: true })
    expect(status).toBe(202)
    expect(body).toEqual({ transaction_id: expect.stringMatching(/^[\w-]{43}$/), interval: 30 })
    bench.time.advance(10)
    const early = await poll()
    expect([early.status, await bodyOf(early)]).toEqual([
      202,
      { transaction_id: body['transaction_id'], interval: 20 },
    ])
  })

  test('wants the token, a transaction_id and JSON [VCI-I-DEF-01]', async () => {
    const held = await deferred()
    const bare = await held.bench.send(`${ISSUER}/deferred`, {
      method: 'POST',
      headers: JSON_BODY,
      body: '{}',
    })
    expect([bare.status, bare.headers.get('WWW-Authenticate')]).toEqual([401, 'DPoP algs="ES256"'])
    expect(await outcome(await held.poll({}))).toEqual([400, 'invalid_credential_request'])
    const call = { token: held.token, path: '/deferred', body: '{}', type: 'text/plain' }
    expect(await outcome(await postWithToken(held.bench, held.wallet, call))).toEqual([
      400,
      'invalid_credential_request',
    ])
    const extra = { transaction_id: held.body['transaction_id'] ?? '', foo: 1 }
    expect((await held.poll(extra)).status).toBe(202)
  })

  test('a ready one is bound to the first keys and redeemed once [VCI-I-DEF-02, VCI-I-DEF-04]', async () => {
    const { poll, decide, holder, bench, wallet } = await deferred({ notifications: true })
    expect(await outcome(await poll({ transaction_id: 'x' }))).toEqual([400, 'invalid_transaction_id'])
    const stranger = await obtainToken(bench, wallet)
    expect(await outcome(await poll(undefined, stranger.token))).toEqual([400, 'invalid_transaction_id'])
    await decide('approved')
    const answers = await Promise.all(Array.from({ length: 20 }, () => poll()))
    const good = answers.filter((answer) => answer.status === 200)
    expect(good).toHaveLength(1)
    const body = await bodyOf(good[0] ?? new Response())
    expect(Object.keys(body)).toEqual(['credentials', 'notification_id'])
    const credential = String(selectByPath(body, ['credentials', 0, 'credential'])?.[0])
    expect(selectByPath(payloadOf(credential), ['cnf', 'jwk', 'x'])).toEqual([holder.publicJwk.x])
    expect(await outcome(await poll())).toEqual([400, 'invalid_transaction_id'])
    expect(await bench.store.list('t/default/issuer/transaction/')).toEqual([])
  })

  test('what is denied stays denied, and is decided once [VCI-I-DEF-05]', async () => {
    const { poll, decide } = await deferred()
    await decide('denied')
    await expect(decide('approved')).rejects.toMatchObject({ code: 'deferred_decided' })
    for (let nth = 0; nth < 2; nth += 1) {
      expect(await outcome(await poll())).toEqual([400, 'credential_request_denied'])
    }
  })
})

describe('notifications', () => {
  async function notified() {
    const held = await ready({ notifications: true })
    const body = await bodyOf(await requestCredential(held.bench, held.wallet, held.token))
    const id = textOf(body, 'notification_id')
    const notify = async (members: JsonObject, token = held.token) =>
      postWithToken(held.bench, held.wallet, { token, path: '/notification', body: members })
    return { ...held, id, notify }
  }
  const accepted = 'credential_accepted'

  test('the token of the credential request is good here, and only with it [VCI-I-NTF-01, VCI-I-NTF-02]', async () => {
    const { bench, id, notify } = await notified()
    expect((await notify({ notification_id: id, event: accepted })).status).toBe(204)
    const bare = await bench.send(`${ISSUER}/notification`, {
      method: 'POST',
      headers: JSON_BODY,
      body: '{}',
    })
    expect(bare.headers.get('WWW-Authenticate')).toBe('DPoP algs="ES256"')
    const bad = await bench.send(`${ISSUER}/notification`, {
      method: 'POST',
      headers: { ...JSON_BODY, Authorization: `DPoP ${'x'.repeat(43)}` },
      body: '{}',
    })
    expect([bad.status, bad.headers.get('WWW-Authenticate')]).toEqual([
      401,
      expect.stringContaining('invalid_token'),
    ])
    const deferred = await ready({ notifications: true, template: DEFERRED })
    const waiting = await requestCredential(deferred.bench, deferred.wallet, deferred.token)
    expect(await bodyOf(waiting)).not.toHaveProperty('notification_id')
  })

  test.each([
    [{ event: accepted }],
    [{ notification_id: 'x' }],
    [{ notification_id: 'x', event: 'credential_lost' }],
    [{ notification_id: 'x', event: accepted, event_description: 'a "quote"' }],
    [{ notification_id: 'x', event: accepted, event_description: 'ü' }],
    [{ notification_id: 1, event: accepted }],
  ])('refuses %j [VCI-I-NTF-03]', async (members) => {
    const { notify } = await notified()
    expect(await outcome(await notify(members))).toEqual([400, 'invalid_notification_request'])
  })

  test('an unknown or foreign id is refused [VCI-I-NTF-04]', async () => {
    const { bench, wallet, id, notify } = await notified()
    expect(await outcome(await notify({ notification_id: 'x', event: accepted }))).toEqual([
      400,
      'invalid_notification_id',
    ])
    const other = await obtainToken(bench, wallet)
    expect(await outcome(await notify({ notification_id: id, event: accepted }, other.token))).toEqual([
      400,
      'invalid_notification_id',
    ])
  })

  test('204; a repeat changes nothing, a later event does [VCI-I-NTF-05, VCI-I-NTF-06]', async () => {
    const { bench, id, notify } = await notified()
    const events = [accepted, accepted, 'credential_deleted']
    for (const event of events) {
      const answer = await notify({ notification_id: id, event, event_description: 'fine', foo: 1 })
      expect([answer.status, await answer.text()]).toEqual([204, ''])
    }
    const said = bench.logged.filter((line) => line.event === 'issuer.notified').map((line) => line['said'])
    expect(said).toEqual([accepted, 'credential_deleted'])
  })
})
