/**
 * From a configuration, where a member may be absent, to options, where an absent member keeps its default.
 *
 * @module
 */

type Present<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** The members that are there: an option that was left out keeps its default. */
export function withoutAbsent<T extends object>(options: T): Present<T> {
  const present = (value: object): value is Present<T> => !Object.values(value).includes(undefined)
  const kept: object = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  if (present(kept)) return kept
  throw new Error('Absent members were left out.')
}
