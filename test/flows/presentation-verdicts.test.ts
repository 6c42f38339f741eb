import { encodeBase64url, type JsonObject, type JsonValue, utf8 } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  verifyCertificateChain,
} from '@attache/keys'
import type { AuthorizationRequest } from '@attache/openid4vp'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  type Ask,
  bindTo,
  disclosure,
  forge,
  forgedFor,
  hashOf,
  holder,
  judge,
  only,
  plainJwk,
  REGION,
  ROLE,
} from '../support/forged-presentation.js'
import {
  API,
  ca,
  certified,
  createWorld,
  freshKey,
  ISSUER,
  QUERY,
  STATUS_URI,
  signers,
  VCT,
} from '../support/presentation-world.js'
import { createSeededRandom } from '../support/random.js'

type Answer = (request: AuthorizationRequest) => Promise<JsonValue> | JsonValue

const otherCa = await createCertificateAuthority(
  {
    commonName: 'Foreign Anchor',
    privateJwk: generatePrivateJwk('ES256'),
    notBefore: NOW - 1000,
    notAfter: NOW + 1000,
  },
  { random: createSeededRandom('foreign') },
)
const foreignIssuer = await certified('issuer.example', otherCa)

/** Refused with 400, the uniform body, and the reason in the log. */
async function refuses(answer: Answer, reason: string, ask: Ask = {}): Promise<void> {
  const verdict = await judge(answer, ask)
  expect([verdict.status, verdict.reason]).toEqual([400, reason])
  expect(verdict.body).toEqual({
    error: 'invalid_request',
    error_description: 'The response is not accepted.',
  })
}

async function accepts(answer: Answer, ask: Ask = {}): Promise<readonly JsonValue[]> {
  const verdict = await judge(answer, ask)
  expect([verdict.status, verdict.reason]).toEqual([200, 'accepted'])
  return verdict.claims
}

const sound: Answer = async (request) => only(await forgedFor(request))

describe('the structure of a vp_token', () => {
  test('names only queries that were asked [VP-V-TOK-01]', async () => {
    await refuses(async (request) => ({ other: [await forgedFor(request)] }), 'unknown_credential_id')
    await accepts(sound)
  })

  test('has a non-empty array under every id [VP-V-TOK-02]', async () => {
    await refuses(async (request) => ({ role_cred: await forgedFor(request) }), 'vp_token_malformed')
    await refuses(() => ({ role_cred: [] }), 'vp_token_malformed')
    await accepts(sound)
  })

  test('has one presentation, or several where several were asked for [VP-V-TOK-03]', async () => {
    const multiple = { credentials: [{ ...QUERY.credentials[0], multiple: true }] }
    const times =
      (count: number): Answer =>
      async (request) => ({
        role_cred: await Promise.all(Array.from({ length: count }, () => forgedFor(request))),
      })
    await refuses(times(2), 'too_many_presentations')
    await accepts(times(1), { query: multiple })
    expect(await accepts(times(3), { query: multiple })).toHaveLength(3)
  })

  test('holds compact texts [VP-V-TOK-04]', async () => {
    await refuses(() => ({ role_cred: [{ payload: 'x', signatures: [] }] }), 'vp_token_malformed')
    await accepts(sound)
  })

  test('leaves unmatched optional queries out and required ones never [VP-V-TOK-05] [VP-V-EVL-08]', async () => {
    const two = { credentials: [QUERY.credentials[0] ?? {}, { ...QUERY.credentials[0], id: 'extra' }] }
    const query = {
      ...two,
      credential_sets: [{ options: [['role_cred']] }, { options: [['extra']], required: false }],
    }
    await refuses(sound, 'query_unsatisfied', { query: two })
    await refuses(() => ({}), 'query_unsatisfied')
    await accepts(sound, { query })
  })

  test('is limited to 32 presentations of 256 disclosures each [VP-V-RSP-11]', async () => {
    const multiple = { credentials: [{ ...QUERY.credentials[0], multiple: true }] }
    await refuses(() => ({ role_cred: Array.from({ length: 33 }, () => 'x~') }), 'too_many_presentations', {
      query: multiple,
    })
    const many =
      (count: number): Answer =>
      async (request) => {
        const extra = Array.from({ length: count - 2 }, (_, at) => disclosure('salt', `claim${at}`, at))
        const disclosures = [ROLE, REGION, ...extra]
        return only(await forgedFor(request, { payload: { _sd: disclosures.map(hashOf) }, disclosures }))
      }
    await refuses(many(257), 'limits')
    await accepts(many(256))
    let deep: JsonValue = 'bottom'
    for (let depth = 0; depth < 40; depth += 1) deep = { deep }
    const payload = { deep }
    const verdict = await judge(async (request) => only(await forgedFor(request, { payload })))
    expect(verdict.status).toBe(400)
  })

  test('an invalid presentation among valid ones is set aside [VP-V-TOK-07]', async () => {
    const query = { credentials: [{ ...QUERY.credentials[0], multiple: true }] }
    const expired = { payload: { exp: NOW - 3600 } }
    const mixed: Answer = async (request) => ({
      role_cred: [await forgedFor(request, expired), await forgedFor(request)],
    })
    expect(await accepts(mixed, { query })).toEqual([{ role: 'Manager', region: 'EU' }])
    await refuses(async (request) => only(await forgedFor(request, expired)), 'credential_expired', { query })
  })

  test('a foreign nonce in any presentation spoils the whole response [VP-V-TOK-08]', async () => {
    const query = { credentials: [{ ...QUERY.credentials[0], multiple: true }] }
    const mixed: Answer = async (request) => ({
      role_cred: [await forgedFor(request), await forgedFor(request, {}, { payload: { nonce: 'another' } })],
    })
    await refuses(mixed, 'kb_nonce_mismatch', { query })
  })

  test('is judged in order: structure, each presentation, the set [VP-V-TOK-06]', async () => {
    const two = { credentials: [QUERY.credentials[0] ?? {}, { ...QUERY.credentials[0], id: 'extra' }] }
    // Structure before integrity, integrity before the set.
    await refuses(() => ({ role_cred: ['broken'], unknown: ['broken'] }), 'unknown_credential_id', {
      query: two,
    })
    await refuses(() => ({ role_cred: ['broken'] }), 'sdjwt_malformed', { query: two })
    await refuses(sound, 'query_unsatisfied', { query: two })
  })
})

