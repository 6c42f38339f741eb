import type { JsonObject } from '@attache/core'
import { parsePublicJwk } from '@attache/keys'
import {
  createClientAttestation,
  createClientAttestationPop,
  createDpopProof,
  verifyClientAttestation,
  verifyDpopProof,
} from '@attache/oauth'
import { verifySdJwtVc } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  AUDIENCE,
  BINDING,
  bind,
  forge,
  holderSigner,
  issuerSigner,
  NO_BINDING,
  NONCE,
  signRaw,
  VCT,
} from '../support/credentials.js'
import { createSeededRandom } from '../support/random.js'

const random = createSeededRandom('confusion')
const URL = 'https://api.example/reports'
const SERVER = 'https://as.example'
const jwk = holderSigner.publicJwk
const presented = await forge({})
const binding = (await bind(presented)).slice(presented.length)

const asDpop = (text: string) =>
  verifyDpopProof(text, { method: 'GET', url: URL, algorithms: ['ES256'] }, NOW)
const attesters = [
  { name: 'wallets', keys: [parsePublicJwk(issuerSigner.publicJwk)], clients: 'any' as const },
]
const asClient = (attestation: string, pop: string) =>
  verifyClientAttestation(
    { attestation, pop },
    { audience: SERVER, attesters, algorithms: ['ES256'], dpopCombined: false },
    NOW,
  )

/** The same claims and the same key under the typ of a KB-JWT. */
const retyped = async (text: string, typ: string, signer = holderSigner) => {
  const [header = '', payload = ''] = text.split('.').map((part) => Buffer.from(part, 'base64url').toString())
  const named: JsonObject = JSON.parse(header)
  return signRaw({ ...named, typ }, payload, signer)
}

describe('a KB-JWT is a KB-JWT and nothing else', () => {
  test('it is no DPoP proof, and a DPoP proof is no KB-JWT [SDJWT-K-13]', async () => {
    const proof = await createDpopProof({ method: 'GET', url: URL }, holderSigner, { now: NOW, random })

    expect(asDpop(proof)).toMatchObject({ publicJwk: jwk })
    expect(() => asDpop(binding)).toThrow(expect.objectContaining({ code: 'invalid_dpop_proof' }))
    // Everything a proof needs is there; the typ alone says that it is none.
    const disguised = await retyped(proof, 'kb+jwt')
    expect(() => asDpop(disguised)).toThrow(expect.objectContaining({ code: 'invalid_dpop_proof' }))
    await expect(verifySdJwtVc(presented + proof, BINDING)).rejects.toMatchObject({
      code: 'key_binding_type',
    })
  })

  test('it is no client attestation and no proof of possession for one [SDJWT-K-13]', async () => {
    const statement = { clientId: 'agent-7', instanceKey: jwk, expiresAt: NOW + 300 }
    const attestation = await createClientAttestation(statement, issuerSigner, NOW)
    const pop = await createClientAttestationPop({ audience: SERVER }, holderSigner, { now: NOW, random })
    const refused = expect.objectContaining({ name: 'ProtocolError' })

    expect(asClient(attestation, pop)).toMatchObject({ clientId: 'agent-7' })
    const asKeyBinding = await retyped(attestation, 'kb+jwt', issuerSigner)
    expect(() => asClient(asKeyBinding, pop)).toThrow(refused)
    expect(() => asClient(attestation, binding)).toThrow(refused)
    const disguised = await retyped(pop, 'kb+jwt')
    expect(() => asClient(attestation, disguised)).toThrow(refused)
    await expect(verifySdJwtVc(presented + pop, BINDING)).rejects.toMatchObject({ code: 'key_binding_type' })
  })

  test('it is no credential, and a credential is no KB-JWT [SDJWT-K-13]', async () => {
    const claims = { vct: VCT, iss: 'https://issuer.example' }
    const typed = (typ: string) => signRaw({ alg: 'ES256', typ }, claims)
    const both = await signRaw(
      { alg: 'ES256', typ: 'dc+sd-jwt' },
      { ...claims, iat: NOW, aud: AUDIENCE, nonce: NONCE },
      holderSigner,
    )

    await expect(verifySdJwtVc(`${await typed('dc+sd-jwt')}~`, NO_BINDING)).resolves.toMatchObject({
      vct: VCT,
    })
    for (const typ of [
      'kb+jwt',
      'dpop+jwt',
      'at+jwt',
      'JWT',
      'oauth-client-attestation+jwt',
      'statuslist+jwt',
    ]) {
      await expect(verifySdJwtVc(`${await typed(typ)}~`, NO_BINDING)).rejects.toMatchObject({
        code: 'jws_typ',
      })
    }
    await expect(verifySdJwtVc(presented + both, BINDING)).rejects.toMatchObject({ code: 'key_binding_type' })
  })
})
