import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createResourceChallenge, EXPOSED_HEADERS } from './protected-request.js'
import { type Challenge, createWwwAuthenticate, parseWwwAuthenticate } from './www-authenticate.js'

const parsed = (field: string) =>
  parseWwwAuthenticate(field).map(({ scheme, token68, parameters }) => [
    scheme,
    token68,
    Object.fromEntries(parameters),
  ])

describe('parseWwwAuthenticate', () => {
  test('reads several challenges, quoted strings and schemes in any case', () => {
    expect(
      parsed(
        'Basic realm="a, \\"b\\"", dpop algs="ES256 EdDSA",error=invalid_token , Negotiate , NEGOTIATE YWJj==',
      ),
    ).toEqual([
      ['basic', undefined, { realm: 'a, "b"' }],
      ['dpop', undefined, { algs: 'ES256 EdDSA', error: 'invalid_token' }],
      ['negotiate', undefined, {}],
      ['negotiate', 'YWJj==', {}],
    ])
    expect(parsed('DPoP Error = "x" , ALGS="y"')).toEqual([['dpop', undefined, { error: 'x', algs: 'y' }]])
    expect(parsed('')).toEqual([])
    expect(parsed(', ,Bearer')).toEqual([['bearer', undefined, {}]])
  })

  test('parameters it does not know are kept and harm nothing [DPOP-R-02]', () => {
    expect(parsed('DPoP algs="ES256", future="1"')).toEqual([
      ['dpop', undefined, { algs: 'ES256', future: '1' }],
    ])
  })

  test.each([
    'DPoP error="x',
    'DPoP error="x" error="y"',
    'DPoP error="x", error="y"',
    'DPoP =x',
    '"DPoP"',
    'DPoP error="x"y',
    'DPoP error="\u0001"',
    'DPoP a b',
    'DPoP\u0000',
    `DPoP a="${'x'.repeat(9000)}"`,
  ])('refuses %j', (field) => {
    expect(() => parseWwwAuthenticate(field)).toThrow(
      expect.objectContaining({ code: 'www_authenticate_malformed' }),
    )
  })

  test('never fails in another way, whatever the field holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'DPoP ,="\\at;:é\n') }), (field) => {
        try {
          parseWwwAuthenticate(field)
        } catch (error) {
          expect(error).toMatchObject({ code: 'www_authenticate_malformed' })
        }
      }),
      { seed: 7, numRuns: 500 },
    )
  })
})

describe('createWwwAuthenticate', () => {
  const token = fc.stringMatching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,12}$/)
  const parameters = fc.uniqueArray(fc.tuple(token, fc.stringMatching(/^[\t\x20-\x7e]{0,20}$/)), {
    minLength: 1,
    maxLength: 4,
    selector: ([name]) => name,
  })
  const challenge: fc.Arbitrary<Challenge> = fc.oneof(
    fc.record({ scheme: token, parameters: parameters.map((pairs) => new Map(pairs)) }),
    fc.record({ scheme: token, parameters: fc.constant(new Map<string, string>()) }),
    fc.record({
      scheme: token,
      token68: fc.stringMatching(/^[A-Za-z0-9\-._~+/]{1,10}={0,2}$/),
      parameters: fc.constant(new Map<string, string>()),
    }),
  )

  test('is read back as it was said', () => {
    fc.assert(
      fc.property(fc.array(challenge, { minLength: 1, maxLength: 4 }), (challenges) => {
        expect(parseWwwAuthenticate(createWwwAuthenticate(challenges))).toEqual(challenges)
      }),
      { seed: 7, numRuns: 200 },
    )
  })

  test('refuses what the syntax cannot carry', () => {
    for (const bad of [
      { scheme: 'D PoP', parameters: new Map() },
      { scheme: 'DPoP', parameters: new Map([['error', 'line\nfeed']]) },
      { scheme: 'DPoP', parameters: new Map([['er ror', 'x']]) },
      { scheme: 'DPoP', token68: 'a b', parameters: new Map() },
      { scheme: 'DPoP', token68: 'ab', parameters: new Map([['a', 'b']]) },
    ]) {
      expect(() => createWwwAuthenticate([bad])).toThrow(
        expect.objectContaining({ code: 'www_authenticate_invalid' }),
      )
    }
  })
})

describe('createResourceChallenge', () => {
  test('names the algorithms, and no error when no token was sent [DPOP-R-02] [PRM-07]', () => {
    expect(createResourceChallenge({ algorithms: ['ES256', 'EdDSA'] })).toBe('DPoP algs="ES256 EdDSA"')
  })

  test('names error, scope and metadata of a refused call [PRM-07] [PRM-08]', () => {
    const challenge = createResourceChallenge({
      algorithms: ['ES256'],
      error: 'insufficient_scope',
      errorDescription: 'More is needed.',
      scope: 'orders.approve',
      resourceMetadata: 'https://api.example.com/.well-known/oauth-protected-resource',
    })
    expect(challenge).toBe(
      'DPoP error="insufficient_scope", error_description="More is needed.", scope="orders.approve", ' +
        'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", algs="ES256"',
    )
  })

  test('asks for a fresher or stronger authentication [PRM-08]', () => {
    const challenge = createResourceChallenge({
      algorithms: ['ES256'],
      error: 'insufficient_user_authentication',
      acrValues: ['gold', 'silver'],
      maxAgeSeconds: 60,
    })
    const [{ parameters } = { parameters: new Map() }] = parseWwwAuthenticate(challenge)
    expect(Object.fromEntries(parameters)).toMatchObject({ acr_values: 'gold silver', max_age: '60' })
  })

  test('names the fields a script in a browser must be able to read [DPOP-R-07]', () => {
    expect(EXPOSED_HEADERS['Access-Control-Expose-Headers']).toBe('WWW-Authenticate, DPoP-Nonce')
  })
})
