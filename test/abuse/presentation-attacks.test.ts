import { parseJws } from '@attache/keys'
import { createDpopProof } from '@attache/oauth'
import { type AuthorizationRequest, directPostBody, encodeIaResponse, iaAudience } from '@attache/openid4vp'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  bindTo,
  disclosure,
  forge,
  forgedFor,
  hashOf,
  judge,
  only,
  reasonIn,
  signRaw,
} from '../support/forged-presentation.js'
import {
  API,
  answerChallenge,
  beginChallenge,
  CHALLENGE,
  call,
  clientHeaders,
  createWallet,
  createWorld,
  fetchRequest,
  freshKey,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  postForm,
  postResponse,
  present,
  QUERY,
  redeem,
  soundBody,
  soundResponse,
  storedText,
  textOf,
  type World,
} from '../support/presentation-world.js'

const victim = await createWallet()

function guarded(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld(options)
  return { ...world, gate: world.verifier.requirePresentation(MANAGERS_IN_EU) }
}

async function transaction(world: World) {
  const started = await world.verifier.startTransaction({ query: QUERY })
  return { started, ...(await fetchRequest(world, started.requestUrl)) }
}

describe('replaying a captured presentation', () => {
  test('in the same transaction, in another one, and at another verifier', async () => {
    const world = createWorld()
    const first = await transaction(world)
    const body = await soundBody(victim, first.request)
    expect((await postResponse(world, first.responseUri, body)).status).toBe(200)
    expect((await postResponse(world, first.responseUri, body)).status).toBe(400)
    const second = await transaction(world)
    expect((await postResponse(world, second.responseUri, body)).status).toBe(400)

    // The captured presentation itself, encrypted anew for another transaction.
    const third = await transaction(world)
    const captured = await present(victim, first.request, { audience: first.request.clientId ?? '' })
    const again = await directPostBody(third.request, { vpToken: captured })
    expect((await postResponse(world, third.responseUri, again)).status).toBe(400)
    expect(reasonIn(world.lines)).toBe('kb_nonce_mismatch')
  })

  test('after a restart that kept the store', async () => {
    const world = guarded()
    const token = await obtainToken(world, victim)
    const request = await call(world, token, { dpop: victim.dpop })
    expect(await world.gate(request.clone())).toMatchObject({ allowed: true })
    // A second instance on the same store: what was used there is used here.
    const second = createWorld()
    const records = await world.store.list('')
    for (const { key, value } of records) await second.store.put(key, value)
    const gate = second.verifier.requirePresentation(MANAGERS_IN_EU)
    expect(await gate(request.clone())).toMatchObject({ allowed: false })
  })
})

describe('relaying a challenge', () => {
  test('an evil verifier copies the nonce of an honest one', async () => {
    const honest = createWorld()
    const { request, responseUri } = await transaction(honest)
    // The wallet answers evil.example, whose request carries the honest nonce.
    const evil: AuthorizationRequest = { ...request, clientId: 'x509_hash:evil' }
    const forEvil = await present(victim, evil, { audience: 'x509_hash:evil' })
    const relayed = await directPostBody(request, { vpToken: forEvil })
    expect((await postResponse(honest, responseUri, relayed)).status).toBe(400)
    expect(reasonIn(honest.lines)).toBe('kb_aud_mismatch')
  })

  test('an evil authorization server relays the request of an honest one', async () => {
    const honest = guarded()
    const attacker = await createWallet({ clientId: 'agent-evil' })
    const begun = await beginChallenge(honest, attacker)
    // The victim answers at the evil endpoint: its key binding names that endpoint.
    const audience = iaAudience('https://evil.example/challenge')
    const vpToken = await present(victim, begun.request, { audience })
    const response = await encodeIaResponse(begun.request, { vpToken })
    const answer = await answerChallenge(honest, attacker, begun.authSession, response)
    expect([answer.status, reasonIn(honest.lines)]).toEqual([400, 'kb_aud_mismatch'])
  })

  test('an auth_session taken from its client is of no use', async () => {
    const world = guarded()
    const begun = await beginChallenge(world, victim)
    const response = await soundResponse(victim, begun)
    const thief = await createWallet({ clientId: victim.clientId })
    expect((await answerChallenge(world, thief, begun.authSession, response)).status).toBe(400)
    // The theft did not use it up.
    expect((await answerChallenge(world, victim, begun.authSession, response)).status).toBe(200)
  })

  test('a transaction id without the code of the answer is of no use', async () => {
    const world = createWorld()
    const { started, request, responseUri } = await transaction(world)
    const answer = await postResponse(world, responseUri, await soundBody(victim, request))
    expect(answer.status).toBe(200)
    await expect(world.verifier.redeemResult({ transactionId: started.transactionId })).rejects.toMatchObject(
      {
        code: 'invalid_request',
      },
    )
  })
})

