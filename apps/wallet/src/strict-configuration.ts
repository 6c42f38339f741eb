/**
 * Strict reading of a configuration file: JSON, and no member that is not known.
 *
 * Owns the message: the path of the first mistake, and the nearest name to one that nobody knows. What a
 * configuration holds is the schema of each command.
 *
 * @module
 */
import { parseJson } from '@attache/core'
import { nearestName, startUpError } from '@attache/daemon'
import { z } from 'zod'

/**
 * Reads the text of a configuration file.
 *
 * @param schema Strict objects all the way down.
 * @throws {TypeError} `configuration_malformed`, with the path of the first mistake.
 */
export function parseStrictly<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> {
  const json = parseJson(text, { maxDepth: 32 })
  if (!json.ok)
    throw malformed(`The configuration is not JSON (${json.reason}): see its commas, quotes and brackets.`)
  const parsed = schema.safeParse(json.value)
  if (!parsed.success) throw malformed(describe(parsed.error, schema))
  return parsed.data
}

function describe(error: z.ZodError, schema: z.ZodType): string {
  // A name that is not known explains the one that is missing.
  const issue = error.issues.find(({ code }) => code === 'unrecognized_keys') ?? error.issues[0]
  if (issue === undefined) return 'The configuration is malformed.'
  const path = issue.path.join('.')
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return `The configuration member ${path} is missing. Add it.`
  }
  if (issue.code !== 'unrecognized_keys') {
    return `The configuration member ${path === '' ? '(top level)' : path} is wrong: ${issue.message}.`
  }
  const name = issue.keys[0] ?? ''
  const nearest = nearestName(name, memberNames(schema, issue.path))
  const meant = nearest === undefined ? 'Remove it.' : `Did you mean ${nearest}?`
  return `The configuration has an unknown member ${[...issue.path, name].join('.')}. ${meant}`
}

/** The names that are known at a path of the schema. */
function memberNames(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const here = bare(schema)
  if (here instanceof z.ZodArray && here.element instanceof z.ZodType) {
    return memberNames(here.element, path.slice(1))
  }
  if (!(here instanceof z.ZodObject)) return []
  const [first, ...rest] = path
  if (first === undefined) return Object.keys(here.shape)
  const inner: unknown = here.shape[String(first)]
  return inner instanceof z.ZodType ? memberNames(inner, rest) : []
}

/** A schema without its defaults and its leave to be absent. */
function bare(schema: z.ZodType): z.ZodType {
  const wrapped = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional
  const inner: unknown = wrapped ? schema.unwrap() : undefined
  return inner instanceof z.ZodType ? bare(inner) : schema
}

/** Makes the error of a wrong configuration. */
export function malformed(message: string): TypeError {
  return startUpError('configuration_malformed', message)
}
