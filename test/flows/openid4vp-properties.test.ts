import { isJsonObject, type JsonObject, type JsonValue, parseForm } from '@attache/core'
import {
  type AuthorizationRequest,
  directPostBody,
  encodeAuthorizationRequest,
  encodeClientMetadata,
  encodeDcqlQuery,
  encodeIaRequest,
  encodeIaResponse,
  encodeTransactionData,
  encodeVpToken,
  encodeWalletMetadata,
  fragmentUrl,
  parseAuthorizationRequest,
  parseClientMetadata,
  parseDcqlQuery,
  parseDirectPost,
  parseIaRequest,
  parseIaResponse,
  parseRequestUriPost,
  parseRequestUrl,
  parseResponseParameters,
  parseTransactionData,
  parseVpToken,
  requestUriFetch,
  requestUrlByReference,
  requestUrlByValue,
  responseParameters,
} from '@attache/openid4vp'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const RUNS = { seed: 7, numRuns: 300 }
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/)
const text = fc.stringMatching(/^[A-Za-z0-9._~-]{1,20}$/)
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const pathElement = fc.oneof(fc.string({ maxLength: 6 }), fc.nat(9), fc.constant(null))
const path = fc.tuple(fc.string({ maxLength: 6 }), pathElement)
const value = fc.oneof(fc.string({ maxLength: 6 }), fc.integer(), fc.boolean())
const claim = fc.record({ path, values: optional(fc.array(value, { minLength: 1, maxLength: 3 })) })
const credential = fc.record({
  id,
  format: fc.constant('dc+sd-jwt'),
  vctValues: fc.array(fc.string({ minLength: 1, maxLength: 9 }), { minLength: 1, maxLength: 2 }),
  multiple: fc.boolean(),
  requireCryptographicHolderBinding: fc.boolean(),
  trustedAuthorities: optional(
    fc.array(fc.record({ type: text, values: fc.array(text, { minLength: 1, maxLength: 2 }) }), {
      minLength: 1,
      maxLength: 2,
    }),
  ),
  claims: optional(fc.array(claim, { minLength: 1, maxLength: 3 })),
})
const dcqlQuery = fc
  .uniqueArray(credential, { minLength: 1, maxLength: 3, selector: (asked) => asked.id })
  .chain((credentials) =>
    fc.record({
      credentials: fc.constant(credentials),
      credentialSets: optional(
        fc.array(
          fc.record({
            options: fc.array(
              fc.subarray(
                credentials.map((asked) => asked.id),
                { minLength: 1 },
              ),
              { minLength: 1, maxLength: 2 },
            ),
            required: fc.boolean(),
          }),
          { minLength: 1, maxLength: 2 },
        ),
      ),
    }),
  )
const request: fc.Arbitrary<AuthorizationRequest> = fc.record({
  clientId: fc.constant('x509_hash:abc'),
  responseMode: fc.constant('direct_post' as const),
  responseUri: fc.constant('https://api.example/r'),
  nonce: text,
  state: text,
  dcqlQuery,
  expectedOrigins: optional(fc.array(fc.webUrl(), { minLength: 1, maxLength: 2 })),
  walletNonce: optional(text),
})

/** The value as it is when absent members are left out. */
const plain = (given: unknown): unknown => JSON.parse(JSON.stringify(given))