describe('the credential', () => {
  test('is a compact SD-JWT [VP-V-SDJ-01]', async () => {
    await refuses(() => only('a.b.c'), 'sdjwt_malformed')
    const doubled: Answer = async (request) => only(await bindTo(request, (await forge()).replace('~', '~~')))
    await refuses(doubled, 'sdjwt_malformed')
    await accepts(sound)
  })

  test('is signed with an accepted asymmetric algorithm [VP-V-SDJ-02]', async () => {
    for (const alg of ['none', 'HS256', 'ES384']) {
      await refuses(
        async (request) => only(await forgedFor(request, { header: { alg } })),
        'issuer_alg_rejected',
      )
    }
    await accepts(sound)
  })

  test('carries the signature of its issuer over these bytes [VP-V-SDJ-03]', async () => {
    const flipped: Answer = async (request) => {
      const [jwt = '', ...rest] = (await forge()).split('~')
      const [header, payload, signature = ''] = jwt.split('.')
      const other = signature.startsWith('A') ? `B${signature.slice(1)}` : `A${signature.slice(1)}`
      return only(await bindTo(request, [`${header}.${payload}.${other}`, ...rest].join('~')))
    }
    await refuses(flipped, 'issuer_signature_invalid')
    await accepts(sound)
  })

  test('comes from an issuer that is trusted by a permitted mechanism [VP-V-SDJ-04]', async () => {
    await refuses(
      async (request) => only(await forgedFor(request, { issuer: foreignIssuer })),
      'issuer_untrusted',
    )
    const bare = createSoftwareSigner(generatePrivateJwk('ES256'))
    const own = { jwk: plainJwk(bare), jku: 'https://evil.example/jwks' }
    await refuses(
      async (request) => only(await forgedFor(request, { issuer: bare, header: own })),
      'issuer_untrusted',
    )
    await accepts(sound)
  })

  test('has a valid certificate path at this time, signed by a leaf [VP-V-SDJ-05]', async () => {
    const late = createWorld({ keyBinding: 'not-required' })
    const verdict = await judge(async (request) => only(await forgedFor(request)), { world: late })
    expect(verdict.status).toBe(200)
    const caKey = createSoftwareSigner(ca.privateJwk)
    const anchorDer = ca.pem.replace(/-----[A-Z ]+-----|\s/g, '')
    const asLeaf = { issuer: caKey, header: { x5c: [anchorDer] } }
    await refuses(async (request) => only(await forgedFor(request, asLeaf)), 'issuer_untrusted')
    const expired = createSoftwareSigner(generatePrivateJwk('ES256'))
    const old = await issueCertificate(
      {
        commonName: 'issuer.example',
        publicJwk: expired.publicJwk,
        issuer: ca,
        dnsNames: ['issuer.example'],
        notBefore: NOW - 1000,
        notAfter: NOW - 500,
      },
      { random: createSeededRandom('old') },
    )
    const withOld = { issuer: expired, header: { x5c: old.x5c } }
    await refuses(async (request) => only(await forgedFor(request, withOld)), 'issuer_untrusted')
  })

  test('brings its chain, without the anchor and not self-signed [VP-V-SDJ-06]', async () => {
    const [leaf = ''] = signers.issuer.x5c ?? []
    const anchorDer = ca.pem.replace(/-----[A-Z ]+-----|\s/g, '')
    const withAnchor = { header: { x5c: [leaf, anchorDer] } }
    await refuses(async (request) => only(await forgedFor(request, withAnchor)), 'issuer_untrusted')
    const none = { issuer: createSoftwareSigner(generatePrivateJwk('ES256')) }
    await refuses(async (request) => only(await forgedFor(request, none)), 'issuer_untrusted')
    await accepts(sound)
  })

  test('does not choose how its issuer is trusted [VP-V-SDJ-09]', async () => {
    const key = freshKey()
    const pinned = { vct: VCT, keys: [{ ...key.publicJwk, kid: key.kid }], issuer: ISSUER }
    const world = () => createWorld({ keyBinding: 'not-required', trustedIssuers: [pinned] })
    await refuses(sound, 'issuer_untrusted', { world: world() })
    const byKey = { issuer: key, header: { kid: key.kid } }
    await accepts(async (request) => only(await forgedFor(request, byKey)), { world: world() })
  })

  test('names an issuer that its certificate names, or is known by its certificate [VP-V-SDJ-10]', async () => {
    const unbound = { payload: { iss: 'https://elsewhere.example' } }
    const answer: Answer = async (request) => only(await forgedFor(request, unbound))
    const loose = { vct: VCT, anchors: [ca.pem] }
    const world = (rule: object) =>
      createWorld({ keyBinding: 'not-required', trustedIssuers: [{ ...loose, ...rule }] })
    const verdict = await judge(answer, { world: world({}) })
    expect(verdict.status).toBe(200)
    await refuses(answer, 'issuer_untrusted', { world: world({ requireIssBinding: true }) })
    await refuses(answer, 'issuer_untrusted', { world: world({ issuer: ISSUER }) })
    await accepts(sound, { world: world({ requireIssBinding: true }) })
  })

  test('has the type dc+sd-jwt [VP-V-SDJ-11]', async () => {
    for (const typ of ['vc+sd-jwt', 'JWT', 'kb+jwt', 'DC+SD-JWT']) {
      await refuses(async (request) => only(await forgedFor(request, { header: { typ } })), 'typ_rejected')
    }
    await accepts(sound)
  })

  test('names a known hash algorithm at the top or none [VP-V-SDJ-12]', async () => {
    const md5 = { payload: { _sd_alg: 'md5' } }
    await refuses(async (request) => only(await forgedFor(request, md5)), 'sd_alg_rejected')
    const nested = { payload: { address: { _sd_alg: 'sha-256' } } }
    await refuses(async (request) => only(await forgedFor(request, nested)), 'sd_alg_rejected')
    await accepts(async (request) => only(await forgedFor(request, { payload: { _sd_alg: null } })))
  })

  test('has digests over the disclosures as received [VP-V-SDJ-13]', async () => {
    const spaced = encodeBase64url(utf8('["salt",  "role" ,\n "Manager"]'))
    const disclosures = [spaced, REGION]
    const payload = { _sd: disclosures.map(hashOf) }
    expect(
      await accepts(async (request) => only(await forgedFor(request, { payload, disclosures }))),
    ).toEqual([{ role: 'Manager', region: 'EU' }])
    const reencoded = [disclosure('salt', 'role', 'Manager'), REGION]
    await refuses(
      async (request) => only(await forgedFor(request, { payload, disclosures: reencoded })),
      'disclosure_unreferenced',
    )
  })

  test('has disclosures of the shape their place asks for [VP-V-SDJ-14]', async () => {
    const cases: readonly (readonly [string, JsonObject])[] = [
      [disclosure('salt', 'Manager'), {}],
      [disclosure('salt', '_sd', ['x']), {}],
      [disclosure('salt', '...', 'x'), {}],
      [disclosure('salt', 'role', 'Manager'), { role: 'Clerk' }],
    ]
    for (const [bad, payload] of cases) {
      const forgery = { payload: { _sd: [bad, REGION].map(hashOf), ...payload }, disclosures: [bad, REGION] }
      await refuses(async (request) => only(await forgedFor(request, forgery)), 'disclosure_invalid')
    }
    const element = disclosure('salt', 'name', 'x')
    const inArray = {
      payload: { _sd: [ROLE, REGION].map(hashOf), list: [{ '...': hashOf(element) }] },
      disclosures: [ROLE, REGION, element],
    }
    await refuses(async (request) => only(await forgedFor(request, inArray)), 'disclosure_invalid')
    await accepts(sound)
  })

  test('is read recursively, decoys and hidden elements fall away [VP-V-SDJ-15] [VP-V-SDJ-18]', async () => {
    const street = disclosure('salt', 'street', 'Main')
    const address = disclosure('salt', 'address', { _sd: [hashOf(street)], city: 'Bonn' })
    const second = disclosure('salt', 'EU')
    const payload = {
      _sd: [hashOf(address), hashOf('decoy')],
      regions: [{ '...': hashOf('hidden') }, { '...': hashOf(second) }],
      empty: { _sd: [hashOf('decoy-2')] },
    }
    const query = {
      credentials: [
        {
          id: 'role_cred',
          format: 'dc+sd-jwt',
          meta: { vct_values: [VCT] },
          claims: [{ path: ['address'] }, { path: ['regions', null] }, { path: ['empty'] }],
        },
      ],
    }
    const forgery = { payload, disclosures: [address, street, second] }
    expect(await accepts(async (request) => only(await forgedFor(request, forgery)), { query })).toEqual([
      { address: { city: 'Bonn', street: 'Main' }, regions: ['EU'], empty: {} },
    ])
  })

  test('has no digest twice [VP-V-SDJ-16]', async () => {
    const twice = { payload: { _sd: [ROLE, REGION, ROLE].map(hashOf) } }
    await refuses(async (request) => only(await forgedFor(request, twice)), 'digest_duplicate')
    await accepts(sound)
  })

  test('comes with its own disclosures only, each once [VP-V-SDJ-17]', async () => {
    const foreign = disclosure('salt', 'role', 'Director')
    for (const disclosures of [
      [ROLE, REGION, foreign],
      [ROLE, REGION, ROLE],
    ]) {
      await refuses(
        async (request) => only(await forgedFor(request, { disclosures })),
        'disclosure_unreferenced',
      )
    }
    await accepts(sound)
  })

  test('shows what must be visible without a disclosure [VP-V-SDJ-19]', async () => {
    for (const name of ['iss', 'nbf', 'exp', 'cnf', 'vct#integrity', 'status']) {
      const hidden = disclosure('salt', name, name === 'exp' || name === 'nbf' ? NOW + 10 : 'x')
      const disclosures = [ROLE, REGION, hidden]
      const payload = { [name]: null, _sd: disclosures.map(hashOf) }
      const verdict = await judge(async (request) => only(await forgedFor(request, { payload, disclosures })))
      expect(verdict.status).toBe(400)
      if (name === 'exp' || name === 'status') expect(verdict.reason).toBe('protected_claim_disclosed')
    }
  })

  test('has a vct that is a text [VP-V-SDJ-20]', async () => {
    for (const vct of [null, 7, '']) {
      const verdict = await judge(async (request) => only(await forgedFor(request, { payload: { vct } })))
      expect(verdict.status).toBe(400)
    }
    await accepts(sound)
  })

  test('is within its times and meant for us [VP-V-SDJ-21]', async () => {
    const at =
      (payload: JsonObject): Answer =>
      async (request) =>
        only(await forgedFor(request, { payload }))
    await refuses(at({ exp: NOW - 61 }), 'credential_expired')
    await accepts(at({ exp: NOW - 59 }))
    await refuses(at({ nbf: NOW + 61 }), 'credential_not_yet_valid')
    await accepts(at({ nbf: NOW + 59 }))
    const elsewhere = await judge(at({ aud: 'https://other.example' }))
    expect(elsewhere.status).toBe(400)
    // Whom a credential is for does not depend on whether its holder has to be shown.
    const query = {
      credentials: [{ ...QUERY.credentials[0], require_cryptographic_holder_binding: false }],
    }
    const bare =
      (audience: (request: AuthorizationRequest) => JsonValue): Answer =>
      async (request) =>
        only(await forge({ payload: { aud: audience(request) } }))
    await accepts(
      bare(({ clientId = '' }) => clientId),
      { query },
    )
    await accepts(
      bare(({ clientId = '' }) => ['https://other.example', clientId]),
      { query },
    )
    for (const aud of ['https://other.example', [], '', 7]) {
      expect(
        (
          await judge(
            bare(() => aud),
            { query },
          )
        ).status,
      ).toBe(400)
    }
  })

  test('may hold unknown and odd claims, or none that are selective [VP-V-SDJ-22]', async () => {
    const plain = { payload: { _sd: null, role: 'Manager', region: 'EU', foo: 1 }, disclosures: [] }
    expect(await accepts(async (request) => only(await forgedFor(request, plain)))).toEqual([
      { role: 'Manager', region: 'EU' },
    ])
    const odd = disclosure('salt', '__proto__', { polluted: true })
    const disclosures = [ROLE, REGION, odd]
    const payload = { _sd: disclosures.map(hashOf), constructor: 'x' }
    await accepts(async (request) => only(await forgedFor(request, { payload, disclosures })))
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
  })
})

