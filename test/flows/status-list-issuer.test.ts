import { gunzipSync } from 'node:zlib'
import { createMemoryStore, type Log, routeRequests, SILENT_LOG, systemRandom } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, type JwsAlgorithm } from '@attache/keys'
import {
  createStatusLists,
  STATUS_VALUES,
  type StatusListsOptions,
  statusAt,
  verifyStatusListToken,
} from '@attache/status-list'
import { describe, expect, test } from 'vitest'

const NOW = 1_790_000_000
const EXPIRES = NOW + 30 * 86_400
const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
const algorithms: readonly JwsAlgorithm[] = ['ES256']
const { valid, invalid, suspended } = STATUS_VALUES

const options: StatusListsOptions = {
  issuer: 'https://issuer.example/acme',
  tenant: 'default',
  bits: 2,
  size: 131_072,
  ttlSeconds: 300,
  lifetimeSeconds: 3_600,
}

function setUp(changed: Partial<StatusListsOptions> = {}, log: Log = SILENT_LOG) {
  let now = NOW
  const clock = () => now
  const store = createMemoryStore({ clock })
  let signatures = 0
  const counting = {
    ...signer,
    sign: (bytes: Uint8Array) => {
      signatures += 1
      return signer.sign(bytes)
    },
  }
  const deps = { store, signer: counting, clock, random: systemRandom, log }
  const lists = createStatusLists({ ...options, ...changed }, deps)
  const route = routeRequests(lists.routes)
  return {
    lists,
    store,
    again: () => createStatusLists({ ...options, ...changed }, deps),
    advance: (seconds: number) => {
      now += seconds
    },
    signatures: () => signatures,
    async request(url: string, headers: Record<string, string> = {}, method = 'GET') {
      const response = await route(new Request(url, { headers, method }))
      if (response === undefined) throw new Error('no route')
      return response
    },
    async one() {
      const [reference] = await lists.allocate({ expiresAt: EXPIRES })
      if (reference === undefined) throw new Error('no reference')
      return reference
    },
    verify: (token: string, uri: string) =>
      verifyStatusListToken(token, { uri, key: signer.publicJwk, algorithms, now }),
  }
}

describe('change', () => {
  test('revokes, suspends and reinstates, and revoking is final [TSL-P-08]', async () => {
    const { lists, one } = setUp()
    const reference = await one()
    const set = (status: number) => lists.change([{ reference, status }])

    for (const status of [suspended, valid, suspended, invalid, invalid]) {
      await set(status)
      expect(await lists.statusOf(reference)).toBe(status)
    }
    await expect(set(valid)).rejects.toMatchObject({ code: 'status_final' })
    await expect(set(suspended)).rejects.toMatchObject({ code: 'status_final' })
    expect(await lists.statusOf(reference)).toBe(invalid)
  })

  test('cannot suspend on a list that was made with one bit [TSL-P-07]', async () => {
    const { lists, one } = setUp({ bits: 1 })
    const reference = await one()
    await expect(lists.change([{ reference, status: suspended }])).rejects.toMatchObject({
      code: 'status_not_supported',
    })
    await lists.change([{ reference, status: invalid }])
    expect(await lists.statusOf(reference)).toBe(invalid)
  })

  test('keeps the bits a list was made with when the option changes [TSL-P-07]', async () => {
    const { lists, one, store } = setUp({ bits: 1 })
    const reference = await one()
    const wider = createStatusLists(
      { ...options, bits: 2 },
      { store, signer, clock: () => NOW, random: systemRandom, log: SILENT_LOG },
    )
    await expect(wider.change([{ reference, status: suspended }])).rejects.toMatchObject({
      code: 'status_not_supported',
    })
    expect(await lists.statusOf(reference)).toBe(valid)
  })

  test('makes all changes or none', async () => {
    const { lists } = setUp()
    const [first, second] = await lists.allocate({ expiresAt: EXPIRES, count: 2 })
    if (first === undefined || second === undefined) throw new Error('two were asked for')
    await lists.change([{ reference: first, status: invalid }])

    const both = [
      { reference: second, status: invalid },
      { reference: first, status: valid },
    ]
    await expect(lists.change(both)).rejects.toMatchObject({ code: 'status_final' })
    expect(await lists.statusOf(second)).toBe(valid)
  })

  test('loses none of 200 changes made at once, by two processes', async () => {
    const { lists, again } = setUp()
    const other = again()
    const references = await lists.allocate({ expiresAt: EXPIRES, count: 200 })
    await Promise.all(
      references.map((reference, at) =>
        (at % 2 === 0 ? lists : other).change([{ reference, status: invalid }]),
      ),
    )
    for (const reference of references) expect(await lists.statusOf(reference)).toBe(invalid)
  })

  test('refuses references that are not of this issuer or not in the list', async () => {
    const { lists, one } = setUp()
    const { uri, idx } = await one()
    const wrong = [
      [{ uri: 'https://other.example/status/lst_x', idx }, 'status_list_unknown'],
      [{ uri: `${uri}x`, idx }, 'status_list_unknown'],
      [{ uri: 'https://issuer.example/acme/status/../../t', idx }, 'status_list_unknown'],
      [{ uri, idx: options.size ?? 0 }, 'status_index_out_of_bounds'],
      [{ uri, idx: -1 }, 'status_index_out_of_bounds'],
    ] as const
    for (const [reference, code] of wrong) {
      await expect(lists.change([{ reference, status: invalid }])).rejects.toMatchObject({ code })
    }
  })

  test('can be a part of the caller’s own commit', async () => {
    const { lists, one, store } = setUp()
    const reference = await one()
    const steps = await lists.proposeChanges([{ reference, status: invalid }])
    expect(await store.commit([...steps, { op: 'put', key: 'register', value: 'revoked' }])).toBe(true)
    expect(await lists.statusOf(reference)).toBe(invalid)
    expect(await lists.proposeChanges([{ reference, status: invalid }])).toEqual([])
  })
})

