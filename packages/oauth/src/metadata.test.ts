import type { JsonObject } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, parsePublicJwk, signJws } from '@attache/keys'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AuthorizationServerMetadata,
  authorizationServerMetadataUrl,
  createAuthorizationServerMetadata,
  parseAuthorizationServerMetadata,
} from './authorization-server-metadata.js'
import { CLIENT_AUTHENTICATION_METHODS } from './client-authentication.js'
import { DPOP_ALGORITHMS } from './dpop.js'
import {
  chooseAuthorizationServer,
  createProtectedResourceMetadata,
  type ProtectedResourceMetadata,
  parseProtectedResourceMetadata,
  protectedResourceMetadataUrl,
} from './protected-resource-metadata.js'

const NOW = 1_790_000_000
const RUNS = { seed: 3, numRuns: 60 }
const words = fc.option(
  fc.array(fc.stringMatching(/^[A-Za-z0-9_:-]{1,12}$/), { minLength: 1, maxLength: 3 }),
  { nil: undefined },
)
const flag = fc.option(fc.boolean(), { nil: undefined })
const url = fc.option(fc.constantFrom('https://as.example.com/a', 'https://as.example.com:8443/b?c=d'), {
  nil: undefined,
})
const mismatch = expect.objectContaining({ code: 'metadata_identifier_mismatch' })
const malformed = expect.objectContaining({ code: 'answer_malformed' })
const WRONG = [
  null,
  1,
  true,
  '',
  [],
  [1],
  {},
  'not a url',
  'http://as.example.com/a',
  'https://user@as.example.com/',
]

