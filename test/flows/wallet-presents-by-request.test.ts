import { encodeBase64url, type JsonObject, utf8 } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import type { RecordedCall } from '../support/network.js'
import { AGENT } from '../support/scripted-issuer.js'
import {
  API,
  createPresentationWorld,
  decrypted,
  NONCE,
  type PresentationOptions,
  type PresentationWorld,
  QUERY,
  REQUEST_URI,
  RESPONSE_KEY,
  shown,
  type VerifierScript,
} from '../support/scripted-verifier.js'
import { certify } from './issuer-bench.js'

const form = (call: RecordedCall | undefined) => new URLSearchParams(call?.body ?? '')
const base = { wallet: { profile: 'base' } } as const
const without = (name: string) => (parameters: JsonObject) =>
  Object.fromEntries(Object.entries(parameters).filter(([key]) => key !== name))
const put = (more: JsonObject) => (parameters: JsonObject) => ({ ...parameters, ...more })

/** The request is refused here: the code is in the journal, and the response endpoint was never called. */
async function expectStop(
  options: PresentationOptions,
  code: string,
  parameters: Record<string, string> = {},
): Promise<PresentationWorld> {
  const world = await createPresentationWorld(options)
  expect(await world.present(parameters)).toMatchObject({ outcome: 'refused' })
  expect(await world.reason()).toBe(code)
  expect(world.to('/response')).toHaveLength(0)
  return world
}
const stops = (verifierScript: VerifierScript, code: string) => expectStop({ verifierScript }, code)

async function expectDelivered(
  options: PresentationOptions = {},
  parameters: Record<string, string> = {},
): Promise<PresentationWorld> {
  const world = await createPresentationWorld(options)
  expect(await world.present(parameters)).toMatchObject({ outcome: 'delivered' })
  return world
}

