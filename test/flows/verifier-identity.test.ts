import { encodeBase64url, type JsonObject, type JsonValue, utf8 } from '@attache/core'
import { encryptJwe, generateDecryptionKey, type PublicJwk, type Signer, signJws } from '@attache/keys'
import {
  boundResponseUri,
  type ClientTrust,
  createDidKeys,
  encodeWalletMetadata,
  hashTransactionData,
  parseClientMetadata,
  type RequestObjectExpectation,
  STATIC_AUDIENCE,
  usableVerifierInfo,
  verifyRequestObject,
} from '@attache/openid4vp'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { createNetwork } from '../support/network.js'
import { freshKey, QUERY } from '../support/presentation-world.js'

const RESPONSE = 'https://api.example/response/1'
const jsonOf = (value: object): JsonObject => JSON.parse(JSON.stringify(value))
const didJwk = (jwk: JsonValue) => `did:jwk:${encodeBase64url(utf8(JSON.stringify(jwk)))}`

interface Asked {
  readonly clientId: string
  readonly signer: Signer
  readonly header?: JsonObject
  readonly payload?: JsonObject
}

const requestObject = ({ clientId, signer, header = {}, payload = {} }: Asked) =>
  signJws(
    {
      header: { typ: 'oauth-authz-req+jwt', ...header },
      payload: {
        aud: STATIC_AUDIENCE,
        iat: NOW,
        exp: NOW + 300,
        client_id: clientId,
        response_type: 'vp_token',
        response_mode: 'direct_post',
        response_uri: RESPONSE,
        nonce: 'n-1',
        state: 's-1',
        dcql_query: QUERY,
        ...payload,
      },
    },
    signer,
  )

async function verdict(text: string, expected: Partial<RequestObjectExpectation> & { trust: ClientTrust }) {
  const facts = { audiences: [STATIC_AUDIENCE], algorithms: ['ES256' as const], now: NOW }
  try {
    const { request, client } = await verifyRequestObject(text, { ...facts, ...expected })
    boundResponseUri(request, client, { hostLink: client.redirectUris === undefined ? 'off' : 'certificate' })
    return 'accepted'
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    return `${error.name === 'ProtocolError' ? 'E' : 'stop'} ${String(error.code)}`
  }
}

describe('a verifier under a DID', () => {
  const signer = freshKey()
  const DID = 'did:web:did.example'

  /** A host whose document says what is given. */
  function published(document: JsonValue, path = '/.well-known/did.json', type = 'application/did+json') {
    const network = createNetwork({
      'https://did.example': async (request) =>
        new URL(request.url).pathname === path
          ? new Response(JSON.stringify(document), { headers: { 'Content-Type': type } })
          : new Response('nothing', { status: 404 }),
    })
    return { network, trust: { didKey: createDidKeys(network) } }
  }
  const method = (id: string, jwk: object = signer.publicJwk, controller = DID): JsonObject => ({
    id,
    type: 'JsonWebKey2020',
    controller,
    publicKeyJwk: jsonOf(jwk),
  })
  const document = (...methods: JsonObject[]): JsonObject => ({ id: DID, verificationMethod: methods })
  const asked = async (trust: ClientTrust, kid = `${DID}#key-1`, did = DID) =>
    verdict(await requestObject({ clientId: `decentralized_identifier:${did}`, signer, header: { kid } }), {
      trust,
    })

  test('did:jwk is its own document [VP-W-CID-10]', async () => {
    const network = createNetwork()
    const trust = { didKey: createDidKeys(network) }
    const did = didJwk(jsonOf(signer.publicJwk))
    expect(await asked(trust, `${did}#0`, did)).toBe('accepted')
    expect(await asked(trust, `${did}#1`, did)).toBe('stop signature')
    const other = didJwk(jsonOf(freshKey().publicJwk))
    expect(await asked(trust, `${other}#0`, other)).toBe('stop signature')
    expect(await asked(trust, `${other}#0`, did)).toBe('stop signature')
    for (const jwk of [
      { ...jsonOf(signer.publicJwk), use: 'enc' },
      { ...jsonOf(signer.publicJwk), d: 'AA' },
      7,
    ]) {
      const bad = didJwk(jwk)
      expect(await asked(trust, `${bad}#0`, bad)).toBe('stop signature')
    }
    expect(network.calls).toHaveLength(0)
  })

  test('did:web signs with the verificationMethod that kid names [VP-W-CID-10]', async () => {
    for (const id of [`${DID}#key-1`, '#key-1']) {
      const { trust, network } = published(document(method(`${DID}#key-0`, freshKey().publicJwk), method(id)))
      expect(await asked(trust)).toBe('accepted')
      expect(network.calls.map(({ url }) => url)).toEqual(['https://did.example/.well-known/did.json'])
    }
    const below = published(
      { id: `${DID}:team:api`, verificationMethod: [method('#k', signer.publicJwk, `${DID}:team:api`)] },
      '/team/api/did.json',
      'application/json',
    )
    expect(await asked(below.trust, `${DID}:team:api#k`, `${DID}:team:api`)).toBe('accepted')
  })

  test('did:web stops on a missing, foreign, doubled or unusable key [VP-W-CID-10]', async () => {
    const own = method(`${DID}#key-1`)
    for (const bad of [
      document(),
      document(method(`${DID}#key-2`)),
      document(method('did:web:evil.example#key-1')),
      document(own, own),
      document(method(`${DID}#key-1`, signer.publicJwk, 'did:web:evil.example')),
      document(method(`${DID}#key-1`, freshKey().publicJwk)),
      document(method(`${DID}#key-1`, { ...signer.publicJwk, use: 'enc' })),
      { ...document(own), id: 'did:web:evil.example' },
      { id: DID, authentication: [own] },
      'text',
    ]) {
      expect(await asked(published(bad).trust)).toBe('stop signature')
    }
    expect(await asked(published(document(own), '/elsewhere').trust)).toBe('stop signature')
    expect(await asked(published(document(own), undefined, 'text/html').trust)).toBe('stop signature')
    const big = { ...document(own), padding: 'x'.repeat(70_000) }
    expect(await asked(published(big).trust)).toBe('stop signature')
    expect(await asked(published(document(own)).trust)).toBe('accepted')
  })

  test('a malformed or unknown DID calls nobody', async () => {
    for (const did of [
      'did:web:127.0.0.1',
      'did:web:did.example%2Fevil',
      'did:web:user@did.example',
      'did:web:did.example:..',
      'did:web:did.example:',
      'did:web:did.example%3Ax',
      'did:key:z6Mk',
    ]) {
      const { trust, network } = published({
        id: did,
        verificationMethod: [method('#key-1', signer.publicJwk, did)],
      })
      expect(await asked(trust, `${did}#key-1`, did)).toBe('stop signature')
      expect(network.calls).toHaveLength(0)
    }
  })
})

