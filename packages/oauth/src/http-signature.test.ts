import { createHash } from 'node:crypto'
import {
  createMemoryStore,
  endpoint,
  json,
  ProtocolError,
  type Random,
  SILENT_LOG,
  utf8,
  VerificationError,
} from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, parsePublicJwk, type Signer } from '@attache/keys'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AcceptedSignature,
  createAcceptSignature,
  parseAcceptSignature,
  SIGNED_ON_REQUEST_HEADERS,
} from './accept-signature.js'
import { createContentDigest } from './content-digest.js'
import { createDpopProof, verifyDpopProof } from './dpop.js'
import { PROTECTED_RESOURCE_ERRORS } from './errors.js'
import {
  type RequestWithBody,
  type ResponseWithBody,
  type SignedRequestExpectation,
  signRequest,
  signResponse,
  verifySignedRequest,
  verifySignedResponse,
} from './http-signature.js'
import { createSignatureBase, createSignatureFields } from './signature-base.js'
import { parseComponent } from './signature-components.js'
import { chooseSignature, REQUEST_SIGNATURE_TAG, rememberSignature } from './signature-profile.js'
import type { BareItem } from './structured-fields.js'

const NOW = 1_790_000_000
const URL_OF_CALL = 'https://api.example.com/v1/tools/run?dry=false'
const PLACE = { tenant: 'default', room: 'gate' }

let count = 0
const random: Random = (byteCount) => {
  count += 1
  return Uint8Array.from({ length: byteCount }, (_, index) => (count >> (8 * (index % 4))) & 0xff)
}
const facts = { now: NOW, random }
const agent = createSoftwareSigner(generatePrivateJwk('ES256'))
const resource = createSoftwareSigner(generatePrivateJwk('EdDSA'))
const expected: SignedRequestExpectation = { key: agent.publicJwk, presentationHeader: 'agent-presentation' }

const call: RequestWithBody = {
  method: 'POST',
  url: URL_OF_CALL,
  headers: [
    ['Content-Type', 'application/json'],
    ['Authorization', 'DPoP to.ken'],
    ['DPoP', 'pro.of.x'],
    ['Agent-Presentation', 'eyJ~'],
  ],
  body: utf8('{"amount":10}'),
}

function withFields<T extends { readonly headers: RequestWithBody['headers'] }>(
  message: T,
  fields: Readonly<Record<string, string>>,
): T {
  return { ...message, headers: [...message.headers, ...Object.entries(fields)] }
}

async function signed(
  message: RequestWithBody = call,
  by: Signer = agent,
  change = {},
): Promise<RequestWithBody> {
  const presentationHeader = 'agent-presentation'
  return withFields(message, await signRequest(message, by, { ...facts, presentationHeader, ...change }))
}

/** A signature over what the test chooses, right or wrong. */
async function signedAs(
  components: readonly string[],
  change: Readonly<Record<string, BareItem | undefined>> = {},
  message: RequestWithBody = withFields(call, {
    'Content-Digest': createContentDigest(call.body ?? new Uint8Array()),
  }),
): Promise<RequestWithBody> {
  const parameters = new Map<string, BareItem>(
    Object.entries<BareItem | undefined>({
      created: { type: 'integer', value: NOW },
      expires: { type: 'integer', value: NOW + 60 },
      nonce: { type: 'string', value: 'a'.repeat(22) },
      keyid: { type: 'string', value: agent.kid },
      tag: { type: 'string', value: REQUEST_SIGNATURE_TAG },
      ...change,
    }).flatMap(([name, value]): [string, BareItem][] => (value === undefined ? [] : [[name, value]])),
  )
  const input = { components: components.map(parseComponent), parameters }
  const signature = await agent.sign(utf8(createSignatureBase(input, message)))
  return withFields(message, createSignatureFields({ ...input, label: 'agent', signature }))
}

const ALL = [
  '@method',
  '@target-uri',
  '@authority',
  'content-digest',
  'content-type',
  'authorization',
  'dpop',
  'agent-presentation',
]

function reasonOf(message: RequestWithBody, change = {}, now = NOW): string {
  try {
    verifySignedRequest(message, { ...expected, ...change }, now)
    return 'accepted'
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return error.cause instanceof VerificationError ? error.cause.code : error.code
  }
}

