import { describe, expect, test } from 'vitest'
import { readAtMost, readReplayableBody, refuseStream } from './request-body.js'

const bytes = (count: number) => new Uint8Array(count).fill(7)
const streamOf = (...chunks: readonly Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })

describe('a body that is kept', () => {
  test('is read whole, up to its limit', async () => {
    expect(await readAtMost(null, { maxBytes: 1 })).toBeUndefined()
    expect(await readAtMost(streamOf(), { maxBytes: 1 })).toHaveLength(0)
    expect(await readAtMost(streamOf(bytes(3), bytes(2)), { maxBytes: 5 })).toEqual(Buffer.from(bytes(5)))
    expect(await readAtMost(streamOf(bytes(3), bytes(3)), { maxBytes: 5 })).toBe('too_large')
  })

  test('ends with an abort, though its stream never does', async () => {
    let cancelled = false
    const stalled = () =>
      new ReadableStream<Uint8Array>({
        pull: () => new Promise(() => undefined),
        cancel: () => {
          cancelled = true
        },
      })
    const controller = new AbortController()
    const reading = readAtMost(stalled(), { maxBytes: 5, signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(reading).rejects.toBe(reason)
    expect(cancelled).toBe(true)
    await expect(readAtMost(stalled(), { maxBytes: 5, signal: controller.signal })).rejects.toBe(reason)
  })

  test('hands on what broke it', async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new Error('broken')),
    })
    await expect(readAtMost(broken, { maxBytes: 5 })).rejects.toThrow('broken')
  })

  test('is a stream in no form', async () => {
    async function* endless() {
      for (;;) yield bytes(1)
    }
    for (const body of [streamOf(), endless()]) {
      expect(() => refuseStream(body)).toThrow(expect.objectContaining({ code: 'body_not_replayable' }))
    }
    for (const body of [undefined, null, 'text', bytes(1), new URLSearchParams(), new Blob([])])
      refuseStream(body)
    const request = new Request('https://api.example', { method: 'POST', body: 'four' })
    await expect(readReplayableBody(request, 3)).rejects.toMatchObject({ code: 'body_too_large' })
  })
})