describe('publish', () => {
  test('signs a list whose sub is its URL, with exp and ttl [TSL-T-02, TSL-T-05, TSL-Q-01]', async () => {
    const { one, request, verify } = setUp()
    const { uri, idx } = await one()
    const response = await request(uri)
    const text = await response.text()

    expect(response.status).toBe(200)
    expect(text.split('.')).toHaveLength(3)
    const token = verify(text, uri)
    expect(token).toMatchObject({ uri, iat: NOW, exp: NOW + 3_600, ttl: 300 })
    expect(token.list.bytes).toHaveLength(32_768)
    expect(statusAt(token.list, idx)).toBe(valid)
  })

  test('signs anew after each change and each ttl, and not otherwise [TSL-C-04]', async () => {
    const { lists, one, advance, signatures, verify } = setUp()
    const reference = await one()
    const publish = async () => verify((await lists.publish(reference.uri))?.token ?? '', reference.uri)

    await Promise.all(Array.from({ length: 50 }, publish))
    await one()
    advance(299)
    await publish()
    expect(signatures()).toBe(1)

    await lists.change([{ reference, status: invalid }])
    expect(statusAt((await publish()).list, reference.idx)).toBe(invalid)
    expect(signatures()).toBe(2)
    advance(300)
    expect((await publish()).iat).toBe(NOW + 599)
    expect(signatures()).toBe(3)
    expect(lists.revocationLatencySeconds).toBe(330)
  })

  test('reads no more for a thousand credentials than for one [TSL-P-01]', async () => {
    const { lists, store, one, again } = setUp()
    const { uri } = await one()
    await lists.allocate({ expiresAt: EXPIRES, count: 1_000 })
    const reads: string[] = []
    const get = store.get
    const list = store.list
    store.get = async (key) => {
      reads.push(key)
      return get(key)
    }
    store.list = async (...range) => {
      reads.push(range[0])
      return list(...range)
    }
    const published = await again().publish(uri)
    expect(published?.uri).toBe(uri)
    expect(reads).toHaveLength(2)
  })

  test('knows nothing of other lists', async () => {
    const { lists } = setUp()
    expect(await lists.publish('lst_AAAAAAAAAAAAAAAAAAAAAA')).toBeUndefined()
    expect(await lists.publish('https://other.example/status/1')).toBeUndefined()
  })
})

