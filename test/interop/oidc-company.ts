/**
 * A company's OpenID Provider (`oidc-provider`) and somebody at a browser before it.
 *
 * Owns what people do on the provider's own pages, and a browser that keeps cookies and follows redirects until
 * a page, or the wallet, is reached.
 *
 * @module
 */
import type { RequestListener } from 'node:http'
import Provider from 'oidc-provider'
import { createPeerFetch } from './peer-fetch.js'

export const SECRET = 'client-secret-of-the-test-0123456789-abcdef'
export const NGOZI = { name: 'Ngozi Okafor', employee_id: 'E-10442' }

/** Who sits before the browser, and what that person does. */
export interface Company {
  /** As the provider's claims say. */
  readonly claims?: Readonly<Record<string, string>>
  readonly interaction?: 'signs in' | 'gives up'
  /** Whether claims stand in the ID Token; else the userinfo endpoint has them. */
  readonly claimsInToken?: boolean
}

/** Everything the provider answers. */
export function companyListener(origin: string, callback: string, company: Company = {}): RequestListener {
  const { interaction = 'signs in' } = company
  const provider = companyProvider(origin, callback, company)
  const answer = provider.callback()
  return (request, response) => {
    if (!request.url?.startsWith('/interaction/')) return answer(request, response)
    finish(provider, interaction, [request, response]).catch(() => response.writeHead(500).end())
  }
}

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
      claims: () => ({ sub: id, ...(company.claims ?? NGOZI) }),
    }),
  })
}

/** What somebody does on the provider's own pages. */
async function finish(
  provider: Provider,
  interaction: NonNullable<Company['interaction']>,
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

/** Where a browser ended. */
export interface Shown {
  readonly status: number
  readonly text: string
  readonly url: string
}

/** Somebody at a browser. */
export interface CompanyBrowser {
  open(url: string, form?: URLSearchParams): Promise<Shown>
  /** Every address it was at, in order. */
  readonly visited: readonly string[]
}

/**
 * Makes a browser.
 *
 * @param world.wallet Where the journey ends: the wallet's redirect URI.
 * @param world.at The address behind a name, where a test gives an issuer one of its own.
 */
export function createBrowser(world: {
  readonly wallet: string
  readonly at?: (url: string) => string
}): CompanyBrowser {
  const { wallet, at = (url) => url } = world
  const jars = new Map<string, Map<string, string>>()
  const visited: string[] = []
  const peer = createPeerFetch()
  async function open(url: string, form?: URLSearchParams): Promise<Shown> {
    if (url.startsWith(wallet)) return { status: 200, text: '', url }
    visited.push(url)
    const { origin } = new URL(url)
    const jar = jars.get(origin) ?? new Map<string, string>()
    jars.set(origin, jar)
    const headers = { Cookie: [...jar].map((pair) => pair.join('=')).join('; ') }
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const post = form && { method: 'POST', body: form.toString(), headers: { ...headers, ...type } }
    const response = await peer.fetch(at(url), post ?? { headers })
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

/** The code of an error page. */
export function errorOn(page: string): string | undefined {
  return /data-error="([^"]+)"/.exec(page)?.[1]
}
