import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type StartedBrowser, startChromium } from './chromium.js'
import { AGENT, CLIENT, type Deployment, deploy, OPERATOR } from './deployment.js'

let started: StartedBrowser
let company: Deployment
beforeAll(async () => {
  company = await deploy()
  started = await startChromium()
})
afterAll(async () => {
  await started?.close()
  await company?.close()
})

/** A page of a person who was never here before. */
async function withPage<T>(
  work: (page: Page) => Promise<T>,
  device: Parameters<Browser['newContext']>[0] = {},
): Promise<T> {
  // The authority of this run is nobody's; whether certificates are checked is not what the page shows.
  const context = await started.browser.newContext({ ignoreHTTPSErrors: true, ...device })
  context.setDefaultTimeout(15_000)
  try {
    return await work(await context.newPage())
  } finally {
    await context.close()
  }
}

/** The wallet takes an offer and says where the person has to go. */
async function startedLogin(): Promise<string> {
  const reply = await company.receive(await company.offer())
  expect(reply).toMatchObject({ outcome: 'authorization_required', issuer: company.credentialIssuer })
  return String(reply['authorizationUrl'])
}

/** Signs in as a person without a mouse does: the name has the focus, Enter sends. */
async function signIn(page: Page, password = OPERATOR.password): Promise<void> {
  await page.locator('#username:focus').waitFor()
  await page.keyboard.type(OPERATOR.name)
  await page.keyboard.press('Tab')
  await page.keyboard.type(password)
  await page.keyboard.press('Enter')
}

/** Presses a control by keyboard alone. */
async function press(page: Page, id: string): Promise<void> {
  for (let tabs = 0; tabs < 10; tabs += 1) {
    await page.keyboard.press('Tab')
    if ((await page.locator(`#${id}:focus`).count()) === 1) return page.keyboard.press('Enter')
  }
  throw new Error(`#${id} is not reached by Tab.`)
}

/** Signs in, decides, and returns where the browser ended. */
async function decide(page: Page, url: string, control: 'approve' | 'deny'): Promise<URL> {
  await page.goto(url)
  await signIn(page)
  await page.locator('#consent-form').waitFor()
  await press(page, control)
  await page.waitForURL(`${company.redirectUri}?**`)
  return new URL(page.url())
}

const credentialsOf = async () => (await company.status())['agents']

