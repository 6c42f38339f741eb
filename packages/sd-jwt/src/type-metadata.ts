/**
 * Type metadata documents: text to value.
 *
 * What a document means for a credential is in `type-rules.ts`, how it inherits in `extend-type.ts`, where it
 * comes from in `type-metadata-resolver.ts`.
 *
 * Source: SD-JWT VC (draft 19), sections 5.2 and 5.6.
 *
 * @module
 */
import {
  type ClaimsPath,
  decodeUtf8,
  type JsonObject,
  member,
  parseClaimsPath,
  parseJson,
} from '@attache/core'
import { asObject, optionalList, optionalText, requiredText } from './document-fields.js'
import { refusal } from './errors.js'
import { type ClaimDisplay, parseClaimDisplay, parseTypeDisplay, type TypeDisplay } from './type-display.js'

/** What a type says about the claims at one path. */
export interface ClaimMetadata {
  readonly path: ClaimsPath
  readonly display?: readonly ClaimDisplay[]
  /** Whether the claim itself is a Disclosure, whatever it stands in. @default allowed */
  readonly sd?: 'always' | 'allowed' | 'never'
  /** Whether the issuer must include the claim. @default false */
  readonly mandatory?: boolean
  /** Name of the claim in SVG templates. */
  readonly svgId?: string
}

/** A type metadata document. */
export interface TypeMetadata {
  readonly vct: string
  readonly name?: string
  readonly description?: string
  /** The type this one is built upon. */
  readonly extends?: string
  readonly extendsIntegrity?: string
  readonly display?: readonly TypeDisplay[]
  readonly claims?: readonly ClaimMetadata[]
}

const SVG_ID = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * Reads a type metadata document; unknown members are ignored.
 *
 * @param octets The document as received, after transfer decoding.
 * @throws {VerificationError} `type_metadata_malformed`: no JSON object, a required member is missing, a path
 *   is no claims path, an `svg_id` is misspelt or used twice.
 *
 * Source: SD-JWT VC, sections 5.2 and 5.6.
 */
export function parseTypeMetadata(octets: Uint8Array): TypeMetadata {
  const text = decodeUtf8(octets)
  const parsed = text === undefined ? undefined : parseJson(text, { maxDepth: 16 })
  if (parsed?.ok !== true) throw refusal('type_metadata_malformed')
  const document = asObject(parsed.value)
  const display = optionalList(document, 'display', parseTypeDisplay)
  const claims = optionalList(document, 'claims', parseClaimMetadata)
  checkSvgIds(claims ?? [])
  return {
    vct: requiredText(document, 'vct'),
    ...optionalText(document, 'name', 'name'),
    ...optionalText(document, 'description', 'description'),
    ...optionalText(document, 'extends', 'extends'),
    ...optionalText(document, 'extends#integrity', 'extendsIntegrity'),
    ...(display === undefined ? {} : { display }),
    ...(claims === undefined ? {} : { claims }),
  }
}

/**
 * Refuses two claims with one name in SVG templates; asked again after inheriting.
 *
 * @throws {VerificationError} `type_metadata_malformed`.
 *
 * Source: SD-JWT VC, section 5.6.
 */
export function checkSvgIds(claims: readonly ClaimMetadata[]): void {
  const ids = claims.flatMap(({ svgId }) => svgId ?? [])
  if (new Set(ids).size !== ids.length) throw refusal('type_metadata_malformed')
}

function parseClaimMetadata(entry: JsonObject): ClaimMetadata {
  const path = parseClaimsPath(member(entry, 'path'))
  const svgId = optionalText(entry, 'svg_id', 'svgId')
  if (path === undefined) throw refusal('type_metadata_malformed')
  if (svgId.svgId !== undefined && !SVG_ID.test(svgId.svgId)) throw refusal('type_metadata_malformed')
  const display = optionalList(entry, 'display', parseClaimDisplay)
  return { path, ...svgId, ...disclosureRule(entry), ...(display === undefined ? {} : { display }) }
}

function disclosureRule(entry: JsonObject): Pick<ClaimMetadata, 'sd' | 'mandatory'> {
  const stated = member(entry, 'sd')
  const sd = (['always', 'allowed', 'never'] as const).find((known) => known === stated)
  const mandatory = member(entry, 'mandatory')
  if (stated !== undefined && sd === undefined) throw refusal('type_metadata_malformed')
  if (mandatory !== undefined && typeof mandatory !== 'boolean') throw refusal('type_metadata_malformed')
  return { ...(sd === undefined ? {} : { sd }), ...(mandatory === undefined ? {} : { mandatory }) }
}
