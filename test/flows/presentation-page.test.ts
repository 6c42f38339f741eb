import { encodeBase64url, routeRequests } from '@attache/core'
import { fragmentUrl } from '@attache/openid4vp'
import type { PresentationPage, QrModules, VerifierOptions } from '@attache/verifier'
import { describe, expect, test } from 'vitest'
import {
  API,
  createWallet,
  createWorld,
  fetchRequest,
  ISSUER,
  objectOf,
  postResponse,
  present,
  QUERY,
  soundBody,
  textOf,
  type World,
} from '../support/presentation-world.js'

const PAGE = `${API}/attache/present/role`
const COOKIE = '__Host-attache-presentation'
const wallet = await createWallet()
const page: PresentationPage = {
  title: 'Show your role',
  purpose: 'Payroll is for managers <in the EU>.',
  query: QUERY,
  crossDevice: true,
  wallets: [
    { name: 'Company wallet', url: 'https://wallet.example/authorize' },
    { name: 'Another wallet', url: 'openid4vp://' },
  ],
}
/** Stands in for an encoder: the pages draw whatever modules they are given. */
const qr = (text: string): QrModules => ({ size: 2, data: [text.length > 0, false, false, true] })

function createSite(override: Partial<PresentationPage> = {}, options: Partial<VerifierOptions> = {}) {
  return createWorld({ pages: { role: { ...page, ...override } }, ...options }, undefined, { qr })
}

/** A browser: keeps one cookie, follows nothing by itself. */
function createBrowser(world: World) {
  const jar = { cookie: '' }
  const send = async (url: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers)
    if (jar.cookie !== '') headers.set('Cookie', jar.cookie)
    const answer = await world.send(new Request(url, { ...init, headers }))
    const set = answer.headers.get('Set-Cookie')
    if (set !== null) jar.cookie = set.replace(/;.*$/, '')
    return answer
  }
  return {
    jar,
    get: (url: string, headers: Record<string, string> = {}) => send(url, { headers }),
    begin: (device: string, headers: Record<string, string> = {}) =>
      send(PAGE, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
        body: `device=${device}`,
      }),
  }
}

async function begun(world: World, device = 'this', headers: Record<string, string> = {}) {
  const browser = createBrowser(world)
  const answer = await browser.begin(device, headers)
  const here = answer.headers.get('Location') ?? ''
  const text = await (await browser.get(here)).text()
  return { browser, answer, here, text, requestUrl: requestUrlIn(text) }
}

