import { checkKey } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { transactionHandle, transactionKey } from './transaction.js'

describe('transactionKey', () => {
  test('keeps each handle apart', () => {
    const handles = ['one', 'two'].map(transactionHandle)
    expect(new Set(handles.map(transactionKey)).size).toBe(2)
    for (const handle of handles) expect(transactionKey(handle).endsWith(`/${handle}`)).toBe(true)
  })

  test.each([
    ['not ASCII', 'caf\u00e9'],
    ['too long for a key', 'a'.repeat(600)],
    ['a path', '../token/x'],
    ['a control character', 'a\n'],
  ])('takes a handle from a URL that is %s for unknown, not for a fault', (_, handle) => {
    expect(() => checkKey(transactionKey(handle))).not.toThrow()
    expect(transactionKey(handle)).toBe(transactionKey('-'))
  })
})
