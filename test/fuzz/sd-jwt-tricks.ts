/**
 * What can be wrong inside an SD-JWT whose signatures hold, and variants that only look wrong.
 *
 * Each trick builds a payload with its Disclosures and knows, from how it was built and not by judging it,
 * whether it is sound.
 *
 * Source: RFC 9901, section 7.1, step 3; SD-JWT VC (draft 19), section 2.2.2.
 *
 * @module
 */
import type { JsonObject, JsonValue } from '@attache/core'
import type { SdJwtLimits } from '@attache/sd-jwt'
import { digestOf, disclose } from '../support/credentials.js'
import type { Dice } from './dice.js'

/** A payload (without `vct`, `iss`, `cnf`), its Disclosures, and what must come of them. */
export interface Trick {
  readonly payload: JsonObject
  readonly disclosures: readonly string[]
  /** Claims when everything holds; a code of refusal otherwise. */
  readonly outcome: JsonObject | string
}

type MakeTrick = (roll: Dice, salt: () => string) => Trick

/** Low, so that a run meets them; what is accepted must keep them all. */
export const FUZZ_LIMITS: SdJwtLimits = {
  maxBytes: 16_384,
  maxIssuerJwtBytes: 4_096,
  maxDisclosureBytes: 4_096,
  maxKeyBindingJwtBytes: 2_048,
  maxDisclosures: 64,
  maxDigests: 64,
  maxDepth: 16,
}

const NAMES = [
  'role',
  'a.b',
  '',
  'constructor',
  '__proto__',
  'toString',
  '_sd_',
  '....',
  'é',
  '\u0000',
] as const
const VALUES: readonly [JsonValue, ...JsonValue[]] = [
  null,
  '',
  'x',
  0,
  -1.5,
  true,
  [],
  {},
  [[]],
  { a: [null] },
]

const own = (name: string, value: JsonValue): JsonObject => Object.fromEntries([[name, value]])

const sound: readonly [MakeTrick, ...MakeTrick[]] = [
  (roll, salt) => {
    const [name, value] = [roll.pick(NAMES), roll.pick(VALUES)]
    const one = disclose(salt(), name, value)
    return { payload: { _sd: [digestOf(one), salt()] }, disclosures: [one], outcome: own(name, value) }
  },
  (roll, salt) => {
    const value = roll.pick(VALUES)
    const one = disclose(salt(), value)
    return {
      payload: { list: [1, { '...': digestOf(one) }, { '...': salt() }, 2] },
      disclosures: [one],
      outcome: { list: [1, value, 2] },
    }
  },
  (roll, salt) => {
    const depth = 1 + roll.below(5)
    const disclosures: string[] = []
    let inside: JsonObject = {}
    let shown: JsonObject = {}
    for (let at = 0; at < depth; at += 1) {
      const one = disclose(salt(), 'in', inside)
      disclosures.unshift(one)
      inside = { _sd: [salt(), digestOf(one)] }
      shown = { in: shown }
    }
    return {
      payload: inside,
      disclosures: roll.below(2) === 0 ? disclosures : disclosures.reverse(),
      outcome: shown,
    }
  },
  (_, salt) => ({ payload: { o: { _sd: [salt()] }, _sd: [] }, disclosures: [], outcome: { o: {} } }),
]

/** Up to a limit of the run and just beyond it. */
const edges: readonly [MakeTrick, ...MakeTrick[]] = [
  (roll, salt) => {
    const count = 50 + roll.below(20)
    const payload = { _sd: Array.from({ length: count }, salt) }
    return { payload, disclosures: [], outcome: count <= FUZZ_LIMITS.maxDigests ? {} : 'digests_too_many' }
  },
  (roll) => {
    // The payload itself is one level.
    const depth = 10 + roll.below(10)
    let deep: JsonValue = []
    for (let at = 1; at < depth; at += 1) deep = [deep]
    return {
      payload: { deep },
      disclosures: [],
      outcome: depth < FUZZ_LIMITS.maxDepth ? { deep } : 'jws_malformed',
    }
  },
]

