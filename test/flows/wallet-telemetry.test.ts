/**
 * What metrics, spans and logs say about the wallet's work: everything an operator needs, and no secret.
 */
import type { JsonObject } from '@attache/core'
import { PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { expect, test } from 'vitest'
import { createTelemetry } from '../../apps/wallet/src/telemetry.js'
import { AGENT, answer, OFFER, offerLink, START, TX_CODE } from '../support/scripted-issuer.js'
import { CALL, createPresentationWorld } from '../support/scripted-verifier.js'

type TelemetryDeps = NonNullable<Parameters<typeof createTelemetry>[0]>

/** A tracer that keeps every word it is told. */
function recordSpans() {
  const spans: unknown[][] = []
  const startActiveSpan = (name: string, options: unknown, work: (span: object) => unknown) => {
    const told: unknown[] = [name, options]
    spans.push(told)
    const tell = (...words: unknown[]) => void told.push(words)
    return work({ setAttributes: tell, setStatus: tell, recordException: tell, end: tell })
  }
  const deps: TelemetryDeps = { tracer: Object.assign(Object.create(null), { startActiveSpan }) }
  return { deps, spans }
}

const ROLE = 'canary-role-of-a-person'
const EMPLOYEE = 'canary-employee-number'
const REFRESH = 'canary-refresh-token'
const CODE = 'canary-pre-authorized-code'

test('receiving, presenting, renewing and every refusal are seen, and no token, code, claim, key or proof', async () => {
  const { deps, spans } = recordSpans()
  const { telemetry, metrics } = createTelemetry(deps)
  const script = {
    refreshToken: REFRESH,
    claims: (claims: JsonObject) => ({ ...claims, role: ROLE, employee_id: EMPLOYEE }),
    offer: (offer: JsonObject) => ({
      ...offer,
      grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': CODE, tx_code: {} } },
    }),
  }
  const world = await createPresentationWorld({ script, telemetry })
  expect((await world.callApi()).status).toBe(200)
  expect(await world.present()).toMatchObject({ outcome: 'delivered' })

  // Refusals: the issuer's, the policy's, the operator's.
  world.play({ ...script, steps: { '/token': () => answer(400, { error: 'invalid_grant' }) } })
  const other = { ...OFFER, grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': `${CODE}-2` } } }
  expect(await world.wallet.receive(AGENT, offerLink(other))).toMatchObject({ code: 'invalid_grant' })
  world.perform({
    query: { credentials: [{ id: 'c', format: 'dc+sd-jwt', meta: { vct_values: ['canary-type'] } }] },
  })
  expect(await world.present()).toMatchObject({ outcome: 'refused' })
  await world.wallet.setStopped(AGENT, true)
  await world.wallet.authorize(AGENT, { method: 'POST', url: CALL })
  await world.wallet.setStopped(AGENT, false)

  // A renewal that fails, and one that does not.
  world.play({ ...script, steps: { '/token': () => answer(400, { error: 'invalid_grant' }) } })
  const [held] = (await world.wallet.overview(AGENT)).credentials
  world.time.advance((held?.renewAt ?? START) - world.time.clock() + 1)
  await world.wallet.maintain()
  world.play(script)
  world.time.advance(7_200)
  await world.wallet.maintain()
  // And a fault of our own, thrown with a canary in its message.
  world.play({
    ...script,
    steps: {
      '/credential': () => {
        throw new Error('canary-in-a-fault')
      },
    },
  })
  const third = { ...OFFER, grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': `${CODE}-3` } } }
  await expect(world.wallet.receive(AGENT, offerLink(third))).rejects.toThrow('canary-in-a-fault')

  const text = await metrics()
  for (const series of [
    'attache_wallet_decisions_total{event="receive",outcome="granted",code="stored"} 1',
    'attache_wallet_decisions_total{event="receive",outcome="refused",code="invalid_grant"} 1',
    'attache_wallet_decisions_total{event="renew",outcome="refused",code="invalid_grant"} 1',
    'attache_wallet_decisions_total{event="renew",outcome="granted",code="done"} 1',
    'attache_wallet_decisions_total{event="stop",outcome="granted",code="stopped"} 1',
    `attache_wallet_credentials{agent="${AGENT}",state="active"} 1`,
    `attache_wallet_copies_left{agent="${AGENT}"} 1`,
    `attache_wallet_pending_issuances{agent="${AGENT}"} 0`,
    'attache_wallet_operation_seconds_count{operation="wallet.present",outcome="delivered"} 1',
    'attache_wallet_operation_seconds_count{operation="wallet.renew_alone",outcome="refused"} 1',
    'attache_wallet_operation_seconds_count{operation="wallet.receive",outcome="fault"} 1',
    'attache_wallet_operation_seconds_count{operation="wallet.renew_alone",outcome="done"} 1',
  ])
    expect(text).toContain(series)
  const spanNames = new Set(spans.map(([name]) => name))
  for (const name of [
    'wallet.receive',
    'wallet.authorize',
    'wallet.present',
    'wallet.maintain',
    'wallet.renew_alone',
  ])
    expect(spanNames).toContain(name)

  // Everything secret that went over the network or lies in the credential, and what only a message says.
  const sent = world.network.calls.flatMap(({ headers, body }) => [
    ...['authorization', 'dpop', 'oauth-client-attestation', 'oauth-client-attestation-pop'].flatMap(
      (name) => headers.get(name) ?? [],
    ),
    ...(body.match(/eyJ[\w-]{20,}\.[\w-]+\.[\w-]+/g) ?? []),
  ])
  const secrets = [ROLE, EMPLOYEE, REFRESH, CODE, TX_CODE, 'token-0', 'canary-in-a-fault', ...sent]
  expect(secrets.length).toBeGreaterThan(20)
  const told = [text, JSON.stringify(spans), world.lines.join('\n')]
  for (const secret of secrets) for (const place of told) expect(place.includes(secret)).toBe(false)
  // A type that a verifier invents is no label either.
  expect(text + JSON.stringify(spans)).not.toContain('canary-type')
})
