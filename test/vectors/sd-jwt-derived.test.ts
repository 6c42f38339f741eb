/**
 * The derived SD-JWT and SD-JWT VC cases: one verdict each.
 *
 * Source: test/vectors/sd-jwt/derived-cases.json, test/vectors/sd-jwt-vc/derived-cases.json.
 */
import { isJsonObject, type JsonObject, member, VerificationError } from '@attache/core'
import { type JwsAlgorithm, parsePublicJwk } from '@attache/keys'
import { SD_JWT_ERRORS, type SdJwtExpectation, verifySdJwt, verifySdJwtVc } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import genericCases from './sd-jwt/derived-cases.json' with { type: 'json' }
import keys from './sd-jwt/keys.json' with { type: 'json' }
import vcCases from './sd-jwt-vc/derived-cases.json' with { type: 'json' }

const { d: _d, ...issuerPublic } = keys.issuer
const issuerKey = parsePublicJwk(issuerPublic)
const algorithms: readonly JwsAlgorithm[] = ['ES256']

interface Policy {
  readonly typ: string
  readonly key_binding: string
  readonly now: number
  readonly clock_skew: number
  readonly aud?: string
  readonly nonce?: string
  readonly kb_max_age?: number
  readonly required_claims?: readonly string[]
}

function expectationOf(policy: Policy): SdJwtExpectation {
  const { aud, nonce, kb_max_age: maxAgeSeconds } = policy
  const required = policy.key_binding === 'required'
  if (required && (aud === undefined || nonce === undefined || maxAgeSeconds === undefined)) {
    throw new Error('the case lacks what key binding needs')
  }
  return {
    resolveIssuerKey: async () => ({ key: issuerKey, issuer: 'https://issuer.example.com' }),
    algorithms,
    keyBinding: required
      ? { audience: aud ?? '', nonce: nonce ?? '', maxAgeSeconds: maxAgeSeconds ?? 0 }
      : 'not-required',
    now: policy.now,
    toleranceSeconds: policy.clock_skew,
    ...(policy.required_claims === undefined ? {} : { requiredClaims: policy.required_claims }),
  }
}

/** Id and rule for the title; `$name` would put them in quotes. */
function titled<Case extends { readonly id: string; readonly rule: string }>(cases: readonly Case[]) {
  return cases.map((one) => [one.id, one.rule, one] as const)
}

async function judge(verify: () => Promise<{ readonly claims: JsonObject }>): Promise<JsonObject | string> {
  try {
    return (await verify()).claims
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    return error.code
  }
}

describe('verifySdJwt: derived cases', () => {
  test.each(titled(genericCases.cases))('%s gets its verdict [%s]', async (_, __, given) => {
    const verdict = await judge(() =>
      verifySdJwt(given.input, { ...expectationOf(given.policy), typ: given.policy.typ }),
    )
    if (given.expect === 'reject') expect(Object.keys(SD_JWT_ERRORS)).toContain(verdict)
    else if (given.expect === 'accept') expect(verdict).toEqual(given.processed)
    else {
      expect(Object.hasOwn(Object.prototype, 'admin')).toBe(false)
      expect(isJsonObject(verdict) ? member(verdict, 'admin') : undefined).toBeUndefined()
    }
  })
})

describe('verifySdJwtVc: derived cases', () => {
  test.each(titled(vcCases.cases))('%s gets its verdict [%s]', async (_, __, given) => {
    const verdict = await judge(() =>
      verifySdJwtVc(given.input, { ...expectationOf(given.policy), acceptedTypes: given.policy.vct }),
    )
    if (given.expect === 'accept') expect(verdict).toEqual(given.processed)
    // application/dc+sd-jwt as typ is left open by the vector; this house refuses it.
    else expect(Object.keys(SD_JWT_ERRORS)).toContain(verdict)
  })
})
