/**
 * Differential test against http-message-signatures 1.0.6: what one signs, the other accepts.
 *
 * Known differences, for which our own code is written (RFC 9421): the peer puts methods in upper case
 * (section 2.2.1), takes field names in upper case (section 2), and reads the global clock.
 *
 * @module
 */
import { utf8 } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, type Signer, verifySignature } from '@attache/keys'
import { httpbis } from 'http-message-signatures'
import { expect, test } from 'vitest'
import { type RequestWithBody, signRequest, verifySignedRequest } from './http-signature.js'
import { createSignatureBase, parseSignatureFields } from './signature-base.js'
import { REQUEST_SIGNATURE_TAG, signatureAlgorithm } from './signature-profile.js'

const NOW = 1_790_000_000
const call: RequestWithBody = {
  method: 'POST',
  url: 'https://api.example.com/v1/tools/run?dry=false',
  headers: [
    ['Content-Type', 'application/json'],
    ['Authorization', 'DPoP to.ken'],
  ],
  body: utf8('{"amount":10}'),
}
const facts = { now: NOW, random: (byteCount: number) => new Uint8Array(byteCount).fill(9) }

function peerKey(signer: Signer) {
  const { name, jws } = signatureAlgorithm(signer.publicJwk)
  return {
    id: signer.kid,
    alg: name,
    sign: async (data: Buffer) => Buffer.from(await signer.sign(data)),
    verify: async (data: Buffer, signature: Buffer) =>
      verifySignature(signature, { bytes: data, alg: jws }, signer.publicJwk),
  }
}

test.each(['ES256', 'EdDSA'] as const)(
  'the peer accepts our %s signature [HMS-S-05] [HMS-S-06]',
  async (alg) => {
    const signer = createSoftwareSigner(generatePrivateJwk(alg))
    const fields = await signRequest(call, signer, facts)
    const headers = { ...Object.fromEntries(call.headers), ...fields }
    const verified = await httpbis.verifyMessage(
      { keyLookup: async () => peerKey(signer), tolerance: 1_000_000_000, notAfter: NOW + 60 },
      { method: call.method, url: call.url, headers },
    )
    expect(verified).toBe(true)
  },
)

test.each(['ES256', 'EdDSA'] as const)(
  'we accept the %s signature of the peer [HMS-S-05] [HMS-S-06]',
  async (alg) => {
    const signer = createSoftwareSigner(generatePrivateJwk(alg))
    const { 'Content-Digest': digest = '' } = await signRequest(call, signer, facts)
    const headers = { ...Object.fromEntries(call.headers), 'Content-Digest': digest }
    const message = await httpbis.signMessage(
      {
        key: peerKey(signer),
        name: 'peer',
        fields: ['@method', '@target-uri', '@authority', 'content-digest', 'content-type', 'authorization'],
        params: ['created', 'expires', 'keyid', 'nonce', 'tag'],
        paramValues: {
          created: new Date(NOW * 1000),
          expires: new Date((NOW + 60) * 1000),
          nonce: 'n'.repeat(22),
          tag: REQUEST_SIGNATURE_TAG,
        },
      },
      { method: call.method, url: call.url, headers },
    )
    const request = {
      ...call,
      headers: Object.entries(message.headers).map(([name, value]) => [name, String(value)] as const),
    }
    expect(verifySignedRequest(request, { key: signer.publicJwk }, NOW).label).toBe('peer')
  },
)

test('a method in lower case stays what it is with us, and does not with the peer [HMS-S-01]', async () => {
  const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
  const config = { key: peerKey(signer), fields: ['@method'], params: ['keyid'] }
  const message = await httpbis.signMessage(config, { method: 'post', url: call.url, headers: {} })
  const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as const)
  const [signature] = parseSignatureFields({ method: 'post', url: call.url, headers })
  if (signature === undefined) throw new Error('no signature')
  const holds = (method: string) => {
    const bytes = utf8(createSignatureBase(signature, { method, url: call.url, headers }))
    return verifySignature(signature.signature, { bytes, alg: 'ES256' }, signer.publicJwk)
  }
  expect([holds('post'), holds('POST')]).toEqual([false, true])
})
