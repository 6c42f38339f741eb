/**
 * Storage for a Credo-TS agent: records in memory, found by their tags.
 *
 * @module
 */
import { type BaseRecord, type Query, RecordNotFoundError, type StorageService } from '@credo-ts/core'

type Tags = Readonly<Record<string, unknown>>

/** Makes an empty storage. */
export function createCredoStorage(): StorageService<BaseRecord> {
  const records = new Map<string, BaseRecord>()
  const keyOf = (type: string, id: string) => `${type} ${id}`
  const keep = async (_context: unknown, record: BaseRecord) => {
    records.set(keyOf(record.type, record.id), record.clone())
  }
  const ofType = (type: string) => [...records.values()].filter((record) => record.type === type)
  return {
    supportsCursorPagination: false,
    save: keep,
    update: keep,
    delete: async (_context, record) => void records.delete(keyOf(record.type, record.id)),
    deleteById: async (_context, { type }, id) => void records.delete(keyOf(type, id)),
    getById: async (_context, { type }, id) => {
      const record = records.get(keyOf(type, id))
      if (record === undefined) throw new RecordNotFoundError('No such record.', { recordType: type })
      return record.clone()
    },
    getAll: async (_context, { type }) => ofType(type).map((record) => record.clone()),
    findByQuery: async (_context, { type }, query) =>
      ofType(type)
        .filter((record) => fits(record.getTags(), query))
        .map((record) => record.clone()),
  }
}

function fits(tags: Tags, query: Query<BaseRecord>): boolean {
  const { $and: all = [], $or: some, $not: none, ...rest }: Partial<QueryParts> & Tags = { ...query }
  return (
    all.every((part) => fits(tags, part)) &&
    (some?.some((part) => fits(tags, part)) ?? true) &&
    (none === undefined || !fits(tags, none)) &&
    Object.entries(rest).every(([name, value]) => value === undefined || hasTag(tags[name], value))
  )
}

interface QueryParts {
  readonly $and: readonly Query<BaseRecord>[]
  readonly $or: readonly Query<BaseRecord>[]
  readonly $not: Query<BaseRecord>
}

function hasTag(tag: unknown, wanted: unknown): boolean {
  if (!Array.isArray(wanted)) return tag === wanted
  return Array.isArray(tag) && wanted.every((one) => tag.includes(one))
}
