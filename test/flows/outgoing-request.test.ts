import type { JsonObject, JsonValue } from '@attache/core'
import { createSoftwareSigner, generateDecryptionKey, generatePrivateJwk } from '@attache/keys'
import {
  checkOutgoingRequest,
  checkRequestReference,
  encodeClientMetadata,
  encodeTransactionData,
  lintDcqlQuery,
  type OutgoingRequest,
  parseDcqlQuery,
  x509HashClientIdentifier,
} from '@attache/openid4vp'
import { describe, expect, test } from 'vitest'
import { ca, QUERY, signers } from '../support/presentation-world.js'

const signer = signers.api
const CLIENT = x509HashClientIdentifier(signer.x5c?.[0] ?? '')
const RESPONSE = 'https://api.example/attache/response/1'
const key = generateDecryptionKey()
const encrypted: JsonObject = encodeClientMetadata({
  sdJwt: { issuerAlgorithms: ['ES256'], keyBindingAlgorithms: ['ES256'] },
  encryptionKeys: [key.publicJwk],
  encryptedResponseEncs: ['A128GCM', 'A256GCM'],
})
const plain: JsonObject = encodeClientMetadata({
  sdJwt: { issuerAlgorithms: ['ES256'], keyBindingAlgorithms: ['ES256'] },
  encryptionKeys: [],
})
const SOUND: JsonObject = {
  client_id: CLIENT,
  response_type: 'vp_token',
  response_mode: 'direct_post.jwt',
  response_uri: RESPONSE,
  nonce: 'n-1',
  state: 's-1',
  dcql_query: QUERY,
  client_metadata: encrypted,
}

/** The sound request with members replaced (`null` takes one out) and the rest of the facts as given. */
function build(
  override: Readonly<Record<string, JsonValue>>,
  facts: Partial<OutgoingRequest> = {},
): () => void {
  const entries = Object.entries({ ...SOUND, ...override }).filter(([, value]) => value !== null)
  const parameters = Object.fromEntries(entries)
  return () => checkOutgoingRequest({ parameters, delivery: 'reference', signer, ...facts })
}

function codeOf(work: () => void): unknown {
  try {
    work()
    return 'sent'
  } catch (error) {
    if (!(error instanceof TypeError) || !('code' in error)) throw error
    return error.code
  }
}

const code = (override: Readonly<Record<string, JsonValue>>, facts?: Partial<OutgoingRequest>) =>
  codeOf(build(override, facts))

const DIRECT = { response_mode: 'direct_post', client_metadata: plain }

