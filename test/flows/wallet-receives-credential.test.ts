import { isJsonObject, type JsonObject, type JsonValue } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  encryptJwe,
  generatePrivateJwk,
  issueCertificate,
  parsePublicJwk,
  type Signer,
} from '@attache/keys'
import { createSignedMetadata, PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { createWalletProvider } from '@attache/wallet'
import { describe, expect, test } from 'vitest'
import { digestOf, disclose, signRaw } from '../support/credentials.js'
import type { RecordedCall } from '../support/network.js'
import { createSeededRandom } from '../support/random.js'
import {
  AGENT,
  answer,
  createScriptedWorld,
  decoded,
  ISSUER,
  METADATA,
  OFFER,
  offerLink,
  opened,
  proofsOf,
  REQUEST_KEY,
  roleClaims,
  type Script,
  type ScriptedOptions,
  type ScriptedWorld,
  START,
  TX_CODE,
  VCT,
  within,
} from '../support/scripted-issuer.js'
import { certify } from './issuer-bench.js'

const refused = (code: string) => ({ outcome: 'refused', code })
const stored = { outcome: 'stored' }
const bodyOf = (call: RecordedCall | undefined): JsonObject => {
  const value: unknown = JSON.parse(call?.body ?? '{}')
  return isJsonObject(value) ? value : {}
}
const offer = (code: string, ids: readonly string[] = ['role_v1']) =>
  offerLink({
    ...OFFER,
    credential_configuration_ids: ids,
    grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': code, tx_code: {} } },
  })
const role = within(METADATA, 'credential_configurations_supported', 'role_v1')
const withRole = (change: JsonObject) => (document: JsonObject) => ({
  ...document,
  credential_configurations_supported: { role_v1: { ...role, ...change } },
})

/** What one credential leads to, made by the issuer in place of its sound one. */
async function outcomeOf(
  make: (parts: { signer: Signer; holder: JsonObject; sound: string }) => Promise<string> | string,
  options: ScriptedOptions = {},
) {
  const world: ScriptedWorld = await createScriptedWorld({
    ...options,
    script: {
      ...options.script,
      credentials: async ([sound = '']) => {
        const payload = decoded(sound.split('~')[0] ?? '').payload
        return [await make({ signer: world.signing.signer, holder: within(payload, 'cnf'), sound })]
      },
    },
  })
  const reply = await world.receive()
  if (reply.outcome !== 'stored') {
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [], pending: 0 })
    const keys = await world.store.list('t/default/wallet/key/')
    // Instance and DPoP key stay; the holder key of a credential that failed does not.
    expect(keys).toHaveLength(2)
  }
  return { reply, world }
}
const header = (signer: Signer): JsonObject => ({
  alg: 'ES256',
  typ: 'dc+sd-jwt',
  kid: signer.kid,
  x5c: [...(signer.x5c ?? [])],
})

