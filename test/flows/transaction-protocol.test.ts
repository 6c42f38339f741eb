import {
  decodeBase64url,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  parseForm,
} from '@attache/core'
import {
  createAnchors,
  createSoftwareSigner,
  decryptJwe,
  encryptJwe,
  generateDecryptionKey,
  generatePrivateJwk,
  parseJws,
} from '@attache/keys'
import {
  type AuthorizationRequest,
  directPostBody,
  fragmentUrl,
  parseAuthorizationRequest,
  parseDcqlQuery,
  parseRequestUrl,
  STATIC_AUDIENCE,
  verifyRequestObject,
} from '@attache/openid4vp'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { bindTo, reasonIn } from '../support/forged-presentation.js'
import {
  API,
  askResult,
  ca,
  createWallet,
  createWorld,
  fetchRequest,
  objectOf,
  postForm,
  postResponse,
  present,
  QUERY,
  responseCodeOf,
  signers,
  soundBody,
  storedText,
  type World,
} from '../support/presentation-world.js'

const FORM = 'application/x-www-form-urlencoded'
const wallet = await createWallet()

async function begin(
  world: World,
  options: Partial<Parameters<World['verifier']['startTransaction']>[0]> = {},
) {
  const started = await world.verifier.startTransaction({ query: QUERY, ...options })
  return { started, ...(await fetchRequest(world, started.requestUrl)) }
}

/** Posts something to a fresh transaction and says status, body and reason. */
async function respond(
  make: (request: AuthorizationRequest) => Promise<string> | string,
  options: Partial<Parameters<World['verifier']['startTransaction']>[0]> = {},
  world = createWorld(),
) {
  const { request, responseUri, started } = await begin(world, options)
  const response = await postResponse(world, responseUri, await make(request))
  return {
    response,
    status: response.status,
    reason: reasonIn(world.lines),
    world,
    responseUri,
    started,
    request,
  }
}

const direct = { responseMode: 'direct_post' as const }

/** The parameters of a sound answer in the clear. */
async function soundParameters(request: AuthorizationRequest): Promise<Record<string, string>> {
  const token = await present(wallet, request, { audience: request.clientId ?? '' })
  return { vp_token: JSON.stringify(Object.fromEntries(token)), state: request.state ?? '' }
}

const encode = (parameters: Readonly<Record<string, string>>) => new URLSearchParams(parameters).toString()

/** Encrypts whatever plaintext to the key of a request, with header members of the caller's choice. */
async function encrypted(
  request: AuthorizationRequest,
  plaintext: JsonValue,
  extra: { apu?: string; apv?: string; cty?: string; zip?: 'DEF'; enc?: 'A128GCM' | 'A256GCM' } = {},
): Promise<string> {
  const [jwk] = request.clientMetadata?.encryptionKeys ?? []
  if (jwk === undefined) throw new Error('The request has no key.')
  const { enc = 'A256GCM', ...rest } = extra
  return encryptJwe(new TextEncoder().encode(JSON.stringify(plaintext)), { jwk, enc, ...rest })
}

async function soundPlaintext(request: AuthorizationRequest): Promise<JsonObject> {
  const token = await present(wallet, request, { audience: request.clientId ?? '' })
  return { vp_token: Object.fromEntries(token), state: request.state ?? '' }
}

