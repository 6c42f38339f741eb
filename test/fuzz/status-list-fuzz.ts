/**
 * Fuzzing of Status List Tokens: seeded mutations, judged by an oracle that shares no code with what it judges.
 *
 * Half of the inputs are mutations of the text, which no signature survives; half are mutations of the claims,
 * signed anew, so that what comes after the signature is reached.
 *
 * @module
 */
import { deflateSync, inflateSync } from 'node:zlib'
import { isJsonObject, type JsonObject, type JsonValue, VerificationError } from '@attache/core'
import { createSoftwareSigner, type JwsAlgorithm, signJws } from '@attache/keys'
import { statusAt, verifyStatusListToken } from '@attache/status-list'
import { NOW } from '../support/clock.js'
import { ISSUER_KEY, STATUS_KEY } from '../support/published-keys.js'

/** What a run found. */
export interface FuzzReport {
  readonly inputs: number
  readonly accepted: number
  /** Code of the refusal, and how often. */
  readonly refused: Readonly<Record<string, number>>
  /** Inputs on which verifier and oracle disagree, or that ended in a fault; empty is good. */
  readonly wrong: readonly string[]
  readonly slowest: { readonly milliseconds: number; readonly input: string }
  readonly mostInflatedBytes: number
}

/** No list larger than this is unfolded in a run. */
export const FUZZ_MAX_INFLATED_BYTES = 65_536

const URI = 'https://issuer.example/status/lst_1'
const algorithms: readonly JwsAlgorithm[] = ['ES256']
const signer = createSoftwareSigner(STATUS_KEY)
const stranger = createSoftwareSigner(ISSUER_KEY)

/** Small and fast; quality does not matter, repeatability does (mulberry32). */
function dice(seed: number) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
  const below = (bound: number) => next() % bound
  return { below, pick: <T>(items: readonly [T, ...T[]]): T => items[below(items.length)] ?? items[0] }
}

type Dice = ReturnType<typeof dice>

/** Runs `inputs` mutations from a seed. */
export async function fuzzStatusListTokens(options: { inputs: number; seed: number }): Promise<FuzzReport> {
  const roll = dice(options.seed)
  const valid = await signJws(
    { header: { typ: 'statuslist+jwt' }, payload: claims(pack(list(roll))) },
    signer,
  )
  const refused: Record<string, number> = {}
  const wrong: string[] = []
  let accepted = 0
  let slowest = { milliseconds: -1, input: '' }
  let mostInflatedBytes = 0

  for (let nth = 0; nth < options.inputs; nth += 1) {
    const { text, good } = nth % 2 === 0 ? mutateText(valid, roll) : await mutateClaims(roll)
    const start = process.hrtime.bigint()
    const verdict = judge(text)
    const milliseconds = Number(process.hrtime.bigint() - start) / 1e6
    if (milliseconds > slowest.milliseconds)
      slowest = { milliseconds, input: `${nth}: ${text.slice(0, 200)}` }

    if (verdict.accepted) accepted += 1
    else refused[verdict.code] = (refused[verdict.code] ?? 0) + 1
    if (verdict.accepted) mostInflatedBytes = Math.max(mostInflatedBytes, verdict.bytes)
    if (verdict.accepted !== good || (!verdict.accepted && verdict.code === 'fault'))
      wrong.push(`${nth}: ${text}`)
  }
  return { inputs: options.inputs, accepted, refused, wrong, slowest, mostInflatedBytes }
}

type Verdict =
  | { readonly accepted: true; readonly bytes: number }
  | { readonly accepted: false; readonly code: string }

function judge(text: string): Verdict {
  try {
    const { list: found } = verifyStatusListToken(text, {
      uri: URI,
      key: signer.publicJwk,
      algorithms,
      now: NOW,
      maxInflatedBytes: FUZZ_MAX_INFLATED_BYTES,
    })
    if (found.bytes.length > 0) statusAt(found, 0)
    return { accepted: true, bytes: found.bytes.length }
  } catch (error) {
    return { accepted: false, code: error instanceof VerificationError ? error.code : 'fault' }
  }
}

const list = (roll: Dice) => Uint8Array.from({ length: 1 + roll.below(64) }, () => roll.below(256))
const pack = (bytes: Uint8Array) => deflateSync(bytes).toString('base64url')
const claims = (lst: string): JsonObject => ({
  sub: URI,
  iat: NOW - 10,
  exp: NOW + 600,
  ttl: 60,
  status_list: { bits: 2, lst },
})

