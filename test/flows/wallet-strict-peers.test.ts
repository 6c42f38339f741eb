import { isJsonObject, type JsonObject, type JsonValue } from '@attache/core'
import {
  createSoftwareSigner,
  encryptJwe,
  generateDecryptionKey,
  generatePrivateJwk,
  type PublicJwk,
} from '@attache/keys'
import { parseClientMetadata } from '@attache/openid4vp'
import type { VerifierAttester } from '@attache/wallet'
import { describe, expect, test } from 'vitest'
import { signRaw } from '../support/credentials.js'
import type { RecordedCall } from '../support/network.js'
import {
  AGENT,
  answer,
  CODE_OFFER,
  createScriptedWorld,
  ISSUER,
  METADATA,
  ORIGIN,
  offerLink,
  REDIRECT_URI,
  type ScriptedCall,
  type ScriptedOptions,
  START,
  TX_CODE,
  within,
} from '../support/scripted-issuer.js'
import {
  API,
  createPresentationWorld,
  type PresentationOptions,
  REQUEST_URI,
  RESPONSE_URI,
  requestParameters,
  shown,
} from '../support/scripted-verifier.js'

const form = (call: RecordedCall | undefined) => new URLSearchParams(call?.body ?? '')
const stored = { outcome: 'stored' }
const follow = { issuer: { authorization: 'follow' } } as const

/** An authorization server that answers by itself: a chain of redirects with a cookie, then the redirect URI. */
function selfDeciding(change: (location: string) => string = (same) => same) {
  const redirect = (location: string, headers: Record<string, string> = {}) =>
    new Response(null, { status: 302, headers: { Location: location, ...headers } })
  let state = ''
  return {
    '/par': ({ form: pushed }: ScriptedCall) => {
      state = pushed.get('state') ?? ''
      return undefined
    },
    '/authorize': () => redirect('/acme/session?step=2', { 'Set-Cookie': 'sid=s-1; Path=/; HttpOnly' }),
    '/session': ({ request }: ScriptedCall) =>
      request.headers.get('cookie') === 'sid=s-1'
        ? redirect(change(`${REDIRECT_URI}?${new URLSearchParams({ code: 'c-1', state, iss: ISSUER })}`))
        : answer(403, {}),
  }
}

describe('an issuance starts', () => {
  const self = () => ({ ...follow, script: { steps: selfDeciding() } })
  const starts: readonly [string, ScriptedOptions, (world: World) => Promise<unknown>][] = [
    ['without an offer', self(), ({ wallet }) => wallet.request(AGENT, ISSUER, ['role_v1'])],
    ['by an offer by value', {}, ({ wallet, offer }) => wallet.receive(AGENT, offer(), TX_CODE)],
    [
      'by an offer by reference',
      {},
      ({ wallet }) =>
        wallet.receive(
          AGENT,
          `openid-credential-offer://?credential_offer_uri=${encodeURIComponent(`${ISSUER}/offer`)}`,
          TX_CODE,
        ),
    ],
    ['by an offer with issuer_state', self(), ({ wallet }) => wallet.receive(AGENT, offerLink(CODE_OFFER))],
    ['by an offer with a transaction code', {}, ({ receive }) => receive()],
  ]
  type World = Awaited<ReturnType<typeof createScriptedWorld>>

  test.each(starts)('%s, and ends with a held credential [IOP-W-05]', async (_, options, start) => {
    const world = await createScriptedWorld(options)
    expect(await start(world)).toMatchObject(stored)
    expect((await world.wallet.overview(AGENT)).credentials).toHaveLength(1)
  })

  test('with issuer_state in the pushed request and tx_code in the token request [IOP-W-05]', async () => {
    const code = await createScriptedWorld(self())
    await code.wallet.receive(AGENT, offerLink(CODE_OFFER))
    const issuerState = within(CODE_OFFER, 'grants', 'authorization_code')['issuer_state']
    expect(form(code.calls('/par')[0]).get('issuer_state')).toBe(issuerState)
    const own = await createScriptedWorld(self())
    await own.wallet.request(AGENT, ISSUER, ['role_v1'])
    expect(form(own.calls('/par')[0]).has('issuer_state')).toBe(false)
    const preAuthorized = await createScriptedWorld()
    await preAuthorized.receive()
    expect(form(preAuthorized.calls('/token')[0]).get('tx_code')).toBe(TX_CODE)
  })

  test('at no issuer and for no credential that is not configured [IOP-W-05]', async () => {
    const world = await createScriptedWorld(self())
    const ask = (issuer: string, id: string) => world.wallet.request(AGENT, issuer, [id])
    expect(await ask('https://other.example', 'role_v1')).toMatchObject({ code: 'untrusted_issuer' })
    expect(world.network.calls).toHaveLength(0)
    expect(await ask(ISSUER, 'other_v1')).toMatchObject({ code: 'unknown_configuration' })
    expect(world.calls('/par')).toHaveLength(0)
  })
})

