import { decodeBase64url, isJsonObject, parseJson } from '@attache/core'
import { parseJws } from '@attache/keys'
import { parseWwwAuthenticate } from '@attache/oauth'
import { describe, expect, test } from 'vitest'
import {
  API,
  answerChallenge,
  askResult,
  beginChallenge,
  CHALLENGE,
  call,
  createWallet,
  createWorld,
  fetchRequest,
  freshKey,
  ISSUER,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  postResponse,
  QUERY,
  responseCodeOf,
  soundBody,
  soundResponse,
  storedText,
  VCT,
} from '../support/presentation-world.js'

describe('the challenge route', () => {
  test('a manager presents once and calls with a bound token', async () => {
    const world = createWorld()
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const wallet = await createWallet()
    const token = await obtainToken(world, wallet)

    const outcome = await gate(await call(world, token, { dpop: wallet.dpop }))
    expect(outcome).toMatchObject({
      allowed: true,
      presentation: {
        claims: { role: 'Manager', region: 'EU' },
        issuer: ISSUER,
        holderKey: wallet.holder.kid,
      },
    })
  })

  test('the API learns what it asked for and nothing else', async () => {
    const world = createWorld()
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const wallet = await createWallet()
    const token = await obtainToken(world, wallet)
    const outcome = await gate(await call(world, token, { dpop: wallet.dpop }))

    if (!outcome.allowed) throw new Error('The call was refused.')
    expect(outcome.presentation.claims).toEqual({ role: 'Manager', region: 'EU' })
    const everything = [
      JSON.stringify(parseJws(token).payload),
      ...world.lines,
      await storedText(world),
    ].join()
    expect(everything).not.toContain('salary-band-S7')
    expect(everything).not.toContain('1980-02-03')
  })

  test('a call without a token is told where to go', async () => {
    const world = createWorld()
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const outcome = await gate(new Request(`${API}/payroll/export`, { method: 'POST' }))

    if (outcome.allowed) throw new Error('The call was let in.')
    expect(outcome.response.status).toBe(401)
    const [challenge] = parseWwwAuthenticate(outcome.response.headers.get('WWW-Authenticate') ?? '')
    expect(challenge?.scheme).toBe('dpop')
    expect(Object.fromEntries(challenge?.parameters ?? [])).toEqual({
      scope: 'payroll:export',
      algs: 'ES256',
      resource_metadata: `${API}/.well-known/oauth-protected-resource`,
    })
  })

  test('an analyst is told what is missing, by name', async () => {
    const world = createWorld()
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const wallet = await createWallet({ claims: { role: 'Analyst', region: 'US' } })
    const token = await obtainToken(world, wallet)
    const outcome = await gate(await call(world, token, { dpop: wallet.dpop }))

    if (outcome.allowed) throw new Error('The call was let in.')
    expect(outcome.response.status).toBe(403)
    expect(outcome.response.headers.get('Content-Type')).toBe('application/problem+json')
    const text = await outcome.response.text()
    const parsed = parseJson(text)
    expect(parsed.ok && parsed.value).toMatchObject({
      status: 403,
      code: 'decision_denied',
      scope: 'payroll:export',
      missing: ['role', 'region'],
      hint: 'Payroll is for managers in the EU.',
    })
    expect(text).not.toMatch(/Analyst|"US"/)
  })

  test('a thief with the token and another key is kept out', async () => {
    const world = createWorld()
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const token = await obtainToken(world, await createWallet())
    const outcome = await gate(await call(world, token, { dpop: freshKey() }))

    expect(outcome).toMatchObject({ allowed: false, response: { status: 401 } })
  })

  test('a revoked credential closes the route within the ttl of its list', async () => {
    const world = createWorld()
    world.status.ttl = 5
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const wallet = await createWallet()
    const token = await obtainToken(world, wallet)
    expect(await gate(await call(world, token, { dpop: wallet.dpop }))).toMatchObject({ allowed: true })

    world.revoke()
    world.time.advance(5)
    const outcome = await gate(await call(world, token, { dpop: wallet.dpop }))
    if (outcome.allowed) throw new Error('The call was let in.')
    expect(await objectOf(outcome.response)).toMatchObject({ code: 'credential_revoked' })
  })

  test('publishes where to ask and with what', async () => {
    const world = createWorld()
    world.verifier.requirePresentation(MANAGERS_IN_EU)
    const resource = await world.send(new Request(`${API}/.well-known/oauth-protected-resource`))
    expect(await objectOf(resource)).toMatchObject({
      resource: API,
      authorization_servers: [API],
      scopes_supported: ['payroll:export'],
      dpop_bound_access_tokens_required: true,
    })
    const server = await world.send(new Request(`${API}/.well-known/oauth-authorization-server`))
    expect(await objectOf(server)).toMatchObject({
      issuer: API,
      authorization_challenge_endpoint: CHALLENGE,
      token_endpoint: `${API}/attache/token`,
      code_challenge_methods_supported: ['S256'],
    })
  })

  test('a challenge writes nothing', async () => {
    const world = createWorld()
    world.verifier.requirePresentation(MANAGERS_IN_EU)
    const { answer } = await beginChallenge(world, await createWallet())
    expect(answer.status).toBe(401)
    expect(await world.store.list('')).toEqual([])
  })

  test('of two answers to one challenge one gets a code', async () => {
    const world = createWorld()
    world.verifier.requirePresentation(MANAGERS_IN_EU)
    const wallet = await createWallet()
    const begun = await beginChallenge(world, wallet)
    const response = await soundResponse(wallet, begun)
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => answerChallenge(world, wallet, begun.authSession, response)),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400, 400, 400, 400])
  })
})

