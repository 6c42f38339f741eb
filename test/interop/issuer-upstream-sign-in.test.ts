import { createGuardedFetch, isJsonObject, parseJson, systemRandom } from '@attache/core'
import Provider from 'oidc-provider'
import { afterAll, describe, expect, test } from 'vitest'
import { createUpstreamSignIn } from '../../apps/issuer-server/src/upstream-sign-in.js'
import { AGENT, serveIssuer } from './our-issuer.js'
import { createPeerFetch } from './peer-fetch.js'
import { closeAll, closeAtEnd, createPeerServer, recordingLog, tlsAuthority } from './world.js'

const SECRET = 'client-secret-of-the-test-0123456789-abcdef'
const REDIRECT_URI = 'https://wallet.example/callback'
const CODE_CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
const fetch = createGuardedFetch({ ca: [tlsAuthority.pem], allowPrivate: ['localhost'] })
afterAll(closeAll)

type Interaction = 'signs in' | 'gives up'

interface Company {
  /** Who sits before the browser, as the provider's claims say. */
  readonly claims?: Readonly<Record<string, string>>
  readonly interaction?: Interaction
  /** Whether claims stand in the ID Token; else the userinfo endpoint has them. */
  readonly claimsInToken?: boolean
  readonly clientSecret?: string
}

const NGOZI = { name: 'Ngozi Okafor', employee_id: 'E-10442' }

async function meet({ claims = NGOZI, interaction = 'signs in', ...company }: Company = {}) {
  const upstream = closeAtEnd(await createPeerServer())
  const { log, lines } = recordingLog()
  const signInOptions = {
    issuer: upstream.origin,
    clientId: 'attache-issuer',
    clientSecret: company.clientSecret ?? SECRET,
    ownerClaim: 'employee_id',
    nameClaim: 'name',
    scope: 'openid profile',
  }
  const ours = closeAtEnd(
    await serveIssuer(
      {
        mode: 'base',
        grants: ['authorization_code'],
        clientAuthentication: { method: 'none', anonymousAccess: true },
        redirectUris: [REDIRECT_URI],
      },
      (directory) => createUpstreamSignIn(signInOptions, { fetch, directory, random: systemRandom, log }),
    ),
  )
  const callback = `${ours.credentialIssuer}/authorize/callback`
  const provider = companyProvider(upstream.origin, callback, { claims, ...company })
  const answer = provider.callback()
  upstream.serve((request, response) => {
    if (!request.url?.startsWith('/interaction/')) return answer(request, response)
    finish(provider, interaction, [request, response]).catch(() => response.writeHead(500).end())
  })
  return { ours, upstream, lines, callback }
}

type Meeting = Awaited<ReturnType<typeof meet>>

function companyProvider(origin: string, callback: string, company: Company): Provider {
  return new Provider(origin, {
    clients: [
      {
        client_id: 'attache-issuer',
        client_secret: SECRET,
        redirect_uris: [callback],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    claims: { openid: ['sub'], profile: ['name', 'employee_id'] },
    conformIdTokenClaims: !(company.claimsInToken ?? false),
    cookies: { keys: [SECRET] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...company.claims }),
    }),
  })
}

/** What somebody does on the provider's own pages. */
async function finish(
  provider: Provider,
  interaction: Interaction,
  [request, response]: Parameters<Provider['interactionDetails']>,
): Promise<void> {
  const { prompt, session } = await provider.interactionDetails(request, response)
  if (interaction === 'gives up') {
    return provider.interactionFinished(request, response, { error: 'access_denied' })
  }
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'ngozi' } })
  }
  const grant = new provider.Grant({ accountId: session?.accountId ?? '', clientId: 'attache-issuer' })
  grant.addOIDCScope('openid profile')
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } })
}

/** A browser: keeps cookies by origin and follows redirects until a page, or the wallet, is reached. */
function createBrowser() {
  const jars = new Map<string, Map<string, string>>()
  const visited: string[] = []
  const peer = createPeerFetch()
  async function open(
    url: string,
    form?: URLSearchParams,
  ): Promise<{ status: number; text: string; url: string }> {
    if (url.startsWith(REDIRECT_URI)) return { status: 200, text: '', url }
    visited.push(url)
    const { origin } = new URL(url)
    const jar = jars.get(origin) ?? new Map<string, string>()
    jars.set(origin, jar)
    const headers = { Cookie: [...jar].map((pair) => pair.join('=')).join('; ') }
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const post = form && { method: 'POST', body: form.toString(), headers: { ...headers, ...type } }
    const response = await peer.fetch(url, post ?? { headers })
    for (const cookie of response.headers.getSetCookie()) {
      const [name = '', ...value] = (cookie.split(';')[0] ?? '').split('=')
      jar.set(name, value.join('='))
    }
    const location = response.headers.get('Location')
    if (location !== null) return open(new URL(location, url).href)
    return { status: response.status, text: await response.text(), url }
  }
  return { open, visited }
}

