/**
 * Whatever a stranger sends, each parser and verifier either takes it or refuses it with a listed code. A
 * fault would be answered with 500 and logged as our own mistake.
 *
 * @module
 */
import { encodeBase64url, isJsonObject, ProtocolError, utf8, VerificationError } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, signJws } from '@attache/keys'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAcceptSignature } from './accept-signature.js'
import { verifyAccessToken } from './access-token.js'
import { parseChallengeResponse } from './attestation-challenge.js'
import {
  parseAuthorizationChallengeRequest,
  parseAuthorizationChallengeResponse,
} from './authorization-challenge-fipa03.js'
import { parseAuthorizationRequest } from './authorization-request.js'
import { parseAuthorizationServerMetadata } from './authorization-server-metadata.js'
import { verifyClientAttestation } from './client-attestation.js'
import { verifyContentDigest } from './content-digest.js'
import { verifyDpopProof } from './dpop.js'
import {
  OAUTH_ANSWER_FAILURES,
  OAUTH_CHECK_FAILURES,
  OAUTH_ERRORS,
  PROTECTED_RESOURCE_ERRORS,
} from './errors.js'
import { verifySignedRequest } from './http-signature.js'
import { parseIntrospectionResponse } from './introspection.js'
import { clientCertificate, verifyMtlsClient } from './mtls.js'
import { parsePushedAuthorizationReference, parsePushedAuthorizationResponse } from './par.js'
import { parsePresentedToken } from './protected-request.js'
import { parseProtectedResourceMetadata } from './protected-resource-metadata.js'
import { parseTokenRequest } from './token-request.js'
import { parseErrorResponse, parseTokenResponse } from './token-response.js'

const NOW = 1_790_000_000
const RUNS = { seed: 23, numRuns: 150 }
const LISTED: readonly string[] = [
  OAUTH_ERRORS,
  PROTECTED_RESOURCE_ERRORS,
  OAUTH_ANSWER_FAILURES,
  OAUTH_CHECK_FAILURES,
].flatMap((table) => Object.keys(table))
const signer = createSoftwareSigner(generatePrivateJwk('ES256'))

/** Nothing when it is taken or properly refused; else what went wrong. */
function faultOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    const known = error instanceof ProtocolError || error instanceof VerificationError
    if (!known) return `fault ${String(error)}`
    // error_description: printable ASCII without quote and backslash (RFC 6749, section 5.2).
    if (!/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/.test(error.message)) return `unprintable ${error.message}`
    return LISTED.includes(error.code) ? undefined : `unlisted ${error.code}`
  }
}

const names = fc.constantFrom(
  'error',
  'error_code',
  'access_token',
  'token_type',
  'issuer',
  'resource',
  'authorization_details',
  'auth_session',
  'interaction_type_required',
  'authorization_code',
  'active',
  'cnf',
  'request_uri',
  'expires_in',
  'attestation_challenge',
  '__proto__',
  'constructor',
)
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom('insufficient_authorization', 'https://a.example', 'DPoP', true, 60),
)
const members = fc.array(fc.tuple(names, value), { maxLength: 6 }).map((pairs) => {
  const text = `{${pairs.map(([name, member]) => `${JSON.stringify(name)}:${JSON.stringify(member)}`).join(',')}}`
  const parsed: unknown = JSON.parse(text)
  return parsed
})
const body = fc.oneof(members, fc.jsonValue({ maxDepth: 2 }))

describe('answers', () => {
  test('of any shape are taken or refused', () => {
    fc.assert(
      fc.property(body, (answer) => {
        for (const parse of [
          () => parseTokenResponse(answer, { dpopBound: true }),
          () => parseErrorResponse(answer),
          () => parsePushedAuthorizationResponse(answer),
          () => parseChallengeResponse(answer),
          () => parseIntrospectionResponse(answer),
          () => parseAuthorizationChallengeResponse(answer, { interactionTypesSupported: ['urn:a'] }),
          () => parseAuthorizationServerMetadata(answer, { issuer: 'https://a.example' }),
          () => parseProtectedResourceMetadata(answer, { resource: 'https://a.example' }),
        ]) {
          expect(faultOf(parse)).toBeUndefined()
        }
      }),
      RUNS,
    )
  })

  test('cannot set a prototype, nor be taken for a member that is only inherited', () => {
    const polluted: unknown = JSON.parse('{"error":"x","__proto__":{"auth_session":"inherited"}}')
    const parsed = parseAuthorizationChallengeResponse(polluted, { interactionTypesSupported: [] })
    expect(parsed).toEqual({ kind: 'error', error: 'x', errorDescription: undefined, authSession: undefined })
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype)
  })
})

const parameter = fc.constantFrom(
  'grant_type',
  'code',
  'scope',
  'resource',
  'authorization_details',
  'response_type',
  'code_challenge',
  'code_challenge_method',
  'dpop_jkt',
  'auth_session',
  'interaction_types_supported',
  'client_id',
  'request_uri',
  'constructor',
)
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('code', 'authorization_code', 'refresh_token', '[{"type":"a"}]', '[[[[', 'S256'),
)