describe('signed requests', () => {
  test('what signRequest makes is accepted, and says what it covers [HMS-P-02] [HMS-P-04] [HMS-V-11]', async () => {
    const message = await signed()
    const verified = verifySignedRequest(message, expected, NOW)
    expect(verified.covered).toEqual(ALL.map((name) => `"${name}"`))
    expect(verified).toMatchObject({ label: 'agent', keyid: agent.kid, created: NOW, expires: NOW + 60 })
    expect(verified.nonce).toHaveLength(22)
    const input = message.headers.find(([name]) => name === 'Signature-Input')?.[1]
    expect(input).not.toContain('alg=')
    expect(input).toContain(`tag="${REQUEST_SIGNATURE_TAG}"`)
  })

  test('survives any body and URL, and no change of one byte of either [HMS-V-06] [CD-04]', async () => {
    const bodies = fc.uint8Array({ minLength: 1, maxLength: 40 })
    const paths = fc.webUrl({ withQueryParameters: true }).map((url) => new URL(url).href)
    await fc.assert(
      fc.asyncProperty(bodies, paths, async (body, url) => {
        const message = await signed({ ...call, body, url })
        expect(reasonOf(message)).toBe('accepted')
        expect(reasonOf({ ...message, body: Uint8Array.from([...body, 0]) })).toBe('invalid_signature')
        expect(reasonOf({ ...message, url: `${url}x` })).toBe('signature_invalid')
      }),
      { seed: 5, numRuns: 40 },
    )
  })

  test('without a body neither digest nor type is needed; an unsigned call is told how to sign [HMS-P-01] [HMS-P-09] [DPOP-R-08]', async () => {
    const { body: _, ...get } = { ...call, method: 'GET' }
    expect(reasonOf(await signed(get))).toBe('accepted')
    const unsigned = refusal(() => verifySignedRequest(call, expected, NOW))
    expect(unsigned.code).toBe('invalid_signature')
    expect(PROTECTED_RESOURCE_ERRORS.invalid_signature).toBe(401)
    const [wanted] = parseAcceptSignature(unsigned.headers['Accept-Signature'] ?? '')
    expect(wanted).toMatchObject({ components: ALL, tag: REQUEST_SIGNATURE_TAG })
    expect(reasonOf(await signed(call, agent, { accepted: wanted }))).toBe('accepted')
    expect(unsigned.message).not.toMatch(/to\.ken|pro\.of/)
    const nonce = 'n'.repeat(22)
    const asked = refusal(() => verifySignedRequest(call, { ...expected, nonce }, NOW))
    const [echo] = parseAcceptSignature(asked.headers['Accept-Signature'] ?? '')
    expect(reasonOf(await signed(call, agent, { accepted: echo }), { nonce })).toBe('accepted')
  })

  test('a valid DPoP proof does not excuse a changed body [DPOP-R-08]', async () => {
    const request = { method: call.method, url: call.url, accessToken: 'to.ken' }
    const dpop = await createDpopProof(request, agent, facts)
    const headers = call.headers.map(([name, value]): [string, string] => [
      name,
      name === 'DPoP' ? dpop : value,
    ])
    const message = await signed({ ...call, headers })
    const swapped = { ...message, body: utf8('{"amount":99}') }
    expect(verifyDpopProof(dpop, { ...request, algorithms: ['ES256'] }, NOW).jkt).toBe(agent.kid)
    expect(reasonOf(message)).toBe('accepted')
    expect(reasonOf(swapped)).toBe('invalid_signature')
  })

  test('each required component is required, and a further one when the route asks for it [HMS-P-02] [HMS-V-03]', async () => {
    expect(reasonOf(await signedAs(ALL))).toBe('accepted')
    for (const name of ALL) {
      const message = await signedAs(ALL.filter((other) => other !== name))
      expect(reasonOf(message), name).toBe('signature_coverage')
    }
    const message = withFields(call, { 'Idempotency-Key': '7' })
    expect(reasonOf(await signed(message), { required: ['idempotency-key'] })).toBe('signature_coverage')
  })

  test('a covered field is there exactly once [HMS-P-03]', async () => {
    const message = await signed()
    for (const name of ['Authorization', 'DPoP', 'Content-Type', 'Content-Digest']) {
      expect(reasonOf(withFields(message, { [name.toLowerCase()]: 'again' })), name).toBe(
        'signature_coverage',
      )
    }
    expect(reasonOf(withFields(message, { 'X-Other': 'a' }))).toBe('accepted')
  })

  test('never covers a signature or the request target [HMS-P-06] [HMS-S-04]', async () => {
    const first = await signed()
    expect(reasonOf(await signedAs([...ALL, '@request-target']))).toBe('signature_coverage')
    const over = await signedAs([...ALL, 'signature'], {}, { ...first, headers: first.headers })
    expect(reasonOf(over)).not.toBe('accepted')
  })

  test('the signer makes nothing the verifier refuses: a field that is there twice, another signature [HMS-P-03] [HMS-P-06]', async () => {
    const twice = withFields(call, { authorization: 'DPoP other' })
    await expect(signed(twice)).rejects.toMatchObject({ code: 'signature_coverage' })
    for (const components of [['signature'], ['@request-target'], ['signature-input']]) {
      const accepted = { label: 'a', components, tag: REQUEST_SIGNATURE_TAG }
      await expect(signed(call, agent, { accepted })).rejects.toMatchObject({ code: 'signature_coverage' })
    }
  })

  test('the signer refuses a component twice, absent, or a query parameter that is repeated [HMS-S-01] [HMS-S-04]', async () => {
    const accepted = (components: readonly string[]): AcceptedSignature => ({
      label: 'a',
      components,
      tag: REQUEST_SIGNATURE_TAG,
    })
    const twice = { ...call, url: 'https://api.example.com/a?b=1&b=2' }
    for (const [message, components] of [
      [call, ['@method', '@method']],
      [call, ['@signature-params']],
      [call, ['x-absent']],
      [call, ['Content-Type']],
      [call, ['@method;req']],
      [call, ['content-type;tr']],
      [call, ['content-type;bs;sf']],
      [twice, ['@query-param;name="b"']],
    ] as const) {
      await expect(
        signRequest(message, agent, { ...facts, accepted: accepted(components) }),
      ).rejects.toMatchObject({
        code: 'signature_component',
      })
    }
  })

  test('the key is the one that was shown, and its name is its thumbprint [HMS-P-05] [HMS-V-04]', async () => {
    const other = createSoftwareSigner(generatePrivateJwk('ES256'))
    expect(reasonOf(await signed(call, other))).toBe('signature_key')
    expect(reasonOf(await signed(call, { ...other, kid: agent.kid }))).toBe('signature_invalid')
    expect(reasonOf(await signedAs(ALL, { keyid: undefined }))).toBe('signature_key')
  })

  test('hmac, RSA and an algorithm that contradicts the key are refused [HMS-P-07] [HMS-V-05]', async () => {
    for (const alg of ['hmac-sha256', 'rsa-v1_5-sha256', 'ed25519', 'none']) {
      expect(reasonOf(await signedAs(ALL, { alg: { type: 'string', value: alg } }))).toBe('signature_key')
    }
    expect(reasonOf(await signedAs(ALL, { alg: { type: 'string', value: 'ecdsa-p256-sha256' } }))).toBe(
      'accepted',
    )
    const rsa = createSoftwareSigner(generatePrivateJwk('PS256'))
    await expect(signed(call, rsa)).rejects.toMatchObject({ code: 'signature_key' })
  })

  test('an ECDSA signature in DER is refused; raw it is 64 bytes [HMS-S-07]', async () => {
    const der: Signer = {
      ...agent,
      sign: async (bytes) => {
        const raw = await agent.sign(bytes)
        expect(raw).toHaveLength(64)
        return Uint8Array.from([0x30, 0x44, 0x02, 0x20, ...raw.slice(0, 32), 0x02, 0x20, ...raw.slice(32)])
      },
    }
    expect(reasonOf(await signed(call, der))).toBe('signature_invalid')
  })

  test('times are integers, in order, at most 60 seconds apart and around now [HMS-V-08] [HMS-P-04]', async () => {
    const at = async (created: number, expires: number) =>
      reasonOf(
        await signedAs(ALL, {
          created: { type: 'integer', value: created },
          expires: { type: 'integer', value: expires },
        }),
      )
    expect(await at(NOW + 10, NOW + 70)).toBe('accepted')
    expect(await at(NOW - 59, NOW + 1)).toBe('accepted')
    for (const [created, expires] of [
      [NOW + 11, NOW + 20],
      [NOW - 61, NOW - 1],
      [NOW, NOW + 61],
      [NOW, NOW],
      [NOW - 60, NOW],
    ] as const) {
      expect(await at(created, expires)).toBe('signature_times')
    }
    expect(reasonOf(await signedAs(ALL, { created: { type: 'decimal', value: NOW + 0.5 } }))).toBe(
      'signature_parameters',
    )
    expect(reasonOf(await signedAs(ALL, { expires: undefined }))).toBe('signature_parameters')
  })

  test('the nonce has 128 bits, echoes what was asked for, and is good once per key [HMS-V-09] [HMS-P-04]', async () => {
    const nonce = (value: string): BareItem => ({ type: 'string', value })
    expect(reasonOf(await signedAs(ALL, { nonce: nonce('a'.repeat(21)) }))).toBe('signature_parameters')
    expect(reasonOf(await signedAs(ALL, { nonce: undefined }))).toBe('signature_parameters')
    expect(reasonOf(await signedAs(ALL), { nonce: 'b'.repeat(22) })).toBe('signature_parameters')
    const message = await signedAs(ALL, { nonce: nonce('b'.repeat(22)) })
    const verified = verifySignedRequest(message, { ...expected, nonce: 'b'.repeat(22) }, NOW)
    const store = createMemoryStore({ clock: () => NOW })
    const use = () => store.commit([rememberSignature(verified, PLACE)])
    expect((await Promise.all([use(), use(), use()])).filter(Boolean)).toHaveLength(1)
    expect(verified.expiresAt).toBe(NOW + 70)
  })

  test('one signature is chosen by tag; two of the tag are refused [HMS-V-02]', async () => {
    const message = await signed()
    const twice = message.headers.map(([name, value]): [string, string] =>
      name.startsWith('Signature') ? [name, `${value}, second${value.slice('agent'.length)}`] : [name, value],
    )
    expect(reasonOf({ ...message, headers: twice })).toBe('signature_ambiguous')
    expect(() => chooseSignature([], REQUEST_SIGNATURE_TAG)).toThrow(
      expect.objectContaining({ code: 'signature_missing' }),
    )
  })

  test('malformed fields are a bad request, a missing one is a missing signature [HMS-V-01] [HMS-P-09]', async () => {
    const message = await signed()
    const replaced = (field: string, text: string): RequestWithBody => ({
      ...message,
      headers: message.headers.map(([name, value]) => [name, name === field ? text : value] as const),
    })
    for (const text of ['agent=(', 'agent', 'agent=1', `a=(${'"x" '.repeat(3000)})`]) {
      expect(refusal(() => verifySignedRequest(replaced('Signature-Input', text), expected, NOW)).code).toBe(
        'invalid_request',
      )
    }
    expect(reasonOf(replaced('Signature', 'other=:AAAA:'))).toBe('signature_missing')
    expect(reasonOf({ ...message, headers: message.headers.filter(([name]) => name !== 'Signature') })).toBe(
      'signature_missing',
    )
  })

  test('the handler behind a failed check is never called, and nothing is remembered [HMS-P-08]', async () => {
    const store = createMemoryStore({ clock: () => NOW })
    const calls: string[] = []
    const handle = (message: RequestWithBody) =>
      endpoint(
        async () => {
          const verified = verifySignedRequest(message, expected, NOW)
          if (!(await store.commit([rememberSignature(verified, PLACE)])))
            throw new ProtocolError('invalid_signature', 'Seen.')
          calls.push('called')
          return json(200, {})
        },
        { statuses: PROTECTED_RESOURCE_ERRORS, log: SILENT_LOG, random, event: 'call' },
      )(new Request(URL_OF_CALL), {})
    const good = await signed()
    const bad = [
      call,
      { ...good, body: utf8('{"amount":99}') },
      { ...good, method: 'PUT' },
      await signedAs(ALL.slice(1)),
      await signed(call, createSoftwareSigner(generatePrivateJwk('ES256'))),
    ]
    for (const message of bad) {
      const response = await handle(message)
      expect(response.status).toBe(401)
      expect(response.headers.get('Accept-Signature')).toContain('agent=("@method"')
    }
    expect(calls).toEqual([])
    expect(await store.list('t/')).toEqual([])
    expect((await handle(good)).status).toBe(200)
    expect((await handle(good)).status).toBe(401)
    expect(calls).toEqual(['called'])
  })

  test('no body may carry the digest of nothing, and no other [CD-01]', async () => {
    const { body: _, ...get } = { ...call, method: 'GET' }
    const empty = withFields(get, { 'Content-Digest': createContentDigest(new Uint8Array()) })
    expect(reasonOf(await signed(empty))).toBe('accepted')
    const other = withFields(get, { 'Content-Digest': createContentDigest(utf8('x')) })
    expect(reasonOf(await signed(other))).toBe('invalid_signature')
  })
})

