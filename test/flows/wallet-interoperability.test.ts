import { callSocket, RECEIVE_PATH } from '@attache/agent'
import type { JsonObject } from '@attache/core'
import { jwkThumbprint, parseJws, parsePublicJwk, verifyCertificateChain, verifyJws } from '@attache/keys'
import { PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { createWalletProvider } from '@attache/wallet'
import { describe, expect, test } from 'vitest'
import { createDaemonWorld } from '../support/daemon-world.js'
import type { RecordedCall } from '../support/network.js'
import {
  AGENT,
  answer,
  CODE_OFFER,
  createScriptedWorld,
  decoded,
  ISSUER,
  METADATA,
  OFFER,
  ORIGIN,
  offerLink,
  opened,
  proofsOf,
  REDIRECT_URI,
  REQUEST_KEY,
  type Script,
  START,
  STATUS_URI,
  TX_CODE,
  VCT,
  within,
} from '../support/scripted-issuer.js'
import { createPresentationWorld, decrypted, RESPONSE_KEY, shown } from '../support/scripted-verifier.js'
import { AGENT as PAYROLL } from '../support/wallet-world.js'
import { certify } from './issuer-bench.js'

const form = (call: RecordedCall | undefined) => new URLSearchParams(call?.body ?? '')
const dpop = (call: RecordedCall | undefined) => decoded(call?.headers.get('dpop') ?? '')
const stored = { outcome: 'stored' }
const role = within(METADATA, 'credential_configurations_supported', 'role_v1')

describe('issuance, as other implementations meet it', () => {
  test('uses different keys of P-256 for client, DPoP and each credential [IOP-W-02]', async () => {
    const world = await createScriptedWorld({ issuer: { copies: 2 } })
    await world.receive()
    const [token] = world.calls('/token')
    const attested = within(decoded(token?.headers.get('oauth-client-attestation') ?? '').payload, 'cnf')[
      'jwk'
    ]
    const holders = proofsOf(world.calls('/credential')[0]).map((jwt) => decoded(jwt).header['jwk'])
    const keys = [attested, dpop(token).header['jwk'], ...holders].map((jwk) => parsePublicJwk(jwk))
    expect(keys.every(({ crv }) => crv === 'P-256')).toBe(true)
    expect(new Set(keys.map(jwkThumbprint)).size).toBe(4)
  })

  test('vouches for itself, or is vouched for from outside [IOP-W-03]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    const attestation = decoded(world.calls('/token')[0]?.headers.get('oauth-client-attestation') ?? '')
    expect(Object.keys(attestation.payload).sort()).toEqual(['cnf', 'exp', 'iat', 'iss', 'sub'])
    const provider = await certify('Outside')
    let jwt = ''
    const outside = await createScriptedWorld({
      attester: () => ({
        attest: async (request, now) => {
          const made = await createWalletProvider({}, { signer: provider.signer }).attest(request, now)
          jwt = made.jwt
          return made
        },
      }),
    })
    expect(await outside.receive()).toMatchObject(stored)
    const sent = outside.calls('/token')[0]?.headers.get('oauth-client-attestation')
    expect(sent).toBe(jwt)
    const { leafKey } = verifyCertificateChain(provider.signer.x5c ?? [], {
      anchors: provider.anchors,
      now: START,
    })
    expect(() =>
      verifyJws(parseJws(jwt), { typ: 'oauth-client-attestation+jwt', algorithms: ['ES256'], key: leafKey }),
    ).not.toThrow()
  })

  test('discovers by two documents and ends at the first mismatch [IOP-W-04]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    const gets = world.network.calls.filter(({ method, url }) => method === 'GET' && url !== STATUS_URI)
    expect(gets.map(({ url }) => url)).toEqual([
      `${ORIGIN}/.well-known/openid-credential-issuer/acme`,
      `${ORIGIN}/.well-known/oauth-authorization-server/acme`,
    ])
    for (const script of [
      { metadata: (d: JsonObject) => ({ ...d, credential_issuer: ORIGIN }) },
      { server: (d: JsonObject) => ({ ...d, issuer: ORIGIN }) },
    ]) {
      const wrong = await createScriptedWorld({ script })
      expect(await wrong.receive()).toMatchObject({ outcome: 'refused', code: 'issuer_mismatch' })
      expect(wrong.network.calls.every(({ method }) => method === 'GET')).toBe(true)
    }
  })

  test('compares state and issuer of the authorization response [IOP-W-07]', async () => {
    const world = await createScriptedWorld()
    await world.wallet.receive(AGENT, offerLink(CODE_OFFER))
    const state = form(world.calls('/par')[0]).get('state') ?? ''
    const wrong = [{ state: 'x', iss: ISSUER }, { iss: ISSUER }]
    for (const part of wrong) {
      const url = `${REDIRECT_URI}?${new URLSearchParams({ code: 'c', ...part })}`
      expect(await world.wallet.finishAuthorization(AGENT, url)).toMatchObject({ outcome: 'refused' })
    }
    for (const part of [{ state, iss: ORIGIN }, { state }]) {
      await world.wallet.receive(AGENT, offerLink(CODE_OFFER))
      const newest = form(world.calls('/par').at(-1)).get('state') ?? ''
      const url = `${REDIRECT_URI}?${new URLSearchParams({ code: 'c', ...part, state: newest })}`
      expect(await world.wallet.finishAuthorization(AGENT, url)).toMatchObject({
        outcome: 'refused',
        code: 'mix_up',
      })
    }
    expect(world.calls('/token')).toHaveLength(0)
    const good = `${REDIRECT_URI}?${new URLSearchParams({ code: 'c', state, iss: ISSUER })}`
    expect(await world.wallet.finishAuthorization(AGENT, good)).toMatchObject(stored)
  })

  test('authenticates at PAR and token with the challenge of the endpoint [IOP-W-08]', async () => {
    const world = await createScriptedWorld({
      script: { server: (d) => ({ ...d, challenge_endpoint: `${ISSUER}/challenge` }) },
    })
    await world.wallet.receive(AGENT, offerLink(CODE_OFFER))
    const state = form(world.calls('/par')[0]).get('state') ?? ''
    await world.wallet.finishAuthorization(
      AGENT,
      `${REDIRECT_URI}?${new URLSearchParams({ code: 'c', state, iss: ISSUER })}`,
    )
    const proofs = [...world.calls('/par'), ...world.calls('/token')].map(
      (call) => decoded(call.headers.get('oauth-client-attestation-pop') ?? '').payload,
    )
    expect(proofs).toMatchObject([
      { aud: ISSUER, challenge: 'challenge-0' },
      { aud: ISSUER, challenge: 'challenge-1' },
    ])
    expect(new Set(proofs.map(({ jti }) => jti)).size).toBe(2)
    expect(world.calls('/challenge').map(({ method, body }) => [method, body])).toEqual([
      ['POST', ''],
      ['POST', ''],
    ])
  })

  test('proves at all four endpoints, with the nonces of each server or without [IOP-W-09]', async () => {
    const rs = () =>
      answer(401, {}, { 'DPoP-Nonce': 'rs', 'WWW-Authenticate': 'DPOP error="use_dpop_nonce"' })
    const as = () => answer(400, { error: 'use_dpop_nonce' }, { 'DPoP-Nonce': 'as' })
    const world = await createScriptedWorld({
      script: {
        steps: {
          '/token': ({ count }) => (count === 0 ? as() : undefined),
          '/credential': ({ count }) => (count === 0 ? rs() : undefined),
        },
      },
    })
    expect(await world.receive()).toMatchObject(stored)
    const calls = ['/token', '/credential', '/notification'].flatMap((path) => world.calls(path))
    expect(calls.map((call) => dpop(call).payload['nonce'])).toEqual([undefined, 'as', undefined, 'rs', 'rs'])
    expect(new Set(calls.map((call) => dpop(call).payload['jti'])).size).toBe(5)
    const without = await createScriptedWorld()
    expect(await without.receive()).toMatchObject(stored)
  })

  test('reads token responses as the standard has them [IOP-W-10]', async () => {
    const bare: Script = { tokenResponse: ({ expires_in: _e, ...rest }) => ({ ...rest, token_type: 'dpop' }) }
    const world = await createScriptedWorld({ script: bare })
    expect(await world.receive()).toMatchObject(stored)
    expect(world.calls('/credential')[0]?.body).toContain('"credential_configuration_id":"role_v1"')
    const details = [
      { type: 'openid_credential', credential_configuration_id: 'role_v1', credential_identifiers: ['ds-1'] },
    ]
    const named = await createScriptedWorld({
      script: { tokenResponse: (r) => ({ ...r, authorization_details: details }) },
    })
    expect(await named.receive()).toMatchObject(stored)
    expect(named.calls('/credential')[0]?.body).toContain('"credential_identifier":"ds-1"')
  })

  test('makes proofs from one nonce per request, three for a batch of three [IOP-W-11]', async () => {
    const attested = { proof_signing_alg_values_supported: ['ES256'], key_attestations_required: {} }
    const metadata = (d: JsonObject) => ({
      ...d,
      credential_configurations_supported: { role_v1: { ...role, proof_types_supported: { jwt: attested } } },
    })
    const world = await createScriptedWorld({ issuer: { copies: 3 }, script: { metadata } })
    expect(await world.receive()).toMatchObject(stored)
    const proofs = proofsOf(world.calls('/credential')[0]).map(decoded)
    expect(proofs).toHaveLength(3)
    expect(new Set(proofs.map(({ payload }) => JSON.stringify(payload)))).toEqual(
      new Set([JSON.stringify({ aud: ISSUER, iat: START, nonce: 'c-nonce-0' })]),
    )
    expect(new Set(proofs.map(({ header }) => jwkThumbprint(parsePublicJwk(header['jwk'])))).size).toBe(3)
    expect(Object.keys(proofs[0]?.header ?? {}).sort()).toEqual(['alg', 'jwk', 'key_attestation', 'typ'])
    const again = {
      ...OFFER,
      grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': 'code-2', tx_code: {} } },
    }
    await world.wallet.receive(AGENT, offerLink(again), TX_CODE)
    expect(world.calls('/nonce')).toHaveLength(2)
  })

  test('encrypts never, when offered, or always [IOP-W-12]', async () => {
    const blocks = (required: boolean): JsonObject => ({
      credential_request_encryption: {
        jwks: { keys: [{ ...REQUEST_KEY.publicJwk }] },
        enc_values_supported: ['A256GCM'],
        encryption_required: required,
      },
      credential_response_encryption: {
        alg_values_supported: ['ECDH-ES'],
        enc_values_supported: ['A256GCM'],
        encryption_required: required,
      },
    })
    const expected: Record<string, readonly string[]> = {
      never: ['plain', 'jwe', 'plain'],
      'if-offered': ['jwe', 'jwe', 'plain'],
      always: ['jwe', 'jwe', 'refused'],
    }
    for (const encryption of ['never', 'if-offered', 'always'] as const) {
      const outcomes: string[] = []
      for (const more of [blocks(false), blocks(true), {}]) {
        const world = await createScriptedWorld({
          issuer: { encryption },
          script: { metadata: (d) => ({ ...d, ...more }) },
        })
        const reply = await world.receive()
        const type = world.calls('/credential')[0]?.headers.get('content-type')
        outcomes.push(reply.outcome === 'refused' ? 'refused' : type === 'application/jwt' ? 'jwe' : 'plain')
        if (type === 'application/jwt')
          expect(await opened(world.calls('/credential')[0]?.body ?? '')).toHaveProperty(
            'credential_response_encryption',
          )
      }
      expect(outcomes).toEqual(expected[encryption])
    }
  })

  test('polls when it is time, notifies after it has stored, and sorts by cnf [IOP-W-13]', async () => {
    const world = await createScriptedWorld({
      script: {
        steps: {
          '/credential': () => answer(202, { transaction_id: 't', interval: 5 }),
          '/deferred': () => answer(202, { transaction_id: 't', interval: 5 }),
        },
      },
    })
    await world.receive()
    world.time.advance(4)
    await world.wallet.maintain()
    expect(world.calls('/deferred')).toHaveLength(0)
    world.time.advance(1)
    await world.wallet.maintain()
    expect(world.calls('/deferred')).toHaveLength(1)

    let held = 0
    const order = await createScriptedWorld({
      issuer: { copies: 3 },
      script: {
        credentials: (all) => [...all].reverse(),
        steps: {
          '/notification': async () => {
            held = (await order.store.list('t/default/wallet/credential/')).length
            return undefined
          },
        },
      },
    })
    expect(await order.receive()).toMatchObject(stored)
    expect(held).toBe(1)
    expect(JSON.parse(order.calls('/notification')[0]?.body ?? '')).toEqual({
      notification_id: 'note-1',
      event: 'credential_accepted',
    })
  })

  test('keeps nothing that fails a check, and says so to the issuer [IOP-W-14]', async () => {
    const foreign = await certify('Foreign')
    const scripts: readonly Script[] = [
      { signer: foreign.signer },
      { claims: (claims) => ({ ...claims, vct: `${VCT}/2` }) },
      { status: 1 },
    ]
    for (const script of scripts) {
      const world = await createScriptedWorld({ script })
      expect(await world.receive()).toMatchObject({ outcome: 'refused' })
      expect(await world.store.list('t/default/wallet/credential/')).toHaveLength(0)
      expect(JSON.parse(world.calls('/notification')[0]?.body ?? '{}')).toEqual({
        notification_id: 'note-1',
        event: 'credential_failure',
      })
    }
    const twice = await createScriptedWorld({
      issuer: { copies: 2 },
      script: { credentials: ([one = '']) => [one, one] },
    })
    expect(await twice.receive()).toMatchObject({ code: 'binding' })
    expect(await (await createScriptedWorld()).receive()).toMatchObject(stored)
  })

  test('trusts a server by its certificate, and no other [VCI-W-SEC-01] [VP-W-DLV-07]', async () => {
    const world = await createDaemonWorld((configuration) => ({ ...configuration, trustedCertificates: [] }))
    const { uri, txCode } = await world.bench.issuer.createOffer(
      { agent: PAYROLL, by: 'value' },
      world.bench.time.clock(),
    )
    const call = {
      socketPath: world.daemon().operatorSocket,
      method: 'POST',
      path: RECEIVE_PATH,
      body: JSON.stringify({ agent: PAYROLL, offer: uri, txCode }),
    } as const
    expect((await callSocket(call)).value).toMatchObject({ outcome: 'refused', code: 'metadata' })
    await world.close()
    const trusting = await createDaemonWorld()
    const next = await trusting.bench.issuer.createOffer(
      { agent: PAYROLL, by: 'value' },
      trusting.bench.time.clock(),
    )
    const body = JSON.stringify({ agent: PAYROLL, offer: next.uri, txCode: next.txCode })
    expect(
      (await callSocket({ ...call, socketPath: trusting.daemon().operatorSocket, body })).value,
    ).toMatchObject(stored)
    await trusting.close()
  })
})