describe('intake of a request', () => {
  test('takes URL and challenge members alike; a parameter twice is refused [VP-W-REQ-01]', async () => {
    const world = await expectDelivered()
    const members = { client_id: world.clientId, request_uri: REQUEST_URI }
    expect(await world.wallet.present(AGENT, members)).toMatchObject({ outcome: 'delivered' })
    const query = new URLSearchParams(members)
    for (const scheme of ['haip-vp://', 'https://wallet.example/authorize']) {
      expect(await world.wallet.present(AGENT, `${scheme}?${query}`)).toMatchObject({ outcome: 'delivered' })
    }
    expect(await world.wallet.present(AGENT, `openid4vp://?${query}&client_id=x`)).toMatchObject({
      outcome: 'refused',
    })
    expect(await world.reason()).toBe('malformed')
  })

  test('needs client_id, and at most one of request and request_uri [VP-W-REQ-02]', async () => {
    await expectStop({}, 'malformed', { request: 'x' })
    await expectStop({}, 'malformed', { client_id: '' })
    await expectDelivered({}, { client_metadata: '{"client_name":"x"}' })
  })

  test('knows the methods get and post alone [VP-W-REQ-03]', async () => {
    for (const request_uri_method of ['POST', 'put']) {
      const world = await expectStop({}, 'invalid_request_uri_method', { request_uri_method })
      expect(world.to('/request')).toHaveLength(0)
    }
    await expectDelivered({}, { request_uri_method: 'get' })
  })

  test('ignores unknown parameters, outside and inside [VP-W-REQ-04] [VP-W-OBJ-06]', async () => {
    await expectDelivered(
      { verifierScript: { request: put({ foo: 1, iss: 'https://other.example' }) } },
      { foo: '1' },
    )
    await stops({ request: put({ transaction_data: ['x'] }) }, 'invalid_transaction_data')
  })

  test('refuses what is larger or deeper than it reads [VP-W-REQ-05]', async () => {
    await stops({ request: put({ padding: 'x'.repeat(70_000) }) }, 'fetch_too_large')
    const claims = Array.from({ length: 65 }, (_, at) => ({ path: [`c${at}`] }))
    await stops(
      {
        request: put({
          dcql_query: {
            credentials: [{ id: 'a', format: 'dc+sd-jwt', meta: { vct_values: ['x'] }, claims }],
          },
        }),
      },
      'invalid_request',
    )
    let deep: JsonObject = {}
    for (let level = 0; level < 20; level += 1) deep = { deep }
    await stops({ request: put({ deep }) }, 'malformed')
    await expectDelivered({ verifierScript: { request: put({ padding: 'x'.repeat(1000) }) } })
  })

  test('fetches with GET, or POST where the request says so [VP-W-URI-01] [VP-W-URI-02]', async () => {
    const get = await expectDelivered()
    expect(get.to('/request')[0]).toMatchObject({ method: 'GET', body: '' })
    const post = await expectDelivered({}, { request_uri_method: 'post' })
    const [call] = post.to('/request')
    expect(call?.method).toBe('POST')
    expect(call?.headers.get('content-type')).toBe('application/x-www-form-urlencoded')
    expect(call?.headers.get('accept')).toBe('application/oauth-authz-req+jwt')
  })

  test('wants its nonce back [VP-W-URI-03]', async () => {
    const world = await expectDelivered({}, { request_uri_method: 'post' })
    await world.present({ request_uri_method: 'post' })
    const nonces = world.to('/request').map((call) => form(call).get('wallet_nonce'))
    expect(nonces[0]).toMatch(/^[\w-]{43}$/)
    expect(nonces[1]).not.toBe(nonces[0])
    for (const wallet_nonce of ['other', undefined]) {
      const request = wallet_nonce === undefined ? without('wallet_nonce') : put({ wallet_nonce })
      await expectStop({ verifierScript: { request } }, 'wallet_nonce', { request_uri_method: 'post' })
    }
  })

  test('says what it can do, and nothing else about itself [VP-W-URI-04] [VP-W-URI-05] [VP-W-MD-02]', async () => {
    const world = await expectDelivered({}, { request_uri_method: 'post' })
    const metadata: unknown = JSON.parse(form(world.to('/request')[0]).get('wallet_metadata') ?? '')
    expect(metadata).toMatchObject({
      client_id_prefixes_supported: ['x509_hash', 'x509_san_dns', 'decentralized_identifier'],
      request_object_signing_alg_values_supported: ['ES256'],
      authorization_encryption_alg_values_supported: ['ECDH-ES'],
      authorization_encryption_enc_values_supported: ['A256GCM', 'A128GCM'],
      vp_formats_supported: {
        'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] },
      },
    })
  })

  test('ends on every HTTP error, redirect and other media type [VP-W-URI-06] [VP-W-URI-07]', async () => {
    for (const status of [404, 500])
      await stops({ steps: { '/request': () => new Response('x', { status }) } }, 'request_uri_http')
    const away = new Response(null, { status: 302, headers: { Location: 'https://evil.example/' } })
    await stops({ steps: { '/request': () => away } }, 'fetch_redirect_refused')
    await stops(
      { steps: { '/request': () => new Response('<html>', { headers: { 'Content-Type': 'text/html' } }) } },
      'fetch_content_type',
    )
    await expectDelivered()
  })

  test('fetches from hosts of the client only [VP-W-URI-08] [VP-W-URI-09] [VP-W-URI-10]', async () => {
    for (const request_uri of [
      'http://api.example/request',
      'https://169.254.169.254/request',
      'https://[::1]/request',
    ]) {
      const world = await expectStop({}, 'request_uri_blocked', { request_uri })
      expect(world.network.calls.some(({ url }) => url === request_uri)).toBe(false)
    }
    for (const request_uri of [
      'https://evil.example/request',
      'https://api.example:8443/request',
      'https://api.example.evil.example/r',
    ]) {
      await expectStop({}, 'request_uri_unlinked', { request_uri })
    }
    await expectDelivered()
  })

  test('names nobody in its requests [VP-W-URI-11]', async () => {
    const world = await expectDelivered({}, { request_uri_method: 'post' })
    const names = [...world.to('/request'), ...world.to('/response')].flatMap(({ headers }) => [
      ...headers.keys(),
    ])
    expect(new Set(names)).toEqual(new Set(['accept', 'content-type']))
  })
})