const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/~ \n\u00e9{'

function mutateText(valid: string, roll: Dice): { text: string; good: boolean } {
  const at = roll.below(valid.length)
  const character = CHARACTERS[roll.below(CHARACTERS.length)] ?? 'A'
  const [header = '', payload = '', signature = ''] = valid.split('.')
  const text = roll.pick<() => string>([
    () => valid.slice(0, at) + character + valid.slice(at + 1),
    () => valid.slice(0, at) + character + valid.slice(at),
    () => valid.slice(0, at) + valid.slice(at + 1 + roll.below(8)),
    () => valid.slice(0, at),
    () => valid.slice(at) + valid.slice(0, at),
    () => `${payload}.${header}.${signature}`,
    () => `${header}.${payload}.${signature}.${signature}`,
    () => `${Buffer.from(`{"alg":"none","typ":"statuslist+jwt"}`).toString('base64url')}.${payload}.`,
    () => `${valid}${character}`,
    () => valid,
  ])()
  // Whatever differs in one character is another text: nothing but the original may pass.
  return { text, good: text === valid }
}

const ODD: readonly [JsonValue, ...JsonValue[]] = [
  null,
  true,
  0,
  -1,
  1,
  3,
  16,
  0.001,
  1e300,
  NOW,
  NOW + 61,
  NOW - 61,
  '',
  '1',
  URI,
  `${URI}/`,
  [],
  {},
  [URI],
  { bits: 1 },
]

async function mutateClaims(roll: Dice): Promise<{ text: string; good: boolean }> {
  let payload = claims(oddLst(roll))
  for (let changes = roll.below(3); changes > 0; changes -= 1) payload = changeMember(payload, roll)
  const header: JsonObject = roll.pick<JsonObject>([
    { typ: 'statuslist+jwt' },
    { typ: 'statuslist+jwt' },
    { typ: 'statuslist+jwt', kid: 'x', jku: 'https://evil.example', x5c: ['AA'] },
    { typ: 'application/statuslist+jwt' },
    { typ: 'StatusList+jwt' },
    {},
  ])
  const by = roll.below(8) === 0 ? stranger : signer
  const text = await signJws({ header, payload }, by)
  return { text, good: by === signer && header['typ'] === 'statuslist+jwt' && isGood(payload) }
}

function changeMember(payload: JsonObject, roll: Dice): JsonObject {
  const value = roll.pick(ODD)
  const inner = payload['status_list']
  const name = roll.pick([
    'sub',
    'iat',
    'exp',
    'ttl',
    'nbf',
    'status_list',
    'bits',
    'lst',
    'aggregation_uri',
    '__proto__',
  ])
  const isInner = ['bits', 'lst', 'aggregation_uri'].includes(name)
  if (isInner && isJsonObject(inner)) {
    return { ...payload, status_list: change({ ...inner }, name, value, roll) }
  }
  return change(payload, name, value, roll)
}

function change(object: JsonObject, name: string, value: JsonValue, roll: Dice): JsonObject {
  const entries = Object.entries(object).filter(([member]) => member !== name)
  return Object.fromEntries(roll.below(4) === 0 ? entries : [...entries, [name, value]])
}

function oddLst(roll: Dice): string {
  const packed = deflateSync(list(roll))
  const broken = Uint8Array.from(packed)
  broken[roll.below(broken.length)] = roll.below(256)
  return roll.pick<() => string>([
    () => packed.toString('base64url'),
    () => packed.toString('base64url'),
    () => Buffer.from(broken).toString('base64url'),
    () => packed.subarray(0, roll.below(packed.length)).toString('base64url'),
    () => packed.toString('base64'),
    () => deflateSync(new Uint8Array(roll.pick([65_536, 65_537, 4_000_000]))).toString('base64url'),
    () => '',
  ])()
}

// The oracle: the rules again, plainly, with nothing taken from the room.
function isGood(payload: JsonObject): boolean {
  const own = new Map(Object.entries(payload))
  const [iat, exp, nbf, ttl, inner] = ['iat', 'exp', 'nbf', 'ttl', 'status_list'].map((name) => own.get(name))
  const isDate = (value: unknown): value is number =>
    typeof value === 'number' && value >= 0 && value <= 253_402_300_799
  if (own.get('sub') !== URI || !isDate(iat) || iat > NOW + 60) return false
  if (exp !== undefined && !(isDate(exp) && exp > NOW - 60)) return false
  if (nbf !== undefined && !(isDate(nbf) && nbf <= NOW + 60)) return false
  if (ttl !== undefined && !(typeof ttl === 'number' && ttl > 0)) return false
  if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return false
  const members = new Map(Object.entries(inner))
  const aggregation = members.get('aggregation_uri')
  if (aggregation !== undefined && typeof aggregation !== 'string') return false
  return [1, 2, 4, 8].some((bits) => bits === members.get('bits')) && isGoodLst(members.get('lst'))
}

function isGoodLst(lst: unknown): boolean {
  if (typeof lst !== 'string' || !/^[A-Za-z0-9_-]+$/.test(lst)) return false
  const bytes = Buffer.from(lst, 'base64url')
  if (bytes.toString('base64url') !== lst) return false
  try {
    return inflateSync(bytes, { maxOutputLength: 5_000_000 }).length <= FUZZ_MAX_INFLATED_BYTES
  } catch {
    return false
  }
}
