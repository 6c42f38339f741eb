/**
 * Making the wire form of a message.
 *
 * Owns the one rule of all makers of this room: what the other half would refuse is not made. Knows no
 * message. Stays inside the room.
 *
 * Source: OpenID4VCI 1.0, section 8.3.1.2; the makers name their own sections.
 *
 * @module
 */
import { configurationError, type JsonObject, type JsonValue, ProtocolError, setMember } from '@attache/core'

/** The members of a message as they are written down: a member whose value is undefined is left out. */
export type WireMembers = Readonly<Record<string, JsonValue | undefined>>

/** Leaves out the members that have no value. */
export function wireObject(members: WireMembers): JsonObject {
  const wire: Record<string, JsonValue> = {}
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined) setMember(wire, name, value)
  }
  return wire
}

/**
 * Gives the wire form back when the other half accepts it.
 *
 * @throws {TypeError} `message_refused`: the caller asks for a message that its receiver must refuse.
 */
export function made<T>(wire: T, parse: (wire: T) => unknown): T {
  try {
    parse(wire)
  } catch (error) {
    if (error instanceof ProtocolError) throw configurationError('message_refused', error.message)
    throw error
  }
  return wire
}