describe('bending key binding', () => {
  test('stripped, by another key, of another type, over other disclosures, at the edges of time', async () => {
    const attempts: readonly (readonly [string, (request: AuthorizationRequest) => Promise<string>])[] = [
      ['kb_missing', () => forge()],
      ['kb_signature_invalid', (request) => forgedFor(request, {}, { signer: freshKey() })],
      ['kb_typ', (request) => forgedFor(request, {}, { header: { typ: 'JWT' } })],
      [
        'kb_sd_hash_mismatch',
        async (request) => forgedFor(request, {}, { payload: { sd_hash: hashOf('other') } }),
      ],
      ['kb_iat_out_of_window', (request) => forgedFor(request, {}, { payload: { iat: NOW - 301 } })],
      ['kb_iat_out_of_window', (request) => forgedFor(request, {}, { payload: { iat: NOW + 61 } })],
      [
        'kb_aud_mismatch',
        (request) => forgedFor(request, {}, { payload: { aud: request.responseUri ?? '' } }),
      ],
    ]
    for (const [reason, make] of attempts) {
      const verdict = await judge(async (request) => only(await make(request)))
      expect([verdict.status, verdict.reason]).toEqual([400, reason])
    }
  })

  test('a signed JWT of another kind in its place', async () => {
    const world = guarded()
    const token = await obtainToken(world, victim)
    const proof = await createDpopProof({ method: 'POST', url: CHALLENGE }, victim.holder, {
      now: NOW,
      random: world.random,
    })
    for (const other of [token, proof, victim.attestation]) {
      const verdict = await judge(async () => only((await forge()) + other))
      expect(verdict.status).toBe(400)
    }
    const asProof = new Request(`${API}/payroll/export`, {
      method: 'POST',
      headers: { Authorization: `DPoP ${token}`, DPoP: victim.attestation },
    })
    expect(await world.gate(asProof)).toMatchObject({ allowed: false })
    const asToken = new Request(`${API}/payroll/export`, {
      method: 'POST',
      headers: { Authorization: `DPoP ${victim.attestation}`, DPoP: proof },
    })
    expect(await world.gate(asToken)).toMatchObject({ allowed: false })
  })
})

describe('a rogue issuer', () => {
  test('with its own key, its own JWKS, or a good certificate for another type', async () => {
    const rogue = freshKey()
    const { publicJwk } = rogue
    const { kty, crv = '', x = '', y = '' } = publicJwk
    const headers = [
      { jwk: { kty, crv, x, y } },
      { jku: 'https://evil.example/jwks', kid: rogue.kid },
      { x5u: 'https://evil.example/cert.pem' },
    ]
    for (const header of headers) {
      const verdict = await judge(async (request) =>
        only(await forgedFor(request, { issuer: rogue, header })),
      )
      expect([verdict.status, verdict.reason]).toEqual([400, 'issuer_untrusted'])
      expect(verdict.world.network.calls).toEqual([])
    }
  })
})

describe('structural tricks', () => {
  test('ten thousand disclosures, deep nesting, prototype names', async () => {
    const many = Array.from({ length: 10_000 }, (_, at) => disclosure('s', `c${at}`, at))
    const flood = await judge(async (request) =>
      only(await bindTo(request, `${(await forge()).split('~')[0]}~${many.join('~')}~`)),
    )
    expect([400, 413]).toContain(flood.status)
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      const odd = disclosure('salt', name, { polluted: 'yes' })
      const verdict = await judge(async (request) => {
        const disclosures = [odd]
        return only(
          await forgedFor(request, {
            disclosures,
            payload: { role: 'x', region: 'y', _sd: disclosures.map(hashOf) },
          }),
        )
      })
      expect(verdict.status).toBe(200)
      expect(JSON.stringify(verdict.claims)).not.toContain('polluted')
    }
    expect(Object.keys(Object.prototype)).toEqual([])
  })

  test('a payload with a member twice', async () => {
    const payload = Buffer.from('{"iss":"https://issuer.example","vct":"a","vct":"b"}').toString('base64url')
    const verdict = await judge(() => only(`eyJhbGciOiJFUzI1NiIsInR5cCI6ImRjK3NkLWp3dCJ9.${payload}.AAAA~`))
    expect(verdict.status).toBe(400)
  })
})