describe('the request', () => {
  test('has a fresh nonce and state of 32 random bytes each [VP-V-REQ-04] [VP-V-REQ-06]', async () => {
    const world = createWorld({}, (count) => crypto.getRandomValues(new Uint8Array(count)))
    const seen = new Set<string>()
    for (let at = 0; at < 10_000; at += 1) {
      const { requestUrl, transactionId } = await world.verifier.startTransaction({
        query: QUERY,
        clientIdPrefix: 'redirect_uri',
        ...direct,
      })
      const parameters = new URL(requestUrl).searchParams
      const [nonce = '', state = ''] = [parameters.get('nonce') ?? '', parameters.get('state') ?? '']
      expect(decodeBase64url(nonce)).toHaveLength(32)
      expect(new Set([nonce, state, transactionId]).size).toBe(3)
      seen.add(nonce)
    }
    expect(seen.size).toBe(10_000)
  })

  test('has objects in the request object and JSON text in a URL [VP-V-REQ-12]', async () => {
    const world = createWorld()
    const { text } = await begin(world)
    expect(typeof parseJws(text).payload['dcql_query']).toBe('object')
    const { requestUrl } = await world.verifier.startTransaction({
      query: QUERY,
      clientIdPrefix: 'redirect_uri',
      ...direct,
    })
    expect(JSON.parse(new URL(requestUrl).searchParams.get('dcql_query') ?? '')).toEqual(QUERY)
    const handover = parseRequestUrl(requestUrl)
    expect(handover.kind).toBe('parameters')
  })

  test('is handed over by reference with nothing beside it [VP-V-REQ-13] [VP-V-JAR-05] [IOP-V-02]', async () => {
    const world = createWorld()
    const names = async (method: 'get' | 'post') => {
      const { requestUrl } = await world.verifier.startTransaction({ query: QUERY, method })
      return [...new URL(requestUrl).searchParams.keys()]
    }
    expect(await names('get')).toEqual(['client_id', 'request_uri'])
    expect(await names('post')).toEqual(['client_id', 'request_uri', 'request_uri_method'])
    expect(() =>
      parseRequestUrl('openid4vp://?client_id=a&request=b&request_uri=https://c.example/'),
    ).toThrow(expect.objectContaining({ code: 'malformed' }))
  })

  test('can be made with each prefix, mode, transport and wallet address [IOP-V-01]', async () => {
    const world = createWorld()
    for (const clientIdPrefix of ['redirect_uri', 'x509_san_dns', 'x509_hash'] as const) {
      for (const responseMode of ['direct_post', 'direct_post.jwt'] as const) {
        const walletUrl = 'https://wallet.example/authorize'
        const { requestUrl } = await world.verifier.startTransaction({
          query: QUERY,
          clientIdPrefix,
          responseMode,
          walletUrl,
        })
        const parameters = new URL(requestUrl).searchParams
        expect(requestUrl.startsWith(`${walletUrl}?`)).toBe(true)
        expect(parameters.get('client_id')?.startsWith(`${clientIdPrefix}:`)).toBe(true)
        expect(parameters.has('request_uri')).toBe(clientIdPrefix !== 'redirect_uri')
        if (clientIdPrefix === 'redirect_uri') expect(parameters.get('response_mode')).toBe(responseMode)
        else expect((await fetchRequest(world, requestUrl)).request.responseMode).toBe(responseMode)
      }
    }
  })

  test('travels signed and whole in its URL where wallets fetch nothing [VP-V-JAR-05] [VP-V-JAR-06]', async () => {
    const world = createWorld()
    const { requestUrl } = await world.verifier.startTransaction({ query: QUERY, delivery: 'value' })
    expect([...new URL(requestUrl).searchParams.keys()]).toEqual(['client_id', 'request'])
    const handover = parseRequestUrl(requestUrl)
    if (handover.kind !== 'object') throw new Error('It travelled otherwise.')
    const { request } = await verifyRequestObject(handover.requestObject, {
      clientId: handover.clientId,
      audiences: [STATIC_AUDIENCE],
      algorithms: ['ES256'],
      trust: { anchors: createAnchors('verifiers', [ca.pem]) },
      now: NOW,
    })
    const response = await postResponse(world, request.responseUri ?? '', await soundBody(wallet, request))
    expect(response.status).toBe(200)
    // High assurance sends references alone.
    const haip = createWorld({ profile: 'haip' })
    await expect(haip.verifier.startTransaction({ query: QUERY, delivery: 'value' })).rejects.toMatchObject({
      code: 'haip_by_reference',
    })
  })

  test('brings what others say of the verifier, made for this very request [VP-V-INF-01] [VP-V-INF-02]', async () => {
    const world = createWorld()
    const made: JsonObject[] = []
    const verifierInfo = async ({ clientId, nonce }: { clientId: string; nonce: string }) => {
      made.push({ clientId, nonce })
      return [{ format: 'https://registrar.example/v1', data: `for ${nonce}`, credentialIds: ['role_cred'] }]
    }
    const [one, two] = [await begin(world, { verifierInfo }), await begin(world, { verifierInfo })]
    expect(one.request.verifierInfo).toEqual([
      {
        format: 'https://registrar.example/v1',
        data: `for ${one.request.nonce}`,
        credentialIds: ['role_cred'],
      },
    ])
    expect(made).toEqual([one, two].map(({ request: { clientId, nonce } }) => ({ clientId, nonce })))
    const again = await fetchRequest(world, one.started.requestUrl)
    expect(again.request.verifierInfo).toEqual(one.request.verifierInfo)
    const constant = await begin(world, { verifierInfo: [{ format: 'jwt', data: 'a.b.c' }] })
    expect(constant.request.verifierInfo).toMatchObject([{ format: 'jwt', data: 'a.b.c' }])
    for (const wrong of [[], [{ format: 'jwt', data: 'a.b.c', credentialIds: ['unknown'] }]]) {
      const asked = world.verifier.startTransaction({ query: QUERY, verifierInfo: wrong })
      await expect(asked).rejects.toMatchObject({ code: 'verifier_info' })
    }
  })

  test('under the prefix redirect_uri is answered and bound to that whole identifier', async () => {
    const world = createWorld()
    const { requestUrl } = await world.verifier.startTransaction({
      query: QUERY,
      clientIdPrefix: 'redirect_uri',
    })
    const handover = parseRequestUrl(requestUrl)
    if (handover.kind !== 'parameters') throw new Error('It travelled otherwise.')
    const request = parseAuthorizationRequest(handover.parameters)
    const response = await postResponse(world, request.responseUri ?? '', await soundBody(wallet, request))
    expect(response.status).toBe(200)
  })

  test('is the same in the URL and in the object, byte for byte [VP-V-CID-01]', async () => {
    const world = createWorld()
    const { started, text } = await begin(world)
    expect(parseJws(text).payload['client_id']).toBe(
      new URL(started.requestUrl).searchParams.get('client_id'),
    )
    expect(started.clientId.startsWith('x509_hash:')).toBe(true)
  })
})

