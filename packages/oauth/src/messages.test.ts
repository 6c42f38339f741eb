/**
 * Round trips: what one half makes, the other half reads as it was meant; every single change is refused or
 * ignored, and nothing else happens.
 *
 * @module
 */
import { type JsonObject, ProtocolError, VerificationError } from '@attache/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createAuthorizationChallengeRequest,
  createAuthorizationCodeResponse,
  insufficientAuthorization,
  parseAuthorizationChallengeRequest,
  parseAuthorizationChallengeResponse,
} from './authorization-challenge-fipa03.js'
import {
  type AuthorizationRequest,
  createAuthorizationRequest,
  dpopKeyOfRequest,
  parseAuthorizationRequest,
} from './authorization-request.js'
import { createAuthorizationResponse, parseAuthorizationResponse } from './authorization-response.js'
import { createAuthorizationServerMetadata } from './authorization-server-metadata.js'
import { OAUTH_ANSWER_FAILURES, OAUTH_ERRORS } from './errors.js'
import { encodeForm, type FormParameters } from './form.js'
import {
  createPushedAuthorizationRequest,
  createPushedAuthorizationResponse,
  createPushedAuthorizationUrl,
  parsePushedAuthorizationReference,
  parsePushedAuthorizationRequest,
  parsePushedAuthorizationResponse,
  REQUEST_URI_PREFIX,
} from './par.js'
import { createPkce, verifyPkce } from './pkce.js'
import { createProtectedResourceMetadata } from './protected-resource-metadata.js'
import { createTokenRequest, parseTokenRequest, type TokenRequest } from './token-request.js'
import {
  createErrorResponse,
  createTokenResponse,
  parseErrorResponse,
  parseTokenResponse,
} from './token-response.js'

const RUNS = { seed: 11, numRuns: 100 }
const JKT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'

const text = fc.string({ minLength: 1, maxLength: 24 })
const visible = fc.stringMatching(/^[\x21\x23-\x5b\x5d-\x7e]{1,24}$/)
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const scope = fc.array(visible, { minLength: 1, maxLength: 3 }).map((words) => words.join(' '))
const thumbprint = fc.constant(JKT)
const resource = fc.constantFrom(
  'https://api.example.com',
  'urn:example:orders',
  'https://api.example.com/a?b=c',
)
const details = fc.array(
  fc.record({ type: text, credential_configuration_id: text, locations: fc.array(text, { maxLength: 2 }) }),
  { minLength: 1, maxLength: 3 },
)

const authorizationRequest: fc.Arbitrary<AuthorizationRequest> = fc.record({
  clientId: optional(text),
  redirectUri: optional(text),
  scope: optional(scope),
  state: optional(text),
  codeChallenge: optional(thumbprint),
  resource: optional(resource),
  authorizationDetails: optional(details),
  dpopJkt: optional(thumbprint),
  issuerState: optional(text),
})
const anyGrant = {
  clientId: optional(text),
  scope: optional(scope),
  resource: optional(resource),
  authorizationDetails: optional(details),
}
const tokenRequest: fc.Arbitrary<TokenRequest> = fc.oneof(
  fc.record({
    ...anyGrant,
    grantType: fc.constant('authorization_code' as const),
    code: text,
    codeVerifier: optional(text),
    redirectUri: optional(text),
  }),
  fc.record({
    ...anyGrant,
    grantType: fc.constant('pre-authorized_code' as const),
    preAuthorizedCode: text,
    txCode: optional(text),
  }),
  fc.record({ ...anyGrant, grantType: fc.constant('refresh_token' as const), refreshToken: text }),
)

/** The form as the server reads it: through the bytes that travel. */
function overTheWire(form: FormParameters): FormParameters {
  return new Map(new URLSearchParams(encodeForm(form)))
}

const overTheWireJson = (body: JsonObject): unknown => JSON.parse(JSON.stringify(body))

/** Every way to change one parameter: away, empty, or another text. */
function changesOf(form: FormParameters): readonly FormParameters[] {
  return [...form.keys()].flatMap((name) => [
    new Map([...form].filter(([other]) => other !== name)),
    new Map([...form, [name, '']]),
    new Map([...form, [name, '\u0000\u00e9"']]),
  ])
}

/** Every way to change one member: away, and one value of each JSON type. */
function changesOfJson(body: JsonObject): readonly JsonObject[] {
  return Object.keys(body).flatMap((name) => {
    const { [name]: _, ...without } = body
    return [without, ...[null, true, -1.5, '', [], {}, [1]].map((value) => ({ ...body, [name]: value }))]
  })
}

