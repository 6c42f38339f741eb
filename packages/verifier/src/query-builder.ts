/**
 * Writing a query in the words of the API: names and types of claims in, DCQL out.
 *
 * Refuses what authors of queries get wrong, before anything is sent. The result is the DCQL itself, as it goes
 * over the wire, and knows the types of its claims: handlers and decisions get them from the route's own query.
 *
 * `values` is left to hand-written queries on purpose: it reads like a condition and only helps a wallet to choose.
 *
 * Source: OpenID4VP 1.0, sections 6 and 7; Appendix B.3.5.
 *
 * @module
 */
import { type ClaimsPath, configurationError, type JsonObject } from '@attache/core'
import {
  CLAIMS_READER,
  type ClaimShape,
  type ClaimShapes,
  type ClaimsOfShapes,
  type ClaimsReader,
  isListShape,
  readerOfShapes,
  type TypedQuery,
} from './claim-shape.js'

/** One credential to ask for. */
export interface CredentialOptions<Shapes extends ClaimShapes, Sets extends ClaimSets<Shapes>> {
  /** Accepted types, each compared character by character. */
  readonly vct: string | readonly string[]
  /**
   * The claims a decision needs, by name, each with its JSON type: `{ role: 'string', scopes: ['string'],
   * address: { country: 'string' } }`. A claim of another type denies the call.
   */
  readonly claims: Shapes
  /** Alternatives of claims, least disclosure first; a claim that one of them leaves out may be absent. */
  readonly claimSets?: Sets
  /** Whether the wallet may answer with more than one credential; `claims` are those of the first. @default false */
  readonly multiple?: boolean
  /** Subject key identifiers (base64url) of authorities whose credentials are wanted: a hint to wallets. */
  readonly authorities?: readonly string[]
  /** `not-required` only where the verifier's options allow it. @default `required` */
  readonly keyBinding?: 'required' | 'not-required'
}

type ClaimSets<Shapes> = readonly (readonly (keyof Shapes & string)[])[]

type LeftOut<Shapes, Sets extends readonly (readonly string[])[]> = {
  [Index in keyof Sets]: Exclude<keyof Shapes & string, Sets[Index][number]>
}[number]

/** A credential that is asked for. */
export interface CredentialPart<Claims> {
  readonly dcql: JsonObject
  readonly [CLAIMS_READER]: ClaimsReader<Claims>
}

/** Alternatives of credentials. */
export interface CredentialSetPart {
  readonly set: JsonObject
}

const ID = /^[A-Za-z0-9_-]{1,64}$/
const MOST_CLAIMS = 64

/**
 * Asks for one credential.
 *
 * @param id Names the answer; letters, digits, `_` and `-`, at most 64.
 * @throws {TypeError} `query_id`, `query_vct`, `query_claims`, `query_claim_name` (a wildcard, a path in one
 * text, a name every credential shows), `query_claim_set`, `query_authorities`.
 *
 * Source: OpenID4VP 1.0, sections 6.1 and 6.3.
 */
export function credential<
  const Shapes extends ClaimShapes,
  const Sets extends ClaimSets<Shapes> = readonly [],
>(
  id: string,
  options: CredentialOptions<Shapes, Sets>,
): CredentialPart<ClaimsOfShapes<Shapes, LeftOut<Shapes, Sets>>> {
  const { claims, claimSets, multiple, authorities, keyBinding } = options
  if (!ID.test(id)) {
    throw wrong('query_id', 'The id of a credential is letters, digits, _ and -, at most 64 of them.')
  }
  if (authorities?.length === 0 || authorities?.includes('') === true) {
    throw wrong('query_authorities', 'Name authorities, or leave the list out.')
  }
  const asked = readClaims(claims)
  const sets = claimSets === undefined ? undefined : readClaimSets(claimSets, asked)
  const dcql = {
    id,
    format: 'dc+sd-jwt',
    meta: { vct_values: readTypes(options.vct) },
    ...(multiple === true ? { multiple } : {}),
    ...(keyBinding === 'not-required' ? { require_cryptographic_holder_binding: false } : {}),
    ...(authorities === undefined ? {} : { trusted_authorities: [{ type: 'aki', values: authorities }] }),
    claims: asked.map(({ id: claimId, path }) => (sets === undefined ? { path } : { id: claimId, path })),
    ...(sets === undefined ? {} : { claim_sets: sets }),
  }
  return { dcql, [CLAIMS_READER]: readerOfShapes(claims, leftOut(claims, claimSets)) }
}

/**
 * Says which credentials together answer the query, where not all of them must.
 *
 * @param options Alternatives, each a list of ids of credentials.
 * @param required Whether the query fails without it. @default true
 *
 * Source: OpenID4VP 1.0, section 6.2.
 */
export function credentialSet(options: readonly (readonly string[])[], required = true): CredentialSetPart {
  return { set: { options, ...(required ? {} : { required }) } }
}

/**
 * Makes a query of its parts. Decisions and handlers see the claims of the first credential under their types;
 * beside a credential set that credential may be absent, and so may they.
 *
 * @throws {TypeError} `query_id`: two credentials with one id. `query_credential_set`: an empty alternative, or one
 * that names an unknown credential.
 *
 * Source: OpenID4VP 1.0, section 6.
 */