describe('the request object', () => {
  test('has its type, audience, times and no obsolete member [VP-V-JAR-01] [VP-V-JAR-11] [IOP-V-04]', async () => {
    const { text } = await begin(createWorld())
    const { header, payload } = parseJws(text)
    expect(header).toEqual({ alg: 'ES256', typ: 'oauth-authz-req+jwt', x5c: signers.api.x5c })
    expect(Object.keys(payload).sort()).toEqual([
      'aud',
      'client_id',
      'client_metadata',
      'dcql_query',
      'exp',
      'iat',
      'nonce',
      'response_mode',
      'response_type',
      'response_uri',
      'state',
    ])
    expect(payload).toMatchObject({ aud: 'https://self-issued.me/v2', iat: NOW, exp: NOW + 300 })
  })

  test('is made for the wallet that named itself, else for any [VP-V-JAR-02]', async () => {
    const world = createWorld()
    const { requestUri } = await world.verifier.startTransaction({ query: QUERY, method: 'post' })
    const metadata = JSON.stringify({ issuer: 'https://wallet.example' })
    const answer = await postForm(world, requestUri, new Map([['wallet_metadata', metadata]]))
    expect(parseJws(await answer.text()).payload['aud']).toBe('https://wallet.example')
    const plain = await world.send(new Request(requestUri))
    expect(parseJws(await plain.text()).payload['aud']).toBe('https://self-issued.me/v2')
  })

  test('comes with its media type, uncached, whatever is accepted [VP-V-JAR-08]', async () => {
    const world = createWorld()
    const { requestUri } = await world.verifier.startTransaction({ query: QUERY })
    const answer = await world.send(new Request(requestUri, { headers: { Accept: 'text/plain' } }))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('Content-Type')).toBe('application/oauth-authz-req+jwt')
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
  })

  test('is nowhere else and nothing redirects [VP-V-JAR-09]', async () => {
    const world = createWorld()
    const { requestUri } = await world.verifier.startTransaction({ query: QUERY })
    const statuses = await Promise.all(
      [
        `${requestUri}/`,
        `${API}/attache/request/unknown`,
        `${API}/attache/request`,
        `${API}/attache/response/x/`,
      ].map(async (url) => (await world.send(new Request(url))).status),
    )
    expect(statuses).toEqual([404, 404, 404, 404])
  })

  test('is the same at every fetch, gone after its time [VP-V-JAR-10] [VP-V-JAR-07] [IOP-V-03]', async () => {
    const world = createWorld()
    const { requestUri } = await world.verifier.startTransaction({ query: QUERY })
    const fetchOnce = async () => (await world.send(new Request(requestUri))).text()
    const [first, second] = [parseJws(await fetchOnce()), parseJws(await fetchOnce())]
    expect(second.payload).toEqual(first.payload)
    const handle = requestUri.split('/').at(-1) ?? ''
    expect(decodeBase64url(handle)).toHaveLength(32)
    world.time.advance(300)
    expect((await world.send(new Request(requestUri))).status).toBe(404)
  })

  test('announces both formats and a fresh key with kid, alg and use [VP-V-META-05] [IOP-V-05]', async () => {
    const world = createWorld()
    const [one, two] = await Promise.all([begin(world), begin(world)])
    const metadata = parseJws(one.text).payload['client_metadata']
    expect(isJsonObject(metadata) && Object.keys(metadata).sort()).toEqual([
      'encrypted_response_enc_values_supported',
      'jwks',
      'vp_formats_supported',
    ])
    expect(metadata).toMatchObject({
      vp_formats_supported: {
        'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] },
      },
      encrypted_response_enc_values_supported: ['A128GCM', 'A256GCM'],
      jwks: { keys: [{ kty: 'EC', crv: 'P-256', alg: 'ECDH-ES', use: 'enc' }] },
    })
    const kid = (request: AuthorizationRequest) => request.clientMetadata?.encryptionKeys[0]?.kid
    expect(kid(one.request)).not.toBe(kid(two.request))

    await postResponse(world, one.responseUri, await soundBody(wallet, one.request))
    await postResponse(world, two.responseUri, await soundBody(wallet, two.request))
    expect(await storedText(world)).not.toContain('"d":')
  })
})