describe('the authorization code flow without a person', () => {
  test('pushes a whole request, opens two parameters and follows the redirects [IOP-W-06]', async () => {
    const world = await createScriptedWorld({ ...follow, script: { steps: selfDeciding() } })
    expect(await world.wallet.request(AGENT, ISSUER, ['role_v1'])).toMatchObject(stored)
    const pushed = form(world.calls('/par')[0])
    expect([...pushed.keys()].sort()).toEqual([
      'client_id',
      'code_challenge',
      'code_challenge_method',
      'redirect_uri',
      'response_type',
      'scope',
      'state',
    ])
    expect(Object.fromEntries(pushed)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      redirect_uri: REDIRECT_URI,
      scope: 'role',
    })
    expect(pushed.get('state')).toMatch(/^[A-Za-z0-9\-._~]{43,128}$/)
    const opened = new URL(world.calls('/authorize')[0]?.url ?? '')
    expect([...opened.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri'])
    const chain = world.network.calls.filter(({ url }) => /\/(authorize|session|cb)\b/.test(url))
    // The redirect URI is read, never called.
    expect(chain.map(({ url }) => new URL(url).pathname)).toEqual(['/acme/authorize', '/acme/session'])
  })

  test('asks by details with locations where a separate server is listed [IOP-W-06]', async () => {
    const { scope: _scope, ...configuration } = within(
      METADATA,
      'credential_configurations_supported',
      'role_v1',
    )
    const server = `${ORIGIN}/acme`
    const world = await createScriptedWorld({
      ...follow,
      wallet: { profile: 'base' },
      script: {
        steps: selfDeciding(),
        metadata: (document: JsonObject): JsonValue => ({
          ...document,
          authorization_servers: [server],
          credential_configurations_supported: { role_v1: configuration },
        }),
        tokenResponse: (response) => ({
          ...response,
          authorization_details: [
            {
              type: 'openid_credential',
              credential_configuration_id: 'role_v1',
              credential_identifiers: ['one'],
            },
          ],
        }),
      },
    })
    await world.wallet.request(AGENT, ISSUER, ['role_v1'])
    expect(JSON.parse(form(world.calls('/par')[0]).get('authorization_details') ?? '[]')).toEqual([
      { type: 'openid_credential', credential_configuration_id: 'role_v1', locations: [ISSUER] },
    ])
  })

  test('leaves a page, another origin and an endless chain to a person [IOP-W-06]', async () => {
    const redirect = (location: string) =>
      new Response(null, { status: 302, headers: { Location: location } })
    const strange: readonly (() => Response)[] = [
      () => new Response('<p>Sign in</p>', { headers: { 'Content-Type': 'text/html' } }),
      () => redirect('https://elsewhere.example/login'),
      () => redirect('http://issuer.example/acme/authorize'),
      () => redirect('/acme/authorize?again'),
    ]
    for (const step of strange) {
      const world = await createScriptedWorld({ ...follow, script: { steps: { '/authorize': step } } })
      expect(await world.wallet.request(AGENT, ISSUER, ['role_v1'])).toMatchObject({
        outcome: 'authorization_required',
      })
      expect(world.network.calls.every(({ url }) => url.startsWith(ORIGIN))).toBe(true)
      expect(world.calls('/token')).toHaveLength(0)
    }
    const person = await createScriptedWorld({ script: { steps: selfDeciding() } })
    expect(await person.wallet.request(AGENT, ISSUER, ['role_v1'])).toMatchObject({
      outcome: 'authorization_required',
    })
    expect(person.calls('/authorize')).toHaveLength(0)
  })

  test('compares state and issuer of what it followed, as of any answer [IOP-W-06] [IOP-W-07]', async () => {
    for (const change of [
      (url: string) => url.replace(/state=[^&]+/, 'state=other'),
      (url: string) => url.replace(encodeURIComponent(ISSUER), encodeURIComponent(ORIGIN)),
    ]) {
      const world = await createScriptedWorld({ ...follow, script: { steps: selfDeciding(change) } })
      expect(await world.wallet.request(AGENT, ISSUER, ['role_v1'])).toMatchObject({ outcome: 'refused' })
      expect(world.calls('/token')).toHaveLength(0)
    }
  })
})

const UNSIGNED_CLIENT = `redirect_uri:${RESPONSE_URI}`
const encoded = (value: JsonValue) => Buffer.from(JSON.stringify(value)).toString('base64url')
const unsignedObject = (claims: JsonObject, header: JsonObject = { typ: 'oauth-authz-req+jwt' }) =>
  `${encoded({ alg: 'none', ...header })}.${encoded(claims)}.`
const plain = { response_mode: 'direct_post', response_uri: RESPONSE_URI }
const allOf = () => [{ id: 'all', effect: 'allow' }]

/** A verifier that is named by its address, under one setting of the switch. */
const unsignedWorld = (unsignedRequests: 'typed' | 'any', options: PresentationOptions = {}) =>
  createPresentationWorld({
    ...options,
    wallet: { profile: 'base', unsignedRequests },
    trust: { clientId: UNSIGNED_CLIENT, anchors: undefined },
    rules: allOf,
  })

function asUrl(parameters: JsonObject): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters)) {
    query.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  }
  return `openid4vp://?${query}`
}
const objectUrl = (clientId: string, request: string) => asUrl({ client_id: clientId, request })

