import { describe, expect, test } from 'vitest'
import { describeFailure, startUpError, systemFailure } from './start-up-error.js'

describe('systemFailure', () => {
  test.each([
    ['EADDRINUSE', 'port_in_use', 'Port 1 is in use. Stop the other process'],
    ['ENOENT', 'start_up_failed', 'Port 1 does not exist.'],
    ['EIO', 'start_up_failed', 'Port 1 cannot be used (EIO).'],
  ])('says what to do about %s', (system, code, message) => {
    const failure = systemFailure(Object.assign(new Error('x'), { code: system }), 'Port 1')

    expect(failure).toMatchObject({ code })
    expect(failure.message).toContain(message)
  })
})

describe('describeFailure', () => {
  test('is one line, with the code of a wrong configuration', () => {
    expect(describeFailure(startUpError('token_malformed', 'Too\n  short.'))).toEqual({
      code: 'token_malformed',
      message: 'Too short.',
    })
    expect(describeFailure('anything')).toEqual({ code: 'fault', message: 'unknown' })
  })
})
