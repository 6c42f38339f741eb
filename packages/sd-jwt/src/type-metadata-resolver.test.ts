import { describe, expect, test } from 'vitest'
import { integrityOf } from './integrity.js'
import { createTypeMetadataResolver, type TypeMetadataOptions } from './type-metadata-resolver.js'

const NOW = 1_790_000_000
const ORIGIN = 'https://issuer.example'
const url = (name: string) => `${ORIGIN}/types/${name}`
const octetsOf = (document: unknown) => new TextEncoder().encode(JSON.stringify(document))
const code = (expected: string) => ({ code: expected })

interface Page {
  readonly document: unknown
  readonly status?: number
  readonly cacheControl?: string
}

/** A resolver over pages by name, and the calls it made. */
function createWeb(pages: Readonly<Record<string, Page>>, options: Partial<TypeMetadataOptions> = {}) {
  const calls: string[] = []
  const fetch = async (called: string) => {
    calls.push(called)
    const page = pages[called.slice(url('').length)]
    const headers = { 'content-type': 'application/json', 'cache-control': page?.cacheControl ?? '' }
    const body = JSON.stringify(page?.document ?? { vct: called })
    return new Response(body, { status: page === undefined ? 404 : (page.status ?? 200), headers })
  }
  const resolver = createTypeMetadataResolver({ publishers: [ORIGIN], ...options }, { fetch })
  const resolve = (name: string, integrity?: string, now = NOW) =>
    resolver.resolve({ vct: url(name), ...(integrity === undefined ? {} : { integrity }) }, now)
  return { resolve, resolver, calls }
}
const typed = (name: string, more: Record<string, unknown> = {}) => ({
  document: { vct: url(name), ...more },
})

