/**
 * Faults in requests to the issuer, and what must hold for every refusal.
 *
 * Owns spoiling one part of a draft, and judging the answer: status and code, header fields, the log line under
 * the id of the answer, a store that nothing was written to, and that the same request without its fault goes
 * through afterwards, with the same code, nonce and `jti` values.
 *
 * @module
 */
import type { JsonValue, StoredEntry } from '@attache/core'
import { parseWwwAuthenticate } from '@attache/oauth'
import { expect, test } from 'vitest'
import { type BenchOptions, bodyOf, CLIENT_ID, ISSUER, newSigner, PERSON } from './issuer-bench.js'
import {
  copyOf,
  createStage,
  type Draft,
  type Jwt,
  learn,
  type Mode,
  renewed,
  type Stage,
  send,
} from './issuer-draft.js'

export type Fault = (draft: Draft, stage: Stage) => void | Promise<void>

export const HAIP: readonly Mode[] = ['haip']
/** With a client that sends DPoP proofs. */
export const BOUND: readonly Mode[] = ['haip', 'base']
export const ALL: readonly Mode[] = ['haip', 'base', 'bearer']

/** What one cell of the matrix says besides condition, status and code. */
export interface More {
  readonly modes?: readonly Mode[]
  readonly options?: BenchOptions
  /** What the log says of the check, where one code stands for several. */
  readonly reason?: RegExp
  /** Header field with a value for the next attempt. */
  readonly brings?: string
  /** `attempt`: the proofs are spent, the code or token is not. `all`: code or token are dead. */
  readonly spends?: 'attempt' | 'all'
  /** The refusal itself writes: an attempt is counted, what a stolen code brought is ended. */
  readonly writes?: boolean
  readonly undo?: (stage: Stage) => Promise<void>
  /** Scheme of the challenge, where it does not follow from the mode. */
  readonly scheme?: 'dpop' | 'bearer'
}

/** Condition, status, code (none in the body of a 405 or where no token came), how to make it. */
export type Cell = readonly [
  name: string,
  status: number,
  code: string | undefined,
  fault: Fault,
  more?: More,
]

/** An endpoint with a request that it answers well. */
export interface Endpoint {
  readonly good: (stage: Stage) => Promise<Draft>
  readonly succeeds: number
  readonly modes: readonly Mode[]
  readonly options?: BenchOptions
}

/** Makes a test of each cell in each mode. */
export function cells(endpoint: Endpoint, table: readonly Cell[]): void {
  const rows = table.flatMap((cell) => {
    const [name, status, code, , more] = cell
    const modes = (more?.modes ?? endpoint.modes).filter((mode) => endpoint.modes.includes(mode))
    return modes.map((mode) => [`${mode}: ${name}: ${status} ${code ?? ''}`, cell, mode] as const)
  })
  test.each(rows)('%s', (_, cell, mode) => runCell(cell, mode, endpoint))
}

async function runCell(cell: Cell, mode: Mode, endpoint: Endpoint): Promise<void> {
  const [, , , fault, more = {}] = cell
  const stage = await createStage(mode, { ...endpoint.options, ...more.options })
  const good = await endpoint.good(stage)
  const faulty = copyOf(good)
  await fault(faulty, stage)
  const before = await storedIn(stage)
  const response = await send(stage, faulty)
  await expectRefusal(response, cell, stage)
  if (good.token !== undefined) expectChallenge(response, cell, mode)
  if (more.spends !== 'attempt' && more.writes !== true) expect(await storedIn(stage)).toEqual(before)
  await more.undo?.(stage)
  if (more.spends === 'all') return
  const after = await send(stage, more.spends === 'attempt' ? renewed(good) : good)
  expect(after.status).toBe(endpoint.succeeds)
}

/**
 * Holds the order of checks: of two faults in one request, the one that stands first in the list answers.
 * Then everything is mended, and the request goes through.
 */