function refusedOrRead(work: () => unknown): string {
  try {
    work()
    return 'read'
  } catch (error) {
    if (error instanceof ProtocolError)
      return error.code in OAUTH_ERRORS ? 'refused' : `unlisted ${error.code}`
    if (error instanceof VerificationError)
      return error.code in OAUTH_ANSWER_FAILURES ? 'refused' : `unlisted ${error.code}`
    return `fault ${String(error)}`
  }
}

describe('authorization requests', () => {
  test('travel in a query, pushed, and to the challenge endpoint unchanged', () => {
    fc.assert(
      fc.property(
        authorizationRequest,
        fc.array(
          visible.filter((word) => !word.includes(',')),
          { minLength: 1 },
        ),
        (request, types) => {
          expect(parseAuthorizationRequest(overTheWire(createAuthorizationRequest(request)))).toEqual(request)
          expect(
            parsePushedAuthorizationRequest(overTheWire(createPushedAuthorizationRequest(request))),
          ).toEqual(request)
          const initial = { kind: 'initial', request, interactionTypesSupported: types } as const
          expect(
            parseAuthorizationChallengeRequest(overTheWire(createAuthorizationChallengeRequest(initial))),
          ).toEqual(initial)
        },
      ),
      RUNS,
    )
  })

  test('every single change is refused with a listed code, or ignored', () => {
    fc.assert(
      fc.property(authorizationRequest, (request) => {
        for (const form of changesOf(createAuthorizationRequest(request))) {
          expect(['read', 'refused']).toContain(refusedOrRead(() => parseAuthorizationRequest(form)))
        }
      }),
      { ...RUNS, numRuns: 30 },
    )
  })

  test.each([
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
    ['two spaces in scope', { scope: 'a  b' }, 'invalid_scope'],
    ['a quote in scope', { scope: 'a"b' }, 'invalid_scope'],
    ['PKCE plain', { code_challenge: JKT, code_challenge_method: 'plain' }, 'invalid_request'],
    ['PKCE without method', { code_challenge: JKT }, 'invalid_request'],
    ['a short challenge', { code_challenge: 'abc', code_challenge_method: 'S256' }, 'invalid_request'],
    ['a method without challenge', { code_challenge_method: 'S256' }, 'invalid_request'],
    ['a relative resource', { resource: '/orders' }, 'invalid_target'],
    ['a resource with fragment', { resource: 'https://api.example.com/#a' }, 'invalid_target'],
    ['details that are no array', { authorization_details: '{"type":"a"}' }, 'invalid_authorization_details'],
    ['a detail without type', { authorization_details: '[{}]' }, 'invalid_authorization_details'],
    ['an empty array of details', { authorization_details: '[]' }, 'invalid_authorization_details'],
    [
      'a detail with a member twice',
      { authorization_details: '[{"type":"a","type":"b"}]' },
      'invalid_authorization_details',
    ],
    ['a thumbprint that is none', { dpop_jkt: 'abc' }, 'invalid_request'],
  ])('refuses %s', (_, parameters, code) => {
    const form = new Map(Object.entries({ response_type: 'code', ...parameters }))
    expect(() => parseAuthorizationRequest(form)).toThrow(expect.objectContaining({ code }))
  })

  test('parameter and proof may both name the key when they name the same [DPOP-A-06] [DPOP-C-09]', () => {
    expect(dpopKeyOfRequest({ dpopJkt: JKT }, JKT)).toBe(JKT)
    expect(dpopKeyOfRequest({ dpopJkt: JKT }, undefined)).toBe(JKT)
    expect(dpopKeyOfRequest({}, JKT)).toBe(JKT)
    expect(dpopKeyOfRequest({}, undefined)).toBeUndefined()
    const code = 'invalid_dpop_proof'
    expect(() => dpopKeyOfRequest({ dpopJkt: JKT }, JKT.replace('0', '1'))).toThrow(
      expect.objectContaining({ code }),
    )
    expect(OAUTH_ERRORS[code]).toBe(400)
  })
})

