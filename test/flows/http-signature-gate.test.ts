/**
 * Routes whose calls are signed and whose answers are: the gate, its metadata, and what it refuses.
 */
import { decodeUtf8, type JsonObject } from '@attache/core'
import {
  bareJwk,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  parsePublicJwk,
  type Signer,
} from '@attache/keys'
import {
  type AcceptedSignature,
  createAcceptSignature,
  createContentDigest,
  parseAcceptSignature,
  REQUEST_SIGNATURE_TAG,
  RESPONSE_SIGNATURE_TAG,
  type RequestWithBody,
  signRequest,
  verifySignedResponse,
} from '@attache/oauth'
import { createAuthRequestHandler, createVerifier, guardHandler, type Requirement } from '@attache/verifier'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  API,
  ca,
  call,
  createWallet,
  createWorld,
  freshKey,
  ISSUER,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  signers,
  VCT,
  type Wallet,
} from '../support/presentation-world.js'

const URL_OF_CALL = `${API}/payroll/export?month=9`
const BODY = '{"amount":10}'
const SIGNED: Requirement = { ...MANAGERS_IN_EU, requestSignature: 'required' }

let world: ReturnType<typeof createWorld>
let wallet: Wallet
let token: string
beforeEach(async () => {
  world = createWorld()
  wallet = await createWallet()
  world.verifier.requirePresentation(MANAGERS_IN_EU)
  token = await obtainToken(world, wallet)
})

type Headers = Readonly<Record<string, string>>
interface Options {
  readonly method?: string
  readonly url?: string
  readonly body?: string | undefined
  readonly headers?: Headers
  readonly signer?: Signer
  readonly accepted?: AcceptedSignature
  readonly components?: readonly string[]
}

/** A call as an honest agent signs it. */
async function signedCall(options: Options = {}): Promise<RequestWithBody & { readonly body?: Uint8Array }> {
  const { method = 'POST', url = URL_OF_CALL, signer = wallet.dpop, accepted, components } = options
  const text = 'body' in options ? options.body : BODY
  const type: Headers = text === undefined ? {} : { 'Content-Type': 'application/json' }
  const asked = await call(world, token, {
    method,
    url,
    dpop: wallet.dpop,
    headers: { ...type, ...options.headers },
  })
  const bytes = text === undefined ? {} : { body: new TextEncoder().encode(text) }
  const message = { method, url, headers: [...asked.headers], ...bytes }
  const facts = { now: world.time.clock(), random: world.random, accepted, components }
  const fields = await signRequest(message, signer, facts)
  return { ...message, headers: [...message.headers, ...Object.entries(fields)] }
}

function requestOf({ method, url, headers, body }: RequestWithBody): Request {
  const sent = new Headers(headers.map(([name, value]): [string, string] => [name, value]))
  const bytes = body instanceof Uint8Array ? { body: new Uint8Array(body) } : {}
  return new Request(url, { method, headers: sent, ...bytes })
}

/** Status and problem code of a call, and how often the handler ran. */
async function knock(request: Request, requirement: Requirement = SIGNED) {
  const runs: string[] = []
  const handle = guardHandler(world.verifier.requirePresentation(requirement), async (asked) => {
    runs.push(await asked.text())
    return new Response('done')
  })
  const answer = await handle(request, {})
  const body = answer.status === 200 ? {} : await objectOf(answer)
  return { status: answer.status, code: body['code'], headers: answer.headers, runs }
}