describe('a verifier that somebody vouches for', () => {
  const [attester, verifier] = [freshKey(), freshKey()]
  const ATTESTER = 'https://attester.example'
  const verifierAttesters = (issuer: string): readonly PublicJwk[] | undefined =>
    issuer === ATTESTER ? [attester.publicJwk] : undefined

  const attest = (payload: JsonObject = {}, { typ = 'verifier-attestation+jwt', by = attester } = {}) => {
    const sound: JsonObject = {
      iss: ATTESTER,
      sub: 'api',
      iat: NOW,
      exp: NOW + 600,
      cnf: { jwk: jsonOf(verifier.publicJwk) },
      ...payload,
    }
    const members = Object.entries(sound).filter(([, value]) => value !== null)
    return signJws({ header: { typ }, payload: Object.fromEntries(members) }, by)
  }
  const asked = async (
    jwt: JsonValue,
    more: Partial<Asked> = {},
    trust: ClientTrust = { verifierAttesters },
  ) =>
    verdict(
      await requestObject({
        clientId: 'verifier_attestation:api',
        signer: verifier,
        header: { jwt },
        ...more,
      }),
      { trust },
    )

  test('shows an attestation for itself, by a trusted attester, in force [VP-W-CID-11]', async () => {
    expect(await asked(await attest({ unknown: 1 }))).toBe('accepted')
    for (const bad of [
      { iss: 'https://evil.example' },
      { iss: null },
      { sub: 'verifier_attestation:api' },
      { sub: 'other' },
      { exp: NOW - 61 },
      { exp: null },
      { nbf: NOW + 61 },
      { cnf: null },
      { cnf: {} },
      { redirect_uris: RESPONSE },
    ]) {
      expect(await asked(await attest(bad))).toBe('stop attestation')
    }
    expect(await asked(await attest({}, { typ: 'JWT' }))).toBe('stop attestation')
    expect(await asked(await attest({}, { by: freshKey() }))).toBe('stop attestation')
    expect(await asked(7)).toBe('stop attestation')
    expect(await asked(await attest(), {}, {})).toBe('stop attestation')
  })

  test('signs with the attested key and answers go where the attester says [VP-W-CID-11]', async () => {
    const jwt = await attest()
    expect(await asked(jwt, { signer: freshKey(), header: { jwt } })).toBe('stop signature')
    expect(await asked(await attest({ redirect_uris: [RESPONSE] }))).toBe('accepted')
    for (const uris of [[], [`${RESPONSE}/`], ['https://api.example']]) {
      expect(await asked(await attest({ redirect_uris: uris }))).toBe('stop response_uri')
    }
  })

  test('verifier_info counts only when its own proof holds for this verifier [VP-W-INF-02]', async () => {
    const expected = {
      subject: 'api',
      attesters: verifierAttesters,
      algorithms: ['ES256' as const],
      now: NOW,
    }
    const [good, foreign, forged] = [
      { format: 'jwt', data: await attest() },
      { format: 'jwt', data: await attest({ sub: 'other' }) },
      { format: 'jwt', data: await attest({}, { by: freshKey() }) },
    ]
    const odd = { format: 'registration_cert', data: { says: 'trust me' } }
    const used = usableVerifierInfo([foreign, forged, odd, good], expected)
    expect(used.map(({ info }) => info)).toEqual([good])
    expect(usableVerifierInfo([foreign], expected)).toEqual([])
  })
})