describe('a stolen token', () => {
  test('with another key, as Bearer, at another API, after its time', async () => {
    const world = guarded()
    const token = await obtainToken(world, victim)
    const outcome = async (request: Request) => ((await world.gate(request)).allowed ? 'in' : 'out')
    expect(await outcome(await call(world, token, { dpop: freshKey() }))).toBe('out')
    expect(
      await outcome(new Request(`${API}/payroll/export`, { headers: { Authorization: `Bearer ${token}` } })),
    ).toBe('out')
    const elsewhere = createWorld({ origin: 'https://other.example' })
    const gate = elsewhere.verifier.requirePresentation(MANAGERS_IN_EU)
    const url = 'https://other.example/payroll/export'
    expect(await gate(await call(world, token, { dpop: victim.dpop, url }))).toMatchObject({ allowed: false })
    world.time.advance(361)
    expect(await outcome(await call(world, token, { dpop: victim.dpop }))).toBe('out')
  })

  test('signed by somebody else, or changed', async () => {
    const world = guarded()
    const token = await obtainToken(world, victim)
    const { header, payload } = parseJws(token)
    const forged = await signRaw(header, { ...payload, scope: 'payroll:export admin' }, freshKey())
    expect(await world.gate(await call(world, forged, { dpop: victim.dpop }))).toMatchObject({
      allowed: false,
    })
    const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${token.split('.')[1]}.`
    expect(await world.gate(await call(world, none, { dpop: victim.dpop }))).toMatchObject({ allowed: false })
  })
})

describe('floods', () => {
  test('of challenges cost no storage', async () => {
    const world = guarded()
    for (let at = 0; at < 50; at += 1) await beginChallenge(world, victim)
    expect(await world.store.list('')).toEqual([])
    // Without a trusted attestation nothing is even made.
    const stranger = await createWallet({ attester: freshKey() })
    const answer = await postForm(
      world,
      CHALLENGE,
      new Map([['response_type', 'code']]),
      await clientHeaders(world, stranger, CHALLENGE),
    )
    expect(answer.status).toBe(401)
  })

  test('of calls without a token cost no storage either', async () => {
    const world = guarded()
    for (let at = 0; at < 50; at += 1)
      await world.gate(new Request(`${API}/payroll/export`, { method: 'POST' }))
    expect(await world.store.list('')).toEqual([])
  })
})

describe('an outage', () => {
  test('of the issuer leaves cached statuses in service, then denies', async () => {
    const world = guarded({ staleStatusSeconds: 60 })
    world.status.ttl = 10
    const token = await obtainToken(world, victim)
    world.status.online = false
    const status = async () => {
      const outcome = await world.gate(await call(world, token, { dpop: victim.dpop }))
      return outcome.allowed ? 200 : outcome.response.status
    }
    world.time.advance(5)
    expect(await status()).toBe(200)
    world.time.advance(30)
    expect(await status()).toBe(200)
    world.time.advance(60)
    expect(await status()).toBe(403)
  })
})

describe('secrets', () => {
  test('stay out of logs, answers and the store on every path, good and bad', async () => {
    const world = guarded()
    const begun = await beginChallenge(world, victim)
    const response = await soundResponse(victim, begun)
    const code = textOf(
      await objectOf(await answerChallenge(world, victim, begun.authSession, response)),
      'authorization_code',
    )
    const token = textOf(
      await objectOf(await redeem(world, victim, code, begun.pkce.codeVerifier)),
      'access_token',
    )
    const analyst = await createWallet({ claims: { role: 'canary-role', region: 'canary-region' } })
    const other = await obtainToken(world, analyst)
    const denied = await world.gate(await call(world, other, { dpop: analyst.dpop }))
    await answerChallenge(world, victim, begun.authSession, response)
    const bad = await transaction(world)
    await postResponse(world, bad.responseUri, 'response=canary.response')
    const text = [...world.lines, denied.allowed ? '' : await denied.response.text()].join('\n')
    for (const secret of [
      'canary',
      'Manager',
      code,
      token,
      begun.authSession,
      victim.credential.slice(0, 60),
      response,
    ]) {
      expect(text).not.toContain(secret)
    }
    expect(await storedText(world)).not.toContain(code)
  })
})