describe('presentation, as other implementations meet it', () => {
  test('fetches the request by get or post, and never again after the answer [IOP-W-16]', async () => {
    const world = await createPresentationWorld()
    expect(await world.present()).toMatchObject({ outcome: 'delivered' })
    expect(await world.present({ request_uri_method: 'post' })).toMatchObject({ outcome: 'delivered' })
    const paths = world.network.calls
      .filter(({ url }) => /\/(request|response)$/.test(url))
      .map(({ method, url }) => `${method} ${new URL(url).pathname}`)
    expect(paths).toEqual(['GET /request', 'POST /response', 'POST /request', 'POST /response'])
    const sent = form(world.to('/request')[1])
    expect([...sent.keys()].sort()).toEqual(['wallet_metadata', 'wallet_nonce'])
    world.perform({ request: (p) => ({ ...p, wallet_nonce: 'other' }) })
    expect(await world.present({ request_uri_method: 'post' })).toMatchObject({ outcome: 'refused' })
  })

  test('tells a verifier of a defect only where that is switched on and it is who it says [IOP-W-17]', async () => {
    const unknown = (p: JsonObject) => ({
      ...p,
      transaction_data: ['eyJ0eXBlIjoieCIsImNyZWRlbnRpYWxfaWRzIjpbInJvbGVfY3JlZCJdfQ'],
    })
    for (const errorDelivery of ['local', 'protocol'] as const) {
      const world = await createPresentationWorld({
        wallet: { errorDelivery },
        verifierScript: { request: unknown },
      })
      expect(await world.present()).toMatchObject({ outcome: 'refused' })
      expect(world.to('/response')).toHaveLength(errorDelivery === 'protocol' ? 1 : 0)
      const other = await certify('Other', ['api.example'])
      const forged = await createPresentationWorld({
        wallet: { errorDelivery },
        verifierScript: { signer: other.signer },
      })
      expect(await forged.present()).toMatchObject({ outcome: 'refused' })
      expect(forged.to('/response')).toHaveLength(0)
    }
  })

  test('says access_denied where nothing fits, in every setting [IOP-W-18]', async () => {
    const query = {
      credentials: [
        { id: 'x', format: 'dc+sd-jwt', meta: { vct_values: ['https://credentials.example/none'] } },
      ],
    }
    for (const errorDelivery of ['local', 'protocol'] as const) {
      for (const response_mode of ['direct_post', 'direct_post.jwt']) {
        const world = await createPresentationWorld({
          wallet: { errorDelivery, profile: 'base' },
          rules: () => [{ id: 'all', effect: 'allow' }],
          verifierScript: { query, request: (p) => ({ ...p, response_mode }) },
        })
        expect(await world.present()).toMatchObject({ outcome: 'refused' })
        const body = form(world.to('/response')[0])
        const jwe = body.get('response')
        const content: unknown = jwe === null ? Object.fromEntries(body) : JSON.parse(await decrypted(jwe))
        expect(content).toEqual({ error: 'access_denied', state: 'st-1' })
      }
    }
  })

  test('answers with exactly the members of the standard [IOP-W-20]', async () => {
    const world = await createPresentationWorld({
      wallet: { profile: 'base' },
      verifierScript: { request: ({ state: _s, ...p }) => ({ ...p, response_mode: 'direct_post' }) },
    })
    await world.present()
    const [call] = world.to('/response')
    expect(new URL(call?.url ?? '').search).toBe('')
    expect([...form(call).keys()]).toEqual(['vp_token'])
    const token = await world.vpToken()
    expect(Object.keys(token)).toEqual(['role_cred'])
    expect(Object.keys(shown(token['role_cred']?.[0]).keyBinding.payload).sort()).toEqual([
      'aud',
      'iat',
      'nonce',
      'sd_hash',
    ])
  })

  test('encrypts to the first key it can use, or not at all [IOP-W-21]', async () => {
    const metadata = (keys: readonly JsonObject[]) => (p: JsonObject) => ({
      ...p,
      client_metadata: {
        jwks: { keys },
        encrypted_response_enc_values_supported: ['A256GCM'],
        vp_formats_supported: { 'dc+sd-jwt': {} },
      },
    })
    const world = await createPresentationWorld({
      verifierScript: {
        request: metadata([{ kty: 'AKP', alg: 'x', kid: 'a' }, { ...RESPONSE_KEY.publicJwk }]),
      },
    })
    expect(await world.present()).toMatchObject({ outcome: 'delivered' })
    const [head = ''] = (form(world.to('/response')[0]).get('response') ?? '').split('.')
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toMatchObject({
      kid: 'resp-1',
      enc: 'A256GCM',
    })
    const none = await createPresentationWorld({
      verifierScript: { request: metadata([{ kty: 'AKP', alg: 'x', kid: 'a' }]) },
    })
    expect(await none.present()).toMatchObject({ outcome: 'refused' })
    expect(none.to('/response')).toHaveLength(0)
  })

  test('passes over what it does not know [IOP-W-22] [VP-W-INF-01]', async () => {
    const more = {
      foo: { bar: 1 },
      iss: 'https://other.example',
      verifier_info: [{ format: 'example', data: 'x' }],
    }
    const world = await createPresentationWorld({
      verifierScript: {
        request: (p) => ({ ...p, ...more }),
        steps: {
          '/response': () => Response.json({ redirect_uri: 'https://api.example/done', extra: true }),
        },
      },
    })
    expect(await world.present({ extra: '1' })).toMatchObject({
      outcome: 'delivered',
      redirectUri: 'https://api.example/done',
    })
    expect(shown((await world.vpToken())['role_cred']?.[0]).names).toEqual(['region', 'role'])
  })
})