describe('request_uri_method post', () => {
  const post = async (body: string, type = FORM, world = createWorld()) => {
    const { requestUri } = await world.verifier.startTransaction({ query: QUERY, method: 'post' })
    const headers: Record<string, string> = type === '' ? {} : { 'Content-Type': type }
    return world.send(new Request(requestUri, { method: 'POST', headers, body: body === '' ? null : body }))
  }

  test('is answered like GET, with or without a body [VP-V-RUM-03] [VP-V-RUM-02]', async () => {
    expect((await post('wallet_nonce=n-1')).status).toBe(200)
    expect((await post('wallet_nonce=n-1', `${FORM};charset=UTF-8`)).status).toBe(200)
    expect((await post('', '')).status).toBe(200)
    expect((await post('', FORM)).status).toBe(200)
    expect((await post('{}', 'application/json')).status).toBe(415)
  })

  test('repeats a wallet_nonce and nothing else [VP-V-RUM-04]', async () => {
    const nonce = async (body: string) => parseJws(await (await post(body)).text()).payload['wallet_nonce']
    expect(await nonce('wallet_nonce=n-1')).toBe('n-1')
    expect(await nonce('foo=bar')).toBeUndefined()
    expect((await post(`wallet_nonce=${'x'.repeat(513)}`)).status).toBe(400)
    expect((await post(`wallet_nonce=${'x'.repeat(512)}`)).status).toBe(200)
  })

  test('ignores what it does not know, refuses metadata that is no JSON [VP-V-RUM-05]', async () => {
    expect((await post('foo=bar')).status).toBe(200)
    expect((await post(encode({ wallet_metadata: '{"foo":1}' }))).status).toBe(200)
    expect((await post(encode({ wallet_metadata: '{' }))).status).toBe(400)
    expect((await post(encode({ wallet_metadata: '[]' }))).status).toBe(400)
  })

  test('is signed, then encrypted to a wallet that brings a key for it [VP-V-RUM-07]', async () => {
    const key = generateDecryptionKey()
    const metadata = (override: JsonObject = {}) =>
      encode({
        wallet_metadata: JSON.stringify({
          jwks: { keys: [key.publicJwk] },
          request_object_encryption_alg_values_supported: ['ECDH-ES'],
          request_object_encryption_enc_values_supported: ['A256GCM', 'A128CBC-HS256'],
          ...override,
        }),
      })
    const answer = await post(metadata())
    expect(answer.headers.get('Content-Type')).toBe('application/oauth-authz-req+jwt')
    const { header, plaintext } = await decryptJwe(await answer.text(), { keys: [key], encs: ['A256GCM'] })
    expect(header['cty']).toBe('oauth-authz-req+jwt')
    const signed = new TextDecoder().decode(plaintext)
    const { request } = await verifyRequestObject(await (await post(metadata())).text(), {
      audiences: [STATIC_AUDIENCE],
      algorithms: ['ES256'],
      trust: { anchors: createAnchors('verifiers', [ca.pem]) },
      decryptionKeys: [key],
      now: NOW,
    })
    expect(parseJws(signed).header['typ']).toBe('oauth-authz-req+jwt')
    expect(request.responseMode).toBe('direct_post.jwt')
    // Half of it asks for nothing; a set that is none is a mistake worth saying.
    for (const half of [
      { jwks: { keys: [] } },
      { request_object_encryption_alg_values_supported: ['RSA-OAEP'] },
      { request_object_encryption_enc_values_supported: ['A128CBC-HS256'] },
    ]) {
      expect(parseJws(await (await post(metadata(half))).text()).header['alg']).toBe('ES256')
    }
    expect((await post(metadata({ jwks: 'x' }))).status).toBe(400)
  })

  test('stays within what a wallet says it can do [VP-V-RUM-06] [VP-V-CID-02]', async () => {
    const status = async (metadata: JsonObject) =>
      (await post(encode({ wallet_metadata: JSON.stringify(metadata) }))).status
    expect(await status({ vp_formats_supported: { mso_mdoc: {} } })).toBe(400)
    expect(await status({ vp_formats_supported: { 'dc+sd-jwt': {}, mso_mdoc: {} } })).toBe(200)
    expect(await status({ client_id_prefixes_supported: ['redirect_uri'] })).toBe(400)
    expect(await status({ client_id_prefixes_supported: ['x509_hash'] })).toBe(200)
    expect(await status({ request_object_signing_alg_values_supported: ['RS256'] })).toBe(400)
    expect(await status({ authorization_encryption_enc_values_supported: ['A256CBC-HS512'] })).toBe(400)
    expect(await status({})).toBe(200)
  })
})

