/**
 * What a guarded route requires: a scope that names it, a query, and a decision on the claims.
 *
 * `values` in a query only help a wallet to choose; the decision reads the disclosed claims on every call.
 *
 * Source: OpenID4VP 1.0, sections 6 and 15.4.2; requirements/verifier.md, section 3.
 *
 * @module
 */
import { configurationError, type JsonObject, ProtocolError } from '@attache/core'
import { type DcqlQuery, lintDcqlQuery, parseDcqlQuery } from '@attache/openid4vp'
import type { Pdp } from '@attache/policy'
import { type ClaimsOf, readerOf } from './claim-shape.js'
import type { Decide, Decider } from './decision.js'
import { type MessageSigning, type ReadSigning, readSigning } from './message-signing.js'
import { byPolicy } from './policy-decision.js'
import type { PresentedCredential } from './presentation.js'
import { lintRequirement, nameOf } from './requirement-lint.js'
import type { Settings } from './settings.js'
import { PRESENTATION_CONTEXTS, readStepUp, type StepUp } from './step-up.js'

/** What a route requires. */
export interface Requirement<Query extends JsonObject = JsonObject> extends StepUp, MessageSigning {
  /** OAuth scope under which the authorization server knows this requirement; one scope, one query. */
  readonly scope: string
  /** DCQL, as on the wire; written by hand, or by `query(credential(…))`, which knows the types of its claims. */
  readonly query: Query
  /** Decides each call from the disclosed claims: a function, or a policy decision point. An error decides no. */
  readonly decide: Decide<ClaimsOf<Query>> | Pdp
  /**
   * Claims that are read beside what is known of the decision: by a function, or by the handler. Nested names are
   * joined with a dot. With a function as decision, naming them lets the start compare them with the query.
   */
  readonly reads?: readonly string[]
  /**
   * How a call without a token is told to present: by metadata that leads to the authorization server, or by a
   * `request_uri` in the 401, for APIs without one. @default `metadata`
   */
  readonly challenge?: 'metadata' | 'request_uri'
  /** Whether advice on the query and its decision stops the start instead of being logged. @default false */
  readonly strict?: boolean
}

/** What an authorization server needs to know of a requirement. */
export interface AskedRequirement {
  readonly scope: string
  readonly query: DcqlQuery
}

/** A requirement, read. */
export interface ReadRequirement<Claims = JsonObject> extends AskedRequirement, Decider<Claims> {
  readonly challenge: 'metadata' | 'request_uri'
  readonly stepUp: StepUp
  readonly signing: ReadSigning
}

const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** The settings that say what a requirement may hold. */
export type RequirementSettings = Pick<Settings, 'keyBinding' | 'allowIndexPaths' | 'profile'>

/**
 * Reads a requirement and refuses what verifiers get wrong.
 *
 * @returns The requirement and advice for its author, to be logged.
 * @throws {TypeError} `scope_malformed`, `query_malformed`, a code of the DCQL lint, `policy_reads_unasked`,
 * `presentation_age`, `presentation_context`, `signature_component`, `signature_body`; where `strict`, `requirement_advice`.
 *
 * Source: OpenID4VP 1.0, section 6; HAIP 1.0, section 5.3.2.
 */
export function readRequirement<const Query extends JsonObject>(
  requirement: Requirement<Query>,
  settings: RequirementSettings,
): { readonly requirement: ReadRequirement<ClaimsOf<Query>>; readonly warnings: readonly string[] } {
  const { scope, challenge = 'metadata' } = requirement
  if (!SCOPE_TOKEN.test(scope)) {
    throw configurationError('scope_malformed', 'A scope is one token of printable ASCII.')
  }
  const { query, warnings } = readOwnQuery(requirement.query, settings)
  const [credential] = query.credentials
  const decide = deciderOf(requirement.decide)
  const stepUp = readStepUp(requirement)
  const signing = readSigning(requirement)
  if (challenge === 'request_uri' && stepUp.presentationContext === PRESENTATION_CONTEXTS.attestedWallet) {
    throw configurationError(
      'presentation_context',
      'A request_uri challenge never leads to an attested wallet.',
    )
  }
  const mayBeAbsent = query.credentialSets !== undefined
  const readsClaims = readerOf(requirement.query, { credential, mayBeAbsent })
  const reads = knownReads(decide.reads, requirement.reads)
  const advice = [...warnings, ...lintRequirement(credential, reads)]
  const [first] = advice
  if (requirement.strict === true && first !== undefined)
    throw configurationError('requirement_advice', first)
  const names = claimNames(query)
  return {
    requirement: { scope, query, decide, readsClaims, challenge, stepUp, signing, claimNames: names },
    warnings: advice,
  }
}

function deciderOf<Claims>(decide: Decide<Claims> | Pdp): Decide<JsonObject & Claims> {
  return typeof decide === 'function' ? decide : byPolicy(decide)
}

function knownReads(
  own: readonly string[] | undefined,
  said: readonly string[] | undefined,
): readonly string[] | undefined {
  return own === undefined && said === undefined ? undefined : [...(own ?? []), ...(said ?? [])]
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
  settings: RequirementSettings,
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
  return [...new Set(query.credentials.flatMap(({ claims }) => (claims ?? []).map(nameOf)))]
}

/**
 * The credential that answers the first credential query. Claims of several credentials are never merged:
 * a name would no longer say who vouches for it.
 */
export function credentialOfFirstQuery(
  requirement: AskedRequirement,
  credentials: readonly PresentedCredential[],
): PresentedCredential | undefined {
  const [first] = requirement.query.credentials
  return credentials.find(({ queryId }) => queryId === first?.id)
}
