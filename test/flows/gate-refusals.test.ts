import type { JsonObject } from '@attache/core'
import { parseWwwAuthenticate } from '@attache/oauth'
import { PROBLEMS, type ProblemCode, type Requirement } from '@attache/verifier'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  API,
  call,
  createWallet,
  createWorld,
  freshKey,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  textOf,
  type Wallet,
  type World,
} from '../support/presentation-world.js'

const URL_OF_ROUTE = `${API}/payroll/export`
const CANARY = 'role-of-a-canary'
const canary = await createWallet({ claims: { role: CANARY } })
const wallet = await createWallet()
const expiring = await createWallet({ claims: { exp: NOW + 100 } })

interface Refused {
  /** Error of `WWW-Authenticate`; `null`: a challenge without an error, `undefined`: no challenge. */
  readonly error: string | null | undefined
  /** Members beside the ones that every refusal has. */
  readonly members?: JsonObject
  /** The check that failed, as the log names it. */
  readonly check: string
  readonly options?: Parameters<typeof createWorld>[0]
  readonly requirement?: Partial<Requirement>
  readonly wallet?: Wallet
  /** Makes the call, with a token of the wallet. */
  readonly ask: (world: World, token: string) => Promise<Request>
  /** A further refusal is not told by the gate of this route. */
  readonly scope?: string
}

const sound = (world: World, token: string, by = wallet) => call(world, token, { dpop: by.dpop })
const later = async (seconds: number, world: World, token: string, by = wallet) => {
  world.time.advance(seconds)
  return sound(world, token, by)
}

const REFUSALS: Readonly<Partial<Record<ProblemCode, Refused>>> = {
  request_malformed: {
    error: undefined,
    check: 'request',
    ask: async () => new Request(`${API}/payroll//export`, { method: 'POST' }),
  },
  token_missing: {
    error: null,
    check: 'token',
    ask: async () => new Request(URL_OF_ROUTE, { method: 'POST' }),
  },
  token_invalid: {
    error: 'invalid_token',
    check: 'token',
    ask: (world, token) => call(world, token, { dpop: freshKey() }),
  },
  proof_invalid: {
    error: 'invalid_dpop_proof',
    check: 'proof',
    ask: (world, token) => sound(world, token).then((request) => new Request(request, { method: 'PUT' })),
  },
  proof_nonce_needed: {
    error: 'use_dpop_nonce',
    check: 'proof',
    options: { requireDpopNonce: true },
    ask: (world, token) => sound(world, token),
  },
  scope_insufficient: {
    error: 'insufficient_scope',
    check: 'scope',
    scope: 'reports:read',
    ask: (world, token) => sound(world, token),
  },
  credential_revoked: {
    error: 'invalid_token',
    check: 'status',
    ask: (world, token) => {
      world.revoke()
      return later(61, world, token)
    },
  },
  status_unavailable: {
    error: undefined,
    check: 'status',
    ask: (world, token) => {
      world.status.online = false
      return later(61, world, token)
    },
  },
  step_up_needed: {
    error: 'insufficient_user_authentication',
    members: { max_age: 30 },
    check: 'step-up',
    requirement: { maxPresentationAgeSeconds: 30 },
    ask: (world, token) => later(31, world, token),
  },
  decision_denied: {
    error: 'insufficient_scope',
    members: { missing: ['role'], hint: 'Payroll is for managers in the EU.' },
    check: 'decision',
    wallet: canary,
    ask: (world, token) => sound(world, token, canary),
  },
  decision_failed: {
    error: 'insufficient_scope',
    check: 'decision',
    requirement: { decide: () => Promise.reject(new Error(CANARY)) },
    ask: (world, token) => sound(world, token),
  },
}

/**
 * Told elsewhere and shown there: signed requests, services that verify offline. A token ends with its credential, so
 * that only a store that keeps records beyond their end could ever lead to `credential_expired`.
 */
const ELSEWHERE: readonly ProblemCode[] = [
  'signature_invalid',
  'body_too_large',
  'body_too_slow',
  'keys_unavailable',
  'credential_expired',
]

