/**
 * Arrays as issued: where elements stayed hidden, their places are kept empty.
 *
 * A path that counts elements means the array as it was issued. Without the gaps, withholding the first element
 * would move the second one into its place.
 *
 * Source: SD-JWT VC, section 5.6.1 (processing on the disclosed credential); requirements/verifier.md, D6.
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
  setMember,
} from '@attache/core'

type Steps = readonly ClaimsPathElement[]

/**
 * Puts gaps where array elements stayed hidden. The value is for matching; to send it on, project it.
 *
 * @param claims Processed claims: hidden elements are left out and the rest has moved up.
 * @param hidden Paths of hidden elements, indexes as issued.
 */
export function withHiddenElements(claims: JsonObject, hidden: readonly ClaimsPath[]): JsonObject {
  if (hidden.length === 0) return claims
  const expanded = expand(claims, hidden)
  return isJsonObject(expanded) ? expanded : claims
}

function expand(value: JsonValue, hidden: readonly Steps[]): JsonValue {
  if (hidden.length === 0) return value
  if (isJsonArray(value)) return expandArray(value, hidden)
  if (!isJsonObject(value)) return value
  const expanded: Record<string, JsonValue> = {}
  for (const [name, inner] of Object.entries(value))
    setMember(expanded, name, expand(inner, below(hidden, name)))
  return expanded
}

function expandArray(value: readonly JsonValue[], hidden: readonly Steps[]): readonly JsonValue[] {
  const gaps = new Set(hidden.filter(({ length }) => length === 1).map(([index]) => index))
  const expanded: JsonValue[] = []
  let index = 0
  for (const element of value) {
    while (gaps.has(index)) index += 1
    expanded[index] = expand(element, below(hidden, index))
    index += 1
  }
  return expanded
}

function below(paths: readonly Steps[], step: ClaimsPathElement): readonly Steps[] {
  return paths.filter(([first, ...rest]) => first === step && rest.length > 0).map(([, ...rest]) => rest)
}
