/**
 * Access tokens the wallet holds for its agents, until they expire.
 *
 * Owns which token goes to which URL: only to the resource it was made for, the newest first. A token never
 * leaves the daemon but as a header of one request to that resource, with a proof by its key.
 *
 * Source: RFC 9449, section 7; RFC 8707; threat model, row 1.
 *
 * @module
 */
import { isJsonObject, type JsonValue, member, type NumericDate } from '@attache/core'
import { digest } from '@attache/keys'
import { covers } from './protected-resource.js'
import { encodeTokenSignatures, parseTokenSignatures, type TokenSignatures } from './token-signatures.js'
import type { Vault } from './vault.js'

/** A token, bound to the DPoP key of one agent at one authorization server. */
export interface HeldToken {
  readonly accessToken: string
  /** Resource identifier. */
  readonly resource: string
  /** Scope it was asked for; empty when the challenge named none. */
  readonly scope: string
  readonly authorizationServer: string
  /** How calls with it are signed. */
  readonly signatures: TokenSignatures
  readonly mintedAt: NumericDate
  readonly expiresAt: NumericDate
}

/** The tokens of all agents. */
export interface AccessTokens {
  /** The token for a URL; with a scope, only one that was granted for it. */
  find(
    agent: string,
    wanted: { url: string; scope?: string | undefined },
    now: NumericDate,
  ): Promise<HeldToken | undefined>
  keep(agent: string, token: HeldToken): Promise<void>
  drop(agent: string, token: HeldToken): Promise<void>
  /** Drops every token of an agent. */
  dropAll(agent: string): Promise<void>
}

/** A token is not used in its last seconds: the call would arrive too late. */
const LAST_SECONDS = 5

/** Makes the token shelf; reads the store once per agent and keeps the rest in memory. */
export function createAccessTokens(deps: { readonly vault: Vault }): AccessTokens {
  const { vault } = deps
  const loaded = new Map<string, Promise<Map<string, HeldToken>>>()
  const where = (agent: string, token: HeldToken) =>
    ({ agent, kind: 'token', id: digest('sha-256', JSON.stringify([token.resource, token.scope])) }) as const

  const tokensOf = (agent: string): Promise<Map<string, HeldToken>> => {
    const known = loaded.get(agent) ?? load(agent, vault)
    loaded.set(agent, known)
    return known
  }
  return {
    async find(agent, { url, scope }, now) {
      const fitting = [...(await tokensOf(agent)).values()].filter(
        (token) =>
          token.expiresAt - LAST_SECONDS > now &&
          covers(token.resource, url) &&
          (scope === undefined || token.scope === scope),
      )
      return fitting.sort((a, b) => b.mintedAt - a.mintedAt)[0]
    },
    async keep(agent, token) {
      const place = where(agent, token)
      const { signatures, ...rest } = token
      const record = { v: 1, ...rest, ...encodeTokenSignatures(signatures) }
      await vault.commit([await vault.writing(place, record, { expiresAt: token.expiresAt })])
      ;(await tokensOf(agent)).set(place.id, token)
    },
    async drop(agent, token) {
      const place = where(agent, token)
      ;(await tokensOf(agent)).delete(place.id)
      await vault.commit([vault.removing(place)])
    },
    async dropAll(agent) {
      const tokens = await tokensOf(agent)
      const steps = [...tokens.values()].map((token) => vault.removing(where(agent, token)))
      tokens.clear()
      if (steps.length > 0) await vault.commit(steps)
    },
  }
}

async function load(agent: string, vault: Vault): Promise<Map<string, HeldToken>> {
  const records = await vault.list(agent, 'token')
  return new Map(
    records.flatMap(({ id, content }) => {
      const token = parseHeldToken(content)
      return token === undefined ? [] : [[id, token] as const]
    }),
  )
}

function parseHeldToken(content: JsonValue): HeldToken | undefined {
  if (!isJsonObject(content)) return undefined
  const text = (name: string) => member(content, name)
  const [accessToken, resource, scope] = [text('accessToken'), text('resource'), text('scope')]
  const [authorizationServer, mintedAt, expiresAt] = [
    text('authorizationServer'),
    text('mintedAt'),
    text('expiresAt'),
  ]
  if (typeof accessToken !== 'string' || typeof resource !== 'string' || typeof scope !== 'string')
    return undefined
  if (
    typeof authorizationServer !== 'string' ||
    typeof mintedAt !== 'number' ||
    typeof expiresAt !== 'number'
  )
    return undefined
  const signatures = parseTokenSignatures(content)
  return { accessToken, resource, scope, authorizationServer, signatures, mintedAt, expiresAt }
}
