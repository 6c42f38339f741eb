import { describe, expect, test } from 'vitest'
import { makeCredentialOffer } from './credential-offer.js'
import {
  type CarriedOffer,
  DEFAULT_CREDENTIAL_OFFER_ENDPOINT,
  makeCredentialOfferUri,
  parseCredentialOfferUri,
} from './credential-offer-uri.js'

const offer = {
  credentialIssuer: 'https://issuer.example/acme',
  credentialConfigurationIds: ['role_v1'],
  grants: { preAuthorizedCode: { preAuthorizedCode: 'a+b/c =&?#"\\é' } },
}
const byValue: CarriedOffer = { by: 'value', offer }
const byReference: CarriedOffer = {
  by: 'reference',
  credentialOfferUri:
    'https://issuer.example/acme/offers/GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM?a=1&b=2',
}
const offerText = encodeURIComponent(JSON.stringify(makeCredentialOffer(offer)))

describe('makeCredentialOfferUri', () => {
  test.each([byValue, byReference])(
    'carries an offer by $by in exactly one parameter [VCI-I-OFFER-01]',
    (carried) => {
      const names = [...new URL(makeCredentialOfferUri(carried)).searchParams.keys()]
      expect(names).toEqual([carried.by === 'value' ? 'credential_offer' : 'credential_offer_uri'])
      // A link that has a parameter already could carry two: it is not made.
      const taken = 'https://wallet.example/offer?credential_offer_uri=https%3A%2F%2Fissuer.example'
      expect(() => makeCredentialOfferUri(carried, taken)).toThrow(
        expect.objectContaining({ code: 'message_refused' }),
      )
    },
  )

  test('uses the common scheme where nothing is known about the wallet [VCI-I-OFFER-15]', () => {
    expect(DEFAULT_CREDENTIAL_OFFER_ENDPOINT).toBe('openid-credential-offer://')
    expect(makeCredentialOfferUri(byValue)).toBe(`openid-credential-offer://?credential_offer=${offerText}`)
  })

  test('leads to any endpoint a wallet names, a query of its own included [VCI-I-OFFER-16]', () => {
    expect(makeCredentialOfferUri(byValue, 'haip-vci://')).toBe(`haip-vci://?credential_offer=${offerText}`)
    const endpoint = 'https://wallet.example/offer?agent=7'
    const link = makeCredentialOfferUri(byReference, endpoint)
    expect(link.startsWith(`${endpoint}&credential_offer_uri=`)).toBe(true)
    expect(parseCredentialOfferUri(link)).toEqual(byReference)
  })

  test.each(['http://issuer.example/offers/1', 'issuer.example/offers/1', 'data:application/json,{}', ''])(
    'does not refer to %j [VCI-I-OFFER-02]',
    (credentialOfferUri) => {
      expect(() => makeCredentialOfferUri({ by: 'reference', credentialOfferUri })).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'message_refused' }),
      )
      expect(parseCredentialOfferUri(makeCredentialOfferUri(byReference))).toEqual(byReference)
    },
  )

  test.each(['no link', 'https://wallet.example/#fragment'])('does not make a link of %j', (endpoint) => {
    expect(() => makeCredentialOfferUri(byValue, endpoint)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'message_refused' }),
    )
  })
})

describe('parseCredentialOfferUri', () => {
  test('reads the same offer out of every kind of link', () => {
    const endpoints = [
      'openid-credential-offer://',
      'openid-credential-offer:',
      'haip-vci://',
      'https://wallet.example',
    ]
    const read = endpoints.map((endpoint) =>
      parseCredentialOfferUri(makeCredentialOfferUri(byValue, endpoint)),
    )
    expect(read).toEqual(endpoints.map(() => byValue))
    expect(parseCredentialOfferUri(`  ${makeCredentialOfferUri(byReference)}\n`)).toEqual(byReference)
    expect(parseCredentialOfferUri(`${makeCredentialOfferUri(byValue)}&foo=1`)).toEqual(byValue)
  })

  const reference = 'credential_offer_uri=https%3A%2F%2Fissuer.example%2Fo'
  test.each([
    ['both', `openid-credential-offer://?credential_offer=${offerText}&${reference}`],
    ['neither', 'openid-credential-offer://?foo=1'],
    ['no query', 'openid-credential-offer://'],
    [
      'an offer twice',
      `openid-credential-offer://?credential_offer=${offerText}&credential_offer=${offerText}`,
    ],
    ['a reference twice', `openid-credential-offer://?${reference}&${reference}`],
  ])('refuses a link with %s [VCI-W-OFFER-01]', (_, link) => {
    expect(() => parseCredentialOfferUri(link)).toThrow(expect.objectContaining({ code: 'invalid_offer' }))
    expect(parseCredentialOfferUri(`openid-credential-offer://?credential_offer=${offerText}`)).toEqual(
      byValue,
    )
    expect(parseCredentialOfferUri(`openid-credential-offer://?${reference}`)).toMatchObject({
      by: 'reference',
    })
  })

  test.each([
    'http://issuer.example/o',
    'file:///etc/passwd',
    'data:application/json,{}',
    '//issuer.example',
    '',
  ])('refuses a reference to %j [VCI-W-OFFER-02]', (uri) => {
    const link = (reference: string) =>
      `openid-credential-offer://?credential_offer_uri=${encodeURIComponent(reference)}`
    expect(() => parseCredentialOfferUri(link(uri))).toThrow(
      expect.objectContaining({ code: 'invalid_offer' }),
    )
    expect(parseCredentialOfferUri(link('https://issuer.example/o'))).toEqual({
      by: 'reference',
      credentialOfferUri: 'https://issuer.example/o',
    })
  })

  test.each([
    ['no link at all', 'an offer you cannot refuse'],
    ['JSON that is none', 'openid-credential-offer://?credential_offer=%7B'],
    ['a member twice', `openid-credential-offer://?credential_offer=${encodeURIComponent('{"a":1,"a":2}')}`],
    ['a JWT', 'openid-credential-offer://?credential_offer=eyJhbGciOiJub25lIn0.e30.'],
  ])('refuses %s', (_, link) => {
    expect(() => parseCredentialOfferUri(link)).toThrow(expect.objectContaining({ code: 'invalid_offer' }))
  })
})
