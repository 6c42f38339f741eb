/**
 * Attacks on a guarded route, by somebody who has the victim's token or has listened: rows 1, 2 and 6.
 *
 * @module
 */
import { createHmac } from 'node:crypto'
import { type JsonObject, member } from '@attache/core'
import { createSoftwareSigner, digest, generatePrivateJwk, parseJws, type Signer } from '@attache/keys'
import { NOW } from '../support/clock.js'
import { encodeJson, holder, plainJwk, signRaw } from '../support/forged-presentation.js'
import { API, call, freshKey, signers } from '../support/presentation-world.js'
import type { CallAttack, CallScene, Library } from './attack.js'

const OAUTH: readonly Library[] = ['oauth4webapi validateJwtAccessToken']
const TARGET = `${API}/payroll/export`

const send = (headers: Readonly<Record<string, string>>, url = TARGET) =>
  new Request(url, { method: 'POST', headers })

/** A proof as its owner makes it, but for these members; `null` takes one out. */
async function proofFor(
  token: string,
  change: { header?: JsonObject; payload?: JsonObject; jwk?: JsonObject; signer: Signer },
): Promise<string> {
  const { signer, jwk = plainJwk(signer) } = change
  const sound: JsonObject = {
    jti: 'jti-of-the-attack',
    htm: 'POST',
    htu: TARGET,
    iat: NOW,
    ath: digest('sha-256', token),
    ...change.payload,
  }
  const payload = Object.fromEntries(Object.entries(sound).filter(([, value]) => value !== null))
  return signRaw({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...change.header }, payload, signer)
}

const withProof = (token: string, proof: string) => send({ Authorization: `DPoP ${token}`, DPoP: proof })

const bent =
  (change: { header?: JsonObject; payload?: JsonObject; jwk?: JsonObject }) =>
  async ({ token, victim }: CallScene) =>
    withProof(token, await proofFor(token, { signer: victim.dpop, ...change }))

/** The victim's own proof, with a token that is another text. */
async function withToken({ world, victim }: CallScene, token: string): Promise<Request> {
  return call(world, token, { dpop: victim.dpop })
}

const resigned =
  (change: { header?: JsonObject; payload?: JsonObject; signer?: Signer }) => async (scene: CallScene) => {
    const { header, payload } = parseJws(scene.token)
    const token = await signRaw(
      { ...header, ...change.header },
      { ...payload, ...change.payload },
      change.signer ?? freshKey(),
    )
    return withToken(scene, token)
  }

const STOLEN: readonly CallAttack[] = [
  {
    name: "a stolen token with the thief's key",
    row: 1,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: ({ world, token }) => call(world, token, { dpop: freshKey() }),
  },
  {
    name: 'a stolen token as Bearer',
    row: 1,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: async ({ token }) => send({ Authorization: `Bearer ${token}` }),
  },
  {
    name: 'a stolen token as Bearer with a proof of the thief',
    row: 1,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: async ({ token }) =>
      send({ Authorization: `Bearer ${token}`, DPoP: await proofFor(token, { signer: freshKey() }) }),
  },
  {
    name: 'a stolen token without a proof',
    row: 1,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: async ({ token }) => send({ Authorization: `DPoP ${token}` }),
  },
  {
    name: 'a token of another API',
    row: 1,
    refused: 'token_invalid',
    libraries: OAUTH,
    // Same signing key, another origin: what tells them apart is iss and aud.
    forge: resigned({ payload: { aud: 'https://other.example' }, signer: signers.api }),
  },
  {
    name: 'a token past its time',
    row: 1,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: resigned({ payload: { exp: NOW - 61 }, signer: signers.api }),
  },
  {
    name: 'a token that somebody else signed',
    row: 1,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: resigned({}),
  },
  {
    name: 'a token whose presentation is not known here',
    row: 1,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: resigned({ payload: { jti: 'tok_of_nobody' }, signer: signers.api }),
  },
  {
    name: 'a token bound to nothing',
    row: 1,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: resigned({ payload: { cnf: {} }, signer: signers.api }),
  },
  {
    name: 'a credential for a token',
    row: 6,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: async (scene) => withToken(scene, scene.victim.credential.split('~')[0] ?? ''),
  },
  {
    name: 'a client attestation for a token',
    row: 6,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: async (scene) => withToken(scene, scene.victim.attestation),
  },
  {
    name: 'a token of type JWT',
    row: 6,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: resigned({ header: { typ: 'JWT' }, signer: signers.api }),
  },
  {
    name: 'a token of type txntoken+jwt',
    row: 6,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: resigned({ header: { typ: 'txntoken+jwt' }, signer: signers.api }),
  },
  {
    name: 'a token with an unknown crit',
    row: 6,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: resigned({ header: { crit: ['exp'] }, signer: signers.api }),
  },
  {
    name: 'a token with alg none',
    row: 6,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: async (scene) => {
      const payload = scene.token.split('.')[1] ?? ''
      return withToken(scene, `${encodeJson({ alg: 'none', typ: 'at+jwt' })}.${payload}.AA`)
    },
  },
  {
    name: 'a token with a MAC over the public key',
    row: 6,
    refused: 'token_invalid',
    libraries: OAUTH,
    forge: async (scene) => {
      const input = `${encodeJson({ alg: 'HS256', typ: 'at+jwt' })}.${scene.token.split('.')[1] ?? ''}`
      const secret = JSON.stringify(plainJwk(signers.api))
      return withToken(scene, `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`)
    },
  },
]

