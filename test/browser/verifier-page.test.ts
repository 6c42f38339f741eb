import { routeRequests } from '@attache/core'
import { createNodeListener } from '@attache/express'
import { fragmentUrl } from '@attache/openid4vp'
import type { PresentationPage } from '@attache/verifier'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { create } from 'qrcode'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPeerServer, type PeerServer } from '../interop/world.js'
import {
  createWallet,
  createWorld,
  fetchRequest,
  objectOf,
  postResponse,
  present,
  QUERY,
  soundBody,
  textOf,
  type World,
} from '../support/presentation-world.js'
import { type StartedBrowser, startChromium } from './chromium.js'

let started: StartedBrowser
let server: PeerServer
beforeAll(async () => {
  server = await createPeerServer()
  started = await startChromium()
})
afterAll(async () => {
  await started?.close()
  await server?.close()
})

const wallet = await createWallet()
const role: PresentationPage = {
  title: 'Show your role',
  purpose: 'Payroll is for managers in the EU.',
  query: QUERY,
  crossDevice: true,
}

interface Site {
  readonly world: World
  readonly url: string
}

/** An API whose page the browser sees; its wallets answer in this process. */
function createSite(override: Partial<PresentationPage> = {}): Site {
  const pages = { role: { ...role, ...override } }
  const world = createWorld({ origin: server.origin, pages }, undefined, {
    qr: (text) => create(text, { errorCorrectionLevel: 'M' }).modules,
  })
  const routes = routeRequests(world.verifier.routes)
  server.serve(
    createNodeListener(async (request) => (await routes(request)) ?? new Response(null, { status: 404 })),
  )
  return { world, url: `${server.origin}/attache/present/role` }
}

type ContextOptions = Parameters<Browser['newContext']>[0]

/** A person's browser; what it complains about fails the test. */
async function withBrowser(
  work: (page: Page, context: BrowserContext) => Promise<void>,
  options: ContextOptions = {},
): Promise<void> {
  const context = await started.browser.newContext({ ignoreHTTPSErrors: true, ...options })
  context.setDefaultTimeout(10_000)
  const complaints: string[] = []
  context.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  context.on('weberror', (error) => complaints.push(error.error().message))
  try {
    await work(await context.newPage(), context)
    // A browser logs every answer of 400 and more, which some of these tests ask for.
    expect(complaints.filter((text) => !text.startsWith('Failed to load resource'))).toEqual([])
  } finally {
    await context.close()
  }
}

/** Begins by keyboard alone. */
async function begin(page: Page, { url }: Site, device: 'this-device' | 'other-device'): Promise<string> {
  await page.goto(url)
  for (let tabs = 0; (await page.locator(`#${device}:focus`).count()) === 0; tabs += 1) {
    if (tabs > 5) throw new Error('The button is not reached by Tab.')
    await page.keyboard.press('Tab')
  }
  await page.keyboard.press('Enter')
  await page.locator('#state').waitFor()
  return page.url()
}

/** A mark that a page loses when it is loaded anew. */
async function mark(page: Page): Promise<() => Promise<boolean>> {
  await page.evaluate('document.body.dataset.mark = "same"')
  return () => page.evaluate('document.body.dataset.mark === "same"')
}

const walletUrl = async (page: Page) => (await page.locator('#wallets a').getAttribute('href')) ?? ''
const codeUrl = async (page: Page) => (await page.locator('#request-url').textContent()) ?? ''
const stateOf = async (page: Page) => (await page.locator('#state').textContent()) ?? ''

async function answer({ world }: Site, requestUrl: string) {
  const { request, responseUri } = await fetchRequest(world, requestUrl)
  return postResponse(world, responseUri, await soundBody(wallet, request))
}