/** Refused for one reason, which is its code. */
const unsound: readonly [MakeTrick, ...MakeTrick[]] = [
  (_, salt) => unreferenced(disclose(salt(), 'role', 'admin'), { role: 'clerk' }),
  (_, salt) => unreferenced(disclose(salt(), 'x'), { list: ['y'] }),
  (roll, salt) => {
    const one = disclose(salt(), roll.pick(['_sd', '...']), 'x')
    return { payload: { _sd: [digestOf(one)] }, disclosures: [one], outcome: 'claim_name_reserved' }
  },
  (_, salt) => placed(disclose(salt(), '_sd_alg', 'sha-256'), 'sd_alg_misplaced'),
  (_, salt) => placed(disclose(salt(), 'o', { _sd_alg: 'sha-256' }), 'sd_alg_misplaced'),
  (_, salt) => placed(disclose(salt(), 'role'), 'disclosure_kind'),
  (roll, salt) => {
    const wrong = roll.pick<readonly JsonValue[]>([
      [],
      [salt()],
      [salt(), 'a', 1, 2],
      [7, 'a', 1],
      [salt(), 7, 1],
    ])
    return placed(disclose(...wrong), 'disclosure_malformed')
  },
  (roll) =>
    placed(
      encode(roll.pick(['{}', '"abc"', 'null', '7', '[1', '["s","a",1]x', '["s","a",{"b":1,"b":2}]'])),
      'disclosure_malformed',
    ),
  (_, salt) => {
    const one = disclose(salt(), 'a', 1)
    return { payload: { list: [{ '...': digestOf(one) }] }, disclosures: [one], outcome: 'disclosure_kind' }
  },
  (_, salt) => {
    const one = disclose(salt(), 'role', 'admin')
    return {
      payload: { role: 'clerk', _sd: [digestOf(one)] },
      disclosures: [one],
      outcome: 'claim_name_taken',
    }
  },
  (_, salt) => {
    const two = [disclose(salt(), 'role', 'admin'), disclose(salt(), 'role', 'clerk')]
    return { payload: { _sd: two.map(digestOf) }, disclosures: two, outcome: 'claim_name_taken' }
  },
  (roll, salt) => {
    const [one, twin] = [disclose(salt(), 'a', 1), salt()]
    const payload = roll.pick<JsonObject>([
      { _sd: [twin, twin, digestOf(one)] },
      { _sd: [twin, digestOf(one)], o: { _sd: [twin] } },
      { _sd: [digestOf(one)], list: [{ '...': twin }, { '...': twin }] },
      { _sd: [digestOf(one)], o: [{ p: { _sd: [digestOf(one)] } }] },
    ])
    return { payload, disclosures: [one], outcome: 'digest_repeated' }
  },
  (_, salt) => {
    const twin = salt()
    const one = disclose(salt(), 'o', { _sd: [twin] })
    return {
      payload: { _sd: [digestOf(one)], list: [{ '...': twin }] },
      disclosures: [one],
      outcome: 'digest_repeated',
    }
  },
  (_, salt) => {
    const one = disclose(salt(), 'a', 1)
    return { payload: { _sd: [digestOf(one)] }, disclosures: [one, one], outcome: 'disclosure_repeated' }
  },
  (roll, salt) => {
    const payload = roll.pick<JsonObject>([
      { _sd: 'x' },
      { _sd: null },
      { _sd: [7] },
      { o: { _sd: {} } },
      { list: [{ '...': 7 }] },
      { list: [{ '...': salt(), x: 1 }] },
      { o: { '...': salt() } },
      { '...': salt() },
      { list: [[{ '...': null }]] },
    ])
    return { payload, disclosures: [], outcome: 'digest_placement' }
  },
  (roll) => ({
    payload: roll.pick<JsonObject>([{ o: { _sd_alg: 'sha-256' } }, { list: [{ _sd_alg: 1 }] }]),
    disclosures: [],
    outcome: 'sd_alg_misplaced',
  }),
  (roll) => ({
    payload: { _sd_alg: roll.pick<JsonValue>(['SHA-256', 'sha-256-32', 'md5', '', null, 256, ['sha-256']]) },
    disclosures: [],
    outcome: 'sd_alg_refused',
  }),
  (roll, salt) => {
    const name = roll.pick(['nbf', 'exp', 'status', 'aka_vcts', 'vct#integrity'])
    return placed(disclose(salt(), name, 1), 'claim_not_disclosable')
  },
  (roll, salt) => ({
    payload: roll.pick<JsonObject>([
      { aka_vcts: ['urn:x', { '...': salt() }] },
      { 'vct#integrity': { _sd: [salt()] } },
      { exp: [{ '...': salt() }] },
    ]),
    disclosures: [],
    outcome: 'any',
  }),
  (_, salt) => {
    const disclosures: string[] = []
    let inside: JsonValue = 'deepest'
    for (let at = 0; at < 40; at += 1) {
      const one = disclose(salt(), 'in', inside)
      disclosures.push(one)
      inside = { _sd: [digestOf(one)] }
    }
    return { payload: { o: inside }, disclosures, outcome: 'any' }
  },
]

/** Rolls one trick; a third of them are sound, some stand at a limit. */
export function rollTrick(roll: Dice): Trick {
  let counter = 0
  const base = roll.below(2 ** 30).toString(36)
  const salt = () => {
    counter += 1
    return `${base}-${counter}-salt-salt-salt`
  }
  const kind = roll.below(10)
  if (kind === 0) return roll.pick(edges)(roll, salt)
  return (kind < 4 ? roll.pick(sound) : roll.pick(unsound))(roll, salt)
}

function unreferenced(foreign: string, payload: JsonObject): Trick {
  return { payload, disclosures: [foreign], outcome: 'disclosure_unreferenced' }
}

function placed(encoded: string, outcome: string): Trick {
  return { payload: { _sd: [digestOf(encoded)] }, disclosures: [encoded], outcome }
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url')
}
