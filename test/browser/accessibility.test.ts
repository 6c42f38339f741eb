/**
 * The pages as a screen reader gets them: Chromium's accessibility tree, the order of Tab, no script at all.
 *
 * @module
 */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type StartedBrowser, startChromium } from './chromium.js'
import { AGENT, type Deployment, deploy, OPERATOR } from './deployment.js'

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

/** A page without scripts: none is needed, so none may run. */
async function withPage<T>(work: (page: Page) => Promise<T>): Promise<T> {
  const context = await started.browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false })
  context.setDefaultTimeout(15_000)
  try {
    return await work(await context.newPage())
  } finally {
    await context.close()
  }
}

async function startedLogin(): Promise<string> {
  return String((await company.receive(await company.offer()))['authorizationUrl'])
}

interface Spoken {
  readonly role: string
  readonly name: string
  readonly description: string
  /** `focused`, `invalid`, `required`, `level`, as far as they are set. */
  readonly states: Readonly<Record<string, unknown>>
}

const STATES = ['focused', 'invalid', 'required', 'level']
const SILENT = [
  'none',
  'generic',
  'paragraph',
  'strong',
  'option',
  'InlineTextBox',
  'LineBreak',
  'StaticText',
  'LabelText',
  'ListMarker',
  'MenuListPopup',
]

/** What a screen reader is told, in its order. */
async function spoken(page: Page): Promise<readonly Spoken[]> {
  const session = await page.context().newCDPSession(page)
  const { nodes } = await session.send('Accessibility.getFullAXTree')
  await session.detach()
  const byId = new Map(nodes.map((node) => [node.nodeId, node]))
  const inOrder = (id: string | undefined): typeof nodes => {
    const node = id === undefined ? undefined : byId.get(id)
    return node === undefined ? [] : [node, ...(node.childIds ?? []).flatMap(inOrder)]
  }
  const told = inOrder(nodes[0]?.nodeId).filter(
    ({ ignored, role }) => !ignored && !SILENT.includes(String(role?.value)),
  )
  return told.map(({ role, name, description, properties = [] }) => ({
    role: String(role?.value),
    name: String(name?.value ?? ''),
    description: String(description?.value ?? ''),
    states: Object.fromEntries(
      properties
        .filter((each) => STATES.includes(each.name) && ![false, 'false'].includes(each.value.value))
        .map((each) => [each.name, each.value.value]),
    ),
  }))
}

const line = ({ role, name }: Spoken) => `${role} ${name}`.trim()

/** The ids that Tab reaches, in order, from the top of the page. */
async function tabStops(page: Page): Promise<readonly string[]> {
  const ids: string[] = []
  for (let tabs = 0; tabs < 10; tabs += 1) {
    await page.keyboard.press('Tab')
    const [id] = await page.locator('main :focus').evaluateAll((found) => found.map((each) => each.id))
    if (id === undefined || ids.includes(id)) return ids
    ids.push(id)
  }
  return ids
}

async function signIn(page: Page, password: string): Promise<void> {
  await page.keyboard.type(OPERATOR.name)
  await page.keyboard.press('Tab')
  await page.keyboard.type(password)
  await page.keyboard.press('Tab')
  await page.locator('#sign-in:focus').waitFor()
  await page.keyboard.press('Enter')
}

