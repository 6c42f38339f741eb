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
import {
  type JsonObject,
  type NumericDate,
  ProtocolError,
  type Random,
  randomId,
  type Store,
  storeKey,
} from '@attache/core'
import type { Signer } from '@attache/keys'
import {
  type Confirmation,
  createAccessToken,
  type TokenRequest,
  type TokenResponse,
  verifyPkce,
} from '@attache/oauth'
import { codeKey } from './answer-challenge.js'
import { type AuthorizationGrant, encodeGrant, parseGrant } from './authorization-grant.js'
import { type AuthenticatedCaller, PLACE } from './client-authentication.js'
import { encodePresentation, type Presentation } from './presentation.js'
import type { Settings } from './settings.js'

/** The claim of an access token that says whose credential stands behind it: no claim value, no credential. */
export const PRESENTATION_CLAIM = 'attache_presentation'

/** Where the presentation behind a token is kept; without it the token counts for nothing. */
export function tokenKey(jti: string): string {
  return storeKey({ ...PLACE, kind: 'token', id: jti })
}

/** What redeeming needs. */
export interface RedeemCodeDeps {
  readonly settings: Settings
  /** Signs access tokens. */
  readonly signer: Signer
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
  const expiresAt = tokenEnd(grant, now, deps.settings)
  const used = encodeGrant({ ...grant, usedFor: jti })
  const steps = [
    { op: 'replace' as const, key, version: stored.version, value: used, expiresAt },
    { op: 'put' as const, key: tokenKey(jti), value: encodePresentation(grant.presentation), expiresAt },
  ]
  if (!(await deps.store.commit([...steps, ...caller.remember]))) throw unknownCode()
  const confirmation = { jkt: grant.jkt, certificateThumbprint: caller.certificateThumbprint }
  return token(grant, { jti, now, expiresAt, confirmation }, deps)
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

// A token never outlives the credential it speaks of.
function tokenEnd(grant: AuthorizationGrant, now: NumericDate, settings: Settings): NumericDate {
  const ends = grant.presentation.credentials.map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY)
  const end = Math.min(now + settings.lifetimes.token, ...ends)
  if (end > now) return end
  throw new ProtocolError('invalid_grant', 'The credential has expired. Present another one.')
}

async function token(
  grant: AuthorizationGrant,
  {
    jti,
    now,
    expiresAt,
    confirmation,
  }: {
    readonly jti: string
    readonly now: NumericDate
    readonly expiresAt: NumericDate
    readonly confirmation: Confirmation
  },
  { settings, signer }: RedeemCodeDeps,
): Promise<TokenResponse> {
  const accessToken = await createAccessToken(
    {
      issuer: settings.origin,
      subject: grant.clientId,
      audience: settings.origin,
      clientId: grant.clientId,
      scope: grant.scope,
      issuedAt: now,
      expiresAt,
      jti,
      confirmation,
      claims: { [PRESENTATION_CLAIM]: behind(grant.presentation) },
    },
    signer,
  )
  return { accessToken, tokenType: 'DPoP', expiresInSeconds: expiresAt - now, scope: grant.scope }
}

// For services that verify offline: whose credential it was, and nothing of what it says.
function behind({ transaction, credentials }: Presentation): JsonObject {
  return {
    transaction,
    credentials: credentials.map(({ queryId, issuer, vct, holderKey }) => ({
      query: queryId,
      iss: issuer,
      vct,
      ...(holderKey === undefined ? {} : { holder: holderKey }),
    })),
  }
}
