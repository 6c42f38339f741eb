import { generateKeyPairSync } from 'node:crypto'
import { createGuardedFetch, isJsonObject, parseJson, systemRandom } from '@attache/core'
import { afterAll, describe, expect, test } from 'vitest'
import { createUpstreamSignIn } from '../../apps/issuer-server/src/upstream-sign-in.js'
import { type Company, companyListener, createBrowser, errorOn, SECRET } from './oidc-company.js'
import { AGENT, serveIssuer } from './our-issuer.js'
import { closeAll, closeAtEnd, createPeerServer, recordingLog, tlsAuthority } from './world.js'

const REDIRECT_URI = 'https://wallet.example/callback'
const CODE_CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
const fetch = createGuardedFetch({ ca: [tlsAuthority.pem], allowPrivate: ['localhost'] })
afterAll(closeAll)

/** Also what our side is configured with. */
interface Setting extends Company {
  readonly clientSecret?: string
}

async function meet({ clientSecret = SECRET, ...company }: Setting = {}) {
  const upstream = closeAtEnd(await createPeerServer())
  const { log, lines } = recordingLog()
  const signInOptions = {
    issuer: upstream.origin,
    clientId: 'attache-issuer',
    clientSecret,
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
  upstream.serve(companyListener(upstream.origin, callback, company))
  return { ours, upstream, lines, callback }
}

type Meeting = Awaited<ReturnType<typeof meet>>

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

describe('sign-in at an oidc-provider', () => {
  test.each([
    ['of the userinfo endpoint', false],
    ['of the ID Token', true],
  ])('a claim %s says whose agents may be approved', async (_, claimsInToken) => {
    const meeting = await meet({ claimsInToken })
    const browser = createBrowser({ wallet: REDIRECT_URI })
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
    const browser = createBrowser({ wallet: REDIRECT_URI })
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
    const browser = createBrowser({ wallet: REDIRECT_URI })
    await browser.open(await push(meeting))
    const back = browser.visited.at(-1) ?? ''
    expect(back.startsWith(meeting.callback)).toBe(true)
    expect(errorOn((await createBrowser({ wallet: REDIRECT_URI }).open(back)).text)).toBe('invalid_request')
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
    const browser = createBrowser({ wallet: REDIRECT_URI })
    await browser.open(await push(meeting))
    const back = new URL(browser.visited.at(-1) ?? '')
    change(back)
    const page = await browser.open(back.href)
    expect([page.status, errorOn(page.text)]).toEqual([400, code])
  })

  test.each<[string, Setting]>([
    ['gave up over there', { interaction: 'gives up' }],
    ['has no employee id', { claims: { name: 'Somebody' } }],
    ['owns no agent', { claims: { name: 'Somebody', employee_id: 'E-2' } }],
    ['comes by a client whose secret is wrong', { clientSecret: 'x'.repeat(40) }],
  ])('nobody may approve who %s', async (_, company) => {
    const meeting = await meet(company)
    const page = await createBrowser({ wallet: REDIRECT_URI }).open(await push(meeting))
    expect([page.status, errorOn(page.text)]).toEqual([400, 'access_denied'])
    expect(meeting.lines.join()).not.toContain(SECRET)
  })

  test('an ID Token that the provider did not sign is refused, though it came over TLS', async () => {
    const meeting = await meet()
    const honest = companyListener(meeting.upstream.origin, meeting.callback)
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const keys = [{ ...publicKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' }]
    let asked = 0
    meeting.upstream.serve((request, response) => {
      if (request.url !== '/jwks') return honest(request, response)
      asked += 1
      response.writeHead(200, { 'Content-Type': 'application/jwk-set+json' }).end(JSON.stringify({ keys }))
    })
    const page = await createBrowser({ wallet: REDIRECT_URI }).open(await push(meeting))
    expect([page.status, errorOn(page.text)]).toEqual([400, 'access_denied'])
    expect(asked).toBeGreaterThan(0)
  })

  test('a provider that is down is said to be, and found when it is back', async () => {
    const meeting = await meet()
    meeting.upstream.serve((_request, response) => void response.writeHead(503).end())
    const page = await createBrowser({ wallet: REDIRECT_URI }).open(await push(meeting))
    expect([page.status, errorOn(page.text)]).toEqual([503, 'temporarily_unavailable'])
    meeting.upstream.serve(companyListener(meeting.upstream.origin, meeting.callback))
    expect((await createBrowser({ wallet: REDIRECT_URI }).open(await push(meeting))).status).toBe(200)
  })
})