describe('the credential request', () => {
  test('asks with a fresh nonce in every proof, without a token at the nonce endpoint [VCI-W-NON-01]', async () => {
    const world = await createScriptedWorld({ issuer: { copies: 3 } })
    await world.receive()
    const [nonce] = world.calls('/nonce')
    expect(nonce).toMatchObject({ method: 'POST', body: '' })
    expect(nonce?.headers.has('authorization')).toBe(false)
    expect(proofsOf(world.calls('/credential')[0]).map((jwt) => decoded(jwt).payload['nonce'])).toEqual(
      Array(3).fill('c-nonce-0'),
    )
  })

  test('takes the DPoP nonce of the nonce endpoint along [VCI-W-NON-02]', async () => {
    const steps = { '/nonce': () => answer(200, { c_nonce: 'c' }, { 'DPoP-Nonce': 'rs-1' }) }
    const world = await createScriptedWorld({ script: { steps } })
    await world.receive()
    const [call, more] = world.calls('/credential')
    expect(decoded(call?.headers.get('dpop') ?? '').payload['nonce']).toBe('rs-1')
    expect(more).toBeUndefined()
  })

  test('fetches a nonce per request, one for all its proofs [VCI-W-NON-03]', async () => {
    const world = await createScriptedWorld({ issuer: { copies: 5 } })
    await world.receive()
    await world.wallet.receive(AGENT, offer('code-2'), TX_CODE)
    const nonces = world
      .calls('/credential')
      .map((call) => proofsOf(call).map((jwt) => decoded(jwt).payload['nonce']))
    expect(nonces).toEqual([Array(5).fill('c-nonce-0'), Array(5).fill('c-nonce-1')])
  })

  test('is JSON and names the configuration or the identifier, never both [VCI-W-CRED-01] [VCI-W-CRED-02]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    const [call] = world.calls('/credential')
    expect(call).toMatchObject({ method: 'POST' })
    expect(call?.headers.get('content-type')).toBe('application/json')
    expect(Object.keys(bodyOf(call)).sort()).toEqual(['credential_configuration_id', 'proofs'])

    const details = [
      { type: 'openid_credential', credential_configuration_id: 'role_v1', credential_identifiers: ['a'] },
    ]
    const named = await createScriptedWorld({
      script: { tokenResponse: (r) => ({ ...r, authorization_details: details }) },
    })
    await named.receive()
    expect(Object.keys(bodyOf(named.calls('/credential')[0])).sort()).toEqual([
      'credential_identifier',
      'proofs',
    ])
  })

  test('is sent once per configuration [VCI-W-CRED-03] [VCI-W-TK-10]', async () => {
    const metadata = (document: JsonObject) => ({
      ...document,
      credential_configurations_supported: { role_v1: role, role_v2: role, role_v3: role },
    })
    const world = await createScriptedWorld({ script: { metadata } })
    expect(await world.wallet.receive(AGENT, offer('c', ['role_v1', 'role_v2']), TX_CODE)).toMatchObject(
      stored,
    )
    expect(world.calls('/credential').map((call) => bodyOf(call)['credential_configuration_id'])).toEqual([
      'role_v1',
      'role_v2',
    ])
  })

  test('has proofs exactly where the metadata has proof types, of one type [VCI-W-CRED-04]', async () => {
    const { proof_types_supported: _p, cryptographic_binding_methods_supported: _b, ...unbound } = role
    const metadata = (document: JsonObject) => ({
      ...document,
      credential_configurations_supported: { role_v1: unbound },
    })
    const world = await createScriptedWorld({ script: { metadata } })
    expect(await world.receive()).toMatchObject(stored)
    expect('proofs' in bodyOf(world.calls('/credential')[0])).toBe(false)

    const foreign = await createScriptedWorld({
      script: {
        metadata: withRole({
          proof_types_supported: { di_vp: { proof_signing_alg_values_supported: ['ES256'] } },
        }),
      },
    })
    expect(await foreign.receive()).toMatchObject({ outcome: 'refused' })
    expect(foreign.calls('/token')).toHaveLength(0)
    const bound = await createScriptedWorld()
    await bound.receive()
    expect(Object.keys(within(bodyOf(bound.calls('/credential')[0]), 'proofs'))).toEqual(['jwt'])
  })

  test('asks for as many copies as wanted and allowed, in one request, each with its key [VCI-W-CRED-05] [VCI-W-CRED-06] [VCI-W-CRED-07]', async () => {
    const keysOf = (world: ScriptedWorld) =>
      world
        .calls('/credential')
        .map((call) => proofsOf(call).map((jwt) => JSON.stringify(decoded(jwt).header['jwk'])))
    const world = await createScriptedWorld({ issuer: { copies: 20 } })
    await world.receive()
    await world.wallet.receive(AGENT, offer('code-2'), TX_CODE)
    const [first = [], second = []] = keysOf(world)
    expect([first.length, second.length]).toEqual([5, 5])
    expect(new Set([...first, ...second]).size).toBe(10)
    const { batch_credential_issuance: _b, ...single } = METADATA
    const one = await createScriptedWorld({ issuer: { copies: 20 }, script: { metadata: () => single } })
    await one.receive()
    expect(keysOf(one)[0]).toHaveLength(1)
  })

  test('proves with type, one public jwk, issuer, time and nonce [VCI-W-PRF-01] [VCI-W-PRF-02]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    const [jwt = ''] = proofsOf(world.calls('/credential')[0])
    const { header: head, payload } = decoded(jwt)
    expect(Object.keys(head).sort()).toEqual(['alg', 'jwk', 'typ'])
    expect(head).toMatchObject({ typ: 'openid4vci-proof+jwt', alg: 'ES256' })
    expect(Object.keys(within(head, 'jwk')).sort()).toEqual(['crv', 'kty', 'x', 'y'])
    expect(payload).toEqual({ aud: ISSUER, iat: START, nonce: 'c-nonce-0' })
    const other = await createScriptedWorld({
      script: {
        metadata: withRole({
          proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES384'] } },
        }),
      },
    })
    expect(await other.receive()).toMatchObject(refused('alg'))
    expect(other.calls('/token')).toHaveLength(0)
  })

  test('without a nonce endpoint proves without a nonce, and never names an iss [VCI-W-PRF-02] [VCI-W-PRF-03]', async () => {
    const { nonce_endpoint: _n, ...metadata } = METADATA
    const world = await createScriptedWorld({ script: { metadata: () => metadata } })
    expect(await world.receive()).toMatchObject(stored)
    const { payload } = decoded(proofsOf(world.calls('/credential')[0])[0] ?? '')
    expect(payload).toEqual({ aud: ISSUER, iat: START })
  })

  test('carries a key attestation where one is demanded, in both forms [VCI-W-PRF-04] [VCI-W-PRF-05] [VCI-W-PRF-10]', async () => {
    const rules = { proof_signing_alg_values_supported: ['ES256'], key_attestations_required: {} }
    for (const type of ['jwt', 'attestation']) {
      const world = await createScriptedWorld({
        issuer: { copies: 3 },
        script: { metadata: withRole({ proof_types_supported: { [type]: rules } }) },
      })
      expect(await world.receive()).toMatchObject(stored)
      const proofs = within(bodyOf(world.calls('/credential')[0]), 'proofs')
      const attestations =
        type === 'jwt'
          ? proofsOf(world.calls('/credential')[0]).map((jwt) =>
              String(decoded(jwt).header['key_attestation']),
            )
          : proofs['attestation']
      expect(new Set(Array.isArray(attestations) ? attestations : []).size).toBe(1)
      const [attestation = ''] = Array.isArray(attestations) ? attestations.map(String) : []
      expect(decoded(attestation).payload['attested_keys']).toHaveLength(3)
    }
  })

  test('attests keys with nonce, expiry and certificate [VCI-W-PRF-06] [VCI-W-PRF-07] [VCI-W-PRF-09]', async () => {
    const rules = { proof_signing_alg_values_supported: ['ES256'], key_attestations_required: {} }
    const world = await createScriptedWorld({
      script: { metadata: withRole({ proof_types_supported: { jwt: rules } }) },
    })
    await world.receive()
    const proof = decoded(proofsOf(world.calls('/credential')[0])[0] ?? '')
    const { header: head, payload } = decoded(String(proof.header['key_attestation']))
    expect(head).toMatchObject({ typ: 'key-attestation+jwt', alg: 'ES256' })
    expect(head['x5c']).toHaveLength(1)
    expect(payload).toMatchObject({ nonce: 'c-nonce-0', iat: START })
    expect(payload['exp']).toBeGreaterThan(START)
    expect(payload['attested_keys']).toEqual([proof.header['jwk']])

    const only = await createScriptedWorld({
      script: { metadata: withRole({ proof_types_supported: { attestation: rules } }) },
    })
    await only.receive()
    const proofs = within(bodyOf(only.calls('/credential')[0]), 'proofs')
    expect(proofs['attestation']).toHaveLength(1)
    expect(
      decoded(String(Array.isArray(proofs['attestation']) ? proofs['attestation'][0] : '')).payload['nonce'],
    ).toBe('c-nonce-0')
  })

  test('claims no tier its key store does not have [VCI-W-PRF-08] [VCI-W-WA-09]', async () => {
    const rules = {
      proof_signing_alg_values_supported: ['ES256'],
      key_attestations_required: { key_storage: ['iso_18045_high'] },
    }
    const script: Script = { metadata: withRole({ proof_types_supported: { jwt: rules } }) }
    const world = await createScriptedWorld({ script })
    expect(await world.receive()).toMatchObject(refused('key_attestation'))
    expect(world.calls('/token')).toHaveLength(0)
    const high = await createScriptedWorld({
      script,
      attester: (provider) => createWalletProvider({ keyStorage: ['iso_18045_high'] }, provider),
    })
    expect(await high.receive()).toMatchObject(stored)
  })
})