/** The first way to a wallet on a page. */
function requestUrlIn(html: string): string {
  const [, url = ''] = /(?:href="|id="request-url">)((?:https|openid4vp):[^"<]+\?[^"<]+)/.exec(html) ?? []
  return url.replaceAll('&#38;', '&')
}

/** A wallet answers; says where it sends the user agent. */
async function answered(world: World, requestUrl: string, by = wallet) {
  const { request, responseUri } = await fetchRequest(world, requestUrl)
  const answer = await postResponse(world, responseUri, await soundBody(by, request))
  return { status: answer.status, body: await objectOf(answer) }
}

const claimValues = ['>Manager<', '>EU<']

describe('a page on which a person presents', () => {
  test('says why it asks, writes nothing and runs nothing before it is told to', async () => {
    const world = createSite()
    const answer = await world.send(new Request(PAGE))
    const text = await answer.text()
    expect(answer.status).toBe(200)
    expect(text).toContain('Payroll is for managers &#60;in the EU&#62;.')
    expect(text).not.toContain('<script')
    const policy = answer.headers.get('Content-Security-Policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    expect(policy).not.toContain('script-src')
    expect(answer.headers.get('Set-Cookie')).toBeNull()
    expect(await world.store.list('')).toEqual([])
    expect((await world.send(new Request(`${API}/attache/present/other`))).status).toBe(404)
  })

  test('begins for its own form alone, with a cookie that only this host sees', async () => {
    const world = createSite()
    const { answer, here } = await begun(world, 'this', { Origin: API, 'Sec-Fetch-Site': 'same-origin' })
    expect(answer.status).toBe(303)
    expect(here.startsWith(`${PAGE}/`)).toBe(true)
    expect(answer.headers.get('Set-Cookie')).toMatch(
      new RegExp(`^${COOKIE}=[\\w-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax$`),
    )
    const foreign = createBrowser(world)
    for (const headers of [{ Origin: 'https://evil.example' }, { 'Sec-Fetch-Site': 'cross-site' }]) {
      expect((await foreign.begin('this', headers)).status).toBe(403)
    }
    expect((await foreign.begin('neither')).status).toBe(400)
    const only = createSite({ crossDevice: false })
    expect((await createBrowser(only).begin('other')).status).toBe(400)
  })

  test('leads to wallets on this device and shows the result only after the redirect came back [VP-V-SES-04, VP-V-SES-05]', async () => {
    const world = createSite()
    const { browser, here, text, requestUrl } = await begun(world)
    expect(text).toContain('>Company wallet</a>')
    expect(requestUrl.startsWith('https://wallet.example/authorize?client_id=x509_hash')).toBe(true)
    const { body } = await answered(world, requestUrl)
    const redirect = textOf(body, 'redirect_uri')
    expect(redirect).toMatch(new RegExp(`^${here}\\?response_code=[\\w-]{43}$`))
    // The code has not come back yet: the window that began learns that there is an answer, and no more.
    const waiting = await (await browser.get(here)).text()
    expect(waiting).toContain('Go on in the window that it opened.')
    for (const value of claimValues) expect(waiting).not.toContain(value)

    const back = await browser.get(redirect)
    expect([back.status, back.headers.get('Location')]).toEqual([303, here])
    const result = await (await browser.get(here)).text()
    expect(result).toContain('Verified.')
    for (const value of claimValues) expect(result).toContain(value)
    expect(result).not.toContain('salary_band')
    expect((await browser.get(redirect)).status).toBe(404)
  })

  test('gives a right code to one of many at once, and to no other browser [VP-V-SES-05, VP-V-SES-02]', async () => {
    const world = createSite()
    const { browser, here, requestUrl } = await begun(world)
    const redirect = textOf((await answered(world, requestUrl)).body, 'redirect_uri')
    const all = await Promise.all(Array.from({ length: 10 }, () => browser.get(redirect)))
    expect(all.filter(({ status }) => status === 303)).toHaveLength(1)

    const second = await begun(world)
    const other = textOf((await answered(world, second.requestUrl)).body, 'redirect_uri')
    const stranger = createBrowser(world)
    // A wrong code is nobody's and spoils nothing; the right one in another browser burns the transaction.
    expect((await stranger.get(`${second.here}?response_code=wrong`)).status).toBe(404)
    const refused = await stranger.get(other)
    expect(refused.status).toBe(403)
    for (const value of claimValues) expect(await refused.clone().text()).not.toContain(value)
    expect((await second.browser.get(other)).status).toBe(404)
    const kept = await world.store.list('t/default/verifier/transaction/')
    expect(kept.map(({ key }) => key.split('/').at(-1))).toEqual([here.split('/').at(-1)])
  })

  test('shows a code for another device, and its result to the browser that began alone [VP-V-SES-06, VP-V-SES-02]', async () => {
    const world = createSite()
    const { browser, here, text, requestUrl } = await begun(world, 'other')
    expect(text).toContain('<svg id="qr"')
    expect(text).toContain('M4 4h1v1h-1zM5 5h1v1h-1z')
    const { body } = await answered(world, requestUrl)
    expect(body).toEqual({})
    const result = await (await browser.get(here)).text()
    for (const value of claimValues) expect(result).toContain(value)
    const stranger = createBrowser(world)
    const looking = await stranger.get(here)
    expect(looking.status).toBe(404)
    const text404 = await looking.text()
    for (const value of [...claimValues, 'Verified.']) expect(text404).not.toContain(value)
    expect((await stranger.get(`${here}/events`)).status).toBe(404)
    const late = await begun(world, 'other')
    world.time.advance(121)
    expect(await (await late.browser.get(late.here)).text()).toContain('the time is over')
  })

  test('leads on to the API, which reads the result once, for this browser alone [VP-V-SES-05, VP-V-SES-07]', async () => {
    const world = createSite({ continueTo: `${API}/payroll?step=2` })
    const { browser, here, requestUrl } = await begun(world, 'other')
    const transaction = here.split('/').at(-1) ?? ''
    const visit = { page: 'role', transaction, cookie: browser.jar.cookie }
    expect(await world.verifier.redeemPage(visit)).toBeUndefined()
    await answered(world, requestUrl)
    const text = await (await browser.get(here)).text()
    expect(text).toContain(`href="${API}/payroll?step=2&#38;transaction=${transaction}"`)
    for (const cookie of [undefined, null, '', `${COOKIE}=x`, `${visit.cookie}; ${visit.cookie}`]) {
      expect(await world.verifier.redeemPage({ page: 'role', transaction, cookie })).toBeUndefined()
    }
    const read = await Promise.all(Array.from({ length: 10 }, () => world.verifier.redeemPage(visit)))
    const [presentation, ...more] = read.filter((result) => result !== undefined)
    expect(presentation).toMatchObject({ credentials: [{ claims: { role: 'Manager', region: 'EU' } }] })
    expect(more).toEqual([])
    for (const value of claimValues) expect(await (await browser.get(here)).text()).not.toContain(value)

    // On this device nothing is read before the redirect came back.
    const near = await begun(world)
    const redirect = textOf((await answered(world, near.requestUrl)).body, 'redirect_uri')
    const nearVisit = {
      page: 'role',
      transaction: near.here.split('/').at(-1) ?? '',
      cookie: near.browser.jar.cookie,
    }
    expect(await world.verifier.redeemPage(nearVisit)).toBeUndefined()
    await near.browser.get(redirect)
    expect(await world.verifier.redeemPage(nearVisit)).toMatchObject({ credentials: [{ issuer: ISSUER }] })
  })

  test('does not take what was presented on one page for the answer to another [VP-V-SES-05]', async () => {
    const pages = {
      role: { ...page, continueTo: `${API}/visitors` },
      payroll: { ...page, continueTo: `${API}/payroll` },
    }
    const world = createWorld({ pages }, undefined, { qr })
    const { browser, here, requestUrl } = await begun(world, 'other')
    await answered(world, requestUrl)
    const transaction = here.split('/').at(-1) ?? ''
    const there = `${API}/attache/present/payroll/${transaction}`
    const elsewhere = await browser.get(there)
    expect(elsewhere.status).toBe(404)
    expect(await elsewhere.text()).not.toContain(`${API}/payroll`)
    expect((await browser.get(`${there}/events`)).status).toBe(404)

    const { cookie } = browser.jar
    expect(await world.verifier.redeemPage({ page: 'payroll', transaction, cookie })).toBeUndefined()
    expect(await world.verifier.redeemPage({ page: 'role', transaction, cookie })).toMatchObject({
      credentials: [{ claims: { role: 'Manager' } }],
    })
  })

  test('says which check failed and what to do, and no value', async () => {
    const world = createSite()
    world.revoke()
    const { browser, here, requestUrl } = await begun(world)
    expect((await answered(world, requestUrl)).status).toBe(400)
    const text = await (await browser.get(here)).text()
    expect(text).toContain('data-code="status_invalid"')
    expect(text).toContain('The credential was revoked or suspended.')
    expect(text).toContain('ask its issuer for a new one')
    for (const value of claimValues) expect(text).not.toContain(value)

    const denied = await begun(world)
    const { request, responseUri } = await fetchRequest(world, denied.requestUrl)
    await postResponse(world, responseUri, `error=access_denied&state=${request.state}`)
    expect(await (await denied.browser.get(denied.here)).text()).toContain('data-code="denied"')
  })

  test('puts no claim into a URL, the log or the HTML unescaped', async () => {
    const world = createSite({ title: '<script>alert(1)</script>' })
    const marked = await createWallet({ claims: { role: '<img src=x onerror=alert(1)>' } })
    const { browser, here, requestUrl } = await begun(world, 'other')
    await answered(world, requestUrl, marked)
    const text = await (await browser.get(here)).text()
    expect(text).not.toMatch(/<img|<script>alert/)
    expect(text).toContain('&#60;img')
    expect(world.lines.join('\n')).not.toContain('onerror')
  })

  test('stops the start when it cannot work', () => {
    for (const [override, code] of [
      [{ title: ' ' }, 'page_text'],
      [{ purpose: '' }, 'page_text'],
      [{ wallets: [{ name: 'x', url: 'javascript:alert(1)//' }] }, 'page_wallet'],
      [{ wallets: [{ name: 'x', url: 'http://wallet.example' }] }, 'page_wallet'],
      [{ continueTo: 'https://elsewhere.example/' }, 'page_continue'],
      [{ continueTo: '/payroll' }, 'page_continue'],
      [{ scope: 'unknown' }, 'query_xor_scope'],
      [{ query: { credentials: [] } }, 'query_malformed'],
    ] as const) {
      expect(() => createSite(override)).toThrow(expect.objectContaining({ code }))
    }
    expect(() => createWorld({ pages: { role: page } })).toThrow(expect.objectContaining({ code: 'page_qr' }))
    expect(() => createWorld({ pages: { 'a/b': page } }, undefined, { qr })).toThrow(
      expect.objectContaining({ code: 'page_name' }),
    )
  })
})

/** Reads a stream of events until it ends, or until a text was seen. */
async function readEvents(answer: Response, until?: string): Promise<string> {
  const reader = answer.body?.getReader()
  let text = ''
  for (;;) {
    const { value } = (await reader?.read()) ?? {}
    if (value === undefined) return text
    text += new TextDecoder().decode(value)
    if (until === undefined || !text.includes(until)) continue
    await reader?.cancel()
    return text
  }
}

/** Time that passes only when it is told to. */
function createRounds() {
  const waiting: (() => void)[] = []
  return {
    rounds: { asked: 0 },
    wait(this: void) {
      return new Promise<void>((resolve) => void waiting.push(resolve))
    },
    pass: async () => {
      const due = waiting.splice(0)
      for (const resolve of due) resolve()
      // Whoever was woken reads the store and waits again.
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
      return due.length
    },
  }
}

describe('following a transaction', () => {
  test('tells at once what happened, in one word, and ends', async () => {
    const world = createSite()
    const { browser, here, requestUrl } = await begun(world)
    const events = await browser.get(`${here}/events`)
    expect(events.headers.get('Content-Type')).toBe('text/event-stream; charset=utf-8')
    expect(events.headers.get('Cache-Control')).toBe('no-store, no-transform')
    const text = readEvents(events)
    await answered(world, requestUrl)
    expect(await text).toBe(
      'retry: 2000\n\nid: begun\nevent: state\ndata: waiting\n\nid: decided\nevent: state\ndata: answered\n\n',
    )
    // A browser that saw the end is told to stay away; one that was cut off before hears it.
    expect((await browser.get(`${here}/events`, { 'Last-Event-ID': 'decided' })).status).toBe(204)
    const again = await browser.get(`${here}/events`, { 'Last-Event-ID': 'begun' })
    expect(await readEvents(again)).toContain('data: answered')
  })

  test('reads the store once a second, however many follow, and beats', async () => {
    const { wait, pass } = createRounds()
    const world = createWorld({ pages: { role: page } }, undefined, { qr, wait })
    const { browser, here } = await begun(world)
    const handle = here.split('/').at(-1) ?? ''
    const streams = await Promise.all(Array.from({ length: 4 }, () => browser.get(`${here}/events`)))
    expect(streams.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    const fifth = await browser.get(`${here}/events`)
    expect([fifth.status, fifth.headers.get('Retry-After')]).toEqual([429, '5'])
    const texts = streams.map((stream) => readEvents(stream, ': still waiting'))
    for (let round = 0; round < 16; round += 1) expect(await pass()).toBeLessThanOrEqual(1)
    for (const text of await Promise.all(texts)) expect(text).toContain('data: waiting')
    // All of them went away: nobody looks any more, and there is room again.
    await pass()
    expect(await pass()).toBe(0)
    expect((await browser.get(`${here}/events`)).status).toBe(200)
    expect(handle).toHaveLength(43)
  })

  test('ends with the transaction’s time, and learns of an answer that came to another process', async () => {
    const { wait, pass } = createRounds()
    const world = createWorld({ pages: { role: page } }, undefined, { qr, wait })
    const { browser, here } = await begun(world)
    const second = await begun(world)
    const text = readEvents(await second.browser.get(`${second.here}/events`))
    const elsewhere = createWorld({ pages: { role: page } }, undefined, {
      qr,
      wait,
      store: world.store,
      clock: world.time.clock,
    })
    await answered(elsewhere, second.requestUrl)
    await pass()
    expect(await text).toContain('data: answered')

    const over = readEvents(await browser.get(`${here}/events`))
    world.time.advance(301)
    await pass()
    expect(await over).toContain('data: over')
  })
})

describe('the page for a fragment', () => {
  const fragment = { responseMode: 'fragment' as const }

  test('posts what a browser brought, and only from the fragment [VP-V-RSP-12, VP-V-REQ-11]', async () => {
    const world = createSite(fragment)
    const { browser, here, requestUrl } = await begun(world)
    const { request } = await fetchRequest(world, requestUrl)
    const redirectUri = request.redirectUri ?? ''
    expect(redirectUri).toBe(`${API}/attache/fragment/${here.split('/').at(-1)}`)
    const vpToken = await present(wallet, request, { audience: request.clientId ?? '' })
    const url = fragmentUrl(redirectUri, request, { vpToken })

    const answer = await browser.get(redirectUri)
    const html = await answer.text()
    expect([answer.status, answer.headers.get('Referrer-Policy')]).toEqual([200, 'same-origin'])
    const [, posts = ''] = /data-answers="([^"]+)"/.exec(html) ?? []
    const [, script = ''] = /<script>([\s\S]*)<\/script>/.exec(html) ?? []
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(script)))
    const [, named = ''] =
      /script-src 'sha256-([^']+)'/.exec(answer.headers.get('Content-Security-Policy') ?? '') ?? []
    expect(encodeBase64url(hash)).toBe(named.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''))

    const [, inFragment = ''] = url.split('#')
    expect((await browser.get(`${redirectUri}?${inFragment}`)).status).toBe(400)
    const posted = await postResponse(world, `${API}${posts}`, inFragment)
    const redirect = textOf(await objectOf(posted), 'redirect_uri')
    expect((await browser.get(redirect)).status).toBe(303)
    expect(await (await browser.get(here)).text()).toContain('Manager')
    // It was awaited once.
    expect((await browser.get(redirectUri)).status).toBe(404)
    expect((await postResponse(world, `${API}${posts}`, inFragment)).status).toBe(400)
  })

  test('is where an unsigned request says it is from, and asks for no answer of another mode [VP-V-CID-03]', async () => {
    const world = createSite()
    const started = await world.verifier.startTransaction({
      query: QUERY,
      clientIdPrefix: 'redirect_uri',
      ...fragment,
    })
    const parameters = new URL(started.requestUrl).searchParams
    expect(parameters.get('client_id')).toBe(`redirect_uri:${parameters.get('redirect_uri')}`)
    expect(parameters.get('redirect_uri')).toMatch(/\/attache\/fragment\/[\w-]{43}$/)
    expect(parameters.has('response_uri')).toBe(false)

    const posted = await world.verifier.startTransaction({ query: QUERY })
    const handle = posted.requestUri.split('/').at(-1)
    expect((await world.send(new Request(`${API}/attache/fragment/${handle}`))).status).toBe(404)
    expect((await world.send(new Request(`${API}/attache/fragment/unknown`))).status).toBe(404)
  })
})

test('without pages there are no routes for them', () => {
  expect(typeof routeRequests(createWorld().verifier.routes)).toBe('function')
  const paths = createWorld().verifier.routes.map(({ path }) => path)
  expect(paths.filter((path) => path.includes('/present'))).toEqual([])
})