describe('the response endpoint', () => {
  test('takes form posts only [VP-V-RSP-01] [VP-V-RSP-13]', async () => {
    const world = createWorld()
    const { request, responseUri } = await begin(world)
    const body = await soundBody(wallet, request)
    expect((await world.send(new Request(responseUri))).status).toBe(405)
    const as = (type: string) =>
      world.send(new Request(responseUri, { method: 'POST', headers: { 'Content-Type': type }, body }))
    expect((await as('application/json')).status).toBe(415)
    expect((await as(`${FORM};charset=UTF-8`)).status).toBe(200)
  })

  test('reads the vp_token of direct_post as JSON text [VP-V-RSP-02]', async () => {
    const broken = await respond(({ state = '' }) => encode({ vp_token: '{', state }), direct)
    expect([broken.status, broken.reason]).toEqual([400, 'vp_token_malformed'])
    const sound = await respond(async (request) => encode(await soundParameters(request)), direct)
    expect(sound.status).toBe(200)
  })

  test('ignores parameters it does not know [VP-V-RSP-03]', async () => {
    const extra = { presentation_submission: '{}', iss: 'x', foo: 'bar' }
    const { status } = await respond(
      async (request) => encode({ ...(await soundParameters(request)), ...extra }),
      direct,
    )
    expect(status).toBe(200)
  })

  test('wants one answer, said once [VP-V-RSP-04]', async () => {
    const cases: readonly ((sound: Record<string, string>) => string)[] = [
      ({ state = '' }) => encode({ state }),
      (sound) => encode({ ...sound, error: 'access_denied' }),
      (sound) => encode({ ...sound, response: 'x' }),
    ]
    for (const make of cases) {
      const verdict = await respond(async (request) => make(await soundParameters(request)), direct)
      expect([verdict.status, verdict.reason]).toEqual([400, 'response_malformed'])
    }
    const world = createWorld()
    const { request, responseUri } = await begin(world, direct)
    const body = `${encode(await soundParameters(request))}&state=twice`
    const headers = { 'Content-Type': FORM }
    expect((await world.send(new Request(responseUri, { method: 'POST', headers, body }))).status).toBe(400)
  })

  test('knows its transaction and its state [VP-V-RSP-05] [VP-V-REQ-07] [VP-V-ENC-07]', async () => {
    const other = await respond(
      async (request) => encode({ ...(await soundParameters(request)), state: 'other' }),
      direct,
    )
    expect([other.status, other.reason]).toEqual([400, 'state_mismatch'])
    const world = createWorld()
    const unknown = await postResponse(world, `${API}/attache/response/unknown`, 'vp_token={}&state=x')
    expect([unknown.status, reasonIn(world.lines)]).toEqual([400, 'unknown_transaction'])
    const { request, responseUri } = await begin(world, direct)
    const body = encode(await soundParameters(request))
    world.time.advance(301)
    const late = await postResponse(world, responseUri, body)
    expect([late.status, world.lines.join().includes('transaction_expired')]).toEqual([400, true])
    const crossed = await respond(async (asked) => {
      const response = await encrypted(asked, { ...(await soundPlaintext(asked)), state: 'other' })
      return encode({ response })
    })
    expect([crossed.status, crossed.reason]).toEqual([400, 'state_mismatch'])
  })

  test('takes one response for a transaction, also of many at once [VP-V-RSP-06]', async () => {
    const world = createWorld()
    const { request, responseUri } = await begin(world)
    const body = await soundBody(wallet, request)
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => postResponse(world, responseUri, body)),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
    expect((await postResponse(world, responseUri, body)).status).toBe(400)
    expect(reasonIn(world.lines)).toBe('transaction_consumed')
  })

  test('answers with a JSON object, uncached, and never redirects [VP-V-RSP-07] [IOP-V-07]', async () => {
    const { response, world, started } = await respond((request) => soundBody(wallet, request))
    expect(response.headers.get('Content-Type')).toBe('application/json')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    const body = await objectOf(response.clone())
    expect(Object.keys(body)).toEqual(['redirect_uri'])
    const wanted = { transaction_id: started.transactionId, response_code: await responseCodeOf(response) }
    expect((await askResult(world, wanted)).status).toBe(200)

    const bad = await respond(({ state = '' }) => encode({ vp_token: '{}', state }), direct)
    expect(await objectOf(bad.response)).toEqual({
      error: 'invalid_request',
      error_description: 'The response is not accepted.',
    })
    const big = await respond(() => `response=${'x'.repeat(262_145)}`)
    expect(big.status).toBe(413)
  })

  test('answers a refused presentation with 400 [VP-V-RSP-08]', async () => {
    const { status, world, responseUri, request } = await respond(async (asked) =>
      directPostBody(asked, { vpToken: await present(wallet, asked, { audience: 'x509_hash:other' }) }),
    )
    expect(status).toBe(400)
    expect(reasonIn(world.lines)).toBe('kb_aud_mismatch')
    // It was a readable answer: the transaction is over.
    const sound = await postResponse(world, responseUri, await soundBody(wallet, request))
    expect(sound.status).toBe(400)
  })

  test("takes a wallet's error, plain or encrypted; presentations only encrypted [VP-V-RSP-09] [VP-V-RSP-10]", async () => {
    const plain = await respond(({ state = '' }) => encode({ error: 'access_denied', state }))
    expect(plain.status).toBe(200)
    expect(await objectOf(plain.response)).toEqual({})
    const result = await askResult(plain.world, { transaction_id: plain.started.transactionId })
    expect(await objectOf(result)).toEqual({ status: 'refused', reason: 'denied' })

    const inside = await respond((request) => directPostBody(request, { error: 'access_denied' }))
    expect([inside.status, await inside.response.text()]).toEqual([200, '{}'])
    const clear = await respond(async (request) => encode(await soundParameters(request)))
    expect([clear.status, clear.reason]).toEqual([400, 'encryption_required'])
  })

  test('is not ended by nonsense, and not kept open for ever', async () => {
    const world = createWorld()
    const { request, responseUri } = await begin(world)
    const body = await soundBody(wallet, request)
    for (let at = 0; at < 4; at += 1)
      expect((await postResponse(world, responseUri, 'response=x')).status).toBe(400)
    expect((await postResponse(world, responseUri, body)).status).toBe(200)

    const second = await begin(world)
    for (let at = 0; at < 5; at += 1) await postResponse(world, second.responseUri, 'response=x')
    expect(
      (await postResponse(world, second.responseUri, await soundBody(wallet, second.request))).status,
    ).toBe(400)
  })
})