describe('authorization server metadata', () => {
  const server: fc.Arbitrary<AuthorizationServerMetadata> = fc.record({
    issuer: fc.constant('https://as.example.com/tenant'),
    authorizationEndpoint: url,
    tokenEndpoint: url,
    pushedAuthorizationRequestEndpoint: url,
    requirePushedAuthorizationRequests: flag,
    authorizationChallengeEndpoint: url,
    requireInteractiveAuthorization: flag,
    challengeEndpoint: url,
    jwksUri: url,
    introspectionEndpoint: url,
    scopesSupported: words,
    responseTypesSupported: fc.constant(['code']),
    grantTypesSupported: words,
    codeChallengeMethodsSupported: words,
    tokenEndpointAuthMethodsSupported: words,
    dpopSigningAlgValuesSupported: words,
    clientAttestationSigningAlgValuesSupported: words,
    clientAttestationPopSigningAlgValuesSupported: words,
    clientAttestationPopMethodsSupported: words,
    authorizationDetailsTypesSupported: words,
    authorizationResponseIssParameterSupported: flag,
    preAuthorizedGrantAnonymousAccessSupported: flag,
    tlsClientCertificateBoundAccessTokens: flag,
    mtlsEndpointAliases: fc.option(fc.constant({ token_endpoint: 'https://m.example/token' }), {
      nil: undefined,
    }),
    protectedResources: words,
  })

  test('travels unchanged; unknown members are ignored', () => {
    fc.assert(
      fc.property(server, (metadata) => {
        const body = { ...createAuthorizationServerMetadata(metadata), unknown_member: { a: 1 } }
        expect(parseAuthorizationServerMetadata(body, { issuer: metadata.issuer })).toEqual(metadata)
      }),
      RUNS,
    )
  })

  test('every member of a wrong kind is refused, alone of all members', () => {
    const body = createAuthorizationServerMetadata({ issuer: 'https://as.example.com' })
    const read = (change: object) =>
      parseAuthorizationServerMetadata({ ...body, ...change }, { issuer: 'https://as.example.com' })
    for (const name of [
      'token_endpoint',
      'jwks_uri',
      'challenge_endpoint',
      'authorization_challenge_endpoint',
    ]) {
      for (const value of WRONG.slice(0, 9)) expect(() => read({ [name]: value }), name).toThrow(malformed)
    }
    for (const name of ['grant_types_supported', 'dpop_signing_alg_values_supported', 'scopes_supported']) {
      for (const value of [null, 1, 'ES256', [1], {}])
        expect(() => read({ [name]: value }), name).toThrow(malformed)
    }
    for (const value of [null, 1, 'true', []]) {
      expect(() => read({ require_pushed_authorization_requests: value })).toThrow(malformed)
    }
    for (const value of [
      undefined,
      null,
      'http://as.example.com',
      'https://as.example.com?a=b',
      'https://as.example.com#a',
      7,
    ]) {
      expect(() => read({ issuer: value })).toThrow(malformed)
    }
    for (const document of [null, [], 'text', 7]) {
      expect(() => parseAuthorizationServerMetadata(document, { issuer: 'x' })).toThrow(malformed)
    }
  })

  test('of another issuer is refused, a final slash included [PRM-06]', () => {
    const body = createAuthorizationServerMetadata({ issuer: 'https://as.example.com' })
    for (const issuer of ['https://as.example.com/', 'https://AS.example.com', 'https://evil.example']) {
      expect(() => parseAuthorizationServerMetadata(body, { issuer })).toThrow(mismatch)
    }
  })

  test('lies between host and path, one final slash taken away', () => {
    for (const [issuer, location] of [
      ['https://example.com', 'https://example.com/.well-known/oauth-authorization-server'],
      ['https://example.com/', 'https://example.com/.well-known/oauth-authorization-server'],
      ['https://example.com/issuer1', 'https://example.com/.well-known/oauth-authorization-server/issuer1'],
      ['https://example.com/issuer1/', 'https://example.com/.well-known/oauth-authorization-server/issuer1'],
      ['https://example.com:8443/a/b', 'https://example.com:8443/.well-known/oauth-authorization-server/a/b'],
    ] as const) {
      expect(authorizationServerMetadataUrl(issuer)).toBe(location)
    }
  })

  test('announces attestation and the algorithms the verifier is configured with [ABCA-M-01] [DPOP-A-05]', () => {
    const algorithms = ['ES256']
    const body = createAuthorizationServerMetadata({
      issuer: 'https://as.example.com',
      tokenEndpointAuthMethodsSupported: [
        CLIENT_AUTHENTICATION_METHODS.attestation,
        CLIENT_AUTHENTICATION_METHODS.attestationWithDpop,
      ],
      clientAttestationSigningAlgValuesSupported: algorithms,
      clientAttestationPopSigningAlgValuesSupported: algorithms,
      dpopSigningAlgValuesSupported: DPOP_ALGORITHMS,
      scopesSupported: [],
    })
    expect(body).toEqual({
      issuer: 'https://as.example.com',
      response_types_supported: ['code'],
      token_endpoint_auth_methods_supported: ['attest_jwt_client_auth', 'attest_jwt_client_auth_dpop'],
      client_attestation_signing_alg_values_supported: ['ES256'],
      client_attestation_pop_signing_alg_values_supported: ['ES256'],
      dpop_signing_alg_values_supported: [...DPOP_ALGORITHMS],
    })
  })
})

