/**
 * What a type inherits from the type it extends, and what it may change.
 *
 * Source: SD-JWT VC (draft 19), sections 5.4, 5.5.2 and 5.6.5.
 *
 * @module
 */
import { refusal } from './errors.js'
import { type ClaimMetadata, checkSvgIds, type TypeMetadata } from './type-metadata.js'

/**
 * Lays a type over the one it extends.
 *
 * Claims with equal paths are combined property by property, the child's property replacing the parent's as a
 * whole; a `display` of the type replaces the parent's entirely.
 *
 * @param parent Already complete: what it extends is in it.
 * @throws {VerificationError} `type_metadata_extends`: `sd` changes from `always` or `never`, or `mandatory`
 *   goes from true to false; `type_metadata_malformed`: the two use one `svg_id` for different claims.
 *
 * Source: SD-JWT VC, sections 5.5.2, 5.6.5 and 5.6.5.1.
 */
export function extendType(parent: TypeMetadata, child: TypeMetadata): TypeMetadata {
  const claims = new Map((parent.claims ?? []).map((claim) => [pathKey(claim), claim]))
  for (const claim of child.claims ?? []) {
    const inherited = claims.get(pathKey(claim))
    claims.set(pathKey(claim), inherited === undefined ? claim : extendClaim(inherited, claim))
  }
  const combined = [...claims.values()]
  checkSvgIds(combined)
  return { ...parent, ...child, ...(combined.length === 0 ? {} : { claims: combined }) }
}

function extendClaim(parent: ClaimMetadata, child: ClaimMetadata): ClaimMetadata {
  const fixed = parent.sd === 'always' || parent.sd === 'never'
  if (fixed && child.sd !== undefined && child.sd !== parent.sd) throw refusal('type_metadata_extends')
  if (parent.mandatory === true && child.mandatory === false) throw refusal('type_metadata_extends')
  return { ...parent, ...child }
}

function pathKey({ path }: ClaimMetadata): string {
  return JSON.stringify(path)
}
