/**
 * Objects on their way to the wire: members that have no value are left out.
 *
 * @module
 */
import type { JsonObject, JsonValue } from '@attache/core'

/**
 * Makes a JSON object of the members that have a value.
 *
 * @param members Wire names; `undefined` means that the member is not sent.
 */
export function wireObject(members: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(hasValue))
}

function hasValue(entry: [string, JsonValue | undefined]): entry is [string, JsonValue] {
  return entry[1] !== undefined
}