describe('the pages, as they are spoken', () => {
  test('sign-in: one main, one heading, each field by its label, the first one focused', async () => {
    const url = await startedLogin()
    await withPage(async (page) => {
      await page.goto(url)
      const told = await spoken(page)
      expect(told.map(line)).toEqual([
        'RootWebArea Sign in',
        'main',
        'heading Sign in',
        'textbox Name',
        'textbox Password',
        'button Sign in',
      ])
      expect(told[2]?.states).toEqual({ level: 1 })
      expect(told[3]?.states).toMatchObject({ focused: true, required: true })
      expect(told[4]?.states).toMatchObject({ required: true })
      // The name has the focus, so Tab goes on from there.
      expect(await tabStops(page)).toEqual(['password', 'sign-in'])
    })
  })

  test('a failed sign-in: the alert has the focus, and both fields say why they are wrong', async () => {
    const url = await startedLogin()
    await withPage(async (page) => {
      await page.goto(url)
      await page.locator('#username:focus').waitFor()
      await signIn(page, 'wrong horse battery')
      await page.locator('#sign-in-failed:focus').waitFor()
      const told = await spoken(page)
      const why = 'Name and password do not fit. Try again.'
      expect(told.map(({ role }) => role)).toEqual([
        'RootWebArea',
        'main',
        'heading',
        'alert',
        'textbox',
        'textbox',
        'button',
      ])
      expect(told[0]?.name).toBe('Error: Sign in')
      expect(told[3]?.states).toMatchObject({ focused: true })
      for (const field of told.slice(4, 6)) {
        expect([field.description, field.states['invalid']]).toEqual([why, 'true'])
      }
      expect(await page.locator('#sign-in-failed').textContent()).toBe(why)
      // Nothing that was typed comes back.
      expect(await page.locator('#password').inputValue()).toBe('')
      expect(await tabStops(page)).toEqual(['username', 'password', 'sign-in'])
    })
  })

  test('consent: who, what and for which agent, then two buttons', async () => {
    const url = await startedLogin()
    await withPage(async (page) => {
      await page.goto(url)
      await page.locator('#username:focus').waitFor()
      await signIn(page, OPERATOR.password)
      await page.locator('#consent-form').waitFor()
      const told = await spoken(page)
      expect(told.map(line)).toEqual([
        'RootWebArea Issue a credential?',
        'main',
        'heading Issue a credential?',
        'region Agent role',
        'heading Agent role',
        'list',
        ...Array.from({ length: 4 }, () => 'listitem'),
        'combobox Agent',
        'button Approve',
        'button Deny',
      ])
      expect(told.filter(({ role }) => role === 'heading').map(({ states }) => states['level'])).toEqual([
        1, 2,
      ])
      expect(await page.locator('#agent').inputValue()).toBe(AGENT)
      expect(await tabStops(page)).toEqual(['agent', 'approve', 'deny'])
      await page.locator('#deny').focus()
      await page.keyboard.press('Enter')
      await page.waitForURL(`${company.redirectUri}?**`)
      expect(new URL(page.url()).searchParams.get('error')).toBe('access_denied')
    })
  })

  test('an error: what went wrong has the focus, and there is nothing else to do', async () => {
    await withPage(async (page) => {
      const answer = await page.goto(`${company.credentialIssuer}/authorize?client_id=x&request_uri=x`)
      expect(answer?.status()).toBe(400)
      const told = await spoken(page)
      expect(told.map(({ role }) => role)).toEqual(['RootWebArea', 'main', 'heading', 'alert'])
      expect(told[0]?.name).toBe('This request cannot go on')
      expect(told[3]?.states).toMatchObject({ focused: true })
      expect(await tabStops(page)).toEqual([])
    })
  })

  test('the policy of the pages allows no script and one style sheet, which is theirs', async () => {
    const url = await startedLogin()
    await withPage(async (page) => {
      const complaints: string[] = []
      page.on('console', (message) => complaints.push(message.text()))
      const answer = await page.goto(url)
      const policy = answer?.headers()['content-security-policy'] ?? ''
      expect(policy).toMatch(
        /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
      )
      expect(policy).not.toContain('unsafe')
      expect(await page.locator('script, link, [style], [onclick], [onload]').count()).toBe(0)
      // The style sheet took effect: without it controls are lower.
      expect((await page.locator('#sign-in').boundingBox())?.height).toBeGreaterThanOrEqual(44)
      expect(complaints).toEqual([])
    })
  })
})
