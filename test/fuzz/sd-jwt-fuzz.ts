/**
 * Fuzzing of presentations: seeded mutations, judged by how they were made.
 *
 * Three quarters are mutations of the text of a sound presentation: every character is covered by a
 * signature, a digest or `sd_hash`, so that only the text itself may be accepted. One quarter are tricks inside
 * credentials whose signatures hold, so that what comes after the signatures is reached.
 *
 * @module
 */
import {
  type ClaimsPath,
  canonicalJson,
  isJsonArray,
  isJsonObject,
  type JsonValue,
  VerificationError,
} from '@attache/core'
import { createKeyPool } from '@attache/keys'
import {
  createVerifiedIssuerCache,
  issueSdJwtVc,
  presentSdJwtVc,
  SD_JWT_ERRORS,
  verifySdJwtVc,
} from '@attache/sd-jwt'
import { NOW } from '../support/clock.js'
import {
  AUDIENCE,
  BINDING,
  bind,
  CONTENT,
  disclose,
  forge,
  holderSigner,
  issuerSigner,
  NONCE,
  trustIssuer,
} from '../support/credentials.js'
import { createSeededRandom } from '../support/random.js'
import { createDice, type Dice } from './dice.js'
import { FUZZ_LIMITS, rollTrick } from './sd-jwt-tricks.js'

/** What a run found. */
export interface PresentationFuzzReport {
  readonly inputs: number
  readonly accepted: number
  /** Code of the refusal, and how often. */
  readonly refused: Readonly<Record<string, number>>
  /** Wrong verdicts, codes off the table, faults, work over a limit; empty is good. */
  readonly wrong: readonly string[]
  readonly slowest: { readonly milliseconds: number; readonly input: string }
  /** The most that any accepted input made us do, counted here and not by the verifier. */
  readonly most: { readonly bytes: number; readonly digests: number; readonly depth: number }
}

interface Input {
  readonly text: string
  /** Canonical claims that must come out, a code, `any` refusal, or `same` for text mutations. */
  readonly outcome: string
}

/** Runs `inputs` mutations from a seed. */
export async function fuzzPresentations(options: {
  readonly inputs: number
  readonly seed: number
}): Promise<PresentationFuzzReport> {
  const roll = createDice(options.seed)
  const originals = await soundPresentations()
  const judge = createJudge()
  const refused: Record<string, number> = {}
  const wrong: string[] = []
  const most = { bytes: 0, digests: 0, depth: 0 }
  let accepted = 0
  const slow: Slow[] = []

  for (let nth = 0; nth < options.inputs; nth += 1) {
    const input = nth % 4 === 3 ? await trickInput(roll) : textInput(roll, originals)
    const started = process.hrtime.bigint()
    const verdict = await judge(input.text)
    const milliseconds = Number(process.hrtime.bigint() - started) / 1e6
    keepSlow(slow, { milliseconds, nth, text: input.text })

    if (verdict.claims === undefined) refused[verdict.code] = (refused[verdict.code] ?? 0) + 1
    else {
      accepted += 1
      keepMost(most, input.text)
    }
    const problem = problemOf(input, verdict, originals)
    if (problem !== undefined) wrong.push(`${nth}: ${problem}: ${input.text}`)
  }
  const slowest = await slowestOf(slow)
  return { inputs: options.inputs, accepted, refused, wrong, slowest, most }
}

interface Slow {
  readonly milliseconds: number
  readonly nth: number
  readonly text: string
}

function keepSlow(slow: Slow[], one: Slow): void {
  if (slow.length === 16 && one.milliseconds <= (slow.at(-1)?.milliseconds ?? 0)) return
  slow.push(one)
  slow.sort((a, b) => b.milliseconds - a.milliseconds)
  slow.splice(16)
}

/** Measures the slow ones again: what was slow because the machine was busy is fast the next time. */
async function slowestOf(slow: readonly Slow[]): Promise<PresentationFuzzReport['slowest']> {
  let slowest = { milliseconds: -1, input: '' }
  for (const { nth, text } of slow) {
    let least = Number.POSITIVE_INFINITY
    for (let again = 0; again < 20; again += 1) {
      const judge = createJudge()
      const started = process.hrtime.bigint()
      await judge(text)
      least = Math.min(least, Number(process.hrtime.bigint() - started) / 1e6)
    }
    if (least > slowest.milliseconds)
      slowest = { milliseconds: least, input: `${nth}: ${text.slice(0, 120)}` }
  }
  return slowest
}

interface Verdict {
  readonly code: string
  readonly claims: string | undefined
  readonly asked: number
}

function createJudge(): (text: string) => Promise<Verdict> {
  // Cache and pool as a verifier has them: what is fuzzed is the whole thing.
  const verifiedIssuers = { cache: createVerifiedIssuerCache({ maxEntries: 64 }), trustFingerprint: 'fuzz' }
  const holderKeys = createKeyPool({ maxKeys: 64 })
  return async (text) => {
    let asked = 0
    try {
      const { claims } = await verifySdJwtVc(text, {
        ...BINDING,
        limits: FUZZ_LIMITS,
        verifiedIssuers,
        holderKeys,
        resolveIssuerKey: (facts) => {
          asked += 1
          return trustIssuer(facts)
        },
      })
      const { vct: _v, iss: _i, cnf: _c, ...rest } = claims
      return { code: 'accepted', claims: canonicalJson(rest), asked }
    } catch (error) {
      return {
        code: error instanceof VerificationError ? error.code : `fault ${String(error)}`,
        claims: undefined,
        asked,
      }
    }
  }
}

