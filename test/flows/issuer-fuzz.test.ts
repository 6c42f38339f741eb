/**
 * What a client sends never makes the issuer fail: seeded junk at every public route, and good requests of each
 * endpoint with one part replaced by anything. And what nobody defined is ignored in every message.
 *
 * Source: requirements/issuer.md, section 13; OpenID4VCI 1.0, sections 5.1.3, 6.1, 8.2, 9.1 and 11.1.
 *
 * @module
 */
import { type JsonValue, setMember } from '@attache/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bodyOf, CLIENT_ID, ISSUER } from './issuer-bench.js'
import { arrive, CALLBACK, codeOf, consent, PKCE, pushed, submit } from './issuer-browser.js'
import {
  body,
  codeDraft,
  createStage,
  credentialDraft,
  type Draft,
  deferredDraft,
  ENCRYPTION,
  type Jwt,
  notificationDraft,
  parDraft,
  REQUEST_KEY,
  type Stage,
  send,
  tokenDraft,
} from './issuer-draft.js'

const SEED = 20_260_921

/** Texts that parsers have stumbled over, and any other. */
const text = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '[',
    '{}',
    '[]',
    'null',
    '{"__proto__":1}',
    '%',
    '%00',
    'a.b.c',
    '..',
    '🦊',
    '\u0000',
    '-1',
  ),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
)
const json: fc.Arbitrary<JsonValue> = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value)))
const anything: fc.Arbitrary<JsonValue> = fc.oneof(text, json)

const HEADER = /^[\t\x20-\x7e]*$/
const field = fc.oneof(
  text.filter((value) => HEADER.test(value)),
  fc.constantFrom(
    'DPoP x',
    'Bearer x',
    'a.b.c',
    'application/jwt',
    'application/json;q=0',
    'text/plain, */*;q=2',
  ),
)
const fields = fc.dictionary(
  fc.constantFrom(
    'Authorization',
    'DPoP',
    'OAuth-Client-Attestation',
    'OAuth-Client-Attestation-PoP',
    'Accept',
    'Accept-Language',
    'Cookie',
    'X-Anything',
  ),
  field,
  { maxKeys: 4 },
)
const types = fc.constantFrom(
  'application/json',
  'application/jwt',
  'application/x-www-form-urlencoded',
  'application/json; charset=utf-16',
  'text/plain',
  '',
)
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  text.map((value) => new TextEncoder().encode(value)),
  json.map((value) => new TextEncoder().encode(JSON.stringify(value))),
  fc
    .dictionary(
      fc.constantFrom('grant_type', 'code', 'client_id', 'interaction', 'request_uri', 'scope'),
      text,
    )
    .map((form) => new TextEncoder().encode(new URLSearchParams(form).toString())),
)

const OPTIONS = { encryption: ENCRYPTION, signedMetadata: true, attestation: { challenges: true } }

function faultsOf({ bench }: Stage): readonly unknown[] {
  return bench.logged.filter(({ event }) => event.endsWith('.fault'))
}