describe('a request object', () => {
  const signer = freshKey()
  const registered = (more = {}): ClientTrust => ({
    registeredClient: (id) => (id === 'api' ? { keys: [signer.publicJwk], ...more } : undefined),
  })

  test('that is encrypted holds a signed one [VP-W-OBJ-03]', async () => {
    const key = generateDecryptionKey()
    const seal = (text: string) => encryptJwe(utf8(text), { jwk: key.publicJwk, enc: 'A256GCM' })
    const signed = await requestObject({ clientId: 'api', signer })
    const keys = { trust: registered(), decryptionKeys: [key] }
    expect(await verdict(await seal(signed), keys)).toBe('accepted')
    expect(await verdict(await seal(signed), { trust: registered() })).toBe('stop invalid_request_object')
    const others = { ...keys, decryptionKeys: [generateDecryptionKey()] }
    expect(await verdict(await seal(signed), others)).toBe('stop invalid_request_object')
    const unsigned = JSON.stringify({ client_id: 'api', response_type: 'vp_token' })
    expect(await verdict(await seal(unsigned), keys)).toBe('stop invalid_request_object')
    expect(await verdict(await seal(await seal(signed)), keys)).toBe('stop invalid_request_object')
    const forged = await requestObject({ clientId: 'api', signer: freshKey() })
    expect(await verdict(await seal(forged), keys)).toBe('stop signature')
  })

  test('of a client whose metadata is registered brings none [VP-W-PAR-10]', async () => {
    const payload = { client_metadata: { client_name: 'API' } }
    const text = await requestObject({ clientId: 'api', signer, payload })
    expect(await verdict(text, { trust: registered({ hasMetadata: true }) })).toBe('E invalid_client')
    expect(await verdict(text, { trust: registered() })).toBe('accepted')
    const bare = await requestObject({ clientId: 'api', signer })
    expect(await verdict(bare, { trust: registered({ hasMetadata: true }) })).toBe('accepted')
  })
})

describe('what a wallet says about itself', () => {
  test('names the format with fully specified algorithms [VP-W-MD-01]', () => {
    const sdJwtAlgorithms = { issuer: ['ES256', 'Ed25519'], keyBinding: ['ES256'] }
    const metadata = encodeWalletMetadata({ formats: ['dc+sd-jwt'], sdJwtAlgorithms })
    const sdJwt = { issuerAlgorithms: ['ES256', 'Ed25519'], keyBindingAlgorithms: ['ES256'] }
    expect(metadata).toEqual({
      vp_formats_supported: {
        'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256', 'Ed25519'], 'kb-jwt_alg_values': ['ES256'] },
      },
    })
    // What a wallet writes is what a verifier reads by the same schema.
    expect(parseClientMetadata(metadata)).toMatchObject({ sdJwt })
    const none = { vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': [] } } }
    expect(() => parseClientMetadata(none)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })
})

describe('transaction data', () => {
  test('is hashed as it was received, not as it reads [VP-W-TXD-04]', async () => {
    // The same object with and without spaces: two texts, two hashes.
    const compact = encodeBase64url(utf8('{"type":"t","credential_ids":["a"]}'))
    const spaced = encodeBase64url(utf8('{"type": "t", "credential_ids": ["a"]}'))
    expect(hashTransactionData(compact, 'sha-256')).not.toBe(hashTransactionData(spaced, 'sha-256'))
    const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(compact)))
    expect(hashTransactionData(compact, 'sha-256')).toBe(encodeBase64url(bytes))
  })
})