describe('key binding', () => {
  const bound =
    (binding: Parameters<typeof forgedFor>[2]): Answer =>
    async (request) =>
      only(await forgedFor(request, {}, binding))

  test('is demanded, never inferred from what came [VP-V-KB-01]', async () => {
    await refuses(async () => only(await forge()), 'kb_missing')
    await accepts(sound)
  })

  test('has the type kb+jwt [VP-V-KB-02]', async () => {
    for (const typ of ['JWT', 'dc+sd-jwt', 'KB+JWT']) await refuses(bound({ header: { typ } }), 'kb_typ')
    await accepts(sound)
  })

  test('is signed with an accepted algorithm [VP-V-KB-03]', async () => {
    for (const alg of ['none', 'HS256', 'ES384']) await refuses(bound({ header: { alg } }), 'kb_alg')
    await accepts(sound)
  })

  test('is signed by the key in cnf and by no key it brings itself [VP-V-KB-04]', async () => {
    const thief = freshKey()
    await refuses(bound({ signer: thief, header: { jwk: plainJwk(thief) } }), 'kb_signature_invalid')
    await accepts(sound)
  })

  test('uses a public key in cnf, minimal or with further members [VP-V-KB-05]', async () => {
    const jwk = plainJwk(holder)
    const withCnf =
      (cnf: JsonValue): Answer =>
      async (request) =>
        only(await forgedFor(request, { payload: { cnf } }))
    await accepts(withCnf({ jwk }))
    await accepts(withCnf({ jwk: { ...jwk, kid: 'k', use: 'sig', alg: 'ES256' } }))
    await refuses(withCnf(null), 'kb_missing')
    const secret = await judge(withCnf({ jwk: { ...jwk, d: 'AAAA' } }))
    expect(secret.status).toBe(400)
    const byKid = await judge(withCnf({ kid: holder.kid }))
    expect(byKid.status).toBe(400)
  })

  test('is at most five minutes old and one minute ahead [VP-V-KB-06]', async () => {
    const at = (iat: JsonValue) => bound({ payload: { iat } })
    for (const iat of [NOW - 301, NOW + 61, NOW - 31_536_000, NOW + 31_536_000, null, 'now']) {
      await refuses(at(iat), 'kb_iat_out_of_window')
    }
    await accepts(at(NOW - 300))
    await accepts(at(NOW + 60))
  })

  test('repeats the nonce of this transaction [VP-V-KB-07]', async () => {
    let earlier = ''
    await judge(async (request) => {
      earlier = request.nonce
      return only(await forgedFor(request))
    })
    await refuses(
      async (request) => only(await forgedFor(request, {}, { payload: { nonce: earlier } })),
      'kb_nonce_mismatch',
      {
        world: createWorld({ keyBinding: 'not-required' }, createSeededRandom('another')),
      },
    )
    await refuses(bound({ payload: { nonce: null } }), 'kb_nonce_mismatch')
  })

  test('names the whole client identifier as one text [VP-V-KB-08] [VP-V-CID-01]', async () => {
    const audiences = (request: AuthorizationRequest): readonly JsonValue[] => {
      const clientId = request.clientId ?? ''
      return [
        clientId.slice('x509_hash:'.length),
        request.responseUri ?? '',
        `origin:${API}`,
        [clientId],
        null,
      ]
    }
    for (let at = 0; at < 5; at += 1) {
      const answer: Answer = async (request) =>
        only(await forgedFor(request, {}, { payload: { aud: audiences(request)[at] ?? null } }))
      await refuses(answer, 'kb_aud_mismatch')
    }
    await accepts(sound)
  })

  test('covers exactly the disclosures that came [VP-V-KB-09]', async () => {
    const rearranged =
      (change: (parts: string[]) => string[]): Answer =>
      async (request) => {
        const whole = await forgedFor(request)
        const parts = whole.split('~')
        return only(change(parts).join('~'))
      }
    await refuses(
      rearranged(([jwt = '', , region = '', kb = '']) => [jwt, region, kb]),
      'kb_sd_hash_mismatch',
    )
    await refuses(
      rearranged(([jwt = '', role = '', region = '', kb = '']) => [jwt, region, role, kb]),
      'kb_sd_hash_mismatch',
    )
    const extra = disclosure('salt', 'department', 'Finance')
    const added: Answer = async (request) => {
      const payload = { _sd: [ROLE, REGION, extra].map(hashOf) }
      const whole = await forgedFor(request, { payload })
      const [jwt = '', role = '', region = '', kb = ''] = whole.split('~')
      return only([jwt, role, region, extra, kb].join('~'))
    }
    await refuses(added, 'kb_sd_hash_mismatch')
    await accepts(rearranged((parts) => parts))
  })

  test('is otherwise a valid JWT; unknown claims are ignored [VP-V-KB-10]', async () => {
    await refuses(bound({ payload: { exp: NOW - 3600 } }), 'kb_iat_out_of_window')
    await refuses(bound({ header: { crit: ['x'], x: 1 } }), 'kb_malformed')
    await accepts(bound({ payload: { foo: 'bar' } }))
  })

  test('may be left out where a query says so, but holds when it comes [VP-V-KB-11]', async () => {
    const query = { credentials: [{ ...QUERY.credentials[0], require_cryptographic_holder_binding: false }] }
    await accepts(async () => only(await forge()), { query })
    await accepts(sound, { query })
    await refuses(bound({ payload: { nonce: 'another' } }), 'kb_nonce_mismatch', { query })
    await refuses(bound({ signer: freshKey() }), 'kb_signature_invalid', { query })
  })
})

