import { describe, expect, test } from 'vitest'
import { makeCredentialRequest, parseCredentialRequest } from './credential-request.js'
import {
  makeDeferredCredentialRequest,
  parseDeferredCredentialRequest,
} from './deferred-credential-request.js'

const byConfiguration = { by: 'configuration', credentialConfigurationId: 'role_v1' } as const
const byIdentifier = { by: 'identifier', credentialIdentifier: 'ds-7f3a91' } as const
const proofs = { type: 'jwt', values: ['a.b.c', 'd.e.f'] }
const refused = expect.objectContaining({ name: 'ProtocolError', code: 'invalid_credential_request' })
const notMade = expect.objectContaining({ name: 'TypeError', code: 'message_refused' })

describe('makeCredentialRequest', () => {
  test('names the credential by one id, and writes what the standard has', () => {
    expect(makeCredentialRequest({ wanted: byConfiguration })).toEqual({
      credential_configuration_id: 'role_v1',
    })
    const responseEncryption = { jwk: {}, enc: 'A256GCM' }
    expect(makeCredentialRequest({ wanted: byIdentifier, proofs, responseEncryption })).toEqual({
      credential_identifier: 'ds-7f3a91',
      proofs: { jwt: ['a.b.c', 'd.e.f'] },
      credential_response_encryption: { jwk: {}, enc: 'A256GCM' },
    })
  })

  test.each([
    { wanted: { by: 'configuration', credentialConfigurationId: '' } as const },
    { wanted: byIdentifier, proofs: { type: 'jwt', values: [] } },
    { wanted: byIdentifier, proofs: { type: 'jwt', values: [''] } },
    { wanted: byIdentifier, proofs: { type: 'ldp_vp', values: ['x'] } },
    { wanted: byIdentifier, proofs: { type: '__proto__', values: ['x'] } },
  ])('does not make what no issuer accepts', (request) => {
    expect(() => makeCredentialRequest(request)).toThrow(notMade)
  })
})

describe('parseCredentialRequest', () => {
  const body = { credential_configuration_id: 'role_v1', proofs: { jwt: ['a.b.c'] } }

  test('reads both ways to name a credential, and ignores further members', () => {
    expect(parseCredentialRequest(body)).toEqual({
      wanted: byConfiguration,
      proofs: { type: 'jwt', values: ['a.b.c'] },
    })
    const obsolete = { format: 'dc+sd-jwt', proof: { proof_type: 'jwt', jwt: 'a.b.c' }, foo: 1 }
    expect(parseCredentialRequest({ ...body, ...obsolete })).toEqual(parseCredentialRequest(body))
    expect(parseCredentialRequest({ credential_identifier: 'ds-7f3a91', ...obsolete })).toEqual({
      wanted: byIdentifier,
    })
  })

  test.each([
    ['both ids', { ...body, credential_identifier: 'ds-7f3a91' }],
    ['neither', { proofs: body.proofs }],
    ['an id that is empty', { credential_configuration_id: '' }],
    ['an id that is no text', { credential_configuration_id: 7 }],
    ['one id and one that is null', { ...body, credential_identifier: null }],
    ['two types of proof', { ...body, proofs: { jwt: ['a.b.c'], attestation: ['a.b.c'] } }],
    ['a proof that is no array', { ...body, proofs: { jwt: 'a.b.c' } }],
    ['proofs that are an array', { ...body, proofs: ['a.b.c'] }],
    ['a proof that is no text', { ...body, proofs: { jwt: [{ jwt: 'a.b.c' }] } }],
    ['an empty proof', { ...body, proofs: { jwt: ['a.b.c', ''] } }],
    ['null for proofs', { ...body, proofs: null }],
    ['no object', [body]],
    ['nothing', undefined],
  ])('refuses %s', (_, value) => {
    expect(() => parseCredentialRequest(value)).toThrow(refused)
  })

  test('no proof and a type nobody knows are left to the issuer', () => {
    for (const none of [{}, { jwt: [] }]) {
      expect(parseCredentialRequest({ ...body, proofs: none }).proofs).toBeUndefined()
    }
    expect(parseCredentialRequest({ ...body, proofs: { ldp_vp: [{}] } }).proofs).toEqual({
      type: 'ldp_vp',
      values: [],
    })
  })

  test('an attestation proof is an array of exactly one [VCI-I-PRF-10]', () => {
    const attested = (values: readonly string[]) => ({ ...body, proofs: { attestation: values } })
    expect(parseCredentialRequest(attested(['a.b.c'])).proofs).toEqual({
      type: 'attestation',
      values: ['a.b.c'],
    })
    expect(() => parseCredentialRequest(attested(['a.b.c', 'd.e.f']))).toThrow(refused)
  })

  test('encryption parameters are passed on as received, null included', () => {
    for (const given of [null, 7, { enc: 'x' }]) {
      expect(
        parseCredentialRequest({ ...body, credential_response_encryption: given }).responseEncryption,
      ).toEqual(given)
      expect(
        parseDeferredCredentialRequest({ transaction_id: 't', credential_response_encryption: given }),
      ).toEqual({ transactionId: 't', responseEncryption: given })
    }
  })
})

describe('Deferred Credential Requests', () => {
  test('name the transaction, and nothing else is looked at', () => {
    expect(makeDeferredCredentialRequest({ transactionId: '6oP3Q' })).toEqual({ transaction_id: '6oP3Q' })
    expect(parseDeferredCredentialRequest({ transaction_id: '6oP3Q', proofs: 7, foo: 1 })).toEqual({
      transactionId: '6oP3Q',
    })
    for (const body of [
      {},
      { transaction_id: '' },
      { transaction_id: 7 },
      { transaction_id: null },
      [],
      null,
    ]) {
      expect(() => parseDeferredCredentialRequest(body)).toThrow(refused)
    }
    expect(() => makeDeferredCredentialRequest({ transactionId: '' })).toThrow(notMade)
  })
})