describe('what a client sends', () => {
  test('as junk at any route never yields 5xx', async () => {
    const stage = await createStage('haip', OPTIONS)
    const routes = stage.bench.issuer.routes.map(({ path }) => path)
    expect(new Set(routes.map((path) => path.split('/').at(-1)))).toEqual(
      new Set([
        ...[
          'acme',
          'v1',
          ':secret',
          'nonce',
          'challenge',
          'token',
          'par',
          'authorize',
          'sign-in',
          'decision',
        ],
        ...['credential', 'deferred', 'notification', 'status', ':list'],
      ]),
    )
    const request = fc.record({
      path: fc.constantFrom(...routes),
      segment: text.map(encodeURIComponent),
      query: text.map(encodeURIComponent),
      method: fc.constantFrom('POST', 'POST', 'POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'),
      type: types,
      headers: fields,
      body: bytes,
    })
    await fc.assert(
      fc.asyncProperty(request, async ({ path, segment, query, method, type, headers, body: sent }) => {
        const url = `https://issuer.example${path.replace(/[:*]\w+/, segment || 'x')}?${query}`
        const bare = method === 'GET' || method === 'HEAD'
        const init = bare ? {} : { body: Buffer.from(sent) }
        const response = await stage.bench.send(url, {
          method,
          headers: { ...headers, ...(type === '' ? {} : { 'Content-Type': type }) },
          ...init,
        })
        expect(response.status).toBeLessThan(500)
      }),
      { seed: SEED, numRuns: 1500 },
    )
    expect(faultsOf(stage)).toEqual([])
  })

  const good: readonly (readonly [string, (stage: Stage) => Promise<Draft>])[] = [
    ['a pushed request', async (stage) => parDraft(stage)],
    ['a token request', codeDraft],
    ['a credential request', (stage) => credentialDraft(stage)],
    ['an encrypted one', async (stage) => ({ ...(await credentialDraft(stage)), envelope: REQUEST_KEY })],
    ['a deferred credential request', (stage) => deferredDraft(stage)],
    ['a notification', notificationDraft],
  ]
  test.each(good)('as %s with anything in one place never yields 5xx', async (_, make) => {
    const stage = await createStage('haip', { encryption: ENCRYPTION })
    let draft = await make(stage)
    await fc.assert(
      fc.asyncProperty(fc.nat(), anything, async (at, value) => {
        const places = placesOf(draft)
        places[at % places.length]?.(value)
        const response = await send(stage, draft)
        expect(response.status).toBeLessThan(500)
        // What it was replaced in stays: now and then a request without other faults comes again.
        if (at % 4 === 0) draft = await make(stage)
      }),
      { seed: SEED, numRuns: 250 },
    )
    expect(faultsOf(stage)).toEqual([])
  })

  test('on the pages never yields 5xx', async () => {
    const stage = await createStage('haip')
    const shown = await consent(stage, await pushed(stage))
    const waiting = await arrive(stage, await pushed(stage))
    const interactions = [shown, waiting].map(
      ({ html }) => /name="interaction" value="([^"]+)"/.exec(html)?.[1] ?? '',
    )
    const form = fc.record({
      step: fc.constantFrom('sign-in', 'decision'),
      interaction: fc.oneof(fc.constantFrom(...interactions), text),
      cookie: fc.oneof(fc.constantFrom(shown.cookie, waiting.cookie), field),
      fields: fc.dictionary(fc.constantFrom('username', 'password', 'agent', 'decision', 'x'), text),
    })
    await fc.assert(
      fc.asyncProperty(form, async ({ step, interaction, cookie, fields: more }) => {
        const response = await stage.bench.send(`${ISSUER}/authorize/${step}`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/x-www-form-urlencoded', Cookie: cookie },
          body: new URLSearchParams({ interaction, ...more }).toString(),
        })
        expect(response.status).toBeLessThan(500)
        expect(response.status === 303 ? response.headers.get('Location') : null).toBe(null)
      }),
      { seed: SEED, numRuns: 300 },
    )
    expect(faultsOf(stage)).toEqual([])
  })

  test('as redirect_uri and state is refused, or answered there and nowhere else', async () => {
    const stage = await createStage('haip')
    const addresses = fc.tuple(
      fc.constantFrom(
        'https://agents.example',
        'https://agents.example:8443',
        'http://127.0.0.1:7777',
        'http://[::1]',
      ),
      fc.oneof(
        text,
        fc.constantFrom(
          '/cb?a=1&a=2',
          '/cb?',
          '/ü',
          '/a b',
          '/cb\n',
          '/\t',
          '\\@evil.example',
          '@evil.example/',
          '//evil.example',
          '/%0d%0aX: y',
        ),
      ),
    )
    await fc.assert(
      fc.asyncProperty(addresses, text, async ([origin, rest], state) => {
        const draft = parDraft(stage)
        draft.form = { ...draft.form, redirect_uri: `${origin}${rest}`, state }
        const answer = await send(stage, draft)
        expect(answer.status).toBeLessThan(500)
        if (answer.status !== 201) return
        const shown = await consent(stage, String((await bodyOf(answer))['request_uri']))
        const decided = await submit(stage, shown, 'decision', {
          agent: 'payroll-export',
          decision: 'approve',
        })
        expect(decided.status).toBe(303)
        const back = new URL(decided.location ?? '')
        expect(back.origin).toBe(new URL(`${origin}${rest}`).origin)
        expect(back.searchParams.get('state')).toBe(state === '' ? null : state)
        expect(back.searchParams.getAll('iss')).toEqual([ISSUER])
      }),
      { seed: SEED, numRuns: 120 },
    )
    expect(faultsOf(stage)).toEqual([])
  })
})