describe('a presentation scope', () => {
  test('stands for one query, with ids of its own, and is judged by it [VP-V-SCO-01]', async () => {
    const presentationScopes = { 'example.com/role': QUERY }
    const world = createWorld({ presentationScopes })
    const { requestUrl } = await world.verifier.startTransaction({ scope: 'example.com/role', ...direct })
    const { request, responseUri, text } = await fetchRequest(world, requestUrl)
    expect(request.scope).toBe('example.com/role')
    expect(parseJws(text).payload).not.toHaveProperty('dcql_query')
    const known = { ...request, dcqlQuery: parseDcqlQuery(QUERY) }
    expect((await postResponse(world, responseUri, encode(await soundParameters(known)))).status).toBe(200)

    const again = await world.verifier.startTransaction({ scope: 'example.com/role', ...direct })
    const second = await fetchRequest(world, again.requestUrl)
    const foreign = encode({ vp_token: '{"other":["x~"]}', state: second.request.state ?? '' })
    expect((await postResponse(world, second.responseUri, foreign)).status).toBe(400)
    expect(reasonIn(world.lines)).toBe('unknown_credential_id')
    expect(() => createWorld({ presentationScopes: { a: QUERY, b: QUERY } })).toThrow(
      expect.objectContaining({ code: 'scope_ids' }),
    )
    for (const wrong of [{}, { scope: 'unknown' }, { query: QUERY, scope: 'example.com/role' }]) {
      await expect(world.verifier.startTransaction(wrong)).rejects.toMatchObject({ code: 'query_xor_scope' })
    }
  })
})

describe('a fragment answer', () => {
  test('is read from the fragment by the same path, never from a query string [VP-V-RSP-12]', async () => {
    const world = createWorld()
    const returnUri = 'https://api.example/cb'
    const options = { query: QUERY, responseMode: 'fragment' as const, returnUri }
    const started = await world.verifier.startTransaction(options)
    const { request } = await fetchRequest(world, started.requestUrl)
    expect(request).toMatchObject({ responseMode: 'fragment', redirectUri: returnUri })
    expect(request.responseUri).toBeUndefined()
    const vpToken = await present(wallet, request, { audience: request.clientId ?? '' })
    const url = fragmentUrl(returnUri, request, { vpToken })
    const [, fragment = ''] = url.split('#')

    const inQuery = new Request(`${started.responseUri}?${fragment}`, {
      method: 'POST',
      headers: { 'Content-Type': FORM },
      body: 'foo=bar',
    })
    expect((await world.send(inQuery)).status).toBe(400)
    expect((await world.send(new Request(`${API}/attache/done?${fragment}`))).status).toBe(200)
    expect((await askResult(world, { transaction_id: started.transactionId })).status).toBe(202)
    expect((await postResponse(world, started.responseUri, fragment)).status).toBe(200)
  })
})

