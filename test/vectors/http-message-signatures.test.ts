/**
 * Vectors of HTTP message signatures: what RFC 9421 and web-bot-auth publish, and 50 messages with verdicts.
 *
 * @module
 */
import { createHmac } from 'node:crypto'
import { createMemoryStore, ProtocolError, utf8, VerificationError } from '@attache/core'
import {
  type JwsAlgorithm,
  jwkThumbprint,
  type PublicJwk,
  parsePublicJwk,
  verifySignature,
} from '@attache/keys'
import {
  componentId,
  componentValue,
  createSignatureBase,
  createSignatureFields,
  type HeaderFields,
  type HttpMessage,
  type LabelledSignature,
  parseComponent,
  parseSignatureFields,
  rememberSignature,
  type VerifiedSignature,
  verifySignedRequest,
  verifySignedResponse,
} from '@attache/oauth'
import { describe, expect, test } from 'vitest'
import derived from './http-message-signatures/derived-agent-profile.json' with { type: 'json' }
import keyFile from './http-message-signatures/keys.json' with { type: 'json' }
import bound from './http-message-signatures/rfc9421-2.4-response-bound-to-request.json' with { type: 'json' }
import example from './http-message-signatures/rfc9421-2.5-3.1-example.json' with { type: 'json' }
import components from './http-message-signatures/rfc9421-2-component-values.json' with { type: 'json' }
import multiple from './http-message-signatures/rfc9421-4.3-multiple-signatures.json' with { type: 'json' }
import b2 from './http-message-signatures/rfc9421-b2-cases.json' with { type: 'json' }
import b3 from './http-message-signatures/rfc9421-b3-tls-terminating-proxy.json' with { type: 'json' }
import b4 from './http-message-signatures/rfc9421-b4-transformations.json' with { type: 'json' }
import bots from './http-message-signatures/web-bot-auth-cases.json' with { type: 'json' }

const { keys } = keyFile
const publicKeys: Readonly<Record<string, PublicJwk>> = {
  'test-key-rsa': parsePublicJwk(bare(keys['test-key-rsa'])),
  'test-key-rsa-pss': parsePublicJwk(bare(keys['test-key-rsa-pss'])),
  'test-key-ecc-p256': parsePublicJwk(bare(keys['test-key-ecc-p256'])),
  'test-key-ed25519': parsePublicJwk(bare(keys['test-key-ed25519'])),
}
const algorithms: Readonly<Record<string, JwsAlgorithm>> = {
  'rsa-pss-sha512': 'PS512',
  'rsa-v1_5-sha256': 'RS256',
  'ecdsa-p256-sha256': 'ES256',
  ed25519: 'EdDSA',
}

function bare(jwk: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(jwk).filter(([name]) => ['kty', 'crv', 'x', 'y', 'n', 'e'].includes(name)),
  )
}

function publicKey(name: string): PublicJwk {
  const key = publicKeys[name]
  if (key === undefined) throw new Error('unknown key')
  return key
}

function fields(headers: readonly (readonly string[])[]): HeaderFields {
  return headers.map(([name = '', value = '']) => [name, value] as const)
}

function requestOf(message: { method: string; url: string; headers: readonly (readonly string[])[] }) {
  return { method: message.method, url: message.url, headers: fields(message.headers) }
}

function labelled(message: HttpMessage, label: string): LabelledSignature {
  const found = parseSignatureFields(message).find((signature) => signature.label === label)
  if (found === undefined) throw new Error('no such label')
  return found
}

function holds(message: HttpMessage, label: string, by: { key: string; algorithm: string }): boolean {
  const signature = labelled(message, label)
  const bytes = utf8(createSignatureBase(signature, message))
  if (by.algorithm === 'hmac-sha256') {
    const secret = Buffer.from(keys['test-shared-secret'].base64, 'base64')
    return createHmac('sha256', secret).update(bytes).digest().equals(signature.signature)
  }
  return verifySignature(
    signature.signature,
    { bytes, alg: algorithms[by.algorithm] ?? 'ES256' },
    publicKey(by.key),
  )
}

describe('component values of RFC 9421, sections 2.1 and 2.2', () => {
  for (const vector of components.cases) {
    test(`${vector.id} [HMS-S-02] [HMS-S-03] [HMS-S-05]`, () => {
      const headers = fields(vector.headers)
      const message =
        'status' in vector && vector.status !== undefined
          ? { status: vector.status, headers }
          : { method: vector.method ?? 'GET', url: vector.url ?? 'https://www.example.com/', headers }
      for (const line of vector.lines) {
        const [id = '', ...value] = line.split(': ')
        const component = parseComponent(id.replace(/^"([^"]*)"/, '$1'))
        expect(componentId(component)).toBe(id)
        expect(componentValue(component, message)).toBe(value.join(': '))
      }
    })
  }
})

