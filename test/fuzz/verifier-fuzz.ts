/**
 * Broken requests to every public route of a verifier: none of them may be a fault.
 *
 * Each input starts from a request that is sound (a real transaction, a real answer, a real cookie) or plainly not,
 * and is bent: method, path, header fields, media type, bytes of the body. What comes back must be an answer below
 * 500, without a redirect that is not a page's own, without a claim value that nobody presented for, and the log
 * must hold no fault.
 *
 * @module
 */
import { type JsonObject, routeRequests } from '@attache/core'
import { createDpopProof, encodeForm, type FormParameters } from '@attache/oauth'
import {
  API,
  beginChallenge,
  CHALLENGE,
  clientHeaders,
  createWallet,
  createWorld,
  fetchRequest,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  QUERY,
  soundBody,
  soundResponse,
  textOf,
  type Wallet,
  type World,
} from '../support/presentation-world.js'
import { createDice, type Dice } from './dice.js'

export interface VerifierFuzzReport {
  readonly inputs: number
  /** Answers below 400. */
  readonly accepted: number
  /** How often each other status came; `unsendable` for what no HTTP message can look like. */
  readonly refused: Readonly<Record<string, number>>
  /** What should not have happened; empty in a sound run. */
  readonly wrong: readonly string[]
  readonly slowest: { readonly milliseconds: number; readonly input: string }
}