describe('an encrypted response', () => {
  test('is the one parameter, everything else inside [VP-V-ENC-01]', async () => {
    const { status, request } = await respond((asked) => soundBody(wallet, asked))
    expect(status).toBe(200)
    expect([...parseForm(await soundBody(wallet, request)).keys()]).toEqual(['response'])
  })

  test('has a JSON object inside, its vp_token an object [VP-V-ENC-02]', async () => {
    const text = await respond(async (request) => {
      const { vp_token, state } = await soundPlaintext(request)
      return encode({
        response: await encrypted(request, { vp_token: JSON.stringify(vp_token), state: state ?? '' }),
      })
    })
    expect([text.status, text.reason]).toEqual([400, 'vp_token_malformed'])
    const list = await respond(async (request) => encode({ response: await encrypted(request, ['x']) }))
    expect([list.status, list.reason]).toEqual([400, 'response_malformed'])
  })

  test('names the key of its transaction [VP-V-ENC-03]', async () => {
    const stranger = generateDecryptionKey()
    const foreign = await respond(async (request) => {
      const bytes = new TextEncoder().encode(JSON.stringify(await soundPlaintext(request)))
      return encode({ response: await encryptJwe(bytes, { jwk: stranger.publicJwk, enc: 'A256GCM' }) })
    })
    expect([foreign.status, foreign.reason]).toEqual([400, 'decryption_failed'])
    const nameless = await respond(async (request) => {
      const [jwk] = request.clientMetadata?.encryptionKeys ?? []
      const { kid: _kid, ...rest } = jwk ?? stranger.publicJwk
      const bytes = new TextEncoder().encode(JSON.stringify(await soundPlaintext(request)))
      return encode({ response: await encryptJwe(bytes, { jwk: rest, enc: 'A256GCM' }) })
    })
    expect([nameless.status, nameless.reason]).toEqual([400, 'decryption_failed'])
  })

  test('uses the algorithms that were announced [VP-V-ENC-04] [VP-V-ENC-09]', async () => {
    const withHeader = (header: JsonObject) =>
      respond(async (request) => {
        const jwe = await encrypted(request, await soundPlaintext(request))
        const [first = '', ...rest] = jwe.split('.')
        const old = JSON.parse(new TextDecoder().decode(decodeBase64url(first)))
        const changed = Buffer.from(JSON.stringify({ ...old, ...header })).toString('base64url')
        return encode({ response: [changed, ...rest].join('.') })
      })
    for (const alg of ['dir', 'RSA-OAEP', 'ECDH-ES+A256KW']) {
      expect((await withHeader({ alg })).reason).toBe('jwe_header_rejected')
    }
    expect((await withHeader({ enc: 'A256CBC-HS512' })).reason).toBe('jwe_header_rejected')
    expect((await withHeader({ crit: ['x'] })).reason).toBe('jwe_header_rejected')
    const zipped = await respond(async (request) =>
      encode({ response: await encrypted(request, await soundPlaintext(request), { zip: 'DEF' }) }),
    )
    expect([zipped.status, zipped.reason]).toEqual([400, 'jwe_header_rejected'])
    const typed = await respond(async (request) =>
      encode({ response: await encrypted(request, await soundPlaintext(request), { cty: 'json' }) }),
    )
    expect(typed.status).toBe(200)
  })

  test('may use either content encryption, and party information [VP-V-ENC-05] [VP-V-ENC-06]', async () => {
    for (const enc of ['A128GCM', 'A256GCM'] as const) {
      const { status } = await respond(async (request) =>
        encode({
          response: await encrypted(request, await soundPlaintext(request), {
            enc,
            apu: 'YXB1',
            apv: 'YXB2',
          }),
        }),
      )
      expect(status).toBe(200)
    }
    const tampered = await respond(async (request) => {
      const jwe = await encrypted(request, await soundPlaintext(request), { apu: 'YXB1' })
      const [first = '', ...rest] = jwe.split('.')
      const header = JSON.parse(new TextDecoder().decode(decodeBase64url(first)))
      const changed = Buffer.from(JSON.stringify({ ...header, apu: 'YXB2' })).toString('base64url')
      return encode({ response: [changed, ...rest].join('.') })
    })
    expect([tampered.status, tampered.reason]).toEqual([400, 'decryption_failed'])
  })

  test('proves nothing about who sent it [VP-V-ENC-08]', async () => {
    const thief = createSoftwareSigner(generatePrivateJwk('ES256'))
    const { reason } = await respond(async (request) => {
      const presentation = await present(wallet, request, { audience: request.clientId ?? '' })
      const [whole = ''] = presentation.get('role_cred') ?? []
      const presented = whole.slice(0, whole.lastIndexOf('~') + 1)
      return directPostBody(request, {
        vpToken: new Map([['role_cred', [await bindTo(request, presented, { signer: thief })]]]),
      })
    })
    expect(reason).toBe('kb_signature_invalid')
  })
})

