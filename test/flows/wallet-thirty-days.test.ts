/**
 * Thirty days of a wallet with a fleet of agents: renewals, outages of every kind, keys and tokens that are replaced,
 * restarts. At no look is any agent without a credential that a verifier would take.
 */
import { type JsonObject, VerificationError } from '@attache/core'
import { createAnchors } from '@attache/keys'
import { PRE_AUTHORIZED_CODE_GRANT } from '@attache/openid4vci'
import { expect, test } from 'vitest'
import {
  AGENT,
  answer,
  CLIENT,
  decoded,
  OFFER,
  offerLink,
  type Script,
  type ScriptedCall,
  TX_CODE,
} from '../support/scripted-issuer.js'
import { createPresentationWorld, type PresentationWorld } from '../support/scripted-verifier.js'
import { certify } from './issuer-bench.js'

const HOUR = 3600
const DAY = 24 * HOUR
const LIFETIME = 5 * DAY
const AGENTS = [AGENT, 'agent-2', 'agent-3', 'agent-4', 'agent-5']

/** Refresh tokens are replaced at each use; the one before works until the new one was used. */
function createRotation() {
  const valid = new Map<string, Set<string>>()
  let made = 0
  const next = (family: string) => {
    made += 1
    return `${family}.${made}`
  }
  return (call: ScriptedCall): Response => {
    const given = call.form.get('refresh_token')
    const family = given?.split('.')[0] ?? `family-${call.form.get('pre-authorized_code')}`
    const known = valid.get(family) ?? new Set()
    if (given !== null && !known.has(given)) return answer(400, { error: 'invalid_grant' })
    const fresh = next(family)
    valid.set(family, new Set(given === null ? [fresh] : [given, fresh]))
    return answer(200, {
      access_token: `token-${made}`,
      token_type: 'DPoP',
      expires_in: 600,
      refresh_token: fresh,
    })
  }
}

/** What is wrong with the issuer in which hour: a third of the time something is. */
function troubleAt(hour: number): Script['steps'] {
  const silent = () => {
    throw new VerificationError('fetch_timed_out', 'Nobody answers.')
  }
  const busy = () => answer(503, { error: 'temporarily_unavailable' })
  const inDay = hour % 48
  if (inDay < 6) return { '/token': busy }
  if (inDay >= 12 && inDay < 15) return { '/credential': silent }
  if (inDay >= 24 && inDay < 30)
    return { '/.well-known/openid-credential-issuer': silent, '/status/1': silent }
  if (inDay === 36) return { '/nonce': busy, '/notification': silent }
  return {}
}

const offerFor = (agent: string) =>
  offerLink({
    ...OFFER,
    grants: { [PRE_AUTHORIZED_CODE_GRANT]: { 'pre-authorized_code': agent, tx_code: {} } },
  })

/** The `exp` of the credential that is shown at this moment, and the certificate it was signed under. */
async function shownCredential(world: PresentationWorld) {
  expect(await world.present()).toMatchObject({ outcome: 'delivered' })
  const [presentation = ''] = (await world.vpToken())['role_cred'] ?? []
  const { header, payload } = decoded(presentation.split('~')[0] ?? '')
  return { exp: Number(payload['exp']), certificate: String(header['x5c']) }
}

test('thirty days pass without a gap for any agent, and without a stampede', async () => {
  const [first, second] = await Promise.all([certify('First key'), certify('Second key')])
  const rotate = createRotation()
  const scriptAt = (hour: number): Script => ({
    // The issuer changes its key and certificate in the middle of the month.
    signer: (hour < 15 * 24 ? first : second).signer,
    claims: (claims: JsonObject) => ({ ...claims, exp: Number(claims['iat']) + HOUR + LIFETIME }),
    steps: { '/token': rotate, ...troubleAt(hour) },
  })
  const world = await createPresentationWorld({
    holding: false,
    script: { ...scriptAt(6), steps: { '/token': rotate } },
    wallet: { agents: AGENTS.map((id) => ({ id, clientId: CLIENT })) },
    issuerOf: (signing) => ({
      anchors: createAnchors(
        'issuers',
        [first, second].flatMap(({ anchors }) => anchors.certificates),
      ),
      statusAnchors: signing.anchors,
    }),
  })
  for (const agent of AGENTS)
    expect(await world.wallet.receive(agent, offerFor(agent), TX_CODE)).toMatchObject({ outcome: 'stored' })

  const held = new Map(AGENTS.map((agent) => [agent, new Set<string>()]))
  const certificates = new Set<string>()
  const perRound = new Map<number, number>()
  let closest = LIFETIME
  for (let hour = 2; hour <= 30 * 24; hour += 2) {
    world.time.advance(2 * HOUR)
    world.play(scriptAt(hour))
    if (hour % 72 === 0) world.restart()
    if (hour % 240 === 0) await world.wallet.rotateMasterKey()
    const before = world.calls('/token').length
    await world.wallet.maintain()
    perRound.set(hour, world.calls('/token').length - before)

    const now = world.time.clock()
    for (const agent of AGENTS) {
      const { credentials } = await world.wallet.overview(agent)
      expect([hour, agent, credentials.map(({ state }) => state)]).toEqual([hour, agent, ['active']])
      for (const { id, expiresAt = 0 } of credentials) {
        held.get(agent)?.add(id)
        closest = Math.min(closest, expiresAt - now)
      }
    }
    if (hour % 24 === 0) {
      const { exp, certificate } = await shownCredential(world)
      expect(exp).toBeGreaterThan(now)
      certificates.add(certificate)
    }
  }
  // Every agent renewed again and again, and none of them ever came near the end.
  for (const [agent, ids] of held) expect([agent, ids.size > 6]).toEqual([agent, true])
  expect(closest).toBeGreaterThan(DAY / 4)
  expect(certificates.size).toBe(2)
  // Outages are met with patience: a few attempts a round for five agents, in most rounds none.
  expect(Math.max(...perRound.values())).toBeLessThanOrEqual(AGENTS.length * 2)
  expect([...perRound.values()].filter((calls) => calls > 0).length).toBeLessThan(150)
}, 120_000)
