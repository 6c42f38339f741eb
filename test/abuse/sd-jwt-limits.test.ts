import type { JsonValue } from '@attache/core'
import { DEFAULT_LIMITS, issueSdJwtVc, type SdJwtLimits, verifySdJwtVc } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import {
  BINDING,
  bind,
  CONTENT,
  digestOf,
  disclose,
  forge,
  issuerSigner,
  NO_BINDING,
  otherSigner,
  signRaw,
  trustIssuer,
  VCT,
} from '../support/credentials.js'
import { createSeededRandom } from '../support/random.js'

const credential = await issueSdJwtVc(CONTENT, { signer: issuerSigner, random: createSeededRandom('limits') })

/** Judges while counting calls of the resolver, the one place from which a request can start. */
async function judge(text: string, limits: Partial<SdJwtLimits> = {}) {
  let asked = 0
  const outcome = await verifySdJwtVc(text, {
    ...NO_BINDING,
    limits,
    resolveIssuerKey: (facts) => {
      asked += 1
      return trustIssuer(facts)
    },
  }).then(
    () => 'accepted',
    (error: { readonly code: string }) => error.code,
  )
  return { outcome, asked }
}

describe('limits', () => {
  test('257 KiB are refused before anything is decoded [SDJWT-D-01]', async () => {
    // Not even base64url: the size is looked at first.
    expect(await judge(`${'!'.repeat(257 * 1024)}~`)).toEqual({ outcome: 'sd_jwt_too_large', asked: 0 })
    expect(await judge(credential)).toEqual({ outcome: 'accepted', asked: 1 })
    expect(await judge(credential, { maxBytes: credential.length - 1 })).toEqual({
      outcome: 'sd_jwt_too_large',
      asked: 0,
    })
    expect(await judge(credential, { maxBytes: credential.length })).toEqual({
      outcome: 'accepted',
      asked: 1,
    })
  })

  test('256 Disclosures pass, 257 and 10,000 do not [SDJWT-D-02]', async () => {
    const many = (count: number) => {
      const disclosures = Array.from({ length: count }, (_, at) => disclose(`salt-${at}`, `claim-${at}`, at))
      return forge({ _sd: disclosures.map(digestOf) }, disclosures)
    }
    expect(DEFAULT_LIMITS.maxDisclosures).toBe(256)
    expect((await judge(await many(256))).outcome).toBe('accepted')
    expect(await judge(await many(257))).toEqual({ outcome: 'disclosures_too_many', asked: 0 })
    expect(await judge(`${credential}${'x~'.repeat(10_000)}`)).toEqual({
      outcome: 'disclosures_too_many',
      asked: 0,
    })
  })

  test('one byte over a part is too much [SDJWT-D-03]', async () => {
    expect(DEFAULT_LIMITS).toMatchObject({
      maxIssuerJwtBytes: 65_536,
      maxDisclosureBytes: 65_536,
      maxKeyBindingJwtBytes: 8_192,
      maxDigests: 4_096,
    })
    const issuerJwt = credential.split('~')[0] ?? ''
    const longest = Math.max(
      ...credential
        .split('~')
        .slice(1)
        .map((part) => part.length),
    )
    for (const [limits, outcome] of [
      [{ maxIssuerJwtBytes: issuerJwt.length - 1 }, 'sd_jwt_too_large'],
      [{ maxIssuerJwtBytes: issuerJwt.length }, 'accepted'],
      [{ maxDisclosureBytes: longest - 1 }, 'sd_jwt_too_large'],
      [{ maxDisclosureBytes: longest }, 'accepted'],
    ] as const) {
      expect((await judge(credential, limits)).outcome).toBe(outcome)
    }
    const bound = await bind(await forge({}))
    const tail = bound.split('~').at(-1)?.length ?? 0
    const binding = (maxKeyBindingJwtBytes: number) =>
      verifySdJwtVc(bound, { ...BINDING, limits: { maxKeyBindingJwtBytes } })
    await expect(binding(tail - 1)).rejects.toMatchObject({ code: 'sd_jwt_too_large' })
    await expect(binding(tail)).resolves.toMatchObject({ vct: VCT })
  })

  test('4,096 digests pass, 4,097 do not [SDJWT-D-03]', async () => {
    const limits = { maxIssuerJwtBytes: 262_144 }
    const digests = (count: number) => Array.from({ length: count }, (_, at) => `digest-${at}`)

    expect((await judge(await forge({ _sd: digests(4_096) }), limits)).outcome).toBe('accepted')
    expect((await judge(await forge({ _sd: digests(4_097) }), limits)).outcome).toBe('digests_too_many')
  })

  test('depth is counted through Disclosures, without running out of stack [SDJWT-D-04]', async () => {
    const chain = (length: number) => {
      const disclosures: string[] = []
      let inner: JsonValue = 'deepest'
      for (let at = 0; at < length; at += 1) {
        const encoded = disclose(`salt-${at}`, 'in', inner)
        disclosures.push(encoded)
        inner = { _sd: [digestOf(encoded)] }
      }
      return forge({ outer: inner }, disclosures)
    }
    const nested = (depth: number): JsonValue => (depth === 0 ? 1 : [nested(depth - 1)])
    expect((await judge(await chain(31))).outcome).toBe('accepted')
    expect((await judge(await chain(32))).outcome).toBe('sd_jwt_too_deep')
    expect((await judge(await chain(250))).outcome).toBe('sd_jwt_too_deep')
    expect((await judge(await forge({ deep: nested(31) }))).outcome).toBe('accepted')
    expect((await judge(await forge({ deep: nested(32) }))).outcome).toBe('jws_malformed')
    const bomb = `{"vct":"${VCT}","deep":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
    const jwt = await signRaw({ alg: 'ES256', typ: 'dc+sd-jwt' }, bomb)
    expect(await judge(`${jwt}~`)).toEqual({ outcome: 'jws_malformed', asked: 0 })
    const inDisclosure = disclose('salt', 'deep', nested(60))
    expect((await judge(await forge({ _sd: [digestOf(inDisclosure)] }, [inDisclosure]))).outcome).toBe(
      'sd_jwt_too_deep',
    )
  })
})

describe('order of the checks', () => {
  test('what fails a cheap check asks nobody; a forgery asks for the key and nothing else [SDJWT-D-05] [VC-N-07]', async () => {
    const points = {
      status: { status_list: { idx: 1, uri: 'https://evil.example/status' } },
      'vct#integrity': 'x',
    }
    const forged = `${await signRaw({ alg: 'ES256', typ: 'dc+sd-jwt' }, { vct: VCT, iss: 'https://issuer.example', ...points }, otherSigner)}~`
    expect(await judge(forged)).toEqual({ outcome: 'jws_signature', asked: 1 })

    for (const [header, payload, outcome] of [
      [{ typ: 'JWT' }, {}, 'jws_typ'],
      [{ alg: 'ES384' }, {}, 'jws_algorithm'],
      [{ alg: 'none' }, {}, 'jws_algorithm'],
      [{ crit: ['exp'] }, {}, 'jws_crit'],
      [{}, { vct: 'urn:other' }, 'vct_not_accepted'],
      [{}, { _sd_alg: 'md5' }, 'sd_alg_refused'],
      [{}, { status: 'x' }, 'status_malformed'],
      [{}, { cnf: { jku: 'https://evil.example' } }, 'cnf_remote_key'],
    ] as const) {
      expect(await judge(await forge(payload, [], header))).toEqual({ outcome, asked: 0 })
    }
  })

  test('the type metadata of a forgery is never asked for [SDJWT-D-05] [VC-N-07]', async () => {
    const forged = `${await signRaw({ alg: 'ES256', typ: 'dc+sd-jwt' }, { vct: VCT, iss: 'https://issuer.example' }, otherSigner)}~`
    let asked = 0
    const resolver = {
      resolve: async () => {
        asked += 1
        return { vct: VCT }
      },
    }
    const expected = { ...NO_BINDING, typeMetadata: { resolver, seen: 'presented' as const } }
    await expect(verifySdJwtVc(forged, expected)).rejects.toMatchObject({ code: 'jws_signature' })
    expect(asked).toBe(0)
    await expect(verifySdJwtVc(credential, expected)).resolves.toMatchObject({ type: { vct: VCT } })
    expect(asked).toBe(1)
  })
})

describe('a key in cnf', () => {
  test('is imported only when the issuer has signed for it [SDJWT-D-05]', async () => {
    const offCurve = { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) }
    const payload = { vct: VCT, iss: 'https://issuer.example', cnf: { jwk: offCurve } }
    const signedBy = async (signer: typeof otherSigner) =>
      judge(`${await signRaw({ alg: 'ES256', typ: 'dc+sd-jwt' }, payload, signer)}~`)

    expect((await signedBy(otherSigner)).outcome).toBe('jws_signature')
    expect((await signedBy(issuerSigner)).outcome).toBe('jwk_malformed')
  })
})

describe('one spelling only', () => {
  test('padding, white space and stray bits in any part are refused [SDJWT-D-06] [SDJWT-F-03]', async () => {
    const [jwt = '', first = '', ...rest] = credential.split('~')
    const [header, payload, signature = ''] = jwt.split('.')
    const tail = [first, ...rest].join('~')
    const variants = ['==', '=', ' ', '\n', '+', '/', '\u00e9']
    for (const extra of variants) {
      expect((await judge(`${jwt}${extra}~${tail}`)).outcome).toBe('jws_malformed')
      expect((await judge(`${jwt}~${first}${extra}~${rest.join('~')}`)).outcome).toBe('sd_jwt_malformed')
    }
    // 64 bytes leave four unused bits in the last of 86 characters; setting one spells the same bytes.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = alphabet[alphabet.indexOf(signature.at(-1) ?? '') + 1]
    expect(await judge(`${header}.${payload}.${signature.slice(0, -1)}${last}~${tail}`)).toEqual({
      outcome: 'jws_malformed',
      asked: 0,
    })
  })

  test('a member name that occurs twice is refused in header, payload and Disclosure [SDJWT-D-07]', async () => {
    const base = `"vct":"${VCT}","iss":"https://issuer.example"`
    const twice = async (header: string, payload: string, disclosures: readonly string[] = []) =>
      (await judge([await signRaw(header, payload), ...disclosures, ''].join('~'))).outcome
    const sound = '{"alg":"ES256","typ":"dc+sd-jwt"}'

    expect(await twice(sound, `{${base},"sub":"a"}`)).toBe('accepted')
    expect(await twice(sound, `{${base},"sub":"a","sub":"b"}`)).toBe('jws_malformed')
    expect(await twice(sound, `{${base},"sub":"a","s\\u0075b":"b"}`)).toBe('jws_malformed')
    expect(await twice('{"alg":"ES256","typ":"dc+sd-jwt","typ":"dc+sd-jwt"}', `{${base}}`)).toBe(
      'jws_malformed',
    )
    const encoded = Buffer.from('["salt","x",{"a":1,"a":2}]').toString('base64url')
    expect(await twice(sound, `{${base},"_sd":["${digestOf(encoded)}"]}`, [encoded])).toBe(
      'disclosure_malformed',
    )
  })

  test('two texts of one nonce or hash are two nonces [SDJWT-D-08]', async () => {
    const presented = await forge({})
    const sdHash = digestOf(presented)
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const other = `${sdHash.slice(0, -1)}${alphabet[alphabet.indexOf(sdHash.at(-1) ?? '') + 1]}`
    const verdict = async (payload: Record<string, string>) =>
      verifySdJwtVc(await bind(presented, { payload }), BINDING)

    await expect(verdict({ sd_hash: sdHash })).resolves.toMatchObject({ vct: VCT })
    await expect(verdict({ sd_hash: other })).rejects.toMatchObject({ code: 'key_binding_hash_mismatch' })
    await expect(verdict({ sd_hash: sdHash.slice(1) })).rejects.toMatchObject({
      code: 'key_binding_hash_mismatch',
    })
    await expect(verdict({ nonce: 'n-0S6_WzA2M' })).rejects.toMatchObject({
      code: 'key_binding_nonce_mismatch',
    })
  })
})
