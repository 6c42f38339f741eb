import { decodeBase64url, type JsonObject, member } from '@attache/core'
import { parseJws } from '@attache/keys'
import { createDpopProof, createPkce, parseWwwAuthenticate } from '@attache/oauth'
import {
  encodeIaRequest,
  encodeIaResponse,
  iaAudience,
  parseAuthorizationRequest,
  parseIaRequest,
} from '@attache/openid4vp'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { reasonIn } from '../support/forged-presentation.js'
import {
  API,
  answerChallenge,
  type BegunChallenge,
  beginChallenge,
  CHALLENGE,
  CLIENT_ID,
  call,
  clientHeaders,
  createWallet,
  createWorld,
  freshKey,
  ISSUER,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  postForm,
  present,
  redeem,
  signers,
  soundResponse,
  storedText,
  textOf,
  type Wallet,
  type World,
} from '../support/presentation-world.js'

const TOKEN = `${API}/attache/token`
const IA = 'urn:openid:dcp:ia:openid4vp_presentation'
const wallet = await createWallet()

function guarded(
  options: Parameters<typeof createWorld>[0] = {},
): World & { gate: ReturnType<World['verifier']['requirePresentation']> } {
  const world = createWorld(options)
  return { ...world, gate: world.verifier.requirePresentation(MANAGERS_IN_EU) }
}