describe('requests in every form', () => {
  test('come as URL parameters or unsigned object where the switch is on [IOP-W-15]', async () => {
    const world = await unsignedWorld('typed')
    const parameters = requestParameters(UNSIGNED_CLIENT, plain, world.time.clock())
    const { aud: _aud, ...withoutAudience } = parameters
    for (const request of [
      asUrl(parameters),
      objectUrl(UNSIGNED_CLIENT, unsignedObject(parameters)),
      objectUrl(UNSIGNED_CLIENT, unsignedObject(withoutAudience)),
    ]) {
      expect(await world.wallet.present(AGENT, request)).toMatchObject({ outcome: 'delivered' })
      const { keyBinding } = shown((await world.vpToken())['role_cred']?.[0])
      expect(keyBinding.payload['aud']).toBe(UNSIGNED_CLIENT)
    }
  })

  test('unsigned ones are refused without the switch, and under HAIP [IOP-W-15]', async () => {
    for (const wallet of [{ profile: 'base' }, { profile: 'haip', unsignedRequests: 'typed' }] as const) {
      await expect(
        createPresentationWorld({ wallet, trust: { clientId: UNSIGNED_CLIENT, anchors: undefined } }),
      ).rejects.toMatchObject({ code: 'wallet_options_invalid' })
      const world = await createPresentationWorld({ wallet })
      const parameters = requestParameters(world.clientId, plain, world.time.clock())
      for (const request of [asUrl(parameters), objectUrl(world.clientId, unsignedObject(parameters))]) {
        expect(await world.wallet.present(AGENT, request)).toMatchObject({ outcome: 'refused' })
      }
      expect(world.to('/response')).toHaveLength(0)
    }
  })

  test('unsigned ones count for the prefix redirect_uri alone, and go to its address [IOP-W-15]', async () => {
    const signed = await createPresentationWorld({
      wallet: { profile: 'base', unsignedRequests: 'any' },
      rules: allOf,
    })
    const now = signed.time.clock()
    const parameters = requestParameters(signed.clientId, plain, now)
    for (const request of [asUrl(parameters), objectUrl(signed.clientId, unsignedObject(parameters))]) {
      expect(await signed.wallet.present(AGENT, request)).toMatchObject({ outcome: 'refused' })
    }
    expect(signed.to('/response')).toHaveLength(0)

    const world = await unsignedWorld('any')
    const elsewhere = { ...plain, response_uri: `${API}/other` }
    const wrong: readonly JsonObject[] = [
      requestParameters(UNSIGNED_CLIENT, elsewhere, now),
      { ...requestParameters(UNSIGNED_CLIENT, plain, now), aud: 'https://other.example' },
      { ...requestParameters(UNSIGNED_CLIENT, plain, now), redirect_uri: RESPONSE_URI },
      requestParameters('redirect_uri:https://other.example/r', plain, now),
    ]
    for (const claims of wrong) {
      const clientId = String(claims['client_id'])
      await world.wallet.present(AGENT, objectUrl(clientId, unsignedObject(claims)))
      expect(world.to('/')).toHaveLength(0)
    }
  })

  test('an unsigned object without typ needs the second switch [IOP-W-15]', async () => {
    for (const [unsignedRequests, outcome] of [
      ['typed', 'refused'],
      ['any', 'delivered'],
    ] as const) {
      const world = await unsignedWorld(unsignedRequests)
      const claims = requestParameters(UNSIGNED_CLIENT, plain, world.time.clock())
      const request = objectUrl(UNSIGNED_CLIENT, unsignedObject(claims, {}))
      expect(await world.wallet.present(AGENT, request)).toMatchObject({ outcome })
      const other = objectUrl(UNSIGNED_CLIENT, unsignedObject(claims, { typ: 'JWT' }))
      expect(await world.wallet.present(AGENT, other)).toMatchObject({ outcome: 'refused' })
    }
  })

  test('a client that cannot sign is told nothing of signatures [VP-W-URI-04]', async () => {
    const world = await unsignedWorld('typed', {
      verifierScript: {
        steps: {
          '/request': ({ form: posted }) =>
            new Response(
              unsignedObject({
                ...requestParameters(UNSIGNED_CLIENT, plain, world.time.clock()),
                wallet_nonce: posted.get('wallet_nonce') ?? '',
              }),
              { headers: { 'Content-Type': 'application/oauth-authz-req+jwt' } },
            ),
        },
      },
    })
    const reference = { client_id: UNSIGNED_CLIENT, request_uri: REQUEST_URI, request_uri_method: 'post' }
    expect(await world.wallet.present(AGENT, asUrl(reference))).toMatchObject({ outcome: 'delivered' })
    const told: unknown = JSON.parse(form(world.to('/request')[0]).get('wallet_metadata') ?? '')
    expect(told).not.toHaveProperty('request_object_signing_alg_values_supported')
  })

  test('a prefix nobody knows is refused, and nothing is sent [IOP-W-15]', async () => {
    const world = await createPresentationWorld()
    expect(await world.present({ client_id: 'foo:bar' })).toMatchObject({ outcome: 'refused' })
    expect(world.to('/')).toHaveLength(0)
    for (const clientId of ['origin:https://api.example', 'openid_federation:https://api.example']) {
      await expect(createPresentationWorld({ trust: { clientId } })).rejects.toMatchObject({
        code: 'wallet_options_invalid',
      })
    }
  })
})