describe('the credential response', () => {
  test.each<[string, number, JsonValue]>([
    ['both members', 200, { credentials: [{ credential: 'x' }], transaction_id: 't', interval: 5 }],
    ['no interval', 202, { transaction_id: 't' }],
    ['no credential', 200, { credentials: [] }],
    ['a bare text', 200, { credentials: ['x'] }],
  ])('with %s is a protocol error [VCI-W-RSP-01]', async (_name, status, body) => {
    const world = await createScriptedWorld({
      script: { steps: { '/credential': () => answer(status, body) } },
    })
    expect(await world.receive()).toMatchObject(refused('response'))
    const sound = await createScriptedWorld({ script: { steps: {} } })
    expect(await sound.receive()).toMatchObject(stored)
  })

  test('is matched to keys by cnf, in any order, and may hold fewer [VCI-W-RSP-02]', async () => {
    const reversed = await createScriptedWorld({
      issuer: { copies: 3 },
      script: { credentials: (all) => [...all].reverse() },
    })
    expect(await reversed.receive()).toMatchObject(stored)
    const fewer = await createScriptedWorld({
      issuer: { copies: 3 },
      script: { credentials: ([one = '']) => [one] },
    })
    expect(await fewer.receive()).toMatchObject(stored)
    expect(await fewer.wallet.overview(AGENT)).toMatchObject({ credentials: [{ copiesLeft: 1 }] })
    const twice = await createScriptedWorld({
      issuer: { copies: 3 },
      script: { credentials: ([one = '']) => [one, one] },
    })
    expect(await twice.receive()).toMatchObject(refused('binding'))
    const more = await createScriptedWorld({ script: { credentials: ([one = '']) => [one, one] } })
    expect(await more.receive()).toMatchObject(refused('response'))
  })

  test('with one bad copy is a failure as a whole, and the issuer is told [VCI-W-RSP-03] [VCI-W-NTF-02]', async () => {
    const world = await createScriptedWorld({
      issuer: { copies: 3 },
      script: {
        credentials: ([a = '', b = '', c = '']) => [
          a,
          `${b.slice(0, -60)}${'A'.repeat(20)}${b.slice(-40)}`,
          c,
        ],
      },
    })
    expect(await world.receive()).toMatchObject({ outcome: 'refused' })
    expect(await world.wallet.overview(AGENT)).toMatchObject({ credentials: [] })
    expect(bodyOf(world.calls('/notification')[0])).toEqual({
      notification_id: 'note-1',
      event: 'credential_failure',
    })
    const sound = await createScriptedWorld({ issuer: { copies: 3 } })
    await sound.receive()
    expect(bodyOf(sound.calls('/notification')[0])).toEqual({
      notification_id: 'note-1',
      event: 'credential_accepted',
    })
  })

  test('that denies is final; a stale nonce is replaced once [VCI-W-RSP-04] [VCI-W-RSP-05]', async () => {
    const denied = await createScriptedWorld({
      script: { steps: { '/credential': () => answer(400, { error: 'credential_request_denied' }) } },
    })
    expect(await denied.receive()).toMatchObject(refused('credential_request_denied'))
    expect(denied.calls('/credential')).toHaveLength(1)

    const stale = answer(400, { error: 'invalid_nonce' })
    const once = await createScriptedWorld({
      script: { steps: { '/credential': ({ count }) => (count === 0 ? stale.clone() : undefined) } },
    })
    expect(await once.receive()).toMatchObject(stored)
    expect(
      once.calls('/credential').map((call) => decoded(proofsOf(call)[0] ?? '').payload['nonce']),
    ).toEqual(['c-nonce-0', 'c-nonce-1'])
    const always = await createScriptedWorld({ script: { steps: { '/credential': () => stale.clone() } } })
    expect(await always.receive()).toMatchObject(refused('response'))
    expect(always.calls('/credential')).toHaveLength(2)
  })
})