describe('an outgoing request', () => {
  test('asks for a vp_token by a stated response mode [VP-V-REQ-01] [VP-V-REQ-02]', () => {
    expect(code({})).toBe('sent')
    expect(code({ response_type: 'code' })).toBe('response_type')
    expect(code({ response_type: 'vp_token id_token' })).toBe('response_type')
    expect(code({ response_mode: 'query' })).toBe('response_mode')
    expect(code({ response_mode: null })).toBe('response_mode')
  })

  test('of the haip profile is answered by direct_post.jwt, and is signed by reference [VP-V-REQ-03] [VP-V-JAR-06]', () => {
    expect(code({}, { profile: 'haip' })).toBe('sent')
    expect(code(DIRECT, { profile: 'haip' })).toBe('haip_response_mode')
    expect(code(DIRECT)).toBe('sent')
    expect(code({}, { profile: 'haip', delivery: 'value' })).toBe('haip_by_reference')
    expect(code({}, { delivery: 'value' })).toBe('sent')
  })

  test('has a nonce and a state of URL-safe characters [VP-V-REQ-05]', () => {
    expect(code({ nonce: 'a+b/=' })).toBe('charset')
    expect(code({ nonce: null })).toBe('charset')
    expect(code({ state: 'a b' })).toBe('charset')
    expect(code({ nonce: 'A-Za-z0-9-._~' })).toBe('sent')
  })

  test('has a state where a query goes without holder binding [VP-V-REQ-07]', () => {
    const loose = { credentials: [{ ...QUERY.credentials[0], require_cryptographic_holder_binding: false }] }
    expect(code({ dcql_query: loose, state: null })).toBe('state_required')
    expect(code({ dcql_query: loose })).toBe('sent')
    expect(code({ state: null })).toBe('sent')
  })

  test('has either a query or a scope [VP-V-REQ-08]', () => {
    expect(code({ scope: 'role' })).toBe('query_xor_scope')
    expect(code({ dcql_query: null })).toBe('query_xor_scope')
    expect(code({ dcql_query: null, scope: 'role' })).toBe('sent')
  })

  test('of a direct_post mode has an https response_uri and no redirect_uri [VP-V-REQ-09]', () => {
    expect(code({ redirect_uri: RESPONSE })).toBe('redirect_uri_forbidden')
    expect(code({ response_uri: null })).toBe('response_uri')
    expect(code({ response_uri: 'http://api.example/r' })).toBe('response_uri')
    expect(code({ response_uri: '/relative' })).toBe('response_uri')
  })

  test('has a response_uri that its client identifier allows [VP-V-REQ-10]', () => {
    const san = { client_id: 'x509_san_dns:api.example' }
    expect(code(san)).toBe('sent')
    expect(code({ ...san, response_uri: 'https://b.example/r' })).toBe('response_uri_unlinked')
    expect(code({ ...san, response_uri: 'https://b.example/r' }, { trustedByWallet: true })).toBe('sent')
  })

  test('of the mode fragment has a redirect_uri and no response_uri [VP-V-REQ-11]', () => {
    const fragment = { response_mode: 'fragment', response_uri: null, client_metadata: plain }
    expect(code({ ...fragment, redirect_uri: 'https://api.example/cb' })).toBe('sent')
    expect(code(fragment)).toBe('redirect_uri_required')
    expect(code({ ...fragment, redirect_uri: 'https://api.example/cb', response_uri: RESPONSE })).toBe(
      'response_uri_forbidden',
    )
  })

  test('has defined parameters and those we named ourselves [VP-V-REQ-14] [VP-V-JAR-04]', () => {
    for (const name of [
      'presentation_definition',
      'client_id_scheme',
      'request',
      'request_uri',
      'request_uri_method',
      'sub',
      'iss',
    ]) {
      expect(code({ [name]: 'x' })).toBe('parameter_unknown')
    }
    expect(code({ 'example.com/own': 'x' }, { extraParameters: ['example.com/own'] })).toBe('sent')
  })
})

