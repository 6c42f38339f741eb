import { deflateSync } from 'node:zlib'
import { type Log, type OutboundRequest, SILENT_LOG, systemRandom, VerificationError } from '@attache/core'
import {
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  type JwsAlgorithm,
  type Signer,
  signJws,
} from '@attache/keys'
import {
  createStatusList,
  createStatusListToken,
  createStatusResolver,
  requireValidStatus,
  type StatusList,
  type StatusListToken,
  type StatusResolverOptions,
  trustCertificates,
  trustKey,
  writeStatus,
} from '@attache/status-list'
import { describe, expect, test } from 'vitest'

const NOW = 1_790_000_000
const uri = 'https://issuer.example/status/lst_1'
const signer = createSoftwareSigner(generatePrivateJwk('ES256'))
const algorithms: readonly JwsAlgorithm[] = ['ES256']
const trust = trustKey(signer.publicJwk)

function listOf(...statuses: readonly number[]): StatusList {
  const list = createStatusList(64, 4)
  for (const [index, status] of statuses.entries()) writeStatus(list, index, status)
  return list
}

const STATUSES = listOf(0, 1, 2, 5)

interface Call {
  readonly url: string
  readonly init: OutboundRequest
}

function setUp(options: Partial<StatusResolverOptions> = {}) {
  const calls: Call[] = []
  const logged: { level: string; event: string; fields: unknown }[] = []
  const write = (level: string) => (event: string, fields?: unknown) => {
    logged.push({ level, event, fields })
  }
  const log: Log = { ...SILENT_LOG, warn: write('warn'), error: write('error') }
  let answer: (call: Call) => Promise<Response> = async () => new Response(null, { status: 404 })
  const resolver = createStatusResolver(
    { algorithms, ...options },
    {
      log,
      fetch: async (url, init = {}) => {
        calls.push({ url, init })
        return answer({ url, init })
      },
    },
  )
  return {
    calls,
    logged,
    answer: (next: typeof answer) => {
      answer = next
    },
    /** Serves a signed token. */
    async serve(
      token: Partial<StatusListToken> = {},
      headers: Record<string, string> = {},
      by: Signer = signer,
    ) {
      const text = await createStatusListToken({ uri, iat: NOW, list: STATUSES, ...token }, by)
      answer = async () =>
        new Response(text, { headers: { 'Content-Type': 'application/statuslist+jwt', ...headers } })
    },
    resolve: (now = NOW, idx = 0) => resolver.resolve({ idx, uri }, { trust, now }),
    resolver,
  }
}

const unavailable = { code: 'status_unavailable' }
const causedBy = (code: string) => ({ ...unavailable, cause: expect.objectContaining({ code }) })
const fails = (status: number) => async () => new Response(null, { status })

