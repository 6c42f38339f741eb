/**
 * The published SD-JWT and SD-JWT VC examples: bytes, digests, signatures, processed payloads.
 *
 * Source: the `source` member of each file in test/vectors/sd-jwt and test/vectors/sd-jwt-vc.
 */
import { type ClaimsPath, type JsonObject, type JsonValue, parseClaimsPath } from '@attache/core'
import { digest, parseJws, parsePublicJwk } from '@attache/keys'
import { compactFromJson, issueSdJwtVc, presentSdJwtVc, verifySdJwt, verifySdJwtVc } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import { GENERIC, holderSigner, issuerSigner, NO_BINDING, signRaw, VCT } from '../support/credentials.js'
import { OTHER_ISSUER_KEY } from '../support/published-keys.js'
import { createSeededRandom } from '../support/random.js'
import generation from './sd-jwt/generation-cases.json' with { type: 'json' }
import encoding from './sd-jwt/rfc9901-4-disclosure-encoding.json' with { type: 'json' }
import simple from './sd-jwt/rfc9901-5-simple.json' with { type: 'json' }
import nested from './sd-jwt/rfc9901-6-nested.json' with { type: 'json' }
import serialized from './sd-jwt/rfc9901-8-json-serialization.json' with { type: 'json' }
import decoys from './sd-jwt/rfc9901-a1-structured-decoys.json' with { type: 'json' }
import complex from './sd-jwt/rfc9901-a2-complex.json' with { type: 'json' }
import rfcPid from './sd-jwt/rfc9901-a3-sd-jwt-vc-pid.json' with { type: 'json' }
import vcdm from './sd-jwt/rfc9901-a4-w3c-vcdm2.json' with { type: 'json' }
import identity from './sd-jwt-vc/draft19-2.3-identity-credential.json' with { type: 'json' }
import pid from './sd-jwt-vc/draft19-a1-pid.json' with { type: 'json' }

const AT = 1_750_000_000
/** The verifiers of RFC 9901 and of the SD-JWT VC draft. */
const VERIFIERS = ['https://verifier.example.org', 'https://example.com/verifier']

/** Typ and type as each example states them; everything else is expected, not read off. */
function openly(text: string) {
  const { header, payload } = parseJws(text.split('~')[0] ?? '', { maxDepth: 32 })
  return { typ: String(header['typ']), vct: String(payload['vct']) }
}

async function processed(text: string): Promise<JsonObject> {
  const { typ, vct } = openly(text)
  const tail = text.slice(text.lastIndexOf('~') + 1)
  const kb = tail === '' ? undefined : parseJws(tail).payload
  const expected = {
    ...NO_BINDING,
    acceptedTypes: [vct],
    now: typeof kb?.['iat'] === 'number' ? kb['iat'] : AT,
    keyBinding:
      kb === undefined
        ? ('not-required' as const)
        : { audience: VERIFIERS, nonce: '1234567890', maxAgeSeconds: 300 },
  }
  const verified =
    typ === 'dc+sd-jwt' ? await verifySdJwtVc(text, expected) : await verifySdJwt(text, { ...expected, typ })
  return verified.claims
}

/** What a payload and Disclosures, printed without a signature, come to. */
async function processedUnsigned(payload: JsonObject, disclosures: readonly string[]): Promise<JsonObject> {
  const jwt = await signRaw({ alg: 'ES256', typ: 'example+sd-jwt' }, payload)
  return (await verifySdJwt([jwt, ...disclosures, ''].join('~'), { ...GENERIC, now: AT })).claims
}

