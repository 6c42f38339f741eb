/**
 * DCQL queries: which credentials and claims a verifier asks for.
 *
 * Owns the typed query, its strict parser and its way back to the wire. Matching lives in `dcql-match.ts`,
 * the stricter rules for authors in `dcql-authoring.ts`.
 *
 * Source: OpenID4VP 1.0, sections 6 and 7; Appendix B.3.5.
 *
 * @module
 */
import {
  type ClaimsPath,
  type JsonObject,
  type JsonValue,
  ProtocolError,
  parseClaimsPath,
} from '@attache/core'
import { z } from 'zod'
import { wireObject } from './wire-object.js'

/** A value that a claim may be compared with. */
export type DcqlValue = string | number | boolean

/** A claim that is asked for. */
export interface ClaimsQuery {
  /** Name within the credential query; needed by `claimSets`. */
  readonly id?: string | undefined
  /** Where the claim stands. */
  readonly path: ClaimsPath
  /** Accepted values; absent: any value. */
  readonly values?: readonly DcqlValue[] | undefined
}

/** Whose credentials a verifier says it accepts; a hint for the wallet, checked again by the verifier. */
export interface TrustedAuthority {
  /** `aki`, or a type this room does not know, which never matches. */
  readonly type: string
  readonly values: readonly string[]
}

/** One credential that is asked for. */
export interface CredentialQuery {
  /** Key of the answer in the `vp_token`. */
  readonly id: string
  /** Credential Format Identifier; everything but `dc+sd-jwt` has no match here. */
  readonly format: string
  /** Accepted `vct` values; empty only for a foreign format. */
  readonly vctValues: readonly string[]
  /** Whether more than one credential may be returned. */
  readonly multiple: boolean
  /** Whether the holder must prove possession of the bound key. */
  readonly requireCryptographicHolderBinding: boolean
  readonly trustedAuthorities?: readonly TrustedAuthority[] | undefined
  /** Absent: no selectively disclosable claim is asked for. */
  readonly claims?: readonly ClaimsQuery[] | undefined
  /** Alternatives of claim ids, most wanted first. */
  readonly claimSets?: readonly (readonly string[])[] | undefined
}

/** Alternatives of credential queries that together answer one need. */
export interface CredentialSetQuery {
  readonly options: readonly (readonly string[])[]
  readonly required: boolean
}

/** A whole query. */
export interface DcqlQuery {
  readonly credentials: readonly CredentialQuery[]
  readonly credentialSets?: readonly CredentialSetQuery[] | undefined
}

// What a reader of requests takes in; a larger query is refused as malformed.
const MOST_QUERIES = 32
const MOST_CLAIMS = 64
const MOST_VALUES = 64

const id = z.string().regex(/^[A-Za-z0-9_-]+$/)
const alternatives = z.array(z.array(id).min(1)).min(1).max(MOST_CLAIMS)
const path = z.custom<ClaimsPath>((value) => parseClaimsPath(value) !== undefined)
const value = z.union([z.string(), z.number().int(), z.boolean()])

const claim = z.object({
  id: id.optional(),
  path,
  values: z.array(value).min(1).max(MOST_VALUES).optional(),
})

const trustedAuthority = z.object({
  type: z.string().min(1),
  values: z.array(z.string().min(1)).min(1).max(MOST_VALUES),
})

const credential = z.object({
  id,
  format: z.string().min(1),
  multiple: z.boolean().default(false),
  meta: z.looseObject({}),
  require_cryptographic_holder_binding: z.boolean().default(true),
  trusted_authorities: z.array(trustedAuthority).min(1).optional(),
  claims: z.array(claim).min(1).max(MOST_CLAIMS).optional(),
  claim_sets: alternatives.optional(),
})

const credentialSet = z.object({ options: alternatives, required: z.boolean().default(true) })

const dcqlWireSchema = z.object({
  credentials: z.array(credential).min(1).max(MOST_QUERIES),
  credential_sets: z.array(credentialSet).min(1).max(MOST_QUERIES).optional(),
})