const initial = (
  override: Readonly<Record<string, string | undefined>> = {},
): ReadonlyMap<string, string> => {
  const { codeChallenge } = createPkce((count) => new Uint8Array(count).fill(7))
  const sound: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: CLIENT_ID,
    scope: 'payroll:export',
    code_challenge: codeChallenge,
    code_challenge_method: 'S256',
    interaction_types_supported: IA,
    ...override,
  }
  return new Map(
    Object.entries(sound).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

async function ask(world: World, form: ReadonlyMap<string, string>, by: Wallet = wallet) {
  const response = await postForm(world, CHALLENGE, form, await clientHeaders(world, by, CHALLENGE))
  return { status: response.status, body: await objectOf(response), response }
}

async function codeFor(world: World, by: Wallet = wallet) {
  const begun = await beginChallenge(world, by)
  const answer = await answerChallenge(world, by, begun.authSession, await soundResponse(by, begun))
  return { begun, answer, code: textOf(await objectOf(answer), 'authorization_code') }
}

const errorOf = async (response: Response) => [response.status, member(await objectOf(response), 'error')]

describe('the authorization server', () => {
  test('announces its challenge endpoint while the route is on [IA-AS-01] [IA-AS-28]', async () => {
    const url = `${API}/.well-known/oauth-authorization-server`
    const on = await objectOf(await guarded().send(new Request(url)))
    expect(on).toMatchObject({
      authorization_challenge_endpoint: CHALLENGE,
      require_interactive_authorization: true,
      grant_types_supported: ['authorization_code'],
    })
    const off = createWorld({ walletAttesters: [] })
    expect((await off.send(new Request(url))).status).toBe(404)
    for (const endpoint of [CHALLENGE, TOKEN]) {
      expect((await off.send(new Request(endpoint, { method: 'POST' }))).status).toBe(404)
    }
    const resource = await off.send(new Request(`${API}/.well-known/oauth-protected-resource`))
    expect(await objectOf(resource)).not.toHaveProperty('authorization_servers')
  })

  test('is found from the 401 of a guarded route [IA-AS-02]', async () => {
    const world = guarded()
    const outcome = await world.gate(new Request(`${API}/payroll/export`, { method: 'POST' }))
    if (outcome.allowed) throw new Error('The call was let in.')
    const [challenge] = parseWwwAuthenticate(outcome.response.headers.get('WWW-Authenticate') ?? '')
    expect(challenge?.scheme).toBe('dpop')
    expect(challenge?.parameters.get('scope')).toBe('payroll:export')
    const metadata = await objectOf(
      await world.send(new Request(challenge?.parameters.get('resource_metadata') ?? '')),
    )
    expect(metadata).toMatchObject({ resource: API, authorization_servers: [API] })
  })
})

describe('the first request', () => {
  test('is a form with response_type code and interaction types [IA-AS-03]', async () => {
    const world = guarded()
    expect((await world.send(new Request(CHALLENGE))).status).toBe(405)
    const headers = await clientHeaders(world, wallet, CHALLENGE)
    const asJson = { method: 'POST', headers: { ...headers, 'Content-Type': 'application/json' }, body: '{}' }
    expect(await errorOf(await world.send(new Request(CHALLENGE, asJson)))).toEqual([400, 'invalid_request'])
    expect(await ask(world, initial({ response_type: 'token' }))).toMatchObject({
      status: 400,
      body: { error: 'unsupported_response_type' },
    })
    for (const missing of ['response_type', 'interaction_types_supported']) {
      expect(await ask(world, initial({ [missing]: undefined }))).toMatchObject({
        status: 400,
        body: { error: 'invalid_request' },
      })
    }
    const twice = {
      method: 'POST',
      headers: {
        ...(await clientHeaders(world, wallet, CHALLENGE)),
        'Content-Type': 'application/x-www-form-urlencoded',
      },
      body: `${new URLSearchParams([...initial()])}&scope=twice`,
    }
    expect(await errorOf(await world.send(new Request(CHALLENGE, twice)))).toEqual([400, 'invalid_request'])
    expect((await ask(world, initial())).status).toBe(401)
  })

  test('comes from a client that authenticates in one way only [ABCA-A-10]', async () => {
    const world = guarded()
    const headers = await clientHeaders(world, wallet, CHALLENGE)
    const second = await postForm(world, CHALLENGE, initial(), { ...headers, Authorization: 'Basic YTpi' })
    expect(await errorOf(second)).toEqual([401, 'invalid_client'])
    const asserted = new Map([...initial(), ['client_assertion', 'eyJ']])
    expect(await errorOf(await postForm(world, CHALLENGE, asserted, headers))).toEqual([
      401,
      'invalid_client',
    ])
    const one = await postForm(world, CHALLENGE, initial(), headers)
    expect(await errorOf(one)).toEqual([401, 'insufficient_authorization'])
  })

  test('comes from an attested client that may use the flow, at every step [IA-AS-04]', async () => {
    const world = guarded()
    const { DPoP = '' } = await clientHeaders(world, wallet, CHALLENGE)
    expect(await errorOf(await postForm(world, CHALLENGE, initial(), { DPoP }))).toEqual([
      401,
      'invalid_client',
    ])
    const untrusted = await createWallet({ attester: freshKey() })
    expect((await ask(world, initial(), untrusted)).body).toMatchObject({ error: 'invalid_client' })

    const begun = await beginChallenge(world, wallet)
    const other = await createWallet({ clientId: 'agent-18' })
    const response = await soundResponse(wallet, begun)
    const mixed = { ...other, dpop: wallet.dpop, clientId: 'agent-18' }
    expect(await errorOf(await answerChallenge(world, mixed, begun.authSession, response))).toEqual([
      400,
      'invalid_session',
    ])
    const { code, begun: again } = await codeFor(world)
    const swapped = { ...other, dpop: wallet.dpop }
    expect(await errorOf(await redeem(world, swapped, code, again.pkce.codeVerifier))).toEqual([
      400,
      'invalid_grant',
    ])
    expect((await redeem(world, wallet, code, again.pkce.codeVerifier)).status).toBe(200)

    const few = guarded({ allowedClients: ['agent-1'] })
    expect((await ask(few, initial())).body).toMatchObject({ error: 'unauthorized_client' })
  })

  test('has a code_challenge with S256, and its verifier at the end [IA-AS-05]', async () => {
    const world = guarded()
    for (const bad of [
      { code_challenge: undefined, code_challenge_method: undefined },
      { code_challenge_method: 'plain' },
      { code_challenge_method: undefined },
    ]) {
      expect(await ask(world, initial(bad))).toMatchObject({
        status: 400,
        body: { error: 'invalid_request' },
      })
    }
    const { code, begun } = await codeFor(world)
    const wrong = createPkce(world.random).codeVerifier
    expect(await errorOf(await redeem(world, wallet, code, wrong))).toEqual([400, 'invalid_grant'])
    const form = new Map([
      ['grant_type', 'authorization_code'],
      ['code', code],
    ])
    const bare = await postForm(world, TOKEN, form, await clientHeaders(world, wallet, TOKEN))
    expect(await errorOf(bare)).toEqual([400, 'invalid_grant'])
    expect((await redeem(world, wallet, code, begun.pkce.codeVerifier)).status).toBe(200)
  })

  test('is answered with what to present [IA-AS-06]', async () => {
    const { status, body, response } = await ask(guarded(), initial())
    expect(status).toBe(401)
    expect(response.headers.get('Content-Type')).toBe('application/json')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(body).toMatchObject({ error: 'insufficient_authorization', interaction_type_required: IA })
    expect(typeof body['auth_session']).toBe('string')
    expect(parseIaRequest(body['openid4vp_request']).kind).toBe('signed')
  })

  test('offers an interaction that can complete it [IA-AS-07]', async () => {
    const world = guarded()
    for (const types of ['urn:openid:dcp:ia:auth_via_web', 'urn:example:unknown']) {
      const { status, body } = await ask(world, initial({ interaction_types_supported: types }))
      expect([status, body['error']]).toEqual([400, 'missing_interaction_type'])
      expect(body).not.toHaveProperty('auth_session')
    }
    const both = await ask(world, initial({ interaction_types_supported: `urn:example:unknown,${IA}` }))
    expect(both.status).toBe(401)
  })

  test('gets a signed request of the challenge route [IA-AS-08] [IA-AS-09]', async () => {
    const world = guarded()
    const evil = {
      ...(await clientHeaders(world, wallet, CHALLENGE)),
      Host: 'evil.example',
      'X-Forwarded-Host': 'evil.example',
    }
    const body = await objectOf(await postForm(world, CHALLENGE, initial(), evil))
    const asked = parseIaRequest(body['openid4vp_request'])
    if (asked.kind !== 'signed') throw new Error('The request is not signed.')
    const { header, payload } = parseJws(asked.requestObject)
    expect(header).toEqual({ alg: 'ES256', typ: 'oauth-authz-req+jwt', x5c: signers.api.x5c })
    expect(String(payload['client_id'])).toMatch(/^x509_hash:/)
    expect(payload['response_mode']).toBe('ia_post.jwt')
    expect(payload['expected_origins']).toEqual([API])
    for (const name of ['state', 'response_uri', 'redirect_uri']) expect(payload).not.toHaveProperty(name)
    const { request } = await beginChallenge(world, wallet)
    const unsigned = encodeIaRequest({ kind: 'unsigned', request })
    expect(unsigned).not.toHaveProperty('client_id')
    expect(parseIaRequest({ ...unsigned, client_id: 'ignored' })).toEqual(parseIaRequest(unsigned))
  })

  test('is for a scope and a resource of this API', async () => {
    const world = guarded()
    expect((await ask(world, initial({ scope: 'other' }))).body).toMatchObject({ error: 'invalid_scope' })
    expect((await ask(world, initial({ scope: undefined }))).body).toMatchObject({ error: 'invalid_scope' })
    const elsewhere = initial({ resource: 'https://other.example' })
    expect((await ask(world, elsewhere)).body).toMatchObject({ error: 'invalid_target' })
    expect((await ask(world, initial({ resource: API }))).status).toBe(401)
  })
})

describe('the presentation', () => {
  test('comes with a session of its own client, key and time [IA-AS-10]', { timeout: 120_000 }, async () => {
    const world = guarded()
    const begun = await beginChallenge(world, wallet)
    expect(decodeBase64url(begun.authSession.split('.')[1] ?? '')?.length).toBeGreaterThanOrEqual(32)
    const response = await soundResponse(wallet, begun)
    const invalid = [400, 'invalid_session']
    expect(await errorOf(await answerChallenge(world, wallet, 'unknown', response))).toEqual(invalid)
    const stranger = await createWallet({ clientId: 'agent-18' })
    expect(await errorOf(await answerChallenge(world, stranger, begun.authSession, response))).toEqual(
      invalid,
    )
    const late = guarded()
    const early = await beginChallenge(late, wallet)
    late.time.advance(120)
    expect(await errorOf(await answerChallenge(late, wallet, early.authSession, 'x'))).toEqual(invalid)
    const sessions = new Set<string>()
    const many = guarded()
    for (let at = 0; at < 1000; at += 1)
      sessions.add(String((await ask(many, initial())).body['auth_session']))
    expect(sessions.size).toBe(1000)
  })

  test('is made with the key that began, to the end [IA-AS-11]', async () => {
    const world = guarded()
    const begun = await beginChallenge(world, wallet)
    const response = await soundResponse(wallet, begun)
    const otherKey = { ...wallet, dpop: freshKey() }
    expect(await errorOf(await answerChallenge(world, otherKey, begun.authSession, response))).toEqual([
      400,
      'invalid_session',
    ])
    const { DPoP: _dpop, ...bare } = await clientHeaders(world, wallet, CHALLENGE)
    expect(await errorOf(await postForm(world, CHALLENGE, initial(), bare))).toEqual([
      400,
      'invalid_dpop_proof',
    ])
    const { code, begun: again } = await codeFor(world)
    expect(await errorOf(await redeem(world, otherKey, code, again.pkce.codeVerifier))).toEqual([
      400,
      'invalid_grant',
    ])
    expect((await redeem(world, wallet, code, again.pkce.codeVerifier)).status).toBe(200)
  })

  test('survives a demand for a nonce [IA-AS-12] [DPOP-N-01]', async () => {
    const world = guarded({ requireDpopNonce: true })
    const withNonce = async (nonce: string) => {
      const headers = await clientHeaders(world, wallet, CHALLENGE)
      const facts = { now: NOW, random: world.random }
      return {
        ...headers,
        DPoP: await createDpopProof({ method: 'POST', url: CHALLENGE, nonce }, wallet.dpop, facts),
      }
    }
    const first = await ask(world, initial())
    expect([first.status, first.body['error']]).toEqual([400, 'use_dpop_nonce'])
    const nonce = first.response.headers.get('DPoP-Nonce') ?? ''
    const second = await objectOf(await postForm(world, CHALLENGE, initial(), await withNonce(nonce)))
    const asked = parseIaRequest(second['openid4vp_request'])
    if (asked.kind !== 'signed') throw new Error('The request is not signed.')
    const request = parseAuthorizationRequest(parseJws(asked.requestObject).payload)
    const vpToken = await present(wallet, request, { audience: iaAudience(CHALLENGE) })
    const form = new Map([
      ['auth_session', textOf(second, 'auth_session')],
      ['openid4vp_response', await encodeIaResponse(request, { vpToken })],
    ])
    const demanded = await postForm(world, CHALLENGE, form, await clientHeaders(world, wallet, CHALLENGE))
    expect(await errorOf(demanded)).toEqual([400, 'use_dpop_nonce'])
    expect((await postForm(world, CHALLENGE, form, await withNonce(nonce))).status).toBe(200)
  })

  test('is one JSON object of one kind [IA-AS-13] [IA-AS-17]', async () => {
    const world = guarded()
    const attempt = async (make: (begun: BegunChallenge) => Promise<string> | string) => {
      const begun = await beginChallenge(world, wallet)
      const error = await errorOf(await answerChallenge(world, wallet, begun.authSession, await make(begun)))
      // Whatever came of it, the nonce is spent.
      const sound = await soundResponse(wallet, begun)
      expect(await errorOf(await answerChallenge(world, wallet, begun.authSession, sound))).toEqual([
        400,
        'invalid_session',
      ])
      return error
    }
    const plain = async ({ request }: BegunChallenge) =>
      JSON.stringify({
        vp_token: Object.fromEntries(await present(wallet, request, { audience: iaAudience(CHALLENGE) })),
      })
    expect(await attempt(() => 'no JSON')).toEqual([400, 'invalid_request'])
    expect(await attempt(() => '[]')).toEqual([400, 'invalid_request'])
    expect(await attempt(() => '{}')).toEqual([400, 'invalid_request'])
    expect(await attempt(() => '{"error":"x","vp_token":{}}')).toEqual([400, 'invalid_request'])
    expect(await attempt(plain)).toEqual([400, 'invalid_request'])
    expect(await attempt(() => '{"error":"access_denied"}')).toEqual([400, 'access_denied'])
    expect(await attempt(() => '{"response":"a.b.c.d.e"}')).toEqual([400, 'access_denied'])
    const { answer } = await codeFor(world)
    expect(answer.status).toBe(200)
  })

  test('answers the request of this session [IA-AS-14]', async () => {
    const world = guarded()
    const [a, b] = [await beginChallenge(world, wallet), await beginChallenge(world, wallet)]
    // Encrypted to the key of B, with the nonce of A inside.
    const vpToken = await present(wallet, a.request, { audience: iaAudience(CHALLENGE) })
    const crossed = await encodeIaResponse(b.request, { vpToken })
    expect(await errorOf(await answerChallenge(world, wallet, b.authSession, crossed))).toEqual([
      400,
      'access_denied',
    ])
    expect(reasonIn(world.lines)).toBe('kb_nonce_mismatch')
  })

  test('is bound to this endpoint [IA-AS-15]', async () => {
    const attempt = async (audience: string, options: Parameters<typeof createWorld>[0] = {}) => {
      const world = guarded(options)
      const begun = await beginChallenge(world, wallet)
      return (
        await answerChallenge(world, wallet, begun.authSession, await soundResponse(wallet, begun, audience))
      ).status
    }
    expect(await attempt(`ia:${CHALLENGE}`)).toBe(200)
    expect(await attempt(`ia:${API}`)).toBe(200)
    expect(await attempt(`ia:${API}`, { onlyChallengeEndpointOfOrigin: false })).toBe(400)
    const { client } = await beginChallenge(guarded(), wallet)
    for (const other of [
      client.clientId.full,
      'ia:https://evil.example/attache/challenge',
      CHALLENGE,
      `${CHALLENGE}/`,
      `ia:${CHALLENGE}?`,
    ]) {
      expect(await attempt(other)).toBe(400)
    }
  })

  test('passes every check of a presentation [IA-AS-16]', async () => {
    const attempt = async (by: Wallet, world = guarded()) => {
      const begun = await beginChallenge(world, by)
      const error = await errorOf(
        await answerChallenge(world, by, begun.authSession, await soundResponse(by, begun)),
      )
      return [...error, reasonIn(world.lines)]
    }
    const denied = (reason: string) => [400, 'access_denied', reason]
    expect(await attempt(await createWallet({ issuer: freshKey() }))).toEqual(denied('issuer_untrusted'))
    expect(await attempt(await createWallet({ claims: { exp: NOW - 3600 } }))).toEqual(
      denied('credential_expired'),
    )
    const revoked = guarded()
    revoked.revoke()
    expect(await attempt(wallet, revoked)).toEqual(denied('status_invalid'))
    const down = guarded()
    down.status.online = false
    expect(await attempt(wallet, down)).toEqual(denied('status_unavailable'))
    const world = guarded()
    const begun = await beginChallenge(world, wallet)
    const vpToken = await present(wallet, begun.request, {
      audience: iaAudience(CHALLENGE),
      issuedAt: NOW - 3600,
    })
    const stale = await encodeIaResponse(begun.request, { vpToken })
    expect(await errorOf(await answerChallenge(world, wallet, begun.authSession, stale))).toEqual([
      400,
      'access_denied',
    ])
    expect(reasonIn(world.lines)).toBe('kb_iat_out_of_window')
  })

  test('of twenty copies gets one code, and of twenty redemptions one token [IA-AS-18]', async () => {
    const world = guarded()
    const begun = await beginChallenge(world, wallet)
    const response = await soundResponse(wallet, begun)
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => answerChallenge(world, wallet, begun.authSession, response)),
    )
    const codes = answers.filter(({ status }) => status === 200)
    expect(codes).toHaveLength(1)
    const [first = new Response('{}')] = codes
    const code = textOf(await objectOf(first), 'authorization_code')
    const tokens = await Promise.all(
      Array.from({ length: 20 }, () => redeem(world, wallet, code, begun.pkce.codeVerifier)),
    )
    expect(tokens.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  test('is answered with an authorization_code [IA-AS-19] [IA-AS-20]', async () => {
    const world = guarded()
    const begun = await beginChallenge(world, wallet)
    const answer = await answerChallenge(world, wallet, begun.authSession, await soundResponse(wallet, begun))
    expect([answer.status, answer.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
    expect(Object.keys(await objectOf(answer))).toEqual(['authorization_code'])
    const refused = await answerChallenge(world, wallet, 'unknown', '{}')
    expect(Object.keys(await objectOf(refused)).sort()).toEqual(['error', 'error_description'])
  })

  test('is encrypted to a key of its own that is not kept [IA-AS-26]', async () => {
    const world = guarded()
    const [a, b] = [await beginChallenge(world, wallet), await beginChallenge(world, wallet)]
    const kid = ({ request }: BegunChallenge) => request.clientMetadata?.encryptionKeys[0]?.kid
    expect(kid(a)).not.toBe(kid(b))
    await answerChallenge(world, wallet, a.authSession, await soundResponse(wallet, a))
    expect(await storedText(world)).not.toContain('"d":')
    expect(Buffer.from(a.authSession, 'base64url').toString('latin1')).not.toContain('"d"')
  })
})

describe('the token', () => {
  test('is bound, short-lived and comes without a refresh token [IA-AS-21]', async () => {
    const world = guarded()
    const { code, begun } = await codeFor(world)
    const form = new Map([
      ['grant_type', 'authorization_code'],
      ['code', code],
      ['code_verifier', begun.pkce.codeVerifier],
    ])
    const at = async (extra: Readonly<Record<string, string>>) =>
      postForm(
        world,
        TOKEN,
        new Map([...form, ...Object.entries(extra)]),
        await clientHeaders(world, wallet, TOKEN),
      )
    expect(await errorOf(await at({ redirect_uri: 'https://x.example/' }))).toEqual([400, 'invalid_grant'])
    const answer = await at({})
    expect(answer.headers.get('Cache-Control')).toBe('no-store')
    expect(await objectOf(answer)).toMatchObject({
      token_type: 'DPoP',
      expires_in: 300,
      scope: 'payroll:export',
    })
    const late = guarded()
    const waiting = await codeFor(late)
    late.time.advance(61)
    expect(await errorOf(await redeem(late, wallet, waiting.code, waiting.begun.pkce.codeVerifier))).toEqual([
      400,
      'invalid_grant',
    ])
    const refresh = new Map([
      ['grant_type', 'refresh_token'],
      ['refresh_token', 'x'],
    ])
    const other = await postForm(world, TOKEN, refresh, await clientHeaders(world, wallet, TOKEN))
    expect(await errorOf(other)).toEqual([400, 'unsupported_grant_type'])
  })

  test('falls when its code is used again [IA-AS-22]', async () => {
    const world = guarded()
    const { code, begun } = await codeFor(world)
    const first = await redeem(world, wallet, code, begun.pkce.codeVerifier)
    const token = textOf(await objectOf(first), 'access_token')
    expect(await world.gate(await call(world, token, { dpop: wallet.dpop }))).toMatchObject({ allowed: true })
    const again = await redeem(world, wallet, code, begun.pkce.codeVerifier)
    expect(await errorOf(again)).toEqual([400, 'invalid_grant'])
    const outcome = await world.gate(await call(world, token, { dpop: wallet.dpop }))
    expect(outcome).toMatchObject({ allowed: false, response: { status: 401 } })
  })

  test('says whose credential stands behind it and nothing of what it says [IA-AS-23]', async () => {
    const world = guarded()
    const token = await obtainToken(world, wallet)
    const { payload } = parseJws(token)
    expect(payload['attache_presentation']).toMatchObject({
      credentials: [{ query: 'role_cred', iss: ISSUER, holder: wallet.holder.kid }],
    })
    expect(payload['cnf']).toEqual({ jkt: wallet.dpop.kid })
    expect(new Set([wallet.dpop.kid, wallet.holder.kid, wallet.instance.kid]).size).toBe(3)
    const text = JSON.stringify(payload)
    for (const value of ['Manager', '"EU"', wallet.credential.slice(0, 40)]) expect(text).not.toContain(value)
  })

  test('ends with the credential it stands for', async () => {
    const world = guarded()
    const brief = await createWallet({ claims: { exp: NOW + 100 } })
    const { code, begun } = await codeFor(world, brief)
    const body = await objectOf(await redeem(world, brief, code, begun.pkce.codeVerifier))
    expect(body['expires_in']).toBe(100)
  })

  test('opens the route call by call, each with its own proof [IA-AS-24] [DPOP-S-11]', async () => {
    const world = guarded()
    const token = await obtainToken(world, wallet)
    const request = await call(world, token, { dpop: wallet.dpop })
    const copies = await Promise.all(Array.from({ length: 20 }, () => world.gate(request.clone())))
    expect(copies.filter(({ allowed }) => allowed)).toHaveLength(1)
    const status = async (asked: Request) => {
      const outcome = await world.gate(asked)
      return outcome.allowed ? 200 : outcome.response.status
    }
    expect(await status(await call(world, token, { dpop: freshKey() }))).toBe(401)
    const bearer = new Request(`${API}/payroll/export`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
    })
    expect(await status(bearer)).toBe(401)
    const analyst = await createWallet({ claims: { role: 'Analyst' } })
    const other = await obtainToken(world, analyst)
    const denied = await world.gate(await call(world, other, { dpop: analyst.dpop }))
    if (denied.allowed) throw new Error('The call was let in.')
    expect(await objectOf(denied.response)).toMatchObject({ status: 403, missing: ['role'] })
  })

  test('dies with its credential, within the ttl of the list [IA-AS-25]', async () => {
    const world = guarded()
    world.status.ttl = 60
    const token = await obtainToken(world, wallet)
    expect(await world.gate(await call(world, token, { dpop: wallet.dpop }))).toMatchObject({ allowed: true })
    world.revoke()
    world.time.advance(61)
    const outcome = await world.gate(await call(world, token, { dpop: wallet.dpop }))
    if (outcome.allowed) throw new Error('The call was let in.')
    expect(await objectOf(outcome.response)).toMatchObject({ code: 'credential_revoked', status: 401 })
  })
})

describe('bad input', () => {
  test('is refused without a fault, a redirect or a trace in the store [IA-AS-27]', async () => {
    const world = guarded()
    let deep = '1'
    for (let at = 0; at < 17; at += 1) deep = `{"a":${deep}}`
    const begun = await beginChallenge(world, wallet)
    const bodies: readonly string[] = [
      '',
      '%ZZ=%ZZ',
      'a'.repeat(300_000),
      `auth_session=x&openid4vp_response=${encodeURIComponent(deep)}`,
      `auth_session=${'x'.repeat(9000)}&openid4vp_response={}`,
      new URLSearchParams([...initial({ scope: '\u0000' })]).toString(),
    ]
    for (const url of [CHALLENGE, TOKEN]) {
      for (const body of bodies) {
        const headers = {
          ...(await clientHeaders(world, wallet, url)),
          'Content-Type': 'application/x-www-form-urlencoded',
        }
        const { status } = await world.send(new Request(url, { method: 'POST', headers, body }))
        expect([400, 401, 413]).toContain(status)
      }
    }
    expect(await world.store.list('')).toEqual([])
    const nested = await answerChallenge(world, wallet, begun.authSession, deep)
    expect(nested.status).toBe(400)
    expect(world.lines.join()).not.toContain('fault')
  })

  test('a wrong option stops the start', () => {
    const codes = (options: JsonObject) => {
      try {
        createWorld(options)
        return 'started'
      } catch (error) {
        return error instanceof TypeError && 'code' in error ? error.code : error
      }
    }
    expect(codes({ origin: 'http://api.example' })).toBe('origin')
    expect(codes({ origin: 'https://api.example/' })).toBe('origin')
    expect(codes({ path: 'attache' })).toBe('path')
    expect(codes({ trustedIssuers: [] })).toBe('trusted_issuers_empty')
    expect(codes({ tokenLifetimeSeconds: 3600 })).toBe('lifetime')
    expect(codes({ algorithms: ['none'] })).toBe('algorithm_refused')
    expect(codes({ clientId: 'x509_hash:other' })).toBe('client_id')
    expect(codes({})).toBe('started')
  })
})
