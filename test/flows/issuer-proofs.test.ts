import { encodeBase64url, type JsonObject, type JsonValue, selectByPath, utf8 } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, parseJws, type Signer } from '@attache/keys'
import { createKeyAttestation, type KeyAttestation } from '@attache/openid4vci'
import { beforeAll, describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  bodyOf,
  type Certified,
  CLIENT_ID,
  certify,
  createIssuerBench,
  createWallet,
  ISSUER,
  type IssuerBench,
  keyProof,
  newSigner,
  obtainNonce,
  obtainToken,
  offerCode,
  postForm,
  requestCredential,
  type ScriptedWallet,
  TEMPLATE,
  textOf,
} from './issuer-bench.js'

const DEMANDING = `${TEMPLATE}
proof_types: [jwt, attestation]
key_attestations:
  key_storage: [iso_18045_moderate, iso_18045_high]
`

interface Held {
  readonly bench: IssuerBench
  readonly wallet: ScriptedWallet
  readonly token: string
}

async function ready(options: Parameters<typeof createIssuerBench>[0] = {}): Promise<Held> {
  const bench = await createIssuerBench(options)
  const wallet = await createWallet(bench)
  const { token } = await obtainToken(bench, wallet)
  return { bench, wallet, token }
}

async function outcome(response: Response): Promise<readonly [number, unknown]> {
  return [response.status, (await bodyOf(response))['error']]
}

async function ask({ bench, wallet, token }: Held, proofs: JsonObject): Promise<Response> {
  return requestCredential(bench, wallet, token, { proofs })
}

/** The x coordinates of the keys that credentials were bound to. */
async function boundKeys(response: Response): Promise<readonly unknown[]> {
  const credentials = selectByPath(await bodyOf(response), ['credentials', null, 'credential']) ?? []
  return credentials.map((credential) => {
    const jwt = String(credential).split('~')[0] ?? ''
    return selectByPath(parseJws(jwt, { maxDepth: 32 }).payload, ['cnf', 'jwk', 'x'])?.[0]
  })
}

/** A JWS without the maker's own checks. */
async function rawJws(input: { header: JsonObject; payload: JsonObject }, signer: Signer): Promise<string> {
  const part = (value: JsonObject) => encodeBase64url(utf8(JSON.stringify(value)))
  const signed = `${part({ alg: signer.alg, ...input.header })}.${part(input.payload)}`
  return `${signed}.${encodeBase64url(await signer.sign(utf8(signed)))}`
}

/** A key proof made to order. */
async function proof(
  bench: IssuerBench,
  change: {
    readonly header?: JsonObject
    readonly payload?: JsonObject
    readonly without?: string
    readonly signer?: Signer
  },
): Promise<string> {
  const signer = change.signer ?? newSigner()
  const header = { typ: 'openid4vci-proof+jwt', jwk: { ...signer.publicJwk }, ...change.header }
  const payload: Record<string, JsonValue> = {
    aud: ISSUER,
    iat: NOW,
    nonce: await obtainNonce(bench),
    ...change.payload,
  }
  if (change.without === 'jwk')
    return rawJws({ header: { typ: header.typ, ...change.header }, payload }, signer)
  if (change.without) delete payload[change.without]
  return rawJws({ header, payload }, signer)
}