describe('requests', () => {
  test('of any parameters are taken or refused', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(parameter, text), { maxLength: 8 }), (pairs) => {
        const form = new Map(pairs)
        for (const parse of [
          parseTokenRequest,
          parseAuthorizationRequest,
          parseAuthorizationChallengeRequest,
          parsePushedAuthorizationReference,
        ]) {
          expect(faultOf(() => parse(form))).toBeUndefined()
        }
      }),
      RUNS,
    )
  })

  const segment = fc.oneof(
    fc.string(),
    fc.json({ maxDepth: 3 }).map((json) => encodeBase64url(utf8(json))),
  )
  const jwt = fc.oneof(
    fc.string(),
    fc.array(segment, { minLength: 2, maxLength: 4 }).map((segments) => segments.join('.')),
  )
  const dpop = { method: 'POST', url: 'https://a.example/token', algorithms: ['ES256'] as const }
  const client = {
    audience: 'https://a.example',
    attesters: [{ name: 'a', keys: [signer.publicJwk], clients: 'any' as const }],
    algorithms: ['ES256'] as const,
    dpopCombined: true,
  }
  const token = {
    issuer: 'https://a.example',
    audience: 'https://b.example',
    keys: [signer.publicJwk],
    algorithms: ['ES256'] as const,
  }

  test('of any tokens and proofs are taken or refused', () => {
    fc.assert(
      fc.property(jwt, jwt, (first, second) => {
        expect(faultOf(() => verifyDpopProof(first, dpop, NOW))).toBeUndefined()
        expect(
          faultOf(() => verifyClientAttestation({ attestation: first, pop: second }, client, NOW)),
        ).toBeUndefined()
        expect(faultOf(() => verifyAccessToken(first, token, NOW))).toBeUndefined()
        expect(faultOf(() => parsePresentedToken(first, `https://a.example/?${second}`))).toBeUndefined()
      }),
      RUNS,
    )
  })

  test('of any claims under a good signature are taken or refused', async () => {
    const claim = fc.constantFrom(
      'jti',
      'htm',
      'htu',
      'iat',
      'ath',
      'nonce',
      'exp',
      'nbf',
      'sub',
      'iss',
      'aud',
      'cnf',
      'client_id',
      'scope',
    )
    const claims = fc.dictionary(
      claim,
      fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(NOW, 'POST', 'https://a.example/token')),
    )
    await fc.assert(
      fc.asyncProperty(claims, async (found) => {
        const payload: unknown = JSON.parse(JSON.stringify(found))
        if (!isJsonObject(payload)) return
        const jwk = { ...signer.publicJwk }
        const sign = (typ: string) => signJws({ header: { typ, jwk }, payload }, signer)
        const [proof, attestation, accessToken] = [
          await sign('dpop+jwt'),
          await sign('oauth-client-attestation+jwt'),
          await sign('at+jwt'),
        ]
        expect(faultOf(() => verifyDpopProof(proof, dpop, NOW))).toBeUndefined()
        expect(
          faultOf(() => verifyClientAttestation({ attestation, pop: proof }, client, NOW)),
        ).toBeUndefined()
        expect(faultOf(() => verifyAccessToken(accessToken, token, NOW))).toBeUndefined()
      }),
      { ...RUNS, numRuns: 80 },
    )
  })

  test('of any signature fields, digests and certificates are taken or refused', () => {
    const field = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'agent=("@method" ;req);:AA==:,1?"') }),
      fc.constantFrom(
        'agent=("@query-param";name="a");tag="agent-tool-call"',
        'agent=:AAAA:',
        'sha-256=:AAAA:',
        'sha-256=1',
      ),
    )
    const header = fc.tuple(
      fc.constantFrom(
        'Signature-Input',
        'Signature',
        'Content-Digest',
        'Authorization',
        'DPoP',
        'Client-Cert',
      ),
      field,
    )
    fc.assert(
      fc.property(fc.array(header, { maxLength: 6 }), field, (headers, other) => {
        const request = { method: 'POST', url: 'https://a.example/x?a=%zz', headers, body: utf8('{}') }
        expect(faultOf(() => verifySignedRequest(request, { key: signer.publicJwk }, NOW))).toBeUndefined()
        expect(faultOf(() => verifyContentDigest(other, utf8('{}')))).toBeUndefined()
        expect(faultOf(() => parseAcceptSignature(other))).toBeUndefined()
        const registration = { method: 'self_signed_tls_client_auth' as const, keys: [signer.publicJwk] }
        expect(faultOf(() => verifyMtlsClient([utf8(other)], registration, NOW))).toBeUndefined()
        const latin = other.replace(/[^\x20-\x7e]/g, '')
        const connection = { headers: new Headers({ 'Client-Cert': latin }) }
        expect(
          faultOf(() => clientCertificate(connection, { from: 'proxy', header: 'Client-Cert' })),
        ).toBeUndefined()
      }),
      RUNS,
    )
  })
})
