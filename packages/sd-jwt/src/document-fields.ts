/**
 * Reading members of a type metadata document, each with its type or not at all.
 *
 * @module
 */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, member } from '@attache/core'
import { refusal } from './errors.js'

/** Longest list in a document; the document itself is bounded in bytes. */
const MAX_ITEMS = 512

/** An object, or `type_metadata_malformed`. */
export function asObject(value: JsonValue | undefined): JsonObject {
  if (!isJsonObject(value)) throw refusal('type_metadata_malformed')
  return value
}

/** A required, non-empty text. */
export function requiredText(object: JsonObject, name: string): string {
  const value = member(object, name)
  if (typeof value !== 'string' || value === '') throw refusal('type_metadata_malformed')
  return value
}

/** A text under its new name, or nothing at all. */
export function optionalText<Name extends string>(
  object: JsonObject,
  name: string,
  as: Name,
): { readonly [name in Name]?: string } {
  const value = member(object, name)
  if (value === undefined) return {}
  if (typeof value !== 'string') throw refusal('type_metadata_malformed')
  const found: { [name in Name]?: string } = {}
  return Object.assign(found, { [as]: value })
}

/** The items of an optional list, each read by `read`; `undefined` when there is no list. */
export function optionalList<Item>(
  object: JsonObject,
  name: string,
  read: (item: JsonObject) => Item,
): readonly Item[] | undefined {
  const value = member(object, name)
  if (value === undefined) return undefined
  if (!isJsonArray(value) || value.length === 0 || value.length > MAX_ITEMS) {
    throw refusal('type_metadata_malformed')
  }
  return value.map((item) => read(asObject(item)))
}