describe('a route that wants signed calls', () => {
  test('lets a signed call in, and the handler reads the body that was verified [HMS-P-01] [CD-04]', async () => {
    expect(await knock(requestOf(await signedCall()))).toMatchObject({ status: 200, runs: [BODY] })
    const read = await signedCall({ method: 'GET', body: undefined })
    expect(await knock(requestOf(read))).toMatchObject({ status: 200, runs: [''] })
  })

  test('refuses an unsigned call and says how to sign it [HMS-P-01] [HMS-P-09] [HMS-Q-01]', async () => {
    const headers = { 'Content-Type': 'application/json' }
    const bare = await call(world, token, { url: URL_OF_CALL, dpop: wallet.dpop, headers })
    const answer = await knock(new Request(bare, { body: BODY }))
    expect(answer).toMatchObject({ status: 401, code: 'signature_invalid', runs: [] })
    expect(answer.headers.get('WWW-Authenticate')).toMatch(/^DPoP error="invalid_signature"/)
    const [accepted] = parseAcceptSignature(answer.headers.get('Accept-Signature') ?? '')
    expect(accepted).toMatchObject({ tag: REQUEST_SIGNATURE_TAG })
    expect(accepted?.components).toEqual(
      expect.arrayContaining([
        '@method',
        '@target-uri',
        '@authority',
        'authorization',
        'dpop',
        'content-digest',
        'content-type',
      ]),
    )
    if (accepted === undefined) throw new Error('Nothing was asked for.')
    expect(await knock(requestOf(await signedCall({ accepted })))).toMatchObject({ status: 200 })
  })

  test('asks for a signature with every 401, and only for what a call can have', async () => {
    const stranger = await knock(new Request(URL_OF_CALL, { method: 'POST' }))
    expect(stranger).toMatchObject({ status: 401, code: 'token_missing' })
    const [accepted] = parseAcceptSignature(stranger.headers.get('Accept-Signature') ?? '')
    expect(accepted?.components).toEqual(['@method', '@target-uri', '@authority', 'authorization', 'dpop'])
    const unsigned = await knock(new Request(URL_OF_CALL, { method: 'POST' }), MANAGERS_IN_EU)
    expect(unsigned.headers.has('Accept-Signature')).toBe(false)
  })

  const changes: readonly [string, (sent: RequestWithBody) => RequestWithBody][] = [
    ['method', (sent) => ({ ...sent, method: 'PUT' })],
    ['path', (sent) => ({ ...sent, url: `${API}/payroll/delete?month=9` })],
    ['query', (sent) => ({ ...sent, url: `${API}/payroll/export?month=8` })],
    ['an added query', (sent) => ({ ...sent, url: `${sent.url}&all=true` })],
    ['body', (sent) => ({ ...sent, body: new TextEncoder().encode('{"amount":99}') })],
    ['no body any more', ({ body: _gone, ...sent }) => sent],
    ['content type', (sent) => withField(sent, 'content-type', 'text/html')],
    ['body and its digest', withOwnDigest],
    ['no digest', (sent) => withField(sent, 'Content-Digest')],
    ['no signature', (sent) => withField(sent, 'Signature')],
    [
      'covered list',
      (sent) => withField(sent, 'Signature-Input', (old) => old.replace('"content-digest" ', '')),
    ],
    [
      'lifetime',
      (sent) => withField(sent, 'Signature-Input', (old) => old.replace(/expires=\d+/, 'expires=9999999999')),
    ],
  ]
  test.each(changes)(
    'refuses a call whose %s was changed on the way [HMS-V-06] [CD-01]',
    async (_name, change) => {
      const { status, runs } = await knock(requestOf(change(await signedCall())))
      expect([status, runs]).toEqual([401, []])
    },
  )

  test('refuses a body without digest though DPoP alone would let it pass [DPOP-R-08] [CD-01]', async () => {
    const asked = await call(world, token, { url: URL_OF_CALL, dpop: wallet.dpop })
    expect((await knock(new Request(asked, { body: BODY }), MANAGERS_IN_EU)).status).toBe(200)
    const again = await call(world, token, { url: URL_OF_CALL, dpop: wallet.dpop })
    expect((await knock(new Request(again, { body: BODY }))).status).toBe(401)
  })

  test('takes the key of the token and no other [HMS-P-05] [HMS-V-04]', async () => {
    for (const signer of [freshKey(), wallet.instance, wallet.holder]) {
      const answer = await knock(requestOf(await signedCall({ signer })))
      expect(answer).toMatchObject({ status: 401, code: 'signature_invalid', runs: [] })
    }
  })

  test('takes one signature once, and a refused call uses nothing up [HMS-V-09] [HMS-P-08]', async () => {
    const sent = await signedCall()
    const changed = { ...sent, body: new TextEncoder().encode('{"amount":11}') }
    expect((await knock(requestOf(changed))).status).toBe(401)
    const all = await Promise.all(Array.from({ length: 20 }, () => knock(requestOf(sent))))
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1)

    // The same nonce under a new proof: two things are single-use, and one of them was used.
    const nonce = 'n'.repeat(22)
    const components = [
      '@method',
      '@target-uri',
      '@authority',
      'authorization',
      'dpop',
      'content-digest',
      'content-type',
    ]
    const accepted = { label: 'agent', components, tag: REQUEST_SIGNATURE_TAG, nonce }
    const codes = [
      await knock(requestOf(await signedCall({ accepted }))),
      await knock(requestOf(await signedCall({ accepted }))),
    ]
    expect(codes.map(({ status }) => status)).toEqual([200, 401])
  })

  test('looks at times [HMS-V-08]', async () => {
    const sent = await signedCall()
    world.time.advance(61)
    expect((await knock(requestOf(sent))).status).toBe(401)
  })

  test('wants what the route names beyond the profile, and tells the handler what is covered [HMS-V-11]', async () => {
    const requirement = { ...MANAGERS_IN_EU, requestSignature: { components: ['idempotency-key'] } }
    const headers = { 'Idempotency-Key': 'k-1', 'X-Note': 'anybody' }
    expect((await knock(requestOf(await signedCall({ headers })), requirement)).status).toBe(401)
    const gate = world.verifier.requirePresentation(requirement)
    const sent = await signedCall({ headers, components: ['idempotency-key'] })
    const outcome = await gate(requestOf(sent))
    if (!outcome.allowed) throw new Error('The call was refused.')
    expect(outcome.presentation.signedComponents).toEqual(
      expect.arrayContaining(['"@method"', '"content-digest"', '"idempotency-key"']),
    )
    expect(outcome.presentation.signedComponents).not.toContain('"x-note"')
    const open = await world.verifier.requirePresentation(MANAGERS_IN_EU)(
      await call(world, token, { dpop: wallet.dpop }),
    )
    expect(open.allowed && open.presentation.signedComponents).toBeUndefined()
  })

  test('holds back no more than its limit [CD-07]', async () => {
    const small = { ...MANAGERS_IN_EU, requestSignature: { maxBodyBytes: 8 } }
    expect(await knock(requestOf(await signedCall()), small)).toMatchObject({
      status: 413,
      code: 'body_too_large',
      runs: [],
    })
    const mebibyte = 'x'.repeat(1_048_576)
    expect((await knock(requestOf(await signedCall({ body: mebibyte })))).status).toBe(200)
    expect((await knock(requestOf(await signedCall({ body: `${mebibyte}x` })))).status).toBe(413)
  })

  test('waits for no body that does not come', async () => {
    const sent = requestOf(await signedCall())
    const stalled = new ReadableStream({ pull: () => new Promise(() => undefined) })
    const streaming = { method: 'POST', headers: sent.headers, body: stalled, duplex: 'half' as const }
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const answer = knock(new Request(sent.url, streaming))
      while (vi.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve))
      vi.advanceTimersByTime(30_000)
      expect(await answer).toMatchObject({ status: 408, code: 'body_too_slow', runs: [] })
    } finally {
      vi.useRealTimers()
    }
  })

  test('judges what stands behind the token when the body is there, however slowly it came', async () => {
    const asked = await signedCall()
    const slow = (seconds: number) => {
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
        world.time.advance(seconds)
        controller.enqueue(new TextEncoder().encode(BODY))
        controller.close()
      }
      const body = new ReadableStream({ pull }, { highWaterMark: 0 })
      const { headers } = requestOf(asked)
      return new Request(asked.url, { method: 'POST', headers, body, duplex: 'half' })
    }
    const fresh = { ...SIGNED, maxPresentationAgeSeconds: 20 }
    expect(await knock(slow(25), fresh)).toMatchObject({ status: 401, code: 'step_up_needed', runs: [] })
    const later = requestOf(await signedCall())
    expect(await knock(later)).toMatchObject({ status: 200 })
  })

  test('is a fault where something read the body first', async () => {
    const request = requestOf(await signedCall())
    await request.text()
    await expect(knock(request)).rejects.toMatchObject({ code: 'body_consumed' })
  })

  test('cannot stand behind a proxy that asks without the body', () => {
    const gate = world.verifier.requirePresentation(SIGNED)
    expect(() => createAuthRequestHandler(gate)).toThrow(expect.objectContaining({ code: 'gate_reads_body' }))
  })

  test('malformed fields are malformed, not unsigned [HMS-P-09]', async () => {
    const sent = withField(await signedCall(), 'Signature-Input', '(')
    expect(await knock(requestOf(sent))).toMatchObject({ status: 400, code: 'request_malformed' })
  })
})