describe('jwt proofs', () => {
  const invalid = [400, 'invalid_proof']

  test('typ and algorithm are checked [VCI-I-PRF-01]', async () => {
    const held = await ready()
    expect((await ask(held, { jwt: [await proof(held.bench, {})] })).status).toBe(200)
    const good = await proof(held.bench, {})
    const [, payload, signature] = good.split('.')
    const header = (alg: string) =>
      Buffer.from(JSON.stringify({ typ: 'openid4vci-proof+jwt', alg, jwk: {} })).toString('base64url')
    const bad = [
      await proof(held.bench, { header: { typ: 'jwt' } }),
      await proof(held.bench, { header: { typ: 'OPENID4VCI-PROOF+JWT' } }),
      await proof(held.bench, { signer: createSoftwareSigner(generatePrivateJwk('ES384')) }),
      `${header('none')}.${payload}.`,
      `${header('HS256')}.${payload}.${signature}`,
    ]
    for (const jwt of bad) expect(await outcome(await ask(held, { jwt: [jwt] }))).toEqual(invalid)
  })

  test('exactly one key, public, and the signature is by it [VCI-I-PRF-02]', async () => {
    const held = await ready()
    const { bench } = held
    const good = await proof(bench, {})
    const flipped = `${good.slice(0, -4)}${good.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`
    const bad = [
      await proof(bench, { without: 'jwk' }),
      await proof(bench, { header: { kid: 'x' } }),
      await proof(bench, { without: 'jwk', header: { kid: 'did:example:1#0' } }),
      await proof(bench, { without: 'jwk', header: { x5c: [...(bench.provider.signer.x5c ?? [])] } }),
      await proof(bench, { header: { jwk: generatePrivateJwk('ES256') } }),
      await proof(bench, { header: { jwk: { ...newSigner().publicJwk } } }),
      await proof(bench, { header: { jwk: { kty: 'oct', k: 'AAAA' } } }),
      flipped,
      'x',
    ]
    for (const jwt of bad) expect(await outcome(await ask(held, { jwt: [jwt] }))).toEqual(invalid)
  })

  test('aud is the issuer identifier, as a string [VCI-I-PRF-03]', async () => {
    const held = await ready()
    for (const aud of [`${ISSUER}/`, `${ISSUER}/credential`, [ISSUER], 'https://issuer.example', null]) {
      const jwt = [await proof(held.bench, { payload: { aud } })]
      expect(await outcome(await ask(held, { jwt }))).toEqual(invalid)
    }
    const absent = [await proof(held.bench, { without: 'aud' })]
    expect(await outcome(await ask(held, { jwt: absent }))).toEqual(invalid)
  })

  test('iat is now [VCI-I-PRF-04]', async () => {
    const held = await ready()
    for (const iat of [NOW - 3600, NOW + 3600, NOW + 61, NOW - 301, '1790000000', null]) {
      const jwt = [await proof(held.bench, { payload: { iat } })]
      expect(await outcome(await ask(held, { jwt }))).toEqual(invalid)
    }
    expect(await outcome(await ask(held, { jwt: [await proof(held.bench, { without: 'iat' })] }))).toEqual(
      invalid,
    )
    expect((await ask(held, { jwt: [await proof(held.bench, { payload: { iat: NOW + 8 } })] })).status).toBe(
      200,
    )
  })

  test('a nonce that is absent, unknown, expired or spent [VCI-I-PRF-05]', async () => {
    const held = await ready()
    const { bench } = held
    expect(await outcome(await ask(held, { jwt: [await proof(bench, { without: 'nonce' })] }))).toEqual(
      invalid,
    )
    const unknown = [await proof(bench, { payload: { nonce: 'made-up' } })]
    expect(await outcome(await ask(held, { jwt: unknown }))).toEqual([400, 'invalid_nonce'])
    const nonce = await obtainNonce(bench)
    expect((await ask(held, { jwt: [await proof(bench, { payload: { nonce } })] })).status).toBe(200)
    const spent = [await proof(bench, { payload: { nonce } })]
    expect(await outcome(await ask(held, { jwt: spent }))).toEqual([400, 'invalid_nonce'])
    const late = await obtainNonce(bench)
    bench.time.advance(300)
    const expired = [await proof(bench, { payload: { nonce: late, iat: NOW + 300 } })]
    expect(await outcome(await ask(held, { jwt: expired }))).toEqual([400, 'invalid_nonce'])
  })

  test('iss is the client, or left out after anonymous access [VCI-I-PRF-06]', async () => {
    const held = await ready()
    const right = await keyProof(held.bench, newSigner(), { clientId: CLIENT_ID })
    expect((await ask(held, { jwt: [right] })).status).toBe(200)
    const wrong = await keyProof(held.bench, newSigner(), { clientId: 'https://other.example' })
    expect(await outcome(await ask(held, { jwt: [wrong] }))).toEqual(invalid)

    const clientAuthentication = { method: 'none', anonymousAccess: true } as const
    const bench = await createIssuerBench({ mode: 'base', clientAuthentication })
    const { code, txCode } = await offerCode(bench)
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:pre-authorized_code',
      'pre-authorized_code': code,
      tx_code: txCode,
    }
    const token = textOf(await bodyOf(await postForm(bench, '/token', form, {})), 'access_token')
    const post = async (clientId?: string) =>
      bench.send(`${ISSUER}/credential`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({
          credential_configuration_id: 'agent-role',
          proofs: { jwt: [await keyProof(bench, newSigner(), clientId === undefined ? {} : { clientId })] },
        }),
      })
    expect(await outcome(await post(CLIENT_ID))).toEqual(invalid)
    expect((await post()).status).toBe(200)
  })

  test('one bad proof fails all, and the nonce stays good [VCI-I-PRF-07]', async () => {
    const held = await ready({ batchSize: 3 })
    const nonce = await obtainNonce(held.bench)
    const good = () => keyProof(held.bench, newSigner(), { nonce })
    const bad = await proof(held.bench, { payload: { nonce, aud: 'https://other.example' } })
    const mixed = await ask(held, { jwt: [await good(), await good(), bad] })
    expect(await outcome(mixed)).toEqual(invalid)
    expect(await held.bench.store.list('t/default/issuer/credential/')).toEqual([])
    const all = await ask(held, { jwt: [await good(), await good(), await good()] })
    expect(await boundKeys(all)).toHaveLength(3)
    const two = await ask(held, { jwt: [await proof(held.bench, {}), await proof(held.bench, {})] })
    expect(await outcome(two)).toEqual([400, 'invalid_nonce'])
  })
})

