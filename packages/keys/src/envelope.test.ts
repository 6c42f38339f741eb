import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createEnvelope, type Envelope } from './envelope.js'
import { createPassphraseParameters, deriveMasterKey } from './passphrase.js'

type JsonValue = Parameters<Envelope['seal']>[0]

const random = (byteCount: number) => new Uint8Array(randomBytes(byteCount))
const deps = { random }
const [old, fresh] = [
  { id: 'm1', key: new Uint8Array(32).fill(1) },
  { id: 'm2', key: new Uint8Array(32).fill(2) },
]
const envelope = createEnvelope([old], deps)
const PLACE = 't/default/wallet/key/key_1'

describe('createEnvelope', () => {
  test('opens a record where it belongs, and shows nothing of it', async () => {
    for (const content of [null, 'canary', { a: ['canary', 1] }] satisfies JsonValue[]) {
      const record = await envelope.seal(content, PLACE)
      expect(JSON.stringify(record)).not.toContain('canary')
      expect(record).toMatchObject({ v: 1, k: 'm1' })
      expect(await envelope.open(JSON.parse(JSON.stringify(record)), PLACE)).toEqual(content)
    }
  })

  test('refuses a record that was moved to another place', async () => {
    const record = await envelope.seal('x', PLACE)
    const moved = { code: 'record_changed' }
    await expect(envelope.open(record, `${PLACE}2`)).rejects.toMatchObject(moved)
    await expect(envelope.rewrap(record, `${PLACE}2`)).rejects.toMatchObject(moved)
  })

  test('refuses a record that was altered, or put together from two', async () => {
    const [one, two] = [await envelope.seal('1', PLACE), await envelope.seal('2', PLACE)]
    const changed = { code: 'record_changed' }
    await expect(envelope.open({ ...one, c: two['c'] ?? null }, PLACE)).rejects.toMatchObject(changed)
    await expect(envelope.open({ ...one, w: two['w'] ?? null }, PLACE)).rejects.toMatchObject(changed)
    await expect(envelope.open({ ...one, w: 'AAAA' }, PLACE)).rejects.toMatchObject(changed)
    await expect(envelope.open({ ...one, c: '' }, PLACE)).rejects.toMatchObject(changed)
  })

  test('says what is wrong with a record it cannot read', async () => {
    const record = await envelope.seal('1', PLACE)
    const cases: [string, JsonValue][] = [
      ['record_malformed', null],
      ['record_malformed', {}],
      ['record_malformed', { ...record, w: 'A=' }],
      ['record_malformed', { ...record, v: 0 }],
      ['record_version_unknown', { ...record, v: 2 }],
      ['record_master_key_unknown', { ...record, k: 'm9' }],
    ]
    for (const [code, broken] of cases)
      await expect(envelope.open(broken, PLACE)).rejects.toMatchObject({ code })
  })

  test('turns the master key over by rewrapping data keys alone', async () => {
    const record = await envelope.seal('x', PLACE)
    const both = createEnvelope([fresh, old], deps)
    const rewrapped = await both.rewrap(record, PLACE)
    expect(rewrapped).toMatchObject({ k: 'm2', c: record['c'] })
    expect(await createEnvelope([fresh], deps).open(rewrapped, PLACE)).toBe('x')
    await expect(createEnvelope([fresh], deps).open(record, PLACE)).rejects.toMatchObject({
      code: 'record_master_key_unknown',
    })
  })

  test('refuses unsound master keys at the start', () => {
    for (const keys of [[], [old, old], [{ id: '', key: old.key }], [{ id: 'm', key: new Uint8Array(31) }]]) {
      expect(() => createEnvelope(keys, deps)).toThrow(
        expect.objectContaining({ code: 'master_keys_invalid' }),
      )
    }
  })
})

describe('deriveMasterKey', () => {
  const parameters = createPassphraseParameters(deps)

  test('derives the same 32 bytes from the same passphrase and stored parameters', async () => {
    const stored = JSON.parse(JSON.stringify(parameters))
    const key = await deriveMasterKey('correct horse \u00e9', parameters)
    expect(key).toHaveLength(32)
    expect(await deriveMasterKey('correct horse e\u0301', stored)).toEqual(key)
    expect(await deriveMasterKey('correct horse e', stored)).not.toEqual(key)
  })

  test('refuses short passphrases, weakened parameters and parameters that eat the memory', async () => {
    await expect(deriveMasterKey('short', parameters)).rejects.toMatchObject({ code: 'passphrase_too_short' })
    const bad = [
      { N: 1024 },
      { N: 131_073 },
      { N: 2 ** 24 },
      { r: 1 },
      { p: 0 },
      { p: 99 },
      { salt: 'AA' },
      { kdf: 'x' },
      { v: 2 },
    ]
    for (const change of bad) {
      await expect(deriveMasterKey('correct horse', { ...parameters, ...change })).rejects.toMatchObject({
        code: 'passphrase_parameters_invalid',
      })
    }
  })
})
