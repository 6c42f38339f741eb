/**
 * The access token that a presentation becomes, whatever route it came by: bound to a key, living minutes.
 *
 * Owns its content, its end, and where the presentation behind it is kept. Who may have it is decided in
 * `redeem-code.ts` and `redeem-transaction.ts`.
 *
 * Source: RFC 9068; RFC 9449, sections 5 and 6; RFC 8705, section 3.
 *
 * @module
 */
import { type JsonObject, type NumericDate, ProtocolError, storeKey } from '@attache/core'
import type { Signer } from '@attache/keys'
import { type Confirmation, createAccessToken, type TokenResponse } from '@attache/oauth'
import type { RecordEvent } from './audit-record.js'
import { PLACE } from './client-authentication.js'
import type { Presentation } from './presentation.js'
import type { Settings } from './settings.js'

/** The claim of an access token that says whose credential stands behind it: no claim value, no credential. */
export const PRESENTATION_CLAIM = 'attache_presentation'

/** Where the presentation behind a token is kept; without it the token counts for nothing. */
export function tokenKey(jti: string): string {
  return storeKey({ ...PLACE, kind: 'token', id: jti })
}

/** What a token is granted for. */
export interface TokenFacts {
  readonly clientId: string
  readonly scope: string
  readonly presentation: Presentation
  readonly jti: string
  readonly now: NumericDate
  /** Of {@link tokenEnd}. */
  readonly expiresAt: NumericDate
  readonly confirmation: Confirmation
}

/**
 * When a token ends: never after the credential it speaks of.
 *
 * @throws {ProtocolError} `invalid_grant`: the credential has expired.
 */
export function tokenEnd(presentation: Presentation, now: NumericDate, settings: Settings): NumericDate {
  const ends = presentation.credentials.map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY)
  const end = Math.min(now + settings.lifetimes.token, ...ends)
  if (end > now) return end
  throw new ProtocolError('invalid_grant', 'The credential has expired. Present another one.')
}

/** What making a token needs. */
export interface PresentationTokenDeps {
  readonly settings: Settings
  /** Signs access tokens. */
  readonly signer: Signer
  readonly record: RecordEvent
}

/** Signs the token, and writes down that it was granted. */
export async function createPresentationToken(
  facts: TokenFacts,
  deps: PresentationTokenDeps,
): Promise<TokenResponse> {
  const { settings, signer } = deps
  const { clientId, scope, presentation, jti, now, expiresAt, confirmation } = facts
  const accessToken = await createAccessToken(
    {
      issuer: settings.origin,
      subject: clientId,
      audience: settings.origin,
      clientId,
      scope,
      issuedAt: now,
      expiresAt,
      jti,
      confirmation,
      claims: { ...authentication(presentation), [PRESENTATION_CLAIM]: behind(presentation) },
    },
    signer,
  )
  // Bearer is the name for a token that no proof goes with (RFC 8705, section 3; RFC 9449, section 5).
  const tokenType = confirmation.jkt === undefined ? 'Bearer' : 'DPoP'
  const granted = { client: clientId, scope, presented: presentation.transaction, expires: expiresAt }
  await deps.record({ kind: 'verifier.token_granted', subject: jti, facts: granted })
  return { accessToken, tokenType, expiresInSeconds: expiresAt - now, scope }
}

// Source: RFC 9470, section 6.1; RFC 9068, section 2.2.1.
function authentication({ presentedAt, context }: Presentation): JsonObject {
  return {
    ...(presentedAt === undefined ? {} : { auth_time: presentedAt }),
    ...(context === undefined ? {} : { acr: context }),
  }
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