describe('createTypeMetadataResolver', () => {
  test('follows extends, the parent first [VC-M-01] [VC-M-06]', async () => {
    const { resolve, calls } = createWeb({
      a: typed('a', { extends: url('b'), claims: [{ path: ['x'], svg_id: 'own' }] }),
      b: typed('b', { name: 'Base', claims: [{ path: ['x'], sd: 'always' }] }),
    })

    expect(await resolve('a')).toMatchObject({
      vct: url('a'),
      name: 'Base',
      claims: [{ path: ['x'], sd: 'always', svgId: 'own' }],
    })
    expect(calls).toEqual([url('a'), url('b')])
  })

  test('a chain that cannot be had to its end refuses the credential [VC-M-01]', async () => {
    const { resolve } = createWeb({ a: typed('a', { extends: url('gone') }) })

    await expect(resolve('a')).rejects.toMatchObject(code('type_metadata_unavailable'))
  })

  test('an error page is never the document, whatever it says [VC-N-05]', async () => {
    const { resolve } = createWeb({ a: { ...typed('a'), status: 404 }, b: { ...typed('b'), status: 500 } })

    for (const name of ['a', 'b']) {
      await expect(resolve(name)).rejects.toMatchObject(code('type_metadata_unavailable'))
    }
  })

  test('the document must be for the type asked for [VC-M-02]', async () => {
    const { resolve } = createWeb({
      a: typed('b'),
      c: typed('c', { extends: url('d') }),
      d: typed('c'),
      e: typed('e', { more: true }),
    })

    await expect(resolve('a')).rejects.toMatchObject(code('type_metadata_vct'))
    await expect(resolve('c')).rejects.toMatchObject(code('type_metadata_vct'))
    await expect(resolve('e')).resolves.toMatchObject({ vct: url('e') })
  })

  test('eight documents in a chain pass, nine do not [VC-M-06]', async () => {
    const chain = Object.fromEntries(
      Array.from({ length: 9 }, (_, at) => [
        String(at),
        typed(String(at), at < 8 ? { extends: url(String(at + 1)) } : {}),
      ]),
    )
    const { resolve, calls } = createWeb(chain)

    await expect(resolve('1')).resolves.toMatchObject({ vct: url('1') })
    calls.length = 0
    await expect(resolve('0')).rejects.toMatchObject(code('type_metadata_too_deep'))
    expect(calls).toHaveLength(8)
  })

  test('circles are refused after as many requests as there are types [VC-M-07]', async () => {
    const { resolve, calls } = createWeb({
      self: typed('self', { extends: url('self') }),
      a: typed('a', { extends: url('b') }),
      b: typed('b', { extends: url('a') }),
    })

    await expect(resolve('self')).rejects.toMatchObject(code('type_metadata_cycle'))
    expect(calls).toHaveLength(1)
    await expect(resolve('a')).rejects.toMatchObject(code('type_metadata_cycle'))
    expect(calls).toHaveLength(3)
  })

  test('integrity of the type and of what it extends is checked [VC-M-08]', async () => {
    const parent = typed('b', { name: 'Base' })
    const pages = {
      right: typed('right', {
        extends: url('b'),
        'extends#integrity': integrityOf(octetsOf(parent.document)),
      }),
      wrong: typed('wrong', { extends: url('b'), 'extends#integrity': integrityOf(octetsOf({})) }),
      b: parent,
    }
    const { resolve } = createWeb(pages)

    await expect(resolve('right')).resolves.toMatchObject({ name: 'Base' })
    await expect(resolve('wrong')).rejects.toMatchObject(code('integrity_mismatch'))
    await expect(resolve('b', integrityOf(octetsOf({})))).rejects.toMatchObject(code('integrity_mismatch'))
    await expect(resolve('b', 'md5-x')).rejects.toMatchObject(code('integrity_malformed'))
  })

  test('with integrity no second request, even after no-store; otherwise as long as allowed [VC-M-05]', async () => {
    const page = { ...typed('a'), cacheControl: 'no-store' }
    const { resolve, calls } = createWeb({
      a: page,
      b: { ...typed('b'), cacheControl: 'public, max-age=60' },
      c: typed('c'),
    })
    const integrity = integrityOf(octetsOf(page.document))

    await resolve('a', integrity)
    await resolve('a', integrity, NOW + 10_000_000)
    expect(calls).toHaveLength(1)
    await resolve('a')
    await resolve('a')
    expect(calls).toHaveLength(3)
    await resolve('b')
    await resolve('b', undefined, NOW + 59)
    expect(calls).toHaveLength(4)
    await resolve('b', undefined, NOW + 60)
    expect(calls).toHaveLength(5)
    await resolve('c')
    await resolve('c')
    expect(calls).toHaveLength(7)
  })

  test('a registry answers without a request, also for names that are no URL [VC-M-04]', async () => {
    const registry = new Map([['urn:role', octetsOf({ vct: 'urn:role', name: 'Role' })]])
    const { resolver, calls } = createWeb({}, { registry })

    await expect(resolver.resolve({ vct: 'urn:role' }, NOW)).resolves.toMatchObject({ name: 'Role' })
    await expect(resolver.resolve({ vct: 'urn:other' }, NOW)).rejects.toMatchObject(
      code('type_metadata_publisher'),
    )
    expect(calls).toEqual([])
  })

  test('only recognised publishers are asked, also for what a type extends [VC-P-02]', async () => {
    const evil = 'https://evil.example/types/base'
    const { resolve, resolver, calls } = createWeb({ a: typed('a', { extends: evil }) })

    await expect(resolver.resolve({ vct: evil }, NOW)).rejects.toMatchObject(code('type_metadata_publisher'))
    await expect(resolver.resolve({ vct: 'http://issuer.example/types/a' }, NOW)).rejects.toMatchObject(
      code('type_metadata_publisher'),
    )
    expect(calls).toEqual([])
    await expect(resolve('a')).rejects.toMatchObject(code('type_metadata_publisher'))
    const nobody = createWeb({ a: typed('a') }, { publishers: [] })
    await expect(nobody.resolve('a')).rejects.toMatchObject(code('type_metadata_publisher'))
  })

  test('the cache is bounded', async () => {
    const pages = Object.fromEntries(
      ['a', 'b', 'c'].map((name) => [name, { ...typed(name), cacheControl: 'max-age=60' }]),
    )
    const { resolve, calls } = createWeb(pages, { maxCached: 2 })

    for (const name of ['a', 'b', 'c', 'c', 'b']) await resolve(name)
    expect(calls).toHaveLength(3)
    await resolve('a')
    expect(calls).toHaveLength(4)
  })
})
