/**
 * Calls that are signed where the API asked for it in its refusal, and only there.
 *
 * Source: RFC 9421, section 5.2.
 *
 * @module
 */
import { type OutboundFetch, utf8 } from '@attache/core'
import { parseAcceptSignature, REQUEST_SIGNATURE_TAG, signRequest } from '@attache/oauth'
import type { WalletParts } from './wallet-parts.js'

/**
 * Puts signatures before a fetch.
 *
 * @param refusal What the API answered to the call before; its `Accept-Signature` says how.
 * @returns The fetch itself where no signature of ours is asked for.
 * @throws {VerificationError} When called: the call has not what its signature must cover.
 */
export function signedFetch(fetch: OutboundFetch, refusal: Response, wallet: WalletParts): OutboundFetch {
  const field = refusal.headers.get('Accept-Signature')
  const asked = field === null ? [] : parseAcceptSignature(field)
  const accepted = asked.find(({ tag }) => tag === REQUEST_SIGNATURE_TAG)
  if (accepted === undefined) return fetch
  return async (url, init = {}) => {
    const { method = 'GET', headers = {}, body } = init
    const bytes = typeof body === 'string' ? utf8(body) : body
    const message = { method, url, headers: Object.entries(headers), body: bytes }
    const facts = { now: wallet.clock(), random: wallet.random, accepted }
    const fields = await signRequest(message, wallet.dpop, facts)
    return fetch(url, { ...init, headers: { ...headers, ...fields } })
  }
}