describe('the client identifier of an outgoing request', () => {
  test('of prefix redirect_uri is the address of the answer, unsigned [VP-V-CID-03]', () => {
    const bare = { client_id: `redirect_uri:${RESPONSE}` }
    expect(code(bare)).toBe('prefix_unsigned_only')
    expect(code(bare, { signer: undefined, delivery: 'parameters' })).toBe('sent')
    expect(code({ client_id: 'redirect_uri:https://x.example/' }, { signer: undefined })).toBe(
      'redirect_uri_mismatch',
    )
    expect(code({ ...bare, client_metadata: null }, { signer: undefined })).toBe('metadata_missing')
  })

  test('of prefix x509_san_dns is a name in the certificate [VP-V-CID-04]', () => {
    expect(code({ client_id: 'x509_san_dns:other.example', response_uri: 'https://other.example/r' })).toBe(
      'san_mismatch',
    )
    expect(code({ client_id: 'x509_san_dns:api.example' })).toBe('sent')
    expect(code({ client_id: 'x509_san_dns:api.example' }, { signer: undefined })).toBe('prefix_signed_only')
  })

  test('of prefix x509_hash is the hash of the certificate [VP-V-CID-05]', () => {
    expect(code({})).toBe('sent')
    expect(code({ client_id: x509HashClientIdentifier(signers.issuer.x5c?.[0] ?? '') })).toBe(
      'x509_hash_mismatch',
    )
    expect(code({}, { signer: createSoftwareSigner(generatePrivateJwk('ES256')) })).toBe('prefix_signed_only')
  })

  test('is x509_hash in the haip profile [VP-V-CID-06]', () => {
    expect(code({ client_id: 'x509_san_dns:api.example' }, { profile: 'haip' })).toBe('haip_prefix')
    expect(code({}, { profile: 'haip' })).toBe('sent')
  })

  test('comes with a chain without anchor and self-signed leaf [VP-V-CID-07]', () => {
    const root = ca.pem.replace(/-----[A-Z ]+-----|\s/g, '')
    const [leaf = ''] = signer.x5c ?? []
    expect(code({}, { signer: { ...signer, x5c: [leaf, root] } })).toBe('x5c_anchor')
    const own = createSoftwareSigner(ca.privateJwk)
    const selfSigned = { alg: own.alg, publicJwk: own.publicJwk, x5c: [root] }
    expect(code({ client_id: x509HashClientIdentifier(root) }, { signer: selfSigned })).toBe('self_signed')
  })

  test('of prefix decentralized_identifier is signed by a key named by kid [VP-V-CID-08]', () => {
    const did = { client_id: 'decentralized_identifier:did:web:api.example' }
    expect(code(did)).toBe('did_key')
    expect(code(did, { signer: { ...signer, keyId: 'did:web:evil.example#1' } })).toBe('did_key')
    expect(code(did, { signer: { ...signer, keyId: 'did:web:api.example#1' } })).toBe('sent')
  })

  test('of a registered client has no prefix and no metadata the wallet has [VP-V-CID-11]', () => {
    expect(code({ client_id: 'api-17' })).toBe('sent')
    expect(code({ client_id: 'x509_hash:foo' })).toBe('x509_hash_mismatch')
    expect(code({ client_id: 'origin:https://api.example' })).toBe('prefix_refused')
    expect(code({ client_id: 'openid_federation:https://api.example' })).toBe('entity_identifier')
    expect(code({ client_id: 'api-17' }, { registeredMetadata: true })).toBe('metadata_registered')
    expect(code({ client_id: 'api-17', client_metadata: null }, { registeredMetadata: true })).toBe('sent')
  })

  test('of the x509 and DID prefixes brings its metadata along [VP-V-CID-12] [VP-V-META-01]', () => {
    expect(code({ client_metadata: null })).toBe('metadata_missing')
    expect(code({ client_metadata: { ...encrypted, vp_formats_supported: {} } })).toBe('metadata_missing')
    expect(code({ client_metadata: { ...encrypted, vp_formats_supported: { 'dc+sd-jwt': 'x' } } })).toBe(
      'metadata_missing',
    )
    expect(code({})).toBe('sent')
  })

  test('is signed with an asymmetric algorithm, by a signer that hands out no key [VP-V-JAR-03] [VP-V-CID-13]', () => {
    const named = (alg: string): OutgoingRequest['signer'] => Object.assign({}, signer, { alg })
    expect(code({}, { signer: named('none') })).toBe('alg')
    expect(code({}, { signer: named('HS256') })).toBe('alg')
    expect(code({}, { signer: named('ES256') })).toBe('sent')
    expect(JSON.stringify(signer)).not.toContain('"d"')
  })
})

describe('a reference to a request object', () => {
  test('is a short https URL without fragment [VP-V-JAR-07]', () => {
    expect(codeOf(() => checkRequestReference('https://api.example/r/1', 'get'))).toBe('sent')
    for (const uri of [
      'http://api.example/r/1',
      'https://api.example/r#1',
      `https://api.example/${'x'.repeat(600)}`,
    ]) {
      expect(codeOf(() => checkRequestReference(uri, 'get'))).toBe('request_uri')
    }
  })

  test('is fetched by get or post, in lower case [VP-V-RUM-01]', () => {
    expect(codeOf(() => checkRequestReference('https://api.example/r', 'post'))).toBe('sent')
    for (const method of ['POST', 'put', '']) {
      expect(codeOf(() => checkRequestReference('https://api.example/r', method))).toBe('request_uri_method')
    }
  })
})

