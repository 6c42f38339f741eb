/**
 * Reading the members of a message on the socket: own members only, of a stated type and size.
 *
 * @module
 */

/** @returns Whether the value is an object whose own members can be read by name. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns An own member, `undefined` when it is absent or null. */
export function own(record: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(record, name) ? (record[name] ?? undefined) : undefined
}

/** @returns A non-empty text member of bounded length (UTF-16 units), else `undefined`. */
export function text(
  record: Readonly<Record<string, unknown>>,
  name: string,
  maxLength: number,
): string | undefined {
  const value = own(record, name)
  return typeof value === 'string' && value !== '' && value.length <= maxLength ? value : undefined
}