describe('pushed authorization requests', () => {
  test('answer and reference travel unchanged', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 1, max: 600 }), text, (id, expiresInSeconds, clientId) => {
        const requestUri = `${REQUEST_URI_PREFIX}${id}`
        const body = overTheWireJson(createPushedAuthorizationResponse({ requestUri, expiresInSeconds }))
        expect(parsePushedAuthorizationResponse(body)).toEqual({ requestUri, expiresInSeconds })
        const url = createPushedAuthorizationUrl('https://as.example.com/authorize?tenant=1', {
          clientId,
          requestUri,
        })
        const query: FormParameters = new Map(new URL(url).searchParams)
        expect(parsePushedAuthorizationReference(query)).toEqual({ clientId, requestUri })
        expect(query.get('tenant')).toBe('1')
      }),
      RUNS,
    )
  })

  test('refuse a request_uri inside, and a reference of somebody else', () => {
    const pushed = new Map([
      ['response_type', 'code'],
      ['request_uri', 'urn:x'],
    ])
    expect(() => parsePushedAuthorizationRequest(pushed)).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    )
    const reference = new Map([
      ['client_id', 'a'],
      ['request_uri', 'https://evil.example/request'],
    ])
    expect(() => parsePushedAuthorizationReference(reference)).toThrow(
      expect.objectContaining({ code: 'invalid_request_uri' }),
    )
  })

  test('every single change of the answer is refused', () => {
    const body = createPushedAuthorizationResponse({
      requestUri: `${REQUEST_URI_PREFIX}a`,
      expiresInSeconds: 60,
    })
    for (const changed of changesOfJson(body)) {
      expect(refusedOrRead(() => parsePushedAuthorizationResponse(changed))).toBe('refused')
    }
    expect(parsePushedAuthorizationResponse({ ...body, unknown: 1 })).toMatchObject({ expiresInSeconds: 60 })
  })
})

describe('authorization responses', () => {
  const context = {
    redirectUri: 'https://client.example.com/back?x=1',
    state: 's',
    issuer: 'https://as.example.com',
  }
  const expected = { state: 's', issuer: context.issuer, issuerRequired: true }

  test('travel through the redirect URI unchanged', () => {
    fc.assert(
      fc.property(text, optional(text), (word, errorDescription) => {
        for (const response of [
          { kind: 'code', code: word } as const,
          { kind: 'error', error: word, errorDescription } as const,
        ]) {
          expect(
            parseAuthorizationResponse(createAuthorizationResponse(response, context), expected),
          ).toEqual(response)
        }
      }),
      RUNS,
    )
  })

  test('of another issuer or request are refused, errors as well as codes', () => {
    const url = createAuthorizationResponse({ kind: 'code', code: 'c' }, context)
    const failed = createAuthorizationResponse({ kind: 'error', error: 'access_denied' }, context)
    for (const called of [url, failed]) {
      const other = { ...expected, issuer: 'https://evil.example' }
      expect(() => parseAuthorizationResponse(called, other)).toThrow(
        expect.objectContaining({ code: 'authorization_response_issuer' }),
      )
      expect(() => parseAuthorizationResponse(called, { ...expected, state: 't' })).toThrow(
        expect.objectContaining({ code: 'authorization_response_state' }),
      )
    }
    const silent = url.replace(/&iss=[^&]*/, '')
    expect(() => parseAuthorizationResponse(silent, expected)).toThrow(
      expect.objectContaining({ code: 'authorization_response_issuer' }),
    )
    expect(parseAuthorizationResponse(silent, { ...expected, issuerRequired: false })).toMatchObject({
      code: 'c',
    })
    for (const malformed of [
      `${url}&code=d`,
      `${url}&error=e`,
      url.replace('code=c', 'code='),
      'not a url',
    ]) {
      expect(() => parseAuthorizationResponse(malformed, expected)).toThrow(
        expect.objectContaining({ code: 'answer_malformed' }),
      )
    }
  })
})

describe('token requests', () => {
  test('of the three grants travel unchanged', () => {
    fc.assert(
      fc.property(tokenRequest, (request) => {
        expect(parseTokenRequest(overTheWire(createTokenRequest(request)))).toEqual(request)
      }),
      RUNS,
    )
  })

  test('every single change is refused with a listed code, or ignored; what the grant needs is never ignored', () => {
    fc.assert(
      fc.property(tokenRequest, (request) => {
        const form = createTokenRequest(request)
        for (const changed of changesOf(form)) {
          expect(['read', 'refused']).toContain(refusedOrRead(() => parseTokenRequest(changed)))
        }
        for (const needed of ['grant_type', 'code', 'pre-authorized_code', 'refresh_token']) {
          if (!form.has(needed)) continue
          const without = new Map([...form].filter(([name]) => name !== needed))
          expect(() => parseTokenRequest(without)).toThrow(
            expect.objectContaining({ code: 'invalid_request' }),
          )
        }
        expect(parseTokenRequest(new Map([...form, ['unknown', 'x']]))).toEqual(request)
      }),
      { ...RUNS, numRuns: 30 },
    )
  })

  test('another grant type is not offered', () => {
    const form = new Map([['grant_type', 'password']])
    expect(() => parseTokenRequest(form)).toThrow(expect.objectContaining({ code: 'unsupported_grant_type' }))
  })
})