function refusal(work: () => unknown): ProtocolError {
  try {
    work()
  } catch (error) {
    if (error instanceof ProtocolError) return error
  }
  throw new Error('not refused')
}

describe('signed responses', () => {
  const trusted = { keys: [parsePublicJwk(resource.publicJwk)] }

  async function answer(change: Partial<ResponseWithBody> = {}): Promise<ResponseWithBody> {
    const request = await signed()
    const response: ResponseWithBody = {
      status: 200,
      headers: [['Content-Type', 'application/json']],
      body: utf8('{"ok":true}'),
      request,
      ...change,
    }
    return withFields(response, await signResponse(response, resource, facts))
  }

  const fails = (response: ResponseWithBody) => {
    expect(() => verifySignedResponse(response, trusted, NOW)).toThrow(
      expect.objectContaining({ code: 'response_signature' }),
    )
  }

  test('cover status, type, digest and the request they answer [HMS-R-01] [HMS-R-02]', async () => {
    const { covered, keyid } = verifySignedResponse(await answer(), trusted, NOW)
    expect(keyid).toBe(resource.kid)
    expect(covered).toEqual([
      '"@status"',
      '"content-digest"',
      '"content-type"',
      '"@method";req',
      '"@target-uri";req',
      '"content-digest";req',
    ])
  })

  test('of another status, body or request fail, and unsigned ones fail like them [HMS-R-01] [HMS-R-02] [HMS-R-04]', async () => {
    const response = await answer()
    fails({ ...response, status: 403 })
    fails({ ...response, body: utf8('{"ok":false}') })
    fails({ ...response, request: { ...response.request, url: `${URL_OF_CALL}&x=1` } })
    fails({ ...response, request: { ...response.request, method: 'PUT' } })
    const { headers } = response
    fails({ ...response, headers: headers.filter(([name]) => !name.startsWith('Signature')) })
    const tampered = headers.map(([name, value]): [string, string] => [
      name,
      name === 'Content-Type' ? 'text/html' : value,
    ])
    fails({ ...response, headers: tampered })
    fails(withFields(response, { 'content-type': 'text/html' }))
    const twice = withFields(response.request, { 'content-digest': 'sha-256=:AAAA:' })
    fails({ ...response, request: twice })
  })

  test('of a key that is not trusted, or signed as a request, fail [HMS-V-04]', async () => {
    const response = await answer()
    expect(() => verifySignedResponse(response, { keys: [agent.publicJwk] }, NOW)).toThrow('not signed')
    fails({ ...response, headers: [...response.headers.slice(0, 2), ...(await signed()).headers] })
  })

  test('a request cannot cover another request [HMS-R-03]', async () => {
    const message = await signed()
    const headers = message.headers.map(([name, value]): [string, string] => [
      name,
      value.replace('"@method"', '"@method";req'),
    ])
    expect(reasonOf({ ...message, headers })).toBe('signature_coverage')
    const more = message.headers.map(([name, value]): [string, string] => [
      name,
      value.replace('"@method"', '"@method" "dpop";req'),
    ])
    expect(reasonOf({ ...message, headers: more })).toBe('signature_component')
  })
})

