import { describe, expect, test } from 'vitest'
import { isCredentialIssuerIdentifier, issuerMetadataUrl } from './issuer-identifier.js'
import { makeIssuerMetadata } from './issuer-metadata.js'

const metadataOf = (credentialIssuer: string) =>
  makeIssuerMetadata({
    credentialIssuer,
    credentialEndpoint: 'https://issuer.example/credential',
    credentialConfigurations: new Map(),
  })

describe('the Credential Issuer Identifier', () => {
  test.each([
    'https://issuer.example',
    'https://issuer.example/',
    'https://Issuer.example:8443/Acme/',
    'https://[2001:db8::1]/acme',
  ])('is %s, kept byte for byte [VCI-I-META-01]', (identifier) => {
    expect(isCredentialIssuerIdentifier(identifier)).toBe(true)
    expect(metadataOf(identifier)['credential_issuer']).toBe(identifier)
  })

  test.each([
    'https://issuer.example?x',
    'https://issuer.example/acme?',
    'https://issuer.example#x',
    'https://issuer.example/#',
    'http://issuer.example',
    'https://user@issuer.example',
    'https://issuer.example/a b',
    'https://',
    'issuer.example',
    '',
  ])('is not %j [VCI-I-META-01]', (identifier) => {
    expect(isCredentialIssuerIdentifier(identifier)).toBe(false)
    expect(() => metadataOf(identifier)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'metadata_identifier' }),
    )
  })
})

describe('issuerMetadataUrl', () => {
  test.each([
    ['https://h', 'https://h/.well-known/openid-credential-issuer'],
    ['https://h/acme', 'https://h/.well-known/openid-credential-issuer/acme'],
    ['https://h/acme/', 'https://h/.well-known/openid-credential-issuer/acme/'],
    ['https://h:8443/a/b', 'https://h:8443/.well-known/openid-credential-issuer/a/b'],
    ['https://h/%7Eacme/./x', 'https://h/.well-known/openid-credential-issuer/%7Eacme/./x'],
  ])('inserts the suffix between host and path of %s [VCI-W-META-01]', (identifier, url) => {
    expect(issuerMetadataUrl(identifier)).toBe(url)
    expect(issuerMetadataUrl(identifier)).not.toBe(`${identifier}/.well-known/openid-credential-issuer/x`)
  })
})
