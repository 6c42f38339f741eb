import { describe, expect, test } from 'vitest'
import { type Route, routeRequests } from './handler.js'

const answering =
  (name: string): Route['handle'] =>
  async (_request, parameters) =>
    Response.json({ name, parameters })

const router = routeRequests([
  { method: 'GET', path: '/status/:id', handle: answering('status') },
  { method: 'POST', path: '/token', handle: answering('token') },
  { method: 'GET', path: '/types/*rest', handle: answering('types') },
  { method: 'GET', path: '/.well-known/x', handle: answering('well-known') },
])

const ask = (path: string, method = 'GET') => router(new Request(`https://a.example${path}`, { method }))

describe('routeRequests', () => {
  test('hands named segments over, percent-decoded', async () => {
    const response = await ask('/status/a%20b')
    expect(await response?.json()).toEqual({ name: 'status', parameters: { id: 'a b' } })
  })

  test('matches the rest of a path', async () => {
    const response = await ask('/types/agent-role/v1')
    expect(await response?.json()).toEqual({ name: 'types', parameters: { rest: 'agent-role/v1' } })
  })

  test.each([
    '/nothing',
    '/status',
    '/status/',
    '/status/a/b',
    '/token/',
    '/TOKEN',
    '/xwell-known/x',
    '/status/%ff',
  ])('leaves %s to others', async (path) => {
    expect(await ask(path)).toBeUndefined()
  })

  test('answers 405 with Allow where only the method differs', async () => {
    const response = await ask('/token', 'GET')
    expect(response?.status).toBe(405)
    expect(response?.headers.get('Allow')).toBe('POST')
  })

  test('answers HEAD as GET without a body', async () => {
    const response = await ask('/status/1', 'HEAD')
    expect(response?.status).toBe(200)
    expect(await response?.text()).toBe('')
  })
})