const PROOFS: readonly CallAttack[] = [
  {
    name: 'a proof sent twice',
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: async ({ world, gate, victim, token }) => {
      const request = await call(world, token, { dpop: victim.dpop })
      await gate(request.clone())
      return request
    },
  },
  {
    name: 'a proof of two minutes ago',
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ payload: { iat: NOW - 120 } }),
  },
  {
    name: 'a proof made an hour ahead',
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ payload: { iat: NOW + 3600 } }),
  },
  {
    name: 'a proof without a time',
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ payload: { iat: null } }),
  },
  {
    name: 'a proof without a number of its own',
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ payload: { jti: null } }),
  },
  {
    name: 'a proof for another method',
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ payload: { htm: 'GET' } }),
  },
  {
    name: 'a proof for another path',
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ payload: { htu: `${API}/payroll/list` } }),
  },
  {
    name: 'a proof for another host',
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ payload: { htu: 'https://evil.example/payroll/export' } }),
  },
  {
    name: 'a proof for another token',
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ payload: { ath: digest('sha-256', 'another') } }),
  },
  {
    name: 'a proof for no token',
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ payload: { ath: null } }),
  },
  {
    name: 'a proof of type JWT',
    row: 6,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ header: { typ: 'JWT' } }),
  },
  {
    name: 'a KB-JWT for a proof',
    row: 6,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ header: { typ: 'kb+jwt' } }),
  },
  {
    name: 'a proof with an unknown crit',
    row: 6,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: bent({ header: { crit: ['exp'] } }),
  },
  {
    name: 'a proof with a private key in its header',
    row: 6,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: async ({ token }) => {
      const privateJwk = generatePrivateJwk('ES256')
      const signer = createSoftwareSigner(privateJwk)
      return withProof(
        token,
        await proofFor(token, { signer, jwk: { ...plainJwk(signer), d: member(privateJwk, 'd') ?? '' } }),
      )
    },
  },
  {
    name: "a proof under the victim's key that somebody else signed",
    row: 2,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: async ({ token, victim }) =>
      withProof(token, await proofFor(token, { signer: holder, jwk: plainJwk(victim.dpop) })),
  },
  {
    name: 'a proof with alg none',
    row: 6,
    refused: 'proof_invalid',
    libraries: OAUTH,
    forge: async ({ token, victim }) => {
      const [, payload = ''] = (await proofFor(token, { signer: victim.dpop })).split('.')
      return withProof(
        token,
        `${encodeJson({ alg: 'none', typ: 'dpop+jwt', jwk: plainJwk(victim.dpop) })}.${payload}.AA`,
      )
    },
  },
]

/** Every attack on a call. */
export const CALL_ATTACKS: readonly CallAttack[] = [...STOLEN, ...PROOFS]
