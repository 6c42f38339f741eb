import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createStatusList,
  isStatusBits,
  packStatusList,
  type StatusBits,
  statusAt,
  unpackStatusList,
  writeStatus,
} from './status-list.js'

const anyBits = fc.constantFrom<StatusBits>(1, 2, 4, 8)
const failsWith = (code: string) => expect.objectContaining({ code })
const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')

describe('statusAt', () => {
  test('reads what was written, and touches nothing beside it [TSL-E-01]', () => {
    const cases = fc.tuple(anyBits, fc.array(fc.nat({ max: 255 }), { minLength: 1, maxLength: 64 }))
    fc.assert(
      fc.property(cases, ([bits, drawn]) => {
        const statuses = drawn.map((value) => value % 2 ** bits)
        const list = createStatusList(statuses.length, bits)
        for (const [index, value] of [...statuses.entries()].reverse()) writeStatus(list, index, value)
        expect(statuses.map((_, index) => statusAt(list, index))).toEqual(statuses)
        expect(unpackStatusList({ bits, lst: packStatusList(list) }).bytes).toEqual(Buffer.from(list.bytes))
      }),
    )
  })

  test('reads from the least significant bit upwards [TSL-E-03]', () => {
    const one: StatusBits = 1
    const list = { bits: one, bytes: Uint8Array.of(0xb9, 0xa3) }
    const statuses = Array.from({ length: 16 }, (_, index) => statusAt(list, index))
    expect(statuses.join(',')).toBe('1,0,0,1,1,1,0,1,1,1,0,0,0,1,0,1')
    const two: StatusBits = 2
    const wide = { bits: two, bytes: Uint8Array.of(0xc9, 0x44, 0xf9) }
    expect(Array.from({ length: 12 }, (_, index) => statusAt(wide, index)).join(',')).toBe(
      '1,2,0,3,0,1,0,1,1,2,3,3',
    )
  })

  test('refuses an index that is not in the list [TSL-V-08]', () => {
    const list = createStatusList(16, 2)
    expect(statusAt(list, 15)).toBe(0)
    for (const index of [16, 2 ** 53 - 1, 2 ** 53, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => statusAt(list, index)).toThrow(failsWith('status_index_out_of_bounds'))
    }
  })
})

describe('createStatusList', () => {
  test('rounds up to whole bytes, and the tail reads as VALID [TSL-E-06]', () => {
    const list = createStatusList(13, 1)
    expect(list.bytes).toHaveLength(2)
    expect(statusAt(list, 15)).toBe(0)
  })

  test('starts with every status VALID [TSL-P-04]', () => {
    expect(createStatusList(1_048_576, 2).bytes.every((byte) => byte === 0)).toBe(true)
  })

  test('knows 1, 2, 4 and 8 bits, as numbers [TSL-E-02]', () => {
    expect([1, 2, 4, 8].every(isStatusBits)).toBe(true)
    expect([0, 3, 16, '1', null, undefined, 1.5].some(isStatusBits)).toBe(false)
  })
})

describe('writeStatus', () => {
  test('refuses a value that does not fit the bits [TSL-P-07]', () => {
    expect(() => writeStatus(createStatusList(8, 1), 0, 2)).toThrow(failsWith('status_not_supported'))
    expect(() => writeStatus(createStatusList(8, 2), 0, 4)).toThrow(failsWith('status_not_supported'))
    expect(() => writeStatus(createStatusList(8, 2), 8, 1)).toThrow(failsWith('status_index_out_of_bounds'))
  })
})

describe('unpackStatusList', () => {
  const bytes = new Uint8Array(1_000).fill(0xa5)
  const packed = deflateSync(bytes)

  test('reads ZLIB of any level [TSL-E-04]', () => {
    for (const level of [0, 1, 6, 9]) {
      expect(unpackStatusList({ bits: 1, lst: base64url(deflateSync(bytes, { level })) }).bytes).toEqual(
        Buffer.from(bytes),
      )
    }
  })

  test('refuses what is not ZLIB, cut off or damaged [TSL-E-04]', () => {
    const damaged = Uint8Array.from(packed)
    damaged.set([(damaged.at(-1) ?? 0) ^ 1], damaged.length - 1)
    const wrong = [deflateRawSync(bytes), gzipSync(bytes), packed.subarray(0, -5), damaged, new Uint8Array()]
    for (const stream of wrong) {
      expect(() => unpackStatusList({ bits: 1, lst: base64url(stream) })).toThrow(
        failsWith('status_list_malformed'),
      )
    }
  })

  test('writes base64url without padding and refuses everything else [TSL-E-05]', () => {
    const lst = packStatusList(createStatusList(1_024, 8))
    expect(lst).toMatch(/^[A-Za-z0-9_-]+$/)
    for (const wrong of [`${lst}=`, ` ${lst}`, Buffer.from(packed).toString('base64'), `${lst}*`]) {
      expect(() => unpackStatusList({ bits: 1, lst: wrong })).toThrow(failsWith('status_list_malformed'))
    }
  })

  test('stops a bomb at the limit, and lets 2^20 entries of 8 bits pass [TSL-V-07]', () => {
    const bomb = deflateSync(new Uint8Array(32 * 1_048_576), { level: 9 })
    expect(bomb.length).toBeLessThan(40_000)
    const before = process.memoryUsage().arrayBuffers

    expect(() => unpackStatusList({ bits: 1, lst: base64url(bomb) })).toThrow(
      failsWith('status_list_too_large'),
    )
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(24 * 1_048_576)
    const large = createStatusList(1_048_576, 8)
    expect(unpackStatusList({ bits: 8, lst: packStatusList(large) }).bytes).toHaveLength(1_048_576)
    expect(() => unpackStatusList({ bits: 1, lst: base64url(packed) }, { maxBytes: 999 })).toThrow(
      failsWith('status_list_too_large'),
    )
  })
})