describe('token responses', () => {
  const response = fc.record({
    accessToken: visible,
    tokenType: fc.constantFrom('DPoP' as const, 'Bearer' as const),
    expiresInSeconds: optional(fc.integer({ min: 1, max: 86_400 })),
    refreshToken: optional(visible),
    scope: optional(scope),
    authorizationDetails: optional(details),
  })

  test('travel unchanged', () => {
    fc.assert(
      fc.property(response, (granted) => {
        const body = overTheWireJson(createTokenResponse(granted))
        expect(parseTokenResponse(body, { dpopBound: granted.tokenType === 'DPoP' })).toEqual(granted)
      }),
      RUNS,
    )
  })

  test('every single change is refused, but for a scope that says less', () => {
    const body = createTokenResponse({
      accessToken: 't',
      tokenType: 'DPoP',
      expiresInSeconds: 60,
      refreshToken: 'r',
      authorizationDetails: [{ type: 'openid_credential', credential_identifiers: ['a'] }],
    })
    for (const name of Object.keys(body)) {
      for (const value of [null, true, -1.5, '', [], {}, [1], [{}]]) {
        expect(
          refusedOrRead(() => parseTokenResponse({ ...body, [name]: value }, { dpopBound: true })),
          name,
        ).toBe('refused')
      }
    }
    for (const value of [undefined, null, [], 'text', 7]) {
      expect(refusedOrRead(() => parseTokenResponse(value, { dpopBound: true }))).toBe('refused')
    }
  })

  test('of an error: error, in its absence error_code', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z_]{1,20}$/), optional(text), (error, errorDescription) => {
        const refusal = { error, errorDescription, errorUri: undefined }
        expect(parseErrorResponse(overTheWireJson(createErrorResponse(refusal)))).toEqual(refusal)
        expect(parseErrorResponse({ error_code: error })).toMatchObject({ error })
        expect(parseErrorResponse({ error, error_code: 'other' })).toMatchObject({ error })
      }),
      RUNS,
    )
    for (const bad of [{}, { error: '' }, { error: 'a"b' }, { error: 1 }, [], null]) {
      expect(refusedOrRead(() => parseErrorResponse(bad))).toBe('refused')
    }
  })
})

describe('authorization challenge', () => {
  const OPENID4VP = 'urn:openid:dcp:ia:openid4vp_presentation'
  const expected = { interactionTypesSupported: [OPENID4VP] }

  test('a follow-up request carries the session and whatever the interaction says', () => {
    const parameters = fc.dictionary(fc.stringMatching(/^x_[a-z]{1,8}$/), text, { maxKeys: 3 })
    fc.assert(
      fc.property(text, optional(text), parameters, (authSession, clientId, members) => {
        const interaction = new Map(Object.entries(members))
        const followUp = { kind: 'follow_up', authSession, clientId, interaction } as const
        expect(
          parseAuthorizationChallengeRequest(overTheWire(createAuthorizationChallengeRequest(followUp))),
        ).toEqual(followUp)
      }),
      RUNS,
    )
  })

  test('a first request must offer interactions', () => {
    const form = new Map([['response_type', 'code']])
    expect(() => parseAuthorizationChallengeRequest(form)).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    )
    for (const types of ['a,,b', 'a b', ',']) {
      const offered = new Map([...form, ['interaction_types_supported', types]])
      expect(() => parseAuthorizationChallengeRequest(offered)).toThrow(
        expect.objectContaining({ code: 'invalid_request' }),
      )
    }
  })

  test('a demand travels as an error of 401 and is told by its error', () => {
    const demand = {
      authSession: 'wX',
      interactionTypeRequired: OPENID4VP,
      interaction: { openid4vp_request: { request: 'eyJ' } },
    }
    const thrown = insufficientAuthorization(demand)
    expect(OAUTH_ERRORS.insufficient_authorization).toBe(401)
    const body = { ...thrown.members, error: thrown.code, error_description: thrown.message }
    expect(parseAuthorizationChallengeResponse(body, expected)).toEqual({
      kind: 'insufficient_authorization',
      ...demand,
    })
    const { error, ...rest } = body
    expect(parseAuthorizationChallengeResponse({ ...rest, error_code: error }, expected)).toMatchObject(
      demand,
    )
    expect(() =>
      parseAuthorizationChallengeResponse(body, { interactionTypesSupported: ['urn:other'] }),
    ).toThrow(expect.objectContaining({ code: 'interaction_type_not_offered' }))
    for (const name of ['auth_session', 'interaction_type_required']) {
      for (const value of [undefined, null, 1, '', {}]) {
        expect(
          refusedOrRead(() => parseAuthorizationChallengeResponse({ ...body, [name]: value }, expected)),
        ).toBe('refused')
      }
    }
  })

  test('the interaction cannot replace what the envelope says', () => {
    const { members } = insufficientAuthorization({
      authSession: 'real',
      interactionTypeRequired: OPENID4VP,
      interaction: { auth_session: 'fake', interaction_type_required: 'fake' },
    })
    expect(members).toEqual({ auth_session: 'real', interaction_type_required: OPENID4VP })
  })

  test('a code and any other error travel unchanged', () => {
    fc.assert(
      fc.property(text, optional(text), (authorizationCode, authSession) => {
        const body = overTheWireJson(createAuthorizationCodeResponse({ authorizationCode, authSession }))
        expect(parseAuthorizationChallengeResponse(body, expected)).toEqual({
          kind: 'code',
          authorizationCode,
          authSession,
        })
      }),
      RUNS,
    )
    const refused = { error: 'invalid_session', error_description: 'Start again.', auth_session: 'w' }
    expect(parseAuthorizationChallengeResponse(refused, expected)).toEqual({
      kind: 'error',
      error: 'invalid_session',
      errorDescription: 'Start again.',
      authSession: 'w',
    })
    for (const bad of [
      {},
      [],
      null,
      'x',
      { authorization_code: '' },
      { authorization_code: 7 },
      { error: 7 },
    ]) {
      expect(refusedOrRead(() => parseAuthorizationChallengeResponse(bad, expected))).toBe('refused')
    }
  })
})