describe('routes', () => {
  test('answer with the media type of the standard, to clients that accept it [TSL-Q-02]', async () => {
    const { one, request } = setUp()
    const { uri } = await one()
    for (const accept of ['application/statuslist+jwt', '*/*', 'text/html, application/*;q=0.1']) {
      const response = await request(uri, { Accept: accept })
      expect([response.status, response.headers.get('Content-Type')]).toEqual([
        200,
        'application/statuslist+jwt',
      ])
    }
    for (const accept of ['application/statuslist+cwt', 'application/statuslist+jwt;q=0']) {
      expect((await request(uri, { Accept: accept })).status).toBe(406)
    }
  })

  test('compress, allow every origin and every cache, and answer conditional requests [TSL-Q-05]', async () => {
    const { one, request, lists } = setUp()
    const reference = await one()
    const plain = await request(reference.uri, { Origin: 'https://shop.example' })
    const gzip = await request(reference.uri, { 'Accept-Encoding': 'br;q=1, gzip;q=0.5' })

    expect(plain.headers.get('Access-Control-Allow-Origin')).toBe('*')
    expect(plain.headers.get('Cache-Control')).toBe('public, max-age=30')
    expect(plain.headers.get('Vary')).toBe('Accept-Encoding')
    expect(gzip.headers.get('Content-Encoding')).toBe('gzip')
    expect(gunzipSync(await gzip.arrayBuffer()).toString()).toBe(await plain.text())
    const refused = await request(reference.uri, { 'Accept-Encoding': 'gzip;q=0' })
    expect(refused.headers.has('Content-Encoding')).toBe(false)

    const etag = plain.headers.get('ETag') ?? ''
    const unchanged = await request(reference.uri, { 'If-None-Match': `"x", W/${etag}` })
    expect([unchanged.status, await unchanged.text()]).toEqual([304, ''])
    await lists.change([{ reference, status: invalid }])
    expect((await request(reference.uri, { 'If-None-Match': etag })).status).toBe(200)
    const preflight = await request(reference.uri, { Origin: 'https://shop.example' }, 'OPTIONS')
    expect([preflight.status, preflight.headers.get('Access-Control-Allow-Methods')]).toEqual([204, 'GET'])
  })

  test('serve no history [TSL-H-01]', async () => {
    const { one, request } = setUp()
    const { uri } = await one()
    expect((await request(`${uri}?time=1`)).status).toBe(501)
    expect((await request(`${uri}?time=`)).status).toBe(501)
  })

  test('list the lists that are in use [TSL-H-04]', async () => {
    const { lists, request, one, advance } = setUp({ openLists: 2 })
    expect(JSON.parse(await (await request(lists.aggregationUri)).text())).toEqual({ status_lists: [] })
    await one()
    await lists.allocate({ expiresAt: EXPIRES, count: 2 })
    const response = await request(lists.aggregationUri)

    expect(response.headers.get('Content-Type')).toBe('application/json')
    const { status_lists: uris } = JSON.parse(await response.text())
    expect(uris).toHaveLength(2)
    for (const uri of uris) expect((await request(uri)).status).toBe(200)
    advance(200 * 86_400)
    expect(JSON.parse(await (await request(lists.aggregationUri)).text())).toEqual({ status_lists: [] })
  })

  test('do not know lists that are not there', async () => {
    const { request } = setUp()
    const response = await request('https://issuer.example/acme/status/lst_AAAAAAAAAAAAAAAAAAAAAA')
    expect([response.status, JSON.parse(await response.text()).error]).toEqual([404, 'not_found'])
    for (const id of ['1', '%C3%A9', 'a%2F..%2Fb', 'x'.repeat(2_000), '%00']) {
      expect((await request(`https://issuer.example/acme/status/${id}`)).status).toBe(404)
    }
  })
})

describe('createStatusLists', () => {
  test('warns about a list in which nobody can hide [TSL-P-05]', () => {
    const warnings: string[] = []
    const log: Log = { ...SILENT_LOG, warn: (event) => warnings.push(event) }
    setUp({ size: 10_000 }, log)
    expect(warnings).toEqual([])
    setUp({ size: 9_999 }, log)
    expect(warnings).toEqual(['status-list.small'])
  })

  test('makes lists of 2^20 entries by itself [TSL-P-05]', async () => {
    const { lists, one, verify } = setUp()
    const { uri } = await one()
    expect(verify((await lists.publish(uri))?.token ?? '', uri).list.bytes).toHaveLength(32_768)

    const { size: _size, ...rest } = options
    const deps = {
      store: createMemoryStore({ clock: () => NOW }),
      signer,
      clock: () => NOW,
      random: systemRandom,
    }
    const byDefault = createStatusLists(rest, { ...deps, log: SILENT_LOG })
    const [reference] = await byDefault.allocate({ expiresAt: EXPIRES })
    const published = await byDefault.publish(reference?.uri ?? '')
    expect(verify(published?.token ?? '', reference?.uri ?? '').list.bytes).toHaveLength(262_144)
  })

  test('refuses options that cannot be meant', () => {
    const wrong: readonly Partial<StatusListsOptions>[] = [
      { issuer: 'http://issuer.example' },
      { issuer: 'https://issuer.example?x' },
      { size: 0 },
      { size: 1.5 },
      { openLists: 0 },
      { ttlSeconds: 0 },
      { ttlSeconds: 3_601 },
      { lifetimeSeconds: Number.POSITIVE_INFINITY },
      { cacheSeconds: 301 },
    ]
    for (const changed of wrong) {
      expect(() => setUp(changed)).toThrow(expect.objectContaining({ code: 'status_list_options' }))
    }
  })
})