describe('a received credential', () => {
  const claims = roleClaims(START)
  const [roleDisclosure, regionDisclosure] = [
    disclose('salt-of-16-bytes', 'role', 'Manager'),
    disclose('salt-of-16-bytez', 'region', 'EU'),
  ]
  const { role: _r, region: _g, employee_id: _e, ...visible } = claims

  test.each<[string, (signer: Signer, holder: JsonObject) => Promise<string>]>([
    [
      'alg none',
      async (signer, cnf) =>
        (await signRaw({ ...header(signer), alg: 'none' }, { ...visible, cnf }, signer)).concat('~'),
    ],
    [
      'an unknown _sd_alg',
      async (signer, cnf) => `${await signRaw(header(signer), { ...visible, cnf, _sd_alg: 'md5' }, signer)}~`,
    ],
    [
      'a disclosure nobody refers to',
      async (signer, cnf) =>
        `${await signRaw(header(signer), { ...visible, cnf, _sd: [] }, signer)}~${roleDisclosure}~`,
    ],
    [
      'a disclosure sent twice',
      async (signer, cnf) =>
        `${await signRaw(header(signer), { ...visible, cnf, _sd: [digestOf(roleDisclosure)] }, signer)}~${roleDisclosure}~${roleDisclosure}~`,
    ],
    [
      'a digest twice',
      async (signer, cnf) =>
        `${await signRaw(header(signer), { ...visible, cnf, _sd: [digestOf(roleDisclosure), digestOf(roleDisclosure)] }, signer)}~${roleDisclosure}~`,
    ],
    [
      'a disclosure over a visible claim',
      async (signer, cnf) =>
        `${await signRaw(header(signer), { ...visible, cnf, role: 'Clerk', _sd: [digestOf(roleDisclosure)] }, signer)}~${roleDisclosure}~`,
    ],
    [
      'a reserved claim name',
      async (signer, cnf) => {
        const reserved = disclose('salt-of-16-bytes', '_sd', ['x'])
        return `${await signRaw(header(signer), { ...visible, cnf, _sd: [digestOf(reserved)] }, signer)}~${reserved}~`
      },
    ],
  ])('with %s fails the check [VCI-W-VER-01]', async (_name, make) => {
    const { reply } = await outcomeOf(({ signer, holder }) => make(signer, holder))
    expect(reply).toMatchObject(refused('verification'))
  })

  test('in compact form passes; with a KB-JWT of the issuer it does not [VCI-W-VER-01] [VCI-W-VER-02] [VP-W-VPR-11]', async () => {
    const sd = [digestOf(roleDisclosure), digestOf(regionDisclosure)]
    const sound = await outcomeOf(
      async ({ signer, holder }) =>
        `${await signRaw(header(signer), { ...visible, cnf: holder, _sd: sd }, signer)}~${roleDisclosure}~${regionDisclosure}~`,
    )
    expect(sound.reply).toMatchObject(stored)
    const { reply } = await outcomeOf(
      async ({ signer, sound: text }) =>
        text + (await signRaw({ alg: 'ES256', typ: 'kb+jwt' }, { iat: START }, signer)),
    )
    expect(reply).toMatchObject(refused('verification'))
  })

  test('has the type that was offered, and its typ [VCI-W-VER-03]', async () => {
    const other = await outcomeOf(({ sound }) => sound, {
      script: { claims: (all) => ({ ...all, vct: `${VCT}/2` }) },
    })
    expect(other.reply).toMatchObject(refused('wrong_type'))
    const legacy = await outcomeOf(
      async ({ signer, holder }) =>
        `${await signRaw({ ...header(signer), typ: 'vc+sd-jwt' }, { ...visible, cnf: holder }, signer)}~`,
    )
    expect(legacy.reply).toMatchObject(refused('verification'))
    expect((await outcomeOf(({ sound }) => sound)).reply).toMatchObject(stored)
  })

  test('is signed by a certificate under the anchors of this issuer [VCI-W-VER-04]', async () => {
    const foreign = await certify('Somebody else')
    const signers: readonly Signer[] = [
      foreign.signer,
      await expiredSigner(),
      createSoftwareSigner(generatePrivateJwk('ES256')),
    ]
    for (const signer of signers) {
      const { reply } = await outcomeOf(({ holder }) => signedBy(signer, holder))
      expect(reply).toMatchObject(refused('untrusted_credential'))
    }
    expect((await outcomeOf(({ signer, holder }) => signedBy(signer, holder))).reply).toMatchObject(stored)
  })

  test('brings neither the anchor nor a self-signed leaf [VCI-W-VER-05]', async () => {
    const { withAnchor, selfSigned, anchors } = await anchorInChain()
    for (const [signer, x5c] of [withAnchor, selfSigned]) {
      const { reply } = await outcomeOf(
        async ({ holder }) =>
          `${await signRaw({ ...header(signer), x5c }, { ...visible, cnf: holder }, signer)}~`,
        { issuer: { anchors } },
      )
      expect(reply).toMatchObject(refused('untrusted_credential'))
    }
    expect((await outcomeOf(({ sound }) => sound)).reply).toMatchObject(stored)
  })

  test('is valid now, and shows what must not be hidden [VCI-W-VER-06]', async () => {
    for (const times of [{ exp: START - 3600 }, { nbf: START + 3600 }]) {
      const { reply } = await outcomeOf(
        async ({ signer, holder }) =>
          `${await signRaw(header(signer), { ...visible, ...times, cnf: holder }, signer)}~`,
      )
      expect(reply).toMatchObject(refused('verification'))
    }
    const hidden = disclose('salt-of-16-bytes', 'exp', START + 3600)
    const { exp: _x, ...rest } = visible
    const { reply } = await outcomeOf(
      async ({ signer, holder }) =>
        `${await signRaw(header(signer), { ...rest, cnf: holder, _sd: [digestOf(hidden)] }, signer)}~${hidden}~`,
    )
    expect(reply).toMatchObject(refused('verification'))
    const sound = await outcomeOf(
      async ({ signer, holder }) =>
        `${await signRaw(header(signer), { ...visible, nbf: START - 60, cnf: holder }, signer)}~`,
    )
    expect(sound.reply).toMatchObject(stored)
  })

  test('is bound to a key proven in this request [VCI-W-VER-07] [VCI-W-OFFER-08]', async () => {
    const other = createSoftwareSigner(generatePrivateJwk('ES256')).publicJwk
    const foreign = await outcomeOf(
      async ({ signer }) =>
        `${await signRaw(header(signer), { ...visible, cnf: { jwk: { ...other } } }, signer)}~`,
    )
    expect(foreign.reply).toMatchObject(refused('binding'))
    const unbound = await outcomeOf(
      async ({ signer }) => `${await signRaw(header(signer), { ...visible }, signer)}~`,
    )
    expect(unbound.reply).toMatchObject(refused('binding'))
    const named = await outcomeOf(
      async ({ signer, holder }) =>
        `${await signRaw(header(signer), { ...visible, cnf: { jwk: { ...within(holder, 'jwk'), kid: 'k', alg: 'ES256', use: 'sig' } } }, signer)}~`,
    )
    expect(named.reply).toMatchObject(stored)
  })

  test('has the claims that issuer and wallet call mandatory [VCI-W-VER-08]', async () => {
    const bare = async ({ signer, holder }: { signer: Signer; holder: JsonObject }) =>
      `${await signRaw(header(signer), { ...visible, cnf: holder }, signer)}~`
    const demanded = await outcomeOf(bare, { issuer: { requiredClaims: ['role'] } })
    expect(demanded.reply).toMatchObject(refused('missing_claim'))
    const metadata = withRole({ credential_metadata: { claims: [{ path: ['role'], mandatory: true }] } })
    expect((await outcomeOf(bare, { script: { metadata } })).reply).toMatchObject(refused('missing_claim'))
    expect(
      (await outcomeOf(({ sound }) => sound, { issuer: { requiredClaims: ['role'] }, script: { metadata } }))
        .reply,
    ).toMatchObject(stored)
  })

  test('is not revoked or suspended; an unreachable list is asked again before use [VCI-W-VER-09]', async () => {
    for (const status of [1, 2]) {
      const { reply } = await outcomeOf(({ sound }) => sound, { script: { status } })
      expect(reply).toMatchObject(refused('status'))
    }
    const down: Script = { steps: { '/status/1': () => new Response(null, { status: 503 }) } }
    expect((await outcomeOf(({ sound }) => sound, { script: down })).reply).toMatchObject(stored)
    expect((await outcomeOf(({ sound }) => sound, { script: { status: 0 } })).reply).toMatchObject(stored)
  })

  test('of another iss is taken with a warning, or refused by policy [VCI-W-VER-10]', async () => {
    const script: Script = { claims: (all) => ({ ...all, iss: 'https://other.example' }) }
    expect((await outcomeOf(({ sound }) => sound, { script })).reply).toMatchObject(stored)
    expect(
      (await outcomeOf(({ sound }) => sound, { script, issuer: { claimedIssuer: 'refuse' } })).reply,
    ).toMatchObject(refused('untrusted_credential'))
  })

  test('is signed with an algorithm that was configured [VCI-W-VER-11] [VCI-W-SEC-02]', async () => {
    for (const alg of ['HS256', 'RS256', 'none']) {
      const { reply } = await outcomeOf(
        async ({ signer, holder }) =>
          `${await signRaw({ ...header(signer), alg }, { ...visible, cnf: holder }, signer)}~`,
      )
      expect(reply).toMatchObject(refused('verification'))
    }
    expect((await outcomeOf(({ sound }) => sound)).reply).toMatchObject(stored)
  })
})