async function push({ ours }: Meeting): Promise<string> {
  const body = new URLSearchParams({
    client_id: 'wallet',
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    scope: ours.vct,
    state: 'of the wallet',
    code_challenge: CODE_CHALLENGE,
    code_challenge_method: 'S256',
  })
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  const response = await fetch(`${ours.credentialIssuer}/par`, {
    method: 'POST',
    headers,
    body: body.toString(),
  })
  const pushed = parseJson(await response.text())
  const requestUri = pushed.ok && isJsonObject(pushed.value) ? pushed.value['request_uri'] : undefined
  const query = new URLSearchParams({ client_id: 'wallet', request_uri: String(requestUri) })
  return `${ours.credentialIssuer}/authorize?${query}`
}

function errorOn(page: string): string | undefined {
  return /data-error="([^"]+)"/.exec(page)?.[1]
}

describe('sign-in at an oidc-provider', () => {
  test.each([
    ['of the userinfo endpoint', false],
    ['of the ID Token', true],
  ])('a claim %s says whose agents may be approved', async (_, claimsInToken) => {
    const meeting = await meet({ claimsInToken })
    const browser = createBrowser()
    const consent = await browser.open(await push(meeting))
    expect(consent.status).toBe(200)
    expect(consent.text).toContain('<strong id="person">Ngozi Okafor</strong>')
    expect(consent.text).toContain(`<option value="${AGENT}">`)

    const interaction = /name="interaction" value="([^"]+)"/.exec(consent.text)?.[1] ?? ''
    const form = new URLSearchParams({ interaction, agent: AGENT, decision: 'approve' })
    const back = new URL(
      (await browser.open(`${meeting.ours.credentialIssuer}/authorize/decision`, form)).url,
    )
    expect(back.searchParams.get('state')).toBe('of the wallet')
    expect(back.searchParams.get('iss')).toBe(meeting.ours.credentialIssuer)
    expect(back.searchParams.get('code')).toMatch(/^[\w-]{43}$/)
  })

  test('the request to the provider carries state, nonce and PKCE', async () => {
    const meeting = await meet()
    const browser = createBrowser()
    await browser.open(await push(meeting))
    const asked = new URL(
      browser.visited.find((url) => url.startsWith(`${meeting.upstream.origin}/auth?`)) ?? '',
    )
    expect(Object.fromEntries(asked.searchParams)).toEqual({
      client_id: 'attache-issuer',
      response_type: 'code',
      redirect_uri: meeting.callback,
      scope: 'openid profile',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    })
  })

  test('the way back is good once, and in the browser that left', async () => {
    const meeting = await meet()
    const browser = createBrowser()
    await browser.open(await push(meeting))
    const back = browser.visited.at(-1) ?? ''
    expect(back.startsWith(meeting.callback)).toBe(true)
    expect(errorOn((await createBrowser().open(back)).text)).toBe('invalid_request')
    expect(errorOn((await browser.open(back)).text)).toBe('access_denied')
  })

  test.each<[string, (back: URL) => void, string]>([
    ['another state', (back) => back.searchParams.set('state', 'guessed'), 'invalid_request'],
    ['no state', (back) => back.searchParams.delete('state'), 'invalid_request'],
    ['a made-up code', (back) => back.searchParams.set('code', 'guessed'), 'access_denied'],
    [
      'another provider as iss',
      (back) => back.searchParams.set('iss', 'https://evil.example'),
      'access_denied',
    ],
  ])('refuses a way back with %s', async (_, change, code) => {
    const meeting = await meet()
    const browser = createBrowser()
    await browser.open(await push(meeting))
    const back = new URL(browser.visited.at(-1) ?? '')
    change(back)
    const page = await browser.open(back.href)
    expect([page.status, errorOn(page.text)]).toEqual([400, code])
  })

  test.each<[string, Company]>([
    ['gave up over there', { interaction: 'gives up' }],
    ['has no employee id', { claims: { name: 'Somebody' } }],
    ['owns no agent', { claims: { name: 'Somebody', employee_id: 'E-2' } }],
    ['comes by a client whose secret is wrong', { clientSecret: 'x'.repeat(40) }],
  ])('nobody may approve who %s', async (_, company) => {
    const meeting = await meet(company)
    const page = await createBrowser().open(await push(meeting))
    expect([page.status, errorOn(page.text)]).toEqual([400, 'access_denied'])
    expect(meeting.lines.join()).not.toContain(SECRET)
  })

  test('a provider that is down is said to be, and found when it is back', async () => {
    const meeting = await meet()
    meeting.upstream.serve((_request, response) => void response.writeHead(503).end())
    const page = await createBrowser().open(await push(meeting))
    expect([page.status, errorOn(page.text)]).toEqual([503, 'temporarily_unavailable'])
    const provider = companyProvider(meeting.upstream.origin, meeting.callback, { claims: NGOZI })
    const answer = provider.callback()
    meeting.upstream.serve((request, response) => {
      if (!request.url?.startsWith('/interaction/')) return answer(request, response)
      finish(provider, 'signs in', [request, response]).catch(() => response.writeHead(500).end())
    })
    expect((await createBrowser().open(await push(meeting))).status).toBe(200)
  })
})