describe('protected resource metadata', () => {
  const resource: fc.Arbitrary<ProtectedResourceMetadata> = fc.record({
    resource: fc.constantFrom('https://api.example.com', 'https://api.example.com/orders?tenant=a'),
    authorizationServers: words,
    jwksUri: url,
    scopesSupported: words,
    bearerMethodsSupported: words,
    resourceSigningAlgValuesSupported: words,
    dpopSigningAlgValuesSupported: words,
    dpopBoundAccessTokensRequired: flag,
    tlsClientCertificateBoundAccessTokens: flag,
    authorizationDetailsTypesSupported: words,
    challengeEndpoint: url,
    resourceName: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
    resourceDocumentation: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
    signedMetadata: fc.option(fc.constant('a.b.c'), { nil: undefined }),
  })

  test('travels unchanged; unknown members are ignored and empty lists left out [PRM-04]', () => {
    fc.assert(
      fc.property(resource, (metadata) => {
        const body = { ...createProtectedResourceMetadata(metadata), unknown_member: 1 }
        expect(parseProtectedResourceMetadata(body, { resource: metadata.resource })).toEqual(metadata)
      }),
      RUNS,
    )
    const empty = { resource: 'https://api.example.com', scopesSupported: [], authorizationServers: [] }
    expect(createProtectedResourceMetadata(empty)).toEqual({ resource: 'https://api.example.com' })
  })

  test('every member of a wrong kind is refused, alone of all members [PRM-04]', () => {
    const body = { resource: 'https://api.example.com' }
    const read = (change: object) => parseProtectedResourceMetadata({ ...body, ...change }, body)
    expect(read({}).resource).toBe(body.resource)
    for (const value of [undefined, ...WRONG, 'https://api.example.com#a']) {
      expect(() => read({ resource: value })).toThrow(malformed)
    }
    for (const name of ['authorization_servers', 'scopes_supported', 'dpop_signing_alg_values_supported']) {
      for (const value of [null, 1, 'x', [1], {}])
        expect(() => read({ [name]: value }), name).toThrow(malformed)
    }
    for (const value of [null, 1, 'true'])
      expect(() => read({ dpop_bound_access_tokens_required: value })).toThrow(malformed)
    for (const value of WRONG) expect(() => read({ jwks_uri: value })).toThrow(malformed)
    for (const document of [null, [], 'text']) {
      expect(() => parseProtectedResourceMetadata(document, body)).toThrow(malformed)
    }
  })

  test('lies after the host, before path and query; one slash after the host is taken away [PRM-01]', () => {
    const base = 'https://api.example.com/.well-known/oauth-protected-resource'
    for (const [identifier, location] of [
      ['https://api.example.com', base],
      ['https://api.example.com/', base],
      ['https://api.example.com/orders', `${base}/orders`],
      ['https://api.example.com/orders/', `${base}/orders/`],
      ['https://api.example.com/orders?tenant=a', `${base}/orders?tenant=a`],
      ['https://api.example.com/?tenant=a', `${base}?tenant=a`],
    ] as const) {
      expect(protectedResourceMetadataUrl(identifier)).toBe(location)
    }
    for (const identifier of [
      'http://api.example.com',
      'https://api.example.com/#a',
      'api.example.com',
      'https://u@api.example.com',
    ]) {
      expect(() => protectedResourceMetadataUrl(identifier)).toThrow(
        expect.objectContaining({ code: 'resource_identifier_invalid' }),
      )
    }
  })

  test('of another resource is discarded, whoever pointed to it [PRM-02] [PRM-03]', () => {
    const body = { resource: 'https://api.example.com/orders' }
    expect(parseProtectedResourceMetadata(body, body).resource).toBe(body.resource)
    for (const requested of [
      'https://api.example.com',
      'https://api.example.com/orders/',
      'https://evil.example/orders',
    ]) {
      expect(() => parseProtectedResourceMetadata(body, { resource: requested })).toThrow(mismatch)
    }
  })

  test('a signed value goes before a plain one, and a bad signature spoils both [PRM-05]', async () => {
    const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
    const thief = createSoftwareSigner(generatePrivateJwk('ES256'))
    const plain = { resource: 'https://api.example.com', scopes_supported: ['plain'], resource_name: 'Plain' }
    const sign = (payload: JsonObject, by = signer, header: JsonObject = { typ: 'JWT' }) =>
      signJws({ header, payload: { iss: 'https://trust.example', ...payload } }, by)
    const signedBy = {
      issuer: 'https://trust.example',
      keys: [parsePublicJwk(signer.publicJwk)],
      algorithms: ['ES256'] as const,
      now: NOW,
    }
    const read = (signed_metadata: string, maxAgeSeconds?: number) =>
      parseProtectedResourceMetadata(
        { ...plain, signed_metadata },
        { resource: plain.resource, signedBy: { ...signedBy, maxAgeSeconds } },
      )
    const good = await sign({ scopes_supported: ['signed'] })
    expect(read(good)).toMatchObject({ scopesSupported: ['signed'], resourceName: 'Plain' })
    // Without a key that is trusted for it, it is as if it were not there.
    expect(
      parseProtectedResourceMetadata({ ...plain, signed_metadata: good }, { resource: plain.resource })
        .scopesSupported,
    ).toEqual(['plain'])
    for (const bad of [
      await sign({ scopes_supported: ['x'] }, thief),
      await sign({ iss: 'https://evil.example' }),
      await sign({ signed_metadata: good }),
      // Another kind of token of the same signer, and one of another time.
      await sign({ scopes_supported: ['x'] }, signer, { typ: 'at+jwt' }),
      await sign({ scopes_supported: ['x'] }, signer, { typ: 'statuslist+jwt' }),
      await sign({ exp: NOW - 61 }),
      await sign({ nbf: NOW + 61 }),
      await sign({ iat: 'today' }),
      'not a jwt',
    ]) {
      expect(() => read(bad)).toThrow(expect.objectContaining({ code: 'metadata_signature' }))
    }
    expect(
      read(await sign({ scopes_supported: ['signed'], exp: NOW + 60 }, signer, {})).scopesSupported,
    ).toEqual(['signed'])
    expect(read(await sign({ iat: NOW - 60 }), 60).resourceName).toBe('Plain')
    for (const old of [await sign({ iat: NOW - 61 }), good]) {
      expect(() => read(old, 60)).toThrow(expect.objectContaining({ code: 'metadata_signature' }))
    }
    const foreign = await sign({ resource: 'https://evil.example' })
    expect(() => read(foreign)).toThrow(mismatch)
  })

  test('the client goes to a server it trusts, in its own order, or nowhere [PRM-06]', () => {
    const metadata = {
      resource: 'https://api.example.com',
      authorizationServers: ['https://a.example', 'https://b.example'],
    }
    expect(chooseAuthorizationServer(metadata, ['https://b.example', 'https://a.example'])).toBe(
      'https://b.example',
    )
    for (const trusted of [[], ['https://c.example'], ['https://a.example/']]) {
      expect(() => chooseAuthorizationServer(metadata, trusted)).toThrow(
        expect.objectContaining({ code: 'authorization_server_not_trusted' }),
      )
    }
    expect(() =>
      chooseAuthorizationServer({ resource: 'https://api.example.com' }, ['https://a.example']),
    ).toThrow()
  })
})