async function signedBy(signer: Signer, cnf: JsonObject): Promise<string> {
  const named = signer.x5c === undefined ? { alg: 'ES256', typ: 'dc+sd-jwt' } : header(signer)
  return `${await signRaw(named, { ...roleClaims(START), cnf }, signer)}~`
}

async function expiredSigner(): Promise<Signer> {
  const random = createSeededRandom('expired')
  const privateJwk = generatePrivateJwk('ES256')
  const issuer = await createCertificateAuthority(
    {
      commonName: 'Acme root',
      privateJwk: generatePrivateJwk('ES256'),
      notBefore: START - 9 * 86_400,
      notAfter: START + 86_400,
    },
    { random },
  )
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const { x5c } = await issueCertificate(
    { commonName: 'Old', publicJwk, issuer, notBefore: START - 9 * 86_400, notAfter: START - 86_400 },
    { random },
  )
  return createSoftwareSigner(privateJwk, { x5c })
}

async function anchorInChain() {
  const random = createSeededRandom('anchor in chain')
  const validity = { notBefore: START - 86_400, notAfter: START + 86_400 }
  const rootJwk = generatePrivateJwk('ES256')
  const root = await createCertificateAuthority(
    { commonName: 'Root', privateJwk: rootJwk, ...validity },
    { random },
  )
  const leafJwk = generatePrivateJwk('ES256')
  const leaf = createSoftwareSigner(leafJwk)
  const { x5c } = await issueCertificate(
    { commonName: 'Leaf', publicJwk: leaf.publicJwk, issuer: root, ...validity },
    { random },
  )
  const rootDer = root.pem.replace(/-----[^-]+-----|\s/g, '')
  return {
    anchors: createAnchors('acme', [root.pem]),
    withAnchor: [leaf, [...x5c, rootDer]] as const,
    selfSigned: [createSoftwareSigner(rootJwk), [rootDer]] as const,
  }
}

