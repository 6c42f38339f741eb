import { type JsonObject, VerificationError } from '@attache/core'
import {
  createVerifiedIssuerCache,
  type IssuerKeyResolver,
  issueSdJwtVc,
  presentSdJwtVc,
  SD_JWT_ERRORS,
  verifySdJwtVc,
} from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  AUDIENCE,
  BINDING,
  bind,
  CLAIMS,
  CONTENT,
  digestOf,
  disclose,
  forge,
  holderSigner,
  ISSUER,
  issuerSigner,
  NO_BINDING,
  NONCE,
  VCT,
} from '../support/credentials.js'
import { createSeededRandom } from '../support/random.js'

const random = createSeededRandom('verify')
const credential = await issueSdJwtVc(CONTENT, { signer: issuerSigner, random })
const presentation = await presentSdJwtVc(credential, {
  disclose: [['agent'], ['regions', 1]],
  keyBinding: { signer: holderSigner, audience: AUDIENCE, nonce: NONCE, issuedAt: NOW },
})

describe('verifySdJwtVc', () => {
  test('returns what was shown and proven, and no Disclosure [VC-F-14] [SDJWT-V-26] [VC-F-10]', async () => {
    const verified = await verifySdJwtVc(presentation, BINDING)

    expect(verified).toMatchObject({
      vct: VCT,
      akaVcts: [],
      issuer: ISSUER,
      claimedIssuer: ISSUER,
      holderKey: holderSigner.publicJwk,
      keyBinding: { audience: AUDIENCE, nonce: NONCE, issuedAt: NOW },
      status: undefined,
      issuedAt: CLAIMS.iat,
      expiresAt: CLAIMS.exp,
      legacyTyp: false,
    })
    expect(verified.claims).toEqual({
      vct: VCT,
      iss: ISSUER,
      iat: CLAIMS.iat,
      exp: CLAIMS.exp,
      cnf: { jwk: holderSigner.publicJwk },
      a: {},
      regions: ['US'],
      agent: 'agent-7',
    })
    expect(verified.disclosedPaths).toEqual([['regions', 1], ['agent']])
    expect(verified.hiddenElements).toEqual([
      ['regions', 0],
      ['regions', 2],
    ])
    expect(verified.credentialHash).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(JSON.stringify(verified)).not.toMatch(/~/)
  })

  test('a failure in the last step returns nothing of the credential [SDJWT-V-01]', async () => {
    const wrong = { ...BINDING, keyBinding: { audience: AUDIENCE, nonce: 'other', maxAgeSeconds: 300 } }
    const failure: unknown = await verifySdJwtVc(presentation, wrong).catch((error: unknown) => error)

    expect(failure).toMatchObject({ code: 'key_binding_nonce_mismatch' })
    expect(Object.keys(failure instanceof Error ? failure : {}).sort()).toEqual(['code', 'name'])
    expect(String(failure)).not.toContain('agent-7')
  })

  test('every sentence is printable ASCII without quote and backslash', () => {
    for (const sentence of Object.values(SD_JWT_ERRORS)) expect(sentence).toMatch(/^[ !#-[\]-~]{20,110}$/)
  })

  test('the JSON form is refused by its own name [SDJWT-J-01]', async () => {
    await expect(
      verifySdJwtVc({ payload: 'x', signature: 'y', protected: 'z' }, NO_BINDING),
    ).rejects.toMatchObject({
      code: 'sd_jwt_json_serialization',
    })
    for (const other of [null, 7, true, [credential]]) {
      await expect(verifySdJwtVc(other, NO_BINDING)).rejects.toMatchObject({ code: 'sd_jwt_malformed' })
    }
  })
})

describe('verifySdJwtVc: the caller states key binding', () => {
  test('a missing KB-JWT is refused when it is required, one too many when it is not [SDJWT-K-06] [SDJWT-K-08] [SDJWT-F-02]', async () => {
    const stripped = presentation.slice(0, presentation.lastIndexOf('~') + 1)

    await expect(verifySdJwtVc(stripped, BINDING)).rejects.toMatchObject({ code: 'key_binding_missing' })
    await expect(verifySdJwtVc(stripped, NO_BINDING)).resolves.toMatchObject({ keyBinding: undefined })
    await expect(verifySdJwtVc(presentation, NO_BINDING)).rejects.toMatchObject({
      code: 'key_binding_unexpected',
    })
  })

  test.each([
    {},
    { nonce: NONCE },
    { audience: AUDIENCE, maxAgeSeconds: 300 },
    { audience: [], nonce: NONCE, maxAgeSeconds: 300 },
    { audience: AUDIENCE, nonce: '', maxAgeSeconds: 300 },
    { audience: AUDIENCE, nonce: NONCE },
    undefined,
  ])(
    'an expectation with a hole is a mistake of the caller, never a success: %j [SDJWT-K-07] [SDJWT-P-03]',
    async (keyBinding) => {
      const expected = Object.assign(
        { ...BINDING },
        { keyBinding: JSON.parse(JSON.stringify(keyBinding ?? null)) },
      )
      await expect(verifySdJwtVc(presentation, expected)).rejects.toMatchObject({
        name: 'TypeError',
        code: 'key_binding_expectation',
      })
      await expect(verifySdJwtVc(presentation, BINDING)).resolves.toMatchObject({ vct: VCT })
    },
  )

  test('one of several identifiers of this verifier is enough, byte for byte [SDJWT-K-15]', async () => {
    const expecting = (audience: readonly string[]) =>
      verifySdJwtVc(presentation, { ...BINDING, keyBinding: { audience, nonce: NONCE, maxAgeSeconds: 300 } })

    await expect(expecting(['ia:https://as.example/challenge', AUDIENCE])).resolves.toMatchObject({
      keyBinding: { audience: AUDIENCE },
    })
    await expect(expecting([AUDIENCE.toUpperCase(), `${AUDIENCE}/`])).rejects.toMatchObject({
      code: 'key_binding_audience_mismatch',
    })
  })
})

describe('verifySdJwtVc: typ and type', () => {
  test('the former typ is refused, unless switched on, and then it is said [VC-F-01] [VC-F-02]', async () => {
    const legacy = await forge({}, [], { typ: 'vc+sd-jwt' })

    await expect(verifySdJwtVc(legacy, NO_BINDING)).rejects.toMatchObject({ code: 'jws_typ' })
    await expect(verifySdJwtVc(legacy, { ...NO_BINDING, acceptLegacyTyp: true })).resolves.toMatchObject({
      legacyTyp: true,
    })
    for (const typ of ['application/dc+sd-jwt', 'DC+SD-JWT', 'JWT', 7]) {
      const other = await forge({}, [], { typ })
      await expect(verifySdJwtVc(other, { ...NO_BINDING, acceptLegacyTyp: true })).rejects.toMatchObject({
        code: 'jws_typ',
      })
    }
  })

  test('type names are compared as they are, inherited names are none [VC-F-03] [VC-F-05]', async () => {
    const verdict = (payload: JsonObject, acceptedTypes: readonly string[]) =>
      forge(payload).then((text) => verifySdJwtVc(text, { ...NO_BINDING, acceptedTypes }))

    await expect(verdict({}, [VCT.toUpperCase()])).rejects.toMatchObject({ code: 'vct_not_accepted' })
    await expect(verdict({}, [])).rejects.toMatchObject({ code: 'vct_not_accepted' })
    await expect(verdict({ aka_vcts: ['urn:role'] }, ['urn:role'])).resolves.toMatchObject({
      akaVcts: ['urn:role'],
    })
  })

  test('the issuer is asked about the type it is to be accepted as, not the one it gave itself [VC-P-01] [VC-F-05]', async () => {
    const issues = 'urn:visitor'
    const wanted = 'urn:administrator'
    const resolveIssuerKey: IssuerKeyResolver = async ({ vct }) => {
      if (vct !== issues) throw new VerificationError('issuer_not_trusted', 'Not for this type.')
      return { key: issuerSigner.publicJwk, issuer: ISSUER }
    }
    const text = await forge({ vct: issues, aka_vcts: [wanted] })
    const cache = createVerifiedIssuerCache()
    const verdict = (acceptedTypes: readonly string[]) =>
      verifySdJwtVc(text, {
        ...NO_BINDING,
        acceptedTypes,
        resolveIssuerKey,
        verifiedIssuers: { cache, trustFingerprint: 'a' },
      })

    await expect(verdict([issues])).resolves.toMatchObject({ vct: issues })
    expect(cache.size).toBe(1)
    await expect(verdict([wanted])).rejects.toMatchObject({ code: 'issuer_not_trusted' })
    await expect(verdict([wanted, issues])).resolves.toMatchObject({ vct: issues })
  })

  test.each([[[]], [['x', 7]], ['x'], [{}], [[VCT]], [['']]])(
    'aka_vcts %j is refused [VC-F-04]',
    async (aka_vcts) => {
      await expect(verifySdJwtVc(await forge({ aka_vcts }), NO_BINDING)).rejects.toMatchObject({
        code: 'aka_vcts_malformed',
      })
    },
  )

  test('without iss there must be x5c in the header [VC-F-09]', async () => {
    const payload = { iss: 7 }
    await expect(verifySdJwtVc(await forge(payload), NO_BINDING)).rejects.toMatchObject({
      code: 'issuer_malformed',
    })
    const without = async (header: JsonObject) => {
      const text = await forge({ iss: null }, [], header)
      return verifySdJwtVc(text, NO_BINDING)
    }
    await expect(without({})).rejects.toMatchObject({ code: 'issuer_malformed' })
    await expect(verifySdJwtVc(await forge({}), NO_BINDING)).resolves.toMatchObject({ claimedIssuer: ISSUER })
  })

  test('the resolver sees issuer and type, and its no is the end [VC-P-01] [VC-K-02]', async () => {
    const seen: unknown[] = []
    const refusing = verifySdJwtVc(credential, {
      ...NO_BINDING,
      resolveIssuerKey: async (facts) => {
        seen.push(facts)
        throw Object.assign(new Error('not this issuer for this type'), { code: 'issuer_not_trusted' })
      },
    })
    await expect(refusing).rejects.toMatchObject({ code: 'issuer_not_trusted' })
    expect(seen).toEqual([
      {
        header: { typ: 'dc+sd-jwt', alg: 'ES256', kid: issuerSigner.kid },
        issuer: ISSUER,
        vct: VCT,
        now: NOW,
      },
    ])
  })
})

describe('verifySdJwtVc: claims', () => {
  const verdict = async (payload: JsonObject, disclosures: readonly string[] = [], more = {}) =>
    verifySdJwtVc(await forge(payload, disclosures), { ...NO_BINDING, ...more })

  test.each([
    ['jwt_expired', { exp: NOW - 60 }],
    ['jwt_not_yet_valid', { nbf: NOW + 61 }],
    ['jwt_issued_in_future', { iat: NOW + 61 }],
    ['jwt_time_malformed', { exp: String(NOW + 60) }],
    ['jwt_time_malformed', { nbf: null }],
  ])('%s: %j; one second inside the tolerance is fine [SDJWT-V-23]', async (code, payload) => {
    await expect(verdict(payload)).rejects.toMatchObject({ code })
    await expect(verdict({ exp: NOW - 59, nbf: NOW + 60, iat: NOW + 60 })).resolves.toMatchObject({
      vct: VCT,
    })
  })

  test('times are judged after disclosure [SDJWT-V-23]', async () => {
    const iat = disclose('salt-1', 'iat', NOW + 3600)
    await expect(verdict({ _sd: [digestOf(iat)] }, [iat])).rejects.toMatchObject({
      code: 'jwt_issued_in_future',
    })
    await expect(verdict({ _sd: [digestOf(iat)] })).resolves.toMatchObject({ issuedAt: undefined })
  })

  test('a claim the verifier needs must be there [SDJWT-V-24]', async () => {
    await expect(verdict({}, [], { requiredClaims: ['exp'] })).rejects.toMatchObject({
      code: 'claim_required',
    })
    await expect(verdict({}, [], { requiredClaims: ['constructor'] })).rejects.toMatchObject({
      code: 'claim_required',
    })
    await expect(verdict({ exp: NOW + 1 }, [], { requiredClaims: ['exp'] })).resolves.toMatchObject({
      vct: VCT,
    })
  })

  test('aud of the credential must include this verifier [SDJWT-V-25]', async () => {
    await expect(verdict({ aud: 'https://other.example' })).rejects.toMatchObject({
      code: 'audience_mismatch',
    })
    const foreign = await bind(await forge({ aud: ['https://other.example'] }))
    await expect(verifySdJwtVc(foreign, BINDING)).rejects.toMatchObject({ code: 'audience_mismatch' })
    const own = await bind(await forge({ aud: ['https://other.example', AUDIENCE] }))
    await expect(verifySdJwtVc(own, BINDING)).resolves.toMatchObject({ vct: VCT })
    await expect(verdict({ aud: 'x' }, [], { credentialAudience: 'any' })).resolves.toMatchObject({
      vct: VCT,
    })
  })

  test('the status reference is returned, judged by form only [VC-F-11] [VC-P-04]', async () => {
    const uri = 'https://issuer.example/status/1'
    await expect(verdict({ status: { status_list: { idx: 3, uri } } })).resolves.toMatchObject({
      status: { mechanism: 'status_list', idx: 3, uri },
    })
    // Not VALID, not absent: whoever reads this must decide, and the default is to refuse.
    await expect(verdict({ status: { other: {} } })).resolves.toMatchObject({
      status: { mechanism: 'unknown' },
    })
    for (const status of [
      {},
      [],
      'x',
      { status_list: { idx: 2 ** 53, uri } },
      { status_list: { idx: 1, uri: 'http://x' } },
      { status_list: [] },
    ]) {
      await expect(verdict({ status })).rejects.toMatchObject({ code: 'status_malformed' })
    }
  })

  test('claims that must be visible are refused hidden, whole or in part [VC-F-06]', async () => {
    const part = disclose('salt', 'uri', 'https://issuer.example/status/1')
    await expect(
      verdict({
        status: { status_list: { idx: 1, uri: 'https://issuer.example/s', _sd: [digestOf(part)] } },
      }),
    ).rejects.toMatchObject({
      code: 'claim_not_disclosable',
    })
    const whole = disclose('salt', 'nbf', 1)
    await expect(verdict({ _sd: [digestOf(whole)] }, [whole])).rejects.toMatchObject({
      code: 'claim_not_disclosable',
    })
    const role = disclose('salt', 'sub', 'agent-7')
    await expect(verdict({ _sd: [digestOf(role)] }, [role])).resolves.toMatchObject({
      claims: { sub: 'agent-7' },
    })
  })

  test('a bound key that lies elsewhere is never fetched [VC-N-08]', async () => {
    const jwk = holderSigner.publicJwk
    for (const cnf of [
      { jku: 'https://evil.example/jwks' },
      { jwk, x5u: 'https://evil.example/x' },
      { kid: 'https://evil.example/key' },
      { jwk: { ...jwk, x5u: 'https://evil.example/x' } },
    ]) {
      await expect(verdict({ cnf })).rejects.toMatchObject({ code: 'cnf_remote_key' })
    }
    await expect(verdict({ cnf: { jwk: { ...jwk, d: 'x' } } })).rejects.toMatchObject({
      code: 'jwk_private_member',
    })
    await expect(verdict({ cnf: 'x' })).rejects.toMatchObject({ code: 'cnf_malformed' })
  })
})