describe('trust and status', () => {
  test('the issuer is trusted for this type, whatever else the type claims [VP-V-TRU-01]', async () => {
    const query = {
      credentials: [{ ...QUERY.credentials[0], meta: { vct_values: ['https://issuer.example/other'] } }],
    }
    const other = { payload: { vct: 'https://issuer.example/other', aka_vcts: [VCT], extends: VCT } }
    await refuses(async (request) => only(await forgedFor(request, other)), 'issuer_untrusted', { query })
    await accepts(sound)
  })

  test('asked authorities are looked for again in the presented chain [VP-V-TRU-02] [VP-V-TRU-03]', async () => {
    const chain = verifyCertificateChain(signers.issuer.x5c ?? [], {
      anchors: createAnchors('a', [ca.pem]),
      now: NOW,
    })
    const [aki = ''] = chain.authorityKeyIds
    const asking = (...authorities: readonly JsonObject[]) => ({
      credentials: [{ ...QUERY.credentials[0], trusted_authorities: authorities }],
    })
    await accepts(sound, { query: asking({ type: 'aki', values: ['AAAA', aki] }) })
    await accepts(sound, { query: asking({ type: 'other', values: ['x'] }, { type: 'aki', values: [aki] }) })
    await refuses(sound, 'authority_mismatch', { query: asking({ type: 'aki', values: ['AAAA'] }) })
    await refuses(sound, 'authority_mismatch', { query: asking({ type: 'other', values: [aki] }) })
  })

  test('a status is asked for only once everything else held [VP-V-TRU-04]', async () => {
    const status = { status_list: { idx: 7, uri: STATUS_URI } }
    const answer: Answer = async (request) => only(await forgedFor(request, { payload: { status } }))
    await accepts(answer)

    const revoked = createWorld({ keyBinding: 'not-required' })
    revoked.revoke()
    await refuses(answer, 'status_invalid', { world: revoked })
    const down = createWorld({ keyBinding: 'not-required' })
    down.status.online = false
    await refuses(answer, 'status_unavailable', { world: down })

    const forged = createWorld({ keyBinding: 'not-required' })
    const bad: Answer = async (request) =>
      only(await forgedFor(request, { payload: { status }, issuer: foreignIssuer }))
    await refuses(bad, 'issuer_untrusted', { world: forged })
    expect(forged.network.calls).toEqual([])
  })

  test('another status mechanism alone is refused; none is fine unless demanded [VP-V-TRU-07]', async () => {
    const other: Answer = async (request) =>
      only(await forgedFor(request, { payload: { status: { other: {} } } }))
    await refuses(other, 'status_unavailable')
    await accepts(sound)
    const strict = createWorld({ keyBinding: 'not-required', requireStatus: true })
    await refuses(sound, 'status_unavailable', { world: strict })
  })
})