function proofWith(nonce: string, keyAttestation: string, signer: Signer): Promise<string> {
  const header = {
    typ: 'openid4vci-proof+jwt',
    jwk: { ...signer.publicJwk },
    key_attestation: keyAttestation,
  }
  return rawJws({ header, payload: { aud: ISSUER, iat: NOW, nonce } }, signer)
}

describe('key attestations', () => {
  let attester: Certified
  let stranger: Certified
  const options = () => ({ template: DEMANDING, keyAttesters: attester.anchors, batchSize: 5 })
  const invalid = [400, 'invalid_proof']

  beforeAll(async () => {
    attester = await certify('Key attester')
    stranger = await certify('Stranger')
  })

  async function attestation(
    bench: IssuerBench,
    keys: readonly Signer[],
    change: Partial<KeyAttestation> & { readonly signer?: Signer; readonly expiresAt?: number } = {},
  ): Promise<string> {
    const { signer = attester.signer, expiresAt = NOW + 600, ...stated } = change
    const { attestedKeys, keyStorage } = { attestedKeys: keys.map((key) => key.publicJwk), ...stated }
    const nonce = 'nonce' in stated ? stated.nonce : await obtainNonce(bench)
    const storage = 'keyStorage' in stated ? keyStorage : ['iso_18045_moderate']
    const payload: Record<string, JsonValue> = {
      iat: NOW,
      exp: expiresAt,
      attested_keys: attestedKeys.map((jwk) => ({ ...jwk })),
    }
    if (nonce !== undefined) payload['nonce'] = nonce
    if (storage !== undefined) payload['key_storage'] = storage
    if (stated.userAuthentication) payload['user_authentication'] = [...stated.userAuthentication]
    const header = { typ: 'key-attestation+jwt', x5c: [...(signer.x5c ?? [])] }
    return rawJws({ header, payload }, signer)
  }

  /** A jwt proof that carries an attestation over the same nonce. */
  async function attestedProof(
    bench: IssuerBench,
    keys: readonly Signer[],
    change: Parameters<typeof attestation>[2] & { readonly by?: Signer } = {},
  ): Promise<string> {
    const { by, ...stated } = change
    const nonce = await obtainNonce(bench)
    const keyAttestation = await attestation(bench, keys, { nonce, ...stated })
    const signer = by ?? keys[0] ?? newSigner()
    return proofWith(nonce, keyAttestation, signer)
  }

  test('both variants are accepted, one credential for each attested key [VCI-I-PRF-09, VCI-I-PRF-16]', async () => {
    const keys = [newSigner(), newSigner(), newSigner()]
    const xs = keys.map((key) => key.publicJwk.x)
    const held = await ready(options())
    expect(await boundKeys(await ask(held, { jwt: [await attestedProof(held.bench, keys)] }))).toEqual(xs)
    expect(await boundKeys(await ask(held, { attestation: [await attestation(held.bench, keys)] }))).toEqual(
      xs,
    )
    const seven = Array.from({ length: 7 }, () => newSigner())
    const cut = await ask(held, { attestation: [await attestation(held.bench, seven)] })
    expect(await boundKeys(cut)).toHaveLength(5)
  })

  test('the proof is signed by one of the attested keys [VCI-I-PRF-08]', async () => {
    const held = await ready(options())
    const jwt = [await attestedProof(held.bench, [newSigner()], { by: newSigner() })]
    expect(await outcome(await ask(held, { jwt }))).toEqual(invalid)
    const second = newSigner()
    const good = [await attestedProof(held.bench, [newSigner(), second], { by: second })]
    expect((await ask(held, { jwt: good })).status).toBe(200)
  })

  test('the attestation proof is one JWT and needs no proof of possession [VCI-I-PRF-10]', async () => {
    const held = await ready(options())
    const one = await attestation(held.bench, [newSigner()])
    const two = await attestation(held.bench, [newSigner()])
    expect(await outcome(await ask(held, { attestation: [one, two] }))).toEqual([
      400,
      'invalid_credential_request',
    ])
    expect((await ask(held, { attestation: [one] })).status).toBe(200)
  })

  test('its nonce is checked in both variants [VCI-I-PRF-11]', async () => {
    const held = await ready(options())
    const keys = [newSigner()]
    const absent = { attestation: [await attestation(held.bench, keys, { nonce: undefined })] }
    expect(await outcome(await ask(held, absent))).toEqual(invalid)
    const wrong = { attestation: [await attestation(held.bench, keys, { nonce: 'made-up' })] }
    expect(await outcome(await ask(held, wrong))).toEqual([400, 'invalid_nonce'])
    const other = { jwt: [await attestedProof(held.bench, keys, { nonce: await obtainNonce(held.bench) })] }
    expect(await outcome(await ask(held, other))).toEqual([400, 'invalid_nonce'])
    const without = { jwt: [await attestedProof(held.bench, keys, { nonce: undefined })] }
    expect(await outcome(await ask(held, without))).toEqual(invalid)
  })

  test('typ, algorithm, times and keys of an attestation [VCI-I-PRF-12]', async () => {
    const held = await ready(options())
    const { bench } = held
    const key = newSigner()
    const made = async (header: JsonObject, payload: JsonObject, signer = attester.signer) =>
      rawJws(
        {
          header: { typ: 'key-attestation+jwt', x5c: [...(signer.x5c ?? [])], ...header },
          payload: {
            iat: NOW,
            nonce: await obtainNonce(bench),
            attested_keys: [{ ...key.publicJwk }],
            key_storage: ['iso_18045_high'],
            ...payload,
          },
        },
        signer,
      )
    expect((await ask(held, { attestation: [await made({}, {})] })).status).toBe(200)
    const bad = [
      await made({ typ: 'jwt' }, {}),
      await made({}, { exp: NOW - 61 }),
      await made({}, { iat: NOW + 120 }),
      await made({}, { iat: 'now' }),
      await made({}, { attested_keys: [] }),
      await made({}, { attested_keys: [{ kty: 'EC' }] }),
      await made({}, { attested_keys: [generatePrivateJwk('ES256')] }),
      await made({}, { attested_keys: 1 }),
    ]
    for (const jwt of bad) expect(await outcome(await ask(held, { attestation: [jwt] }))).toEqual(invalid)
    const nonce = await obtainNonce(bench)
    const endless = await made({}, { nonce })
    const inProof = await proofWith(nonce, endless, key)
    expect(await outcome(await ask(held, { jwt: [inProof] }))).toEqual(invalid)
  })

  test('its signer chains to a configured anchor, which is not sent [VCI-I-PRF-13]', async () => {
    const held = await ready(options())
    const keys = [newSigner()]
    const foreign = [await attestation(held.bench, keys, { signer: stranger.signer })]
    expect(await outcome(await ask(held, { attestation: foreign }))).toEqual(invalid)
    const bare = [await attestation(held.bench, keys, { signer: newSigner() })]
    expect(await outcome(await ask(held, { attestation: bare }))).toEqual(invalid)
    const { x5c, ...others } = stranger.signer
    const borrowed = { ...others, x5c: attester.signer.x5c ?? x5c ?? [] }
    const stolen = [await attestation(held.bench, keys, { signer: borrowed })]
    expect(await outcome(await ask(held, { attestation: stolen }))).toEqual(invalid)
  })

  test('a missing or weaker one does not pass [VCI-I-PRF-14, VCI-I-PRF-15]', async () => {
    const held = await ready(options())
    const plain = [await keyProof(held.bench, newSigner())]
    expect(await outcome(await ask(held, { jwt: plain }))).toEqual(invalid)
    for (const keyStorage of [undefined, ['iso_18045_basic'], []]) {
      const jwt = [await attestation(held.bench, [newSigner()], { keyStorage })]
      expect(await outcome(await ask(held, { attestation: jwt }))).toEqual(invalid)
      const inside = [await attestedProof(held.bench, [newSigner()], { keyStorage })]
      expect(await outcome(await ask(held, { jwt: inside }))).toEqual(invalid)
    }
    const keyStorage = ['iso_18045_high']
    const high = [await attestation(held.bench, [newSigner()], { keyStorage })]
    expect((await ask(held, { attestation: high })).status).toBe(200)
    const inside = [await attestedProof(held.bench, [newSigner()], { keyStorage })]
    expect((await ask(held, { jwt: inside })).status).toBe(200)
  })

  test('how the holder is authenticated counts in both variants [VCI-I-PRF-14, VCI-I-PRF-15]', async () => {
    const held = await ready({
      ...options(),
      template: `${TEMPLATE}\nproof_types: [jwt, attestation]\nkey_attestations: { user_authentication: [iso_18045_high] }\n`,
    })
    const variants = async (userAuthentication: readonly string[] | undefined) => {
      const stated = userAuthentication === undefined ? {} : { userAuthentication }
      return [
        await outcome(
          await ask(held, { attestation: [await attestation(held.bench, [newSigner()], stated)] }),
        ),
        await outcome(await ask(held, { jwt: [await attestedProof(held.bench, [newSigner()], stated)] })),
      ]
    }
    for (const weaker of [undefined, [], ['iso_18045_basic']]) {
      expect(await variants(weaker)).toEqual([invalid, invalid])
    }
    const good = [200, undefined]
    expect(await variants(['iso_18045_basic', 'iso_18045_high'])).toEqual([good, good])
  })

  test('kid names exactly one attested key, or nothing [VCI-I-PRF-02]', async () => {
    const held = await ready(options())
    const [first, second] = [newSigner(), newSigner()]
    const proofBy = async (kids: readonly string[], kid: string) => {
      const nonce = await obtainNonce(held.bench)
      const attestedKeys = [first, second].map((key, at) => ({ ...key.publicJwk, kid: kids[at] ?? '' }))
      const stated = { attestedKeys, nonce, keyStorage: ['iso_18045_high'] }
      const keyAttestation = await createKeyAttestation(stated, attester.signer, {
        now: NOW,
        expiresAt: NOW + 60,
      })
      const header = { typ: 'openid4vci-proof+jwt', kid, key_attestation: keyAttestation }
      return rawJws({ header, payload: { aud: ISSUER, iat: NOW, nonce } }, first)
    }
    expect((await ask(held, { jwt: [await proofBy(['a', 'b'], 'a')] })).status).toBe(200)
    for (const jwt of [
      await proofBy(['a', 'a'], 'a'),
      await proofBy(['a', 'b'], 'c'),
      await proofBy(['a', 'b'], 'b'),
    ]) {
      expect(await outcome(await ask(held, { jwt: [jwt] }))).toEqual(invalid)
    }
  })
})