describe('encryption of messages', () => {
  const keys = (jwks: readonly JsonObject[], required = true) => ({
    jwks: { keys: jwks },
    enc_values_supported: ['A128GCM', 'A256GCM'],
    encryption_required: required,
  })
  const answerRules = (required = true) => ({
    alg_values_supported: ['ECDH-ES'],
    enc_values_supported: ['A128GCM', 'A256GCM'],
    encryption_required: required,
  })
  const usable: JsonObject = { ...REQUEST_KEY.publicJwk }

  test('encrypts the request where it is required, to the first usable key [VCI-W-ENC-01] [VCI-W-ENC-02]', async () => {
    const rsa = { kty: 'RSA', n: 'AQAB', e: 'AQAB', use: 'enc', alg: 'RSA-OAEP-256', kid: 'rsa' }
    const { alg: _a, ...noAlg } = usable
    const metadata = (document: JsonObject) => ({
      ...document,
      credential_request_encryption: keys([rsa, { ...noAlg, kid: 'x' }, usable]),
    })
    const world = await createScriptedWorld({ script: { metadata } })
    expect(await world.receive()).toMatchObject(stored)
    const [call] = world.calls('/credential')
    expect(call?.headers.get('content-type')).toBe('application/jwt')
    const head: unknown = JSON.parse(Buffer.from(call?.body.split('.')[0] ?? '', 'base64url').toString())
    expect(head).toMatchObject({ alg: 'ECDH-ES', enc: 'A256GCM', kid: 'enc-1' })
    expect(await opened(call?.body ?? '')).toMatchObject({ credential_configuration_id: 'role_v1' })
    const none = await createScriptedWorld({
      script: { metadata: (document) => ({ ...document, credential_request_encryption: keys([rsa]) }) },
    })
    expect(await none.receive()).toMatchObject({ outcome: 'refused' })
    expect(none.calls('/credential')).toHaveLength(0)
  })

  test('asks for an encrypted answer only inside an encrypted request, with a fresh key [VCI-W-ENC-03] [VCI-W-ENC-04]', async () => {
    const metadata = (document: JsonObject) => ({
      ...document,
      credential_request_encryption: keys([usable], false),
      credential_response_encryption: answerRules(),
    })
    const world = await createScriptedWorld({ script: { metadata } })
    expect(await world.receive()).toMatchObject(stored)
    expect(await world.wallet.receive(AGENT, offer('code-2'), TX_CODE)).toMatchObject(stored)
    const wanted = await Promise.all(
      world
        .calls('/credential')
        .map(async ({ body }) => within(await opened(body), 'credential_response_encryption')),
    )
    expect(wanted[0]).toMatchObject({ enc: 'A256GCM', jwk: { kty: 'EC', crv: 'P-256', alg: 'ECDH-ES' } })
    expect(Object.keys(wanted[0] ?? {}).sort()).toEqual(['enc', 'jwk'])
    expect(wanted[0]?.['jwk']).not.toEqual(wanted[1]?.['jwk'])
    const alone = await createScriptedWorld({
      script: { metadata: (document) => ({ ...document, credential_response_encryption: answerRules() }) },
    })
    expect(await alone.receive()).toMatchObject(refused('encryption'))
    expect(alone.calls('/credential')).toHaveLength(0)
  })

  test('refuses a plain answer that had to be encrypted, but reads a plain error [VCI-W-ENC-05]', async () => {
    const metadata = (document: JsonObject) => ({
      ...document,
      credential_request_encryption: keys([usable]),
      credential_response_encryption: answerRules(),
    })
    const plain = await createScriptedWorld({
      script: {
        metadata,
        steps: { '/credential': () => answer(200, { credentials: [{ credential: 'x' }] }) },
      },
    })
    expect(await plain.receive()).toMatchObject(refused('encryption'))
    const error = await createScriptedWorld({
      script: {
        metadata,
        steps: { '/credential': () => answer(400, { error: 'credential_request_denied' }) },
      },
    })
    expect(await error.receive()).toMatchObject(refused('credential_request_denied'))
  })
})

describe('signed metadata', () => {
  test('is asked for and verified where the configuration demands it [VCI-W-META-07] [VCI-W-META-08]', async () => {
    const signer = await certify('Metadata')
    const other = await certify('Somebody')
    const sign = (by: Signer, document: JsonObject = METADATA) =>
      createSignedMetadata(document, by, { now: START })
    const jwt = (text: string) => new Response(text, { headers: { 'Content-Type': 'application/jwt' } })
    const path = '/.well-known/openid-credential-issuer'
    const withMetadata = (make: () => Promise<Response>) =>
      createScriptedWorld({
        issuer: { metadataAnchors: signer.anchors },
        script: { steps: { [path]: make } },
      })

    const good = await withMetadata(async () => jwt(await sign(signer.signer)))
    expect(await good.receive()).toMatchObject(stored)
    expect(good.network.calls[0]?.headers.get('accept')).toContain('application/jwt')

    const foreign = await withMetadata(async () => jwt(await sign(other.signer)))
    expect(await foreign.receive()).toMatchObject(refused('metadata_signature'))
    const broken = await withMetadata(async () => jwt(`${(await sign(signer.signer)).slice(0, -8)}AAAAAAAA`))
    expect(await broken.receive()).toMatchObject(refused('metadata_signature'))
    const typ = await withMetadata(async () =>
      jwt(
        await signRaw(
          { alg: 'ES256', typ: 'JWT', x5c: [...(signer.signer.x5c ?? [])] },
          { ...METADATA, sub: ISSUER, iat: START },
          signer.signer,
        ),
      ),
    )
    expect(await typ.receive()).toMatchObject(refused('metadata_signature'))
    const sub = await withMetadata(async () =>
      jwt(
        await signRaw(
          { alg: 'ES256', typ: 'openidvci-issuer-metadata+jwt', x5c: [...(signer.signer.x5c ?? [])] },
          { ...METADATA, sub: `${ISSUER}/x`, iat: START },
          signer.signer,
        ),
      ),
    )
    expect(await sub.receive()).toMatchObject(refused('metadata_signature'))
    const unsigned = await withMetadata(async () => answer(200, METADATA))
    expect(await unsigned.receive()).toMatchObject(refused('metadata_signature'))
  })
})