function withField(
  message: RequestWithBody,
  name: string,
  value?: string | ((old: string) => string),
): RequestWithBody {
  const lower = name.toLowerCase()
  const old = message.headers.find(([field]) => field.toLowerCase() === lower)?.[1] ?? ''
  const rest = message.headers.filter(([field]) => field.toLowerCase() !== lower)
  if (value === undefined) return { ...message, headers: rest }
  return { ...message, headers: [...rest, [name, typeof value === 'string' ? value : value(old)]] }
}

// Who changes the body can compute its digest as well; the signature is what stops that.
function withOwnDigest(message: RequestWithBody): RequestWithBody {
  const body = new TextEncoder().encode('{"amount":99}')
  return { ...withField(message, 'Content-Digest', createContentDigest(body)), body }
}

describe('a route that signs its answers', () => {
  const requirement: Requirement = { ...MANAGERS_IN_EU, signResponses: true }
  const keys = [signers.api.publicJwk]
  beforeEach(async () => {
    world = createWorld()
    world.verifier.requirePresentation(requirement)
    token = await obtainToken(world, wallet)
  })

  async function exchange(
    answer: () => Response,
    options: { headers?: Headers; token?: string; method?: string } = {},
  ) {
    const { method = 'POST', headers = {} } = options
    const asked = await call(world, options.token ?? token, {
      method,
      url: URL_OF_CALL,
      dpop: wallet.dpop,
      headers,
    })
    const handle = guardHandler(world.verifier.requirePresentation(requirement), answer)
    const response = await handle(new Request(asked), {})
    const body = new Uint8Array(await response.clone().arrayBuffer())
    const request = { method, url: URL_OF_CALL, headers: [...asked.headers] }
    return { response, message: { status: response.status, headers: [...response.headers], body, request } }
  }

  const verify = (message: Parameters<typeof verifySignedResponse>[0]) =>
    verifySignedResponse(message, { keys, required: ['dpop;req'] }, world.time.clock())

  test('binds status, body and request, and refuses no honest answer [HMS-R-01] [HMS-R-02]', async () => {
    const answers = [
      () => Response.json({ paid: true }, { status: 201 }),
      () => new Response(null, { status: 204 }),
      () => new Response('text'),
    ]
    for (const answer of answers) {
      const { message, response } = await exchange(answer)
      expect(verify(message).covered).toEqual(
        expect.arrayContaining(['"@status"', '"@method";req', '"dpop";req']),
      )
      expect(response.headers.get('Cache-Control')).toBe('no-store')
      expect(response.headers.get('Vary')).toContain('Accept-Signature')
    }
  })

  test('shows every change on the way back [HMS-R-01] [HMS-R-04]', async () => {
    const { message } = await exchange(() => Response.json({ paid: false }))
    const other = await exchange(() => Response.json({ paid: true }))
    const strip = (name: string) => message.headers.filter(([field]) => field !== name)
    const tampered = [
      { ...message, status: 202 },
      { ...message, body: new TextEncoder().encode('{"paid":true}') },
      { ...message, headers: strip('signature') },
      { ...message, headers: strip('content-digest') },
      { ...message, headers: [...strip('content-type'), ['content-type', 'text/html'] as const] },
      // A whole signed answer, of another call to the same place.
      { ...other.message, request: message.request },
    ]
    for (const one of tampered) {
      expect(() => verify(one)).toThrow(expect.objectContaining({ code: 'response_signature' }))
    }
  })

  test('signs its refusals too', async () => {
    const denied = createWorld()
    const gate = denied.verifier.requirePresentation({ ...requirement, decide: () => false })
    const granted = await obtainToken(denied, wallet)
    const asked = await call(denied, granted, { url: URL_OF_CALL, dpop: wallet.dpop })
    const outcome = await gate(new Request(asked))
    if (outcome.allowed) throw new Error('The call was let in.')
    const { response } = outcome
    const body = new Uint8Array(await response.clone().arrayBuffer())
    const request = { method: 'POST', url: URL_OF_CALL, headers: [...asked.headers] }
    expect(response.status).toBe(403)
    expect(verify({ status: 403, headers: [...response.headers], body, request }).keyid).toBe(signers.api.kid)
  })

  test('honours what the request asks for, where it can [HMS-Q-02] [HMS-Q-03]', async () => {
    const components = [
      '@status',
      'content-digest',
      'content-type',
      '@method;req',
      '@target-uri;req',
      'dpop;req',
    ]
    const nonce = 'q'.repeat(22)
    const asking = (more: Partial<AcceptedSignature>) => ({
      'Accept-Signature': createAcceptSignature({
        label: 'mine',
        components,
        tag: RESPONSE_SIGNATURE_TAG,
        nonce,
        ...more,
      }),
    })
    const { message } = await exchange(() => Response.json({}), { headers: asking({}) })
    expect(verify(message)).toMatchObject({ label: 'mine', nonce })
    // What cannot be had is not promised: the signature is the profile's, and the asker sees that.
    const impossible = [
      asking({ keyid: 'other' }),
      asking({ components: ['x-nowhere'] }),
      { 'Accept-Signature': '(' },
    ]
    for (const headers of impossible) {
      expect(verify((await exchange(() => Response.json({}), { headers })).message).label).toBe('resource')
    }
  })

  test('signs no stream of events', async () => {
    const headers = { 'Content-Type': 'text/event-stream' }
    await expect(exchange(() => new Response('data: x\n\n', { headers }))).rejects.toMatchObject({
      code: 'response_stream',
    })
  })
})

