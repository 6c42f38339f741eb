/**
 * Walking a claims path over a credential as it was issued.
 *
 * Processed claims have lost the array elements that stayed hidden, so an index into them would name another
 * element than the issuer meant. Here indexes and `null` count the array as issued.
 *
 * Source: SD-JWT VC (draft 19), sections 5.6 and 5.6.1.2.
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
} from '@attache/core'

/** Processed claims, with the places of the array elements that stayed hidden. */
export interface IssuedClaims {
  readonly claims: JsonObject
  readonly hiddenElements: readonly ClaimsPath[]
}

/** One claim that a path selects. */
export interface SelectedClaim {
  /** Where it stands, as issued; no `null` left. */
  readonly path: readonly ClaimsPathElement[]
  /** `undefined` for an array element that is there but was not disclosed. */
  readonly value: JsonValue | undefined
}

/**
 * Selects the claims a path points at.
 *
 * @returns Every claim selected, hidden array elements included; empty when there is none; `undefined` when
 *   the structure contradicts the path, in which case processing is aborted.
 *
 * Source: SD-JWT VC, section 5.6.1.2.
 */
export function selectIssuedClaims(
  issued: IssuedClaims,
  path: ClaimsPath,
): readonly SelectedClaim[] | undefined {
  const hidden = hiddenIndexes(issued.hiddenElements)
  let selected: readonly SelectedClaim[] = [{ path: [], value: issued.claims }]
  for (const element of path) {
    const next: SelectedClaim[] = []
    for (const current of selected) {
      const found = stepFrom(current, element, hidden)
      if (found === undefined) return undefined
      next.push(...found)
    }
    selected = next
  }
  return selected
}

function hiddenIndexes(paths: readonly ClaimsPath[]): ReadonlyMap<string, ReadonlySet<number>> {
  const indexes = new Map<string, Set<number>>()
  for (const path of paths) {
    const index = path.at(-1)
    const array = JSON.stringify(path.slice(0, -1))
    const known = indexes.get(array) ?? new Set<number>()
    if (typeof index === 'number') indexes.set(array, known.add(index))
  }
  return indexes
}

function stepFrom(
  current: SelectedClaim,
  element: ClaimsPathElement,
  hidden: ReadonlyMap<string, ReadonlySet<number>>,
): readonly SelectedClaim[] | undefined {
  const { path, value } = current
  // Nothing can be said about the inside of what was not disclosed.
  if (value === undefined) return []
  if (typeof element === 'string') {
    if (!isJsonObject(value)) return undefined
    const found = member(value, element)
    return found === undefined ? [] : [{ path: [...path, element], value: found }]
  }
  if (!isJsonArray(value)) return undefined
  const elements = elementsAsIssued(value, hidden.get(JSON.stringify(path)))
  const wanted = element === null ? elements : elements.slice(element, element + 1)
  return wanted.map(({ index, inner }) => ({ path: [...path, index], value: inner }))
}

function elementsAsIssued(
  visible: readonly JsonValue[],
  hidden: ReadonlySet<number> | undefined,
): readonly { readonly index: number; readonly inner: JsonValue | undefined }[] {
  const count = visible.length + (hidden?.size ?? 0)
  const elements: { index: number; inner: JsonValue | undefined }[] = []
  let next = 0
  for (let index = 0; index < count; index += 1) {
    const isHidden = hidden?.has(index) === true
    elements.push({ index, inner: isHidden ? undefined : visible[next] })
    if (!isHidden) next += 1
  }
  return elements
}
