import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeBase64url, type JsonObject } from '@attache/core'
import { createConfiguredFiles } from '@attache/daemon'
import {
  createCertificateAuthority,
  createSoftwareSigner,
  generateDecryptionKey,
  generatePrivateJwk,
} from '@attache/keys'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfiguration } from './configuration.js'
import { requestKeys, walletOptions } from './wallet-options.js'

const folder = mkdtempSync(join(tmpdir(), 'attache-options-'))
const files = createConfiguredFiles(folder)
const write = (name: string, content: string) => writeFileSync(join(folder, name), content, { mode: 0o600 })
const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
const opening = generateDecryptionKey({ kid: 'request-1' })

beforeAll(async () => {
  const authority = await createCertificateAuthority(
    { commonName: 'Anchors', privateJwk: generatePrivateJwk('ES256'), notBefore: 0, notAfter: 4_000_000_000 },
    { random: (count) => new Uint8Array(count).fill(7) },
  )
  write('ca.pem', authority.pem)
  write('jwks.json', JSON.stringify({ keys: [signer.publicJwk, { kty: 'AKP', alg: 'x' }] }))
  write('no-keys.json', '{"keys":[{"kty":"AKP"}]}')
  write('metadata.json', JSON.stringify({ jwks: { keys: [opening.publicJwk] }, vp_formats_supported: {} }))
  write('wrong-metadata.json', '{"jwks":1}')
  write('request.jwk', JSON.stringify(opening.privateJwk))
  write('short.key', encodeBase64url(new Uint8Array(3)))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const configured = (more: JsonObject) =>
  parseConfiguration(
    JSON.stringify({
      version: 1,
      profile: 'base',
      dataFolder: 'data',
      runtimeFolder: 'run',
      masterKeys: ['master.key'],
      walletProvider: { key: 'provider.key', certificates: 'provider.pem' },
      agents: [{ id: 'a', clientId: 'c' }],
      policy: { rules: 'release.json' },
      ...more,
    }),
  )
const optionsOf = (more: JsonObject) => walletOptions(configured(more), files)
const verifier = (more: JsonObject) => ({ verifiers: [{ apis: ['https://api.example'], ...more }] })

describe('walletOptions', () => {
  test('recognise verifiers by what their prefix asks for', () => {
    expect(optionsOf(verifier({ clientId: 'payroll', keys: 'jwks.json' })).verifiers).toMatchObject([
      { clientId: 'payroll', keys: [{ kty: 'EC', x: signer.publicJwk.x }] },
    ])
    const attested = {
      clientId: 'verifier_attestation:payroll',
      attesters: [{ issuer: 'https://attester.example', keys: 'jwks.json' }],
    }
    expect(optionsOf(verifier(attested)).verifiers).toMatchObject([
      { attesters: [{ issuer: 'https://attester.example', keys: [{ kty: 'EC' }] }] },
    ])
    const registered = { clientId: 'payroll', keys: 'jwks.json', metadata: 'metadata.json' }
    expect(optionsOf(verifier(registered)).verifiers).toMatchObject([
      { metadata: { encryptionKeys: [{ kid: 'request-1' }] } },
    ])
    const audience = { clientId: 'x509_hash:x', anchors: 'ca.pem', requestAudience: 'request-uri' }
    expect(optionsOf(verifier(audience)).verifiers).toMatchObject([
      { anchors: { name: 'anchors of x509_hash:x' }, requestAudience: 'request-uri' },
    ])
  })

  test('hand on the switches for strict peers, off unless written', () => {
    expect(optionsOf({})).not.toHaveProperty('unsignedRequests')
    expect(optionsOf({ unsignedRequests: 'typed' })).toMatchObject({ unsignedRequests: 'typed' })
    const issuer = { credentialIssuer: 'https://issuer.example', vcts: ['v'], anchors: 'ca.pem' }
    expect(optionsOf({ issuers: [{ ...issuer, authorization: 'follow' }] }).issuers).toMatchObject([
      { authorization: 'follow' },
    ])
  })

  test('read the keys of request objects, none by default', () => {
    expect(requestKeys(configured({}), files)).toEqual({})
    const { requestKeys: keys } = requestKeys(configured({ requestKeys: ['request.jwk'] }), files)
    expect(keys?.map(({ publicJwk }) => publicJwk.x)).toEqual([opening.publicJwk.x])
  })

  test.each<[JsonObject, string]>([
    [verifier({ clientId: 'payroll', keys: 'no-keys.json' }), 'file_malformed'],
    [verifier({ clientId: 'payroll', keys: 'ca.pem' }), 'file_malformed'],
    [verifier({ clientId: 'payroll', keys: 'missing.json' }), 'start_up_failed'],
    [verifier({ clientId: 'payroll', keys: 'jwks.json', metadata: 'wrong-metadata.json' }), 'file_malformed'],
    [{ agents: [{ id: 'operator', clientId: 'c' }] }, 'agent_invalid'],
  ])('say which file is wrong: %j', (more, code) => {
    expect(() => optionsOf(more)).toThrow(expect.objectContaining({ code }))
  })

  test('refuse a request key that is none', () => {
    expect(() => requestKeys(configured({ requestKeys: ['short.key'] }), files)).toThrow(
      expect.objectContaining({ code: 'private_key_malformed' }),
    )
  })
})