describe('the request object', () => {
  test('is of its type [VP-W-OBJ-01]', async () => {
    await stops({ requestHeader: (header) => ({ ...header, typ: 'JWT' }) }, 'typ')
    await stops({ requestHeader: without('typ') }, 'typ')
    await expectDelivered()
  })

  test('is signed by the key of the client, asymmetrically [VP-W-OBJ-02] [VP-W-PAR-13]', async () => {
    const own = createSoftwareSigner(generatePrivateJwk('ES256'))
    const world = await createPresentationWorld()
    const x5c = [...(world.verifier.signer.x5c ?? [])]
    const forged = { signer: own, requestHeader: (header: JsonObject) => ({ ...header, x5c }) }
    world.perform({
      ...forged,
      request: (p) => ({ ...p, client_metadata: { jwks: { keys: [{ ...own.publicJwk, kid: 'a' }] } } }),
    })
    expect(await world.present()).toMatchObject({ outcome: 'refused' })
    expect(await world.reason()).toBe('signature')
    for (const alg of ['none', 'HS256'])
      await stops({ requestHeader: (header) => ({ ...header, alg }) }, 'signature')
    world.perform({})
    expect(await world.present()).toMatchObject({ outcome: 'delivered' })
  })

  test('counts alone, whatever stands outside [VP-W-OBJ-04] [VP-W-OBJ-05]', async () => {
    const world = await expectDelivered({}, { nonce: 'outer', response_uri: 'https://evil.example/' })
    expect(shown((await world.vpToken())['role_cred']?.[0]).keyBinding.payload['nonce']).toBe(NONCE)
    await stops({ request: put({ client_id: 'x509_san_dns:api.example' }) }, 'client_id_mismatch')
    await stops({ request: without('client_id') }, 'client_id_mismatch')
  })

  test('names us, is in force, and refers to nothing [VP-W-OBJ-07] [VP-W-OBJ-08] [VP-W-OBJ-09]', async () => {
    await stops({ request: put({ aud: 'https://other.example' }) }, 'aud')
    await stops({ request: without('aud') }, 'aud')
    await stops({ request: put({ exp: 1_789_990_000 }) }, 'expired')
    await stops({ request: (p) => without('exp')({ ...p, iat: 1_789_999_000 }) }, 'expired')
    await stops({ request: put({ request_uri: REQUEST_URI }) }, 'malformed')
    await expectDelivered({ verifierScript: { request: without('exp') } })
  })
})

describe('the parameters', () => {
  test('ask for a vp_token by direct post [VP-W-PAR-01] [VP-W-PAR-02]', async () => {
    await stops({ request: put({ response_type: 'code' }) }, 'unsupported_response_type')
    for (const response_mode of ['fragment', 'dc_api'])
      await stops({ request: put({ response_mode }) }, 'invalid_request')
    await stops({ request: without('response_mode') }, 'invalid_request')
    await stops({ request: put({ response_mode: 'direct_post' }) }, 'invalid_request')
    await expectDelivered({ ...base, verifierScript: { request: put({ response_mode: 'direct_post' }) } })
    await expectDelivered()
  })

  test('carry a usable nonce; state comes back unchanged [VP-W-PAR-03] [VP-W-PAR-04]', async () => {
    await stops({ request: put({ nonce: 'a b' }) }, 'invalid_request')
    await stops({ request: without('nonce') }, 'invalid_request')
    const unbound = {
      credentials: [
        {
          id: 'a',
          format: 'dc+sd-jwt',
          meta: { vct_values: ['x'] },
          require_cryptographic_holder_binding: false,
        },
      ],
    }
    await stops({ request: (p) => without('state')({ ...p, dcql_query: unbound }) }, 'invalid_request')
    const world = await expectDelivered()
    const content: unknown = JSON.parse(await decrypted(form(world.to('/response')[0]).get('response') ?? ''))
    expect(content).toMatchObject({ state: 'st-1' })
  })

  test('have one query, no redirect_uri, and a response_uri [VP-W-PAR-05] [VP-W-PAR-06] [VP-W-PAR-07]', async () => {
    await stops({ request: put({ scope: 'role' }) }, 'invalid_request')
    await stops({ request: without('dcql_query') }, 'invalid_request')
    await stops({ request: put({ redirect_uri: `${API}/cb` }) }, 'invalid_request')
    await stops({ request: without('response_uri') }, 'response_uri')
    await expectDelivered()
  })

  test('send the answer to the client alone [VP-W-PAR-08] [VP-W-CID-09]', async () => {
    for (const response_uri of [
      'http://api.example/response',
      'https://evil.example/response',
      'https://api.example.evil.example/',
    ]) {
      await stops({ request: put({ response_uri }) }, 'response_uri')
    }
    const exact = { trust: { responseUris: [`${API}/response`] } }
    for (const response_uri of [
      `${API}/response/`,
      `${API}/x/../response`,
      `${API}/response?a=b`,
      'https://api.example:8443/response',
    ]) {
      await expectStop({ ...exact, verifierScript: { request: put({ response_uri }) } }, 'response_uri')
    }
    await expectDelivered(exact)
  })

  test('of client_metadata count three members [VP-W-PAR-09]', async () => {
    await expectDelivered({
      verifierScript: {
        request: (p) => ({
          ...p,
          client_metadata: {
            ...(typeof p['client_metadata'] === 'object' ? p['client_metadata'] : {}),
            client_name: 7,
            logo_uri: [],
          },
        }),
      },
    })
    await stops({ request: put({ client_metadata: { jwks: 'x' } }) }, 'invalid_request')
  })

  test('agree on a format and algorithm [VP-W-PAR-11] [VP-W-QRY-05]', async () => {
    const formats = (vp_formats_supported: JsonObject) =>
      put({ client_metadata: { jwks: { keys: [{ ...RESPONSE_KEY.publicJwk }] }, vp_formats_supported } })
    await stops({ request: formats({ mso_mdoc: {} }) }, 'vp_formats_not_supported')
    await stops(
      { request: formats({ 'dc+sd-jwt': { 'kb-jwt_alg_values': ['ES384'] } }) },
      'vp_formats_not_supported',
    )
    const mdoc = { id: 'm', format: 'mso_mdoc', meta: { doctype_value: 'x' } }
    await stops({ query: { credentials: [mdoc] } }, 'vp_formats_not_supported')
    const credentials = [...(Array.isArray(QUERY['credentials']) ? QUERY['credentials'] : []), mdoc]
    const sets = [{ options: [['m']], required: false }, { options: [['role_cred']] }]
    await expectDelivered({ verifierScript: { query: { credentials, credential_sets: sets } } })
  })

  test('come signed and by reference in haip [VP-W-PAR-12]', async () => {
    const world = await createPresentationWorld()
    const plain = new URLSearchParams({
      client_id: world.clientId,
      response_type: 'vp_token',
      nonce: NONCE,
      response_mode: 'direct_post',
      dcql_query: JSON.stringify(QUERY),
    })
    expect(await world.wallet.present(AGENT, `openid4vp://?${plain}`)).toMatchObject({ outcome: 'refused' })
    expect(await world.reason()).toBe('haip')
    expect(await world.present()).toMatchObject({ outcome: 'delivered' })
  })
})

