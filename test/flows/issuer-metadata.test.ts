import { isJsonObject, type JsonObject, member, selectByPath } from '@attache/core'
import { generateDecryptionKey, type PublicJwk, parseJws } from '@attache/keys'
import {
  type CredentialConfiguration,
  type IssuerMetadata,
  makeIssuerMetadata,
  verifySignedMetadata,
} from '@attache/openid4vci'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  bodyOf,
  createIssuerBench,
  createWallet,
  ISSUER,
  type IssuerBench,
  JSON_BODY,
  keyProof,
  newSigner,
  obtainToken,
  requestCredential,
  TEMPLATE,
} from './issuer-bench.js'

const METADATA = 'https://issuer.example/.well-known/openid-credential-issuer/acme'
const SERVER = 'https://issuer.example/.well-known/oauth-authorization-server/acme'

const ROLE: CredentialConfiguration = {
  vct: 'urn:example:role',
  scope: 'role',
  bindingMethods: ['jwk'],
  proofTypes: { jwt: { signingAlgorithms: ['ES256'] } },
}
const MINIMAL: IssuerMetadata = {
  credentialIssuer: ISSUER,
  credentialEndpoint: `${ISSUER}/credential`,
  nonceEndpoint: `${ISSUER}/nonce`,
  credentialConfigurations: new Map([['role', ROLE]]),
}

async function metadataOf(bench: IssuerBench): Promise<JsonObject> {
  return bodyOf(await bench.send(METADATA))
}

function withConfiguration(changes: Partial<CredentialConfiguration>): IssuerMetadata {
  return { ...MINIMAL, credentialConfigurations: new Map([['role', { ...ROLE, ...changes }]]) }
}

function refusedWith(metadata: IssuerMetadata): unknown {
  try {
    makeIssuerMetadata(metadata)
  } catch (error) {
    return error instanceof TypeError && 'code' in error ? error.code : error
  }
  return 'made'
}

