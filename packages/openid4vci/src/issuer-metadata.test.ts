import type { JsonObject } from '@attache/core'
import { encryptJwe, generateDecryptionKey, isEncryptionKey } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import type { CredentialConfiguration } from './credential-configuration.js'
import { makeIssuerMetadata, parseIssuerMetadata } from './issuer-metadata.js'
import type { IssuerMetadata } from './issuer-metadata-document.js'
import { checkHaipIssuerMetadata } from './issuer-metadata-rules.js'
import { decryptCredentialRequest, encryptCredentialRequest } from './message-encryption.js'

const ISSUER = 'https://issuer.example/acme'
const key = generateDecryptionKey({ kid: 'enc-1' })
const keys = [key, generateDecryptionKey({ kid: 'enc-2' })]
const rules = { signingAlgorithms: ['ES256'], keyAttestations: { keyStorage: ['iso_18045_moderate'] } }
const role: CredentialConfiguration = {
  vct: 'urn:example:role:v1',
  scope: 'urn:example:scope:role',
  signingAlgorithms: ['ES256'],
  bindingMethods: ['jwk'],
  proofTypes: { jwt: rules, attestation: rules },
  display: [{ name: 'Role', locale: 'en' }],
  claims: [
    { path: ['role'], mandatory: true, display: [{ name: 'Role', locale: 'en' }] },
    { path: ['region'] },
  ],
}
const requestEncryption = {
  jwks: keys.map(({ publicJwk }) => publicJwk),
  encValues: ['A128GCM', 'A256GCM'],
  required: false,
}
const responseEncryption = { algValues: ['ECDH-ES'], encValues: ['A256GCM'], required: true }
const full: IssuerMetadata = {
  credentialIssuer: ISSUER,
  authorizationServers: ['https://as.example'],
  credentialEndpoint: `${ISSUER}/credential`,
  nonceEndpoint: `${ISSUER}/nonce`,
  deferredCredentialEndpoint: `${ISSUER}/deferred`,
  notificationEndpoint: `${ISSUER}/notification`,
  batchSize: 10,
  requestEncryption,
  responseEncryption,
  display: [{ name: 'Acme', locale: 'en', logo: { uri: 'https://acme.example/logo.png', altText: 'A' } }],
  credentialConfigurations: new Map([['role_v1', role]]),
}
const least: IssuerMetadata = {
  credentialIssuer: ISSUER,
  credentialEndpoint: `${ISSUER}/credential`,
  credentialConfigurations: new Map([['role_v1', { vct: 'urn:example:role:v1' }]]),
}
const withRole = (change: Partial<CredentialConfiguration>): IssuerMetadata => ({
  ...full,
  credentialConfigurations: new Map([['role_v1', { ...role, ...change }]]),
})
const refused = (code: string) => expect.objectContaining({ name: 'TypeError', code })
const expected = { credentialIssuer: ISSUER }
const wire = makeIssuerMetadata(full)
/** The wire form of the only configuration, changed. */
const wireRole = (change: JsonObject): JsonObject => ({
  ...makeIssuerMetadata(least),
  credential_configurations_supported: { role_v1: { format: 'dc+sd-jwt', vct: 'urn:x', ...change } },
})

