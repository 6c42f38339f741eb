import { createHmac } from 'node:crypto'
import { ProtocolError } from '@attache/core'
import {
  createSoftwareSigner,
  generatePrivateJwk,
  parseJws,
  parsePublicJwk,
  type Signer,
  signJws,
} from '@attache/keys'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AccessTokenClaims,
  createAccessToken,
  parseConfirmation,
  verifyAccessToken,
} from './access-token.js'
import { requireBoundKey } from './authorization-request.js'
import { createIntrospectionResponse, parseIntrospectionResponse } from './introspection.js'
import { jsonMembers } from './message-members.js'
import { parsePresentedToken, requireConfirmation } from './protected-request.js'
import { createTokenResponse, parseTokenResponse } from './token-response.js'

const NOW = 1_790_000_000
const JKT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
const THUMBPRINT = 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0'
const issuer = createSoftwareSigner(generatePrivateJwk('ES256'))
const token: AccessTokenClaims = {
  issuer: 'https://as.example.com',
  subject: 'agent-17',
  audience: 'https://api.example.com',
  clientId: 'agent-17',
  scope: 'orders.approve',
  issuedAt: NOW,
  expiresAt: NOW + 300,
  jti: 'tok_1',
  confirmation: { jkt: JKT },
  claims: { act: { credential: 'crd_1' } },
}
const keysOf = (signer: Signer) => [parsePublicJwk({ ...signer.publicJwk, kid: signer.kid })]
const expected = {
  issuer: token.issuer,
  audience: token.audience,
  keys: keysOf(issuer),
  algorithms: ['ES256', 'EdDSA'] as const,
}
const invalid = expect.objectContaining({ code: 'invalid_token' })

