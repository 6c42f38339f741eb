/**
 * Chapter 6: bad input, from strangers at the public endpoints.
 *
 * @module
 */
import { isJsonObject, member, type OutboundFetch, type OutboundRequest, parseJson } from '@attache/core'
import type { Report } from './report.js'
import type { Setting } from './setting.js'

interface BadCall {
  readonly what: string
  readonly url: string
  readonly init: OutboundRequest
  /** Status and error code the standard names. */
  readonly expected: { readonly status: number; readonly error?: string }
}

const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
const JSON_TYPE = { 'Content-Type': 'application/json' }
const GRANT = 'urn:ietf:params:oauth:grant-type:pre-authorized_code'

function badCalls({ issuer, api }: Setting): readonly BadCall[] {
  const post = (headers: Readonly<Record<string, string>>, body: string): OutboundRequest => ({
    method: 'POST',
    headers,
    body,
  })
  const redemption = new URLSearchParams({ grant_type: GRANT, 'pre-authorized_code': 'x' }).toString()
  return [
    { what: 'an unknown route', url: `${issuer}/nothing-here`, init: {}, expected: { status: 404 } },
    { what: 'an unknown offer', url: `${issuer}/offers/unknown`, init: {}, expected: { status: 404 } },
    {
      what: 'a wallet that nobody vouches for',
      url: `${issuer}/token`,
      init: post(FORM, redemption),
      expected: { status: 401, error: 'invalid_client' },
    },
    {
      what: 'a form parameter sent twice',
      url: `${issuer}/token`,
      init: post(FORM, 'grant_type=a&grant_type=b'),
      expected: { status: 400, error: 'invalid_request' },
    },
    {
      what: 'JSON where a form belongs',
      url: `${issuer}/token`,
      init: post(JSON_TYPE, '{"grant_type":'),
      expected: { status: 400, error: 'invalid_request' },
    },
    {
      what: 'a body of 2 MB',
      url: `${issuer}/token`,
      init: post(FORM, `a=${'x'.repeat(2_000_000)}`),
      expected: { status: 413, error: 'request_too_large' },
    },
    {
      what: 'a credential request without a token',
      url: `${issuer}/credential`,
      init: post(JSON_TYPE, '{}'),
      expected: { status: 401 },
    },
    {
      what: 'the API without a token',
      url: `${api}/payroll/export`,
      init: post(JSON_TYPE, '{}'),
      expected: { status: 401 },
    },
    {
      what: 'a challenge request without a proof',
      url: `${api}/attache/challenge`,
      init: post(FORM, 'response_type=code'),
      expected: { status: 400, error: 'invalid_dpop_proof' },
    },
  ]
}

/** Sends what must be refused, and compares status and error code with what the standards say. */
export async function tellBadInput(setting: Setting, fetch: OutboundFetch, report: Report): Promise<void> {
  report.chapter('Bad input')
  for (const { what, url, init, expected } of badCalls(setting)) {
    const response = await fetch(url, init)
    const error = errorOf(parseJson(await response.text()))
    const right = response.status === expected.status && (expected.error ?? error) === error
    report.expect(what, { held: right, detail: `${response.status} ${error}`.trim() })
  }
}

function errorOf(parsed: ReturnType<typeof parseJson>): string {
  if (!parsed.ok || !isJsonObject(parsed.value)) return ''
  const error = member(parsed.value, 'error') ?? member(parsed.value, 'code')
  return typeof error === 'string' ? error : ''
}
