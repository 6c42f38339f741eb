/**
 * `auth_session`: everything the challenge route remembers between its two requests, sealed and handed out.
 *
 * Nothing is stored when a challenge is made, so a flood of challenges costs no storage. The private key for
 * the encrypted answer travels inside the seal.
 *
 * Source: first-party apps -03, sections 5.3.1 and 9.6.1; requirements/headless-presentation.md, (b).
 *
 * @module
 */
import { isJsonObject, type JsonObject, type JsonValue, member, type NumericDate } from '@attache/core'
import type { Seal } from '@attache/keys'

/** What a challenge was made for. */
export interface ChallengeSession {
  /** Names this challenge; its one use is recorded under this id. */
  readonly id: string
  readonly clientId: string
  /** Thumbprint of the DPoP key that began the flow and must end it, or `x5t#S256:` and the certificate's. */
  readonly jkt: string
  /** Thumbprint of the attested client instance. */
  readonly instanceJkt: string
  readonly scope: string
  readonly codeChallenge: string
  /** The nonce of the presentation request. */
  readonly nonce: string
  /** Private JWK for the one answer. */
  readonly decryptionKey: JsonObject
  readonly expiresAt: NumericDate
}

// Several APIs may share one seal: a session that began at one does not end at another.
const purposeAt = (origin: string): string => `attache verifier auth_session ${origin}`

/** What sealing and opening need. */
export interface ChallengeSessionDeps {
  readonly settings: { readonly origin: string }
  readonly seal: Seal
}

/** Seals a session. */
export function sealSession(session: ChallengeSession, { settings, seal }: ChallengeSessionDeps): string {
  const { expiresAt, decryptionKey, ...texts } = session
  const purpose = purposeAt(settings.origin)
  return seal.seal({ v: 1, ...texts, decryptionKey, expiresAt }, { purpose, expiresAt })
}

/**
 * Opens a session.
 *
 * @returns Nothing when it is foreign, changed or expired.
 */
export function openSession(
  text: string,
  now: NumericDate,
  { settings, seal }: ChallengeSessionDeps,
): ChallengeSession | undefined {
  const content = seal.open(text, { purpose: purposeAt(settings.origin), now })
  if (!isJsonObject(content) || member(content, 'v') !== 1) return undefined
  const decryptionKey = member(content, 'decryptionKey')
  const expiresAt = member(content, 'expiresAt')
  if (!isJsonObject(decryptionKey) || typeof expiresAt !== 'number') return undefined
  return {
    id: sealedText(content, 'id'),
    clientId: sealedText(content, 'clientId'),
    jkt: sealedText(content, 'jkt'),
    instanceJkt: sealedText(content, 'instanceJkt'),
    scope: sealedText(content, 'scope'),
    codeChallenge: sealedText(content, 'codeChallenge'),
    nonce: sealedText(content, 'nonce'),
    decryptionKey,
    expiresAt,
  }
}

// The seal vouches for the shape: what is missing here would be a bug on our side, and matches nothing.
function sealedText(content: JsonObject, name: string): string {
  const value: JsonValue | undefined = member(content, name)
  return typeof value === 'string' ? value : ''
}
