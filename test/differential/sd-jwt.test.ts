import type { JsonObject } from '@attache/core'
import { createKeyPool, parsePublicJwk } from '@attache/keys'
import { type SdJwtExpectation, verifySdJwt, verifySdJwtVc } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import { createDice } from '../fuzz/dice.js'
import { rollTrick } from '../fuzz/sd-jwt-tricks.js'
import { NOW } from '../support/clock.js'
import { BINDING, bind, forge, NONCE } from '../support/credentials.js'
import generic from '../vectors/sd-jwt/derived-cases.json' with { type: 'json' }
import keys from '../vectors/sd-jwt/keys.json' with { type: 'json' }
import credentials from '../vectors/sd-jwt-vc/derived-cases.json' with { type: 'json' }
import { askJose, askLibrary, type OraclePolicy } from './oracles.js'
import stricter from './stricter-than-the-library.json' with { type: 'json' }

const { d: _d, ...issuerJwk } = keys.issuer
const key = parsePublicJwk(issuerJwk)
const holderKeys = createKeyPool()

interface DerivedCase {
  readonly id: string
  readonly rule: string
  readonly input: string
  readonly policy: {
    readonly typ: string
    readonly vct?: readonly string[]
    readonly key_binding: string
    readonly now: number
    readonly clock_skew: number
    readonly aud?: string
    readonly nonce?: string
    readonly kb_max_age?: number
    readonly required_claims?: readonly string[]
  }
}
const CASES: readonly DerivedCase[] = [...generic.cases, ...credentials.cases]

/** Claims, or `undefined` for a refusal. */
async function askUs({ input, policy }: DerivedCase): Promise<JsonObject | undefined> {
  const { aud: audience = '', nonce = '', kb_max_age: maxAgeSeconds = 0, typ, vct } = policy
  const expected: SdJwtExpectation = {
    resolveIssuerKey: async () => ({ key, issuer: 'https://issuer.example.com' }),
    algorithms: ['ES256'],
    keyBinding: policy.key_binding === 'required' ? { audience, nonce, maxAgeSeconds } : 'not-required',
    now: policy.now,
    toleranceSeconds: policy.clock_skew,
    requiredClaims: policy.required_claims ?? [],
  }
  const verified =
    vct === undefined
      ? verifySdJwt(input, { ...expected, typ })
      : verifySdJwtVc(input, { ...expected, acceptedTypes: vct })
  return verified.then(
    ({ claims }) => claims,
    () => undefined,
  )
}

const policyOf = ({ policy }: DerivedCase): OraclePolicy => ({
  typ: policy.typ,
  issuerJwk,
  now: policy.now,
  toleranceSeconds: policy.clock_skew,
  nonce: policy.nonce,
  requiredClaims: policy.required_claims ?? [],
})

describe('what we accept, others accept', () => {
  test.each(CASES)('$id', async (given) => {
    const ours = await askUs(given)
    const library = await askLibrary(given.input, policyOf(given))
    if (ours === undefined) {
      // Every case in which the library is more lenient stands in the list, with the rule it breaks.
      const listed = Object.entries(stricter).find(([id]) => id === given.id)?.[1]
      expect(library === undefined ? undefined : given.rule).toBe(listed)
      return
    }
    expect(await askJose(given.input, policyOf(given))).toBeDefined()
    // The library takes a claim named __proto__ for the prototype and so loses it.
    if (given.id === 'special-proto-name') expect(library).toBeDefined()
    else expect(library).toEqual(ours)
  })

  test('the list names no case that is not there', () => {
    const ids = CASES.map(({ id }) => id)

    expect(Object.keys(stricter).filter((id) => !ids.includes(id))).toEqual([])
    expect(Object.keys(stricter)).toHaveLength(80)
  })

  test('of what jose sees, the issuer-signed JWT, it lets pass what this house refuses', async () => {
    const seen = ['SDJWT-V-02', 'SDJWT-V-03', 'SDJWT-V-04', 'SDJWT-V-08', 'SDJWT-V-23', 'VC-F-01', 'VC-F-02']
    const lenient: string[] = []
    for (const given of CASES.filter(({ rule }) => seen.includes(rule))) {
      if ((await askUs(given)) !== undefined) continue
      if ((await askJose(given.input, policyOf(given))) !== undefined)
        lenient.push(`${given.id} ${given.rule}`)
    }
    expect(lenient).toEqual([
      'bad-iat-future SDJWT-V-23',
      // Times inside Disclosures are out of its sight.
      'bad-exp-disclosed-in-past SDJWT-V-23',
      'ok-typ-with-application-prefix VC-F-02',
    ])
  })

  test('1,000 rolled credentials: none that only we accept', async () => {
    const roll = createDice(4)
    const policy = {
      typ: 'dc+sd-jwt',
      issuerJwk,
      now: NOW,
      toleranceSeconds: 60,
      nonce: NONCE,
      requiredClaims: [],
    }
    let accepted = 0
    for (let count = 0; count < 1_000; count += 1) {
      const { payload, disclosures } = rollTrick(roll)
      const text = await bind(await forge(payload, disclosures))
      const ours = await verifySdJwtVc(text, { ...BINDING, holderKeys }).catch(() => undefined)
      if (ours === undefined) continue
      accepted += 1
      expect([text, await askLibrary(text, policy)]).not.toEqual([text, undefined])
      expect(await askJose(text, policy)).toBeDefined()
    }
    expect(accepted).toBeGreaterThan(200)
  })
})
