import { callSocket, RECEIVE_PATH } from '@attache/agent'
import { parseJws } from '@attache/keys'
import { type Gate, PRESENTATION_CONTEXTS, type StepUp } from '@attache/verifier'
import { describe, expect, test } from 'vitest'
import { createDaemonWorld } from '../support/daemon-world.js'
import {
  call,
  createWallet,
  createWorld,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
} from '../support/presentation-world.js'
import { AGENT, createWalletWorld, MANAGERS_IN_EU as ROLE_REQUIRED } from '../support/wallet-world.js'

const wallet = await createWallet()
const { keyBound, attestedWallet } = PRESENTATION_CONTEXTS

/** A call with a token whose presentation is some seconds old. */
async function callAfter(seconds: number, wanted: StepUp) {
  const world = createWorld()
  const gate = world.verifier.requirePresentation({ ...MANAGERS_IN_EU, ...wanted })
  const token = await obtainToken(world, wallet)
  world.time.advance(seconds)
  const outcome = await gate(await call(world, token, { dpop: wallet.dpop }))
  return { world, token, outcome, response: outcome.allowed ? new Response() : outcome.response }
}

describe('a route that wants a fresher presentation', () => {
  test('answers 401 with max_age, in the field and in the body [PRM-08]', async () => {
    const { outcome, response, world } = await callAfter(61, { maxPresentationAgeSeconds: 60 })
    expect([outcome.allowed, response.status]).toEqual([false, 401])
    const field = response.headers.get('WWW-Authenticate') ?? ''
    expect(field).toContain('error="insufficient_user_authentication"')
    expect(field).toContain('max_age="60"')
    expect(field).toContain('scope="payroll:export"')
    expect(field).toContain('resource_metadata=')
    expect(field).not.toContain('acr_values')
    expect(await objectOf(response)).toMatchObject({ code: 'step_up_needed', status: 401, max_age: 60 })
    expect(world.lines.findLast((line) => line.includes('gate.refused'))).toContain('step-up step_up_needed')
  })

  test.each([4, 301, 1.5, -1, Number.NaN])(
    'an age of %d seconds stops the start',
    (maxPresentationAgeSeconds) => {
      const requirement = { ...MANAGERS_IN_EU, maxPresentationAgeSeconds }
      expect(() => createWorld().verifier.requirePresentation(requirement)).toThrow(
        expect.objectContaining({ code: 'presentation_age' }),
      )
    },
  )

  test('takes what is young enough, to the second', async () => {
    expect((await callAfter(60, { maxPresentationAgeSeconds: 60 })).outcome.allowed).toBe(true)
    expect((await callAfter(61, {})).outcome.allowed).toBe(true)
  })

  test('the token says when and how was presented, for services that verify offline', async () => {
    const { token, world } = await callAfter(30, {})
    expect(parseJws(token).payload).toMatchObject({ auth_time: world.time.clock() - 30, acr: attestedWallet })
  })
})

describe('a route that wants a presentation made in a stronger way', () => {
  test('takes an attested wallet for both, and says which way serves', async () => {
    for (const presentationContext of [keyBound, attestedWallet]) {
      expect((await callAfter(1, { presentationContext })).outcome.allowed).toBe(true)
    }
  })

  test('cannot be had by a request_uri challenge, which stops the start', () => {
    const requirement = {
      ...MANAGERS_IN_EU,
      challenge: 'request_uri',
      presentationContext: attestedWallet,
    } as const
    expect(() => createWorld().verifier.requirePresentation(requirement)).toThrow(
      expect.objectContaining({ code: 'presentation_context' }),
    )
  })
})

describe('an agent steps up by itself', () => {
  test('its fetch presents anew where the presentation has become too old [PRM-08]', async () => {
    const world = await createDaemonWorld((same) => same, { requirement: { maxPresentationAgeSeconds: 60 } })
    try {
      const { uri, txCode } = await world.bench.issuer.createOffer(
        { agent: AGENT, by: 'value' },
        world.bench.time.clock(),
      )
      const body = JSON.stringify({ agent: AGENT, offer: uri, txCode })
      await callSocket({
        socketPath: world.daemon().operatorSocket,
        path: RECEIVE_PATH,
        method: 'POST',
        body,
      })
      const fetch = world.agentFetch()
      const tokens = () => world.seen.filter(({ url }) => url.endsWith('/attache/token')).length
      const callPayroll = async () => (await fetch(`${world.api}/payroll/export`, { method: 'POST' })).status
      expect([await callPayroll(), await callPayroll(), tokens()]).toEqual([200, 200, 1])
      world.bench.time.advance(61)
      expect([await callPayroll(), await callPayroll(), tokens()]).toEqual([200, 200, 2])
    } finally {
      await world.close()
    }
  })

  test('its wallet presents once more, attested, where a plain presentation does not do [PRM-08]', async () => {
    const gates: { payroll?: Gate } = {}
    const world = await createWalletWorld({
      requirement: { ...ROLE_REQUIRED, challenge: 'request_uri' },
      serveApi: (guarded) => async (request) => {
        if (gates.payroll === undefined || !request.url.endsWith('/payroll/strict')) return guarded(request)
        const outcome = await gates.payroll(request)
        return outcome.allowed ? Response.json({ done: true }) : outcome.response
      },
    })
    gates.payroll = world.verifier.requirePresentation({
      ...ROLE_REQUIRED,
      presentationContext: attestedWallet,
    })
    const { uri, txCode } = await world.offer()
    await world.wallet.receive(AGENT, uri, txCode)
    expect((await world.callApi('/payroll/export')).status).toBe(200)
    world.bench.time.advance(10)

    expect((await world.callApi('/payroll/strict')).status).toBe(200)
    const seen = world.network.calls.map(({ url }) => new URL(url).pathname)
    expect(seen.filter((path) => path === '/payroll/strict')).toHaveLength(2)
    expect(seen.filter((path) => path === '/attache/challenge')).toHaveLength(2)
  })
})