describe('the metadata of an outgoing request', () => {
  const format = (values: JsonValue) => ({
    client_metadata: { ...encrypted, vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': values } } },
  })

  test('lists algorithms that name their curve [VP-V-META-02]', () => {
    expect(code(format(['ES256', 'Ed25519']))).toBe('sent')
    expect(code(format([]))).toBe('metadata_algorithms')
    expect(code(format(['EdDSA']))).toBe('metadata_algorithms')
  })

  test('has keys with their own kid and an alg for encrypted answers [VP-V-META-03]', () => {
    const { alg: _alg, ...withoutAlg } = JSON.parse(JSON.stringify(key.publicJwk))
    const keys = (...jwks: readonly JsonValue[]) => ({
      client_metadata: { ...encrypted, jwks: { keys: jwks } },
    })
    const jwk: JsonValue = JSON.parse(JSON.stringify(key.publicJwk))
    expect(code(keys(jwk))).toBe('sent')
    expect(code(keys(withoutAlg))).toBe('metadata_keys')
    expect(code(keys(jwk, jwk))).toBe('metadata_keys')
    expect(code(keys())).toBe('metadata_keys')
  })

  test('lists content encryptions only for encrypted answers, never an empty list [VP-V-META-04]', () => {
    expect(code({ client_metadata: { ...encrypted, encrypted_response_enc_values_supported: [] } })).toBe(
      'metadata_enc',
    )
    const inClear = { ...plain, encrypted_response_enc_values_supported: ['A128GCM'] }
    expect(code({ ...DIRECT, client_metadata: inClear })).toBe('metadata_enc')
    expect(code(DIRECT)).toBe('sent')
  })

  test('of the haip profile has ECDH-ES on P-256 and both encryptions [VP-V-META-06]', () => {
    const one = { ...encrypted, encrypted_response_enc_values_supported: ['A128GCM'] }
    expect(code({ client_metadata: one }, { profile: 'haip' })).toBe('metadata_enc')
    expect(code({ client_metadata: one })).toBe('sent')
    expect(code({}, { profile: 'haip' })).toBe('sent')
  })

  test('never holds a private key [VP-V-META-07]', () => {
    const secret: JsonValue = JSON.parse(JSON.stringify({ ...key.publicJwk, d: 'AAAA' }))
    expect(code({ client_metadata: { ...encrypted, jwks: { keys: [secret] } } })).toBe('metadata_private_key')
    expect(code({})).toBe('sent')
  })

  test('verifier_info names known queries [VP-V-INF-01]', () => {
    const info = (...entries: readonly JsonObject[]) => code({ verifier_info: [...entries] })
    expect(info({ format: 'jwt', data: 'x', credential_ids: ['role_cred'] })).toBe('sent')
    expect(info()).toBe('verifier_info')
    expect(info({ format: 'jwt', data: 'x', credential_ids: ['other'] })).toBe('verifier_info')
    expect(info({ format: 'jwt' })).toBe('verifier_info')
  })

  test('transaction data names known queries with holder binding [VP-V-TXD-01] [VP-V-TXD-02]', () => {
    const entry = (content: JsonObject) => [encodeTransactionData(content)]
    const sound = { type: 'https://api.example/td/approve', credential_ids: ['role_cred'] }
    expect(code({ transaction_data: entry(sound) })).toBe('sent')
    expect(code({ transaction_data: entry({ ...sound, credential_ids: ['other'] }) })).toBe(
      'td_credential_ids',
    )
    expect(code({ transaction_data: entry({ ...sound, credential_ids: [] }) })).toBe('td_credential_ids')
    expect(code({ transaction_data: [] })).toBe('td_credential_ids')
    expect(code({ transaction_data: ['{}'] })).toBe('td_credential_ids')
    const loose = { credentials: [{ ...QUERY.credentials[0], require_cryptographic_holder_binding: false }] }
    expect(code({ transaction_data: entry(sound), dcql_query: loose })).toBe('td_credential_ids')
  })

  test('transaction data names registered hash algorithms [VP-V-TXD-03]', () => {
    const sound = { type: 't', credential_ids: ['role_cred'] }
    const hashes = (list: JsonValue) =>
      code({ transaction_data: [encodeTransactionData({ ...sound, transaction_data_hashes_alg: list })] })
    expect(hashes(['sha-256'])).toBe('sent')
    expect(hashes(['SHA256'])).toBe('td_hashes')
    expect(hashes([])).toBe('td_credential_ids')
  })
})

describe('an authored query', () => {
  const [sound] = QUERY.credentials
  const parse = (credential: JsonObject, rest: JsonObject = {}) =>
    parseDcqlQuery({ credentials: [{ ...sound, ...credential }], ...rest })
  const refusedParse = (credential: JsonObject, rest: JsonObject = {}) =>
    expect(() => parse(credential, rest)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  const lint = (credential: JsonObject) => codeOf(() => lintDcqlQuery(parse(credential)))

  test('of a strict verifier asks for nothing that is visible or unreachable anyway [IOP-V-06]', () => {
    const strict = (credential: JsonObject) =>
      codeOf(() => lintDcqlQuery(parse(credential), { strict: true }))
    for (const name of ['iss', 'nbf', 'exp', 'cnf', 'vct', 'vct#integrity', 'status', 'aka_vcts']) {
      expect(strict({ claims: [{ path: [name] }] })).toBe('query_advice')
    }
    const claims = [
      { id: 'a', path: ['a'] },
      { id: 'b', path: ['b'] },
    ]
    expect(strict({ claims, claim_sets: [['a']] })).toBe('query_advice')
    expect(strict({ claims, claim_sets: [['a'], ['b']] })).toBe('sent')
    expect(strict({})).toBe('sent')
  })

  test('asks for at least one credential, of our format [VP-V-DQ-01]', () => {
    expect(() => parseDcqlQuery({ credentials: [] })).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    )
    expect(lint({ format: 'vc+sd-jwt' })).toBe('query_format')
    expect(lint({})).toBe('sent')
  })

  test('has ids of plain characters, each once [VP-V-DQ-02]', () => {
    for (const id of ['a.b', '', 'a b', 7]) refusedParse({ id })
    const twice = { credentials: [sound ?? {}, sound ?? {}] }
    expect(() => parseDcqlQuery(twice)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
    expect(parse({ id: 'A-z_0' }).credentials[0]?.id).toBe('A-z_0')
  })

  test('has vct_values [VP-V-DQ-03]', () => {
    for (const meta of [{}, { vct_values: [] }, { vct_values: [1] }, { vct_values: 'x' }])
      refusedParse({ meta })
    expect(parse({}).credentials[0]?.vctValues).toHaveLength(1)
  })

  test('has booleans where booleans belong, with their defaults [VP-V-DQ-04]', () => {
    refusedParse({ multiple: 'true' })
    refusedParse({ require_cryptographic_holder_binding: 'false' })
    expect(parse({}).credentials[0]).toMatchObject({
      multiple: false,
      requireCryptographicHolderBinding: true,
    })
  })

  test('has claims with paths of texts, null and indexes [VP-V-DQ-05]', () => {
    refusedParse({ claims: [] })
    for (const path of [[], [-1], [1.5], [true], 'role', [{}]]) refusedParse({ claims: [{ path }] })
    expect(parse({ claims: [{ path: ['a', null, 0] }] }).credentials[0]?.claims?.[0]?.path).toEqual([
      'a',
      null,
      0,
    ])
  })

  test('asks for a claim once [VP-V-DQ-06]', () => {
    expect(lint({ claims: [{ path: ['a'] }, { path: ['a'], values: ['x'] }] })).toBe('query_duplicate_path')
    expect(lint({ claims: [{ path: ['a'] }, { path: ['a', 'b'] }] })).toBe('sent')
  })

  test('names claims where claim sets choose among them [VP-V-DQ-07] [VP-V-DQ-08]', () => {
    refusedParse({ claims: [{ path: ['a'] }], claim_sets: [['a']] })
    refusedParse({ claims: [{ id: 'a.b', path: ['a'] }] })
    refusedParse({
      claims: [
        { id: 'a', path: ['a'] },
        { id: 'a', path: ['b'] },
      ],
    })
    const { claims: _claims, ...bare } = sound ?? {}
    const alone = { credentials: [{ ...bare, claim_sets: [['a']] }] }
    expect(() => parseDcqlQuery(alone)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
    for (const claim_sets of [[], [[]], [['b']]])
      refusedParse({ claims: [{ id: 'a', path: ['a'] }], claim_sets })
    expect(
      parse({ claims: [{ id: 'a', path: ['a'] }], claim_sets: [['a']] }).credentials[0]?.claimSets,
    ).toEqual([['a']])
  })

  test('is warned of wasteful claim sets and of claims in none [VP-V-DQ-09] [VP-V-DQ-16]', () => {
    const claims = [
      { id: 'a', path: ['a'] },
      { id: 'b', path: ['b'] },
      { id: 'c', path: ['c'] },
    ]
    const advice = lintDcqlQuery(parse({ claims, claim_sets: [['a', 'b'], ['a']] }))
    expect(advice.join()).toMatch(/contains a later one/)
    expect(advice.join()).toMatch(/claim c in no claim set/)
    expect(lintDcqlQuery(parse({ claims, claim_sets: [['a'], ['a', 'b', 'c']] }))).toEqual([])
  })

  test('compares with texts, integers and booleans [VP-V-DQ-10]', () => {
    for (const values of [[1.5], [null], [{}], [], ['a', []]])
      refusedParse({ claims: [{ path: ['a'], values }] })
    expect(
      parse({ claims: [{ path: ['a'], values: ['x', 1, true] }] }).credentials[0]?.claims?.[0]?.values,
    ).toEqual(['x', 1, true])
  })

  test('has credential sets of known ids, none empty [VP-V-DQ-11]', () => {
    for (const credential_sets of [
      [],
      [{ options: [] }],
      [{ options: [[]] }],
      [{ options: [['other']] }],
      [{ options: [['role_cred']], required: 'no' }],
    ]) {
      refusedParse({}, { credential_sets })
    }
    expect(parse({}, { credential_sets: [{ options: [['role_cred']] }] }).credentialSets).toEqual([
      { options: [['role_cred']], required: true },
    ])
  })

  test('has trusted authorities with type and values [VP-V-DQ-12]', () => {
    for (const trusted_authorities of [
      [],
      [{ type: 'aki' }],
      [{ type: 'aki', values: [] }],
      [{ type: 1, values: ['x'] }],
      [{ type: 'aki', values: [''] }],
    ]) {
      refusedParse({ trusted_authorities })
    }
    expect(
      parse({ trusted_authorities: [{ type: 'aki', values: ['x'] }] }).credentials[0]?.trustedAuthorities,
    ).toEqual([{ type: 'aki', values: ['x'] }])
  })

  test('may have members nobody knows [VP-V-DQ-14]', () => {
    const odd = parse({ foo: 1, claims: [{ path: ['a'], bar: 2 }] }, { baz: 3 })
    expect(odd).toEqual(parse({ claims: [{ path: ['a'] }] }))
  })

  test('is warned of claims that are always visible; may not count elements [VP-V-DQ-15]', () => {
    for (const name of ['iss', 'nbf', 'exp', 'cnf', 'vct', 'vct#integrity', 'status', 'aka_vcts']) {
      expect(lintDcqlQuery(parse({ claims: [{ path: [name] }] })).join()).toMatch(/always visible/)
    }
    expect(lintDcqlQuery(parse({ claims: [{ path: ['iat'] }, { path: ['sub'] }] }))).toEqual([])
    expect(lint({ claims: [{ path: ['a', 0] }] })).toBe('query_index_path')
    expect(codeOf(() => lintDcqlQuery(parse({ claims: [{ path: ['a', 0] }] }), { allowIndexes: true }))).toBe(
      'sent',
    )
  })
})