describe('who asks', () => {
  test('is known by the whole identifier, prefix included [VP-W-CID-01] [VP-W-CID-02] [VP-W-CID-03]', async () => {
    await expectStop({}, 'unknown_client', { client_id: 'somebody' })
    await expectStop({}, 'invalid_request', { client_id: 'foo:bar' })
    await expectStop({}, 'unknown_client', { client_id: 'x509_san_dns:api.example:8443' })
    await expectDelivered()
  })

  test('is never an origin, and never only an address [VP-W-CID-04] [VP-W-CID-05]', async () => {
    await expectStop({}, 'invalid_request', { client_id: 'origin:https://api.example' })
    const clientId = `redirect_uri:${API}/response`
    const world = await expectStop(
      {
        wallet: { profile: 'base', unsignedRequests: 'typed' },
        trust: { clientId, anchors: undefined },
        verifierScript: { request: put({ client_id: clientId }) },
      },
      'invalid_request',
      { client_id: clientId },
    )
    expect(world.to('/response')).toHaveLength(0)
    // Off by default: such a client is not even taken into the configuration.
    await expect(createPresentationWorld({ trust: { clientId } })).rejects.toMatchObject({
      code: 'wallet_options_invalid',
    })
    await expectDelivered()
  })

  test('by x509_san_dns is the name in the certificate [VP-W-CID-06]', async () => {
    const clientId = 'x509_san_dns:api.example'
    const named = {
      trust: { clientId, hosts: ['api.example'] },
      verifierScript: { request: put({ client_id: clientId }) },
      rules: () => [{ id: 'r', effect: 'allow' }],
    }
    await expectDelivered(named, { client_id: clientId })
    const other = 'x509_san_dns:other.example'
    await expectStop(
      {
        trust: { clientId: other, hosts: ['api.example'] },
        verifierScript: { request: put({ client_id: other }) },
      },
      'invalid_request',
      { client_id: other },
    )
    await expectStop(
      {
        ...named,
        verifierScript: { request: put({ client_id: clientId, response_uri: 'https://evil.example/' }) },
      },
      'response_uri',
      { client_id: clientId },
    )
    const foreign = await certify('Foreign', ['api.example'])
    await expectStop(
      { ...named, verifierScript: { ...named.verifierScript, signer: foreign.signer } },
      'x5c',
      { client_id: clientId },
    )
  })

  test('by x509_hash is the certificate itself, under our anchors, without them in the chain [VP-W-CID-07] [VP-W-CID-08]', async () => {
    const other = await certify('Payroll API', ['api.example'])
    await stops({ signer: other.signer }, 'x5c')
    const world = await createPresentationWorld({ trust: { anchors: other.anchors } })
    world.perform({ signer: other.signer })
    expect(await world.present()).toMatchObject({ outcome: 'refused' })
    expect(await world.reason()).toBe('invalid_request')
    const root = world.verifier.anchors.certificates[0]?.replace(/-----[^-]+-----|\s/g, '') ?? ''
    await expectStop({ verifierScript: { requestHeader: (header) => ({ ...header, x5c: [root] }) } }, 'x5c')
    await expectDelivered()
  })

  test('without a mandate is told access_denied, before a credential is read [VP-W-CID-14] [VP-W-SEL-04]', async () => {
    const world = await createPresentationWorld({ rules: () => [] })
    expect(await world.present()).toMatchObject({ outcome: 'refused' })
    expect(await world.reason()).toBe('no_rule')
    const content: unknown = JSON.parse(await decrypted(form(world.to('/response')[0]).get('response') ?? ''))
    expect(content).toEqual({ error: 'access_denied', state: 'st-1' })
    await expectDelivered()
  })
})