describe('the result', () => {
  const finish = async (options: Partial<Parameters<World['verifier']['startTransaction']>[0]> = {}) => {
    const world = createWorld()
    const { started, request, responseUri } = await begin(world, options)
    const response = await postResponse(world, responseUri, await soundBody(wallet, request))
    return { world, started, request, response }
  }
  const ids = (transactionId: string, rest: Readonly<Record<string, string>> = {}) => ({
    transaction_id: transactionId,
    ...rest,
  })

  test('is announced by an address with a fresh code in its query [VP-V-SES-01] [VP-V-SES-09] [VP-V-SES-04]', async () => {
    const [one, two] = [await finish(), await finish()]
    const codes = await Promise.all([one, two].map(({ response }) => responseCodeOf(response)))
    expect(codes.map((code) => decodeBase64url(code)?.length)).toEqual([32, 32])
    const own = await finish({ returnUri: 'https://app.example/done?x=1' })
    const body = await objectOf(own.response)
    expect(String(member(body, 'redirect_uri'))).toMatch(
      /^https:\/\/app\.example\/done\?x=1&response_code=[\w-]{43}$/,
    )
  })

  test('is given for transaction id and code, once [VP-V-SES-02] [VP-V-SES-07]', async () => {
    const { world, started, response } = await finish()
    const responseCode = await responseCodeOf(response)
    const { transactionId } = started
    expect((await askResult(world, ids(transactionId))).status).toBe(400)
    expect((await askResult(world, ids(transactionId, { response_code: 'wrong' }))).status).toBe(400)
    const right = ids(transactionId, { response_code: responseCode })
    const answers = await Promise.all(Array.from({ length: 10 }, () => askResult(world, right)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect((await askResult(world, right)).status).toBe(400)
    const kept = await storedText(world)
    for (const secret of [transactionId, responseCode, 'Manager', 'vp_token'])
      expect(kept).not.toContain(secret)
  })

  test('across devices waits for the transaction id alone [VP-V-SES-02] [VP-V-SES-06]', async () => {
    const world = createWorld()
    const { started, request, responseUri } = await begin(world, { crossDevice: true })
    expect((await askResult(world, ids(started.transactionId))).status).toBe(202)
    const response = await postResponse(world, responseUri, await soundBody(wallet, request))
    expect(await response.text()).toBe('{}')
    expect((await askResult(world, ids(started.transactionId))).status).toBe(200)
  })

  test('is not found by any other secret of the transaction [VP-V-SES-03] [IOP-V-09]', async () => {
    const { world, started, request, response } = await finish()
    const handle = started.requestUri.split('/').at(-1) ?? ''
    for (const other of [request.state ?? '', request.nonce, handle]) {
      expect((await askResult(world, ids(other))).status).toBe(404)
    }
    const right = ids(started.transactionId, { response_code: await responseCodeOf(response) })
    expect(await objectOf(await askResult(world, right))).toMatchObject({
      status: 'answered',
      credentials: [{ claims: { role: 'Manager', region: 'EU' } }],
    })
    const bad = createWorld()
    const refused = await begin(bad, direct)
    await postResponse(
      bad,
      refused.responseUri,
      encode({ vp_token: '{}', state: refused.request.state ?? '' }),
    )
    expect(await objectOf(await askResult(bad, ids(refused.started.transactionId)))).toEqual({
      status: 'refused',
      reason: 'query_unsatisfied',
    })
  })

  test('of every response mode is read by one of many at once, in its own session [VP-V-SES-02] [VP-V-SES-05]', async () => {
    for (const responseMode of ['direct_post', 'direct_post.jwt', 'fragment'] as const) {
      const world = createWorld()
      const { started, request } = await begin(world, { responseMode, session: 'A' })
      const body = new URLSearchParams(await soundBody(wallet, request)).toString()
      const code = await responseCodeOf(await postResponse(world, started.responseUri, body))
      const right = ids(started.transactionId, { response_code: code, session: 'A' })
      const guesses = ['', 'x', started.transactionId].map((guess) => ({ ...right, response_code: guess }))
      const asked = [...guesses, ...Array.from({ length: 10 }, () => right), ...guesses]
      const answers = await Promise.all(asked.map((wanted) => askResult(world, wanted)))
      expect(answers.map(({ status }) => status).sort()).toEqual([
        200,
        ...Array.from({ length: 15 }, () => 400),
      ])
      expect((await askResult(world, { ...right, session: 'B' })).status).toBe(403)
    }
  })

  test('belongs to the session that began; another one burns it [VP-V-SES-05]', async () => {
    const { world, started, response } = await finish({ session: 'A' })
    const responseCode = await responseCodeOf(response)
    const right = ids(started.transactionId, { response_code: responseCode, session: 'A' })
    expect((await askResult(world, { ...right, session: 'B' })).status).toBe(403)
    expect((await askResult(world, right)).status).toBe(404)
    const sound = await finish({ session: 'A' })
    const code = await responseCodeOf(sound.response)
    const wanted = ids(sound.started.transactionId, { response_code: code, session: 'A' })
    expect((await askResult(sound.world, wanted)).status).toBe(200)
    const late = await finish({ session: 'A' })
    late.world.time.advance(1000)
    expect((await askResult(late.world, ids(late.started.transactionId, { session: 'A' }))).status).toBe(404)
  })
})
