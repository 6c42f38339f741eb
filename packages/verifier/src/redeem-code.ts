/**
 * The token endpoint's work: a code becomes a token that is bound to a key and lives minutes.
 *
 * The code is marked used, the presentation put behind the token and the proofs remembered in one step, after
 * every check: of many at once one wins, and somebody with a stolen code but other keys does not spoil it for
 * its owner. A second use by the owner takes the first token down.
 *
 * Source: RFC 6749, section 4.1.3; RFC 7636, section 4.6; RFC 9068; RFC 9449, sections 5 and 10.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Random, randomId, type Store } from '@attache/core'
import { type TokenRequest, type TokenResponse, verifyPkce } from '@attache/oauth'
import { codeKey } from './answer-challenge.js'
import { type AuthorizationGrant, encodeGrant, parseGrant } from './authorization-grant.js'
import type { AuthenticatedCaller } from './client-authentication.js'
import { encodePresentation } from './presentation.js'
import {
  createPresentationToken,
  type PresentationTokenDeps,
  tokenEnd,
  tokenKey,
} from './presentation-token.js'
import { inContext, PRESENTATION_CONTEXTS } from './step-up.js'

/** What redeeming needs. */
export interface RedeemCodeDeps extends PresentationTokenDeps {
  readonly random: Random
  readonly store: Pick<Store, 'get' | 'commit' | 'take'>
}

/**
 * Redeems a code.
 *
 * @throws {ProtocolError} `unsupported_grant_type`, `invalid_grant`, `invalid_target`.
 *
 * Source: RFC 6749, section 4.1.3; RFC 9449, section 10.
 */
export async function redeemCode(
  facts: { readonly wanted: TokenRequest; readonly caller: AuthenticatedCaller; readonly now: NumericDate },
  deps: RedeemCodeDeps,
): Promise<TokenResponse> {
  const { wanted, caller, now } = facts
  if (wanted.grantType !== 'authorization_code') {
    throw new ProtocolError('unsupported_grant_type', 'This grant type is not offered here.')
  }
  if (wanted.resource !== undefined && wanted.resource !== deps.settings.origin) {
    throw new ProtocolError('invalid_target', 'This server grants access to its own resource only.')
  }
  const key = codeKey(wanted.code)
  const stored = await deps.store.get(key)
  const grant = stored === undefined ? undefined : parseGrant(stored.value)
  if (
    stored === undefined ||
    grant === undefined ||
    !isHolder(grant, caller) ||
    wanted.redirectUri !== undefined
  ) {
    throw unknownCode()
  }
  verifyPkce(wanted.codeVerifier, grant.codeChallenge)
  if (grant.usedFor !== undefined) {
    // Two parties hold this code: neither keeps what it was good for (RFC 6749, section 4.1.2).
    await deps.store.take(tokenKey(grant.usedFor))
    throw unknownCode()
  }
  const jti = randomId(deps.random, 'tok')
  const expiresAt = tokenEnd(grant.presentation, now, deps.settings)
  const used = encodeGrant({ ...grant, usedFor: jti })
  // Client and wallet are one party here, and an attester vouches for it.
  const presentation = inContext(grant.presentation, PRESENTATION_CONTEXTS.attestedWallet)
  const steps = [
    { op: 'replace' as const, key, version: stored.version, value: used, expiresAt },
    { op: 'put' as const, key: tokenKey(jti), value: encodePresentation(presentation), expiresAt },
  ]
  if (!(await deps.store.commit([...steps, ...caller.remember]))) throw unknownCode()
  const { proof, certificateThumbprint } = caller
  const confirmation =
    proof === undefined ? { certificateThumbprint } : { jkt: proof.jkt, certificateThumbprint }
  const { clientId, scope } = grant
  return createPresentationToken({ clientId, scope, presentation, jti, now, expiresAt, confirmation }, deps)
}

function isHolder(grant: AuthorizationGrant, { client, binding }: AuthenticatedCaller): boolean {
  return (
    grant.clientId === client.clientId && grant.jkt === binding && grant.instanceJkt === client.instanceJkt
  )
}

function unknownCode(): ProtocolError {
  return new ProtocolError(
    'invalid_grant',
    'The code is unknown, used or bound to another client. Start again.',
  )
}