describe('makeIssuerMetadata', () => {
  test('every setting is there when it is on and absent when it is off [IOP-I-02]', () => {
    const settings = [
      'authorization_servers',
      'nonce_endpoint',
      'deferred_credential_endpoint',
      'notification_endpoint',
      'batch_credential_issuance',
      'credential_request_encryption',
      'credential_response_encryption',
      'display',
    ]
    const always = ['credential_issuer', 'credential_endpoint', 'credential_configurations_supported']
    expect(Object.keys(wire).sort()).toEqual([...settings, ...always].sort())
    expect(Object.keys(makeIssuerMetadata(least)).sort()).toEqual([...always].sort())
    const { jwks } = parseIssuerMetadata(wire, expected).requestEncryption ?? {}
    expect(jwks?.map(({ kid, alg }) => [kid, alg])).toEqual([
      ['enc-1', 'ECDH-ES'],
      ['enc-2', 'ECDH-ES'],
    ])
    expect(() => makeIssuerMetadata({ ...full, batchSize: 1 })).toThrow(refused('metadata_batch'))
    expect(() => makeIssuerMetadata({ ...least, responseEncryption })).toThrow(refused('metadata_encryption'))
  })

  test('a configuration has all its members, and only those it has [IOP-I-03]', () => {
    const written = (rules: JsonObject) => ({
      format: 'dc+sd-jwt',
      vct: 'urn:example:role:v1',
      scope: 'urn:example:scope:role',
      credential_signing_alg_values_supported: ['ES256'],
      cryptographic_binding_methods_supported: ['jwk'],
      proof_types_supported: { jwt: rules, attestation: rules },
      credential_metadata: {
        display: [{ name: 'Role', locale: 'en' }],
        claims: [
          { path: ['role'], mandatory: true, display: [{ name: 'Role', locale: 'en' }] },
          { path: ['region'] },
        ],
      },
    })
    const attested = {
      proof_signing_alg_values_supported: ['ES256'],
      key_attestations_required: { key_storage: ['iso_18045_moderate'] },
    }
    expect(wire['credential_configurations_supported']).toEqual({ role_v1: written(attested) })
    const plain = { signingAlgorithms: ['ES256'] }
    expect(
      makeIssuerMetadata(withRole({ proofTypes: { jwt: plain, attestation: plain } }))[
        'credential_configurations_supported'
      ],
    ).toEqual({ role_v1: written({ proof_signing_alg_values_supported: ['ES256'] }) })
    expect(() => makeIssuerMetadata(withRole({ proofTypes: undefined }))).toThrow(refused('metadata_binding'))
    expect(() => makeIssuerMetadata(withRole({ display: [{ name: 'Rolle', locale: 'de_de' }] }))).toThrow(
      refused('metadata_display'),
    )
    expect(makeIssuerMetadata(withRole({ display: [{ name: 'Rolle', locale: 'de-DE' }] }))).toBeDefined()
  })

  test.each(['https://Issuer.example', 'https://issuer.example:443/a', 'https://issuer.example/a/'])(
    'says credential_issuer as %s, without normalising it [VCI-I-META-06]',
    (credentialIssuer) => {
      const made = makeIssuerMetadata({ ...least, credentialIssuer })
      expect(made['credential_issuer']).toBe(credentialIssuer)
      expect(parseIssuerMetadata(made, { credentialIssuer }).credentialIssuer).toBe(credentialIssuer)
      const normalised = [new URL(credentialIssuer).href, new URL(credentialIssuer).origin]
      for (const other of normalised.filter((one) => one !== credentialIssuer)) {
        expect(() => parseIssuerMetadata(made, { credentialIssuer: other })).toThrow(
          expect.objectContaining({ code: 'issuer_mismatch' }),
        )
      }
    },
  )

  test.each([
    ['credentialEndpoint', 'credential_endpoint'],
    ['nonceEndpoint', 'nonce_endpoint'],
    ['deferredCredentialEndpoint', 'deferred_credential_endpoint'],
    ['notificationEndpoint', 'notification_endpoint'],
  ])('%s is an https URL, and absent when the feature is off [VCI-I-META-08]', (name, member) => {
    expect(wire[member]).toMatch(/^https:/)
    expect(Object.hasOwn(makeIssuerMetadata(least), member)).toBe(member === 'credential_endpoint')
    for (const url of ['http://issuer.example/x', '/x', '']) {
      expect(() => makeIssuerMetadata({ ...full, [name]: url })).toThrow(refused('message_refused'))
    }
  })

  test('every configuration is of format dc+sd-jwt and has a vct [VCI-I-META-11]', () => {
    expect(wire['credential_configurations_supported']).toMatchObject({
      role_v1: { format: 'dc+sd-jwt', vct: 'urn:example:role:v1' },
    })
    expect(() => makeIssuerMetadata(withRole({ vct: '' }))).toThrow(refused('metadata_list'))
  })

  test('binding methods and proof types go together [VCI-I-META-15]', () => {
    expect(makeIssuerMetadata(withRole({ bindingMethods: undefined, proofTypes: undefined }))).toBeDefined()
    expect(makeIssuerMetadata(full)).toBeDefined()
    for (const change of [{ bindingMethods: undefined }, { proofTypes: undefined }]) {
      expect(() => makeIssuerMetadata(withRole(change))).toThrow(refused('metadata_binding'))
    }
  })

  test('publishes a JWK Set of public keys, each of which a request can be encrypted to [VCI-I-META-18]', async () => {
    const block = wire['credential_request_encryption']
    expect(block).toEqual({
      jwks: { keys: keys.map(({ publicJwk }) => ({ ...publicJwk })) },
      enc_values_supported: ['A128GCM', 'A256GCM'],
      encryption_required: false,
    })
    expect(JSON.stringify(block)).not.toContain('"d"')
    const { requestEncryption: read } = parseIssuerMetadata(wire, expected)
    for (const jwk of read?.jwks ?? []) {
      const jwe = await encryptJwe(new TextEncoder().encode('{"a":1}'), { jwk, enc: 'A128GCM' })
      expect(isEncryptionKey(jwk)).toBe(true)
      await expect(decryptCredentialRequest(jwe, { keys, encs: ['A128GCM'] })).resolves.toEqual({ a: 1 })
    }
    const first = key.publicJwk
    const { kid: _kid, ...withoutKid } = first
    const { alg: _alg, ...withoutAlg } = first
    const leaking = { ...first, ...key.privateJwk }
    const signing = { ...first, use: 'sig' }
    for (const jwks of [[first, first], [withoutKid], [withoutAlg], [leaking], [signing]]) {
      expect(() =>
        makeIssuerMetadata({ ...full, requestEncryption: { ...requestEncryption, jwks } }),
      ).toThrow(refused('metadata_encryption'))
    }
    for (const change of [{ jwks: [] }, { encValues: [] }]) {
      expect(() =>
        makeIssuerMetadata({ ...full, requestEncryption: { ...requestEncryption, ...change } }),
      ).toThrow(refused('metadata_list'))
    }
  })

  test('announces encrypted responses only beside requests, and only with ECDH-ES [VCI-I-META-19]', () => {
    expect(wire['credential_response_encryption']).toEqual({
      alg_values_supported: ['ECDH-ES'],
      enc_values_supported: ['A256GCM'],
      encryption_required: true,
    })
    expect(() => makeIssuerMetadata({ ...full, requestEncryption: undefined })).toThrow(
      refused('metadata_encryption'),
    )
    const changed = (change: Partial<typeof responseEncryption>) => () =>
      makeIssuerMetadata({ ...full, responseEncryption: { ...responseEncryption, ...change } })
    for (const alg of ['dir', 'A128KW', 'A256GCMKW', 'PBES2-HS256+A128KW', 'none']) {
      expect(changed({ algValues: ['ECDH-ES', alg] })).toThrow(refused('metadata_encryption'))
    }
    expect(changed({ encValues: ['A128CBC-HS256'] })).toThrow(refused('metadata_encryption'))
    expect(changed({ algValues: [] })).toThrow(refused('metadata_list'))
    expect(changed({ encValues: [] })).toThrow(refused('metadata_list'))
  })

  const displays: readonly (readonly [string, CredentialConfiguration['display']])[] = [
    ['no entry', []],
    [
      'a locale twice',
      [
        { name: 'a', locale: 'en' },
        { name: 'b', locale: 'en' },
      ],
    ],
    ['no name', [{ locale: 'en' }]],
    ['a locale in another case', [{ name: 'a', locale: 'EN-us' }]],
    ['a locale that is none', [{ name: 'a', locale: 'e' }]],
    ['a logo without URI', [{ name: 'a', logo: { uri: '' } }]],
    ['a background image without URI', [{ name: 'a', backgroundImage: { uri: 'logo' } }]],
    ['a colour that is none', [{ name: 'a', backgroundColor: '#12345' }]],
  ]
  test.each(displays)('refuses a display with %s [VCI-I-META-20]', (_, display) => {
    expect(() => makeIssuerMetadata(withRole({ display }))).toThrow(refused('metadata_display'))
    const good = [
      { name: 'Role', locale: 'en-US', backgroundColor: '#12107c', textColor: 'white' },
      { name: 'Rolle', locale: 'de', logo: { uri: 'https://acme.example/l.svg' }, description: 'x' },
    ]
    const made = makeIssuerMetadata({ ...withRole({ display: good }), display: [{ locale: 'en' }] })
    const configuration = parseIssuerMetadata(made, expected).credentialConfigurations.get('role_v1')
    expect(configuration?.display).toMatchObject(good)
  })

  test.each([{ display: [] }, { claims: [{ path: ['a'] as const, display: [] }] }])(
    'refuses an empty display of the issuer and of a claim, too',
    (change) => {
      const metadata = 'claims' in change ? withRole(change) : { ...full, ...change }
      expect(() => makeIssuerMetadata(metadata)).toThrow(refused('metadata_display'))
    },
  )

  test.each([
    ['no claim', []],
    ['role twice', [{ path: ['role'] as const }, { path: ['role'] as const }]],
    ['a list that is an object, too', [{ path: ['a', 0] as const }, { path: ['a', 'b'] as const }]],
  ])('refuses claims with %s', (_, claims) => {
    expect(() => makeIssuerMetadata(withRole({ claims }))).toThrow(refused('metadata_claims'))
  })

  test.each([
    ['no algorithm', { jwt: { signingAlgorithms: [] } }],
    ['no proof type', {}],
    ['an empty demand', { jwt: { ...rules, keyAttestations: { keyStorage: [] } } }],
    [
      'an unknown ISO value',
      { jwt: { ...rules, keyAttestations: { userAuthentication: ['iso_18045_low'] } } },
    ],
  ])('refuses proof types with %s', (_, proofTypes) => {
    expect(() => makeIssuerMetadata(withRole({ proofTypes }))).toThrow(refused('metadata_list'))
    const any = { jwt: { ...rules, keyAttestations: {} }, attestation: undefined }
    expect(makeIssuerMetadata(withRole({ proofTypes: any }))).toBeDefined()
  })

  test('refuses a scope of two words', () => {
    expect(() => makeIssuerMetadata(withRole({ scope: 'a b' }))).toThrow(refused('metadata_scope'))
  })
})

