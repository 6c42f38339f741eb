import { isJsonObject, type JsonObject, selectByPath } from '@attache/core'
import { describe, expect, test } from 'vitest'
import {
  base,
  bodyOf,
  createIssuerBench,
  createWallet,
  ISSUER,
  keyProof,
  newSigner,
  obtainNonce,
  offerCode,
  postWithToken,
  requestToken,
  textOf,
} from './issuer-bench.js'

/** Members that the standards define, by message: OpenID4VCI 1.0, RFC 8414 and what extends it, RFC 6749. */
const DEFINED: Readonly<Record<string, readonly string[]>> = {
  issuerMetadata: [
    'credential_issuer',
    'authorization_servers',
    'credential_endpoint',
    'nonce_endpoint',
    'deferred_credential_endpoint',
    'notification_endpoint',
    'credential_request_encryption',
    'credential_response_encryption',
    'batch_credential_issuance',
    'display',
    'credential_configurations_supported',
  ],
  configuration: [
    'format',
    'scope',
    'credential_signing_alg_values_supported',
    'cryptographic_binding_methods_supported',
    'proof_types_supported',
    'credential_metadata',
    'vct',
  ],
  serverMetadata: [
    'issuer',
    'authorization_endpoint',
    'token_endpoint',
    'pushed_authorization_request_endpoint',
    'require_pushed_authorization_requests',
    'challenge_endpoint',
    'response_types_supported',
    'grant_types_supported',
    'scopes_supported',
    'code_challenge_methods_supported',
    'token_endpoint_auth_methods_supported',
    'client_attestation_signing_alg_values_supported',
    'client_attestation_pop_signing_alg_values_supported',
    'dpop_signing_alg_values_supported',
    'authorization_details_types_supported',
    'authorization_response_iss_parameter_supported',
    'pre-authorized_grant_anonymous_access_supported',
  ],
  nonce: ['c_nonce'],
  token: ['access_token', 'token_type', 'expires_in', 'refresh_token', 'scope', 'authorization_details'],
  credential: ['credentials', 'notification_id', 'transaction_id', 'interval'],
  error: ['error', 'error_description'],
}

function undefinedMembers(body: JsonObject, message: string): readonly string[] {
  return Object.keys(body).filter((name) => !(DEFINED[message] ?? []).includes(name))
}

const UNKNOWN = { 'urn:example:unknown': 'x', constructor: 'x' }

describe('members that nobody defined', () => {
  const options = {
    grants: ['pre-authorized_code', 'authorization_code'],
    notifications: true,
    batchSize: 5,
    refreshTokenSeconds: 86_400,
    display: [{ name: 'Acme' }],
  } as const

  test('are not in what the issuer sends [IOP-C-08]', async () => {
    const bench = await createIssuerBench(options)
    const get = async (path: string) => bodyOf(await bench.send(`https://issuer.example${path}`))
    const metadata = await get('/.well-known/openid-credential-issuer/acme')
    expect(undefinedMembers(metadata, 'issuerMetadata')).toEqual([])
    const [configuration] =
      selectByPath(metadata, ['credential_configurations_supported', 'agent-role']) ?? []
    expect(undefinedMembers(isJsonObject(configuration) ? configuration : {}, 'configuration')).toEqual([])
    const server = await get('/.well-known/oauth-authorization-server/acme')
    expect(server['issuer']).toBe(ISSUER)
    expect(undefinedMembers(server, 'serverMetadata')).toEqual([])
    const nonce = await bodyOf(await bench.send(`${base(bench)}/nonce`, { method: 'POST' }))
    expect(undefinedMembers(nonce, 'nonce')).toEqual([])
    const refused = await bodyOf(await bench.send(`${base(bench)}/token`, { method: 'POST' }))
    expect(refused['error']).toBeDefined()
    expect(undefinedMembers(refused, 'error')).toEqual([])
  })

  test('change nothing in what it reads, and bring none into its answers [IOP-C-08]', async () => {
    const bench = await createIssuerBench(options)
    const wallet = await createWallet(bench)
    const { code, txCode } = await offerCode(bench)
    const parameters = { 'pre-authorized_code': code, tx_code: txCode, ...UNKNOWN }
    const token = await bodyOf(await requestToken(bench, wallet, parameters))
    expect(undefinedMembers(token, 'token')).toEqual([])

    const nonce = await obtainNonce(bench)
    const body = {
      credential_configuration_id: 'agent-role',
      proofs: { jwt: [await keyProof(bench, newSigner(), { nonce })] },
      ...UNKNOWN,
    }
    const call = { token: textOf(token, 'access_token'), path: '/credential', body }
    const response = await postWithToken(bench, wallet, call)
    expect(response.status).toBe(200)
    const issued = await bodyOf(response)
    expect(undefinedMembers(issued, 'credential')).toEqual([])
    expect(selectByPath(issued, ['credentials', null])).toEqual([{ credential: expect.any(String) }])

    const event = {
      notification_id: textOf(issued, 'notification_id'),
      event: 'credential_accepted',
      ...UNKNOWN,
    }
    const noted = { token: call.token, path: '/notification', body: event }
    expect((await postWithToken(bench, wallet, noted)).status).toBe(204)
  })
})