describe('published presentations', () => {
  test.each([
    ['RFC 9901, 5.2, with key binding', simple.sd_jwt_kb, simple.processed_payload],
    ['RFC 9901, A.1', decoys.sd_jwt_presentation, decoys.processed_payload],
    ['RFC 9901, A.2', complex.sd_jwt_presentation, complex.processed_payload],
    ['RFC 9901, A.3, with key binding', rfcPid.sd_jwt_kb, rfcPid.processed_payload],
    ['RFC 9901, A.4, with key binding', vcdm.sd_jwt_kb, vcdm.processed_payload],
    ['SD-JWT VC, 2.3, with key binding', identity.sd_jwt_kb, identity.processed_payload_kb],
    ['SD-JWT VC, 2.3, without cnf', identity.sd_jwt_without_cnf, identity.processed_payload_without_cnf],
    ['SD-JWT VC, A.1, with key binding', pid.sd_jwt_kb, pid.processed_payload],
  ])('%s is processed as printed [SDJWT-V-10] [SDJWT-K-10] [VC-F-14]', async (_, text, payload) => {
    expect(await processed(text)).toEqual(payload)
  })

  test.each([
    ['RFC 9901, 5.1', simple.sd_jwt, simple.input_claims],
    ['RFC 9901, A.3', rfcPid.sd_jwt, rfcPid.input_claims],
    ['RFC 9901, A.4', vcdm.sd_jwt, vcdm.input_claims],
    ['SD-JWT VC, 2.3', identity.sd_jwt, identity.input_claims],
    ['SD-JWT VC, A.1', pid.sd_jwt, pid.input_claims],
  ])('%s, as issued, holds all input claims [SDJWT-V-10] [SDJWT-V-15]', async (_, text, claims) => {
    expect(await processed(text)).toMatchObject(claims)
  })

  test.each([
    ['5', simple],
    ['A.1', decoys],
    ['A.2', complex],
    ['A.3', rfcPid],
    ['A.4', vcdm],
    ['VC 2.3', identity],
    ['VC A.1', pid],
  ])('the digests of %s are those of the text as printed [SDJWT-F-04] [SDJWT-I-06]', (_, { disclosures }) => {
    for (const one of disclosures) expect(digest('sha-256', one.disclosure)).toBe(one.digest)
  })

  test('sd_hash of RFC 9901, 5.2 [SDJWT-K-03]', () => {
    const presented = simple.sd_jwt_kb.slice(0, simple.sd_jwt_kb.lastIndexOf('~') + 1)

    expect(digest('sha-256', presented)).toBe('0_Af-2B-EhLWX5ydh_w2xzwmO6iM66B_2QCEanI4fUY')
    expect(simple.kb_payload.sd_hash).toBe('0_Af-2B-EhLWX5ydh_w2xzwmO6iM66B_2QCEanI4fUY')
  })
})

describe('RFC 9901, 4.2 and 6', () => {
  test('four encodings of one Disclosure have four digests; each is accepted under its own [SDJWT-F-04] [SDJWT-V-09]', async () => {
    const { disclosure, sha256_digest: known, equivalent_encodings: others } = encoding.object_property
    const texts = [disclosure, ...Object.values(others)]

    expect(digest('sha-256', disclosure)).toBe(known)
    expect(new Set(texts.map((text) => digest('sha-256', text))).size).toBe(4)
    for (const text of texts) {
      const own = await processedUnsigned({ _sd: [digest('sha-256', text)] }, [text])
      expect(own).toEqual({ family_name: 'Möbius' })
      if (text === disclosure) continue
      await expect(processedUnsigned({ _sd: [known] }, [text])).rejects.toMatchObject({
        code: 'disclosure_unreferenced',
      })
    }
  })

  test('array elements keep their order, undisclosed ones go [SDJWT-V-16] [SDJWT-I-08]', async () => {
    const { payload, disclosure, ...expected } = encoding.array_element

    expect(await processedUnsigned(payload, [disclosure])).toEqual(expected.processed_with_disclosure)
    expect(await processedUnsigned(payload, [])).toEqual(expected.processed_without_disclosure)
  })

  test('recursive disclosure of 4.2.6 [SDJWT-V-15]', async () => {
    const { inner_payload: payload, disclosures } = encoding.recursive_4_2_6

    for (const one of disclosures) expect(digest('sha-256', one.disclosure)).toBe(one.sha256_digest)
    expect(
      await processedUnsigned(
        payload,
        disclosures.map((one) => one.disclosure),
      ),
    ).toEqual({ family_name: 'Möbius', nationalities: ['DE', 'FR', 'UK'] })
  })

  test.each([nested.flat_6_1, nested.structured_6_2, nested.recursive_6_3])(
    'section $source, everything disclosed [SDJWT-I-13] [SDJWT-V-15]',
    async ({ issuer_payloads: payloads, disclosures }) => {
      const address = {
        street_address: 'Schulstr. 12',
        locality: 'Schulpforta',
        region: 'Sachsen-Anhalt',
        country: 'DE',
      }
      for (const one of disclosures) expect(digest('sha-256', one.disclosure)).toBe(one.digest)
      const claims = await processedUnsigned(
        payloads[0] ?? {},
        disclosures.map((one) => one.disclosure),
      )
      expect(claims).toMatchObject({ address })
    },
  )
})

