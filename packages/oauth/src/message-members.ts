/**
 * Reading and writing the members of a message: what absent, malformed and undefined mean.
 *
 * Owns the sentence that names a malformed member. Knows no message.
 *
 * @module
 */
import {
  configurationError,
  type JsonObject,
  type JsonValue,
  setMember,
  VerificationError,
} from '@attache/core'

interface ParseFailure {
  readonly issues: readonly { readonly path: readonly PropertyKey[] }[]
}

/**
 * One sentence that names the first malformed member, printable and without the sender's values.
 *
 * Source: RFC 6749, section 5.2 (characters of `error_description`).
 */
export function malformedMember(failure: ParseFailure): string {
  const path = failure.issues[0]?.path ?? []
  const name = path
    .filter((part) => typeof part === 'number' || /^[\w.-]{1,64}$/.test(String(part)))
    .join('.')
  return name === '' ? 'The message is not an object.' : `The member ${name} is missing or malformed.`
}

/** The refusal of an answer whose members are not what its standard requires. */
export function malformedAnswer(failure: ParseFailure): VerificationError {
  return new VerificationError('answer_malformed', malformedMember(failure))
}

/** A JSON object of the members that have a value; members that are `undefined` are left out. */
export function jsonMembers(members: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  const object: Record<string, JsonValue> = {}
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined) setMember(object, name, value)
  }
  return object
}

/**
 * Gives a message back when the other half can read it: what nobody would take is a mistake made here.
 *
 * @throws {TypeError} `message_unusable` with the other half's refusal as its cause.
 */
export function readable<T>(message: T, parse: (message: T) => unknown): T {
  try {
    parse(message)
    return message
  } catch (cause) {
    const { message: reason } = cause instanceof Error ? cause : { message: '' }
    throw Object.assign(configurationError('message_unusable', `Nobody could read this message: ${reason}`), {
      cause,
    })
  }
}
