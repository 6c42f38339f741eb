/**
 * Facts of a request in the JSON form that Cedar takes.
 *
 * Cedar's JSON gives some member names a meaning: an object with `__entity` is a reference to an entity. Facts
 * come from other parties, so such names are refused: a claim must not become an entity.
 *
 * Source: Cedar documentation, JSON syntax of entities and context.
 *
 * @module
 */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, VerificationError } from '@attache/core'
import type { CedarValueJson, Context } from '@cedar-policy/cedar-wasm/nodejs'

const ESCAPES = ['__entity', '__extn', '__expr']

/**
 * Copies facts for Cedar.
 *
 * @throws {VerificationError} `policy_context`: a member name with a meaning in Cedar.
 */
export function toCedarContext(context: JsonObject): Context {
  return Object.fromEntries(
    Object.entries(context).map(([name, value]) => [checked(name), toCedarValue(value)]),
  )
}

function toCedarValue(value: JsonValue): CedarValueJson {
  if (isJsonArray(value)) return value.map(toCedarValue)
  return isJsonObject(value) ? toCedarContext(value) : value
}

function checked(name: string): string {
  if (!ESCAPES.includes(name)) return name
  throw new VerificationError('policy_context', 'The context has a member name that Cedar gives a meaning.')
}
