/**
 * Claims path pointers: where in a credential's claims a value stands.
 *
 * Owns parsing and walking one. Whether a selected claim may be disclosed, and what a query wants of its
 * value, is decided elsewhere.
 *
 * Source: OpenID4VP 1.0, section 7; SD-JWT VC, section 5.6.1.
 *
 * @module
 */
import { isJsonArray, isJsonObject, type JsonValue, member } from './json.js'

/** One step: a member name, an array index from 0, or `null` for all elements of an array. */
export type ClaimsPathElement = string | number | null

/** A non-empty sequence of steps from the root of the claims. */
export type ClaimsPath = readonly [ClaimsPathElement, ...ClaimsPathElement[]]

/**
 * Reads a claims path pointer from unknown JSON.
 *
 * @returns The path, or `undefined` when it is not a non-empty array of strings, nulls and non-negative
 * integers.
 *
 * Source: OpenID4VP 1.0, section 7; SD-JWT VC, section 5.6.1.
 */
export function parseClaimsPath(value: unknown): ClaimsPath | undefined {
  if (!Array.isArray(value)) return undefined
  const elements: ClaimsPathElement[] = []
  for (const element of value) {
    if (!isElement(element)) return undefined
    elements.push(element)
  }
  const [first, ...rest] = elements
  return first === undefined ? undefined : [first, ...rest]
}

function isElement(element: unknown): element is ClaimsPathElement {
  if (element === null || typeof element === 'string') return true
  return typeof element === 'number' && Number.isSafeInteger(element) && element >= 0
}

/**
 * Walks a claims path pointer.
 *
 * @returns The selected values; empty when a member or index is missing on every branch; `undefined` when
 * the structure contradicts the path (a name on something that is no object, an index or `null` on
 * something that is no array), in which case processing is aborted.
 *
 * Source: OpenID4VP 1.0, section 7.1.1.
 */
export function selectByPath(value: JsonValue, path: ClaimsPath): readonly JsonValue[] | undefined {
  let selected: readonly JsonValue[] = [value]
  for (const element of path) {
    const next: JsonValue[] = []
    for (const current of selected) {
      const found = step(current, element)
      if (found === undefined) return undefined
      next.push(...found)
    }
    selected = next
  }
  return selected
}

function step(value: JsonValue, element: ClaimsPathElement): readonly JsonValue[] | undefined {
  if (typeof element === 'string') {
    if (!isJsonObject(value)) return undefined
    const found = member(value, element)
    return found === undefined ? [] : [found]
  }
  if (!isJsonArray(value)) return undefined
  if (element === null) return value
  const found = value[element]
  return found === undefined ? [] : [found]
}