async function refuse(code: string, refused: Refused) {
  const world = createWorld(refused.options)
  const requirement = { ...MANAGERS_IN_EU, ...refused.requirement }
  const gate = world.verifier.requirePresentation(requirement)
  if (refused.scope !== undefined) {
    world.verifier.requirePresentation({ ...requirement, scope: refused.scope })
  }
  const token = await tokenFor(world, refused)
  const outcome = await gate(await refused.ask(world, token))
  if (outcome.allowed) throw new Error(`${code} was let in.`)
  const line = world.lines.findLast((one) => one.includes('verifier.gate.refused')) ?? '{}'
  const fields: unknown = JSON.parse(line)
  return { response: outcome.response, body: await objectOf(outcome.response.clone()), fields, world }
}

async function tokenFor(world: World, refused: Refused): Promise<string> {
  if (refused.options?.requireDpopNonce !== true) {
    return obtainToken(world, refused.wallet ?? wallet, refused.scope)
  }
  // The nonce is demanded of proofs alone; a token of the same origin and key comes from a lenient twin.
  const twin = createWorld()
  twin.verifier.requirePresentation(MANAGERS_IN_EU)
  return obtainToken(twin, wallet)
}

describe('every refusal of the gate can be acted on by another program', () => {
  test('the table has them all', () => {
    expect([...Object.keys(REFUSALS), ...ELSEWHERE].sort()).toEqual(Object.keys(PROBLEMS).sort())
  })

  test('a token ends with its credential, whatever its own time says', async () => {
    const { response, body } = await refuse('an expired credential', {
      error: 'invalid_token',
      check: 'token',
      wallet: expiring,
      ask: (world, token) => later(101, world, token, expiring),
    })
    expect([response.status, body['code']]).toEqual([401, 'token_invalid'])
  })

  test('an agent that is refused again and again fills no store', async () => {
    const world = createWorld()
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const token = await obtainToken(world, canary)
    const told = async () => {
      const outcome = await gate(await sound(world, token, canary))
      const body = outcome.allowed ? {} : await objectOf(outcome.response)
      return world.verifier.explain(textOf(body, 'transaction'))
    }
    const first = await told()
    expect(first).toMatchObject({ about: 'call', outcome: 'refused', reason: 'decision_denied' })
    const kept: unknown[] = [first]
    for (let call = 1; call < 70; call += 1) kept.push(await told())
    expect(kept.filter((one) => one !== undefined)).toHaveLength(60)
    world.time.advance(60)
    expect(await told()).toBeDefined()
  })

  test.each(Object.entries(REFUSALS))('%s [PRM-07] [PRM-08]', async (code, refused) => {
    const { response, body, fields, world } = await refuse(code, refused)
    const problem = Object.entries(PROBLEMS).find(([name]) => name === body['code'])?.[1]
    expect(body['code']).toBe(code)
    expect(response.status).toBe(problem?.status)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
    expect(response.headers.get('Cache-Control')).toContain('no-store')
    expect(body).toMatchObject({
      status: problem?.status,
      title: problem?.title,
      scope: 'payroll:export',
      hint: problem?.hint,
      transaction: expect.stringMatching(/^txn_[\w-]{22}$/),
      ...refused.members,
    })
    expect(fields).toMatchObject({
      code: body['code'],
      transaction: body['transaction'],
      scope: 'payroll:export',
    })
    expect(fields).toMatchObject({ checks: expect.stringContaining(`${refused.check} ${body['code']}`) })
    // A caller that has shown its key leaves an explanation behind, a stranger does not.
    const told = await world.verifier.explain(textOf(body, 'transaction'))
    const known = !['request', 'token', 'proof'].includes(refused.check)
    expect(told?.checks.at(-1)).toEqual(known ? { phase: refused.check, outcome: code } : undefined)
    expect(told?.checks.slice(0, -1).every(({ outcome }) => outcome === 'passed')).toBe(
      known ? true : undefined,
    )
    // Names and codes, never a value: not in the answer, not in the log.
    expect(JSON.stringify(body) + world.lines.join('')).not.toContain(CANARY)

    const field = response.headers.get('WWW-Authenticate')
    expect(field === null).toBe(refused.error === undefined)
    const [challenge] = parseWwwAuthenticate(field ?? '')
    expect(challenge?.parameters.get('error') ?? null).toBe(refused.error ?? null)
    if (field === null) return
    expect(challenge?.parameters.get('scope')).toBe('payroll:export')
    expect(challenge?.parameters.get('resource_metadata')).toBe(`${API}/.well-known/oauth-protected-resource`)
    expect(field.length).toBeLessThan(300)
  })
})
