/**
 * The gate as a subrequest: for proxies that ask before they pass a request on (nginx `auth_request` and its like).
 *
 * The proxy names the original method and target in two header fields that it sets itself. To be reachable by the
 * proxy alone: whoever reaches it directly chooses what is asked.
 *
 * Claims go back as header fields for the API behind the proxy, which must replace whatever a client sent under
 * those names. Their values are percent-encoded UTF-8, so that a claim can never break a header.
 *
 * @module
 */
import { configurationError, type Handler, type JsonObject, type JsonValue, member } from '@attache/core'
import type { Gate, GateOutcome } from './gate.js'
import { isPlainPath } from './plain-request.js'

/** How a proxy and this handler speak. */
export interface AuthRequestOptions {
  /** Claim by response header field: `{ 'X-Claim-Role': 'role' }`. An absent claim sends no field. */
  readonly claimHeaders?: Readonly<Record<string, string>>
  /** Field with the original method. @default `X-Original-Method` */
  readonly methodHeader?: string
  /** Field with the original target, path and query. @default `X-Original-URI` */
  readonly targetHeader?: string
}

const ANY_ORIGIN = 'https://origin.invalid'
const TOKEN = /^[A-Za-z0-9-]+$/

/**
 * Makes the handler that a proxy asks. A proxy passes on no body of a refusal, so a gate with
 * `challenge: 'request_uri'` is of no use behind one.
 *
 * @returns A handler that answers 204 with claims, 401 or 403; proxies turn any other status into an error.
 * @throws {TypeError} `claim_header`: a name that is no plain header field name. `gate_reads_body`: the gate verifies
 * bodies, and a proxy that asks first hands none on.
 */
export function createAuthRequestHandler(gate: Gate, options: AuthRequestOptions = {}): Handler {
  const { claimHeaders = {}, methodHeader = 'X-Original-Method', targetHeader = 'X-Original-URI' } = options
  if (gate.readsBody === true) {
    throw configurationError('gate_reads_body', 'A proxy that asks first hands on no body to verify.')
  }
  for (const name of Object.keys(claimHeaders)) {
    if (!TOKEN.test(name)) {
      throw configurationError('claim_header', 'Names of claim headers hold letters, digits and hyphens.')
    }
  }
  return async (request) => {
    const method = request.headers.get(methodHeader)
    const target = request.headers.get(targetHeader)
    const original = method === null || target === null ? undefined : originalRequest(request, method, target)
    if (original === undefined) return new Response(null, { status: 403 })
    const outcome = await gate(original)
    return outcome.allowed ? letIn(outcome, claimHeaders) : refusal(outcome.response)
  }
}

function originalRequest(request: Request, method: string, target: string): Request | undefined {
  const url = `${ANY_ORIGIN}${target}`
  // Judged as it was sent: the platform's parser would resolve what the API behind may read otherwise.
  if (!isPlainPath(target.replace(/[?#].*$/, '')) || !URL.canParse(url)) return undefined
  if (!/^[A-Z]+$/.test(method) || ['TRACE', 'TRACK', 'CONNECT'].includes(method)) return undefined
  return new Request(url, { method, headers: request.headers })
}

function letIn(
  { presentation }: Extract<GateOutcome, { allowed: true }>,
  claimHeaders: Readonly<Record<string, string>>,
): Response {
  const headers = new Headers({ 'Cache-Control': 'no-store' })
  for (const [name, claim] of Object.entries(claimHeaders)) {
    const value = textOf(presentation.claims, claim)
    if (value !== undefined) headers.set(name, encodeURIComponent(value))
  }
  return new Response(null, { status: 204, headers })
}

function textOf(claims: JsonObject, name: string): string | undefined {
  const value: JsonValue | undefined = member(claims, name)
  if (value === undefined || value === null) return undefined
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function refusal(response: Response): Response {
  if (response.status === 401 || response.status === 403) return response
  return new Response(response.body, { status: 403, headers: response.headers })
}