describe('access tokens', () => {
  test.each(['ES256', 'EdDSA'] as const)(
    'what is made with %s is verified offline, bound to the key [DPOP-A-02]',
    async (alg) => {
      const signer = createSoftwareSigner(generatePrivateJwk(alg))
      const text = await createAccessToken(token, signer)
      expect(verifyAccessToken(text, { ...expected, keys: keysOf(signer) }, NOW)).toEqual(token)
      expect(parseJws(text).payload['cnf']).toEqual({ jkt: JKT })
      expect(parseJws(text).header).toEqual({ typ: 'at+jwt', alg, kid: signer.kid })
      expect(createTokenResponse({ accessToken: text, tokenType: 'DPoP' })).toMatchObject({
        token_type: 'DPoP',
      })
    },
  )

  test('the media type may be written in full, and no other type is taken', async () => {
    const { payload } = parseJws(await createAccessToken(token, issuer))
    const as = (typ: string) => signJws({ header: { typ, kid: issuer.kid }, payload }, issuer)
    expect(verifyAccessToken(await as('application/at+jwt'), expected, NOW).jti).toBe('tok_1')
    for (const typ of ['JWT', 'AT+JWT', 'dpop+jwt', 'txntoken+jwt']) {
      expect(await as(typ).then((text) => refusal(text))).toEqual('invalid_token')
    }
  })

  const members = [
    ['another issuer', { iss: 'https://other.example' }],
    ['another audience', { aud: 'https://other.example' }],
    ['two audiences', { aud: [token.audience, 'https://other.example'] }],
    ['no subject', { sub: null }],
    ['no client', { client_id: '' }],
    ['no jti', { jti: 7 }],
    ['a scope that is no text', { scope: ['a'] }],
    ['expired', { exp: NOW - 61 }],
    ['no exp', { exp: null }],
    ['issued in the future', { iat: NOW + 61 }],
    ['an unknown confirmation', { cnf: { foo: 1 } }],
    ['an unknown confirmation beside ours', { cnf: { jkt: JKT, kid: 'x' } }],
    ['a malformed confirmation', { cnf: { jkt: 'short' } }],
    ['a confirmation that is no object', { cnf: [JKT] }],
    ['a confirmation of nothing', { cnf: {} }],
  ] as const
  test.each(members)('refuses %s, alone of all members [MTLS-06]', async (_, change) => {
    const { header, payload } = parseJws(await createAccessToken(token, issuer))
    const text = await signJws({ header, payload: { ...payload, ...change } }, issuer)
    expect(refusal(text)).toBe('invalid_token')
  })

  test('no algorithm confusion: none, or a MAC made with the public key', async () => {
    const [, body = ''] = (await createAccessToken(token, issuer)).split('.')
    const forge = (alg: string) => {
      const header = Buffer.from(JSON.stringify({ typ: 'at+jwt', alg, kid: issuer.kid })).toString(
        'base64url',
      )
      const mac = createHmac('sha256', JSON.stringify(issuer.publicJwk)).update(`${header}.${body}`)
      return `${header}.${body}.${mac.digest('base64url')}`
    }
    for (const alg of ['none', 'HS256', 'ES256', 'ES256K', 'PS256'])
      expect(refusal(forge(alg))).toBe('invalid_token')
  })

  test('any claims come back as they were said', async () => {
    const claims = fc.dictionary(fc.stringMatching(/^x_[a-z]{1,8}$/), fc.jsonValue({ maxDepth: 2 }), {
      maxKeys: 4,
    })
    await fc.assert(
      fc.asyncProperty(
        claims,
        fc.string({ minLength: 1 }),
        fc.string({ minLength: 1 }),
        async (further, subject, jti) => {
          const said = { ...token, subject, jti, claims: jsonMembers(JSON.parse(JSON.stringify(further))) }
          expect(verifyAccessToken(await createAccessToken(said, issuer), expected, NOW)).toEqual(said)
        },
      ),
      { seed: 17, numRuns: 50 },
    )
  })

  test('refuses a token without any one of its own claims, and takes one without scope', async () => {
    const { header, payload } = parseJws(await createAccessToken(token, issuer))
    const without = async (name: string) => {
      const rest = Object.fromEntries(Object.entries(payload).filter(([other]) => other !== name))
      return refusal(await signJws({ header, payload: rest }, issuer))
    }
    for (const name of ['iss', 'sub', 'aud', 'client_id', 'iat', 'exp', 'jti']) {
      expect(await without(name), name).toBe('invalid_token')
    }
    for (const name of ['scope', 'cnf', 'act']) expect(await without(name), name).toBeUndefined()
  })

  test('the kid chooses among the keys of the issuer; without one each is tried', async () => {
    const { payload } = parseJws(await createAccessToken(token, issuer))
    const as = async (header: Record<string, string>) => refusal(await signJws({ header, payload }, issuer))
    expect(await as({ typ: 'at+jwt', kid: issuer.kid })).toBeUndefined()
    expect(await as({ typ: 'at+jwt' })).toBeUndefined()
    expect(await as({ typ: 'at+jwt', kid: 'another' })).toBe('invalid_token')
  })

  test('is not made with a further claim that has the name of its own', () => {
    for (const name of ['cnf', 'aud', 'exp']) {
      expect(() => createAccessToken({ ...token, claims: { [name]: 'x' } }, issuer)).toThrow(TypeError)
    }
  })

  test('is not made without what the resource asks for, nor unbound', () => {
    const unusable = expect.objectContaining({ code: 'message_unusable' })
    for (const change of [
      { audience: '' },
      { scope: '' },
      { jti: '' },
      { confirmation: {} },
      { confirmation: { jkt: 'x' } },
    ]) {
      expect(() => createAccessToken({ ...token, ...change }, issuer)).toThrow(unusable)
    }
  })

  test('refuses a foreign key under the same kid', async () => {
    const thief = createSoftwareSigner(generatePrivateJwk('ES256'))
    const text = await createAccessToken(token, { ...thief, kid: issuer.kid })
    expect(refusal(text)).toBe('invalid_token')
    expect(refusal('not a token')).toBe('invalid_token')
  })
})

function refusal(text: string): string | undefined {
  try {
    verifyAccessToken(text, expected, NOW)
    return undefined
  } catch (error) {
    return error instanceof ProtocolError ? error.code : 'fault'
  }
}

describe('confirmation', () => {
  const confirmation = { jkt: JKT, certificateThumbprint: THUMBPRINT }

  test('an unbound token is refused, with the scheme DPoP too [DPOP-R-06]', () => {
    for (const scheme of ['dpop', 'bearer'] as const) {
      expect(() => requireConfirmation({ scheme, confirmation: {} }, { jkt: JKT })).toThrow(invalid)
      expect(() => requireConfirmation({ scheme, confirmation: undefined }, {})).toThrow(invalid)
    }
  })

  test('a DPoP-bound token sent as Bearer is refused, with or without the right proof [DPOP-R-03]', () => {
    const bearer = { scheme: 'bearer', confirmation: { jkt: JKT } } as const
    for (const shown of [{}, { jkt: JKT }]) expect(() => requireConfirmation(bearer, shown)).toThrow(invalid)
    expect(() => requireConfirmation({ ...bearer, scheme: 'dpop' }, { jkt: JKT })).not.toThrow()
  })

  test('a token bound to key and certificate needs both [MTLS-06]', () => {
    const bound = { scheme: 'dpop', confirmation } as const
    expect(() => requireConfirmation(bound, confirmation)).not.toThrow()
    for (const shown of [
      { jkt: JKT },
      { certificateThumbprint: THUMBPRINT },
      { ...confirmation, jkt: THUMBPRINT },
    ]) {
      expect(() => requireConfirmation(bound, shown)).toThrow(invalid)
    }
  })

  test('the proof key must be the one of the token [DPOP-S-15]', () => {
    expect(() =>
      requireConfirmation({ scheme: 'dpop', confirmation: { jkt: JKT } }, { jkt: THUMBPRINT }),
    ).toThrow(invalid)
  })

  test('no cnf means not bound; an unknown member is refused, not ignored [MTLS-06]', () => {
    expect(parseConfirmation(undefined)).toEqual({})
    expect(() => parseConfirmation({ foo: 1 })).toThrow(invalid)
  })

  test('grants stay with their key: another one is invalid_grant [DPOP-A-03] [MTLS-07]', () => {
    expect(() => requireBoundKey(JKT, JKT)).not.toThrow()
    for (const other of [THUMBPRINT, undefined]) {
      expect(() => requireBoundKey(JKT, other)).toThrow(expect.objectContaining({ code: 'invalid_grant' }))
    }
    expect(() => requireBoundKey(THUMBPRINT, JKT)).toThrow(expect.objectContaining({ code: 'invalid_grant' }))
  })
})

