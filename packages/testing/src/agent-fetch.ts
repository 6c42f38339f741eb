/**
 * The `fetch` of an agent whose wallet answers challenges: asks, presents where it must, asks once more; signed, where
 * the API wants that.
 *
 * Source: RFC 9728, section 5; RFC 9449, section 7.1; RFC 9421, section 5.
 *
 * @module
 */
import type { Handler, Route } from '@attache/core'
import { createDpopFetch, createDpopNonceMemory, parseWwwAuthenticate } from '@attache/oauth'
import { fetchFromHandler, fetchFromRoutes } from './in-process-fetch.js'
import { type Demand, obtainToken } from './obtain-token.js'
import { signedFetch } from './signed-fetch.js'
import type { WalletParts } from './wallet-parts.js'

/** The platform's `fetch`, as far as a test needs it. */
export type AgentFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/**
 * Creates the fetch of one agent for one API.
 *
 * A token is used until the API no longer takes it. Where nothing is granted, the API's own answer comes back
 * unchanged.
 */
export function createAgentFetch(
  api: { readonly routes: readonly Route[]; readonly handle: Handler },
  wallet: WalletParts,
): AgentFetch {
  const tokens = new Map<string, string>()
  const [toServer, toApi] = [fetchFromRoutes(api.routes), fetchFromHandler(api.handle)]
  const nonces = createDpopNonceMemory()
  return async (input, init) => {
    const request = new Request(input, init)
    const message = await messageOf(request)
    const first = await toApi(request.url, message)
    const demand = demandIn(first)
    if (demand === undefined) return first
    const fetch = signedFetch(toApi, first, wallet)
    const withProof = createDpopFetch({ ...wallet, fetch, signer: wallet.dpop, nonces })
    const kept = tokens.get(demand.scope)
    if (kept !== undefined) {
      const second = await withProof(request.url, { ...message, accessToken: kept })
      if (second.status !== 401) return second
      tokens.delete(demand.scope)
    }
    const accessToken = await obtainToken(demand, toServer, wallet)
    if (accessToken === undefined) return first
    tokens.set(demand.scope, accessToken)
    return withProof(request.url, { ...message, accessToken })
  }
}

async function messageOf(request: Request) {
  const message = { method: request.method, headers: Object.fromEntries(request.headers) }
  return request.body === null ? message : { ...message, body: new Uint8Array(await request.arrayBuffer()) }
}

function demandIn(answer: Response): Demand | undefined {
  const field = answer.headers.get('WWW-Authenticate')
  if (answer.status !== 401 || field === null) return undefined
  const challenge = parseWwwAuthenticate(field).find(({ scheme }) => scheme === 'dpop')
  const [resourceMetadata, scope] = ['resource_metadata', 'scope'].map((name) =>
    challenge?.parameters.get(name),
  )
  return resourceMetadata === undefined || scope === undefined ? undefined : { resourceMetadata, scope }
}
