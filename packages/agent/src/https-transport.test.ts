import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sendRequest } from './https-transport.js'

describe('a call that is aborted', () => {
  let server: Server
  let url: URL
  beforeAll(async () => {
    // Begins an answer and never ends it.
    server = createServer((_request, response) => void response.write('begun'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    url = new URL(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`)
  })
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  const begin = async (signal: AbortSignal) => {
    const response = await sendRequest({ url, method: 'GET', headers: new Headers(), signal })
    const reader = response.body?.getReader()
    if (reader === undefined) throw new Error('The answer has no body.')
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('begun')
    return reader
  }

  test('breaks the body off with its reason, while somebody waits for more', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const reader = await begin(controller.signal)
    const more = reader.read()
    controller.abort(reason)
    await expect(more).rejects.toBe(reason)
  })

  test('or before somebody asks for more', async () => {
    const controller = new AbortController()
    const reader = await begin(controller.signal)
    controller.abort()
    await expect(reader.read()).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('sends nothing when it was aborted before', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(sendRequest({ url, method: 'GET', headers: new Headers(), signal })).rejects.toThrow(
      'enough',
    )
  })
})
