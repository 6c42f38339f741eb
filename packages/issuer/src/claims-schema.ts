/**
 * Judging the claims of a credential by the JSON Schema of its template.
 *
 * Owns the one use of ajv. Names what is wrong by path and keyword, never by value: the outcome is logged.
 *
 * Source: JSON Schema 2020-12.
 *
 * @module
 */
import { configurationError, type JsonObject } from '@attache/core'
import { Ajv2020 } from 'ajv/dist/2020.js'

/** Finds what is wrong with claims: an empty list when nothing is. */
export type ClaimsCheck = (claims: JsonObject) => readonly string[]

/** Compiles a template's schema. @throws {TypeError} `template_schema`. */
export function compileClaimsSchema(schema: JsonObject | undefined): ClaimsCheck {
  if (schema === undefined) return () => []
  const validate = compile(schema)
  return (claims) => {
    if (validate(claims)) return []
    return (validate.errors ?? []).map((error) => `${error.instancePath || '/'} ${error.keyword}`)
  }
}

function compile(schema: JsonObject): ReturnType<Ajv2020['compile']> {
  try {
    // `date` and the like are checked by the reader of the HR data; unknown formats are not an error here.
    return new Ajv2020({ allErrors: true, validateFormats: false }).compile(schema)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unreadable'
    throw configurationError('template_schema', `The template's schema does not compile: ${reason}`)
  }
}
