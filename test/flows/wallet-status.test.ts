/**
 * What the operator reads about a credential: its state as of the last look, and what its type is called.
 */
import type { JsonObject } from '@attache/core'
import { integrityOf } from '@attache/sd-jwt'
import { describe, expect, test } from 'vitest'
import {
  AGENT,
  answer,
  createScriptedWorld,
  METADATA,
  type Script,
  type ScriptedWorld,
  START,
  VCT,
  within,
} from '../support/scripted-issuer.js'

const held = async (world: ScriptedWorld, languages?: readonly string[]) => {
  const [credential] = (await world.wallet.overview(AGENT, languages)).credentials
  if (credential === undefined) throw new Error('The agent holds nothing.')
  return credential
}
const unreachable: Script = { steps: { '/status/1': () => answer(503, {}) } }

describe('a state', () => {
  test('is as of the last look, which the operator can ask for', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    expect(await held(world)).toMatchObject({ state: 'active', hasStatusList: true, lookedAt: START })

    world.play({ status: 1 })
    world.time.advance(7200)
    world.restart()
    expect(await held(world)).toMatchObject({ state: 'active', lookedAt: START })
    await world.wallet.refresh(AGENT)
    expect(await held(world)).toMatchObject({ state: 'revoked', lookedAt: START + 7200 })
    world.restart()
    expect(await held(world)).toMatchObject({ state: 'revoked', lookedAt: START + 7200 })
  })

  test('has no time where nobody could look, and keeps the last one while the list is away', async () => {
    const world = await createScriptedWorld({ script: unreachable })
    await world.receive()
    const fresh = await held(world)
    expect(fresh).toMatchObject({ state: 'active', hasStatusList: true })
    expect(fresh).not.toHaveProperty('lookedAt')

    world.play({})
    world.time.advance(60)
    await world.wallet.refresh(AGENT)
    world.play(unreachable)
    world.time.advance(7200)
    await world.wallet.refresh(AGENT)
    expect(await held(world)).toMatchObject({ state: 'active', lookedAt: START + 60 })
  })

  test('without a status list says so', async () => {
    const claims = ({ status: _none, ...rest }: JsonObject) => rest
    const world = await createScriptedWorld({ script: { claims } })
    await world.receive()
    await world.wallet.refresh(AGENT)
    const credential = await held(world)
    expect(credential).toMatchObject({ state: 'active', hasStatusList: false })
    expect(credential).not.toHaveProperty('lookedAt')
  })

  test('is looked at by the wallet itself, so that a suspension shows and ends without a presentation', async () => {
    const world = await createScriptedWorld()
    await world.receive()
    for (const [status, state] of [
      [2, 'suspended'],
      [0, 'active'],
    ] as const) {
      world.play({ status })
      world.time.advance(1000)
      await world.wallet.maintain()
      expect(await held(world)).toMatchObject({ state, lookedAt: world.time.clock() })
    }
  })
})

describe('the name of a type', () => {
  const DOCUMENT = {
    vct: VCT,
    display: [
      { locale: 'en', name: 'Role of an agent' },
      { locale: 'de', name: 'Rolle' },
    ],
  }
  const metadata = (document: JsonObject): JsonObject => {
    const configuration = within(document, 'credential_configurations_supported', 'role_v1')
    const shown = {
      ...configuration,
      credential_metadata: { display: [{ locale: 'en', name: 'Name by the issuer' }] },
    }
    return { ...document, credential_configurations_supported: { role_v1: shown } }
  }
  const integrity = integrityOf(new TextEncoder().encode(JSON.stringify(DOCUMENT)))
  const worldWith = async (claimed: string | undefined, document: JsonObject = DOCUMENT) => {
    const claims = (all: JsonObject) => (claimed === undefined ? all : { ...all, 'vct#integrity': claimed })
    const world = await createScriptedWorld({ script: { metadata, claims } })
    world.network.serve(new URL(VCT).origin, async () => answer(200, document))
    await world.receive()
    return world
  }

  test('is the one of its metadata, in the language asked for, before the one of the issuer [VCI-W-META-15]', async () => {
    expect(METADATA).not.toHaveProperty('credential_metadata')
    const world = await worldWith(integrity)
    expect(await held(world)).toMatchObject({ name: 'Name by the issuer' })
    await world.wallet.maintain()
    expect(await held(world)).toMatchObject({ name: 'Role of an agent' })
    expect(await held(world, ['de-CH'])).toMatchObject({ name: 'Rolle' })
  })

  test('is not taken from metadata of another hash or another type [VCI-W-META-15]', async () => {
    const other = integrityOf(new TextEncoder().encode('something else'))
    for (const world of [
      await worldWith(other),
      await worldWith(undefined, { ...DOCUMENT, vct: `${VCT}/2` }),
    ]) {
      await world.wallet.refresh(AGENT)
      expect(await held(world)).toMatchObject({ state: 'active', name: 'Name by the issuer' })
      expect(world.lines.some((line) => line.includes('wallet.type_metadata'))).toBe(true)
    }
  })
})
