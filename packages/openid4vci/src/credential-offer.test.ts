import type { JsonObject } from '@attache/core'
import { describe, expect, test } from 'vitest'
import {
  type CredentialOffer,
  makeCredentialOffer,
  PRE_AUTHORIZED_CODE_GRANT,
  parseCredentialOffer,
} from './credential-offer.js'
import { makeIssuerMetadata } from './issuer-metadata.js'

const ISSUER = 'https://Issuer.example:8443/acme/'
const preAuthorized = { preAuthorizedCode: 'mIEgL6GZL60SmB5Vpguqqql4' }
const offer: CredentialOffer = {
  credentialIssuer: ISSUER,
  credentialConfigurationIds: ['role_v1'],
  grants: { preAuthorizedCode: preAuthorized },
}
const wire: JsonObject = {
  credential_issuer: ISSUER,
  credential_configuration_ids: ['role_v1'],
  grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': preAuthorized.preAuthorizedCode } },
}
const withGrant = (name: string, grant: unknown) => ({ ...wire, grants: { [name]: grant } })
const withCode = (txCode: unknown) =>
  withGrant(PRE_AUTHORIZED_CODE_GRANT, { 'pre-authorized_code': 'x', tx_code: txCode })

describe('makeCredentialOffer', () => {
  test('writes exactly the members that the standard has', () => {
    expect(makeCredentialOffer(offer)).toEqual(wire)
    const grants = {
      authorizationCode: { issuerState: 'IuqGiVebDEz', authorizationServer: 'https://as.example' },
      preAuthorizedCode: {
        ...preAuthorized,
        txCode: { inputMode: 'numeric', length: 6, description: 'Sent to your phone' },
        authorizationServer: 'https://as.example',
      },
    } as const
    expect(makeCredentialOffer({ ...offer, grants })).toEqual({
      ...wire,
      grants: {
        authorization_code: { issuer_state: 'IuqGiVebDEz', authorization_server: 'https://as.example' },
        [PRE_AUTHORIZED_CODE_GRANT]: {
          'pre-authorized_code': preAuthorized.preAuthorizedCode,
          tx_code: { input_mode: 'numeric', length: 6, description: 'Sent to your phone' },
          authorization_server: 'https://as.example',
        },
      },
    })
  })

  test('names the issuer as its metadata do, byte for byte [VCI-I-OFFER-03]', () => {
    const metadata = makeIssuerMetadata({
      credentialIssuer: ISSUER,
      credentialEndpoint: `${ISSUER}credential`,
      credentialConfigurations: new Map(),
    })
    expect(makeCredentialOffer(offer)['credential_issuer']).toBe(metadata['credential_issuer'])
    expect(makeCredentialOffer(offer)['credential_issuer']).toBe(ISSUER)
  })

  test('offers the code flow without a scope of its own: the wallet finds it in the metadata [VCI-I-OFFER-18]', () => {
    const made = makeCredentialOffer({ ...offer, grants: { authorizationCode: { issuerState: 's' } } })
    expect(made['grants']).toEqual({ authorization_code: { issuer_state: 's' } })
    const metadata = makeIssuerMetadata({
      credentialIssuer: ISSUER,
      credentialEndpoint: `${ISSUER}credential`,
      credentialConfigurations: new Map([['role_v1', { vct: 'urn:example:role', scope: 'urn:example:s' }]]),
    })
    expect(metadata['credential_configurations_supported']).toMatchObject({
      role_v1: { scope: 'urn:example:s' },
    })
    // The grants have no member to put a scope into: one that is there is not read.
    const scoped = withGrant('authorization_code', { scope: 'urn:example:s' })
    expect(parseCredentialOffer(scoped).grants).toEqual({ authorizationCode: {} })
  })

  const broken: readonly (readonly [string, Partial<CredentialOffer>])[] = [
    ['no configuration', { credentialConfigurationIds: [] }],
    ['a configuration twice', { credentialConfigurationIds: ['a', 'a'] }],
    ['an issuer with a query', { credentialIssuer: 'https://issuer.example?a' }],
    ['an empty code', { grants: { preAuthorizedCode: { preAuthorizedCode: '' } } }],
    [
      'a description of 301 characters',
      {
        grants: {
          preAuthorizedCode: {
            ...preAuthorized,
            txCode: { inputMode: 'text', description: 'x'.repeat(301) },
          },
        },
      },
    ],
  ]
  test.each(broken)('does not make %s', (_, change) => {
    expect(() => makeCredentialOffer({ ...offer, ...change })).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'message_refused' }),
    )
  })
})

