/**
 * Evil issuers: scripts for an issuer that hands out what nobody may keep, or never comes to an end.
 *
 * Each names the one reason a wallet must give.
 *
 * @module
 */
import { createSoftwareSigner, generatePrivateJwk, type Signer } from '@attache/keys'
import { disclose, signRaw } from '../support/credentials.js'
import { answer, roleClaims, type Script, START } from '../support/scripted-issuer.js'

export interface EvilIssuer {
  readonly name: string
  readonly code: string
  /** @param foreign A signer under an authority the wallet does not trust. */
  readonly script: (foreign: Signer, own: Signer) => Script
}

export const EVIL_ISSUERS: readonly EvilIssuer[] = [
  {
    name: 'binds the credential to a key of its own',
    code: 'binding',
    script: (_foreign, own) => ({
      credentials: async () => {
        const { publicJwk } = createSoftwareSigner(generatePrivateJwk('ES256'))
        const header = { alg: 'ES256', typ: 'dc+sd-jwt', x5c: [...(own.x5c ?? [])] }
        return [`${await signRaw(header, { ...roleClaims(START), cnf: { jwk: { ...publicJwk } } }, own)}~`]
      },
    }),
  },
  {
    name: 'issues another type',
    code: 'wrong_type',
    script: () => ({ claims: (all) => ({ ...all, vct: 'https://credentials.example/admin' }) }),
  },
  {
    name: 'adds a disclosure that nobody signed',
    code: 'verification',
    script: () => ({
      credentials: ([one = '']) => [`${one}${disclose('salt-of-16-bytes', 'admin', true)}~`],
    }),
  },
  {
    name: 'signs with a certificate of somebody else',
    code: 'untrusted_credential',
    script: (signer) => ({ signer }),
  },
  {
    name: 'sends a credential of a megabyte',
    code: 'verification',
    script: () => ({ credentials: ([one = '']) => [one + 'x'.repeat(900_000)] }),
  },
  {
    name: 'sends metadata of ten megabytes',
    code: 'metadata',
    script: () => ({ metadata: (document) => ({ ...document, padding: 'x'.repeat(10_000_000) }) }),
  },
  {
    name: 'repeats a member',
    code: 'metadata',
    script: () => ({
      steps: {
        '/.well-known/openid-credential-issuer': () =>
          new Response('{"credential_issuer":"a","credential_issuer":"b"}', {
            headers: { 'Content-Type': 'application/json' },
          }),
      },
    }),
  },
  {
    name: 'asks for a nonce for ever',
    code: 'response',
    script: () => ({ steps: { '/credential': () => answer(400, { error: 'invalid_nonce' }) } }),
  },
]

/** Promises a credential and never has it. */
export const NEVER_ENDING: Script = {
  steps: {
    '/credential': () => answer(202, { transaction_id: 'tx', interval: 3600 }),
    '/deferred': () => answer(202, { transaction_id: 'tx', interval: 3600 }),
  },
}