describe('published signatures of RFC 9421', () => {
  for (const vector of b2.cases) {
    test(`${vector.id}: base, signature and fields [HMS-S-05] [HMS-S-06] [HMS-S-07]`, () => {
      const signed = fields([
        ['Signature-Input', vector.signature_input],
        ['Signature', vector.signature],
      ])
      const { request, response } = b2.messages
      const message: HttpMessage =
        vector.message === 'response'
          ? { status: response.status, headers: [...fields(response.headers), ...signed] }
          : { ...requestOf(request), headers: [...fields(request.headers), ...signed] }
      const signature = labelled(message, vector.label)
      expect(createSignatureBase(signature, message)).toBe(vector.signature_base)
      expect(holds(message, vector.label, vector)).toBe(true)
      expect(createSignatureFields(signature)).toEqual({
        'Signature-Input': vector.signature_input,
        Signature: vector.signature,
      })
    })
  }

  test('the example of sections 2.5 and 3.1 [HMS-S-05]', () => {
    const input = example.signature_base.split('"@signature-params": ')[1] ?? ''
    const signed = fields([
      ['Signature-Input', `sig1=${input}`],
      ['Signature', `sig1=:${example.signature_base64}:`],
    ])
    const message = {
      ...requestOf(example.message),
      headers: [...fields(example.message.headers), ...signed],
    }
    expect(createSignatureBase(labelled(message, 'sig1'), message)).toBe(example.signature_base)
    expect(holds(message, 'sig1', example)).toBe(true)
  })

  for (const vector of bound.cases) {
    test(`a response bound to its request, ${vector.request.headers.length} request fields [HMS-R-02]`, () => {
      const request = requestOf(vector.request)
      const message = { status: vector.response.status, headers: fields(vector.response.headers), request }
      expect(createSignatureBase(labelled(message, vector.label), message)).toBe(vector.signature_base)
      expect(holds(message, vector.label, bound)).toBe(true)
      const other = { ...message, request: { ...request, method: 'PUT' } }
      expect(holds(other, vector.label, bound)).toBe(false)
      if ('request_signature' in vector && vector.request_signature) {
        expect(holds(request, vector.request_signature.label, vector.request_signature)).toBe(true)
      }
    })
  }

  test('of two signatures, the proxy one holds after the proxy and the first one no longer [HMS-V-02] [HMS-P-06]', () => {
    const { client_signed: first, proxied } = multiple
    expect(holds(requestOf(first.message), first.label, first)).toBe(true)
    const message = requestOf(proxied.message)
    expect(createSignatureBase(labelled(message, proxied.label), message)).toBe(proxied.signature_base)
    expect(holds(message, proxied.label, proxied)).toBe(true)
    expect(holds(message, first.label, first)).toBe(proxied.sig1_still_verifies_on_proxied_message)
  })

  test('B.3: a proxy that ends TLS signs what it saw [HMS-V-10]', () => {
    const message = requestOf(b3.signed_message)
    expect(createSignatureBase(labelled(message, b3.label), message)).toBe(b3.signature_base)
    expect(holds(message, b3.label, b3)).toBe(true)
  })

  b4.messages.forEach((vector, index) => {
    test(`B.4: variant ${index} is ${vector.valid ? 'valid' : 'invalid'} [HMS-V-06]`, () => {
      const message = requestOf(vector.message)
      expect(holds(message, b4.label, b4)).toBe(vector.valid)
    })
  })
})

describe('web-bot-auth', () => {
  bots.cases.forEach((vector, index) => {
    test(`case ${index}: the signature holds and keyid is the thumbprint [HMS-P-05]`, () => {
      const agent: readonly (readonly string[])[] =
        'signature_agent' in vector && vector.signature_agent
          ? [['Signature-Agent', vector.signature_agent]]
          : []
      const headers = fields([
        ...agent,
        ['Signature-Input', vector.signature_input],
        ['Signature', vector.signature],
      ])
      const message = { method: bots.method, url: vector.target_url, headers }
      const signature = labelled(message, vector.label)
      const algorithm = signature.parameters.get('alg')?.value
      expect(holds(message, vector.label, { key: vector.key, algorithm: String(algorithm) })).toBe(true)
      expect(signature.parameters.get('keyid')?.value).toBe(jwkThumbprint(publicKey(vector.key)))
    })
  })
})

