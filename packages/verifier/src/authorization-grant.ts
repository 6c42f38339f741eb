/**
 * What an authorization code stands for until it is redeemed.
 *
 * @module
 */
import { isJsonObject, type JsonObject, type JsonValue, member } from '@attache/core'
import { encodePresentation, type Presentation, parsePresentation } from './presentation.js'

/** A grant that waits for its code. */
export interface AuthorizationGrant {
  readonly clientId: string
  /** Thumbprint of the DPoP key the token will be bound to, or `x5t#S256:` and the certificate's. */
  readonly jkt: string
  /** Thumbprint of the attested instance that may redeem it. */
  readonly instanceJkt: string
  readonly scope: string
  readonly codeChallenge: string
  readonly presentation: Presentation
  /** Id of the token it was redeemed for; absent until then. */
  readonly usedFor?: string | undefined
}

/** Writes a grant for the store. */
export function encodeGrant({ presentation, usedFor, ...texts }: AuthorizationGrant): JsonObject {
  const used = usedFor === undefined ? {} : { usedFor }
  return { v: 1, ...texts, ...used, presentation: encodePresentation(presentation) }
}

/**
 * Reads a grant from the store.
 *
 * @returns Nothing for what this version did not write.
 */
export function parseGrant(value: JsonValue): AuthorizationGrant | undefined {
  if (!isJsonObject(value) || member(value, 'v') !== 1) return undefined
  const presentation = parsePresentation(member(value, 'presentation'))
  const [clientId, jkt, instanceJkt] = ['clientId', 'jkt', 'instanceJkt'].map((name) => member(value, name))
  const [scope, codeChallenge] = ['scope', 'codeChallenge'].map((name) => member(value, name))
  if (typeof clientId !== 'string' || typeof jkt !== 'string' || typeof instanceJkt !== 'string')
    return undefined
  if (typeof scope !== 'string' || typeof codeChallenge !== 'string') return undefined
  if (presentation === undefined) return undefined
  const usedFor = member(value, 'usedFor')
  const used = typeof usedFor === 'string' ? usedFor : undefined
  return { clientId, jkt, instanceJkt, scope, codeChallenge, presentation, usedFor: used }
}