describe('Accept-Signature', () => {
  const wanted: AcceptedSignature = {
    label: 'agent',
    components: ['@method', 'content-digest;req', 'x-dict;key="a"', '@query-param;name="b"'],
    tag: 'some-tag',
    nonce: 'n'.repeat(22),
    keyid: 'k',
  }

  test('is a dictionary with exact components, flags for times, tag and nonce [HMS-Q-01]', () => {
    const field = createAcceptSignature(wanted)
    expect(field).toBe(
      'agent=("@method" "content-digest";req "x-dict";key="a" "@query-param";name="b")' +
        `;created;expires;tag="some-tag";nonce="${wanted.nonce}";keyid="k"`,
    )
    expect(parseAcceptSignature(field)).toEqual([wanted])
  })

  test.each([
    '',
    'agent',
    'agent=("@method")',
    'agent=("@method");tag=1',
    'agent=("@method");created=1;tag="a"',
    'agent=("@method");tag="a";alg="hmac-sha256"',
    'agent=("@METHOD");tag="a"',
    'agent=(method);tag="a"',
    'agent=("@method";tag="a"',
  ])('refuses %j rather than sign in another way [HMS-Q-02]', (field) => {
    expect(() => parseAcceptSignature(field)).toThrow(VerificationError)
  })

  test('the next request is signed under its label, with its components, nonce and tag [HMS-Q-02]', async () => {
    const accepted = {
      ...wanted,
      components: ALL,
      tag: REQUEST_SIGNATURE_TAG,
      keyid: agent.kid,
      label: 'theirs',
    }
    const [parsed] = parseAcceptSignature(createAcceptSignature(accepted))
    const message = await signed(call, agent, { accepted: parsed })
    const verified = verifySignedRequest(message, { ...expected, nonce: wanted.nonce }, NOW)
    expect(verified).toMatchObject({
      label: 'theirs',
      nonce: wanted.nonce,
      covered: ALL.map((name) => `"${name}"`),
    })
    const foreign = { ...accepted, keyid: 'another-key' }
    await expect(signed(call, agent, { accepted: foreign })).rejects.toMatchObject({
      code: 'accept_signature',
    })
  })

  test('a response that was signed on request depends on the field [HMS-Q-03]', () => {
    expect(SIGNED_ON_REQUEST_HEADERS).toEqual({ Vary: 'Accept-Signature', 'Cache-Control': 'no-store' })
  })
})