export async function expectOrder(
  endpoint: Pick<Endpoint, 'good' | 'succeeds'>,
  stage: Stage,
  order: readonly Cell[],
): Promise<void> {
  const good = await endpoint.good(stage)
  const before = await storedIn(stage)
  for (const [at, first] of order.entries()) {
    for (const second of order.slice(at)) {
      const faulty = copyOf(good)
      // The later one first: what it spoils must not depend on the earlier one.
      await second[3](faulty, stage)
      if (second !== first) await first[3](faulty, stage)
      await expectRefusal(await send(stage, faulty), first, stage)
      await second[4]?.undo?.(stage)
      await first[4]?.undo?.(stage)
    }
  }
  expect((await storedIn(stage)).map(({ key, value }) => [key, value])).toEqual(
    before.map(({ key, value }) => [key, value]),
  )
  expect((await send(stage, good)).status).toBe(endpoint.succeeds)
}

async function storedIn({ bench }: Stage): Promise<readonly StoredEntry[]> {
  const all: StoredEntry[] = []
  for (;;) {
    const page = await bench.store.list('t/', all.at(-1)?.key)
    if (page.length === 0) return all
    all.push(...page)
  }
}

async function expectRefusal(response: Response, cell: Cell, stage: Stage): Promise<void> {
  const [, status, code, , more = {}] = cell
  const { error, error_description: description, ...others } = await bodyOf(response)
  expect([response.status, error, others]).toEqual([status, code, {}])
  if (status === 405) {
    // The router's own answer; the listener of the app gives it an id.
    expect(response.headers.get('Allow')).toBe('POST')
    return
  }
  expect(response.headers.get('Cache-Control')).toBe('no-store')
  if (code !== undefined) {
    expect(response.headers.get('Content-Type')).toBe('application/json')
    expect(description).toMatch(/^[\x20\x21\x23-\x5B\x5D-\x7E]+$/)
  }
  const requestId = response.headers.get('X-Request-Id')
  const lines = stage.bench.logged.filter((line) => line['request_id'] === requestId)
  expect(lines.map((line) => line['code'])).toEqual([code ?? 'token_missing'])
  expect(lines[0]?.event).toMatch(/^issuer\.[a-z]+\.refused$/)
  expect(lines[0]?.['reason']).toMatch(more.reason ?? /^[A-Za-z].{15,}\.$/)
  if (more.brings !== undefined) expect(response.headers.get(more.brings)).toMatch(/^[\w.~+/=-]{40,}$/)
}

function expectChallenge(response: Response, cell: Cell, mode: Mode): void {
  const [, status, code, , more = {}] = cell
  if (status !== 401 && status !== 403) return
  const [challenge, ...others] = parseWwwAuthenticate(response.headers.get('WWW-Authenticate') ?? '')
  if (code === undefined) {
    // No error where no token was sent; every way to come in is named.
    expect(others.map(({ scheme }) => scheme)).toEqual(mode === 'haip' ? [] : ['bearer'])
    expect([challenge?.scheme, ...(challenge?.parameters ?? [])]).toEqual(['dpop', ['algs', 'ES256']])
    return
  }
  const scheme = more.scheme ?? (mode === 'bearer' ? 'bearer' : 'dpop')
  expect([challenge?.scheme, challenge?.parameters.get('error'), others]).toEqual([scheme, code, []])
  if (scheme === 'dpop') expect(challenge?.parameters.get('algs')).toBe('ES256')
  if (code === 'insufficient_scope') {
    expect(challenge?.parameters.get('scope')).toBe(`${ISSUER}/types/other-role/v1`)
  }
}

// Faults.

export const both =
  (...faults: readonly Fault[]): Fault =>
  async (draft, stage) => {
    for (const fault of faults) await fault(draft, stage)
  }

export const byGet: Fault = (draft) => {
  draft.method = 'GET'
}

export const ofType =
  (type: string | undefined): Fault =>
  (draft) => {
    draft.type = type
  }

