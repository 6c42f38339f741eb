/**
 * Where a claims path leads in one credential: every selected value together with its own concrete path.
 *
 * @module
 */
import { type ClaimsPath, isJsonArray, isJsonObject, type JsonValue, member } from '@attache/core'

/** A selected value and the path, free of `null`, that leads to it alone. */
export interface SelectedValue {
  readonly path: ClaimsPath
  readonly value: JsonValue
}

/**
 * Walks a claims path and keeps, for every selected value, how it was reached.
 *
 * @returns The selected values; empty when nothing is there or the structure contradicts the path.
 *
 * Source: OpenID4VP 1.0, section 7.1.1.
 */
export function selectWithPaths(claims: JsonValue, path: ClaimsPath): readonly SelectedValue[] {
  const [first, ...rest] = path
  let selected = step({ path: [], value: claims }, first)
  for (const element of rest) {
    const next = selected?.map((from) => step(from, element))
    // One branch of the wrong structure ends the whole walk, not only that branch.
    if (next === undefined || next.includes(undefined)) return []
    selected = next.flatMap((found) => found ?? [])
  }
  return (selected ?? []).flatMap(({ path: [head, ...tail], value }) =>
    head === undefined ? [] : [{ path: [head, ...tail], value }],
  )
}

interface Reached {
  readonly path: readonly (string | number)[]
  readonly value: JsonValue
}

function step(from: Reached, element: string | number | null): readonly Reached[] | undefined {
  if (typeof element === 'string') {
    if (!isJsonObject(from.value)) return undefined
    const value = member(from.value, element)
    return value === undefined ? [] : [{ path: [...from.path, element], value }]
  }
  if (!isJsonArray(from.value)) return undefined
  // flatMap passes over the gaps of hidden elements; map would keep them.
  if (element === null) return from.value.flatMap((value, index) => [{ path: [...from.path, index], value }])
  const value = from.value[element]
  return value === undefined ? [] : [{ path: [...from.path, element], value }]
}