describe('checkHaipIssuerMetadata', () => {
  test('wants a nonce endpoint where keys are bound [VCI-I-META-10]', () => {
    expect(() => checkHaipIssuerMetadata(full)).not.toThrow()
    expect(() => checkHaipIssuerMetadata({ ...full, nonceEndpoint: undefined })).toThrow(
      refused('metadata_haip'),
    )
    const unbound = withRole({ bindingMethods: undefined, proofTypes: undefined })
    expect(() => checkHaipIssuerMetadata({ ...unbound, nonceEndpoint: undefined })).not.toThrow()
  })

  test('wants a scope for every configuration, and one type behind each [VCI-I-META-13]', () => {
    expect(() => checkHaipIssuerMetadata(withRole({ scope: undefined }))).toThrow(refused('metadata_haip'))
    const both = (second: Partial<CredentialConfiguration>): IssuerMetadata => ({
      ...full,
      credentialConfigurations: new Map([
        ['role_v1', role],
        ['role_v2', { ...role, ...second }],
      ]),
    })
    expect(() => checkHaipIssuerMetadata(both({ vct: 'urn:example:other' }))).toThrow(
      refused('metadata_haip'),
    )
    expect(() => checkHaipIssuerMetadata(both({}))).not.toThrow()
    expect(() => checkHaipIssuerMetadata(both({ vct: 'urn:x', scope: 'urn:s' }))).not.toThrow()
  })
})