/** Which check refuses each case: a case that falls to another check would prove another rule. */
const REFUSED_BY: Readonly<Record<string, readonly string[]>> = {
  signature_missing: ['bad-no-signature', 'bad-signature-without-input', 'bad-label-mismatch', 'bad-tag'],
  invalid_signature: [
    'bad-body-changed',
    'bad-content-digest-md5-only',
    'bad-one-of-two-digests-wrong',
    'bad-response-body-changed',
  ],
  signature_invalid: [
    'bad-body-and-digest-changed',
    'bad-method-changed',
    'bad-query-changed',
    'bad-authority-changed',
    'bad-authorization-swapped',
    'bad-presentation-swapped',
    'bad-keyid-of-other-key',
    'bad-response-for-other-request',
    'bad-response-status-changed',
  ],
  signature_coverage: [
    'bad-not-covered-method',
    'bad-not-covered-target-uri',
    'bad-not-covered-authority',
    'bad-not-covered-content-digest',
    'bad-not-covered-authorization',
    'bad-not-covered-dpop',
    'bad-not-covered-x-presentation',
    'bad-empty-component-list',
    'bad-req-in-request',
    'bad-missing-covered-field',
    'bad-content-digest-missing',
    'bad-response-not-bound',
  ],
  signature_times: ['bad-expired', 'bad-created-too-old', 'bad-created-future', 'bad-expires-before-created'],
  signature_parameters: ['bad-created-missing', 'bad-nonce-missing'],
  signature_replayed: ['bad-nonce-seen'],
  signature_key: ['bad-keyid-unknown', 'bad-key-not-in-cnf', 'bad-alg-param-contradicts-key'],
  signature_component: [
    'bad-duplicate-component',
    'bad-signature-params-listed',
    'bad-status-in-request',
    'bad-unknown-derived',
    'bad-uppercase-field-name',
  ],
}

type DerivedCase = (typeof derived.cases)[number]

function verify(vector: DerivedCase): VerifiedSignature {
  const { policy, message } = vector
  const headers = fields(message.headers)
  const body = utf8(message.body ?? '')
  const limits = { maxAgeSeconds: policy.max_age, maxAheadSeconds: policy.future_skew, minNonceLength: 8 }
  const trusted = Object.entries(policy.keys).flatMap(([, name]) =>
    name === undefined ? [] : [publicKey(name)],
  )
  if ('request' in vector && vector.request) {
    const response = { status: message.status ?? 0, headers, body, request: requestOf(vector.request) }
    return verifySignedResponse(response, { ...limits, keys: trusted }, policy.now)
  }
  // The key that DPoP or the presentation has shown; a trusted key that is another one does not help.
  const key = trusted.find((candidate) => jwkThumbprint(candidate) === policy.cnf_jkt)
  if (key === undefined) throw new Error('no key')
  const request = { method: message.method ?? '', url: message.url ?? '', headers, body }
  const expected = {
    ...limits,
    key,
    presentationHeader: 'x-presentation',
    required: policy.required_components,
  }
  return verifySignedRequest(request, expected, policy.now)
}

async function judge(vector: DerivedCase): Promise<VerifiedSignature> {
  const verified = verify(vector)
  const store = createMemoryStore({ clock: () => vector.policy.now })
  const step = rememberSignature(verified, { tenant: 'default', room: 'gate' })
  const seen = 'seen_nonces' in vector.policy ? (vector.policy.seen_nonces ?? []) : []
  if (seen.includes(verified.nonce)) await store.commit([step])
  if (!(await store.commit([step])))
    throw new VerificationError('signature_replayed', 'The nonce was used before.')
  return verified
}

async function refusalOf(vector: DerivedCase): Promise<unknown> {
  return judge(vector).then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** The check that failed: the cause of what travels, or the error itself. */
function checkOf(error: unknown): string | undefined {
  if (!(error instanceof ProtocolError) && !(error instanceof VerificationError)) return undefined
  return checkOf(error.cause) ?? error.code
}

describe('derived cases of the agent profile', () => {
  for (const vector of derived.cases) {
    test(`${vector.id} is ${vector.expect}ed [${vector.rule}]`, async () => {
      if (vector.expect === 'reject') {
        const [check] = Object.entries(REFUSED_BY).find(([, ids]) => ids.includes(vector.id)) ?? []
        expect(checkOf(await refusalOf(vector))).toBe(check)
        return
      }

      const { covered } = await judge(vector)
      const required = vector.policy.required_components.map((text) => componentId(parseComponent(text)))
      expect(covered).toEqual(expect.arrayContaining(required))
    })
  }
})
