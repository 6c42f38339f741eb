import { describe, expect, test } from 'vitest'
import { createAddressList } from './addresses.js'

describe('createAddressList', () => {
  const isListed = createAddressList(['127.0.0.1', '10.1.0.0/16', '::1', 'fd00::/8'])

  test.each(['127.0.0.1', '::ffff:127.0.0.1', '10.1.2.3', '::FFFF:10.1.0.0', '::1', 'fd12::9'])(
    '%s is on it',
    (address) => {
      expect(isListed(address)).toBe(true)
    },
  )

  test.each([
    '127.0.0.2',
    '10.2.0.1',
    '::2',
    'fe80::1',
    '::ffff:127.0.0.2',
    '',
    'localhost',
    '127.0.0.1:80',
    undefined,
  ])('%s is not', (address) => {
    expect(isListed(address)).toBe(false)
    expect(createAddressList([])(address)).toBe(false)
  })

  test.each([
    '',
    'localhost',
    '127.0.0.1/',
    '127.0.0.1/33',
    '::1/129',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '/8',
    '127.1',
  ])('%j stops the start', (entry) => {
    expect(() => createAddressList([entry])).toThrow(expect.objectContaining({ code: 'address_malformed' }))
  })
})