describe('every message is read as it was written', () => {
  test('a DCQL query', () => {
    fc.assert(
      fc.property(dcqlQuery, (query) => {
        expect(plain(parseDcqlQuery(encodeDcqlQuery(query)))).toEqual(plain(query))
      }),
      RUNS,
    )
  })

  test('an authorization request, as object, in a URL and in a challenge', () => {
    fc.assert(
      fc.property(request, (asked) => {
        expect(plain(parseAuthorizationRequest(encodeAuthorizationRequest(asked)))).toEqual(plain(asked))
        const { expectedOrigins: _origins, ...urlSafe } = asked
        const handover = parseRequestUrl(requestUrlByValue('openid4vp://', urlSafe))
        expect(
          handover.kind === 'parameters' && plain(parseAuthorizationRequest(handover.parameters)),
        ).toEqual(plain(urlSafe))
        const { responseUri: _uri, state: _state, clientId: _client, ...rest } = asked
        const challenge = { ...rest, responseMode: 'ia_post' as const }
        const read = parseIaRequest(encodeIaRequest({ kind: 'unsigned', request: challenge }))
        expect(read.kind === 'unsigned' && plain(read.request)).toEqual(plain(challenge))
      }),
      RUNS,
    )
  })

  test('a reference, and the POST that follows it', () => {
    fc.assert(
      fc.property(
        text,
        fc.webUrl(),
        fc.constantFrom('get' as const, 'post' as const),
        (clientId, requestUri, method) => {
          const read = parseRequestUrl(
            requestUrlByReference('openid4vp://', { clientId, requestUri, method }),
          )
          expect(read).toEqual({ kind: 'reference', clientId, requestUri, method, outer: {} })
          const post = {
            walletNonce: clientId,
            walletMetadata: { issuer: requestUri, formats: ['dc+sd-jwt'] },
          }
          expect(plain(parseRequestUriPost(parseForm(requestUriFetch(post).body ?? '')))).toEqual(post)
          expect(isJsonObject(encodeWalletMetadata(post.walletMetadata))).toBe(true)
        },
      ),
      RUNS,
    )
  })

  test('client metadata and transaction data', () => {
    const algorithms = optional(fc.array(fc.constantFrom('ES256', 'ES384'), { minLength: 1, maxLength: 2 }))
    const metadata = fc.record({
      sdJwt: optional(fc.record({ issuerAlgorithms: algorithms, keyBindingAlgorithms: algorithms })),
      encryptionKeys: fc.constant([]),
      encryptedResponseEncs: optional(fc.constant(['A128GCM'])),
    })
    fc.assert(
      fc.property(metadata, fc.json({ maxDepth: 3 }), (said, extra) => {
        expect(plain(parseClientMetadata(encodeClientMetadata(said)))).toEqual(plain(said))
        const query = parseDcqlQuery({
          credentials: [{ id: 'a', format: 'dc+sd-jwt', meta: { vct_values: ['v'] } }],
        })
        const more: JsonValue = JSON.parse(extra)
        const content = { type: 't', credential_ids: ['a'], more }
        expect(parseTransactionData(encodeTransactionData(content), query).content).toEqual(plain(content))
      }),
      RUNS,
    )
  })

  test('an answer, by post, in a fragment and in a challenge', async () => {
    const asked = parseAuthorizationRequest({
      client_id: 'x509_hash:abc',
      response_type: 'vp_token',
      response_mode: 'direct_post',
      response_uri: 'https://api.example/r',
      nonce: 'n',
      state: 's',
      dcql_query: {
        credentials: [{ id: 'a', format: 'dc+sd-jwt', multiple: true, meta: { vct_values: ['v'] } }],
      },
    })
    const query = asked.dcqlQuery ?? { credentials: [] }
    const presentations = fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(presentations, async (list) => {
        const vpToken = new Map([['a', list]])
        expect(parseVpToken(encodeVpToken(vpToken), query)).toEqual(vpToken)
        const posted = parseDirectPost(parseForm(await directPostBody(asked, { vpToken })), 'direct_post')
        expect(posted).toEqual({ kind: 'vp_token', vpToken: { a: list }, state: 's' })
        expect(parseResponseParameters(responseParameters(asked, { vpToken }))).toEqual(posted)
        const url = fragmentUrl('https://api.example/cb', { ...asked, responseMode: 'fragment' }, { vpToken })
        expect(parseDirectPost(parseForm(url.split('#')[1] ?? ''), 'fragment')).toEqual(posted)
        const challenge = { ...asked, responseMode: 'ia_post' as const }
        expect(parseIaResponse(await encodeIaResponse(challenge, { vpToken }), 'ia_post')).toEqual({
          kind: 'vp_token',
          vpToken: { a: list },
          state: undefined,
        })
      }),
      RUNS,
    )
  })
})

describe('every message that is not one', () => {
  test('is refused with a code, never with a fault', () => {
    const parsers: readonly ((given: JsonValue) => unknown)[] = [
      parseDcqlQuery,
      parseClientMetadata,
      parseIaRequest,
      (given) => parseAuthorizationRequest(isJsonObject(given) ? given : {}),
      (given) => parseResponseParameters(isJsonObject(given) ? given : {}),
      (given) => parseVpToken(given, { credentials: [] }),
      (given) => parseRequestUrl(String(given)),
      (given) => parseIaResponse(String(given), 'ia_post.jwt'),
    ]
    const odd = fc.jsonValue({ maxDepth: 4 }).map((drawn): JsonValue => JSON.parse(JSON.stringify(drawn)))
    fc.assert(
      fc.property(odd, fc.constantFrom(...parsers), (given, parse) => {
        try {
          parse(given)
        } catch (error) {
          expect(error).toHaveProperty('code')
        }
      }),
      { seed: 11, numRuns: 3000 },
    )
  })

  test('is refused, or unchanged in meaning, when one member of a sound request is changed', () => {
    const sound: JsonObject = {
      client_id: 'x509_hash:abc',
      response_type: 'vp_token',
      response_mode: 'direct_post',
      response_uri: 'https://api.example/r',
      nonce: 'n',
      state: 's',
      dcql_query: {
        credentials: [
          { id: 'a', format: 'dc+sd-jwt', meta: { vct_values: ['v'] }, claims: [{ path: ['x'] }] },
        ],
      },
    }
    const change = fc.constantFrom<JsonValue>(null, 7, true, '', [], {}, [null], 'a b')
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(sound)), change, (name, replacement) => {
        try {
          const read = parseAuthorizationRequest({ ...sound, [name]: replacement })
          expect(['client_id', 'response_uri', 'state']).toContain(name)
          expect(JSON.stringify(read)).toContain('a b')
        } catch (error) {
          if (!(error instanceof Error) || !('code' in error)) throw error
          expect(String(error.code)).toMatch(/^(invalid_request|unsupported_response_type)$/)
        }
      }),
      { seed: 3, numRuns: 400 },
    )
  })
})