interface Input {
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

const FORM = 'application/x-www-form-urlencoded'
const MOST_WRONG = 20

export async function fuzzVerifier(options: { inputs: number; seed: number }): Promise<VerifierFuzzReport> {
  const dice = createDice(options.seed)
  const wrong: string[] = []
  const refused: Record<string, number> = {}
  let accepted = 0
  let slowest = { milliseconds: 0, input: '' }
  let site = await createSite()
  for (let at = 0; at < options.inputs && wrong.length < MOST_WRONG; at += 1) {
    // Transactions are used up: a fresh API now and then keeps answers possible.
    if (at % 200 === 199) site = await createSite()
    const input = bend(dice.pick(site.inputs), site, dice)
    const name = `${at} ${input.method} ${input.path.slice(0, 120)}`
    const lines = site.world.lines.length
    const started = performance.now()
    const verdict = await judge(input, site)
    const milliseconds = performance.now() - started
    if (milliseconds > slowest.milliseconds) slowest = { milliseconds, input: name }
    const fault = site.world.lines.slice(lines).find((line) => line.includes('fault'))
    if (fault !== undefined) wrong.push(`${name}: ${fault}`)
    if (typeof verdict === 'string') wrong.push(`${name}: ${verdict}`)
    else if (verdict > 0 && verdict < 400) accepted += 1
    else {
      const code = verdict === 0 ? 'unsendable' : String(verdict)
      refused[code] = (refused[code] ?? 0) + 1
    }
  }
  return { inputs: options.inputs, accepted, refused, wrong, slowest }
}

interface Site {
  readonly world: World
  readonly answer: (request: Request) => Promise<Response>
  readonly inputs: readonly [Input, ...Input[]]
}

async function createSite(): Promise<Site> {
  const pages = {
    role: { title: 'Role', purpose: 'To see it.', query: QUERY, crossDevice: true },
    back: { title: 'Role', purpose: 'To see it.', query: QUERY, responseMode: 'fragment' as const },
  }
  const world = createWorld(
    {
      pages,
      presentationScopes: { 'example.com/role': QUERY },
      clientCertificate: { from: 'proxy', header: 'Client-Cert' },
      clientId: 'decentralized_identifier:did:web:api.example',
    },
    undefined,
    { qr: () => ({ size: 1, data: [true] }) },
  )
  const wallet = await createWallet()
  // The challenge route verifies requests by certificate in this world; a second API speaks for it.
  const plain = createWorld()
  plain.verifier.requirePresentation(MANAGERS_IN_EU)
  const gates = [
    world.verifier.requirePresentation(MANAGERS_IN_EU),
    world.verifier.requirePresentation({ ...MANAGERS_IN_EU, scope: 'orders', challenge: 'request_uri' }),
  ]
  const routes = routeRequests(world.verifier.routes)
  const answer = async (request: Request) => {
    const { pathname } = new URL(request.url)
    const gate = pathname.startsWith('/payroll')
      ? gates[0]
      : pathname.startsWith('/orders')
        ? gates[1]
        : undefined
    if (gate === undefined) return (await routes(request)) ?? new Response(null, { status: 404 })
    const outcome = await gate(request)
    return outcome.allowed ? new Response('let in') : outcome.response
  }
  const inputs = [
    ...(await transactionInputs(world, wallet)),
    ...(await challengeInputs(world, plain, wallet)),
    ...(await pageInputs(world)),
    ...(await gateInputs(world, plain, wallet)),
    ...world.verifier.routes.map(({ method, path }) => request(method, path)),
  ]
  const [first = request('GET', '/'), ...rest] = inputs
  return { world, answer, inputs: [first, ...rest] }
}

function request(
  method: string,
  url: string,
  headers: Readonly<Record<string, string>> = {},
  body: string | Uint8Array = '',
): Input {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  return { method, path: url.replace(API, ''), headers: Object.entries(headers), body: bytes }
}

const form = (url: string, parameters: FormParameters, headers: Readonly<Record<string, string>> = {}) =>
  request('POST', url, { 'Content-Type': FORM, ...headers }, encodeForm(parameters))

async function transactionInputs(world: World, wallet: Wallet): Promise<readonly Input[]> {
  const inputs: Input[] = []
  for (const responseMode of ['direct_post', 'direct_post.jwt', 'fragment'] as const) {
    const started = await world.verifier.startTransaction({
      query: QUERY,
      responseMode,
      clientIdPrefix: 'x509_hash',
      method: 'post',
    })
    const { request: asked } = await fetchRequest(world, started.requestUrl, new Map())
    const body = await soundBody(wallet, asked)
    inputs.push(
      request('GET', started.requestUri),
      form(
        started.requestUri,
        new Map([
          ['wallet_nonce', 'n'],
          ['wallet_metadata', '{"issuer":"https://w.example"}'],
        ]),
      ),
      request('POST', started.responseUri, { 'Content-Type': FORM }, body),
      request(
        'POST',
        started.responseUri,
        { 'Content-Type': FORM },
        `error=access_denied&state=${asked.state}`,
      ),
      form(
        `${API}/attache/result`,
        new Map([
          ['transaction_id', started.transactionId],
          ['response_code', 'x'],
        ]),
      ),
      request('GET', asked.redirectUri ?? `${API}/attache/done?response_code=x`),
    )
  }
  return inputs
}

async function challengeInputs(world: World, plain: World, wallet: Wallet): Promise<readonly Input[]> {
  const begun = await beginChallenge(plain, wallet)
  const headers = await clientHeaders(world, wallet, CHALLENGE)
  const token = `${API}/attache/token`
  return [
    form(
      CHALLENGE,
      new Map([
        ['response_type', 'code'],
        ['client_id', wallet.clientId],
        ['scope', 'payroll:export'],
        ['code_challenge', begun.pkce.codeChallenge],
        ['code_challenge_method', 'S256'],
        ['interaction_types_supported', 'urn:openid:dcp:ia:openid4vp_presentation'],
      ]),
      headers,
    ),
    form(
      CHALLENGE,
      new Map([
        ['auth_session', begun.authSession],
        ['openid4vp_response', await soundResponse(wallet, begun)],
      ]),
      headers,
    ),
    form(
      token,
      new Map([
        ['grant_type', 'authorization_code'],
        ['code', 'x'.repeat(43)],
        ['code_verifier', 'y'.repeat(43)],
      ]),
      await clientHeaders(world, wallet, token),
    ),
  ]
}

async function pageInputs(world: World): Promise<readonly Input[]> {
  const inputs: Input[] = []
  for (const page of ['role', 'back']) {
    const url = `${API}/attache/present/${page}`
    const start = form(url, new Map([['device', page === 'role' ? 'other' : 'this']]), { Origin: API })
    const begun = await world.send(toRequest(start))
    const here = begun.headers.get('Location') ?? url
    const cookie = { Cookie: (begun.headers.get('Set-Cookie') ?? '').replace(/;.*/, '') }
    inputs.push(start, request('GET', url), request('GET', here, cookie), request('GET', here))
    inputs.push(request('GET', `${here}/events`, cookie), request('GET', `${here}?response_code=x`, cookie))
    inputs.push(request('GET', here.replace('present/back', 'fragment')))
  }
  return inputs
}

async function gateInputs(world: World, plain: World, wallet: Wallet): Promise<readonly Input[]> {
  const accessToken = await obtainToken(plain, wallet)
  const facts = { now: world.time.clock(), random: world.random }
  const proof = await createDpopProof(
    { method: 'POST', url: `${API}/payroll/export`, accessToken },
    wallet.dpop,
    facts,
  )
  const refused = await world.verifier.requirePresentation({
    ...MANAGERS_IN_EU,
    scope: 'orders',
    challenge: 'request_uri',
  })(new Request(`${API}/orders`))
  const body: JsonObject = refused.allowed ? {} : await objectOf(refused.response)
  const sealed = textOf(JSON.parse(JSON.stringify(body['openid4vp'])), 'request_uri')
  return [
    request('POST', '/payroll/export', { Authorization: `DPoP ${accessToken}`, DPoP: proof }),
    request('GET', '/orders'),
    request('POST', sealed, { 'Content-Type': FORM }),
    request('POST', sealed.replace('/request/', '/response/'), { 'Content-Type': FORM }, 'response=x'),
    form(
      `${API}/attache/redeem`,
      new Map([
        ['transaction_id', textOf(body, 'transaction_id')],
        ['response_code', 'x'],
      ]),
      {
        DPoP: proof,
      },
    ),
  ]
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH'] as const
const TYPES = [
  FORM,
  `${FORM};charset=UTF-8`,
  FORM.toUpperCase(),
  'application/json',
  'multipart/form-data; boundary=x',
  'text/plain',
  ';',
  'application/x-www-form-urlencoded, application/json',
] as const
const NAMES = [
  'Authorization',
  'DPoP',
  'OAuth-Client-Attestation',
  'OAuth-Client-Attestation-PoP',
  'Client-Cert',
  'Cookie',
  'Origin',
  'Sec-Fetch-Site',
  'Last-Event-ID',
  'Content-Type',
  'Content-Length',
  'Content-Encoding',
  'Content-Digest',
  'Signature',
  'Signature-Input',
  'X-Forwarded-Host',
  'X-HTTP-Method-Override',
] as const
const VALUES = [
  '',
  ' ',
  'null',
  'a.b.c',
  'eyJhbGciOiJub25lIn0.e30.',
  'DPoP',
  'DPoP x',
  'Bearer x, DPoP y',
  ':AAAA:',
  '__Host-attache-presentation=x',
  'gzip',
  '-1',
  '99999999999999999999',
  'sig=("@method");created=1e99',
  '\u00ff\u00fe',
] as const
const SEGMENTS = [
  '',
  '.',
  '..',
  '%',
  '%00',
  '%2f',
  '%ff',
  '__proto__',
  'constructor',
  'x'.repeat(43),
  'x'.repeat(5000),
  'process.AAAA',
  '😀',
] as const
const PARTS = [
  '&',
  '=',
  '%',
  '%zz',
  '&state=x',
  '&vp_token={}',
  '&__proto__=1',
  '&error=x',
  '[',
  '{"a":'.repeat(40),
  '\u0000',
  '~',
  '.',
] as const

function bend(input: Input, site: Site, dice: Dice): Input {
  let bent = input
  for (let times = dice.below(4); times > 0; times -= 1) bent = bendOnce(bent, site, dice)
  return bent
}

function bendOnce(input: Input, site: Site, dice: Dice): Input {
  switch (dice.below(8)) {
    case 0:
      return { ...input, method: dice.pick(METHODS) }
    case 1: {
      const segments = input.path.split('/')
      segments[dice.below(segments.length)] = dice.pick(SEGMENTS)
      return { ...input, path: `/${segments.join('/').replace(/^\/+/, '')}` }
    }
    case 2:
      return { ...input, headers: [...input.headers, ['Content-Type', dice.pick(TYPES)]] }
    case 3:
      return { ...input, headers: [...input.headers, [dice.pick(NAMES), dice.pick(VALUES)]] }
    case 4:
      return { ...input, headers: [...input.headers, [dice.pick(NAMES), 'x'.repeat(10 ** dice.below(6))]] }
    case 5:
      return { ...input, body: bendBytes(input.body, dice) }
    case 6:
      return { ...input, body: site.inputs[dice.below(site.inputs.length)]?.body ?? input.body }
    default:
      return { ...input, headers: input.headers.filter(() => dice.below(3) > 0) }
  }
}

function bendBytes(body: Uint8Array, dice: Dice): Uint8Array {
  const at = dice.below(body.length + 1)
  switch (dice.below(5)) {
    case 0:
      return Uint8Array.from(body, (byte, index) => (index === at ? dice.below(256) : byte))
    case 1:
      return body.subarray(0, at)
    case 2:
      return Buffer.concat([
        body.subarray(0, at),
        new TextEncoder().encode(dice.pick(PARTS)),
        body.subarray(at),
      ])
    case 3:
      return Buffer.concat([body, body])
    default:
      return new Uint8Array(dice.pick([0, 1, 300_000])).fill(dice.below(256))
  }
}

/** The request, or nothing where no HTTP message could look like this. */
function toRequest({ method, path, headers, body }: Input): Request {
  const fields = new Headers()
  for (const [name, value] of headers) fields.append(name, value)
  const bare = method === 'GET' || method === 'HEAD' || body.length === 0
  const url = `${API}${path}`
  return bare
    ? new Request(url, { method, headers: fields })
    : new Request(url, { method, headers: fields, body: new Uint8Array(body) })
}

async function judge(input: Input, site: Site): Promise<number | string> {
  let sent: Request
  try {
    sent = toRequest(input)
  } catch {
    return 0
  }
  try {
    const answer = await site.answer(sent)
    const { status } = answer
    const stream = answer.headers.get('Content-Type')?.startsWith('text/event-stream') === true
    const text = stream ? '' : await answer.text()
    if (stream) await answer.body?.cancel()
    if (status >= 500) return `status ${status}`
    if (status >= 300 && status < 400 && !new URL(sent.url).pathname.startsWith('/attache/present/'))
      return `redirect ${status}`
    if (text.includes('salary-band') || text.includes('1980-02-03')) return 'a claim nobody asked for'
    return status
  } catch (error) {
    return `rejected: ${error instanceof Error ? (error.stack ?? error.message) : 'unknown'}`
  }
}
