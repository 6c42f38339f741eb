/**
 * One POST to an endpoint of a Credential Issuer, with the access token and a proof of its key.
 *
 * Owns the DPoP half at the issuer: nonces of this server only, one retry when it asks for one, and never a
 * fall-back to Bearer. What an answer means is for the caller.
 *
 * Source: RFC 9449, sections 7, 8.2 and 9; OpenID4VCI 1.0, sections 8.2, 9.1 and 11.1.
 *
 * @module
 */
import { type Clock, mediaType, type OutboundFetch, type Random } from '@attache/core'
import { createDpopFetch } from '@attache/oauth'
import type { ClientInstance } from './client-instance.js'
import type { ServerMemory } from './server-memory.js'

/** What a call needs. */
export interface IssuerCallDeps {
  readonly fetch: OutboundFetch
  readonly clock: Clock
  readonly random: Random
  readonly memory: ServerMemory
}

/** An answer, read to its end. */
export interface IssuerAnswer {
  readonly status: number
  /** Media type in lower case, without parameters. */
  readonly mediaType: string
  readonly text: string
}

/** Posts a body with an access token. */
export async function callIssuer(
  call: {
    readonly url: string
    readonly body: string
    readonly contentType: 'application/json' | 'application/jwt'
    readonly accessToken: string
    readonly client: ClientInstance
  },
  deps: IssuerCallDeps,
): Promise<IssuerAnswer> {
  const nonces = deps.memory.nonces(call.client.agent, 'issuer')
  const send = createDpopFetch({ ...deps, signer: call.client.dpop, nonces })
  const response = await send(call.url, {
    method: 'POST',
    body: call.body,
    accessToken: call.accessToken,
    headers: { accept: 'application/json, application/jwt', 'content-type': call.contentType },
    maxBytes: 1_048_576,
  })
  return { status: response.status, mediaType: mediaType(response.headers), text: await response.text() }
}

/** Posts to the nonce endpoint, which takes neither token nor body. */
export async function fetchIssuerNonce(
  call: { readonly url: string; readonly client: ClientInstance },
  deps: IssuerCallDeps,
): Promise<IssuerAnswer> {
  const response = await deps.fetch(call.url, { method: 'POST', headers: { accept: 'application/json' } })
  // A DPoP nonce may travel along; the credential request then needs no second attempt.
  deps.memory.nonces(call.client.agent, 'issuer').note(call.url, response.headers)
  return { status: response.status, mediaType: mediaType(response.headers), text: await response.text() }
}