describe('parseCredentialOffer', () => {
  test('reads an offer with each grant, and with none', () => {
    expect(parseCredentialOffer(wire)).toEqual(offer)
    expect(parseCredentialOffer({ ...wire, grants: {} })).toEqual({ ...offer, grants: {} })
    expect(
      parseCredentialOffer({ credential_issuer: ISSUER, credential_configuration_ids: ['role_v1'] }),
    ).toEqual({ credentialIssuer: ISSUER, credentialConfigurationIds: ['role_v1'] })
  })

  test('an empty tx_code demands a code, numeric unless said otherwise', () => {
    expect(parseCredentialOffer(withCode({})).grants?.preAuthorizedCode?.txCode).toEqual({
      inputMode: 'numeric',
    })
    expect(parseCredentialOffer(withCode({ input_mode: 'text', description: '' }))).toMatchObject({
      grants: { preAuthorizedCode: { txCode: { inputMode: 'text', description: '' } } },
    })
  })

  test('ignores further members at every level [VCI-W-OFFER-05]', () => {
    const more = { foo: 1, ['__proto__']: { a: 1 }, constructor: 'x' }
    const grant = { 'pre-authorized_code': 'x', tx_code: { length: 4, ...more }, ...more }
    const grants = { [PRE_AUTHORIZED_CODE_GRANT]: grant, 'urn:example:grant': { a: 1 }, ...more }
    const plain = withCode({ length: 4 })
    expect(parseCredentialOffer({ ...wire, ...more, grants })).toEqual(parseCredentialOffer(plain))
  })

  const violations: readonly (readonly [string, unknown])[] = [
    ['no object', [wire]],
    ['no credential_issuer', { ...wire, credential_issuer: undefined }],
    ['an issuer over http', { ...wire, credential_issuer: 'http://issuer.example' }],
    ['an issuer with a query', { ...wire, credential_issuer: 'https://issuer.example/?' }],
    ['an issuer with a fragment', { ...wire, credential_issuer: 'https://issuer.example#' }],
    ['an issuer with credentials', { ...wire, credential_issuer: 'https://a:b@issuer.example' }],
    ['no ids', { credential_issuer: ISSUER }],
    ['an empty list of ids', { ...wire, credential_configuration_ids: [] }],
    ['an id twice', { ...wire, credential_configuration_ids: ['a', 'b', 'a'] }],
    ['an id that is no text', { ...wire, credential_configuration_ids: ['a', 1] }],
    ['ids that are no list', { ...wire, credential_configuration_ids: 'a' }],
    ['grants that are no object', { ...wire, grants: ['authorization_code'] }],
    ['a grant that is no object', withGrant('authorization_code', true)],
    ['a pre-authorized grant without code', withGrant(PRE_AUTHORIZED_CODE_GRANT, {})],
    [
      'a pre-authorized code that is a number',
      withGrant(PRE_AUTHORIZED_CODE_GRANT, { 'pre-authorized_code': 1 }),
    ],
    ['a tx_code that is no object', withCode(true)],
    ['an unknown input_mode', withCode({ input_mode: 'emoji' })],
    ['a length that is no integer', withCode({ length: 4.5 })],
    ['a description of 301 characters', withCode({ description: 'é'.repeat(301) })],
  ]
  test.each(violations)('refuses %s [VCI-W-OFFER-04]', (_, value) => {
    expect(() => parseCredentialOffer(JSON.parse(JSON.stringify(value)))).toThrow(
      expect.objectContaining({ name: 'ProtocolError', code: 'invalid_offer' }),
    )
    expect(parseCredentialOffer(withCode({ description: 'é'.repeat(300) }))).toMatchObject({
      credentialIssuer: ISSUER,
    })
  })
})
