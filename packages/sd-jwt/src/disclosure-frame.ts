/**
 * From claims paths to the frame the library wants.
 *
 * Which claims are disclosable is stated as claims paths, not as a frame: templates, type metadata and
 * queries already speak in paths, `null` says "each element", and a claim literally named `a.b` or `_sd` can
 * not be mistaken for an instruction.
 *
 * Source: RFC 9901, section 4.2.4; SD-JWT VC, section 5.6.1 (paths).
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
  parseClaimsPath,
} from '@attache/core'
import { NEVER_DISCLOSABLE } from './credential-claims.js'
import { issuanceError } from './issuance-errors.js'

/** Fills the digests of one object or array up to a number, so that their count says nothing. */
export interface DecoyTarget {
  /** Where; `[]` is the top level. */
  readonly at: readonly ClaimsPathElement[]
  /** Digests there in the end, real ones included; 1 to 256. */
  readonly fillTo: number
}

/** What the library understands: names or indexes to hide, decoys to add, and the same for what is inside. */
export interface DisclosureFrame {
  [nameOrIndex: string]: DisclosureFrame | readonly string[] | readonly number[] | number | undefined
}

/** A frame and how many Disclosures and digests it will make. */
export interface FramedClaims {
  readonly frame: DisclosureFrame
  readonly disclosureCount: number
}

interface Node {
  hidden: boolean
  fillTo: number
  readonly children: Map<string | number, Node>
}

/** Beside the claims that no receiver accepts hidden; a hidden `aud` would widen who may accept. */
const MUST_BE_VISIBLE = [...NEVER_DISCLOSABLE, 'aud']

/**
 * Builds the frame for a set of claims.
 *
 * @throws {TypeError} `disclosable_path`, `disclosable_absent`, `disclosable_forbidden`, `decoys_malformed`.
 */
export function frameClaims(
  claims: JsonObject,
  disclosable: readonly ClaimsPath[],
  decoys: readonly DecoyTarget[],
): FramedClaims {
  const root = createNode()
  let disclosureCount = 0
  for (const given of disclosable) {
    const path = parseClaimsPath(given)
    if (path === undefined) throw issuanceError('disclosable_path')
    const [first] = path
    if (typeof first === 'string' && MUST_BE_VISIBLE.includes(first)) {
      throw issuanceError('disclosable_forbidden')
    }
    const places = locate(root, claims, path)
    if (places.length === 0) throw issuanceError('disclosable_absent')
    for (const { node } of places) {
      if (!node.hidden) disclosureCount += 1
      node.hidden = true
    }
  }
  for (const target of decoys) placeDecoys(root, claims, target)
  return { frame: frameOf(root, claims), disclosureCount }
}

function placeDecoys(root: Node, claims: JsonObject, target: DecoyTarget): void {
  const { at, fillTo } = target
  const [first, ...rest] = at
  const forbidden = typeof first === 'string' && MUST_BE_VISIBLE.includes(first)
  if (forbidden || !Number.isInteger(fillTo) || fillTo < 1 || fillTo > 256) {
    throw issuanceError('decoys_malformed')
  }
  const places =
    first === undefined ? [{ node: root, value: claims }] : locate(root, claims, [first, ...rest])
  const containers = places.filter(({ value }) => isJsonArray(value) || isJsonObject(value))
  if (containers.length === 0) throw issuanceError('decoys_malformed')
  for (const { node } of containers) node.fillTo = fillTo
}

function createNode(): Node {
  return { hidden: false, fillTo: 0, children: new Map() }
}

interface Place {
  readonly node: Node
  readonly value: JsonValue
}

/** Where a path leads, nodes made on the way; empty when a step leads nowhere on every branch. */
function locate(root: Node, claims: JsonValue, path: ClaimsPath): readonly Place[] {
  let places: readonly Place[] = [{ node: root, value: claims }]
  for (const element of path) {
    places = places.flatMap(({ node, value }) =>
      stepsOf(value, element).map(({ key, inner }) => ({ node: childOf(node, key), value: inner })),
    )
  }
  return places
}

function childOf(node: Node, key: string | number): Node {
  const known = node.children.get(key)
  if (known !== undefined) return known
  const made = createNode()
  node.children.set(key, made)
  return made
}

function stepsOf(
  value: JsonValue,
  element: ClaimsPathElement,
): readonly { readonly key: string | number; readonly inner: JsonValue }[] {
  if (typeof element === 'string') {
    const inner = isJsonObject(value) ? member(value, element) : undefined
    return inner === undefined ? [] : [{ key: element, inner }]
  }
  if (!isJsonArray(value)) return []
  if (element === null) return value.map((inner, key) => ({ key, inner }))
  const inner = value[element]
  return inner === undefined ? [] : [{ key: element, inner }]
}

function frameOf(node: Node, value: JsonValue): DisclosureFrame {
  const frame: DisclosureFrame = {}
  const hidden = [...node.children].filter(([, child]) => child.hidden).map(([key]) => key)
  if (hidden.length > 0) {
    frame['_sd'] = isJsonArray(value)
      ? hidden.filter((key) => typeof key === 'number')
      : hidden.filter((key) => typeof key === 'string')
  }
  if (node.fillTo > hidden.length) frame['_sd_decoy'] = node.fillTo - hidden.length
  for (const name of inheritedNames(value)) frame[name] = undefined
  for (const [key, child] of node.children) {
    const [step] = stepsOf(value, key)
    if (step !== undefined && isFramed(child)) frame[key] = frameOf(child, step.inner)
  }
  return frame
}

function isFramed(node: Node): boolean {
  return node.fillTo > 0 || node.children.size > 0
}

// The library keeps packed members in an object with a prototype and would read `constructor` from there.
// An entry without a frame makes it store the claim itself under that name first.
function inheritedNames(value: JsonValue): readonly string[] {
  return isJsonObject(value) ? Object.keys(value).filter((name) => name in Object.prototype) : []
}