describe('issuer metadata', () => {
  test('lies between host and path, with and without the trailing slash [VCI-I-META-02, VCI-I-META-06]', async () => {
    const plain = await createIssuerBench()
    expect((await plain.send(METADATA)).status).toBe(200)
    expect((await plain.send(`${ISSUER}/.well-known/openid-credential-issuer`)).status).toBe(404)
    const credentialIssuer = 'https://issuer.example:8443/Acme/'
    const slashed = await createIssuerBench({ credentialIssuer })
    for (const path of ['/Acme/', '/Acme']) {
      const url = `https://issuer.example:8443/.well-known/openid-credential-issuer${path}`
      expect((await bodyOf(await slashed.send(url)))['credential_issuer']).toBe(credentialIssuer)
    }
  })

  test.each([undefined, '*/*', 'application/json', 'text/html', 'application/jwt;q=0.5, application/json'])(
    'is always obtainable as JSON (Accept: %s) [VCI-I-META-03, VCI-I-META-04]',
    async (accept) => {
      for (const signedMetadata of [true, false]) {
        const bench = await createIssuerBench({ signedMetadata })
        const answer = await bench.send(METADATA, accept === undefined ? {} : { headers: { Accept: accept } })
        expect([answer.status, answer.headers.get('Content-Type')]).toEqual([200, 'application/json'])
        expect(answer.headers.get('Vary')).toBe('Accept, Accept-Language')
      }
    },
  )

  test('is signed for who prefers that, with the chain and without the anchor [VCI-I-META-23, VCI-I-META-24, IOP-I-04]', async () => {
    const bench = await createIssuerBench({ signedMetadata: true })
    const answer = await bench.send(METADATA, {
      headers: { Accept: 'application/jwt, application/json;q=0.9' },
    })
    expect(answer.headers.get('Content-Type')).toBe('application/jwt')
    const text = await answer.text()
    const { header, payload } = parseJws(text, { maxBytes: 100_000 })
    expect(header).toMatchObject({ typ: 'openidvci-issuer-metadata+jwt', alg: 'ES256' })
    expect(header['x5c']).toEqual(bench.signing.signer.x5c)
    expect(bench.signing.signer.x5c).toHaveLength(1)
    const { iss, sub, iat, exp, ...members } = payload
    expect([iss, sub, iat, exp]).toEqual([undefined, ISSUER, NOW, NOW + 86_400])
    expect(members).toEqual(await metadataOf(bench))

    const expected = {
      credentialIssuer: ISSUER,
      anchors: bench.signing.anchors,
      algorithms: ['ES256'],
    } as const
    expect(verifySignedMetadata(text, expected, NOW).credentialIssuer).toBe(ISSUER)
    const foreign = { ...expected, anchors: bench.provider.anchors }
    expect(() => verifySignedMetadata(text, foreign, NOW)).toThrow(
      expect.objectContaining({ code: 'metadata_signature' }),
    )
    const unsigned = await createIssuerBench()
    const plain = await unsigned.send(METADATA, { headers: { Accept: 'application/jwt' } })
    expect(plain.headers.get('Content-Type')).toBe('application/json')
  })

  test('names no authorization server but itself, and refuses an empty list [VCI-I-META-07]', async () => {
    const bench = await createIssuerBench()
    expect(await metadataOf(bench)).not.toHaveProperty('authorization_servers')
    expect((await bodyOf(await bench.send(SERVER)))['issuer']).toBe(ISSUER)
    expect(refusedWith({ ...MINIMAL, authorizationServers: [] })).toBe('metadata_list')
  })

  test('has the endpoints of the features that are on, all https [VCI-I-META-08, VCI-I-META-09, VCI-I-META-10]', async () => {
    const off = await metadataOf(await createIssuerBench())
    expect(off).not.toHaveProperty('deferred_credential_endpoint')
    expect(off).not.toHaveProperty('notification_endpoint')
    const bench = await createIssuerBench({
      notifications: true,
      template: `${TEMPLATE}\nissuance: deferred\n`,
    })
    const on = await metadataOf(bench)
    for (const name of ['credential', 'nonce', 'deferred_credential', 'notification']) {
      const url = String(on[`${name}_endpoint`])
      expect(url).toMatch(/^https:\/\/issuer\.example\/acme\//)
      const answer = await bench.send(url, { method: 'POST', headers: JSON_BODY })
      expect(answer.status).toBe(name === 'nonce' ? 200 : 401)
    }
    expect(refusedWith({ ...MINIMAL, credentialEndpoint: 'http://issuer.example/credential' })).toBe(
      'message_refused',
    )
  })

  test('every entry has format and vct, a scope, and binding with proof types [VCI-I-META-11, VCI-I-META-12, VCI-I-META-15]', async () => {
    const metadata = await metadataOf(await createIssuerBench())
    expect(selectByPath(metadata, ['credential_configurations_supported', 'agent-role'])?.[0]).toMatchObject({
      format: 'dc+sd-jwt',
      vct: `${ISSUER}/types/agent-role/v1`,
      scope: `${ISSUER}/types/agent-role/v1`,
      credential_signing_alg_values_supported: ['ES256'],
      cryptographic_binding_methods_supported: ['jwk'],
      proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
    })
    expect(refusedWith(MINIMAL)).toBe('made')
    expect(refusedWith(withConfiguration({ vct: '' }))).toBe('metadata_list')
    expect(refusedWith(withConfiguration({ bindingMethods: undefined }))).toBe('metadata_binding')
    expect(refusedWith(withConfiguration({ proofTypes: undefined }))).toBe('metadata_binding')
    expect(refusedWith(withConfiguration({ bindingMethods: undefined, proofTypes: undefined }))).toBe('made')
    await expect(createIssuerBench({ template: TEMPLATE.replace(/vct: .*/, '') })).rejects.toMatchObject({
      code: 'template_malformed',
    })
  })

  test('a scope is a URI, and the issued alg is in the list [VCI-I-META-14]', async () => {
    const bench = await createIssuerBench()
    const metadata = await metadataOf(bench)
    const entry = ['credential_configurations_supported', 'agent-role'] as const
    expect(URL.canParse(String(selectByPath(metadata, [...entry, 'scope'])?.[0]))).toBe(true)
    const wallet = await createWallet(bench)
    const { token } = await obtainToken(bench, wallet)
    const answer = await bodyOf(await requestCredential(bench, wallet, token))
    const credential = String(selectByPath(answer, ['credentials', 0, 'credential'])?.[0])
    const { alg } = parseJws(credential.split('~')[0] ?? '', { maxDepth: 32 }).header
    expect(selectByPath(metadata, [...entry, 'credential_signing_alg_values_supported'])).toEqual([[alg]])
  })

  test('proof types list algorithms, and a demand for attestations is announced exactly when enforced [VCI-I-META-16, VCI-I-PRF-14]', async () => {
    const demanding = `${TEMPLATE}\nkey_attestations: { key_storage: [iso_18045_moderate] }\n`
    await expect(createIssuerBench({ template: demanding })).rejects.toMatchObject({
      code: 'issuer_key_attestations',
    })
    const bench = await createIssuerBench()
    const announced = await createIssuerBench({ template: demanding, keyAttesters: bench.provider.anchors })
    const rules = [
      'credential_configurations_supported',
      'agent-role',
      'proof_types_supported',
      'jwt',
    ] as const
    expect(selectByPath(await metadataOf(announced), rules)).toEqual([
      {
        proof_signing_alg_values_supported: ['ES256'],
        key_attestations_required: { key_storage: ['iso_18045_moderate'] },
      },
    ])
    expect(selectByPath(await metadataOf(bench), rules)?.[0]).not.toHaveProperty('key_attestations_required')
    const wallet = await createWallet(announced)
    const { token } = await obtainToken(announced, wallet)
    const refused = await requestCredential(announced, wallet, token)
    expect([refused.status, (await bodyOf(refused))['error']]).toEqual([400, 'invalid_proof'])
    expect(refusedWith(withConfiguration({ proofTypes: { jwt: { signingAlgorithms: [] } } }))).toBe(
      'metadata_list',
    )
  })

  test('batch_size is at least 2 and there only with batches [VCI-I-META-17]', async () => {
    expect(refusedWith({ ...MINIMAL, batchSize: 1 })).toBe('metadata_batch')
    expect(await metadataOf(await createIssuerBench())).not.toHaveProperty('batch_credential_issuance')
    const batch = await createIssuerBench({ batchSize: 2 })
    expect((await metadataOf(batch))['batch_credential_issuance']).toEqual({ batch_size: 2 })

    const single = await createIssuerBench()
    const wallet = await createWallet(single)
    const { token } = await obtainToken(single, wallet)
    const proofs = { jwt: [await keyProof(single, newSigner()), await keyProof(single, newSigner())] }
    const refused = await requestCredential(single, wallet, token, { proofs })
    expect([refused.status, (await bodyOf(refused))['error']]).toEqual([400, 'invalid_credential_request'])
  })

  test('encryption is announced with public keys, alg and kid; responses only with requests [VCI-I-META-18, VCI-I-META-19]', async () => {
    const keys = [generateDecryptionKey(), generateDecryptionKey()]
    const encryption = {
      keys,
      encValues: ['A128GCM', 'A256GCM'],
      requestRequired: false,
      response: 'offered',
    } as const
    const metadata = await metadataOf(await createIssuerBench({ encryption }))
    const request = metadata['credential_request_encryption']
    if (!isJsonObject(request)) throw new Error('Request encryption is announced.')
    const jwks = selectByPath(request, ['jwks', 'keys', null]) ?? []
    expect(jwks).toHaveLength(2)
    for (const jwk of jwks) expect(jwk).toMatchObject({ kty: 'EC', alg: 'ECDH-ES', kid: expect.any(String) })
    expect(jwks.every((jwk) => isJsonObject(jwk) && member(jwk, 'd') === undefined)).toBe(true)
    expect(request).toMatchObject({
      enc_values_supported: ['A128GCM', 'A256GCM'],
      encryption_required: false,
    })
    expect(request).not.toHaveProperty('zip_values_supported')
    expect(metadata['credential_response_encryption']).toEqual({
      alg_values_supported: ['ECDH-ES'],
      enc_values_supported: ['A128GCM', 'A256GCM'],
      encryption_required: false,
    })
    const response = { algValues: ['ECDH-ES'], encValues: ['A128GCM'], required: false }
    expect(refusedWith({ ...MINIMAL, responseEncryption: response })).toBe('metadata_encryption')
    const jwk: PublicJwk = generateDecryptionKey({ kid: 'same' }).publicJwk
    const twice = { jwks: [jwk, jwk], encValues: ['A128GCM'], required: false }
    expect(refusedWith({ ...MINIMAL, requestEncryption: twice })).toBe('metadata_encryption')
    const none = { jwks: [jwk], encValues: [], required: false }
    expect(refusedWith({ ...MINIMAL, requestEncryption: none })).toBe('metadata_list')
  })

  test.each([
    [
      'a locale twice',
      {
        display: [
          { name: 'a', locale: 'en' },
          { name: 'b', locale: 'en' },
        ],
      },
      'metadata_display',
    ],
    ['no name', { display: [{ locale: 'en' }] }, 'metadata_display'],
    ['a locale in another case', { display: [{ name: 'a', locale: 'EN-us' }] }, 'metadata_display'],
    ['a colour that is none', { display: [{ name: 'a', backgroundColor: 'url(x)' }] }, 'metadata_display'],
    ['no display at all', { display: [] }, 'metadata_display'],
    ['a good one', { display: [{ name: 'a', locale: 'en-US', textColor: '#fff' }] }, 'made'],
  ])('display with %s [VCI-I-META-20]', (_, changes, outcome) => {
    expect(refusedWith(withConfiguration(changes))).toBe(outcome)
  })

  test('claims are valid paths, none twice; mandatory ones are always issued [VCI-I-META-21, VCI-I-CRED-12]', async () => {
    expect(refusedWith(withConfiguration({ claims: [{ path: ['role'] }, { path: ['role'] }] }))).toBe(
      'metadata_claims',
    )
    expect(refusedWith(withConfiguration({ claims: [{ path: ['a', 0] }, { path: ['a', 'b'] }] }))).toBe(
      'metadata_claims',
    )
    await expect(
      createIssuerBench({ template: TEMPLATE.replace('name: region', 'name: role') }),
    ).rejects.toMatchObject({ code: 'template_malformed' })
    const metadata = await metadataOf(await createIssuerBench())
    const claims = [
      'credential_configurations_supported',
      'agent-role',
      'credential_metadata',
      'claims',
    ] as const
    expect(selectByPath(metadata, [...claims, null, 'path', 0])?.slice(0, 3)).toEqual([
      'agent',
      'owner',
      'role',
    ])

    const lacking = await createIssuerBench({
      template: TEMPLATE.replace('from: owner.role, mandatory', 'from: owner.rank, mandatory'),
    })
    const wallet = await createWallet(lacking)
    const { token } = await obtainToken(lacking, wallet)
    const denied = await requestCredential(lacking, wallet, token)
    expect([denied.status, (await bodyOf(denied))['error']]).toEqual([400, 'credential_request_denied'])
  })
})

describe('authorization server metadata', () => {
  test('lies at the place of RFC 8414 and says who it is [VCI-I-AS-01]', async () => {
    const bench = await createIssuerBench({ credentialIssuer: `${ISSUER}/` })
    expect((await bodyOf(await bench.send(SERVER)))['issuer']).toBe(`${ISSUER}/`)
    expect((await bench.send(`${SERVER}/`)).status).toBe(404)
  })

  test('lists exactly what is on [VCI-I-AS-02, VCI-I-AS-06, VCI-I-AS-07]', async () => {
    const grants = ['authorization_code', 'pre-authorized_code'] as const
    const attesters = (await createIssuerBench()).provider
    const bench = await createIssuerBench({
      grants,
      refreshTokenSeconds: 86_400,
      clientAuthentication: {
        method: 'attestation',
        attesters: [{ name: 'p', anchors: attesters.anchors, clients: 'any' }],
        challenges: true,
      },
    })
    const metadata = await bodyOf(await bench.send(SERVER))
    expect(metadata).toMatchObject({
      token_endpoint: `${ISSUER}/token`,
      authorization_endpoint: `${ISSUER}/authorize`,
      pushed_authorization_request_endpoint: `${ISSUER}/par`,
      challenge_endpoint: `${ISSUER}/challenge`,
      require_pushed_authorization_requests: true,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      dpop_signing_alg_values_supported: ['ES256'],
      authorization_details_types_supported: ['openid_credential'],
      client_attestation_signing_alg_values_supported: ['ES256'],
      client_attestation_pop_signing_alg_values_supported: ['ES256'],
    })
    expect(metadata['grant_types_supported']).toEqual([
      'authorization_code',
      'urn:ietf:params:oauth:grant-type:pre-authorized_code',
      'refresh_token',
    ])
    const least = await bodyOf(await (await createIssuerBench()).send(SERVER))
    expect(least['grant_types_supported']).toEqual(['urn:ietf:params:oauth:grant-type:pre-authorized_code'])
    for (const name of [
      'challenge_endpoint',
      'authorization_endpoint',
      'pushed_authorization_request_endpoint',
    ]) {
      expect(least).not.toHaveProperty(name)
    }
  })

  test('tells the truth about anonymous access, and how clients authenticate [VCI-I-AS-04, VCI-I-AS-05, VCI-I-SEC-06]', async () => {
    const haip = await bodyOf(await (await createIssuerBench()).send(SERVER))
    expect(haip['pre-authorized_grant_anonymous_access_supported']).toBe(false)
    expect(haip['token_endpoint_auth_methods_supported']).toEqual(['attest_jwt_client_auth'])
    const clientAuthentication = { method: 'none', anonymousAccess: true } as const
    await expect(createIssuerBench({ clientAuthentication })).rejects.toMatchObject({ code: 'issuer_haip' })
    const base = await createIssuerBench({ mode: 'base', clientAuthentication })
    const open = await bodyOf(await base.send(SERVER))
    expect(open['pre-authorized_grant_anonymous_access_supported']).toBe(true)
    expect(base.logged.map((line) => line.event)).toContain('issuer.clients_unknown')
  })
})
