/**
 * The token endpoint's work: a code becomes a token that is bound to a key and lives minutes.
 *
 * The code is removed and the proofs are remembered in one step, after every check: of many at once one wins,
 * and somebody with a stolen code but other keys does not spoil it for its owner.
 *
 * Source: RFC 6749, section 4.1.3; RFC 7636, section 4.6; RFC 9068; RFC 9449, sections 5 and 10.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Random, randomId, type Store } from '@attache/core'
import type { Signer } from '@attache/keys'
import { createAccessToken, type TokenRequest, type TokenResponse, verifyPkce } from '@attache/oauth'
import { codeKey } from './answer-challenge.js'
import { type AuthorizationGrant, parseGrant } from './authorization-grant.js'
import type { AuthenticatedCaller } from './client-authentication.js'
import { encodePresentation } from './presentation.js'
import type { Settings } from './settings.js'

/** The claim of an access token that carries what was presented. */
export const PRESENTATION_CLAIM = 'attache_presentation'

/** What redeeming needs. */
export interface RedeemCodeDeps {
  readonly settings: Settings
  /** Signs access tokens. */
  readonly signer: Signer
  readonly random: Random
  readonly store: Pick<Store, 'get' | 'commit'>
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
  const remove = { op: 'remove' as const, key, version: stored.version }
  if (!(await deps.store.commit([remove, ...caller.remember]))) throw unknownCode()
  return token(grant, now, deps)
}

function isHolder(grant: AuthorizationGrant, { client, proof }: AuthenticatedCaller): boolean {
  return (
    grant.clientId === client.clientId && grant.jkt === proof.jkt && grant.instanceJkt === client.instanceJkt
  )
}

function unknownCode(): ProtocolError {
  return new ProtocolError(
    'invalid_grant',
    'The code is unknown, used or bound to another client. Start again.',
  )
}

async function token(
  grant: AuthorizationGrant,
  now: NumericDate,
  deps: RedeemCodeDeps,
): Promise<TokenResponse> {
  const { settings, signer, random } = deps
  // A token never outlives the credential it speaks of.
  const ends = grant.presentation.credentials.map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY)
  const expiresAt = Math.min(now + settings.lifetimes.token, ...ends)
  if (expiresAt <= now)
    throw new ProtocolError('invalid_grant', 'The credential has expired. Present another one.')
  const accessToken = await createAccessToken(
    {
      issuer: settings.origin,
      subject: grant.clientId,
      audience: settings.origin,
      clientId: grant.clientId,
      scope: grant.scope,
      issuedAt: now,
      expiresAt,
      jti: randomId(random, 'tok'),
      confirmation: { jkt: grant.jkt },
      claims: { [PRESENTATION_CLAIM]: encodePresentation(grant.presentation) },
    },
    signer,
  )
  return { accessToken, tokenType: 'DPoP', expiresInSeconds: expiresAt - now, scope: grant.scope }
}