describe('PKCE', () => {
  test('fits its own verifier, 43 characters of 256 bits, and no other', () => {
    let count = 0
    const random = (byteCount: number) => {
      count += 1
      return new Uint8Array(byteCount).fill(count)
    }
    const [first, second] = [createPkce(random), createPkce(random)]
    expect(first.codeVerifier).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(() => verifyPkce(first.codeVerifier, first.codeChallenge)).not.toThrow()
    expect(() => verifyPkce(undefined, undefined)).not.toThrow()
    for (const [verifier, challenge] of [
      [second.codeVerifier, first.codeChallenge],
      [undefined, first.codeChallenge],
      [first.codeVerifier, undefined],
      [first.codeChallenge, first.codeChallenge],
      ['short', first.codeChallenge],
    ]) {
      expect(() => verifyPkce(verifier, challenge)).toThrow(
        expect.objectContaining({ code: 'invalid_grant' }),
      )
    }
  })

  test('the example of RFC 7636, Appendix B', () => {
    const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
    expect(() => verifyPkce(verifier, 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM')).not.toThrow()
  })
})

describe('makers', () => {
  const unusable = expect.objectContaining({ code: 'message_unusable' })

  test('make nothing that the other half would refuse', () => {
    expect(() => createAuthorizationRequest({ scope: 'a  b' })).toThrow(unusable)
    expect(() => createAuthorizationRequest({ codeChallenge: 'short' })).toThrow(unusable)
    expect(() => createAuthorizationRequest({ dpopJkt: 'short' })).toThrow(unusable)
    expect(() => createPushedAuthorizationRequest({ resource: 'orders' })).toThrow(unusable)
    expect(() => createTokenRequest({ grantType: 'refresh_token', refreshToken: '' })).toThrow(unusable)
    expect(() =>
      createTokenRequest({ grantType: 'authorization_code', code: 'c', authorizationDetails: [{ a: 'b' }] }),
    ).toThrow(unusable)
    const initial = { kind: 'initial', request: {}, interactionTypesSupported: [] } as const
    expect(() => createAuthorizationChallengeRequest(initial)).toThrow(unusable)
    expect(() => createAuthorizationServerMetadata({ issuer: 'http://as.example.com' })).toThrow(unusable)
    expect(() => createProtectedResourceMetadata({ resource: 'https://api.example.com#a' })).toThrow(unusable)
  })

  test('name the place of the mistake and not its value', () => {
    const make = () =>
      createTokenRequest({ grantType: 'authorization_code', code: 'secret-code', scope: 'secret  scope' })
    expect(make).toThrow('scope')
    expect(make).not.toThrow('secret')
  })
})