describe('resolve', () => {
  test('says what stands in the list [TSL-V-09]', async () => {
    const { serve, resolve } = setUp()
    await serve()
    const statements = await Promise.all([0, 1, 2, 3].map((idx) => resolve(NOW, idx)))

    expect(statements.map(({ status }) => status)).toEqual(['valid', 'invalid', 'suspended', 'unknown'])
    const [valid, ...others] = statements
    if (valid !== undefined) expect(() => requireValidStatus(valid)).not.toThrow()
    const codes = others.map((statement) => {
      try {
        requireValidStatus(statement)
        return undefined
      } catch (error) {
        return error instanceof VerificationError ? error.code : error
      }
    })
    expect(codes).toEqual(['status_invalid', 'status_suspended', 'status_not_valid'])
  })

  test('reads a set bit of a 1-bit list as INVALID [TSL-V-11]', async () => {
    const { serve, resolve } = setUp()
    const list = createStatusList(64, 1)
    writeStatus(list, 5, 1)
    await serve({ list })
    expect((await resolve(NOW, 5)).status).toBe('invalid')
    expect((await resolve(NOW, 4)).status).toBe('valid')
  })

  test('refuses an index that the list does not have [TSL-V-08]', async () => {
    const { serve, resolve, calls } = setUp({ staleIfErrorSeconds: 600 })
    await serve()
    for (const idx of [64, 2 ** 53 - 1]) {
      await expect(resolve(NOW, idx)).rejects.toMatchObject({ code: 'status_index_out_of_bounds' })
    }
    expect(calls).toHaveLength(1)
  })

  test('asks the same for every credential, and nothing about any [TSL-Q-02, TSL-Q-07]', async () => {
    const seen: Call[] = []
    for (const idx of [0, 7, 63]) {
      const { serve, resolve, calls } = setUp()
      await serve()
      await resolve(NOW, idx)
      seen.push(...calls)
    }
    expect(new Set(seen.map((call) => JSON.stringify(call))).size).toBe(1)
    expect(seen[0]?.url).toBe(uri)
    expect(seen[0]?.init.headers).toEqual({ Accept: 'application/statuslist+jwt' })
    expect(seen[0]?.init).not.toHaveProperty('body')
  })

  test('fetches once for 100 who ask at the same time [TSL-Q-08]', async () => {
    const { serve, resolve, calls } = setUp()
    await serve()
    const statements = await Promise.all(Array.from({ length: 100 }, (_, idx) => resolve(NOW, idx % 64)))
    expect(statements).toHaveLength(100)
    expect(calls).toHaveLength(1)
  })

  test('does not try a failing provider again at once [TSL-Q-08]', async () => {
    const { answer, serve, resolve, calls } = setUp({ retryAfterSeconds: 10 })
    answer(fails(503))
    await Promise.all(Array.from({ length: 100 }, () => expect(resolve()).rejects.toMatchObject(unavailable)))
    await serve()
    await expect(resolve(NOW + 9)).rejects.toMatchObject(unavailable)
    expect(calls).toHaveLength(1)
    expect((await resolve(NOW + 10)).status).toBe('valid')
  })

  test('takes only the media type of the standard [TSL-Q-04]', async () => {
    for (const type of ['application/jwt', 'text/plain', '', 'application/statuslist+cwt']) {
      const { serve, resolve } = setUp()
      await serve({}, { 'Content-Type': type })
      await expect(resolve()).rejects.toMatchObject(causedBy('status_unavailable'))
    }
    const { serve, resolve } = setUp()
    await serve({}, { 'Content-Type': 'Application/StatusList+JWT; charset=utf-8' })
    expect((await resolve()).status).toBe('valid')
  })

  test('follows no redirect, to wherever it leads [TSL-Q-06]', async () => {
    for (const location of [uri, 'https://127.0.0.1/status', 'https://elsewhere.example/']) {
      const { answer, resolve, calls } = setUp()
      answer(async () => new Response(null, { status: 302, headers: { Location: location } }))
      await expect(resolve()).rejects.toMatchObject(unavailable)
      expect(calls).toHaveLength(1)
    }
  })

  test('makes no statement when anything goes wrong, and says why [TSL-V-10]', async () => {
    const refusing = new VerificationError('fetch_timed_out', 'Too slow.')
    const answers = [
      async () => Promise.reject(refusing),
      fails(404),
      fails(500),
      fails(204),
      fails(304),
      async () => new Response('x', { headers: { 'Content-Type': 'application/statuslist+jwt' } }),
      async () => new Response('', { headers: { 'Content-Type': 'application/statuslist+jwt' } }),
    ]
    for (const next of answers) {
      const { answer, resolve, logged } = setUp()
      answer(next)
      await expect(resolve()).rejects.toMatchObject(unavailable)
      expect(logged.map(({ level, event }) => [level, event])).toEqual([
        ['warn', 'status-list.refresh_failed'],
      ])
    }
  })

  test('serves a copy beyond its time only by the stated grace, and says so [TSL-V-10]', async () => {
    const { answer, serve, resolve, logged } = setUp({ staleIfErrorSeconds: 600, retryAfterSeconds: 0 })
    await serve({ ttl: 60, exp: NOW + 3_600 })
    expect(await resolve()).toMatchObject({ status: 'valid', stale: false })
    answer(fails(503))
    expect(await resolve(NOW + 59)).toMatchObject({ stale: false })
    expect(await resolve(NOW + 60)).toMatchObject({ status: 'valid', stale: true })
    expect(await resolve(NOW + 659, 1)).toMatchObject({ status: 'invalid', stale: true })
    await expect(resolve(NOW + 660)).rejects.toMatchObject(unavailable)
    expect(logged.length).toBeGreaterThan(0)
  })

  test('fails closed when no grace is stated [TSL-V-10]', async () => {
    const { answer, serve, resolve } = setUp()
    await serve({ ttl: 60 })
    await resolve()
    answer(fails(503))
    await expect(resolve(NOW + 60)).rejects.toMatchObject(unavailable)
  })

  test('never uses a copy past its exp, not even by grace [TSL-V-05]', async () => {
    const { answer, serve, resolve, calls } = setUp({ staleIfErrorSeconds: 86_400, retryAfterSeconds: 0 })
    await serve({ ttl: 3_600, exp: NOW + 100 })
    await resolve()
    await resolve(NOW + 99)
    expect(calls).toHaveLength(1)
    answer(fails(503))
    await expect(resolve(NOW + 100)).rejects.toMatchObject(unavailable)
    await serve({ iat: NOW + 100, exp: NOW + 200 })
    expect((await resolve(NOW + 101)).iat).toBe(NOW + 100)
  })

  test('keeps the newer list when an older one is served, and raises the alarm [TSL-V-06]', async () => {
    const options = { staleIfErrorSeconds: 600, retryAfterSeconds: 0 }
    const { serve, resolve, logged } = setUp(options)
    await serve({ iat: NOW, ttl: 60, list: listOf(1) })
    expect((await resolve()).status).toBe('invalid')
    await serve({ iat: NOW - 1, ttl: 60, list: listOf(0) })

    expect(await resolve(NOW + 60)).toMatchObject({ status: 'invalid', iat: NOW, stale: true })
    expect(logged).toContainEqual(expect.objectContaining({ level: 'error', event: 'status-list.rollback' }))
    await expect(resolve(NOW + 660)).rejects.toMatchObject(causedBy('status_list_rollback'))
  })

  test('refuses a list from the future [TSL-V-06]', async () => {
    const { serve, resolve } = setUp({ toleranceSeconds: 30 })
    await serve({ iat: NOW + 31 })
    await expect(resolve()).rejects.toMatchObject(causedBy('jwt_issued_in_future'))
  })

  test('refuses a bomb before it unfolds [TSL-V-07]', async () => {
    const { answer, resolve } = setUp()
    const lst = deflateSync(new Uint8Array(32 * 1_048_576), { level: 9 }).toString('base64url')
    const payload = { sub: uri, iat: NOW, status_list: { bits: 1, lst } }
    const text = await signJws({ header: { typ: 'statuslist+jwt' }, payload }, signer)
    answer(async () => new Response(text, { headers: { 'Content-Type': 'application/statuslist+jwt' } }))
    await expect(resolve()).rejects.toMatchObject(causedBy('status_list_too_large'))
  })

  test('writes no index into the log [TSL-C-05]', async () => {
    const { answer, serve, resolve, logged } = setUp({ retryAfterSeconds: 0 })
    const list = createStatusList(40_000, 1)
    await serve({ ttl: 60, list })
    await resolve(NOW, 37_037)
    await serve({ iat: NOW - 5, list })
    await resolve(NOW + 60, 37_037).catch(() => undefined)
    answer(fails(500))
    await resolve(NOW + 61, 37_037).catch(() => undefined)
    expect(logged.length).toBeGreaterThan(1)
    expect(JSON.stringify(logged)).not.toContain('37037')
  })
})

