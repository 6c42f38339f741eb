import { describe, expect, test, vi } from 'vitest'
import { parseForm, readBody, readForm, readJson } from './messages.js'

const post = (body: string | Uint8Array, type: string, headers: Record<string, string> = {}) =>
  new Request('https://a.example/', { method: 'POST', body, headers: { 'Content-Type': type, ...headers } })

describe('readJson', () => {
  test('reads a JSON body, whatever the parameters of its media type', async () => {
    expect(await readJson(post('{"a":1}', 'Application/JSON; charset=utf-8'), { maxBytes: 100 })).toEqual({
      a: 1,
    })
  })

  test.each([
    ['text/plain', '{"a":1}'],
    ['application/json', '{"a":1'],
    ['application/json', '{"a":1,"a":2}'],
    ['application/json', '['.repeat(40)],
    ['application/json', ''],
  ])('refuses %s %s with invalid_request', async (type, body) => {
    await expect(readJson(post(body, type), { maxBytes: 100 })).rejects.toMatchObject({
      code: 'invalid_request',
    })
  })

  test('refuses bytes that are not UTF-8', async () => {
    const request = post(Uint8Array.of(0x22, 0xff, 0x22), 'application/json')
    await expect(readJson(request, { maxBytes: 100 })).rejects.toMatchObject({ code: 'invalid_request' })
  })
})

describe('readBody', () => {
  test('refuses a body over the limit, announced or not', async () => {
    const streamed = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(60))
      },
    })
    const request = new Request('https://a.example/', { method: 'POST', body: streamed, duplex: 'half' })
    await expect(readBody(request, { maxBytes: 100 })).rejects.toMatchObject({ code: 'request_too_large' })

    const announced = post('x'.repeat(101), 'text/plain', { 'Content-Length': '101' })
    await expect(readBody(announced, { maxBytes: 100 })).rejects.toMatchObject({ code: 'request_too_large' })
  })
})

describe('readBody of a slow sender', () => {
  test('waits 30 seconds and not longer, and stops reading', async () => {
    vi.useFakeTimers()
    try {
      let cancelled = false
      const dribble = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(Uint8Array.of(0x61)),
        cancel() {
          cancelled = true
        },
      })
      const request = new Request('https://a.example/', { method: 'POST', body: dribble, duplex: 'half' })
      const reading = expect(readBody(request, { maxBytes: 100 })).rejects.toMatchObject({
        code: 'request_timed_out',
      })
      await vi.advanceTimersByTimeAsync(29_999)
      expect(cancelled).toBe(false)
      await vi.advanceTimersByTimeAsync(1)
      await reading
      expect(cancelled).toBe(true)
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('readForm', () => {
  test('reads parameters and leaves out empty ones', async () => {
    const form = await readForm(post('a=1&b=&c=x%20y', 'application/x-www-form-urlencoded'), {
      maxBytes: 100,
    })
    expect([...form]).toEqual([
      ['a', '1'],
      ['c', 'x y'],
    ])
  })

  test('refuses a parameter sent twice, even an empty one', () => {
    expect(() => parseForm('a=1&a=2')).toThrow(expect.objectContaining({ code: 'invalid_request' }))
    expect(() => parseForm('a=1&a=')).toThrow(expect.objectContaining({ code: 'invalid_request' }))
  })
})