describe('deferred issuance', () => {
  const pending = (interval = 60) => answer(202, { transaction_id: 'tx-1', interval })

  test('waits as long as it is told, with the token and keys of the request, over a restart [VCI-W-DEF-01] [VCI-W-DEF-03] [VCI-W-DEF-06]', async () => {
    const world = await createScriptedWorld()
    const keys: JsonObject[] = []
    world.play({
      steps: {
        '/credential': ({ json }) => {
          keys.push(json)
          return pending()
        },
        '/deferred': () => pending(120),
      },
    })
    expect(await world.receive()).toMatchObject({ outcome: 'pending', nextPollAt: START + 60 })
    world.time.advance(59)
    await world.wallet.maintain()
    expect(world.calls('/deferred')).toHaveLength(0)
    world.time.advance(1)
    world.restart()
    await world.wallet.maintain()
    expect(world.calls('/deferred')).toHaveLength(1)
    world.time.advance(119)
    await world.wallet.maintain()
    expect(world.calls('/deferred')).toHaveLength(1)
    world.time.advance(1)
    world.play({
      steps: { '/deferred': async () => answer(200, { credentials: await soundFor(keys[0], world) }) },
    })
    world.restart()
    await world.wallet.maintain()
    expect(await world.wallet.overview(AGENT)).toMatchObject({
      credentials: [{ state: 'active' }],
      pending: 0,
    })
    const [call] = world.calls('/deferred')
    expect(bodyOf(call)).toEqual({ transaction_id: 'tx-1' })
    expect(call?.headers.get('authorization')).toBe('DPoP token-0')

    const strange = await createScriptedWorld({
      script: {
        steps: {
          '/credential': () => pending(),
          '/deferred': () => answer(202, { transaction_id: 'tx-2', interval: 5 }),
        },
      },
    })
    await strange.receive()
    strange.time.advance(60)
    await strange.wallet.maintain()
    expect(await strange.wallet.explain(AGENT, { limit: 1 })).toMatchObject([{ code: 'response' }])
    expect(await strange.wallet.overview(AGENT)).toMatchObject({ pending: 0 })
  })

  test('refreshes an expired token before it polls [VCI-W-DEF-02]', async () => {
    const world = await createScriptedWorld({
      script: {
        refreshToken: 'refresh-1',
        steps: { '/credential': () => pending(1000), '/deferred': () => pending() },
      },
    })
    await world.receive()
    world.time.advance(1000)
    await world.wallet.maintain()
    expect(new URLSearchParams(world.calls('/token')[1]?.body).get('grant_type')).toBe('refresh_token')
    expect(world.calls('/deferred')[0]?.headers.get('authorization')).toBe('DPoP token-1')
  })

  test('keeps a refreshed token while it asks again for what a restart left open', async () => {
    const silent = () => new Response(null, { status: 503 })
    const world = await createScriptedWorld({
      script: { refreshToken: 'refresh-0', steps: { '/credential': silent } },
    })
    expect(await world.receive()).toMatchObject({ outcome: 'pending' })
    // The access token ends, and each refresh token counts once.
    const rotating: Script = {
      tokenResponse: (response) => ({
        ...response,
        refresh_token: `refresh-${world.calls('/token').length}`,
      }),
    }
    for (const steps of [{ '/credential': silent }, {}]) {
      world.play({ ...rotating, steps })
      world.time.advance(3600)
      world.restart()
      await world.wallet.maintain()
    }
    const refreshed = world
      .calls('/token')
      .slice(1)
      .map(({ body }) => new URLSearchParams(body).get('refresh_token'))
    expect(refreshed).toHaveLength(2)
    expect(new Set(refreshed).size).toBe(2)
    expect(await world.wallet.overview(AGENT)).toMatchObject({
      credentials: [{ state: 'active' }],
      pending: 0,
    })
  })

  test('ends where the issuer denies or does not know it [VCI-W-DEF-04]', async () => {
    for (const error of ['credential_request_denied', 'invalid_transaction_id']) {
      const world = await createScriptedWorld({
        script: { steps: { '/credential': () => pending(), '/deferred': () => answer(400, { error }) } },
      })
      await world.receive()
      for (let round = 0; round < 3; round += 1) {
        world.time.advance(3600)
        await world.wallet.maintain()
      }
      expect(world.calls('/deferred')).toHaveLength(1)
    }
  })

  test('asks for encryption anew in each poll [VCI-W-DEF-05]', async () => {
    const metadata = (document: JsonObject) => ({
      ...document,
      credential_request_encryption: {
        jwks: { keys: [{ ...REQUEST_KEY.publicJwk }] },
        enc_values_supported: ['A256GCM'],
        encryption_required: true,
      },
      credential_response_encryption: {
        alg_values_supported: ['ECDH-ES'],
        enc_values_supported: ['A256GCM'],
        encryption_required: true,
      },
    })
    const steps: NonNullable<Script['steps']> = { '/deferred': () => new Response(null, { status: 503 }) }
    const world = await createScriptedWorld({ script: { metadata, steps } })
    world.play({
      metadata,
      steps: { ...steps, '/credential': async ({ body }) => encryptedPending(await opened(body)) },
    })
    expect(await world.receive()).toMatchObject({ outcome: 'pending' })
    world.play({ metadata, steps: { '/deferred': async ({ body }) => encryptedPending(await opened(body)) } })
    for (let round = 0; round < 2; round += 1) {
      world.time.advance(60)
      await world.wallet.maintain()
    }
    const wanted = await Promise.all(
      world
        .calls('/deferred')
        .map(async ({ body }) => within(await opened(body), 'credential_response_encryption', 'jwk')),
    )
    expect(wanted).toHaveLength(2)
    expect(wanted[0]).toMatchObject({ kty: 'EC' })
    expect(wanted[0]).not.toEqual(wanted[1])
  })
})