describe('RFC 9901, 8: JSON forms', () => {
  const expected = { ...GENERIC, now: 1_748_537_244 }
  const keyBinding = { audience: 'https://verifier.example.org', nonce: '1234567890', maxAgeSeconds: 300 }

  test('flattened, rebuilt to the compact form, verifies [SDJWT-J-01]', async () => {
    const verified = await verifySdJwt(compactFromJson(serialized.flattened_sd_jwt), expected)

    expect(verified.claims).toMatchObject({ sub: 'john_doe_42', given_name: 'John', birthdate: '1940-01-01' })
    await expect(verifySdJwt(serialized.flattened_sd_jwt, expected)).rejects.toMatchObject({
      code: 'sd_jwt_json_serialization',
    })
  })

  test('sd_hash is made over the rebuilt compact form, flattened and general [SDJWT-J-02]', async () => {
    for (const form of [serialized.flattened_sd_jwt_kb, serialized.general_sd_jwt_kb]) {
      const verified = await verifySdJwt(compactFromJson(form), { ...expected, keyBinding })
      expect(verified.claims).toMatchObject({ given_name: 'John', family_name: 'Doe' })
    }
  })

  test('the second signature of the general form is the second issuer key [SDJWT-J-01]', async () => {
    const { d: _d, ...other } = OTHER_ISSUER_KEY
    const second = compactFromJson(serialized.general_sd_jwt_kb, 1)
    const resolveIssuerKey = async () => ({
      key: parsePublicJwk(other),
      issuer: 'https://issuer.example.com',
    })

    const withoutBinding = second.slice(0, second.lastIndexOf('~') + 1)
    await expect(verifySdJwt(withoutBinding, { ...expected, resolveIssuerKey })).resolves.toMatchObject({
      claims: { given_name: 'John' },
    })
    await expect(verifySdJwt(withoutBinding, expected)).rejects.toMatchObject({ code: 'jws_signature' })
  })

  test('disclosures or kb_jwt in a second header are refused [SDJWT-J-01]', () => {
    const general = serialized.general_sd_jwt_kb
    for (const extra of [{ disclosures: [] }, { kb_jwt: 'a.b.c' }]) {
      const signatures = general.signatures.map((one, at) => (at === 1 ? { ...one, header: extra } : one))
      expect(() => compactFromJson({ payload: general.payload, signatures })).toThrow(
        expect.objectContaining({ code: 'sd_jwt_malformed' }),
      )
    }
    for (const broken of [null, [], 'x', {}, { payload: 'x' }, { ...general, signatures: [] }]) {
      expect(() => compactFromJson(broken)).toThrow(expect.objectContaining({ code: 'sd_jwt_malformed' }))
    }
  })
})

describe('generation cases of sd-jwt-python', () => {
  const pathOf = (value: unknown): ClaimsPath => {
    const path = parseClaimsPath(value)
    if (path === undefined) throw new Error('a case names no claims path')
    return path
  }
  // A path here shows a claim with everything in it; the cases name each Disclosure, parents included.
  const leaves = (paths: readonly ClaimsPath[]) =>
    paths.filter(
      (path) =>
        !paths.some((other) => other.length > path.length && path.every((one, at) => one === other[at])),
    )
  const without = (claims: JsonObject): JsonValue => {
    const { vct: _v, iss: _i, cnf: _c, ...rest } = claims
    return rest
  }

  test.each(generation.cases)(
    '$name: made, chosen and judged by us [SDJWT-V-10] [SDJWT-I-13]',
    async (given) => {
      const credential = await issueSdJwtVc(
        {
          claims: { ...given.claims, vct: VCT, iss: 'https://issuer.example' },
          disclosable: given.sd_paths.map(pathOf),
          holderKey: holderSigner.publicJwk,
        },
        { signer: issuerSigner, random: createSeededRandom(given.name) },
      )
      const disclose = leaves(given.disclose_paths.map(pathOf))
      const text = await presentSdJwtVc(credential, { disclose, keyBinding: 'none' })

      const { claims } = await verifySdJwtVc(text, NO_BINDING)
      expect(without(claims)).toEqual(given.expected_processed_claims)
    },
  )
})
