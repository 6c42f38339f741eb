/**
 * The types of claims, taken from the query that asked for them.
 *
 * Owns both ways: a shape that an author writes down, checked against what was really disclosed, and a DCQL query
 * that stands in the source, whose paths say which names there are. No type here rests on trust: a reader looks at
 * each claim before it says what it is.
 *
 * Source: OpenID4VP 1.0, sections 6.3, 6.4 and 7.
 *
 * @module
 */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, member } from '@attache/core'
import type { CredentialQuery } from '@attache/openid4vp'

/** What a claim is: a JSON type, or `json` for any. */
export type ClaimKind = 'string' | 'number' | 'boolean' | 'json'

/** What a claim is; in brackets a list of such, in braces claims inside a claim. */
export type ClaimShape = ClaimKind | readonly [ClaimKind] | { readonly [name: string]: ClaimShape }

/** Claims by name. */
export type ClaimShapes = Readonly<Record<string, ClaimShape>>

/** The type of a claim of a shape. */
export type ValueOf<Shape> = Shape extends 'string'
  ? string
  : Shape extends 'number'
    ? number
    : Shape extends 'boolean'
      ? boolean
      : Shape extends 'json'
        ? JsonValue
        : Shape extends readonly [infer Kind]
          ? readonly ValueOf<Kind>[]
          : { readonly [Name in keyof Shape]: ValueOf<Shape[Name]> }

type Flat<Type> = { [Name in keyof Type]: Type[Name] }

/** The type of claims of some shapes, of which some may be absent. */
export type ClaimsOfShapes<Shapes, Optional = never> = Flat<
  { readonly [Name in Exclude<keyof Shapes, Optional>]: ValueOf<Shapes[Name]> } & {
    readonly [Name in Extract<keyof Shapes, Optional>]?: ValueOf<Shapes[Name]>
  }
>

/** Says whether claims are what a type promises, by looking. */
export type ClaimsReader<Claims> = (claims: JsonObject) => claims is JsonObject & Claims

/** Under this a query carries the reader of its claims; JSON does not see it. */
export const CLAIMS_READER: unique symbol = Symbol('attache.claims-reader')

/** A query that knows the types of its claims. */
export type TypedQuery<Claims> = JsonObject & { readonly [CLAIMS_READER]: ClaimsReader<Claims> }

/**
 * The type of the claims that a query asks for, of its first credential: from the builder's shapes, or from the
 * paths of a query in the source (names alone: DCQL says nothing about types).
 */
export type ClaimsOf<Query> = Query extends { readonly [CLAIMS_READER]: ClaimsReader<infer Claims> }
  ? Claims
  : Query extends { readonly credentials: readonly [infer First, ...infer _Rest] }
    ? Query extends { readonly credential_sets: unknown }
      ? Partial<ClaimsOfCredential<First>>
      : ClaimsOfCredential<First>
    : JsonObject

type ClaimsOfCredential<Credential> = Credential extends { readonly claims: infer Claims }
  ? Claims extends readonly [unknown, ...unknown[]]
    ? Credential extends { readonly claim_sets: unknown }
      ? Partial<Flat<AllOf<ClaimsOfEntry<Claims[number]>>>>
      : Flat<AllOf<ClaimsOfEntry<Claims[number]>>>
    : JsonObject
  : JsonObject

type ClaimsOfEntry<Entry> = Entry extends { readonly path: infer Path } ? ClaimsOfPath<Path> : JsonObject

type ClaimsOfPath<Path> = Path extends readonly [infer Name extends string, ...infer Rest]
  ? string extends Name
    ? JsonObject
    : { readonly [Key in Name]: ValueAt<Rest> }
  : JsonObject

type ValueAt<Path> = Path extends readonly []
  ? JsonValue
  : Path extends readonly [string, ...unknown[]]
    ? ClaimsOfPath<Path>
    : readonly JsonValue[]

// Each member of a union turned into a parameter, which only an intersection of all of them fits.
type AllOf<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void
  ? All
  : never

/** Makes the reader of some shapes. */
export function readerOfShapes<const Shapes extends ClaimShapes, Optional extends string = never>(
  shapes: Shapes,
  optional: readonly Optional[],
): ClaimsReader<ClaimsOfShapes<Shapes, Optional>> {
  const names: readonly string[] = optional
  return (claims): claims is JsonObject & ClaimsOfShapes<Shapes, Optional> =>
    Object.entries(shapes).every(([name, shape]) => {
      const value = member(claims, name)
      return value === undefined ? names.includes(name) : hasShape(value, shape)
    })
}

function hasShape(value: JsonValue, shape: ClaimShape): boolean {
  if (shape === 'json') return true
  if (typeof shape === 'string') return typeof value === shape
  if (isListShape(shape)) return isJsonArray(value) && value.every((element) => hasShape(element, shape[0]))
  return (
    isJsonObject(value) &&
    Object.entries(shape).every(([name, inner]) => {
      const found = member(value, name)
      return found !== undefined && hasShape(found, inner)
    })
  )
}

/** Tells a list from claims inside a claim. */
export function isListShape(shape: ClaimShape): shape is readonly [ClaimKind] {
  return Array.isArray(shape)
}

/**
 * The reader of a query's claims: the builder's own, or for a query written by hand one that looks for the claims
 * that may not be absent.
 *
 * @param first The first credential query of it, parsed.
 */
export function readerOf<Query>(
  query: Query,
  first: { readonly credential: CredentialQuery | undefined; readonly mayBeAbsent: boolean },
): ClaimsReader<ClaimsOf<Query>> {
  const own = carriedReader(query)
  const required = requiredNames(first)
  return (claims): claims is JsonObject & ClaimsOf<Query> =>
    own === undefined ? required.every((name) => Object.hasOwn(claims, name)) : own(claims)
}

function carriedReader(query: unknown): ((claims: JsonObject) => boolean) | undefined {
  const isQuery = (value: unknown): value is TypedQuery<object> =>
    typeof value === 'object' && value !== null && CLAIMS_READER in value
  return isQuery(query) ? query[CLAIMS_READER] : undefined
}

function requiredNames({
  credential,
  mayBeAbsent,
}: {
  readonly credential: CredentialQuery | undefined
  readonly mayBeAbsent: boolean
}): readonly string[] {
  if (mayBeAbsent || credential?.claimSets !== undefined) return []
  const first = (credential?.claims ?? []).map(({ path: [name] }) => name)
  return first.filter((name) => typeof name === 'string')
}