type DcqlWire = z.infer<typeof dcqlWireSchema>

/**
 * Reads a DCQL query from unknown JSON.
 *
 * Unknown members, foreign formats and foreign authority types are tolerated; they just never match.
 *
 * @throws {ProtocolError} `invalid_request`: any structural rule broken; the message names the place.
 *
 * Source: OpenID4VP 1.0, section 6.
 */
export function parseDcqlQuery(value: unknown): DcqlQuery {
  const parsed = dcqlWireSchema.safeParse(value)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw queryError(`${issue?.path.map(String).join('.') ?? ''} is missing or malformed`)
  }
  const query = readWire(parsed.data)
  checkNames(query)
  return query
}

function readWire(wire: DcqlWire): DcqlQuery {
  return {
    credentials: wire.credentials.map((credential) => ({
      id: credential.id,
      format: credential.format,
      vctValues: credential.format === 'dc+sd-jwt' ? vctValues(credential.meta) : [],
      multiple: credential.multiple,
      requireCryptographicHolderBinding: credential.require_cryptographic_holder_binding,
      trustedAuthorities: credential.trusted_authorities,
      claims: credential.claims,
      claimSets: credential.claim_sets,
    })),
    credentialSets: wire.credential_sets,
  }
}

// An empty meta is allowed by section 6.1 and forbidden for this format by Appendix B.3.5, which wins.
function vctValues(meta: { readonly vct_values?: unknown }): readonly string[] {
  const values = Object.hasOwn(meta, 'vct_values') ? meta.vct_values : undefined
  if (!Array.isArray(values) || values.length === 0 || !values.every(isText)) {
    throw queryError('meta.vct_values is not a non-empty array of strings')
  }
  return values
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function checkNames(query: DcqlQuery): void {
  const ids = query.credentials.map((credential) => credential.id)
  if (new Set(ids).size !== ids.length) throw queryError('two credential queries share an id')
  for (const credential of query.credentials) checkClaimNames(credential)
  for (const set of query.credentialSets ?? []) {
    if (set.options.flat().some((id) => !ids.includes(id))) {
      throw queryError('a credential set names an unknown credential query')
    }
  }
}

function checkClaimNames({ claims, claimSets }: CredentialQuery): void {
  const ids = (claims ?? []).flatMap(({ id }) => (id === undefined ? [] : [id]))
  if (new Set(ids).size !== ids.length) throw queryError('two claims queries share an id')
  if (claimSets === undefined) return
  if (claims === undefined) throw queryError('claim_sets stands without claims')
  if (ids.length !== claims.length) throw queryError('claims queries need an id when claim_sets is present')
  if (claimSets.flat().some((id) => !ids.includes(id))) throw queryError('claim_sets names an unknown claim')
}

function queryError(what: string): ProtocolError {
  return new ProtocolError('invalid_request', `The DCQL query is not usable: ${what}. Correct the query.`)
}

/**
 * Writes a query with its wire names, defaults left out.
 *
 * Source: OpenID4VP 1.0, section 6.
 */
export function encodeDcqlQuery(query: DcqlQuery): JsonObject {
  return wireObject({
    credentials: query.credentials.map(encodeCredentialQuery),
    credential_sets: query.credentialSets?.map(({ options, required }) =>
      wireObject({ options, required: required ? undefined : false }),
    ),
  })
}

function encodeCredentialQuery(query: CredentialQuery): JsonValue {
  return wireObject({
    id: query.id,
    format: query.format,
    multiple: query.multiple ? true : undefined,
    meta: query.vctValues.length === 0 ? {} : { vct_values: query.vctValues },
    require_cryptographic_holder_binding: query.requireCryptographicHolderBinding ? undefined : false,
    trusted_authorities: query.trustedAuthorities?.map(({ type, values }) => ({ type, values })),
    claims: query.claims?.map(({ id, path, values }) => wireObject({ id, path, values })),
    claim_sets: query.claimSets,
  })
}