describe('clients of every prefix', () => {
  const key = createSoftwareSigner(generatePrivateJwk('ES256'))
  const other = createSoftwareSigner(generatePrivateJwk('ES256'))
  const keys: readonly PublicJwk[] = [key.publicJwk]
  const attesters: readonly VerifierAttester[] = [{ issuer: 'https://attester.example', keys }]
  const attestation = (now: number, signer = key) =>
    signRaw(
      { alg: 'ES256', typ: 'verifier-attestation+jwt' },
      {
        iss: 'https://attester.example',
        sub: 'payroll',
        iat: now,
        exp: now + 300,
        cnf: { jwk: { ...key.publicJwk } },
      },
      signer,
    )

  /** Presents for a client whose request object is signed by `signer`. */
  async function outcomeFor(
    clientId: string,
    trust: NonNullable<PresentationOptions['trust']>,
    signed: { signer?: typeof key; header?: JsonObject; claims?: JsonObject } = {},
  ) {
    const world = await createPresentationWorld({ trust: { ...trust, clientId }, rules: allOf })
    const { signer = key, header = {}, claims = {} } = signed
    world.perform({
      steps: {
        '/request': async () => {
          const parameters = {
            ...requestParameters(
              clientId,
              { ...plain, response_mode: 'direct_post.jwt' },
              world.time.clock(),
            ),
            ...claims,
          }
          const object = await signRaw(
            { alg: 'ES256', typ: 'oauth-authz-req+jwt', ...header },
            Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== null)),
            signer,
          )
          return new Response(object, { headers: { 'Content-Type': 'application/oauth-authz-req+jwt' } })
        },
      },
    })
    const { outcome } = await world.present({ client_id: clientId })
    return { outcome, sent: world.to('/response').length }
  }
  const presented = { outcome: 'delivered', sent: 1 }
  const refused = { outcome: 'refused', sent: 0 }

  test('by hash and by name of a certificate [IOP-W-15]', async () => {
    const byHash = await createPresentationWorld()
    expect(await byHash.present()).toMatchObject({ outcome: 'delivered' })
    const clientId = 'x509_san_dns:api.example'
    const byName = await createPresentationWorld({
      trust: { clientId },
      rules: allOf,
      verifierScript: { request: (parameters) => ({ ...parameters, client_id: clientId }) },
    })
    expect(await byName.present({ client_id: clientId })).toMatchObject({ outcome: 'delivered' })
  })

  test('registered with its keys, by no prefix [IOP-W-15]', async () => {
    expect(await outcomeFor('payroll', { anchors: undefined, keys })).toEqual(presented)
    expect(await outcomeFor('payroll', { anchors: undefined, keys }, { signer: other })).toEqual(refused)
    await expect(
      createPresentationWorld({ trust: { clientId: 'payroll', anchors: undefined } }),
    ).rejects.toMatchObject({ code: 'wallet_options_invalid' })
  })

  test('registered with metadata: a request brings none, and is answered as registered', async () => {
    const { client_metadata: written } = requestParameters('payroll', plain, 0)
    const metadata = parseClientMetadata(isJsonObject(written) ? written : {})
    const trust = { anchors: undefined, keys, metadata }
    expect(await outcomeFor('payroll', trust, { claims: { client_metadata: null } })).toEqual(presented)
    expect(await outcomeFor('payroll', trust)).toEqual(refused)
  })

  test('attested by somebody whose word counts [IOP-W-15]', async () => {
    const clientId = 'verifier_attestation:payroll'
    const header = { jwt: await attestation(START) }
    const trust = { anchors: undefined, attesters }
    expect(await outcomeFor(clientId, trust, { header })).toEqual(presented)
    const forged = { jwt: await attestation(START, other) }
    expect(await outcomeFor(clientId, trust, { header: forged })).toEqual(refused)
    const nobody = { ...trust, attesters: [{ issuer: 'https://other.example', keys }] }
    expect(await outcomeFor(clientId, nobody, { header })).toEqual(refused)
  })

  test('a request object encrypted to the wallet is opened, and its key announced', async () => {
    const opening = generateDecryptionKey({ kid: 'request-1' })
    for (const requestKeys of [[opening], undefined]) {
      const world = await createPresentationWorld({
        ...(requestKeys === undefined ? {} : { requestKeys }),
        verifierScript: {
          steps: {
            '/request': async ({ form: posted }) => {
              const { signer } = world.verifier
              const parameters = {
                ...requestParameters(
                  world.clientId,
                  { ...plain, response_mode: 'direct_post.jwt' },
                  world.time.clock(),
                ),
                wallet_nonce: posted.get('wallet_nonce') ?? '',
              }
              const header = { alg: 'ES256', typ: 'oauth-authz-req+jwt', x5c: [...(signer.x5c ?? [])] }
              const object = await signRaw(header, parameters, signer)
              const jwe = await encryptJwe(new TextEncoder().encode(object), {
                jwk: opening.publicJwk,
                enc: 'A256GCM',
              })
              return new Response(jwe, { headers: { 'Content-Type': 'application/oauth-authz-req+jwt' } })
            },
          },
        },
      })
      const { outcome } = await world.present({ request_uri_method: 'post' })
      expect(outcome).toBe(requestKeys === undefined ? 'refused' : 'delivered')
      const told: unknown = JSON.parse(form(world.to('/request')[0]).get('wallet_metadata') ?? '')
      const announced = isJsonObject(told) ? within(told, 'jwks')['keys'] : undefined
      expect(announced).toEqual(
        requestKeys === undefined ? undefined : [expect.objectContaining({ kid: 'request-1', use: 'enc' })],
      )
      expect(JSON.stringify(announced ?? [])).not.toContain('"d"')
    }
  })
})