describe('notifications', () => {
  test('are sent with a received id, a token and a known event only [VCI-W-NTF-01] [VCI-W-NTF-03]', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    const [call] = world.calls('/notification')
    expect(call?.headers.get('content-type')).toBe('application/json')
    expect(call?.headers.get('authorization')).toBe('DPoP token-0')
    expect(bodyOf(call)).toEqual({ notification_id: 'note-1', event: 'credential_accepted' })
    const { notification_endpoint: _n, ...metadata } = METADATA
    const none = await createScriptedWorld({ script: { metadata: () => metadata } })
    await none.receive()
    expect(none.calls('/notification')).toHaveLength(0)
  })

  test('are tried again where the server fails, not where it refuses, and change nothing [VCI-W-NTF-04]', async () => {
    for (const [status, calls] of [
      [500, 2],
      [400, 1],
    ] as const) {
      const world = await createScriptedWorld({
        script: { steps: { '/notification': () => answer(status, {}) } },
      })
      expect(await world.receive()).toMatchObject(stored)
      expect(world.calls('/notification')).toHaveLength(calls)
    }
  })
})

describe('what an issuance leaves behind', () => {
  test('no secret in a log, a journal or a reply [VCI-W-SEC-05] [VCI-W-SEC-08]', async () => {
    const world = await createScriptedWorld({
      script: {
        refreshToken: 'refresh-canary',
        tokenResponse: (r) => ({ ...r, access_token: 'token-canary' }),
      },
    })
    const reply = await world.wallet.receive(AGENT, offer('code-canary'), '999111')
    const seen = [
      JSON.stringify(reply),
      JSON.stringify(await world.wallet.explain(AGENT, { limit: 50 })),
      JSON.stringify(await world.wallet.overview(AGENT)),
      ...world.lines,
    ].join()
    expect(reply).toMatchObject(stored)
    expect(seen).not.toMatch(/canary|999111|eyJ[\w-]+\.eyJ|Manager|E-10442|"EU"/)
    expect(seen).toContain('"stored"')
  })

  test('nothing follows a redirect with a secret [VCI-W-SEC-07]', async () => {
    for (const path of ['/token', '/credential', '/nonce', '/par']) {
      const world = await createScriptedWorld({
        script: {
          steps: {
            [path]: () => new Response(null, { status: 307, headers: { Location: 'https://evil.example/' } }),
          },
        },
      })
      const link =
        path === '/par' ? offerLink({ ...OFFER, grants: { authorization_code: {} } }) : world.offer()
      expect(await world.wallet.receive(AGENT, link, TX_CODE)).toMatchObject({ outcome: 'refused' })
      expect(world.network.calls.some(({ url }) => url.startsWith('https://evil.example'))).toBe(false)
      expect(world.calls(path)).toHaveLength(1)
    }
    const sound = await createScriptedWorld()
    expect(await sound.receive()).toMatchObject(stored)
  })

  test('one active set per issuer and type [VCI-W-SEC-09]', async () => {
    const world = await createScriptedWorld({ issuer: { copies: 2 } })
    await world.receive()
    const before = await world.wallet.overview(AGENT)
    await world.wallet.receive(AGENT, offer('code-2'), TX_CODE)
    const after = await world.wallet.overview(AGENT)
    expect(after.credentials).toHaveLength(1)
    expect(after.credentials[0]?.id).not.toBe(before.credentials[0]?.id)
    // Two client keys and the two holder keys that are in use; the replaced ones are gone.
    expect(await world.store.list('t/default/wallet/key/')).toHaveLength(4)
  })

  test('an issuer that always fails is asked twice per step at most [VCI-W-SEC-10]', async () => {
    const failures = [
      answer(400, { error: 'use_dpop_nonce' }, { 'DPoP-Nonce': 'n' }),
      answer(400, { error: 'invalid_nonce' }),
      answer(401, { error: 'invalid_client' }),
      answer(400, { error: 'use_attestation_challenge' }, { 'OAuth-Client-Attestation-Challenge': 'c' }),
      answer(503, {}),
    ]
    for (const path of ['/token', '/credential', '/nonce', '/challenge']) {
      for (const failure of failures) {
        const server = (document: JsonObject) => ({ ...document, challenge_endpoint: `${ISSUER}/challenge` })
        const world = await createScriptedWorld({
          script: { server, steps: { [path]: () => failure.clone() } },
        })
        // A credential endpoint that cannot answer now is asked again later, with the token that was granted.
        const later = failure.status === 503 && ['/credential', '/nonce'].includes(path)
        expect(await world.receive()).toMatchObject({ outcome: later ? 'pending' : 'refused' })
        expect(await world.wallet.overview(AGENT)).toMatchObject({ pending: later ? 1 : 0 })
        expect(world.calls(path).length).toBeLessThanOrEqual(2)
      }
    }
    expect(await (await createScriptedWorld()).receive()).toMatchObject(stored)
  })
})

async function soundFor(
  request: JsonObject | undefined,
  world: ScriptedWorld,
): Promise<readonly JsonObject[]> {
  const [jwt = ''] = proofsOf({
    method: 'POST',
    url: '',
    headers: new Headers(),
    body: JSON.stringify(request),
  })
  const jwk = within(decoded(jwt).header, 'jwk')
  const payload = { ...roleClaims(START), cnf: { jwk } }
  const signer = world.signing.signer
  return [{ credential: `${await signRaw(header(signer), payload, signer)}~` }]
}

async function encryptedPending(request: JsonObject): Promise<Response> {
  const jwk = parsePublicJwk(within(request, 'credential_response_encryption')['jwk'])
  const text = JSON.stringify({ transaction_id: 'tx-1', interval: 60 })
  const jwe = await encryptJwe(new TextEncoder().encode(text), { jwk, enc: 'A256GCM' })
  return new Response(jwe, { status: 202, headers: { 'Content-Type': 'application/jwt' } })
}