describe('what the metadata says', () => {
  const metadata = async () =>
    objectOf(await world.send(new Request(`${API}/.well-known/oauth-protected-resource`)))

  test('is which scopes are signed, and whose keys sign answers [PRM-04]', async () => {
    expect(await metadata()).not.toHaveProperty('attache_message_signatures')
    world.verifier.requirePresentation({ ...MANAGERS_IN_EU, scope: 'payroll:read' })
    world.verifier.requirePresentation({ ...MANAGERS_IN_EU, scope: 'payroll:sign', signResponses: true })
    world.verifier.requirePresentation({ ...SIGNED, scope: 'payroll:write' })
    const requestSignature = { components: ['idempotency-key'] }
    world.verifier.requirePresentation({ ...MANAGERS_IN_EU, scope: 'payroll:write', requestSignature })
    expect(await metadata()).toMatchObject({
      jwks_uri: `${API}/attache/jwks`,
      resource_signing_alg_values_supported: ['ES256'],
      attache_message_signatures: [
        { scope: 'payroll:sign', requests: false, responses: true },
        { scope: 'payroll:write', requests: true, components: ['idempotency-key'], responses: false },
      ],
    })
  })

  test('the keys come with their certificates, whether or not tokens are granted here', async () => {
    const plain = createWorld({ walletAttesters: [] })
    const { keys } = await objectOf(await plain.send(new Request(`${API}/attache/jwks`)))
    const [key]: readonly unknown[] = Array.isArray(keys) ? keys : []
    expect(key).toMatchObject({
      ...bareJwk(signers.api.publicJwk),
      kid: signers.api.kid,
      x5c: signers.api.x5c,
    })
    expect(parsePublicJwk(key).kid).toBe(signers.api.kid)
  })
})

