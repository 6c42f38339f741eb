/**
 * From an issuer-signed payload and Disclosures to the processed claims.
 *
 * One depth-counted walk finds digests, puts disclosed claims in their places and refuses every structure
 * that the standard does not describe. Nothing is returned unless everything held.
 *
 * Source: RFC 9901, section 7.1, steps 3 to 5.
 *
 * @module
 */
import {
  type ClaimsPath,
  type ClaimsPathElement,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  setMember,
} from '@attache/core'
import { digest, type HashAlgorithm } from '@attache/keys'
import { decodeDisclosure } from './disclosure.js'
import { refusal } from './errors.js'
import type { SdJwtLimits } from './limits.js'

/** The claims after processing, and where Disclosures stood. */
export interface ProcessedClaims {
  /** Payload with disclosed claims in place; no `_sd`, no `_sd_alg`, no placeholder. */
  readonly claims: JsonObject
  /** Every disclosed claim in the order met; indexes count the array as issued. */
  readonly disclosed: readonly DisclosedClaim[]
  /** Array elements that stayed hidden (or are decoys), indexes as issued. */
  readonly hiddenElements: readonly ClaimsPath[]
  /** How many digests payload and Disclosures hold together. */
  readonly digestCount: number
}

/** One disclosed claim: where it stands and which Disclosure says so. */
export interface DisclosedClaim {
  readonly path: ClaimsPath
  /** The Disclosure as received. */
  readonly encoded: string
}

interface Walk {
  readonly byDigest: Map<string, string>
  readonly seen: Set<string>
  readonly disclosed: DisclosedClaim[]
  readonly hiddenElements: ClaimsPath[]
  readonly path: ClaimsPathElement[]
  readonly limits: SdJwtLimits
}

/**
 * Processes the Disclosures of a payload whose signature has been verified.
 *
 * @param disclosures Encoded Disclosures as received.
 * @throws {VerificationError} `disclosure_*`, `digest_*`, `digests_too_many`, `claim_name_*`,
 *   `sd_alg_misplaced`, `sd_jwt_too_deep`.
 *
 * Source: RFC 9901, section 7.1, steps 3 to 5.
 */
export function processDisclosures(
  payload: JsonObject,
  disclosures: readonly string[],
  options: { readonly sdAlg: HashAlgorithm; readonly limits: SdJwtLimits },
): ProcessedClaims {
  const walk: Walk = {
    byDigest: digestsOf(disclosures, options.sdAlg),
    seen: new Set(),
    disclosed: [],
    hiddenElements: [],
    path: [],
    limits: options.limits,
  }
  const claims = processObject(payload, walk)
  // Each matched Disclosure was met exactly once, since a digest that occurs twice is refused.
  if (walk.disclosed.length !== walk.byDigest.size) throw refusal('disclosure_unreferenced')
  return {
    claims,
    disclosed: walk.disclosed,
    hiddenElements: walk.hiddenElements,
    digestCount: walk.seen.size,
  }
}

function digestsOf(disclosures: readonly string[], sdAlg: HashAlgorithm): Map<string, string> {
  const byDigest = new Map<string, string>()
  // Hash the text as received: two texts can decode to one content, only one of them was signed.
  for (const encoded of disclosures) byDigest.set(digest(sdAlg, encoded), encoded)
  if (byDigest.size !== disclosures.length) throw refusal('disclosure_repeated')
  return byDigest
}

/** The path is as long as the walk is deep, so that Disclosures count like anything else. */
function checkDepth(walk: Walk): void {
  if (walk.path.length >= walk.limits.maxDepth) throw refusal('sd_jwt_too_deep')
}

function processValue(value: JsonValue, walk: Walk): JsonValue {
  if (isJsonArray(value)) return processArray(value, walk)
  return isJsonObject(value) ? processObject(value, walk) : value
}

function processObject(object: JsonObject, walk: Walk): JsonObject {
  checkDepth(walk)
  const claims: Record<string, JsonValue> = {}
  for (const name of Object.keys(object)) {
    if (name === '_sd') continue
    if (name === '...') throw refusal('digest_placement')
    if (name === '_sd_alg') {
      if (walk.path.length > 0) throw refusal('sd_alg_misplaced')
      continue
    }
    walk.path.push(name)
    setMember(claims, name, processValue(object[name] ?? null, walk))
    walk.path.pop()
  }
  for (const found of digestList(member(object, '_sd'))) discloseMember(claims, found, walk)
  return claims
}

function digestList(value: JsonValue | undefined): readonly JsonValue[] {
  if (value === undefined) return []
  if (!isJsonArray(value)) throw refusal('digest_placement')
  return value
}

function discloseMember(claims: Record<string, JsonValue>, found: JsonValue, walk: Walk): void {
  const encoded = matchDigest(found, walk)
  if (encoded === undefined) return
  const { name, value } = decodeDisclosure(encoded, 'member', walk.limits)
  if (name === undefined) throw refusal('disclosure_kind')
  if (Object.hasOwn(claims, name)) throw refusal('claim_name_taken')
  walk.path.push(name)
  walk.disclosed.push({ path: pathOf(walk), encoded })
  setMember(claims, name, processValue(value, walk))
  walk.path.pop()
}

function processArray(array: readonly JsonValue[], walk: Walk): readonly JsonValue[] {
  checkDepth(walk)
  const elements: JsonValue[] = []
  for (const [index, element] of array.entries()) {
    walk.path.push(index)
    const placeholder = placeholderDigest(element)
    if (placeholder === undefined) elements.push(processValue(element, walk))
    else discloseElement(elements, placeholder, walk)
    walk.path.pop()
  }
  return elements
}

/** The value of `...` when an array element is a placeholder; anything else that has the name is refused. */
function placeholderDigest(element: JsonValue): JsonValue | undefined {
  if (!isJsonObject(element)) return undefined
  const found = member(element, '...')
  if (found !== undefined && Object.keys(element).length !== 1) throw refusal('digest_placement')
  return found
}

function discloseElement(elements: JsonValue[], found: JsonValue, walk: Walk): void {
  const encoded = matchDigest(found, walk)
  if (encoded === undefined) {
    walk.hiddenElements.push(pathOf(walk))
    return
  }
  const { value } = decodeDisclosure(encoded, 'element', walk.limits)
  walk.disclosed.push({ path: pathOf(walk), encoded })
  elements.push(processValue(value, walk))
}

/** The Disclosure behind a digest; `undefined` for a decoy or a claim that was not disclosed. */
function matchDigest(found: JsonValue, walk: Walk): string | undefined {
  if (typeof found !== 'string') throw refusal('digest_placement')
  if (walk.seen.has(found)) throw refusal('digest_repeated')
  if (walk.seen.size >= walk.limits.maxDigests) throw refusal('digests_too_many')
  walk.seen.add(found)
  return walk.byDigest.get(found)
}

function pathOf(walk: Walk): ClaimsPath {
  const [first, ...rest] = walk.path
  if (first === undefined) throw refusal('digest_placement')
  return [first, ...rest]
}
