/**
 * Algorithms at the issuer: every artefact that a client signs, with every algorithm that is not configured.
 *
 * The signatures are honest ones, by real keys and under real certificates: nothing but the algorithm is wrong.
 *
 * Source: HAIP 1.0, section 7; FAPI 2.0 Security Profile, section 5.4.1.
 *
 * @module
 */
import { generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto'
import { selectByPath } from '@attache/core'
import {
  type CertificateAuthority,
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  type JwsAlgorithm,
  type PublicJwk,
  type Signer,
} from '@attache/keys'
import { beforeAll, describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { createSeededRandom } from '../support/random.js'
import { bodyOf, newSigner, obtainNonce } from './issuer-bench.js'
import {
  codeDraft,
  createStage,
  credentialDraft,
  type Draft,
  type Jwt,
  parDraft,
  proofJwt,
  type Stage,
  send,
  signed,
  TEMPLATES,
  templateOf,
} from './issuer-draft.js'

const random = createSeededRandom('algorithms')
const VALIDITY = { notBefore: NOW - 60, notAfter: NOW + 86_400 }

let authority: CertificateAuthority

beforeAll(async () => {
  authority = await createCertificateAuthority(
    { commonName: 'Vouching', privateJwk: generatePrivateJwk('ES256'), ...VALIDITY },
    { random },
  )
})

interface Bits {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

/** A signer that this house would not make: RS256, or a key that is too short. */
function rsaSigner(alg: JwsAlgorithm, { publicKey, privateKey }: Bits, padding: 'pkcs1' | 'pss'): Signer {
  const { n, e } = publicKey.export({ format: 'jwk' })
  const publicJwk: PublicJwk = { kty: 'RSA', n: n ?? '', e: e ?? '' }
  const options = padding === 'pss' ? { key: privateKey, padding: 6, saltLength: 32 } : { key: privateKey }
  return {
    alg,
    publicJwk,
    kid: 'rsa',
    sign: async (bytes) => new Uint8Array(signBytes('sha256', bytes, options)),
  }
}

const RSA_2048 = generateKeyPairSync('rsa', { modulusLength: 2048 })
const RSA_1024 = generateKeyPairSync('rsa', { modulusLength: 1024 })
const software = (alg: JwsAlgorithm) => createSoftwareSigner(generatePrivateJwk(alg))

const WEAK = 'PS256 with 1024 bits'

/** Signers by what they stand for. */
const SIGNERS: Readonly<Record<string, () => Signer>> = {
  ES256: () => software('ES256'),
  ES384: () => software('ES384'),
  ES512: () => software('ES512'),
  EdDSA: () => software('EdDSA'),
  PS256: () => rsaSigner('PS256', RSA_2048, 'pss'),
  RS256: () => rsaSigner('RS256', RSA_2048, 'pkcs1'),
  [WEAK]: () => rsaSigner('PS256', RSA_1024, 'pss'),
}

async function certified(signer: Signer): Promise<Signer> {
  const { x5c } = await issueCertificate(
    { commonName: 'Leaf', publicJwk: signer.publicJwk, issuer: authority, ...VALIDITY },
    { random },
  )
  return { ...signer, x5c }
}

const chainOf = (signer: Signer) => ({ x5c: [...(signer.x5c ?? [])] })

/** One artefact: a request that carries it, and the refusal when it is not accepted. */
interface Artefact {
  readonly name: string
  readonly refusal: readonly [number, string]
  /** Its key stands in a certificate; our own maker of certificates takes no weak keys. */
  readonly certified?: boolean
  readonly made: (stage: Stage, by: By) => Promise<Draft>
}

interface By {
  readonly signer: Signer
  readonly forged?: Jwt['forged']
}

const CLIENT = [401, 'invalid_client'] as const
const PROOF = [400, 'invalid_proof'] as const

/** A JWT by somebody else, under the certificate or with the key that goes with that. */
const madeBy = (jwt: Jwt | undefined, by: By, header: Jwt['header'] = {}): Jwt => ({
  header: { ...jwt?.header, ...header },
  payload: { ...jwt?.payload },
  ...by,
})

/** A key attestation for one key, with a nonce of this issuer. */
async function keyAttestation(stage: Stage, by: By, key: PublicJwk): Promise<Jwt> {
  const signer = await certified(by.signer)
  const payload = {
    iat: NOW,
    exp: NOW + 600,
    nonce: await obtainNonce(stage.bench),
    attested_keys: [{ ...key }],
  }
  return { header: { typ: 'key-attestation+jwt', ...chainOf(signer) }, payload, ...by, signer }
}

const ARTEFACTS: readonly Artefact[] = [
  {
    name: 'client attestation',
    certified: true,
    refusal: CLIENT,
    made: async (stage, by) => {
      const draft = await codeDraft(stage)
      const signer = await certified(by.signer)
      return { ...draft, attestation: madeBy(draft.attestation, { ...by, signer }, chainOf(signer)) }
    },
  },
  {
    name: 'client attestation PoP',
    refusal: CLIENT,
    made: async (stage, by) => {
      const draft = await codeDraft(stage)
      const cnf = { jwk: { ...by.signer.publicJwk } }
      if (draft.attestation) draft.attestation.payload['cnf'] = cnf
      return { ...draft, pop: madeBy(draft.pop, by) }
    },
  },
  {
    name: 'DPoP proof at the token endpoint',
    refusal: [400, 'invalid_dpop_proof'],
    made: async (stage, by) => {
      const draft = await codeDraft(stage)
      return { ...draft, dpop: madeBy(draft.dpop, by, { jwk: { ...by.signer.publicJwk } }) }
    },
  },
  {
    name: 'DPoP proof at the pushed authorization request endpoint',
    refusal: [400, 'invalid_dpop_proof'],
    made: async (stage, by) => {
      const draft = parDraft(stage)
      return { ...draft, dpop: madeBy(draft.dpop, by, { jwk: { ...by.signer.publicJwk } }) }
    },
  },
  {
    name: 'DPoP proof at the credential endpoint',
    refusal: [401, 'invalid_dpop_proof'],
    made: async (stage, by) => {
      // Where the algorithm is accepted the token is bound to this very key.
      const own = { ...stage, wallet: { ...stage.wallet, dpop: by.signer } }
      const accepted = by.forged === undefined && (await send(own, await codeDraft(own))).ok
      const draft = await credentialDraft(accepted ? own : stage)
      return { ...draft, dpop: madeBy(draft.dpop, by, { jwk: { ...by.signer.publicJwk } }) }
    },
  },
  {
    name: 'key proof by jwk',
    refusal: PROOF,
    made: async (stage, by) => {
      const draft = await credentialDraft(stage)
      return { ...draft, proofs: [madeBy(await proofJwt(stage, by.signer), by)] }
    },
  },
  {
    name: 'key proof by x5c',
    certified: true,
    refusal: PROOF,
    made: async (stage, by) => {
      const draft = await credentialDraft(stage)
      const signer = await certified(by.signer)
      const { payload } = await proofJwt(stage, signer)
      const header = { typ: 'openid4vci-proof+jwt', ...chainOf(signer) }
      return { ...draft, proofs: [{ header, payload, ...by, signer }] }
    },
  },
  {
    name: 'key attestation in a key proof',
    certified: true,
    refusal: PROOF,
    made: async (stage, by) => {
      const draft = await credentialDraft(stage, 'attested-role')
      const [proof] = draft.proofs ?? []
      if (proof === undefined) throw new Error('A proof is there.')
      const attestation = await keyAttestation(stage, by, proof.signer.publicJwk)
      proof.payload['nonce'] = attestation.payload['nonce'] ?? ''
      proof.header['key_attestation'] = await signed(attestation)
      return draft
    },
  },
  {
    name: 'attestation proof',
    certified: true,
    refusal: PROOF,
    made: async (stage, by) => {
      const draft = await credentialDraft(stage, 'attested-role')
      const attestation = await signed(await keyAttestation(stage, by, newSigner().publicJwk))
      return { ...draft, proofs: undefined, body: { ...draft.body, proofs: { attestation: [attestation] } } }
    },
  },
]

function stageWith(algorithms?: readonly JwsAlgorithm[]): Promise<Stage> {
  const anchors = createAnchors('vouching', [authority.pem])
  return createStage('haip', {
    templates: [
      ...TEMPLATES,
      templateOf('attested-role', 'proof_types: [jwt, attestation]\nkey_attestations: {}\n'),
    ],
    attestation: { attesters: [{ name: 'vouching', anchors, clients: 'any' }] },
    keyAttesters: anchors,
    proofCertificates: anchors,
    ...(algorithms && { algorithms }),
  })
}

async function outcome(stage: Stage, draft: Draft): Promise<readonly [number, unknown]> {
  const response = await send(stage, draft)
  return [response.status, (await bodyOf(response))['error']]
}

const cases = ARTEFACTS.map((artefact) => [artefact.name, artefact] as const)

describe.each(cases)('%s', (_, { refusal, certified: inCertificate, made }) => {
  test('by ES256 is accepted [VCI-I-SEC-02]', async () => {
    const stage = await stageWith()
    const response = await send(stage, await made(stage, { signer: software('ES256') }))
    expect([200, 201]).toContain(response.status)
  })

  const others = Object.keys(SIGNERS).filter((name) => name !== 'ES256' && !(inCertificate && name === WEAK))
  test.each(others)('by %s is refused where that is not configured [VCI-I-SEC-02]', async (name) => {
    const stage = await stageWith()
    const signer = SIGNERS[name]?.() ?? software('ES256')
    expect(await outcome(stage, await made(stage, { signer }))).toEqual(refusal)
  })

  test.each(['none', 'hmac', 'flipped'] as const)(
    'with a signature that is none (%s) is refused [VCI-I-SEC-02]',
    async (forged) => {
      const stage = await stageWith()
      expect(await outcome(stage, await made(stage, { signer: software('ES256'), forged }))).toEqual(refusal)
    },
  )

  test('by ES384 is accepted where it is configured, and listed there [VCI-I-SEC-02]', async () => {
    const stage = await stageWith(['ES256', 'ES384'])
    const response = await send(stage, await made(stage, { signer: software('ES384') }))
    expect([200, 201]).toContain(response.status)
    const metadata = await bodyOf(
      await stage.bench.send('https://issuer.example/.well-known/openid-credential-issuer/acme'),
    )
    const proofTypes = [
      'credential_configurations_supported',
      'attested-role',
      'proof_types_supported',
    ] as const
    expect(selectByPath(metadata, [...proofTypes, 'jwt', 'proof_signing_alg_values_supported'])).toEqual([
      ['ES256', 'ES384'],
    ])
    const server = await bodyOf(
      await stage.bench.send('https://issuer.example/.well-known/oauth-authorization-server/acme'),
    )
    expect(server).toMatchObject({
      dpop_signing_alg_values_supported: ['ES256', 'ES384'],
      client_attestation_signing_alg_values_supported: ['ES256', 'ES384'],
      client_attestation_pop_signing_alg_values_supported: ['ES256', 'ES384'],
    })
  })

  if (inCertificate === true) return
  test('by an RSA key of 1024 bits is refused, configured or not [VCI-I-SEC-02]', async () => {
    const stage = await stageWith(['ES256', 'PS256'])
    const [weak, strong] = [RSA_1024, RSA_2048].map((bits) => rsaSigner('PS256', bits, 'pss'))
    if (weak === undefined || strong === undefined) throw new Error('Two signers were made.')
    expect(await outcome(stage, await made(stage, { signer: weak }))).toEqual(refusal)
    expect([200, 201]).toContain((await send(stage, await made(stage, { signer: strong }))).status)
  })
})
