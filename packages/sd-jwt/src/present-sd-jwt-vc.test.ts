import { createHash } from 'node:crypto'
import { createSoftwareSigner, generatePrivateJwk } from '@attache/keys'
import { describe, expect, test } from 'vitest'
import { issueSdJwtVc, presentSdJwtVc, verifySdJwtVc } from './index.js'

const NOW = 1_790_000_000
const issuer = createSoftwareSigner(generatePrivateJwk('ES256'))
const holder = createSoftwareSigner(generatePrivateJwk('ES256'))
let counter = 0
const random = (n: number) => {
  counter += 1
  return new Uint8Array(createHash('sha512').update(String(counter)).digest()).slice(0, n)
}

describe('presentSdJwtVc', () => {
  test('shows exactly the chosen claims, nested ones with what they stand in [SDJWT-H-05]', async () => {
    const text = await issueSdJwtVc(
      {
        claims: {
          vct: 'https://issuer.example/types/agent-role/v1',
          iss: 'https://issuer.example',
          iat: NOW,
          exp: NOW + 1000,
          agent: 'a',
          'a.b': 1,
          a: { b: { c: 2 } },
          constructor: { name: 'x', toString: 5 },
          list: ['x', { y: 1 }, ['z']],
        },
        disclosable: [
          ['agent'],
          ['a.b'],
          ['a', 'b'],
          ['a', 'b', 'c'],
          ['constructor'],
          ['constructor', 'toString'],
          ['list', null],
          ['list', 1, 'y'],
        ],
        holderKey: holder.publicJwk,
        decoys: [
          { at: [], fillTo: 8 },
          { at: ['list'], fillTo: 6 },
        ],
      },
      { signer: issuer, random },
    )
    const presentation = await presentSdJwtVc(text, {
      disclose: [['a.b'], ['constructor', 'toString'], ['list', 1, 'y']],
      keyBinding: { signer: holder, audience: 'x509_hash:abc', nonce: 'n', issuedAt: NOW },
    })
    const verified = await verifySdJwtVc(presentation, {
      resolveIssuerKey: async () => ({ key: issuer.publicJwk, issuer: 'https://issuer.example' }),
      acceptedTypes: ['https://issuer.example/types/agent-role/v1'],
      algorithms: ['ES256'],
      keyBinding: { audience: 'x509_hash:abc', nonce: 'n', maxAgeSeconds: 300 },
      now: NOW,
    })
    expect(verified.claims).toMatchObject({ 'a.b': 1, a: {}, list: [{ y: 1 }] })
  })
})
