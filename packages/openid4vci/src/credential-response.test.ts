import { describe, expect, test } from 'vitest'
import { makeCredentialResponse, parseCredentialResponse } from './credential-response.js'

const notMade = expect.objectContaining({ name: 'TypeError', code: 'message_refused' })
const refused = expect.objectContaining({ name: 'ProtocolError', code: 'response' })
const credential = 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln~WyJzYWx0IiwicmVnaW9uIiwiRVUiXQ~'

describe('makeCredentialResponse', () => {
  test('issued: 200, an array of objects with the credential as it is, nothing of a pending one [VCI-I-CRED-13]', () => {
    const { status, body } = makeCredentialResponse({
      state: 'issued',
      credentials: [credential, credential],
      notificationId: 'tjNgXdDVYxWAmKBJJgVY23Fc',
    })
    expect(status).toBe(200)
    expect(body).toEqual({
      credentials: [{ credential }, { credential }],
      notification_id: 'tjNgXdDVYxWAmKBJJgVY23Fc',
    })
    const [jwt = '', disclosure, end] = credential.split('~')
    expect([jwt.split('.').length, typeof disclosure, end]).toEqual([3, 'string', ''])
    expect(makeCredentialResponse({ state: 'issued', credentials: [credential] }).body).toEqual({
      credentials: [{ credential }],
    })
    for (const credentials of [[], ['']]) {
      expect(() => makeCredentialResponse({ state: 'issued', credentials })).toThrow(notMade)
    }
  })

  test('pending: 202, a transaction and a positive interval, no credential, no notification [VCI-I-CRED-14]', () => {
    expect(makeCredentialResponse({ state: 'pending', transactionId: '6oP3Q', interval: 30 })).toEqual({
      status: 202,
      body: { transaction_id: '6oP3Q', interval: 30 },
    })
    for (const interval of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => makeCredentialResponse({ state: 'pending', transactionId: 't', interval })).toThrow(
        notMade,
      )
    }
    expect(() => makeCredentialResponse({ state: 'pending', transactionId: '', interval: 1 })).toThrow(
      notMade,
    )
  })
})

describe('parseCredentialResponse', () => {
  const issued = { credentials: [{ credential }], notification_id: 'n' }
  const pending = { transaction_id: 't', interval: 5 }

  test('reads both forms and ignores unknown members [VCI-W-RSP-01]', () => {
    const more = { c_nonce: 'x', c_nonce_expires_in: 1, foo: {} }
    expect(
      parseCredentialResponse(200, { ...issued, ...more, credentials: [{ credential, ...more }] }),
    ).toEqual({
      state: 'issued',
      credentials: [credential],
      notificationId: 'n',
    })
    expect(parseCredentialResponse(202, { ...pending, ...more })).toEqual({
      state: 'pending',
      transactionId: 't',
      interval: 5,
    })
    expect(parseCredentialResponse(202, { ...pending, interval: 0.5 })).toMatchObject({ interval: 1 })
  })

  test.each([
    ['200 without credentials', 200, {}],
    ['200 with no credential', 200, { credentials: [] }],
    ['200 with a bare credential', 200, { credentials: [credential] }],
    ['200 with an empty credential', 200, { credentials: [{ credential: '' }] }],
    ['200 with an object for a credential', 200, { credentials: [{ credential: {} }] }],
    ['200 with one good and one bad', 200, { credentials: [{ credential }, {}] }],
    ['200 of the drafts', 200, { credential }],
    ['200 that is pending', 200, pending],
    ['both forms in a 200', 200, { ...issued, ...pending }],
    ['credentials and an interval', 200, { ...issued, interval: 5 }],
    ['a notification_id that is no text', 200, { ...issued, notification_id: 7 }],
    ['202 without interval', 202, { transaction_id: 't' }],
    ['202 without transaction', 202, { interval: 5 }],
    ['202 with an interval of none', 202, { ...pending, interval: 0 }],
    ['202 with a negative interval', 202, { ...pending, interval: -0.5 }],
    ['202 with an interval as a text', 202, { ...pending, interval: '5' }],
    ['202 with credentials', 202, issued],
    ['both forms in a 202', 202, { ...pending, credentials: issued.credentials }],
    ['202 with a notification_id', 202, { ...pending, notification_id: 'n' }],
    ['201', 201, issued],
    ['an error', 400, { error: 'invalid_proof' }],
    ['no object', 200, [issued]],
    ['nothing', 202, null],
  ])('refuses %s [VCI-W-RSP-01]', (_, status, body) => {
    expect(() => parseCredentialResponse(status, body)).toThrow(refused)
    expect(parseCredentialResponse(200, issued).state).toBe('issued')
    expect(parseCredentialResponse(202, pending).state).toBe('pending')
  })
})
