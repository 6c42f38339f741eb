import type { Signer } from '@attache/keys'
import { createClientAttestation } from '@attache/oauth'
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
  signers,
  soundBody,
  soundResponse,
  storedText,
  textOf,
  type Wallet,
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

  test('auth_session and code belong to client, instance and key together, not to any two of them', async () => {
    const world = guarded()
    const instance = freshKey()
    const attest = (clientId: string, key: Signer) =>
      createClientAttestation(
        { clientId, instanceKey: key.publicJwk, expiresAt: NOW + 3600 },
        signers.attester,
        NOW,
      )
    const others: readonly Wallet[] = [
      { ...victim, clientId: 'agent-18', attestation: await attest('agent-18', victim.instance) },
      { ...victim, instance, attestation: await attest(victim.clientId, instance) },
      { ...victim, dpop: freshKey() },
    ]
    const begun = await beginChallenge(world, victim)
    const response = await soundResponse(victim, begun)
    for (const other of others) {
      const answer = await answerChallenge(world, other, begun.authSession, response)
      expect([answer.status, (await objectOf(answer))['error']]).toEqual([400, 'invalid_session'])
    }
    const answered = await answerChallenge(world, victim, begun.authSession, response)
    const code = textOf(await objectOf(answered), 'authorization_code')
    for (const other of others) {
      const answer = await redeem(world, other, code, begun.pkce.codeVerifier)
      expect([answer.status, (await objectOf(answer))['error']]).toEqual([400, 'invalid_grant'])
    }
    expect((await redeem(world, victim, code, begun.pkce.codeVerifier)).status).toBe(200)
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
})

describe('a stolen token', () => {
  test('opens no other API and nothing after its time, even to its owner', async () => {
    const world = guarded()
    const token = await obtainToken(world, victim)
    const elsewhere = createWorld({ origin: 'https://other.example' })
    const gate = elsewhere.verifier.requirePresentation(MANAGERS_IN_EU)
    const url = 'https://other.example/payroll/export'
    expect(await gate(await call(world, token, { dpop: victim.dpop, url }))).toMatchObject({ allowed: false })
    world.time.advance(361)
    const late = await world.gate(await call(world, token, { dpop: victim.dpop }))
    expect(late).toMatchObject({ allowed: false })
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
  /** What a call gets now: 200, or the status and code of its refusal. */
  async function outcome(world: ReturnType<typeof guarded>, token: string) {
    const judged = await world.gate(await call(world, token, { dpop: victim.dpop }))
    if (judged.allowed) return [200]
    return [judged.response.status, textOf(await objectOf(judged.response), 'code')]
  }

  test('of the issuer leaves cached statuses in service for the grace that is configured, then denies', async () => {
    const world = guarded({ staleStatusSeconds: 60 })
    world.status.ttl = 10
    const token = await obtainToken(world, victim)
    world.status.online = false
    world.time.advance(5)
    expect(await outcome(world, token)).toEqual([200])
    world.time.advance(30)
    expect(await outcome(world, token)).toEqual([200])
    world.time.advance(60)
    expect(await outcome(world, token)).toEqual([403, 'status_unavailable'])
    // Back again, without a restart.
    world.status.online = true
    world.time.advance(60)
    expect(await outcome(world, token)).toEqual([200])
  })

  test('of the issuer denies as soon as the copy is old, where no grace is configured', async () => {
    const world = guarded()
    world.status.ttl = 10
    const token = await obtainToken(world, victim)
    world.status.online = false
    world.time.advance(9)
    expect(await outcome(world, token)).toEqual([200])
    world.time.advance(2)
    expect(await outcome(world, token)).toEqual([403, 'status_unavailable'])
    const { request, responseUri } = await transaction(world)
    expect((await postResponse(world, responseUri, await soundBody(victim, request))).status).toBe(400)
    expect(reasonIn(world.lines)).toBe('status_unavailable')
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
