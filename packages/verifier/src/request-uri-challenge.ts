/**
 * The challenge of an API without an authorization server: a 401 that hands over a request_uri.
 *
 * The scheme name and the body are ours; no standard names a way to ask for a credential in a 401. What follows
 * at request_uri and response_uri is plain OpenID4VP. The transaction belongs to the caller's DPoP key: that of
 * a proof sent with the refused call, else that of a proof sent with the answer.
 *
 * Unlike the challenge route this one keeps a record per challenge, for as long as the challenge lives: put a
 * rate limit in front of routes that strangers reach.
 *
 * Source: RFC 9110, section 11.6.1; OpenID4VP 1.0, section 5.7; requirements/headless-presentation.md, (a) 2.
 *
 * @module
 */
import { json, NO_STORE, type NumericDate } from '@attache/core'
import { createWwwAuthenticate, verifyDpopProof } from '@attache/oauth'
import { encodeDcqlQuery } from '@attache/openid4vp'
import type { ProblemCode } from './errors.js'
import type { AskedRequirement } from './requirement.js'
import { type StartTransactionDeps, startTransaction } from './start-transaction.js'

const PRESENT_AGAIN: readonly ProblemCode[] = [
  'token_missing',
  'token_invalid',
  'credential_revoked',
  'credential_expired',
  'scope_insufficient',
  'step_up_needed',
]

/** Whether another presentation can help a call that was refused for this reason. */
export function helpsToPresent(code: ProblemCode): boolean {
  return PRESENT_AGAIN.includes(code)
}

/**
 * The key that a call without a token shows.
 *
 * Nothing is gained by repeating such a proof: it lets nobody in, and the token goes to the owner of the key.
 *
 * @returns RFC 7638 thumbprint; nothing when no proof was sent.
 * @throws {ProtocolError} `invalid_dpop_proof`.
 */
export function callerKey(
  call: { readonly request: Request; readonly url: string; readonly now: NumericDate },
  { settings }: Pick<StartTransactionDeps, 'settings'>,
): string | undefined {
  const field = call.request.headers.get('DPoP')
  if (field === null) return undefined
  const expected = { method: call.request.method, url: call.url, algorithms: settings.algorithms }
  return verifyDpopProof(field, expected, call.now).jkt
}

/**
 * Begins a transaction for a refused call and makes the 401 that carries it.
 *
 * @param facts.jkt Of {@link callerKey}.
 * @param facts.tokenRefused The call carried a token that does not serve here: the challenge says so, as RFC 6750
 * does, lest a wallet send the same one again.
 *
 * Source: requirements/headless-presentation.md, (a) 1 and 2.
 */
export async function challengeByRequestUri(
  facts: {
    readonly requirement: AskedRequirement
    readonly jkt: string | undefined
    readonly tokenRefused: boolean
    readonly now: NumericDate
  },
  deps: StartTransactionDeps,
): Promise<Response> {
  const { settings } = deps
  const { scope, query } = facts.requirement
  const expiresIn = settings.lifetimes.challenge
  const started = await startTransaction(
    {
      query: encodeDcqlQuery(query),
      method: 'post',
      returnUri: `${settings.origin}${settings.endpoints.redeem}`,
      grant: { scope, jkt: facts.jkt },
      lifetimeSeconds: expiresIn,
    },
    facts.now,
    deps,
  )
  const scheme = settings.challengeScheme
  const body = {
    error: 'presentation_required',
    openid4vp: {
      client_id: started.clientId,
      request_uri: started.requestUri,
      request_uri_method: 'post',
    },
    transaction_id: started.transactionId,
    expires_in: expiresIn,
  }
  const parameters = new Map([['version', '1']])
  if (facts.tokenRefused) parameters.set('error', 'invalid_token')
  const challenge = createWwwAuthenticate([{ scheme, parameters }])
  return json(401, body, { ...NO_STORE, 'WWW-Authenticate': challenge })
}
