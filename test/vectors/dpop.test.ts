/**
 * Vectors of DPoP: the proofs RFC 9449 publishes, and 57 requests to a resource with their verdicts.
 *
 * @module
 */
import { createMemoryStore, ProtocolError } from '@attache/core'
import { digest, jwkThumbprint, parseAlgorithms, parsePublicJwk } from '@attache/keys'
import {
  createResourceChallenge,
  type DpopExpectation,
  type DpopProof,
  normalizeTargetUri,
  OAUTH_ERRORS,
  PROTECTED_RESOURCE_ERRORS,
  parsePresentedToken,
  parseWwwAuthenticate,
  rememberProof,
  replayedProof,
  requireConfirmation,
  type ServerNonces,
  verifyDpopProof,
} from '@attache/oauth'
import { describe, expect, test } from 'vitest'
import derived from './dpop/derived-cases.json' with { type: 'json' }
import bound from './dpop/rfc9449-bound-token-and-nonce.json' with { type: 'json' }
import published from './dpop/rfc9449-proofs.json' with { type: 'json' }

type DerivedCase = (typeof derived.cases)[number]

/** The nonces a case names, in place of sealed ones. */
function namedNonces(nonces: readonly string[]): ServerNonces {
  return {
    issue: () => 'fresh-nonce',
    open: (text, now) => (nonces.includes(text) ? { id: text, expiresAt: now + 60 } : undefined),
  }
}

function headersOf(request: DerivedCase['request']): Headers {
  return new Headers(request.headers.map(([name = '', value = '']): [string, string] => [name, value]))
}

/** What a resource does with the request of a case, in the order a gate does it. */
async function judge({ policy, request }: DerivedCase): Promise<void> {
  const headers = headersOf(request)
  const nonces = 'nonces' in policy && policy.nonces ? namedNonces(policy.nonces) : undefined
  const seen = 'seen_jti' in policy && policy.seen_jti ? policy.seen_jti : []
  const token = parsePresentedToken(headers.get('authorization'), request.url)
  if (token === undefined) throw new ProtocolError('invalid_token', 'No token.')
  const confirmation = { jkt: policy.bound_jkt }
  if (token.scheme === 'bearer') return requireConfirmation({ ...token, confirmation }, {})

  const expected: DpopExpectation = {
    method: request.method,
    url: request.url,
    algorithms: parseAlgorithms(policy.algs),
    accessToken: token.accessToken,
    nonces,
    maxAgeSeconds: policy.max_age,
    maxAheadSeconds: policy.future_skew,
  }
  const proof = verifyDpopProof(headers.get('dpop'), expected, policy.now)
  requireConfirmation({ ...token, confirmation }, { jkt: proof.jkt })
  await remember(proof, seen, policy.now)
}

async function remember(proof: DpopProof, seen: readonly string[], now: number): Promise<void> {
  const store = createMemoryStore({ clock: () => now })
  if (seen.includes(proof.jti))
    await store.commit([rememberProof(proof, { tenant: 'default', room: 'gate' })])
  if (!(await store.commit([rememberProof(proof, { tenant: 'default', room: 'gate' })])))
    throw replayedProof()
}

describe('derived cases of DPoP', () => {
  for (const vector of derived.cases) {
    test(`${vector.id} is ${vector.expect}ed [${vector.rule}]`, async () => {
      if (vector.expect === 'accept') return expect(judge(vector)).resolves.toBeUndefined()

      const refusal = await judge(vector).then(
        () => undefined,
        (error: unknown) => error,
      )
      expect(refusal).toBeInstanceOf(ProtocolError)
      if (!(refusal instanceof ProtocolError) || !('error' in vector)) throw refusal
      expect(refusal.code).toBe(vector.error?.www_authenticate_error)
      expect(Object.entries(PROTECTED_RESOURCE_ERRORS)).toContainEqual([refusal.code, vector.error?.status])
      if (vector.error?.dpop_nonce_header === true) expect(refusal.headers).toHaveProperty('DPoP-Nonce')
    })
  }
})

describe('published proofs of DPoP', () => {
  for (const vector of published.cases) {
    test(`the proof of section ${vector.section} is accepted [DPOP-C-01] [DPOP-C-02] [DPOP-S-06]`, () => {
      const accessToken = 'access_token' in vector ? vector.access_token : undefined
      const expected: DpopExpectation = { ...vector.request, algorithms: ['ES256'], accessToken }
      const proof = verifyDpopProof(vector.proof, expected, vector.payload.iat)
      expect(proof).toMatchObject({ jti: vector.payload.jti, jkt: published.jwk_thumbprint_sha256 })
      expect(Object.keys(vector.header.jwk).sort()).toEqual(['crv', 'kty', 'x', 'y'])
    })
  }

  test('the hash of the sample token is the published one [DPOP-C-03]', () => {
    expect(digest('sha-256', published.access_token)).toBe(published.ath)
  })

  test('the sample token is bound to the thumbprint of the sample key [DPOP-A-02]', () => {
    const jkt = jwkThumbprint(parsePublicJwk(published.cases[0]?.header.jwk))
    expect(bound.bound_access_token_payload.cnf.jkt).toBe(jkt)
    expect(jkt).toBe('0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I')
  })

  test('the nonce demands of the standard are ours: status, code and header [DPOP-N-01]', () => {
    const [challenge] = parseWwwAuthenticate(bound.rs_nonce_error.headers['WWW-Authenticate'])
    expect(challenge?.scheme).toBe('dpop')
    expect(challenge?.parameters.get('error')).toBe('use_dpop_nonce')
    expect(PROTECTED_RESOURCE_ERRORS.use_dpop_nonce).toBe(bound.rs_nonce_error.status)
    expect(OAUTH_ERRORS.use_dpop_nonce).toBe(bound.as_nonce_error.status)
    expect(bound.as_nonce_error.body.error in OAUTH_ERRORS).toBe(true)

    const demand = captureRefusal()
    expect(demand.headers).toEqual({ 'DPoP-Nonce': 'fresh-nonce' })
    const ours = parseWwwAuthenticate(createResourceChallenge({ algorithms: ['ES256'], error: demand.code }))
    expect(ours[0]?.parameters.get('error')).toBe('use_dpop_nonce')
  })
})

function captureRefusal(): ProtocolError {
  const [vector] = published.cases
  if (vector === undefined) throw new Error('no vector')
  const expected = { ...vector.request, algorithms: parseAlgorithms(['ES256']), nonces: namedNonces([]) }
  try {
    verifyDpopProof(vector.proof, expected, vector.payload.iat)
  } catch (error) {
    if (error instanceof ProtocolError) return error
  }
  throw new Error('not refused')
}

test('the five accepted spellings of one URI are one, and path case and a final slash are not [DPOP-S-10]', () => {
  const target = normalizeTargetUri('https://api.example.com/v1/tools/run')
  for (const spelling of [
    'https://API.Example.com/v1/tools/run',
    'https://api.example.com:443/v1/tools/run',
    'HTTPS://api.example.com/v1/tools/run',
    'https://api.example.com/v1/x/../tools/./run',
    'https://api.example.com/v1/%74ools/run?a=1#f',
  ]) {
    expect(normalizeTargetUri(spelling)).toBe(target)
  }
  expect(normalizeTargetUri('https://api.example.com/V1/tools/run')).not.toBe(target)
  expect(normalizeTargetUri('https://api.example.com/v1/tools/run/')).not.toBe(target)
})