describe('a person presents in a browser', () => {
  test('with a wallet on another device: the page shows what was verified, without loading anew', async () => {
    const site = createSite()
    await withBrowser(async (page) => {
      const here = await begin(page, site, 'other-device')
      expect(await page.locator('#qr').getAttribute('role')).toBe('img')
      expect(await page.getByRole('img', { name: 'QR code for your wallet' }).count()).toBe(1)
      const isSame = await mark(page)
      expect((await answer(site, await codeUrl(page))).status).toBe(200)

      await page.getByText('Verified.', { exact: true }).first().waitFor()
      expect(await page.locator('dl').textContent()).toBe('regionEUroleManager')
      expect(await isSame()).toBe(true)
      expect(page.url()).toBe(here)
      // A screen reader hears it, and reading begins at the heading.
      expect(await page.locator('[role=status][aria-live=polite]').textContent()).toBe('Verified.')
      expect(await page.locator('h1:focus').count()).toBe(1)
      expect(await page.content()).not.toContain('salary_band')

      // Another browser without the cookie sees nothing, by whichever address.
      await withBrowser(async (other) => {
        for (const address of [here, `${here}?response_code=x`]) {
          const seen = await other.goto(address)
          expect(seen?.status()).toBe(404)
          expect(await other.locator('main').textContent()).not.toMatch(/Manager|Verified/)
        }
      })
    })
  })

  test('with a wallet on this device: the result opens in the window that came back', async () => {
    const site = createSite()
    await withBrowser(async (page, context) => {
      const here = await begin(page, site, 'this-device')
      const redirect = textOf(await objectOf(await answer(site, await walletUrl(page))), 'redirect_uri')
      await page.locator('#state', { hasText: 'Go on in the window that it opened.' }).waitFor()
      expect(await page.locator('main').textContent()).not.toContain('Manager')

      const back = await context.newPage()
      await back.goto(redirect)
      expect(back.url()).toBe(here)
      expect(await back.locator('main').textContent()).toContain('Manager')
      // The cookie is out of reach for scripts, and the code gone from the address.
      expect(await back.evaluate('document.cookie')).toBe('')
      const [cookie] = await context.cookies()
      expect(cookie).toMatchObject({
        name: '__Host-attache-presentation',
        httpOnly: true,
        secure: true,
        sameSite: 'Lax',
      })
    })
  })

  test('and learns which check failed and what to do', async () => {
    const site = createSite()
    site.world.revoke()
    await withBrowser(async (page) => {
      await begin(page, site, 'other-device')
      const isSame = await mark(page)
      expect((await answer(site, await codeUrl(page))).status).toBe(400)
      await page.locator('#reason').waitFor()
      expect(await page.locator('#reason').getAttribute('data-code')).toBe('status_invalid')
      expect(await page.locator('#reason').textContent()).toBe('The credential was revoked or suspended.')
      expect(await page.locator('#next').textContent()).toContain('ask its issuer for a new one')
      expect(await page.locator('#live').textContent()).toContain('Not verified.')
      expect(await isSame()).toBe(true)
      await page.locator('#again').press('Enter')
      await page.locator('#other-device').waitFor()
    })
  })

  test('where scripts do not run: the page loads anew until it knows', async () => {
    const site = createSite()
    await withBrowser(
      async (page) => {
        await begin(page, site, 'other-device')
        await answer(site, await codeUrl(page))
        await page.getByText('Verified.', { exact: true }).waitFor()
      },
      { javaScriptEnabled: false },
    )
  })

  test('on a small telephone: nothing is wider than the screen', async () => {
    const site = createSite({ title: 'Rolle_mit_einem_sehr_langen_Namen_ohne_jedes_Leerzeichen_darin' })
    await withBrowser(
      async (page) => {
        await begin(page, site, 'other-device')
        await page.locator('summary').press('Enter')
        await page.locator('#request-url').waitFor()
        const widest = () => page.evaluate('document.documentElement.scrollWidth')
        expect(await widest()).toBeLessThanOrEqual(360)
        await answer(site, await codeUrl(page))
        await page.locator('dl').waitFor()
        expect(await widest()).toBeLessThanOrEqual(360)
      },
      { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true },
    )
  })
})

describe('an answer in a fragment', () => {
  test('is posted by the page it comes to, which takes it out of the address [VP-V-RSP-12]', async () => {
    const site = createSite({ responseMode: 'fragment' })
    await withBrowser(async (page) => {
      const here = await begin(page, site, 'this-device')
      const { request } = await fetchRequest(site.world, await walletUrl(page))
      const vpToken = await present(wallet, request, { audience: request.clientId ?? '' })
      const posted = page.waitForRequest((sent) => sent.method() === 'POST')
      await page.goto(fragmentUrl(request.redirectUri ?? '', request, { vpToken }))
      await page.waitForURL(here)
      expect(await page.locator('main').textContent()).toContain('Manager')
      const sent = await posted
      expect(new URL(sent.url()).search).toBe('')
      expect(sent.headers()['content-type']).toBe('application/x-www-form-urlencoded')
      // Going back leads to no address that holds the answer.
      const addresses: unknown = await page.evaluate(
        'performance.getEntriesByType("navigation").map(({ name }) => name)',
      )
      expect(JSON.stringify(addresses)).not.toContain('vp_token')
    })
  })

  test('that is refused leads to the page that says why', async () => {
    const site = createSite({ responseMode: 'fragment' })
    await withBrowser(async (page) => {
      const here = await begin(page, site, 'this-device')
      const { request } = await fetchRequest(site.world, await walletUrl(page))
      const vpToken = await present(wallet, request, { audience: 'x509_hash:other' })
      await page.goto(fragmentUrl(request.redirectUri ?? '', request, { vpToken }))
      await page.waitForURL(here)
      expect(await page.locator('#reason').getAttribute('data-code')).toBe('kb_aud_mismatch')
    })
  })

  test('that is missing, or came in the query string, is said to be', async () => {
    const site = createSite({ responseMode: 'fragment' })
    await withBrowser(async (page) => {
      await begin(page, site, 'this-device')
      const { request } = await fetchRequest(site.world, await walletUrl(page))
      await page.goto(request.redirectUri ?? '')
      await page.locator('#state', { hasText: 'Your wallet brought no answer.' }).waitFor()
      expect(await stateOf(page)).toContain('start again')
      const inQuery = await page.goto(`${request.redirectUri}?vp_token=x&state=y`)
      expect(inQuery?.status()).toBe(400)
    })
  })
})