/** Every place of a draft that can hold something else. */
function placesOf(draft: Draft): readonly ((value: JsonValue) => void)[] {
  const jwts = [draft.attestation, draft.pop, draft.dpop, ...(draft.proofs ?? [])].flatMap((jwt) =>
    jwt === undefined ? [] : [jwt],
  )
  const inside = (jwt: Jwt) =>
    ([jwt.header, jwt.payload] as const).flatMap((part) =>
      [...Object.keys(part), '__proto__', 'crit', 'alg', 'kid', 'x5c', 'key_attestation'].map(
        (name) => (value: JsonValue) => setMember(part, name, value),
      ),
    )
  const { form, body: members } = draft
  const parameters = [
    ...Object.keys(form ?? {}),
    ...['authorization_details', 'resource', 'dpop_jkt', 'issuer_state', 'tx_code', 'scope', 'client_id'],
  ]
  const names = [...Object.keys(members ?? {}), 'proofs', 'credential_response_encryption', '__proto__']
  return [
    ...jwts.flatMap(inside),
    ...parameters.flatMap((name) =>
      form ? [(value: JsonValue) => setMember(form, name, written(value))] : [],
    ),
    ...names.flatMap((name) => (members ? [(value: JsonValue) => setMember(members, name, value)] : [])),
    (value) => {
      draft.text = written(value)
    },
  ]
}

function written(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const UNKNOWN = { 'urn:example:unknown': 'x', constructor: 'x', toString: 'x' }

describe('what nobody defined is ignored', () => {
  const messages: readonly (readonly [string, number, (stage: Stage) => Promise<Draft>])[] = [
    ['a pushed request', 201, async (stage) => parDraft(stage)],
    ['a token request by pre-authorized code', 200, codeDraft],
    [
      'a token request by code',
      200,
      async (stage) =>
        tokenDraft(stage, {
          grant_type: 'authorization_code',
          code: await codeOf(stage, { client_id: CLIENT_ID }),
          redirect_uri: CALLBACK,
          code_verifier: PKCE.codeVerifier,
        }),
    ],
    [
      'a token request by refresh token',
      200,
      async (stage) => {
        const granted = await body(stage, await codeDraft(stage))
        const token = String(granted['refresh_token'])
        return tokenDraft(stage, { grant_type: 'refresh_token', refresh_token: token })
      },
    ],
    ['a credential request', 200, (stage) => credentialDraft(stage)],
    [
      'an encrypted credential request',
      200,
      async (stage) => ({ ...(await credentialDraft(stage)), envelope: REQUEST_KEY }),
    ],
    ['a deferred credential request', 202, (stage) => deferredDraft(stage)],
    ['a notification', 204, notificationDraft],
  ]
  test.each(
    messages.flatMap(([name, status, make]) =>
      (['haip', 'base'] as const).map((mode) => [mode, name, status, make] as const),
    ),
  )(
    '%s: in %s, in every part of it [VCI-I-AZ-18, VCI-I-CRED-10, VCI-I-NTF-03]',
    async (mode, _, status, make) => {
      const stage = await createStage(mode, { encryption: ENCRYPTION })
      const draft = await make(stage)
      for (const jwt of [draft.attestation, draft.pop, draft.dpop, ...(draft.proofs ?? [])]) {
        if (jwt) Object.assign(jwt.header, UNKNOWN)
        if (jwt) Object.assign(jwt.payload, UNKNOWN)
      }
      if (draft.form) Object.assign(draft.form, UNKNOWN)
      if (draft.body) Object.assign(draft.body, UNKNOWN)
      draft.headers.push(['X-Unknown', 'x'])
      draft.path = `${draft.path}?unknown=1`
      expect((await send(stage, draft)).status).toBe(status)
    },
  )
})
