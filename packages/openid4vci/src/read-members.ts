/**
 * Reading the members of a message from outside, each with its own refusal.
 *
 * Owns the small readers every parser of this room is made of. They look at own members only, so
 * `__proto__` and `constructor` are ordinary names. Knows no message. Stays inside the room.
 *
 * Source: OpenID4VCI 1.0, section 8.3.1.2 (characters of an `error_description`).
 *
 * @module
 */
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  ProtocolError,
  parseHttpsUrl,
} from '@attache/core'

/** A JSON object that is being read, where it stands in its message, and the code its defects get. */
export interface Members {
  readonly object: JsonObject
  readonly path: string
  readonly code: string
}

/** What reads one value; `path` is for the refusal. */
export type ReadValue<T> = (value: JsonValue, path: string) => T

/** Opens a JSON object for reading. `path` is empty for the message itself. @throws {ProtocolError} with `code`. */
export function openMembers(value: unknown, path: string, code: string): Members {
  if (!isJsonObject(value))
    throw new ProtocolError(code, `${path === '' ? 'The message' : path} must be an object.`)
  return { object: value, path, code }
}

/** The refusal of one member, to be thrown. Names from outside are shown only when they are plain. */
export function refusal(from: Members, name: string, problem: string): ProtocolError {
  return new ProtocolError(from.code, `${pathOf(from, name)} ${problem}`)
}

/** Where a member stands, such as `grants.authorization_code`. */
export function pathOf(from: Members, name: string): string {
  const shown = /^[A-Za-z0-9_:+-]{1,64}$/.test(name) ? name : 'a member'
  return from.path === '' ? shown : `${from.path}.${shown}`
}

/** Reads a member that must be there. */
export function required<T>(from: Members, name: string, read: ReadValue<T>): T {
  const value = member(from.object, name)
  if (value === undefined) throw refusal(from, name, 'is missing.')
  return read(value, pathOf(from, name))
}

/** Reads a member that may be left out. */
export function optional<T>(from: Members, name: string, read: ReadValue<T>): T | undefined {
  const value = member(from.object, name)
  return value === undefined ? undefined : read(value, pathOf(from, name))
}

/** The readers of single values, all refusing with one code. */
export interface ValueReaders {
  readonly text: ReadValue<string>
  /** A text for people, which may be empty. */
  readonly words: ReadValue<string>
  readonly httpsUrl: ReadValue<string>
  readonly boolean: ReadValue<boolean>
  readonly object: ReadValue<Members>
  integer(least: number): ReadValue<number>
  oneOf<T extends string>(values: readonly T[]): ReadValue<T>
  /** An array with at least one element. */
  list<T>(read: ReadValue<T>): ReadValue<readonly T[]>
}

/** Makes the readers for one error code. */
export function readersFor(code: string): ValueReaders {
  const refuse = (path: string, problem: string): ProtocolError =>
    new ProtocolError(code, `${path} ${problem}`)
  return {
    text: (value, path) => {
      if (typeof value !== 'string' || value === '') throw refuse(path, 'must be a non-empty string.')
      return value
    },
    words: (value, path) => {
      if (typeof value !== 'string') throw refuse(path, 'must be a string.')
      return value
    },
    httpsUrl: (value, path) => {
      if (typeof value !== 'string' || parseHttpsUrl(value) === undefined) {
        throw refuse(path, 'must be an https URL.')
      }
      return value
    },
    boolean: (value, path) => {
      if (typeof value !== 'boolean') throw refuse(path, 'must be true or false.')
      return value
    },
    object: (value, path) => openMembers(value, path, code),
    integer: (least) => (value, path) => {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
        throw refuse(path, `must be an integer of at least ${least}.`)
      }
      return value
    },
    oneOf: (values) => (value, path) => {
      const found = values.find((candidate) => candidate === value)
      if (found === undefined) throw refuse(path, `must be one of ${values.join(', ')}.`)
      return found
    },
    list: (read) => (value, path) => {
      if (!Array.isArray(value) || value.length === 0) throw refuse(path, 'must be a non-empty array.')
      return value.map((element: JsonValue, index) => read(element, `${path}.${index}`))
    },
  }
}