describe('freshness', () => {
  test.each([
    ['ttl and exp', { ttl: 100, exp: NOW + 10_000 }, NOW + 100],
    ['ttl beyond exp', { ttl: 10_000, exp: NOW + 100 }, NOW + 100],
    ['ttl alone', { ttl: 100 }, NOW + 100],
    ['exp alone', { exp: NOW + 1_000 }, NOW + 1_000],
    ['neither', {}, NOW + 300],
  ])('with %s asks again in time and not before [TSL-C-02, TSL-T-05]', async (_name, token, refreshAt) => {
    const { serve, resolve, calls } = setUp()
    await serve(token)
    await resolve()
    await resolve(refreshAt - 1)
    expect(calls).toHaveLength(1)
    await resolve(refreshAt).catch(() => undefined)
    expect(calls).toHaveLength(2)
  })

  test('counts ttl from the signature when asked to [TSL-C-02]', async () => {
    const { serve, resolve, calls } = setUp({ countFrom: 'issued' })
    await serve({ iat: NOW - 50, ttl: 100 })
    await resolve()
    await resolve(NOW + 49)
    expect(calls).toHaveLength(1)
    await resolve(NOW + 50)
    expect(calls).toHaveLength(2)
  })

  test('keeps to its own bounds [TSL-C-03]', async () => {
    const short = setUp()
    await short.serve({ ttl: 0.001 })
    for (let second = 0; second < 30; second += 1) await short.resolve(NOW + second)
    expect(short.calls).toHaveLength(2)

    const long = setUp()
    await long.serve({ ttl: 1e12 })
    await long.resolve()
    await long.resolve(NOW + 86_399)
    expect(long.calls).toHaveLength(1)
    await long.resolve(NOW + 86_400)
    expect(long.calls).toHaveLength(2)
  })

  test('does not look at HTTP cache headers [TSL-C-01]', async () => {
    const { serve, resolve, calls } = setUp()
    await serve({ ttl: 60 }, { 'Cache-Control': 'max-age=86400', Expires: 'Tue, 01 Jan 2030 00:00:00 GMT' })
    await resolve()
    await resolve(NOW + 59)
    expect(calls).toHaveLength(1)
    await resolve(NOW + 60)
    expect(calls).toHaveLength(2)

    const eager = setUp()
    await eager.serve({ ttl: 60 }, { 'Cache-Control': 'no-store' })
    await eager.resolve()
    await eager.resolve(NOW + 59)
    expect(eager.calls).toHaveLength(1)
  })

  test('asks conditionally and keeps what is confirmed [TSL-Q-05]', async () => {
    const { answer, serve, resolve, calls } = setUp()
    await serve({ ttl: 60, exp: NOW + 130 }, { ETag: '"a"' })
    await resolve()
    answer(fails(304))
    expect((await resolve(NOW + 60, 1)).status).toBe('invalid')
    expect(calls[1]?.init.headers).toEqual({ Accept: 'application/statuslist+jwt', 'If-None-Match': '"a"' })
    await resolve(NOW + 119)
    expect(calls).toHaveLength(2)
    // A copy past its exp cannot be confirmed: 304 then is no answer.
    await expect(resolve(NOW + 130)).rejects.toMatchObject(unavailable)
    expect(calls[2]?.init.headers).toEqual({ Accept: 'application/statuslist+jwt' })
  })

  test('keeps a bounded number of bytes, and always the copy it just fetched', async () => {
    // STATUSES unfolds to a few bytes each: room for one list, not for two.
    const { resolver, answer, calls } = setUp({ maxBytes: STATUSES.bytes.length + 1 })
    answer(async ({ url }) => {
      const text = await createStatusListToken({ uri: url, iat: NOW, list: STATUSES, ttl: 600 }, signer)
      return new Response(text, { headers: { 'Content-Type': 'application/statuslist+jwt' } })
    })
    const ask = (name: string) =>
      resolver.resolve({ idx: 0, uri: `https://issuer.example/${name}` }, { trust, now: NOW })
    for (const name of ['a', 'a', 'b', 'b', 'b']) await ask(name)
    expect(calls).toHaveLength(2)
    await ask('a')
    expect(calls).toHaveLength(3)
  })

  test('keeps a bounded number of copies', async () => {
    const { resolver, answer, calls } = setUp({ maxLists: 2 })
    answer(async ({ url }) => {
      const text = await createStatusListToken({ uri: url, iat: NOW, list: STATUSES, ttl: 600 }, signer)
      return new Response(text, { headers: { 'Content-Type': 'application/statuslist+jwt' } })
    })
    const ask = (name: string) =>
      resolver.resolve({ idx: 0, uri: `https://issuer.example/${name}` }, { trust, now: NOW })
    for (const name of ['a', 'b', 'c', 'c', 'b']) await ask(name)
    expect(calls).toHaveLength(3)
    await ask('a')
    expect(calls).toHaveLength(4)
  })
})

