/**
 * Claim descriptions: which claims a credential has, in the order in which they are shown.
 *
 * Owns both halves, and the rule that no path is repeated or contradicts another one. Selecting values by a
 * path is `@attache/core`.
 *
 * Source: OpenID4VCI 1.0, Appendices B.1 to B.3 and C.
 *
 * @module
 */
import {
  type ClaimsPath,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  parseClaimsPath,
} from '@attache/core'
import { type Display, parseDisplay, wireDisplay } from './display.js'
import { wireObject } from './make-message.js'

/**
 * One claim of a credential.
 *
 * Source: OpenID4VCI 1.0, Appendix B.2.
 */
export interface ClaimDescription {
  readonly path: ClaimsPath
  /** In metadata: the issuer always issues this claim. In a request: the wallet needs it. */
  readonly mandatory?: boolean | undefined
  readonly display?: readonly Display[] | undefined
}

/**
 * The wire form of claim descriptions.
 *
 * Source: OpenID4VCI 1.0, Appendix B.2.
 */
export function makeClaimDescriptions(claims: readonly ClaimDescription[]): readonly JsonObject[] {
  return claims.map((claim) =>
    wireObject({
      path: claim.path,
      mandatory: claim.mandatory,
      display: claim.display && wireDisplay(claim.display),
    }),
  )
}

/**
 * Reads claim descriptions.
 *
 * @returns Undefined when the array is empty, an entry or its path is malformed, or two paths are equal or
 *   contradict each other: B.3 makes the reader abort the processing of all of them.
 *
 * Source: OpenID4VCI 1.0, Appendices B.1 to B.3.
 */
export function parseClaimDescriptions(value: unknown): readonly ClaimDescription[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined
  const claims: ClaimDescription[] = []
  for (const entry of value) {
    const claim = parseClaim(entry)
    if (claim === undefined) return undefined
    claims.push(claim)
  }
  return pathsAgree(claims.map((claim) => claim.path)) ? claims : undefined
}

function parseClaim(entry: unknown): ClaimDescription | undefined {
  if (!isJsonObject(entry)) return undefined
  const path = parseClaimsPath(member(entry, 'path'))
  const mandatory: JsonValue | undefined = member(entry, 'mandatory')
  if (path === undefined || (mandatory !== undefined && typeof mandatory !== 'boolean')) return undefined
  return { path, mandatory, display: parseDisplay(member(entry, 'display')) }
}

/**
 * Tells whether paths can describe one credential together: none twice, and no value is an object for one
 * path and an array for another.
 */
function pathsAgree(paths: readonly ClaimsPath[]): boolean {
  const whole = new Set<string>()
  const kinds = new Map<string, 'object' | 'array'>()
  for (const path of paths) {
    const key = JSON.stringify(path)
    if (whole.has(key)) return false
    whole.add(key)
    for (let depth = 0; depth < path.length; depth++) {
      const parent = JSON.stringify(path.slice(0, depth))
      const kind = typeof path[depth] === 'string' ? 'object' : 'array'
      if ((kinds.get(parent) ?? kind) !== kind) return false
      kinds.set(parent, kind)
    }
  }
  return true
}