describe('a high-assurance code flow with a person in a browser', () => {
  test('signs in and approves by keyboard; the wallet holds the credential [IOP-I-11, VCI-W-AZ-03, VCI-I-AZ-24]', async () => {
    const url = await startedLogin()
    expect([...new URL(url).searchParams.keys()].sort()).toEqual(['client_id', 'request_uri'])

    const ended = await withPage(async (page) => {
      await page.goto(url)
      // Looking at the page uses nothing up.
      await page.reload()
      await signIn(page)
      expect(await page.locator('#person').textContent()).toBe(OPERATOR.name)
      expect(await page.locator('#client').textContent()).toBe(CLIENT)
      expect(await page.locator('#agent option').allTextContents()).toEqual([AGENT])
      expect(await page.locator('main').textContent()).toContain('The role in which an agent acts')
      expect(await page.locator('.claims li').allTextContents()).toEqual([
        'agent',
        'Acts for',
        'Role',
        'region',
      ])
      await press(page, 'approve')
      await page.waitForURL(`${company.redirectUri}?**`)
      expect(await page.title()).toBe('Back at the wallet')
      return new URL(page.url())
    })

    expect([...ended.searchParams.keys()].sort()).toEqual(['code', 'iss', 'state'])
    expect(await company.callback(ended.href)).toMatchObject({ outcome: 'stored', vct: company.vct })
    expect(await credentialsOf()).toMatchObject([{ agent: AGENT, credentials: [{ state: 'active' }] }])
    expect(await company.issued()).toMatchObject({ credentials: [{ agent: AGENT, owner: 'E-10442' }] })
    // The same address a second time is an answer to nothing.
    expect(await company.callback(ended.href)).toMatchObject({ outcome: 'refused', code: 'unknown_state' })
  })

  test('denies by keyboard: access_denied at the wallet, and nothing is kept [IOP-I-11, VCI-I-AZ-19]', async () => {
    const before = [await credentialsOf(), await company.issued()]
    const url = await startedLogin()

    const ended = await withPage((page) => decide(page, url, 'deny'))

    expect(Object.fromEntries(ended.searchParams)).toMatchObject({
      error: 'access_denied',
      iss: company.credentialIssuer,
      state: expect.stringMatching(/^[\w-]{20,}$/),
    })
    expect(ended.searchParams.has('code')).toBe(false)
    expect(await company.callback(ended.href)).toMatchObject({ outcome: 'refused', code: 'access_denied' })
    expect([await credentialsOf(), await company.issued()]).toEqual(before)
  })

  test('a wrong password is said, and the right one goes on from there', async () => {
    const url = await startedLogin()
    await withPage(async (page) => {
      await page.goto(url)
      await signIn(page, 'wrong horse battery')
      // The alert has the focus: a screen reader says it, and Tab goes on from there.
      await page.locator('#sign-in-failed[role=alert]:focus').waitFor()
      await page.keyboard.press('Tab')
      await signIn(page)
      await page.locator('#consent-form').waitFor()
      expect(page.url()).toBe(`${company.credentialIssuer}/authorize/sign-in`)
    })
  })

  test('an unknown or a used request shows a page with a stable id, and leads nowhere [IOP-I-10, VCI-I-AZ-06]', async () => {
    const url = await startedLogin()
    await withPage((page) => decide(page, url, 'deny'))
    const unknown = new URL(url)
    unknown.searchParams.set('request_uri', 'urn:ietf:params:oauth:request_uri:nobody-pushed-this')

    for (const gone of [url, unknown.href]) {
      await withPage(async (page) => {
        const answer = await page.goto(gone)
        expect(answer?.status()).toBe(400)
        const shown = page.locator('#authorization-error[role=alert]')
        expect(await shown.getAttribute('data-error')).toBe('invalid_request_uri')
        expect(await shown.textContent()).toContain('Start again')
        expect(new URL(page.url()).origin).toBe(company.credentialIssuer)
      })
    }
  })

  test('on a phone nothing is wider than the screen, and every control has its label', async () => {
    const url = await startedLogin()
    const phone = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }
    await withPage(async (page) => {
      await page.goto(url)
      expect(await page.getByLabel('Name').getAttribute('id')).toBe('username')
      expect(await page.getByLabel('Password').getAttribute('id')).toBe('password')
      await expectFitting(page)

      await signIn(page)
      await page.locator('#consent-form').waitFor()
      expect(await page.getByLabel('Agent', { exact: true }).getAttribute('id')).toBe('agent')
      expect(await page.getByRole('button', { name: 'Approve' }).getAttribute('id')).toBe('approve')
      expect(await page.getByRole('button', { name: 'Deny' }).getAttribute('id')).toBe('deny')
      await expectFitting(page)

      await page.getByRole('button', { name: 'Deny' }).tap()
      await page.waitForURL(`${company.redirectUri}?**`)
      await page.goto(url)
      await page.locator('#authorization-error').waitFor()
      await expectFitting(page)
    }, phone)
  })
})

/** The page is as wide as the screen, and each control that is filled in has a label and room for a finger. */
async function expectFitting(page: Page): Promise<void> {
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
  const unlabelled = `[...document.querySelectorAll('input:not([type=hidden]), select')]
    .filter((control) => control.labels.length === 0).map((control) => control.id)`
  expect(await page.evaluate(unlabelled)).toEqual([])
  const small = `[...document.querySelectorAll('input:not([type=hidden]), select, button')]
    .filter((control) => { const { width, height } = control.getBoundingClientRect(); return width < 44 || height < 44 })
    .map((control) => control.id)`
  expect(await page.evaluate(small)).toEqual([])
  expect(await page.locator('html').getAttribute('lang')).toBe('en')
  expect(await page.locator('h1').count()).toBe(1)
}