describe('a plain OpenID4VP transaction', () => {
  test('is answered by direct_post.jwt and read once', async () => {
    const world = createWorld()
    const wallet = await createWallet()
    const started = await world.verifier.startTransaction({ query: QUERY, session: 'cookie-1' })
    const fetched = await fetchRequest(world, started.requestUrl)
    expect(fetched.answer.headers.get('Content-Type')).toBe('application/oauth-authz-req+jwt')

    const posted = await postResponse(world, fetched.responseUri, await soundBody(wallet, fetched.request))
    expect(posted.status).toBe(200)
    const wanted = {
      transaction_id: started.transactionId,
      response_code: await responseCodeOf(posted),
      session: 'cookie-1',
    }
    const result = await askResult(world, wanted)
    expect(result.status).toBe(200)
    expect(await objectOf(result)).toMatchObject({
      status: 'answered',
      credentials: [{ vct: VCT, iss: ISSUER, claims: { role: 'Manager', region: 'EU' } }],
    })
    expect((await askResult(world, wanted)).status).toBe(400)
  })

  test('repeats the wallet_nonce of a POST', async () => {
    const world = createWorld()
    const started = await world.verifier.startTransaction({ query: QUERY, method: 'post' })
    expect(new URL(started.requestUrl).searchParams.get('request_uri_method')).toBe('post')
    const { request } = await fetchRequest(world, started.requestUrl, new Map([['wallet_nonce', 'n-1']]))
    expect(request.walletNonce).toBe('n-1')
  })

  test('is not answered twice', async () => {
    const world = createWorld()
    const wallet = await createWallet()
    const { requestUrl } = await world.verifier.startTransaction({ query: QUERY })
    const { request, responseUri } = await fetchRequest(world, requestUrl)
    const body = await soundBody(wallet, request)
    expect((await postResponse(world, responseUri, body)).status).toBe(200)
    const second = await postResponse(world, responseUri, body)
    expect(second.status).toBe(400)
    expect(await objectOf(second)).toMatchObject({ error: 'invalid_request' })
    expect(world.lines.join()).toContain('transaction_consumed')
  })

  test('encrypts to a key of its own', async () => {
    const world = createWorld()
    const kids = await Promise.all(
      [1, 2].map(async () => {
        const { requestUrl } = await world.verifier.startTransaction({ query: QUERY })
        const { request } = await fetchRequest(world, requestUrl)
        return request.clientMetadata?.encryptionKeys[0]?.kid
      }),
    )
    expect(kids[0]).not.toBe(kids[1])
    const wallet = await createWallet()
    const { requestUrl } = await world.verifier.startTransaction({ query: QUERY })
    const { request } = await fetchRequest(world, requestUrl)
    const jwe = new URLSearchParams(await soundBody(wallet, request)).get('response') ?? ''
    const header = JSON.parse(new TextDecoder().decode(decodeBase64url(jwe.split('.')[0] ?? '')))
    expect(isJsonObject(header) && Object.keys(header).sort()).toEqual(['alg', 'enc', 'epk', 'kid'])
  })
})