describe('delivery', () => {
  test('is a form of one encrypted member, to a key that may be used [VP-W-ENC-01] [VP-W-ENC-02] [VP-W-ENC-03]', async () => {
    const { alg: _a, ...noAlg } = RESPONSE_KEY.publicJwk
    const metadata = (keys: readonly JsonObject[], encs: readonly string[] = ['A128GCM', 'A256GCM']) =>
      put({
        client_metadata: {
          jwks: { keys },
          encrypted_response_enc_values_supported: encs,
          vp_formats_supported: {
            'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] },
          },
        },
      })
    const sig: JsonObject = { ...RESPONSE_KEY.publicJwk, use: 'sig', kid: 'sig' }
    const world = await expectDelivered({
      verifierScript: {
        request: metadata([sig, { kty: 'AKP', alg: 'ML-DSA-44', pub: 'x' }, { ...RESPONSE_KEY.publicJwk }]),
      },
    })
    const head: unknown = JSON.parse(
      Buffer.from(
        (form(world.to('/response')[0]).get('response') ?? '').split('.')[0] ?? '',
        'base64url',
      ).toString(),
    )
    expect(head).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM', kid: 'resp-1' })
    await stops({ request: metadata([{ ...noAlg }]) }, 'invalid_request')
  })

  test('encrypts with what both can, preferring 256 bits, and never in the clear [VP-W-ENC-04] [VP-W-ENC-05] [VP-W-ENC-09]', async () => {
    const encs = (...values: string[]) =>
      put({
        client_metadata: {
          jwks: { keys: [{ ...RESPONSE_KEY.publicJwk }] },
          vp_formats_supported: {
            'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] },
          },
          ...(values.length === 0 ? {} : { encrypted_response_enc_values_supported: values }),
        },
      })
    const encOf = async (request: (p: JsonObject) => JsonObject) => {
      const world = await expectDelivered({ verifierScript: { request } })
      const [head = ''] = (form(world.to('/response')[0]).get('response') ?? '').split('.')
      return JSON.parse(Buffer.from(head, 'base64url').toString()).enc
    }
    expect(await encOf(encs('A128GCM', 'A256GCM'))).toBe('A256GCM')
    expect(await encOf(encs())).toBe('A128GCM')
    const world = await stops({ request: encs('A256CBC-HS512') }, 'invalid_request')
    expect(world.to('/response')).toHaveLength(0)
  })

  test('holds vp_token and state inside the JWE, with a fresh key each time [VP-W-ENC-06] [VP-W-ENC-07] [VP-W-ENC-08]', async () => {
    const world = await expectDelivered()
    await world.present()
    const responses = world.to('/response').map((call) => form(call))
    expect(responses.map((one) => [...one.keys()])).toEqual([['response'], ['response']])
    const heads = responses.map((one) =>
      JSON.parse(Buffer.from((one.get('response') ?? '').split('.')[0] ?? '', 'base64url').toString()),
    )
    expect(Object.keys(heads[0]).sort()).toEqual(['alg', 'enc', 'epk', 'kid'])
    expect(heads[0].epk).not.toEqual(heads[1].epk)
    const content: unknown = JSON.parse(await decrypted(responses[0]?.get('response') ?? ''))
    expect(content).toEqual({ vp_token: { role_cred: [expect.any(String)] }, state: 'st-1' })
  })

  test('by plain direct_post carries vp_token as JSON text and state [VP-W-DLV-01] [VP-W-VPR-08] [VP-W-VPR-09]', async () => {
    const world = await expectDelivered({
      ...base,
      verifierScript: { request: put({ response_mode: 'direct_post' }) },
    })
    const [call] = world.to('/response')
    expect(call).toMatchObject({ method: 'POST' })
    expect(call?.headers.get('content-type')).toBe('application/x-www-form-urlencoded')
    expect([...form(call).keys()].sort()).toEqual(['state', 'vp_token'])
    expect(JSON.parse(form(call).get('vp_token') ?? '')).toEqual({
      role_cred: [expect.stringMatching(/^eyJ/)],
    })
  })

  test('sends a refusal in the mode of the request [VP-W-DLV-02]', async () => {
    const world = await createPresentationWorld({
      ...base,
      rules: () => [],
      verifierScript: { request: put({ response_mode: 'direct_post' }) },
    })
    await world.present()
    expect(Object.fromEntries(form(world.to('/response')[0]))).toEqual({
      error: 'access_denied',
      state: 'st-1',
    })
  })

  test('is done with 200 and a JSON object, whatever else it says [VP-W-DLV-03] [VP-W-DLV-05]', async () => {
    const plain = await createPresentationWorld({
      verifierScript: { steps: { '/response': () => Response.json({ x: 1 }) } },
    })
    const reply = await plain.present()
    expect(reply).toMatchObject({ outcome: 'delivered' })
    expect('redirectUri' in reply).toBe(false)
    for (const response of [new Response('[]'), new Response('thanks'), Response.json({}, { status: 400 })]) {
      const world = await createPresentationWorld({
        verifierScript: { steps: { '/response': () => response } },
      })
      expect(await world.present()).toMatchObject({ outcome: 'refused' })
      expect(await world.reason()).toBe('delivery_failed')
    }
  })

  test('hands the redirect_uri back whole, and follows nothing itself [VP-W-DLV-04] [VP-W-DLV-06]', async () => {
    const world = await createPresentationWorld()
    expect(await world.present()).toMatchObject({ outcome: 'delivered', redirectUri: `${API}/done#code` })
    expect(world.to('/done')).toHaveLength(0)
    const away = () => new Response(null, { status: 307, headers: { Location: 'https://evil.example/' } })
    const redirecting = await createPresentationWorld({ verifierScript: { steps: { '/response': away } } })
    expect(await redirecting.present()).toMatchObject({ outcome: 'refused' })
    expect(redirecting.to('/response')).toHaveLength(1)
    expect(redirecting.network.calls.some(({ url }) => url.startsWith('https://evil.example'))).toBe(false)
  })

  test('refuses a redirect_uri that is no https address of the outside [VP-W-DLV-08]', async () => {
    for (const redirect_uri of [
      'file:///etc/passwd',
      'http://10.0.0.1/',
      'https://10.0.0.1/',
      'https://[::1]/',
      7,
    ]) {
      const world = await createPresentationWorld({
        verifierScript: { steps: { '/response': () => Response.json({ redirect_uri }) } },
      })
      expect(await world.present()).toMatchObject({ outcome: 'refused' })
      expect(await world.reason()).toBe('redirect_uri_refused')
    }
    await expectDelivered()
  })
})

describe('a defect of the request', () => {
  test('stays here, or is told to an authentic verifier, as configured [VP-W-TXD-01]', async () => {
    const entry = encodeBase64url(utf8(JSON.stringify({ type: 'payment', credential_ids: ['role_cred'] })))
    const verifierScript = { request: put({ transaction_data: [entry] }) }
    await expectStop({ verifierScript }, 'invalid_transaction_data')
    const told = await createPresentationWorld({ verifierScript, wallet: { errorDelivery: 'protocol' } })
    expect(await told.present()).toMatchObject({ outcome: 'refused' })
    const content: unknown = JSON.parse(await decrypted(form(told.to('/response')[0]).get('response') ?? ''))
    expect(content).toEqual({ error: 'invalid_transaction_data', state: 'st-1' })
  })
})
