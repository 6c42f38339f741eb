import {
  type ClaimsPath,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  setMember,
} from '@attache/core'
import { issueSdJwtVc, presentSdJwtVc, SD_JWT_ERRORS, verifySdJwtVc } from '@attache/sd-jwt'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  AUDIENCE,
  BINDING,
  bind,
  CONTENT,
  disclose,
  holderSigner,
  ISSUER,
  issuerSigner,
  NONCE,
  VCT,
} from '../support/credentials.js'
import { createSeededRandom } from '../support/random.js'

const random = createSeededRandom('properties')
const KEY_BINDING = { signer: holderSigner, audience: AUDIENCE, nonce: NONCE, issuedAt: NOW }
const runs = { seed: 20_260_921, numRuns: 300 }
type Place = readonly (string | number)[]

// What the standards reserve, what must stay visible, and what our issuer refuses by name.
const TAKEN = ['_sd', '...', '_sd_alg', '__proto__', '_sd_decoy', 'aud', 'iat', 'sub']
const FIXED = ['iss', 'nbf', 'exp', 'cnf', 'vct', 'vct#integrity', 'aka_vcts', 'status']
const name = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 6, unit: 'binary' }),
    fc.constantFrom('constructor', 'toString', 'a.b', 'é', ' '),
  )
  .filter((text) => !TAKEN.includes(text) && !FIXED.includes(text))
const leaf = fc.oneof(
  fc.constantFrom<JsonValue>(null, true, false),
  fc.string({ maxLength: 8, unit: 'binary' }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
)
const { value: anyValue } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}))
const anyClaims = fc.dictionary(name, anyValue, { minKeys: 1, maxKeys: 5, noNullPrototype: true })

function placesOf(value: JsonValue, place: Place = []): readonly Place[] {
  const inner: readonly (readonly [string | number, JsonValue])[] = isJsonArray(value)
    ? value.map((element, index) => [index, element] as const)
    : isJsonObject(value)
      ? Object.entries(value)
      : []
  return inner.flatMap(([step, one]) => [[...place, step], ...placesOf(one, [...place, step])])
}

const pathOf = (place: Place): ClaimsPath => {
  const [first, ...rest] = place
  if (first === undefined) throw new Error('the root is no claim')
  return [first, ...rest]
}
const leadsThrough = (one: Place, other: Place) =>
  one.every((step, at) => at >= other.length || step === other[at])

/** What must be seen: the claims, less every disclosable one that no chosen path leads through. */
function seen(
  value: JsonValue,
  facts: { disclosable: ReadonlySet<string>; chosen: readonly Place[] },
  place: Place = [],
): JsonValue {
  const stays = (step: string | number) => {
    const here = [...place, step]
    return !facts.disclosable.has(JSON.stringify(here)) || facts.chosen.some((one) => leadsThrough(one, here))
  }
  if (isJsonArray(value)) {
    return value.flatMap((one, index) => (stays(index) ? [seen(one, facts, [...place, index])] : []))
  }
  if (!isJsonObject(value)) return value
  const left: Record<string, JsonValue> = {}
  for (const [step, one] of Object.entries(value))
    if (stays(step)) setMember(left, step, seen(one, facts, [...place, step]))
  return left
}

const anyCase = anyClaims.chain((claims) => {
  const places = placesOf(claims)
  return fc.subarray([...places], { maxLength: Math.min(40, places.length) }).chain((disclosable) =>
    fc.record({
      claims: fc.constant<JsonObject>(claims),
      disclosable: fc.constant(disclosable),
      chosen: fc.subarray([...places], { maxLength: Math.min(6, places.length) }),
      decoys: fc.boolean(),
    }),
  )
})

describe('properties', () => {
  test('any claims and any choice of paths survive issuing, presenting and verifying, exactly [SDJWT-V-10] [SDJWT-H-05] [SDJWT-H-09]', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ claims, disclosable, chosen, decoys }) => {
        const base = { vct: VCT, iss: ISSUER, exp: NOW + 60 }
        const credential = await issueSdJwtVc(
          {
            claims: { ...claims, ...base },
            disclosable: disclosable.map(pathOf),
            holderKey: holderSigner.publicJwk,
            ...(decoys ? { decoys: [{ at: [], fillTo: 7 }] } : {}),
          },
          { signer: issuerSigner, random },
        )
        const presentation = await presentSdJwtVc(credential, {
          disclose: chosen.map(pathOf),
          keyBinding: KEY_BINDING,
        })
        const verified = await verifySdJwtVc(presentation, BINDING)

        const facts = { disclosable: new Set(disclosable.map((place) => JSON.stringify(place))), chosen }
        const expected = seen(claims, facts)
        const { vct: _v, iss: _i, exp: _e, cnf: _c, ...found } = verified.claims
        expect(found).toEqual(expected)
      }),
      runs,
    )
  })

  const original = issueSdJwtVc(CONTENT, { signer: issuerSigner, random }).then((credential) =>
    presentSdJwtVc(credential, { disclose: [['agent'], ['owner'], ['regions', 1]], keyBinding: KEY_BINDING }),
  )
  const codeOf = async (text: string): Promise<string> =>
    verifySdJwtVc(text, BINDING).then(
      () => 'accepted',
      (error: { readonly name: string; readonly code: string }) =>
        error.name === 'VerificationError' ? error.code : `fault ${String(error)}`,
    )

  test('any single character changed, dropped or added is refused by name [SDJWT-V-03] [SDJWT-K-17] [SDJWT-D-06]', async () => {
    const text = await original
    const edit = fc.record({
      at: fc.nat({ max: text.length - 1 }),
      put: fc.oneof(
        fc.constantFrom('', 'A', '~', '.', '=', '_', ' '),
        fc.string({ minLength: 1, maxLength: 1 }),
      ),
      over: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(edit, async ({ at, put, over }) => {
        const changed = text.slice(0, at) + put + text.slice(over ? at + 1 : at)
        if (changed === text) expect(await codeOf(changed)).toBe('accepted')
        else expect(Object.keys(SD_JWT_ERRORS)).toContain(await codeOf(changed))
      }),
      { ...runs, numRuns: 1500 },
    )
  })

  test('Disclosures dropped, doubled, swapped or foreign are refused, also under a fresh KB-JWT where it matters [SDJWT-V-19] [SDJWT-V-20] [SDJWT-H-04]', async () => {
    const text = await original
    const [jwt = '', ...rest] = text.split('~')
    const [tail = '', ...reversed] = rest.toReversed()
    const own = reversed.toReversed()
    const foreign = disclose('salt', 'role', 'admin')
    const anyOrder = fc.array(fc.constantFrom(...own, foreign), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(anyOrder, async (disclosures) => {
        const presented = [jwt, ...disclosures, ''].join('~')
        const isOriginal = JSON.stringify(disclosures) === JSON.stringify(own)
        expect((await codeOf(presented + tail)) === 'accepted').toBe(isOriginal)

        // Signed anew, only a foreign, doubled or orphaned Disclosure is wrong.
        const isSet = new Set(disclosures).size === disclosures.length && !disclosures.includes(foreign)
        const code = await codeOf(await bind(presented))
        if (!isSet) expect(['disclosure_repeated', 'disclosure_unreferenced']).toContain(code)
        else expect(['accepted', 'disclosure_unreferenced']).toContain(code)
      }),
      runs,
    )
  })
})