export const asText =
  (text: string): Fault =>
  (draft) => {
    draft.text = text
  }

export const twice =
  (name: string): Fault =>
  (draft) => {
    draft.twice = name
  }

/** A header field besides those of the request. */
export const withHeader =
  (name: string, value: string): Fault =>
  (draft) => {
    draft.headers.push([name, value])
  }

/** Form parameters; undefined leaves one out. */
export const inForm =
  (change: Readonly<Record<string, string | undefined>>): Fault =>
  (draft) => {
    const form = Object.entries({ ...draft.form, ...change })
    draft.form = Object.fromEntries(
      form.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    )
  }

/** Members of a JSON body; undefined leaves one out. */
export const inBody =
  (change: Readonly<Record<string, JsonValue | undefined>>): Fault =>
  (draft) => {
    const body = Object.entries({ ...draft.body, ...change })
    draft.body = Object.fromEntries(
      body.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    )
  }

export const details = (...entries: readonly JsonValue[]): Fault =>
  inForm({ authorization_details: JSON.stringify(entries) })

export type Part = 'attestation' | 'pop' | 'dpop'
export type JwtChange = Partial<Pick<Jwt, 'header' | 'payload' | 'signer' | 'forged'>>

/** A JWT with other members. */
export function changed(jwt: Jwt, change: JwtChange): Jwt {
  return {
    ...jwt,
    ...change,
    header: { ...jwt.header, ...change.header },
    payload: { ...jwt.payload, ...change.payload },
  }
}

export const inJwt =
  (part: Part, change: JwtChange): Fault =>
  (draft) => {
    const jwt = draft[part]
    if (jwt !== undefined) draft[part] = changed(jwt, change)
  }

export const inProofs =
  (change: JwtChange): Fault =>
  (draft) => {
    draft.proofs = draft.proofs?.map((jwt) => changed(jwt, change)) ?? []
  }

export const without =
  (part: Part): Fault =>
  (draft) => {
    draft[part] = undefined
  }

export const withoutClaim =
  (part: Part, name: string): Fault =>
  (draft) => {
    delete draft[part]?.payload[name]
  }

export const aged =
  (part: Part, seconds: number): Fault =>
  (draft, stage) =>
    inJwt(part, { payload: { iat: stage.bench.time.clock() + seconds } })(draft, stage)

export const later =
  (seconds: number): Fault =>
  (_, { bench }) =>
    bench.time.advance(seconds)

/** The same client on another machine: attested, with a key of its own. */
export const otherInstance: Fault = async (draft, stage) => {
  const signer = newSigner()
  await inJwt('attestation', { payload: { cnf: { jwk: { ...signer.publicJwk } } } })(draft, stage)
  await inJwt('pop', { signer })(draft, stage)
}

const OTHER_CLIENT = 'https://other.example/agents'

/** Another client with the same keys. */
export const otherClient: Fault = both(
  inForm({ client_id: OTHER_CLIENT }),
  inJwt('attestation', { payload: { sub: OTHER_CLIENT } }),
  inJwt('pop', { payload: { iss: OTHER_CLIENT } }),
)

/** The person behind the agent leaves. */
export const leaving: Fault = async (_, { bench }) => {
  const cells = { ...PERSON, status: 'terminated' }
  await bench.directory.importPeople([{ line: 2, cells }], bench.time.clock())
}

/** … and is there again. */
export const returning = async ({ bench }: Stage): Promise<void> => {
  await bench.directory.importPeople([{ line: 2, cells: PERSON }], bench.time.clock())
}

/** A good draft that has learnt challenge and nonce from refusals. */
export async function answering(stage: Stage, draft: Draft): Promise<Draft> {
  for (let turn = 0; turn < 2; turn += 1) {
    const probe = copyOf(draft)
    if (probe.form) probe.form = { client_id: CLIENT_ID }
    else probe.text = '['
    learn(draft, await send(stage, probe))
  }
  return draft
}
