/**
 * What the usual libraries make of the same attacks, kept in `library-verdicts.json` so that nobody has to believe
 * it: this test asks them again. A new verdict, better or worse, is written by
 * `npm run unit -- test/abuse/library-verdicts.test.ts -u`, and README.md by `node test/abuse/render.mjs`.
 */
import { expect, test } from 'vitest'
import { call } from '../support/presentation-world.js'
import { ANSWER_ATTACKS, HONEST_ANSWER } from './answer-attacks.js'
import { type AnswerAttack, beginTransaction, type CallAttack, holdToken } from './attack.js'
import { CALL_ATTACKS } from './call-attacks.js'
import { askAboutAnswer, askAboutCall, type LibraryVerdict } from './library-verdicts.js'

type Verdicts = Readonly<Record<string, LibraryVerdict>>

async function askAboutEachAnswer(attack: AnswerAttack): Promise<Verdicts> {
  const scene = await beginTransaction(attack)
  const request = await attack.forge(scene)
  const verdicts: Record<string, LibraryVerdict> = {}
  for (const library of attack.libraries) {
    verdicts[library] = await askAboutAnswer(library, attack, { scene, request })
  }
  return verdicts
}

async function askAboutEachCall(attack: CallAttack): Promise<Verdicts> {
  const scene = await holdToken()
  const verdict = await askAboutCall(scene, await attack.forge(scene))
  return Object.fromEntries(attack.libraries.map((library) => [library, verdict]))
}

const rowOf = (
  { name, row, refused }: { readonly name: string; readonly row: number; readonly refused: string },
  libraries: Verdicts,
) => ({ attack: name, row, ours: refused, libraries })

test('the libraries accept what is honest', async () => {
  const verdicts = await askAboutEachAnswer(HONEST_ANSWER)
  const scene = await holdToken()
  const sound = await call(scene.world, scene.token, { dpop: scene.victim.dpop })

  expect(new Set(Object.values(verdicts))).toEqual(new Set(['accepts']))
  expect(Object.keys(verdicts)).toEqual(HONEST_ANSWER.libraries)
  expect(await askAboutCall(scene, sound)).toBe('accepts')
})

test('the table of verdicts is what the libraries say today', async () => {
  const table: ReturnType<typeof rowOf>[] = []
  for (const attack of ANSWER_ATTACKS) table.push(rowOf(attack, await askAboutEachAnswer(attack)))
  for (const attack of CALL_ATTACKS) table.push(rowOf(attack, await askAboutEachCall(attack)))

  await expect(`${JSON.stringify(table, null, 2)}\n`).toMatchFileSnapshot('./library-verdicts.json')
})
