/**
 * Which facts of a request Cedar policies look at, read from their JSON form.
 *
 * Says what is looked at, not under which circumstances: a policy for another action counts as well. A record that
 * is used as a whole stands for everything in it.
 *
 * Source: Cedar policy language 4, JSON policy format.
 *
 * @module
 */
import { isJsonArray, isJsonObject, type JsonValue, member } from '@attache/core'
import type { FactPath } from './decision.js'

/**
 * Lists the facts behind conditions.
 *
 * @param conditions Bodies of `when` and `unless` in Cedar's JSON form.
 */
export function factsReadBy(conditions: readonly JsonValue[]): readonly FactPath[] {
  const found = new Map(conditions.flatMap(readsIn).map((path) => [JSON.stringify(path), path]))
  return [...found.values()]
}

function readsIn(expression: JsonValue): readonly FactPath[] {
  const path = pathOf(expression)
  if (path !== undefined) return [path]
  if (isJsonArray(expression)) return expression.flatMap(readsIn)
  return isJsonObject(expression) ? Object.values(expression).flatMap(readsIn) : []
}

// `context.claims.role` and `context.claims has role`, from the outside in; anything else is no path.
function pathOf(expression: JsonValue): FactPath | undefined {
  if (!isJsonObject(expression)) return undefined
  const variable = member(expression, 'Var')
  if (typeof variable === 'string') return [variable]
  const access = member(expression, '.') ?? member(expression, 'has')
  if (access === undefined || !isJsonObject(access)) return undefined
  const [left, attribute] = [member(access, 'left'), member(access, 'attr')]
  const outer = left === undefined ? undefined : pathOf(left)
  return outer === undefined || typeof attribute !== 'string' ? undefined : [...outer, attribute]
}
