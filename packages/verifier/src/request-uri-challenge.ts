/**
 * The challenge of an API without an authorization server: a 401 that hands over a request_uri.
 *
 * The scheme name and the body are ours; no standard names a way to ask for a credential in a 401. What follows
 * at request_uri and response_uri is plain OpenID4VP. The transaction belongs to the caller's DPoP key: that of
 * a proof sent with the refused call, else that of a proof sent with the answer.
 *
 * Nothing is stored for a challenge: it stands sealed in its own `request_uri`, so a flood of them costs no storage.
 *
 * Source: RFC 9110, section 11.6.1; OpenID4VP 1.0, section 5.7; requirements/headless-presentation.md, (a) 2.
 *
 * @module
 */
import { type Clock, json, NO_STORE, type NumericDate, type Random } from '@attache/core'
import type { Seal, Signer } from '@attache/keys'
import { createWwwAuthenticate, verifyDpopProof } from '@attache/oauth'
import { checkOutgoingRequest, checkRequestReference, encodeAuthorizationRequest } from '@attache/openid4vp'
import type { ProblemCode } from './errors.js'
import { requestUriOf, transactionRequest } from './presentation-request.js'
import { refuseFederatedEncryption, requestSigner } from './request-identity.js'
import type { AskedRequirement } from './requirement.js'
import { openRequest, sealRequest } from './sealed-request.js'
import type { Settings } from './settings.js'

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
  { settings }: Pick<RequestUriChallengeDeps, 'settings'>,
): string | undefined {
  const field = call.request.headers.get('DPoP')
  if (field === null) return undefined
  const expected = { method: call.request.method, url: call.url, algorithms: settings.algorithms }
  return verifyDpopProof(field, expected, call.now).jkt
}

/** What making a challenge needs. */
export interface RequestUriChallengeDeps {
  readonly settings: Settings
  /** Signs requests. */
  readonly signer: Signer
  readonly seal: Seal
  readonly random: Random
  readonly clock: Clock
}

/**
 * Makes sure that challenges for a requirement can be handed out: what wallets would refuse stops the start.
 *
 * @throws {TypeError} `request_uri`: origin, path and scope are too long for an address of 512 characters. Or a
 * code of `checkOutgoingRequest`.
 */
export function checkRequestUriChallenge(requirement: AskedRequirement, deps: RequestUriChallengeDeps): void {
  const { settings, signer, seal } = deps
  refuseFederatedEncryption(settings.clientId)
  const sample = sealRequest({ scope: requirement.scope, jkt: signer.kid }, Number.MAX_SAFE_INTEGER, deps)
  checkRequestReference(requestUriOf(sample.handle, settings), 'post')
  const opened = openRequest(sample.handle, 0, { settings, seal, requirementOf: () => requirement })
  if (opened === undefined) return
  const request = transactionRequest(opened.transaction, sample.handle, settings)
  const parameters = encodeAuthorizationRequest(request)
  const asked = requestSigner(settings.clientId, deps.clock(), { identity: settings.identity, signer })
  checkOutgoingRequest({ parameters, delivery: 'reference', signer: asked, profile: settings.profile })
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
export function challengeByRequestUri(
  facts: {
    readonly requirement: AskedRequirement
    readonly jkt: string | undefined
    readonly tokenRefused: boolean
    readonly now: NumericDate
  },
  deps: RequestUriChallengeDeps,
): Response {
  const { settings } = deps
  const expiresIn = settings.lifetimes.challenge
  const grant = { scope: facts.requirement.scope, jkt: facts.jkt }
  const { transactionId, handle } = sealRequest(grant, facts.now + expiresIn, deps)
  const scheme = settings.challengeScheme
  const body = {
    error: 'presentation_required',
    openid4vp: {
      client_id: settings.clientId,
      request_uri: requestUriOf(handle, settings),
      request_uri_method: 'post',
    },
    transaction_id: transactionId,
    expires_in: expiresIn,
  }
  const parameters = new Map([['version', '1']])
  if (facts.tokenRefused) parameters.set('error', 'invalid_token')
  const challenge = createWwwAuthenticate([{ scheme, parameters }])
  return json(401, body, { ...NO_STORE, 'WWW-Authenticate': challenge })
}