export function query<Claims>(
  first: CredentialPart<Claims>,
  ...others: readonly CredentialPart<unknown>[]
): TypedQuery<Claims>
export function query<Claims>(
  first: CredentialPart<Claims>,
  ...others: readonly (CredentialPart<unknown> | CredentialSetPart)[]
): TypedQuery<Partial<Claims>>
export function query<Claims>(
  first: CredentialPart<Claims>,
  ...others: readonly (CredentialPart<unknown> | CredentialSetPart)[]
): TypedQuery<Claims> {
  const credentials = [first.dcql, ...others.flatMap((part) => ('dcql' in part ? [part.dcql] : []))]
  const sets = others.flatMap((part) => ('set' in part ? [part.set] : []))
  const ids = credentials.map((one) => one['id'])
  if (new Set(ids).size !== ids.length) throw wrong('query_id', 'Two credentials of a query have one id.')
  for (const set of sets) requireKnown(set['options'], ids)

  const complete = first[CLAIMS_READER]
  const reader = (claims: JsonObject): claims is JsonObject & Claims =>
    complete(claims) || (sets.length > 0 && Object.keys(claims).length === 0)
  const dcql = sets.length === 0 ? { credentials } : { credentials, credential_sets: sets }
  return Object.assign(dcql, { [CLAIMS_READER]: reader })
}

function requireKnown(options: unknown, ids: readonly unknown[]): void {
  const lists = Array.isArray(options) ? options : []
  const usable = lists.every(
    (one) => Array.isArray(one) && one.length > 0 && one.every((id) => ids.includes(id)),
  )
  if (usable && lists.length > 0) return
  throw wrong('query_credential_set', 'A credential set lists alternatives of credentials of this query.')
}

function readTypes(vct: string | readonly string[]): readonly string[] {
  const types = typeof vct === 'string' ? [vct] : vct
  if (types.length > 0 && !types.includes('') && new Set(types).size === types.length) return types
  throw wrong(
    'query_vct',
    'Say which credential types count, each once: without vct a wallet has nothing to look for.',
  )
}

interface AskedClaim {
  readonly id: string
  /** First element of its path. */
  readonly name: string
  readonly path: ClaimsPath
}

function readClaims(shapes: ClaimShapes): readonly AskedClaim[] {
  const paths = Object.entries(shapes).flatMap(([name, shape]) => pathsOf([name], shape))
  if (paths.length === 0 || paths.length > MOST_CLAIMS) {
    throw wrong('query_claims', `Ask for the claims that the decision needs, 1 to ${MOST_CLAIMS}.`)
  }
  return paths.map((path, position) => ({ id: `claim-${position + 1}`, name: String(path[0]), path }))
}

function pathsOf(path: readonly [string, ...string[]], shape: ClaimShape): readonly ClaimsPath[] {
  refuseName(path)
  if (typeof shape === 'string') return [path]
  if (isListShape(shape)) return [[...path, null]]
  const inner = Object.entries(shape)
  if (inner.length === 0) throw wrong('query_claims', `The claim ${path.join('/')} has no claims inside.`)
  return inner.flatMap(([name, one]) => pathsOf([...path, name], one))
}

const ALWAYS_VISIBLE = ['iss', 'nbf', 'exp', 'cnf', 'vct', 'vct#integrity', 'status']

function refuseName(path: readonly string[]): void {
  const name = path.at(-1) ?? ''
  if (name === '' || /[*$]/.test(name)) {
    throw wrong(
      'query_claim_name',
      'A query has no wildcards: name each claim; a list is written in brackets.',
    )
  }
  // A name may be a URL; anything else with a dot or a slash is a path in one text.
  if (/[./]/.test(name) && !URL.canParse(name)) {
    throw wrong(
      'query_claim_name',
      `The name ${printable(name)} looks like a path: claims inside a claim are written in braces.`,
    )
  }
  if (path.length === 1 && ALWAYS_VISIBLE.includes(name)) {
    throw wrong('query_claim_name', `${name} is visible in every credential. Read it from the presentation.`)
  }
}

function readClaimSets(sets: readonly (readonly string[])[], asked: readonly AskedClaim[]) {
  const names = new Set(asked.map(({ name }) => name))
  const known = sets.every((set) => set.length > 0 && set.every((name) => names.has(name)))
  if (sets.length === 0 || !known) {
    throw wrong('query_claim_set', 'Claim sets list alternatives of claims that the query asks for.')
  }
  const unused = [...names].find((name) => !sets.flat().includes(name))
  if (unused !== undefined) {
    throw wrong(
      'query_claim_set',
      `The claim ${printable(unused)} is in no claim set; it would never be returned.`,
    )
  }
  return sets.map((set) => asked.filter(({ name }) => set.includes(name)).map(({ id }) => id))
}

function leftOut<Shapes extends ClaimShapes, Sets extends ClaimSets<Shapes>>(
  shapes: Shapes,
  sets: Sets | undefined,
): readonly LeftOut<Shapes, Sets>[] {
  const isLeftOut = (name: string): name is LeftOut<Shapes, Sets> =>
    (sets ?? []).some((set) => !set.some((one) => one === name))
  return Object.keys(shapes).filter(isLeftOut)
}

const printable = (name: string): string => name.replace(/[^\x20-\x7e]|["\\]/g, '?').slice(0, 64)

const wrong = (code: string, message: string): TypeError => configurationError(code, message)
