/**
 * Whether the stored data are ours to open.
 *
 * Owns one marker per tenant, written at the first start: data of a newer release stop the start, before
 * anything is served from them or written into them.
 *
 * Source: the house design, section Decided once.
 *
 * @module
 */
import type { Store } from '@attache/core'
import { checkRecordVersion, RECORD_VERSION, type RecordKeys } from './stored-record.js'

/**
 * Checks the marker, and writes it where there is none.
 *
 * @throws {TypeError} `stored_data_newer`: a newer release wrote the data.
 */
export async function checkStoredFormat(deps: {
  readonly store: Pick<Store, 'get' | 'putIfAbsent'>
  readonly keys: RecordKeys
}): Promise<void> {
  const key = deps.keys.of('format', 'records')
  const stored = await deps.store.get(key)
  if (stored === undefined) await deps.store.putIfAbsent(key, { v: RECORD_VERSION })
  else checkRecordVersion(stored.value)
}
