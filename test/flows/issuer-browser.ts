/**
 * A scripted wallet with a browser: pushes a request, signs in, decides, redeems.
 *
 * @module
 */
import { createPkce } from '@attache/oauth'
import { createSeededRandom } from '../support/random.js'
import {
  bodyOf,
  CLIENT_ID,
  clientHeaders,
  createIssuerBench,
  createWallet,
  ISSUER,
  type IssuerBench,
  postForm,
  requestToken,
  type ScriptedWallet,
  textOf,
} from './issuer-bench.js'

export const CALLBACK = 'https://agents.example/cb'
export const SCOPE = `${ISSUER}/types/agent-role/v1`
export const PKCE = createPkce(createSeededRandom('pkce'))
export const REQUEST: Readonly<Record<string, string>> = {
  response_type: 'code',
  redirect_uri: CALLBACK,
  scope: SCOPE,
  state: 'w8s5vR3PIStd-A-EwgqEF-XO',
  code_challenge: PKCE.codeChallenge,
  code_challenge_method: 'S256',
}

export interface Held {
  readonly bench: IssuerBench
  readonly wallet: ScriptedWallet
}

export async function ready(options: Parameters<typeof createIssuerBench>[0] = {}): Promise<Held> {
  const bench = await createIssuerBench({ grants: ['authorization_code'], ...options })
  return { bench, wallet: await createWallet(bench) }
}

export async function outcome(response: Response): Promise<readonly [number, unknown]> {
  return [response.status, (await bodyOf(response))['error']]
}

export type Change = Readonly<Record<string, string | undefined>>

export async function push({ bench, wallet }: Held, change: Change = {}, dpop = false): Promise<Response> {
  const { DPoP, ...headers } = await clientHeaders(bench, wallet, `${ISSUER}/par`)
  const form = Object.fromEntries(
    Object.entries({ ...REQUEST, ...change }).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  )
  return postForm(bench, '/par', form, dpop ? { ...headers, DPoP: DPoP ?? '' } : headers)
}

export async function pushed(held: Held, change: Change = {}): Promise<string> {
  return textOf(await bodyOf(await push(held, change)), 'request_uri')
}

/** A browser with its cookie, as far as one is needed. */
export interface Page {
  readonly status: number
  readonly html: string
  readonly cookie: string
  readonly location: string | null
  readonly headers: Headers
}

export async function arrive(
  held: Held,
  requestUri: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Page> {
  const query = new URLSearchParams({ client_id: CLIENT_ID, request_uri: requestUri, ...more })
  return page(await held.bench.send(`${ISSUER}/authorize?${query}`))
}

export async function page(response: Response, cookie = ''): Promise<Page> {
  const { status, headers } = response
  const set = headers.get('Set-Cookie')?.split(';')[0] ?? cookie
  return { status, html: await response.text(), cookie: set, location: headers.get('Location'), headers }
}

export async function submit(
  held: Held,
  from: Page,
  step: 'sign-in' | 'decision',
  fields: Readonly<Record<string, string>>,
): Promise<Page> {
  const interaction = /name="interaction" value="([^"]+)"/.exec(from.html)?.[1] ?? ''
  const headers = { Cookie: from.cookie }
  return page(
    await postForm(held.bench, `/authorize/${step}`, { interaction, ...fields }, headers),
    from.cookie,
  )
}

export const GOOD = { username: 'ngozi', password: 'correct horse' }

export async function consent(held: Held, requestUri: string): Promise<Page> {
  return submit(held, await arrive(held, requestUri), 'sign-in', GOOD)
}

export async function approved(held: Held, change: Change = {}): Promise<URL> {
  const shown = await consent(held, await pushed(held, change))
  const decided = await submit(held, shown, 'decision', { agent: 'payroll-export', decision: 'approve' })
  return new URL(decided.location ?? '')
}

export async function redeem(
  held: Held,
  code: string,
  change: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const form = {
    grant_type: 'authorization_code',
    code,
    code_verifier: PKCE.codeVerifier,
    redirect_uri: CALLBACK,
  }
  return requestToken(held.bench, held.wallet, { ...form, ...change })
}

export async function codeOf(held: Held, change: Change = {}): Promise<string> {
  return (await approved(held, change)).searchParams.get('code') ?? ''
}
