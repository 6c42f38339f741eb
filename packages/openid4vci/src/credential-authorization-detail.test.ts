import { describe, expect, test } from 'vitest'
import {
  makeCredentialAuthorizationDetail,
  parseCredentialAuthorizationDetail,
} from './credential-authorization-detail.js'

const detail = { type: 'openid_credential', credential_configuration_id: 'role_v1' }
const refused = expect.objectContaining({ name: 'ProtocolError', code: 'invalid_authorization_details' })
const notMade = expect.objectContaining({ name: 'TypeError', code: 'message_refused' })

describe('authorization details of type openid_credential', () => {
  test('say configuration, locations and claims', () => {
    const made = makeCredentialAuthorizationDetail({
      credentialConfigurationId: 'role_v1',
      locations: ['https://issuer.example/acme'],
      claims: [{ path: ['role'], mandatory: true }],
    })
    expect(made).toEqual({
      ...detail,
      locations: ['https://issuer.example/acme'],
      claims: [{ path: ['role'], mandatory: true }],
    })
    expect(parseCredentialAuthorizationDetail({ ...made, format: 'x', vct: 7, foo: [] })).toEqual(
      parseCredentialAuthorizationDetail(made),
    )
  })

  test.each([
    ['another type', { ...detail, type: 'payment_initiation' }],
    ['no type', { credential_configuration_id: 'role_v1' }],
    ['no configuration', { type: 'openid_credential' }],
    ['a configuration that is no text', { ...detail, credential_configuration_id: 7 }],
    ['locations that are none', { ...detail, locations: [] }],
    ['a location that is no text', { ...detail, locations: [7] }],
    ['no identifier', { ...detail, credential_identifiers: [] }],
    ['an identifier twice', { ...detail, credential_identifiers: ['a', 'b', 'a'] }],
    ['no object', 'openid_credential'],
  ])('are refused with %s', (_, value) => {
    expect(() => parseCredentialAuthorizationDetail(value)).toThrow(refused)
  })

  test('give every dataset an identifier of its own', () => {
    const credentialIdentifiers = ['a', 'b']
    const made = makeCredentialAuthorizationDetail({ credentialConfigurationId: 'x', credentialIdentifiers })
    expect(parseCredentialAuthorizationDetail(made).credentialIdentifiers).toEqual(credentialIdentifiers)
    expect(() =>
      makeCredentialAuthorizationDetail({
        credentialConfigurationId: 'x',
        credentialIdentifiers: ['a', 'a'],
      }),
    ).toThrow(notMade)
  })

  test.each([
    ['no claim', []],
    ['an empty path', [{ path: [] }]],
    ['a path that is a text', [{ path: 'role' }]],
    ['a negative index', [{ path: ['a', -1] }]],
    ['a path twice', [{ path: ['role'] }, { path: ['region'] }, { path: ['role'] }]],
    ['a list that is an object, too', [{ path: ['a', null] }, { path: ['a', 'b'] }]],
    ['a mandatory that is no boolean', [{ path: ['role'], mandatory: 'yes' }]],
    ['no list', { path: ['role'] }],
  ])('abort on claims with %s [VCI-I-AZ-12]', (_, claims) => {
    expect(() => parseCredentialAuthorizationDetail({ ...detail, claims })).toThrow(refused)
    const good = [{ path: ['a', null, 'b'] }, { path: ['a', 0, 'b'] }, { path: ['role'], mandatory: false }]
    expect(parseCredentialAuthorizationDetail({ ...detail, claims: good }).claims).toEqual(good)
  })
})
