import { createAuditTrail, verifyAuditEntries } from '@attache/audit'
import { createMemoryStore, type JsonObject } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { createFixedClock } from '../support/clock.js'
import {
  answerChallenge,
  askResult,
  beginChallenge,
  call,
  createWallet,
  createWorld,
  fetchRequest,
  freshKey,
  MANAGERS_IN_EU,
  obtainToken,
  postResponse,
  present,
  QUERY,
  responseCodeOf,
  signers,
  soundBody,
  type World,
} from '../support/presentation-world.js'

const wallet = await createWallet()

/** An API that keeps a trail in a store of its own. */
function audited(auditFailure: 'deny' | 'log' = 'deny') {
  const kept = createMemoryStore(createFixedClock())
  const trail = createAuditTrail(
    { tenant: 'default' },
    { store: kept, signer: signers.api, clock: createFixedClock().clock },
  )
  const broken = { now: false }
  const audit: Pick<typeof trail, 'append'> = {
    append: async (event) => {
      if (broken.now) throw new Error('The trail is full.')
      return trail.append(event)
    },
  }
  const world = createWorld({ auditFailure }, undefined, { audit })
  const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
  const entries = async () => {
    const all: JsonObject[] = []
    for await (const { kind, subject, facts } of trail.export()) all.push({ kind, subject, facts })
    return all
  }
  return { world, gate, trail, broken, entries }
}

async function answerPlain(world: World) {
  const started = await world.verifier.startTransaction({ query: QUERY })
  const { request, responseUri } = await fetchRequest(world, started.requestUrl)
  return { started, answer: await postResponse(world, responseUri, await soundBody(wallet, request)) }
}

describe('the audit trail of a verifier', () => {
  test('says who was judged, granted and let in, by names alone', async () => {
    const { world, gate, trail, entries } = audited()
    const token = await obtainToken(world, wallet)
    const allowed = await gate(await call(world, token, { dpop: wallet.dpop }))
    expect(allowed.allowed).toBe(true)
    world.revoke()
    world.time.advance(61)
    expect((await gate(await call(world, token, { dpop: wallet.dpop }))).allowed).toBe(false)

    const [judged, granted, letIn, refused] = await entries()
    expect([judged, granted, letIn, refused].map((entry) => entry?.['kind'])).toEqual([
      'verifier.presentation_accepted',
      'verifier.token_granted',
      'verifier.call_allowed',
      'verifier.call_refused',
    ])
    const presented = judged?.['subject']
    expect(judged?.['facts']).toEqual({
      credentials: [
        {
          query: 'role_cred',
          issuer: 'https://issuer.example',
          vct: 'https://issuer.example/types/agent-role/v1',
          hash: expect.stringMatching(/^[\w-]{43}$/),
          holder: wallet.holder.kid,
        },
      ],
    })
    expect(granted?.['facts']).toMatchObject({ client: wallet.clientId, scope: 'payroll:export', presented })
    const trust = expect.stringMatching(/^[\w-]{12}$/)
    expect(letIn?.['facts']).toMatchObject({
      client: wallet.clientId,
      scope: 'payroll:export',
      presented,
      trust,
    })
    expect(refused?.['facts']).toMatchObject({ code: 'credential_revoked', presented })
    const text = JSON.stringify(await entries())
    for (const value of ['"Manager"', token, wallet.credential.slice(0, 40)])
      expect(text).not.toContain(value)

    // It is a chain that a checkpoint closes, and can be judged far from here.
    const checkpoint = await trail.checkpoint()
    expect((await trail.verify({ checkpoints: [checkpoint] })).ok).toBe(true)
    const exported: JsonObject[] = []
    for await (const entry of trail.export()) exported.push(JSON.parse(JSON.stringify(entry)))
    const forged = exported.with(2, { ...exported[2], kind: 'verifier.call_refused' })
    const verdict = await verifyAuditEntries(forged, { trail: 'main', checkpoints: [] })
    expect(verdict).toEqual({ ok: false, problem: 'entry_changed', seq: 3 })
  })

  test('holds plain transactions too: judged, denied by the wallet, read', async () => {
    const { world, entries } = audited()
    const { started, answer } = await answerPlain(world)
    const wanted = { transaction_id: started.transactionId, response_code: await responseCodeOf(answer) }
    expect((await askResult(world, wanted)).status).toBe(200)
    const denied = await world.verifier.startTransaction({ query: QUERY })
    const { request, responseUri } = await fetchRequest(world, denied.requestUrl)
    await postResponse(world, responseUri, `error=access_denied&state=${request.state}`)
    const handle = started.requestUri.split('/').at(-1)
    expect((await entries()).map(({ kind, subject }) => [kind, subject])).toEqual([
      ['verifier.presentation_accepted', handle],
      ['verifier.result_read', handle],
      ['verifier.presentation_denied', denied.requestUri.split('/').at(-1)],
    ])
  })

  test('names the check that failed', async () => {
    const { world, entries } = audited()
    const begun = await beginChallenge(world, wallet)
    await answerChallenge(world, wallet, begun.authSession, 'nothing')
    expect(await entries()).toEqual([])
    const started = await world.verifier.startTransaction({ query: QUERY, responseMode: 'direct_post' })
    const { request, responseUri } = await fetchRequest(world, started.requestUrl)
    const vpToken = Object.fromEntries(await present(wallet, request, { audience: 'x509_hash:other' }))
    const form = new URLSearchParams({ vp_token: JSON.stringify(vpToken), state: request.state ?? '' })
    await postResponse(world, responseUri, form.toString())
    expect(await entries()).toMatchObject([
      { kind: 'verifier.presentation_refused', facts: { reason: 'kb_aud_mismatch' } },
    ])
  })

  test('is not written by whoever shows no token of ours', async () => {
    const { world, gate, entries } = audited()
    const token = await obtainToken(world, wallet)
    const before = (await entries()).length
    await gate(new Request('https://api.example/payroll/export'))
    await gate(await call(world, token, { dpop: freshKey() }))
    await gate(await call(world, `${token}x`, { dpop: wallet.dpop }))
    expect(await entries()).toHaveLength(before)
  })

  test('fails the request it cannot write down, where that is the rule', async () => {
    const { world, gate, broken } = audited('deny')
    const token = await obtainToken(world, wallet)
    const sound = await call(world, token, { dpop: wallet.dpop })
    broken.now = true
    await expect(gate(sound)).rejects.toThrow('An audit entry could not be written.')
    const { started, answer } = await answerPlain(world)
    expect([answer.status, await answer.json()]).toEqual([500, { error: 'server_error' }])
    // Nothing was accepted, and nothing is lost: the same answer counts once the trail takes entries again.
    expect((await askResult(world, { transaction_id: started.transactionId })).status).toBe(202)
    expect(world.lines.join()).toContain('verifier.audit.failed')
    broken.now = false
    expect((await gate(await call(world, token, { dpop: wallet.dpop }))).allowed).toBe(true)
  })

  test('or goes on and says so in the log; which of the two has no default', async () => {
    const { world, gate, broken, entries } = audited('log')
    broken.now = true
    const token = await obtainToken(world, wallet)
    expect((await gate(await call(world, token, { dpop: wallet.dpop }))).allowed).toBe(true)
    expect(await entries()).toEqual([])
    expect(world.lines.filter((line) => line.includes('verifier.audit.failed'))).toHaveLength(3)
    const audit = { append: async () => Promise.reject(new Error('never')) }
    expect(() => createWorld({}, undefined, { audit })).toThrow(
      expect.objectContaining({ code: 'audit_failure' }),
    )
  })
})