describe('parsePresentedToken', () => {
  const url = 'https://api.example.com/a'

  test('takes one token after one space, the scheme in any case [DPOP-R-01]', () => {
    expect(parsePresentedToken('dPoP a.b-c_d~e+f/g==', url)).toEqual({
      scheme: 'dpop',
      accessToken: 'a.b-c_d~e+f/g==',
    })
    expect(parsePresentedToken('Bearer t', url)).toEqual({ scheme: 'bearer', accessToken: 't' })
    expect(parsePresentedToken(null, url)).toBeUndefined()
    expect(parsePresentedToken('Basic YTpi', url)).toBeUndefined()
    for (const field of [
      'DPoP',
      'DPoP ',
      'DPoP  t',
      'DPoP t t',
      'DPoP t,',
      'DPoP\tt',
      'DPoP "t"',
      'Basic a, DPoP t',
    ]) {
      expect(() => parsePresentedToken(field, url)).toThrow(
        expect.objectContaining({ code: 'invalid_request' }),
      )
    }
  })

  test('takes no token from the query, whatever else is there [DPOP-R-05]', () => {
    for (const query of ['?access_token=t', '?a=1&access_token=t', '?access_token', '?ACCESS_TOKEN=t']) {
      expect(() => parsePresentedToken('DPoP t', `${url}${query}`)).toThrow(
        expect.objectContaining({ code: 'invalid_request' }),
      )
    }
    expect(parsePresentedToken('DPoP t', `${url}?xaccess_token=t`)).toBeDefined()
  })
})

describe('introspection', () => {
  test('says the key of a bound token, and its type when it says one [DPOP-A-08]', () => {
    const response = { active: true, subject: 'agent-17', confirmation: { jkt: JKT } } as const
    const body = createIntrospectionResponse(response)
    expect(body).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt: JKT } })
    expect(parseIntrospectionResponse(body)).toMatchObject(response)
    const { token_type: _, ...untyped } = body
    expect(parseIntrospectionResponse(untyped)).toMatchObject(response)
    expect(() => parseIntrospectionResponse({ ...body, token_type: 'Bearer' })).toThrow('token_type')
  })

  test('says of a certificate what the token would say [MTLS-01]', () => {
    const body = createIntrospectionResponse({
      active: true,
      confirmation: { certificateThumbprint: THUMBPRINT },
    })
    expect(body).toEqual({ active: true, token_type: 'Bearer', cnf: { 'x5t#S256': THUMBPRINT } })
    expect(parseIntrospectionResponse(body)).toMatchObject({
      confirmation: { certificateThumbprint: THUMBPRINT },
    })
  })

  test('says nothing of a token that is not good', () => {
    expect(createIntrospectionResponse({ active: false })).toEqual({ active: false })
    expect(parseIntrospectionResponse({ active: false, sub: 'x' })).toEqual({ active: false })
    expect(() => parseIntrospectionResponse({})).toThrow(
      expect.objectContaining({ code: 'answer_malformed' }),
    )
  })
})

test('a token that is not bound is discarded when we sent a proof [DPOP-C-07]', () => {
  const body = { access_token: 't', token_type: 'Bearer', expires_in: 60 }
  expect(() => parseTokenResponse(body, { dpopBound: true })).toThrow(
    expect.objectContaining({ code: 'token_type_not_dpop' }),
  )
  expect(parseTokenResponse({ ...body, token_type: 'dpop' }, { dpopBound: true }).tokenType).toBe('DPoP')
  expect(parseTokenResponse(body, { dpopBound: false }).tokenType).toBe('Bearer')
})