describe('what a route may not say', () => {
  const refused = (change: Partial<Requirement>, code: string) =>
    expect(() => createWorld().verifier.requirePresentation({ ...MANAGERS_IN_EU, ...change })).toThrow(
      expect.objectContaining({ code }),
    )

  test('components that no request has, limits that are none', () => {
    for (const component of ['Upper', 'signature', '@status', 'content-digest;req', '@request-target', '']) {
      refused({ requestSignature: { components: [component] } }, 'signature_component')
    }
    for (const maxBodyBytes of [0, -1, 1.5, Number.NaN, 200_000_000]) {
      refused({ requestSignature: { maxBodyBytes } }, 'signature_body')
    }
  })

  test('signed answers here and unsigned ones there, under one scope; keys that cannot sign', async () => {
    const { verifier } = createWorld()
    verifier.requirePresentation({ ...MANAGERS_IN_EU, signResponses: true })
    expect(() => verifier.requirePresentation(MANAGERS_IN_EU)).toThrow(
      expect.objectContaining({ code: 'signature_scope' }),
    )
    const privateJwk = generatePrivateJwk('ES384')
    const { publicJwk } = createSoftwareSigner(privateJwk)
    const times = { notBefore: NOW - 60, notAfter: NOW + 86_400 }
    const names = { commonName: 'api.example', dnsNames: ['api.example'] }
    const { x5c } = await issueCertificate({ ...names, publicJwk, issuer: ca, ...times }, world)
    const signer = createSoftwareSigner(privateJwk, { x5c })
    const deps = { ...world, signer, fetch: world.network.fetch, clock: world.time.clock, log: console }
    const options = {
      origin: API,
      trustedIssuers: [{ vct: VCT, anchors: [ca.pem], issuer: ISSUER }],
      keyBinding: 'required',
    } as const
    const other = createVerifier(options, deps)
    expect(() => other.requirePresentation({ ...MANAGERS_IN_EU, signResponses: true })).toThrow(
      expect.objectContaining({ code: 'signature_signer' }),
    )
  })
})

test('a problem names no secret [HMS-P-09]', async () => {
  const sent = await signedCall()
  const { body: _body, ...rest } = sent
  const answer = await guardHandler(world.verifier.requirePresentation(SIGNED), () => new Response())(
    requestOf({ ...rest, body: new TextEncoder().encode('{"amount":12}') }),
    {},
  )
  const text = decodeUtf8(new Uint8Array(await answer.arrayBuffer())) ?? ''
  const secrets: JsonObject = Object.fromEntries(sent.headers.map(([name, value]) => [name, value]))
  for (const name of ['authorization', 'dpop', 'Signature', 'Content-Digest']) {
    const value = secrets[name]
    expect(typeof value === 'string' && value.length > 8 && !text.includes(value)).toBe(true)
  }
})
