import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { makeNotificationRequest, parseNotificationRequest } from './notification.js'

const EVENTS = ['credential_accepted', 'credential_failure', 'credential_deleted'] as const
const body = { notification_id: 'tjNgXdDVYxWAmKBJJgVY23Fc', event: 'credential_failure' }
const refused = expect.objectContaining({ name: 'ProtocolError', code: 'invalid_notification_request' })

describe('makeNotificationRequest', () => {
  test.each(EVENTS)('tells of %s', (event) => {
    expect(makeNotificationRequest({ notificationId: 'n', event })).toEqual({ notification_id: 'n', event })
  })

  test('never sends a description with a character it must not have [VCI-W-NTF-03]', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (eventDescription) => {
        const allowed = [...eventDescription].every((character) => {
          const code = character.codePointAt(0) ?? 0
          return code >= 0x20 && code <= 0x7e && code !== 0x22 && code !== 0x5c
        })
        const make = () =>
          makeNotificationRequest({ notificationId: 'n', event: 'credential_failure', eventDescription })
        if (allowed) expect(make()['event_description']).toBe(eventDescription)
        else expect(make).toThrow(expect.objectContaining({ code: 'message_refused' }))
      }),
      {
        seed: 5,
        numRuns: 500,
        examples: [['The chain is not trusted.'], ['Error: x\n    at y (z.js:1)'], ['\\'], ['"']],
      },
    )
  })
})

describe('parseNotificationRequest', () => {
  test('reads a notification and ignores further members [VCI-I-NTF-03]', () => {
    for (const event of EVENTS) {
      expect(
        parseNotificationRequest({ ...body, event, event_description: "It's ~ fine! #[]", foo: { a: 1 } }),
      ).toEqual({ notificationId: body.notification_id, event, eventDescription: "It's ~ fine! #[]" })
    }
    expect(parseNotificationRequest({ ...body, event_description: '' }).eventDescription).toBe('')
  })

  test.each([
    ['no notification_id', { event: 'credential_accepted' }],
    ['an empty notification_id', { ...body, notification_id: '' }],
    ['a notification_id that is no text', { ...body, notification_id: 7 }],
    ['no event', { notification_id: 'n' }],
    ['an unknown event', { ...body, event: 'credential_lost' }],
    ['an event in another case', { ...body, event: 'Credential_Accepted' }],
    ['an event that is a list', { ...body, event: ['credential_accepted'] }],
    ['a description with a quote', { ...body, event_description: 'a"b' }],
    ['a description with a backslash', { ...body, event_description: 'a\\b' }],
    ['a description with a line break', { ...body, event_description: 'a\nb' }],
    ['a description beyond ASCII', { ...body, event_description: 'é' }],
    ['a description that is no text', { ...body, event_description: {} }],
    ['no object', [body]],
    ['nothing', undefined],
  ])('refuses %s [VCI-I-NTF-03]', (_, value) => {
    expect(() => parseNotificationRequest(value)).toThrow(refused)
    expect(parseNotificationRequest(body).event).toBe('credential_failure')
  })
})
