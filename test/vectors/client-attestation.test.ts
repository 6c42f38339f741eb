/**
 * Vectors of attestation-based client authentication: the published JWTs, and 40 requests with their verdicts.
 *
 * @module
 */
import { createMemoryStore, ProtocolError } from '@attache/core'
import { type JwsAlgorithm, parsePublicJwk } from '@attache/keys'
import {
  type ClientAttestationExpectation,
  type DpopProof,
  OAUTH_ERRORS,
  rememberPop,
  replayedPop,
  type ServerNonces,
  verifyClientAttestation,
  verifyDpopProof,
} from '@attache/oauth'
import { describe, expect, test } from 'vitest'
import published from './client-attestation/abca-examples.json' with { type: 'json' }
import derived from './client-attestation/derived-cases.json' with { type: 'json' }

type DerivedCase = (typeof derived.cases)[number]

const ALGORITHMS: readonly JwsAlgorithm[] = ['ES256']

function named(texts: readonly string[]): ServerNonces {
  return {
    issue: () => 'fresh',
    open: (text, now) => (texts.includes(text) ? { id: text, expiresAt: now + 60 } : undefined),
  }
}

function expectationOf(policy: DerivedCase['policy']): ClientAttestationExpectation {
  return {
    audience: policy.as_issuer,
    attesters: [{ name: 'sample', keys: [parsePublicJwk(derived.trusted_attester_jwk)], clients: 'any' }],
    algorithms: ALGORITHMS,
    challenges: policy.challenge_required ? named(policy.valid_challenges) : undefined,
    dpopCombined: policy.dpop_combined_supported,
    maxAttestationAgeSeconds: 'max_attestation_age' in policy ? policy.max_attestation_age : undefined,
    maxAgeSeconds: policy.pop_max_age,
    maxAheadSeconds: policy.future_skew,
  }
}

function verifyDpop({ policy, request }: DerivedCase, headers: Headers): DpopProof | undefined {
  const proof = headers.get('dpop')
  const nonces = 'dpop_nonces' in policy && policy.dpop_nonces ? named(policy.dpop_nonces) : undefined
  if (proof === null) return undefined
  const { method, url } = request
  return verifyDpopProof(proof, { method, url, algorithms: ALGORITHMS, nonces }, policy.now)
}

/** What a token endpoint does with the request of a case. */
async function judge(vector: DerivedCase): Promise<string> {
  const { policy, request } = vector
  const headers = new Headers(
    request.headers.map(([name = '', value = '']): [string, string] => [name, value]),
  )
  const client = verifyClientAttestation(
    {
      attestation: headers.get('oauth-client-attestation'),
      pop: headers.get('oauth-client-attestation-pop'),
      dpop: verifyDpop(vector, headers),
      clientId: 'client_id' in request.form ? request.form.client_id : undefined,
    },
    expectationOf(policy),
    policy.now,
  )
  const store = createMemoryStore({ clock: () => policy.now })
  if (client.pop !== undefined) {
    const step = rememberPop(client.pop, { tenant: 'default', room: 'issuer' })
    const seen = 'seen_jti' in policy && policy.seen_jti ? policy.seen_jti.length > 0 : false
    if (seen) await store.commit([step])
    if (!(await store.commit([step]))) throw replayedPop()
  }
  return client.clientId
}

describe('derived cases of client attestation', () => {
  for (const vector of derived.cases) {
    test(`${vector.id} is ${vector.expect}ed [${vector.rule}]`, async () => {
      if (vector.expect === 'accept') return expect(judge(vector)).resolves.toBe('https://client.example.com')

      const refusal = await judge(vector).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (!(refusal instanceof ProtocolError) || !('error' in vector)) throw refusal
      expect(refusal.code).toBe(vector.error?.error)
      expect(Object.entries(OAUTH_ERRORS)).toContainEqual([refusal.code, vector.error?.status])
      if (vector.error?.challenge_header === true) {
        expect(refusal.headers).toEqual({ 'OAuth-Client-Attestation-Challenge': 'fresh' })
      }
      if (vector.error?.dpop_nonce_header === true) expect(refusal.headers).toEqual({ 'DPoP-Nonce': 'fresh' })
    })
  }
})

describe('published client attestation', () => {
  for (const pop of published.pops) {
    test(`is accepted with its PoP for ${pop.payload.aud} [ABCA-A-04] [ABCA-P-04] [ABCA-P-05]`, () => {
      const client = verifyClientAttestation(
        { attestation: published.client_attestation.jwt, pop: pop.jwt },
        {
          audience: pop.payload.aud,
          attesters: [{ name: 'sample', keys: [publicHalf(published.attester_jwk)], clients: 'any' }],
          algorithms: ALGORITHMS,
          challenges: named([pop.payload.challenge]),
          dpopCombined: false,
        },
        pop.payload.iat,
      )
      expect(client.clientId).toBe(published.client_attestation.payload.sub)
      expect(client.instanceKey).toMatchObject({ x: published.client_instance_jwk.x, kty: 'EC' })
    })
  }
})

function publicHalf({ d: _private, ...jwk }: typeof published.attester_jwk) {
  return parsePublicJwk(jwk)
}
