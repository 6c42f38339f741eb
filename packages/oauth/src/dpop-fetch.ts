/**
 * The client's side of DPoP over a connection: which nonce goes to which server, and the one retry.
 *
 * Owns the nonce memory and the fetch that adds a proof to every request. Does not follow redirects, nor does
 * the fetch it is given: a proof never reaches another URI than the one it was made for.
 *
 * Source: RFC 9449, sections 5, 7.1, 8, 8.2 and 9.
 *
 * @module
 */
import type { Clock, OutboundFetch, OutboundRequest, Random } from '@attache/core'
import type { Signer } from '@attache/keys'
import { createDpopProof } from './dpop.js'
import { originOf } from './target-uri.js'
import { parseWwwAuthenticate } from './www-authenticate.js'

/** Keeps the latest nonce of each server; the nonces of two origins never mix. */
export interface DpopNonceMemory {
  /** The nonce to send to this URL's origin, when one is known. */
  get(url: string): string | undefined
  /** Takes the nonce of any response, whatever its status. */
  note(url: string, headers: Headers): void
}

/**
 * Creates an empty memory for at most a thousand origins; the oldest goes first.
 *
 * Source: RFC 9449, section 8.2.
 */
export function createDpopNonceMemory(maxOrigins = 1000): DpopNonceMemory {
  const nonces = new Map<string, string>()
  return {
    get: (url) => nonces.get(originOf(url)),
    note(url, headers) {
      const nonce = headers.get('DPoP-Nonce')
      if (nonce === null || !/^[\x21\x23-\x5b\x5d-\x7e]{1,2048}$/.test(nonce)) return
      nonces.delete(originOf(url))
      nonces.set(originOf(url), nonce)
      for (const oldest of nonces.keys()) if (nonces.size > maxOrigins) nonces.delete(oldest)
    },
  }
}

/** What a DPoP fetch needs. */
export interface DpopFetchDeps {
  readonly fetch: OutboundFetch
  readonly signer: Signer
  readonly nonces: DpopNonceMemory
  readonly clock: Clock
  readonly random: Random
}

/** A request with a proof; with a token, the token is sent with the scheme `DPoP`. */
export interface DpopOutboundRequest extends OutboundRequest {
  readonly accessToken?: string
}

/**
 * Creates the fetch that adds a fresh proof to every request and repeats it once when the server asks for a
 * nonce; the second demand is handed to the caller as it came.
 *
 * Source: RFC 9449, sections 7.1, 7.3, 8 and 9.
 */
export function createDpopFetch(
  deps: DpopFetchDeps,
): (url: string, init?: DpopOutboundRequest) => Promise<Response> {
  const send = async (url: string, init: DpopOutboundRequest): Promise<Response> => {
    const response = await deps.fetch(url, { ...init, headers: await headersWithProof(url, init, deps) })
    deps.nonces.note(url, response.headers)
    return response
  }
  return async (url, init = {}) => {
    const first = await send(url, init)
    return (await demandsDpopNonce(first)) && deps.nonces.get(url) !== undefined ? send(url, init) : first
  }
}

/**
 * The `Authorization` and `DPoP` fields of one request.
 *
 * Source: RFC 9449, section 7.1.
 */
export async function headersWithProof(
  url: string,
  init: DpopOutboundRequest,
  deps: Omit<DpopFetchDeps, 'fetch'>,
): Promise<Record<string, string>> {
  const { accessToken, method = 'GET' } = init
  const nonce = deps.nonces.get(url)
  const facts = { now: deps.clock(), random: deps.random }
  const proof = await createDpopProof({ method, url, accessToken, nonce }, deps.signer, facts)
  const authorization = accessToken === undefined ? {} : { authorization: `DPoP ${accessToken}` }
  return { ...init.headers, ...authorization, dpop: proof }
}

/**
 * Tells whether a response asks for a proof with the nonce it carries: 400 with a JSON error at an
 * authorization server, 401 with a challenge at a resource server.
 *
 * Source: RFC 9449, sections 8 and 9.
 */
export async function demandsDpopNonce(response: Response): Promise<boolean> {
  if (response.headers.get('DPoP-Nonce') === null) return false
  if (response.status === 401 && challengeAsksForNonce(response.headers.get('WWW-Authenticate'))) return true
  // An authorization server may answer 401 too, where its 400 would be `invalid_client` otherwise.
  if (response.status !== 400 && response.status !== 401) return false
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined)
  return typeof body === 'object' && body !== null && 'error' in body && body.error === 'use_dpop_nonce'
}

function challengeAsksForNonce(field: string | null): boolean {
  if (field === null) return false
  try {
    return parseWwwAuthenticate(field).some(
      ({ scheme, parameters }) => scheme === 'dpop' && parameters.get('error') === 'use_dpop_nonce',
    )
  } catch {
    return false
  }
}
