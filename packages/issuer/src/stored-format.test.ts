import { createMemoryStore } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { checkStoredFormat } from './stored-format.js'
import { createRecordKeys } from './stored-record.js'

describe('checkStoredFormat', () => {
  const keys = createRecordKeys('default')

  test('marks new data and opens them again', async () => {
    const store = createMemoryStore({ clock: () => 0 })
    await checkStoredFormat({ store, keys })
    await checkStoredFormat({ store, keys })
    expect(await store.get('t/default/issuer/format/records')).toMatchObject({ value: { v: 1 } })
  })

  test('refuses data of a newer release', async () => {
    const store = createMemoryStore({ clock: () => 0 })
    await store.put('t/default/issuer/format/records', { v: 2 })
    await expect(checkStoredFormat({ store, keys })).rejects.toMatchObject({ code: 'stored_data_newer' })
  })
})