describe('parseIssuerMetadata', () => {
  test('reads everything that was made', () => {
    expect(parseIssuerMetadata(wire, expected)).toEqual(full)
    expect(parseIssuerMetadata(makeIssuerMetadata(least), expected)).toEqual(least)
  })

  test.each([
    'https://Issuer.example/acme',
    'https://issuer.example:443/acme',
    'https://issuer.example/acme/',
    'https://issuer.example/Acme',
    'https://issuer.example/%61cme',
  ])('does not use metadata of %s for another spelling [VCI-W-META-04]', (credentialIssuer) => {
    const theirs = makeIssuerMetadata({ ...least, credentialIssuer })
    expect(() => parseIssuerMetadata(theirs, expected)).toThrow(
      expect.objectContaining({ name: 'ProtocolError', code: 'issuer_mismatch' }),
    )
    expect(parseIssuerMetadata(theirs, { credentialIssuer }).credentialIssuer).toBe(credentialIssuer)
  })

  test('ignores unknown members and configurations of other formats [VCI-W-META-05]', () => {
    const more = { foo: 1, constructor: { a: 1 }, ['__proto__']: [] }
    const role = { format: 'dc+sd-jwt', vct: 'urn:x', claims: 'obsolete', credential_metadata: more, ...more }
    const document = {
      ...makeIssuerMetadata(least),
      ...more,
      batch_credential_issuance: { batch_size: 2, ...more },
      credential_configurations_supported: {
        role_v1: role,
        mdl: { format: 'mso_mdoc', doctype: 'org.iso.18013.5.1.mDL', proof_types_supported: 7 },
      },
    }
    const read = parseIssuerMetadata(document, expected)
    expect([...read.credentialConfigurations]).toEqual([['role_v1', { vct: 'urn:x' }]])
    expect(read.batchSize).toBe(2)
  })

  const broken: readonly (readonly [string, unknown])[] = [
    ['no object', [wire]],
    ['an http credential_endpoint', { ...wire, credential_endpoint: 'http://issuer.example/c' }],
    ['no credential_endpoint', { ...wire, credential_endpoint: undefined }],
    ['an http nonce_endpoint', { ...wire, nonce_endpoint: 'http://issuer.example/n' }],
    ['a deferred endpoint that is no URL', { ...wire, deferred_credential_endpoint: 'deferred' }],
    ['a notification endpoint that is no text', { ...wire, notification_endpoint: 1 }],
    ['an empty list of servers', { ...wire, authorization_servers: [] }],
    ['an http server', { ...wire, authorization_servers: ['http://as.example'] }],
    ['batch_size 1', { ...wire, batch_credential_issuance: { batch_size: 1 } }],
    ['batch_size 2.5', { ...wire, batch_credential_issuance: { batch_size: 2.5 } }],
    ['no batch_size', { ...wire, batch_credential_issuance: {} }],
    ['no configurations', { ...wire, credential_configurations_supported: undefined }],
    ['a list of configurations', { ...wire, credential_configurations_supported: [] }],
    ['a configuration without format', { ...wire, credential_configurations_supported: { a: {} } }],
    [
      'a configuration without vct',
      { ...wire, credential_configurations_supported: { a: { format: 'dc+sd-jwt' } } },
    ],
    ['a vct that is no text', wireRole({ vct: 1 })],
    ['binding methods without proof types', wireRole({ cryptographic_binding_methods_supported: ['jwk'] })],
    ['proof types without binding methods', wireRole({ proof_types_supported: {} })],
    [
      'a proof type without algorithms',
      wireRole({
        cryptographic_binding_methods_supported: ['jwk'],
        proof_types_supported: { jwt: { proof_signing_alg_values_supported: [] } },
      }),
    ],
    ['keys that are no JWK Set', { ...wire, credential_request_encryption: { jwks: [] } }],
    [
      'a JWK Set without keys',
      {
        ...wire,
        credential_request_encryption: {
          jwks: {},
          enc_values_supported: ['A256GCM'],
          encryption_required: true,
        },
      },
    ],
    [
      'response encryption without enc',
      {
        ...wire,
        credential_response_encryption: { alg_values_supported: ['ECDH-ES'], encryption_required: true },
      },
    ],
    [
      'an encryption_required that is no boolean',
      {
        ...wire,
        credential_response_encryption: {
          alg_values_supported: ['ECDH-ES'],
          enc_values_supported: ['A256GCM'],
          encryption_required: 'yes',
        },
      },
    ],
  ]
  test.each(broken)('refuses %s [VCI-W-META-06]', (_, value) => {
    expect(() => parseIssuerMetadata(JSON.parse(JSON.stringify(value)), expected)).toThrow(
      expect.objectContaining({ name: 'ProtocolError', code: 'metadata' }),
    )
    expect(parseIssuerMetadata(wire, expected).credentialEndpoint).toBe(`${ISSUER}/credential`)
  })

  test('skips keys that cannot be named or used; whoever needs none reads on', async () => {
    const block = (jwks: JsonObject) => ({
      ...wire,
      credential_request_encryption: {
        jwks,
        enc_values_supported: ['A256GCM'],
        encryption_required: false,
      },
    })
    const { publicJwk, privateJwk } = generateDecryptionKey()
    const { kid: _, ...nameless } = publicJwk
    const unknown = { kty: 'OKP', crv: 'X25519', x: 'a', kid: '1', alg: 'ECDH-ES' }
    const read = parseIssuerMetadata(block({ keys: [unknown, nameless, privateJwk] }), expected)
    expect(read.requestEncryption?.jwks).toEqual([])
    const usable = parseIssuerMetadata(block({ keys: [unknown, { ...publicJwk }] }), expected)
    expect(usable.requestEncryption?.jwks).toEqual([publicJwk])
    await expect(encryptCredentialRequest({}, { ...requestEncryption, jwks: [] })).rejects.toMatchObject({
      code: 'encryption',
    })
  })

  test('drops claim descriptions that are repeated or contradict, and says so [VCI-W-META-14]', () => {
    const claimsOf = (claims: JsonObject['claims']) =>
      parseIssuerMetadata(
        wireRole({ credential_metadata: { claims: claims ?? null } }),
        expected,
      ).credentialConfigurations.get('role_v1')
    const repeated = [
      [{ path: ['role'] }, { path: ['region'] }, { path: ['role'] }],
      [{ path: ['a', 'b'] }, { path: ['a', null] }],
      [{ path: [] }],
      [{ path: ['a', -1] }],
      [],
      'role',
    ]
    for (const claims of repeated) expect(claimsOf(claims)).toEqual({ vct: 'urn:x', claimsDropped: true })
    // In the order in which they are shown.
    const good = [{ path: ['role'], mandatory: true }, { path: ['degrees', null, 'type'] }, { path: ['a'] }]
    expect(claimsOf(good)).toEqual({ vct: 'urn:x', claims: good })
  })
})
