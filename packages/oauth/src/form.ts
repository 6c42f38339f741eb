/**
 * Form parameters: what a request says in `application/x-www-form-urlencoded`.
 *
 * Owns the two rules every OAuth form follows: a parameter without a value counts as absent, and no
 * parameter is sent twice. The incoming body is read by `readForm` of core.
 *
 * Source: RFC 6749, sections 3.1, 3.2 and Appendix B.
 *
 * @module
 */
import {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  ProtocolError,
  parseJson,
} from '@attache/core'

/** Parameters by name, decoded. */
export type FormParameters = ReadonlyMap<string, string>

/** The media type of a form. */
export const FORM_MEDIA_TYPE = 'application/x-www-form-urlencoded'

/** Parameters from an object; members that are `undefined` or empty are left out. */
export function formParameters(members: Readonly<Record<string, string | undefined>>): FormParameters {
  const form = new Map<string, string>()
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined && value !== '') form.set(name, value)
  }
  return form
}

/**
 * Writes a form body or a query.
 *
 * Source: RFC 6749, Appendix B.
 */
export function encodeForm(form: FormParameters): string {
  return new URLSearchParams([...form]).toString()
}

/**
 * A parameter that must be there.
 *
 * @throws {ProtocolError} `invalid_request` when it is absent or empty.
 *
 * Source: RFC 6749, section 5.2.
 */
export function requiredParameter(form: FormParameters, name: string): string {
  const value = optionalParameter(form, name)
  if (value === undefined) throw new ProtocolError('invalid_request', `The parameter ${name} is missing.`)
  return value
}

/** A parameter that may be absent; an empty one is. */
export function optionalParameter(form: FormParameters, name: string): string | undefined {
  const value = form.get(name)
  return value === '' ? undefined : value
}

/**
 * The `authorization_details` parameter: a JSON array of objects, each with a `type`.
 *
 * @throws {ProtocolError} `invalid_authorization_details` when it is anything else.
 *
 * Source: RFC 9396, sections 2 and 5.
 */
export function authorizationDetailsParameter(form: FormParameters): readonly JsonObject[] | undefined {
  const text = optionalParameter(form, 'authorization_details')
  if (text === undefined) return undefined
  const parsed = parseJson(text)
  const details = parsed.ok ? detailsOf(parsed.value) : undefined
  if (details !== undefined) return details
  throw new ProtocolError(
    'invalid_authorization_details',
    'Send authorization_details as a JSON array of objects that each have a type.',
  )
}

/** The array itself when every element is an object with a `type`; else nothing. */
export function detailsOf(value: JsonValue): readonly JsonObject[] | undefined {
  if (!isJsonArray(value)) return undefined
  const details = value.filter(isJsonObject)
  const typed = details.every((detail) => Object.hasOwn(detail, 'type') && typeof detail['type'] === 'string')
  return typed && details.length > 0 && details.length === value.length ? details : undefined
}
