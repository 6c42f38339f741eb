/**
 * What a guarded route requires: a scope that names it, a query, and a decision on the claims.
 *
 * `values` in a query only help a wallet to choose; the decision reads the disclosed claims on every call.
 *
 * Source: OpenID4VP 1.0, sections 6 and 15.4.2; requirements/verifier.md, section 3.
 *
 * @module
 */
import {
  configurationError,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  ProtocolError,
} from '@attache/core'
import { type DcqlQuery, lintDcqlQuery, parseDcqlQuery } from '@attache/openid4vp'
import type { Presentation, PresentedCredential } from './presentation.js'
import type { Settings } from './settings.js'

/** What a decision sees of one call. */
export interface DecisionContext {
  /** HTTP method of the call. */
  readonly method: string
  /** URL of the call as the client sees it. */
  readonly url: string
  /** All verified credentials; `claims` are those of the first query alone. */
  readonly credentials: readonly PresentedCredential[]
}

/** A refusal that another program can act on: names, never values. */
export interface Refusal {
  /** Names of claims that are missing or do not suffice. */
  readonly missing?: readonly string[]
  /** One sentence for whoever operates the agent. */
  readonly hint?: string
}

/** Says yes with `true`; everything else is a no. */
export type Decide = (
  claims: JsonObject,
  context: DecisionContext,
) => boolean | Refusal | Promise<boolean | Refusal>

/** What a route requires. */
export interface Requirement {
  /** OAuth scope under which the authorization server knows this requirement; one scope, one query. */
  readonly scope: string
  /** DCQL, as on the wire. */
  readonly query: JsonObject
  /** Decides each call from the disclosed claims; an error decides no. */
  readonly decide: Decide
  /**
   * How a call without a token is told to present: by metadata that leads to the authorization server, or by a
   * `request_uri` in the 401, for APIs without one. @default `metadata`
   */
  readonly challenge?: 'metadata' | 'request_uri'
}

/** A requirement, read. */
export interface ReadRequirement {
  readonly scope: string
  readonly query: DcqlQuery
  readonly decide: Decide
  readonly challenge: 'metadata' | 'request_uri'
  /** Names of the claims asked for, for refusals that name none themselves. */
  readonly claimNames: readonly string[]
}

const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * Reads a requirement and refuses what verifiers get wrong.
 *
 * @returns The requirement and advice for its author, to be logged.
 * @throws {TypeError} `scope_malformed`, `query_malformed`, or a code of the DCQL lint.
 *
 * Source: OpenID4VP 1.0, section 6; HAIP 1.0, section 5.3.2.
 */
export function readRequirement(
  requirement: Requirement,
  settings: Pick<Settings, 'keyBinding' | 'allowIndexPaths' | 'profile'>,
): { readonly requirement: ReadRequirement; readonly warnings: readonly string[] } {
  if (!SCOPE_TOKEN.test(requirement.scope)) {
    throw configurationError('scope_malformed', 'A scope is one token of printable ASCII.')
  }
  const { query, warnings } = readOwnQuery(requirement.query, settings)
  const { scope, decide, challenge = 'metadata' } = requirement
  return { requirement: { scope, query, decide, challenge, claimNames: claimNames(query) }, warnings }
}

/**
 * Reads a query that our own side wrote.
 *
 * @returns The query and advice for its author.
 * @throws {TypeError} `query_malformed`: not a usable DCQL query; the message says where. `key_binding`: a
 * query without holder binding where the options require it. Or a code of the DCQL lint.
 */
export function readOwnQuery(
  query: JsonObject,
  settings: Pick<Settings, 'keyBinding' | 'allowIndexPaths' | 'profile'>,
): { readonly query: DcqlQuery; readonly warnings: readonly string[] } {
  const parsed = parseOwnQuery(query)
  const warnings = lintDcqlQuery(parsed, {
    allowIndexes: settings.allowIndexPaths,
    strict: settings.profile === 'haip',
  })
  const unbound = parsed.credentials.some((credential) => !credential.requireCryptographicHolderBinding)
  if (unbound && settings.keyBinding === 'required') {
    throw configurationError(
      'key_binding',
      'A query goes without holder binding where the options require it.',
    )
  }
  return { query: parsed, warnings }
}

/**
 * Checks the scopes that stand for queries: each a usable query, and no id in two of them, since a wallet may
 * be asked for both at once.
 *
 * @throws {TypeError} `scope_ids`, or as {@link readOwnQuery}.
 *
 * Source: OpenID4VP 1.0, section 5.5.
 */
export function checkPresentationScopes(
  settings: Pick<Settings, 'keyBinding' | 'allowIndexPaths' | 'profile' | 'presentationScopes'>,
): void {
  const queries = Object.values(settings.presentationScopes).map(
    (query) => readOwnQuery(query, settings).query,
  )
  const ids = queries.flatMap(({ credentials }) => credentials.map(({ id }) => id))
  if (new Set(ids).size === ids.length) return
  throw configurationError('scope_ids', 'Two presentation scopes use the same id for a credential query.')
}

function parseOwnQuery(query: JsonObject): DcqlQuery {
  try {
    return parseDcqlQuery(query)
  } catch (error) {
    if (error instanceof ProtocolError) throw configurationError('query_malformed', error.message)
    throw error
  }
}

function claimNames(query: DcqlQuery): readonly string[] {
  const paths = query.credentials.flatMap(({ claims }) => (claims ?? []).map(({ path }) => path))
  return [...new Set(paths.map((path) => path.filter((element) => element !== null).join('.')))]
}

/**
 * A decision that asks top-level claims for one of some values.
 *
 * @param accepted Accepted values per claim; every claim must have one, of identical JSON type.
 */
export function claimsIn(accepted: Readonly<Record<string, readonly (string | number | boolean)[]>>): Decide {
  const wanted = Object.entries(accepted)
  return (claims) => {
    const missing = wanted.flatMap(([name, values]) => (hasOne(claims, name, values) ? [] : [name]))
    return missing.length === 0 || { missing }
  }
}

function hasOne(claims: JsonObject, name: string, values: readonly JsonValue[]): boolean {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined
  return value !== undefined && values.includes(value)
}

/**
 * The credential that answers the first credential query. Claims of several credentials are never merged:
 * a name would no longer say who vouches for it.
 */
export function credentialOfFirstQuery(
  requirement: ReadRequirement,
  credentials: readonly PresentedCredential[],
): PresentedCredential | undefined {
  const [first] = requirement.query.credentials
  return credentials.find(({ queryId }) => queryId === first?.id)
}

/** The outcome of a decision. */
export type DecisionOutcome =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly failed: boolean; readonly refusal: Refusal }

/**
 * Decides one call. Nothing but `true` allows; a decision that throws denies.
 */
export async function decideCall(
  requirement: ReadRequirement,
  presentation: Presentation,
  call: { readonly method: string; readonly url: string },
): Promise<DecisionOutcome> {
  const own = credentialOfFirstQuery(requirement, presentation.credentials)
  try {
    const context = { ...call, credentials: presentation.credentials }
    const decided = await requirement.decide(own?.claims ?? {}, context)
    if (decided === true) return { allowed: true }
    const refusal = isJsonObject(decided) ? decided : {}
    return { allowed: false, failed: false, refusal: { missing: requirement.claimNames, ...refusal } }
  } catch {
    return { allowed: false, failed: true, refusal: {} }
  }
}
