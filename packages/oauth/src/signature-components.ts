/**
 * The components of an HTTP message that a signature can cover, and their values.
 *
 * Owns the values of fields and of derived components. Knows no profile: which components must be covered is
 * in `signature-profile.ts`. `http-message-signatures` 1.0.6 is not used for this: it puts methods in upper
 * case, accepts field names in upper case, resolves dot segments of the path, and reads the global clock.
 *
 * Source: RFC 9421, sections 2.1, 2.2, 2.4 and 2.5.
 *
 * @module
 */
import { Buffer } from 'node:buffer'
import { VerificationError } from '@attache/core'
import {
  type BareItem,
  type Item,
  type Parameters,
  parseDictionary,
  parseItem,
  parseList,
  serializeDictionary,
  serializeList,
  serializeMember,
  trimEnds,
} from './structured-fields.js'

/** Header fields in the order of the message, one entry for each field line where the host can tell. */
export type HeaderFields = readonly (readonly [name: string, value: string])[]

/** A request, as it is signed. */
export interface RequestMessage {
  readonly method: string
  /** Absolute URL as the client sees it. */
  readonly url: string
  readonly headers: HeaderFields
}

/** A response, as it is signed, with the request it answers. */
export interface ResponseMessage {
  readonly status: number
  readonly headers: HeaderFields
  readonly request?: RequestMessage | undefined
}

/** One of the two. */
export type HttpMessage = RequestMessage | ResponseMessage

/** A component identifier: a name in lower case and parameters. */
export type Component = Item & { readonly value: { readonly type: 'string'; readonly value: string } }

/**
 * Reads a component identifier as configuration writes it: `@method`, `content-digest;req`.
 *
 * @throws {VerificationError} `signature_component` when it is malformed.
 *
 * Source: RFC 9421, section 2.
 */
export function parseComponent(text: string): Component {
  const [name = '', ...rest] = text.split(';')
  const item = parseItem([`"${name}"`, ...rest].join(';'))
  if (item !== undefined && isComponent(item)) return item
  throw unusable('A component identifier is malformed.')
}

/** Tells whether an item is a component identifier: a string, in lower case. */
export function isComponent(item: Item): item is Component {
  return item.value.type === 'string' && /^@?[a-z0-9!#$%&'*+\-.^_`|~]+$/.test(item.value.value)
}

/**
 * The identifier in its one spelling, as it stands in the signature base.
 *
 * Source: RFC 9421, section 2.5.
 */
export function componentId(component: Component): string {
  return serializeMember(component)
}

/**
 * The value of one component.
 *
 * @throws {VerificationError} `signature_component`: unknown, absent, repeated or unusable component.
 *
 * Source: RFC 9421, sections 2.1, 2.2 and 2.5.
 */
export function componentValue(component: Component, message: HttpMessage): string {
  const name = component.value.value
  const source = sourceOf(component.parameters, message)
  const value = name.startsWith('@')
    ? derivedValue(name, component.parameters, source)
    : fieldValue(name, component.parameters, source)
  if (!/^[\x20-\x7e\t]*$/.test(value)) throw unusable('A covered component has characters outside ASCII.')
  return value
}

function sourceOf(parameters: Parameters, message: HttpMessage): HttpMessage {
  if (!parameters.has('req')) return message
  // Only a response has a request that it can be bound to.
  if ('status' in message && message.request !== undefined) return message.request
  throw unusable('The parameter req is for responses to a known request.')
}

const FIELD_PARAMETERS = new Set(['req', 'sf', 'key', 'bs'])

function fieldValue(name: string, parameters: Parameters, { headers }: HttpMessage): string {
  const values = headers.filter(([field]) => field.toLowerCase() === name).map(([, value]) => unfold(value))
  const [sf, key, bs] = [parameters.has('sf'), parameters.get('key'), parameters.has('bs')]
  // Trailers (`tr`) are not looked at: nothing here waits for the end of a body before it verifies.
  if ([...parameters.keys()].some((parameter) => !FIELD_PARAMETERS.has(parameter)) || (bs && (sf || key))) {
    throw unusable('A covered field has parameters that are not supported.')
  }
  if (values.length === 0) throw unusable('A covered field is absent.')
  if (bs) return values.map((value) => `:${Buffer.from(value, 'latin1').toString('base64')}:`).join(', ')
  const joined = values.join(', ')
  if (key !== undefined) return dictionaryMember(joined, key)
  return sf ? strictForm(joined) : joined
}

// Line by line: an expression that begins with blanks would cost the square of the longest run of them.
function unfold(value: string): string {
  const lines = value.split(/\r?\n(?=[ \t])/).map((line) => trimEnds(line, ' \t'))
  return trimEnds(lines.join(' '), ' \t')
}

function dictionaryMember(text: string, key: BareItem): string {
  const found = key.type === 'string' ? parseDictionary(text)?.get(key.value) : undefined
  if (found === undefined) throw unusable('A covered member of a field is absent.')
  return serializeMember(found)
}

function strictForm(text: string): string {
  const dictionary = parseDictionary(text)
  if (dictionary !== undefined) return serializeDictionary(dictionary)
  const list = parseList(text)
  if (list !== undefined) return serializeList(list)
  throw unusable('A covered field is not a structured field.')
}

function derivedValue(name: string, parameters: Parameters, message: HttpMessage): string {
  const allowed = name === '@query-param' ? ['req', 'name'] : ['req']
  if ([...parameters.keys()].some((parameter) => !allowed.includes(parameter))) {
    throw unusable('A derived component has parameters that are not supported.')
  }
  if ('status' in message) {
    if (name === '@status') return String(message.status)
    throw unusable('This derived component does not exist in a response.')
  }
  const [, scheme = '', , rawPath = '', query] = URL_PARTS.exec(message.url) ?? []
  const path = rawPath === '' ? '/' : rawPath
  switch (name) {
    case '@method':
      return message.method
    case '@target-uri':
      return message.url
    case '@authority':
      return new URL(message.url).host
    case '@scheme':
      return scheme.toLowerCase()
    case '@request-target':
      return `${path}${query ?? ''}`
    case '@path':
      return path
    case '@query':
      return query ?? '?'
    case '@query-param':
      return queryParameter(query ?? '', parameters.get('name'))
    default:
      throw unusable('A derived component is unknown.')
  }
}

const URL_PARTS = /^([A-Za-z][A-Za-z0-9+\-.]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?/

function queryParameter(query: string, name: BareItem | undefined): string {
  const values = [...new URLSearchParams(query)]
    .filter(([found]) => name?.type === 'string' && formEncode(found) === name.value)
    .map(([, value]) => formEncode(value))
  const [value] = values
  if (value === undefined || values.length > 1) {
    throw unusable('A covered query parameter must occur exactly once. Cover @query instead.')
  }
  return value
}

// The percent-encode set of application/x-www-form-urlencoded, with %20 for a space.
function formEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function unusable(message: string): VerificationError {
  return new VerificationError('signature_component', message)
}