describe('a body that somebody else holds', () => {
  const content = call.body instanceof Uint8Array ? call.body : new Uint8Array()
  const digests = new Map([['sha-256', createHash('sha256').update(content).digest()]])
  const known = { length: content.length, digests }

  test('is signed and verified by its digests, as by its bytes', async () => {
    const request = await signed({ ...call, body: known })
    expect(reasonOf({ ...request, body: content })).toBe('accepted')
    expect(reasonOf(request)).toBe('accepted')
    const other = new Map([['sha-256', new Uint8Array(32)]])
    expect(reasonOf({ ...request, body: { ...known, digests: other } })).toBe('invalid_signature')
    expect(reasonOf({ ...request, body: { ...known, digests: new Map() } })).toBe('invalid_signature')
  })

  test('is not signed when the digest is not known', () => {
    expect(() => signRequest({ ...call, body: { length: 3, digests: new Map() } }, agent, facts)).toThrow(
      expect.objectContaining({ code: 'invalid_signature' }),
    )
  })
})

test('further components are covered in both directions, and asked for [HMS-V-03]', async () => {
  const keyed = { ...call, headers: [...call.headers, ['Idempotency-Key', 'k-1'] as const] }
  const required = ['idempotency-key']
  expect(reasonOf(await signed(keyed), { required })).toBe('signature_coverage')
  expect(reasonOf(await signed(keyed, agent, { components: required }), { required })).toBe('accepted')

  const answer: ResponseWithBody = { status: 200, headers: [], request: await signed() }
  const expectation = { keys: [resource.publicJwk], required: ['dpop;req'] }
  const verify = (fields: Readonly<Record<string, string>>, change = {}) =>
    verifySignedResponse({ ...withFields(answer, fields), ...change }, expectation, NOW).covered
  const fields = await signResponse(answer, resource, { ...facts, components: ['dpop;req'] })
  expect(verify(fields)).toContain('"dpop";req')
  const refused = expect.objectContaining({ code: 'response_signature' })
  // The same call, sent once more: its answer is another one.
  const headers = answer.request.headers.map(([name, value]) =>
    name === 'DPoP' ? ([name, 'pro.of.y'] as const) : ([name, value] as const),
  )
  const again = { ...answer.request, headers }
  expect(() => verify(fields, { request: again })).toThrow(refused)
  expect(() => verify(fields, { body: utf8('added') })).toThrow(refused)
  const bare = await signResponse(answer, resource, facts)
  expect(() => verify(bare)).toThrow(refused)
})