describe('which calls are signed', () => {
  const resource = 'https://api.example.com'
  const rule = { scope: 'payroll:export', requests: true, components: ['idempotency-key'], responses: true }
  const bare = { scope: 'payroll:read', requests: false, components: undefined, responses: false }
  const read = (member: unknown) =>
    parseProtectedResourceMetadata({ resource, attache_message_signatures: member }, { resource })

  test('is written and read, and left out where nothing is', () => {
    const document = createProtectedResourceMetadata({ resource, messageSignatures: [rule, bare] })
    expect(parseProtectedResourceMetadata(document, { resource }).messageSignatures).toEqual([rule, bare])
    for (const messageSignatures of [undefined, []]) {
      expect(createProtectedResourceMetadata({ resource, messageSignatures })).toEqual({ resource })
    }
  })

  test('is not guessed where it cannot be read', () => {
    expect(read([{ scope: 'a', requests: true, responses: false, new_member: 1 }]).messageSignatures).toEqual(
      [{ scope: 'a', requests: true, components: undefined, responses: false }],
    )
    const wrong = [
      true,
      {},
      [1],
      [{ scope: 'a', responses: true }],
      [{ scope: 'a', requests: 'yes', responses: true }],
      [{ scope: '', requests: true, responses: true }],
      [{ scope: 'a', requests: true, responses: true, components: ['Upper-Case'] }],
    ]
    for (const member of wrong) expect(() => read(member)).toThrow(malformed)
  })
})