describe('the query, judged again', () => {
  const asking = (...claims: readonly JsonObject[]) => ({
    credentials: [{ ...QUERY.credentials[0], claims }],
  })
  const withPayload =
    (payload: JsonObject): Answer =>
    async (request) =>
      only(await forgedFor(request, { payload }))

  test('values are compared by type and value [VP-V-EVL-01] [VP-V-EVL-06]', async () => {
    const query = asking({ path: ['role'], values: ['Manager'] })
    const visible =
      (role: JsonValue): Answer =>
      async (request) =>
        only(await forgedFor(request, { payload: { role, _sd: [hashOf(REGION)] }, disclosures: [REGION] }))
    await refuses(visible('Intern'), 'value_mismatch', { query })
    await refuses(visible(['Manager']), 'value_mismatch', { query })
    await refuses(visible('manager'), 'value_mismatch', { query })
    await refuses(visible(1), 'value_mismatch', { query: asking({ path: ['role'], values: ['1'] }) })
    await refuses(visible('true'), 'value_mismatch', { query: asking({ path: ['role'], values: [true] }) })
    await accepts(visible('Manager'), { query })
  })

  test('the type is one of those asked for, case included [VP-V-EVL-02]', async () => {
    const upper = VCT.replace('/v1', '/V1')
    const trusted = [{ vct: [VCT, upper], anchors: [ca.pem] }]
    const world = () => createWorld({ keyBinding: 'not-required', trustedIssuers: trusted })
    await refuses(withPayload({ vct: upper }), 'vct_mismatch', { world: world() })
    await accepts(sound, { world: world() })
  })

  test('without claims nothing has to be disclosed; with claims all of them [VP-V-EVL-03]', async () => {
    const bare = { credentials: [{ id: 'role_cred', format: 'dc+sd-jwt', meta: { vct_values: [VCT] } }] }
    const nothing: Answer = async (request) => only(await forgedFor(request, { disclosures: [] }))
    expect(await accepts(nothing, { query: bare })).toEqual([{}])
    await refuses(nothing, 'claim_missing')
    const half: Answer = async (request) => only(await forgedFor(request, { disclosures: [ROLE] }))
    await refuses(half, 'claim_missing')
  })

  test('one claim set has to be complete, whichever [VP-V-EVL-04]', async () => {
    const query = {
      credentials: [
        {
          ...QUERY.credentials[0],
          claims: [
            { id: 'a', path: ['department'] },
            { id: 'b', path: ['role'] },
            { id: 'c', path: ['region'] },
          ],
          claim_sets: [
            ['a', 'b'],
            ['a', 'c'],
            ['b', 'c'],
          ],
        },
      ],
    }
    await accepts(sound, { query })
    const half: Answer = async (request) => only(await forgedFor(request, { disclosures: [ROLE] }))
    await refuses(half, 'claim_missing', { query })
  })

  test('a claim that is always visible counts [VP-V-EVL-05]', async () => {
    const visible = withPayload({ department: 'Finance' })
    expect(await accepts(visible, { query: asking({ path: ['department'] }) })).toEqual([
      { department: 'Finance' },
    ])
  })

  test('of several elements one that matches is enough [VP-V-EVL-07]', async () => {
    const query = asking({ path: ['roles', null], values: ['Manager'] })
    await accepts(withPayload({ roles: ['Clerk', 'Manager'] }), { query })
    await refuses(withPayload({ roles: ['Clerk'] }), 'value_mismatch', { query })
  })

  test('each required credential set has one complete option; partial optional ones fall away [VP-V-EVL-09]', async () => {
    const one = (id: string) => ({ ...QUERY.credentials[0], id })
    const credentials = ['a', 'b', 'c'].map(one)
    const sets = (required: boolean) => ({
      credentials,
      credential_sets: [{ options: [['a']] }, { options: [['b', 'c']], required }],
    })
    const answer: Answer = async (request) => ({
      a: [await forgedFor(request)],
      b: [await forgedFor(request)],
    })
    await refuses(answer, 'credential_set_unsatisfied', { query: sets(true) })
    expect(await accepts(answer, { query: sets(false) })).toHaveLength(1)
  })

  test('what was not asked for is not in the result [VP-V-EVL-10]', async () => {
    const surplus = disclosure('salt', 'salary_band', 'salary-band-S7')
    const disclosures = [ROLE, REGION, surplus]
    const answer: Answer = async (request) =>
      only(await forgedFor(request, { payload: { _sd: disclosures.map(hashOf) }, disclosures }))
    expect(await accepts(answer)).toEqual([{ role: 'Manager', region: 'EU' }])
  })

  test('one credential may answer two queries, each judged alone [VP-V-EVL-11]', async () => {
    const query = { credentials: [QUERY.credentials[0] ?? {}, { ...QUERY.credentials[0], id: 'again' }] }
    const answer: Answer = async (request) => ({
      role_cred: [await forgedFor(request)],
      again: [await forgedFor(request)],
    })
    expect(await accepts(answer, { query })).toHaveLength(2)
  })

  test('paths select what the standard says [VP-V-PTH-01] [VP-V-PTH-02]', async () => {
    const at = (...path: readonly JsonValue[]) => ({ query: asking({ path }) })
    await refuses(withPayload({ list: [{ t: 1 }, 'x'] }), 'claim_missing', at('list', null, 't'))
    expect(await accepts(withPayload({ list: [{ t: 1 }, {}] }), at('list', null, 't'))).toEqual([
      { list: [{ t: 1 }] },
    ])
    await refuses(withPayload({ title: 'x' }), 'claim_missing', at('title', null))
    await accepts(withPayload({ title: ['x'] }), at('title', null))
  })

  test('indexes out of range and empty arrays select nothing; names are own members [VP-V-PTH-03] [VP-V-PTH-05]', async () => {
    const world = () => createWorld({ keyBinding: 'not-required', allowIndexPaths: true })
    const at = (...path: readonly JsonValue[]) => ({ query: asking({ path }), world: world() })
    await refuses(withPayload({ a: [1, 2] }), 'claim_missing', at('a', 5))
    await refuses(withPayload({ a: [] }), 'claim_missing', at('a', null))
    await refuses(withPayload({ a: { '0': 1 } }), 'claim_missing', at('a', 0))
    await refuses(withPayload({ a: [1] }), 'claim_missing', at('a', '0'))
    await refuses(withPayload({ a: [1] }), 'claim_missing', at('a', 'length'))
    await refuses(withPayload({ a: {} }), 'claim_missing', at('a', '__proto__'))
    await refuses(withPayload({}), 'claim_missing', at('constructor'))
    expect(await accepts(withPayload({ a: [1, 2] }), at('a', 1))).toEqual([{ a: [2] }])
  })

  test('an index counts the array as issued [VP-V-PTH-04]', async () => {
    const elements = ['zero', 'one', 'two'].map((value) => disclosure('salt', value))
    const payload = { _sd: null, n: elements.map((element) => ({ '...': hashOf(element) })) }
    const answer: Answer = async (request) =>
      only(await forgedFor(request, { payload, disclosures: elements.slice(1, 2) }))
    const world = () => createWorld({ keyBinding: 'not-required', allowIndexPaths: true })
    expect(await accepts(answer, { query: asking({ path: ['n', 1] }), world: world() })).toEqual([
      { n: ['one'] },
    ])
    await refuses(answer, 'claim_missing', { query: asking({ path: ['n', 0] }), world: world() })
  })
})