function problemOf(
  { text, outcome }: Input,
  verdict: Verdict,
  originals: ReadonlyMap<string, string>,
): string | undefined {
  if (verdict.asked > 1) return 'asked twice'
  if (text.length > FUZZ_LIMITS.maxBytes && verdict.asked > 0) return 'asked for an oversized text'
  if (verdict.claims === undefined && !Object.hasOwn(SD_JWT_ERRORS, verdict.code)) return verdict.code
  if (outcome === 'same')
    return verdict.claims === originals.get(text) ? undefined : 'wrong verdict on a text'
  if (outcome === 'any') return verdict.claims === undefined ? undefined : 'accepted a trick'
  const found = verdict.claims ?? verdict.code
  return found === outcome ? undefined : `${found} instead of ${outcome}`
}

const CHOICES: readonly (readonly ClaimsPath[])[] = [
  [],
  [['agent']],
  [
    ['owner', 'email'],
    ['regions', 1],
  ],
  CONTENT.disclosable,
]

/** Sound texts and the claims they show. */
async function soundPresentations(): Promise<ReadonlyMap<string, string>> {
  const credential = await issueSdJwtVc(CONTENT, { signer: issuerSigner, random: createSeededRandom('fuzz') })
  const keyBinding = { signer: holderSigner, audience: AUDIENCE, nonce: NONCE, issuedAt: NOW }
  const judge = createJudge()
  const texts = await Promise.all(
    CHOICES.map((paths) => presentSdJwtVc(credential, { disclose: paths, keyBinding })),
  )
  return new Map(
    await Promise.all(texts.map(async (text) => [text, (await judge(text)).claims ?? ''] as const)),
  )
}

async function trickInput(roll: Dice): Promise<Input> {
  const { payload, disclosures, outcome } = rollTrick(roll)
  const text = await bind(await forge(payload, disclosures))
  return { text, outcome: typeof outcome === 'string' ? outcome : canonicalJson(outcome) }
}

function textInput(roll: Dice, originals: ReadonlyMap<string, string>): Input {
  const [first = '', ...others] = originals.keys()
  let text = roll.pick([first, ...others])
  const rounds = 1 + roll.below(3)
  for (let round = 0; round < rounds; round += 1) text = mutate(text, roll, [first, ...others])
  return { text, outcome: 'same' }
}

const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~.=+/ \n\u0000\u00e9"{}'

function mutate(text: string, roll: Dice, texts: readonly [string, ...string[]]): string {
  const at = roll.below(text.length + 1)
  const any = CHARACTERS[roll.below(CHARACTERS.length)] ?? 'A'
  const parts = text.split('~')
  const part = roll.below(parts.length)
  switch (roll.below(14)) {
    case 0:
      return text.slice(0, at) + any + text.slice(at + 1)
    case 1:
      return text.slice(0, at) + any + text.slice(at)
    case 2:
      return text.slice(0, at) + text.slice(at + 1)
    case 3:
      return text.slice(0, at)
    case 4:
      return text.slice(at)
    case 5:
      return parts.toSpliced(part, 1).join('~')
    case 6:
      return parts.toSpliced(part, 0, parts[part] ?? '').join('~')
    case 7:
      return parts.toReversed().join('~')
    case 8: {
      const other = roll.below(parts.length)
      return parts
        .with(part, parts[other] ?? '')
        .with(other, parts[part] ?? '')
        .join('~')
    }
    case 9:
      return parts.toSpliced(part, 0, disclose(String(at), 'role', 'admin')).join('~')
    case 10: {
      const foreign = roll.pick(texts).split('~')
      return parts.with(part, foreign[roll.below(foreign.length)] ?? '').join('~')
    }
    case 11:
      return text.slice(0, at) + any.repeat(roll.below(200)) + text.slice(at)
    case 12:
      return `${text}${'~'.repeat(roll.below(80))}`
    default:
      return roll.below(8) === 0 ? text.repeat(2 + roll.below(8)) : parts.with(part, '').join('~')
  }
}

/** Counts on its own what an accepted text holds. */
function keepMost(most: { bytes: number; digests: number; depth: number }, text: string): void {
  const [jwt = '', ...rest] = text.split('~')
  const encoded = [jwt.split('.')[1] ?? '', ...rest.slice(0, -1)]
  const values: readonly JsonValue[] = encoded.map((part) =>
    JSON.parse(Buffer.from(part, 'base64url').toString()),
  )
  most.bytes = Math.max(most.bytes, text.length)
  most.digests = Math.max(
    most.digests,
    values.map(digestsIn).reduce((sum, count) => sum + count, 0),
  )
  most.depth = Math.max(most.depth, ...values.map(depthOf))
}

function digestsIn(value: JsonValue): number {
  if (isJsonArray(value)) return value.map(digestsIn).reduce((sum, count) => sum + count, 0)
  if (!isJsonObject(value)) return 0
  const listed = value['_sd']
  const here = (isJsonArray(listed) ? listed.length : 0) + (Object.hasOwn(value, '...') ? 1 : 0)
  return here + digestsIn(Object.values(value))
}

function depthOf(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}
