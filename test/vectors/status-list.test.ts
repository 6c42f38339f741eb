/**
 * The published Status Lists and tokens of the standard, bit for bit, and the derived cases: one verdict each.
 *
 * Source: draft-ietf-oauth-status-list-20, sections 4 to 6 and Appendix C; test/vectors/status-list.
 */
import { type JsonValue, VerificationError } from '@attache/core'
import { type JwsAlgorithm, parseJws, parsePublicJwk } from '@attache/keys'
import {
  createStatusList,
  createStatusResolver,
  isStatusBits,
  packStatusList,
  parseStatusReference,
  statusAt,
  trustKey,
  unpackStatusList,
  verifyStatusListToken,
  writeStatus,
} from '@attache/status-list'
import { describe, expect, test } from 'vitest'
import oneBit from './status-list/appendix-c-1bit-2pow20.json' with { type: 'json' }
import twoBit from './status-list/appendix-c-2bit-2pow20.json' with { type: 'json' }
import fourBit from './status-list/appendix-c-4bit-2pow20.json' with { type: 'json' }
import eightBit from './status-list/appendix-c-8bit-2pow20.json' with { type: 'json' }
import derived from './status-list/derived-cases.json' with { type: 'json' }
import short from './status-list/section-4-short-lists.json' with { type: 'json' }
import published from './status-list/section-5-status-list-token-jwt.json' with { type: 'json' }
import referenced from './status-list/section-6.2-referenced-sd-jwt.json' with { type: 'json' }

const algorithms: readonly JwsAlgorithm[] = ['ES256']

function bitsOf(bits: number) {
  if (!isStatusBits(bits)) throw new Error('the vector has other bits')
  return bits
}

describe('published lists', () => {
  test.each(short.cases)('section 4, $bits bit: unpacks, reads and packs [TSL-E-01, TSL-E-03]', (vector) => {
    const bits = bitsOf(vector.bits)
    const list = unpackStatusList({ bits, lst: vector.status_list_json.lst })
    const packed = createStatusList(vector.statuses.length, bits)
    vector.statuses.forEach((status, index) => {
      writeStatus(packed, index, status)
    })

    expect(Buffer.from(list.bytes).toString('hex')).toBe(vector.byte_array_hex)
    expect(vector.statuses.map((_, index) => statusAt(list, index))).toEqual(vector.statuses)
    expect(Buffer.from(packed.bytes)).toEqual(Buffer.from(list.bytes))
    expect(unpackStatusList({ bits, lst: packStatusList(packed) }).bytes).toEqual(list.bytes)
  })

  test.each([oneBit, twoBit, fourBit, eightBit])(
    '$source: all 2^20 entries [TSL-E-01, TSL-E-03, TSL-E-04]',
    (vector) => {
      const bits = bitsOf(vector.status_list_json.bits)
      const list = unpackStatusList({ bits, lst: vector.status_list_json.lst })
      const expected = new Uint8Array(vector.size_entries).fill(vector.default_value)
      for (const [index = -1, value = -1] of vector.assignments_index_value_in_order) expected[index] = value

      const differing = expected.filter((value, index) => statusAt(list, index) !== value)
      expect(differing).toHaveLength(0)
      expect(list.bytes).toHaveLength((vector.size_entries * bits) / 8)
      // Compressed bytes differ between builds of zlib; the content does not.
      expect(unpackStatusList({ bits, lst: packStatusList(list) }).bytes).toEqual(list.bytes)
    },
  )
})

describe('published tokens', () => {
  const { d: _d, ...key } = published.key
  const now = published.payload.iat + 1

  test('section 5: the token verifies and reads as section 4 [TSL-T-01, TSL-T-02]', () => {
    const token = verifyStatusListToken(published.token, {
      uri: published.payload.sub,
      key: parsePublicJwk(key),
      algorithms,
      now,
    })

    expect(token).toMatchObject({ iat: published.payload.iat, exp: published.payload.exp, ttl: 43_200 })
    const statuses = short.cases[0]?.statuses ?? []
    expect(statuses.map((_, index) => statusAt(token.list, index))).toEqual(statuses)
  })

  test('section 6.2: the reference of the SD-JWT [TSL-R-02, TSL-R-03]', () => {
    const [issuerJwt = ''] = referenced.sd_jwt.split('~')
    const status: JsonValue = parseJws(issuerJwt).payload['status'] ?? null
    expect(parseStatusReference(status)).toEqual({ idx: 0, uri: 'https://example.com/statuslists/1' })
  })
})

describe('derived cases', () => {
  const key = parsePublicJwk(derived.key)

  async function judge(vector: (typeof derived.cases)[number]) {
    const { now, clock_skew: toleranceSeconds, max_inflated_bytes: maxInflatedBytes } = vector.policy
    const reference = parseStatusReference(vector.referenced.status)
    if ('time' in vector.policy && vector.policy.time !== undefined) {
      const at = vector.policy.time
      const expected = { uri: reference.uri, key, algorithms, now, toleranceSeconds, maxInflatedBytes, at }
      return statusAt(verifyStatusListToken(vector.token, expected).list, reference.idx)
    }
    const headers = { 'Content-Type': vector.content_type }
    const resolver = createStatusResolver(
      { algorithms, toleranceSeconds, maxInflatedBytes },
      {
        fetch: async () => new Response(vector.token, { headers }),
        log: { info: () => {}, warn: () => {}, error: () => {} },
      },
    )
    return (await resolver.resolve(reference, { trust: trustKey(key), now })).value
  }

  const named = (cases: typeof derived.cases) =>
    cases.map((vector) => [vector.id, vector.rule, vector] as const)

  test.each(named(derived.cases))('%s [%s]', async (_id, _rule, vector) => {
    if (vector.expect === 'reject') {
      await expect(judge(vector)).rejects.toBeInstanceOf(VerificationError)
    } else {
      expect(await judge(vector)).toBe(vector.status)
    }
  })

  const REASONS: Readonly<Record<string, string>> = {
    'TSL-E-02': 'status_token_malformed',
    'TSL-E-04': 'status_list_malformed',
    'TSL-E-05': 'status_list_malformed',
    'TSL-T-01': 'jws_typ',
    'TSL-T-06': 'status_token_malformed',
    'TSL-V-03': 'status_token_malformed',
    'TSL-V-04': 'status_token_subject',
    'TSL-V-05': 'jwt_expired',
    'TSL-V-07': 'status_list_too_large',
    'TSL-H-03': 'jwt_expired',
  }
  const rejected = derived.cases.filter((vector) => vector.expect === 'reject' && vector.rule in REASONS)

  test.each(named(rejected))('%s is refused for that reason and no other [%s]', (_id, _rule, vector) => {
    const { now, clock_skew: toleranceSeconds, max_inflated_bytes: maxInflatedBytes } = vector.policy
    const at = 'time' in vector.policy && vector.policy.time !== undefined ? { at: vector.policy.time } : {}
    const expected = { key, algorithms, now, toleranceSeconds, maxInflatedBytes, ...at }
    const { uri } = vector.referenced.status.status_list

    expect(() => verifyStatusListToken(vector.token, { ...expected, uri })).toThrow(
      expect.objectContaining({ code: REASONS[vector.rule] }),
    )
  })
})