describe('trust', () => {
  const validity = { notBefore: NOW - 86_400, notAfter: NOW + 86_400 }

  async function authority() {
    const root = await createCertificateAuthority(
      { commonName: 'Status root', privateJwk: generatePrivateJwk('ES256'), ...validity },
      { random: systemRandom },
    )
    const privateJwk = generatePrivateJwk('ES256')
    const { publicJwk } = createSoftwareSigner(privateJwk)
    const certified = async (dnsName: string) => {
      const { x5c } = await issueCertificate(
        { commonName: dnsName, publicJwk, issuer: root, dnsNames: [dnsName], ...validity },
        { random: systemRandom },
      )
      return createSoftwareSigner(privateJwk, { x5c })
    }
    return { certified, anchors: createAnchors('status list signers', [root.pem]) }
  }

  test('refuses the token of another valid issuer [TSL-T-08]', async () => {
    const { serve, resolve } = setUp()
    await serve({}, {}, createSoftwareSigner(generatePrivateJwk('ES256')))
    await expect(resolve()).rejects.toMatchObject(causedBy('jws_signature'))
  })

  test('takes a certificate under the anchors that names the host of the list [TSL-T-08]', async () => {
    const { certified, anchors } = await authority()
    const ask = async (host: string, signerRule: 'uri-host' | 'any') => {
      const { serve, resolver } = setUp()
      await serve({}, {}, await certified(host))
      const byCertificate = trustCertificates({ anchors, signer: signerRule })
      return resolver.resolve({ idx: 0, uri }, { trust: byCertificate, now: NOW })
    }

    expect((await ask('issuer.example', 'uri-host')).status).toBe('valid')
    expect((await ask('other.example', 'any')).status).toBe('valid')
    await expect(ask('other.example', 'uri-host')).rejects.toMatchObject(
      causedBy('status_signer_certificate'),
    )
  })

  test('refuses certificates under other anchors, without the usage asked for, and none [TSL-T-08]', async () => {
    const { certified } = await authority()
    const { anchors: others } = await authority()
    const ask = async (by: Signer, more: { extendedKeyUsage?: string } = {}, anchors = others) => {
      const { serve, resolver } = setUp()
      await serve({}, {}, by)
      const byCertificate = trustCertificates({ anchors, signer: 'any', ...more })
      return resolver.resolve({ idx: 0, uri }, { trust: byCertificate, now: NOW })
    }
    const certificate = await certified('issuer.example')
    await expect(ask(certificate)).rejects.toMatchObject(causedBy('anchor_not_found'))
    await expect(ask(signer)).rejects.toMatchObject(causedBy('status_signer_certificate'))
    const own = await authority()
    await expect(
      ask(await own.certified('issuer.example'), { extendedKeyUsage: '1.3.6.1.5.5.7.3.99' }, own.anchors),
    ).rejects.toMatchObject(causedBy('certificate_extended_key_usage'))
  })

  test('does not share a copy between two lists of anchors that go by one name [TSL-T-08]', async () => {
    const { certified, anchors } = await authority()
    const { anchors: reloaded } = await authority()
    const { serve, resolver } = setUp()
    await serve({ ttl: 600 }, {}, await certified('issuer.example'))
    const ask = (list: typeof anchors) => {
      const byCertificate = trustCertificates({ anchors: list, signer: 'uri-host' })
      return resolver.resolve({ idx: 0, uri }, { trust: byCertificate, now: NOW })
    }
    expect(reloaded.name).toBe(anchors.name)
    expect((await ask(anchors)).status).toBe('valid')
    await expect(ask(reloaded)).rejects.toMatchObject(causedBy('anchor_not_found'))
  })

  test('does not share a copy between two trusts [TSL-T-08]', async () => {
    const { serve, resolver, calls } = setUp()
    await serve({ ttl: 600 })
    await resolver.resolve({ idx: 0, uri }, { trust, now: NOW })
    const other = trustKey(createSoftwareSigner(generatePrivateJwk('ES256')).publicJwk)
    await expect(resolver.resolve({ idx: 0, uri }, { trust: other, now: NOW })).rejects.toMatchObject(
      unavailable,
    )
    expect(calls).toHaveLength(2)
  })
})
