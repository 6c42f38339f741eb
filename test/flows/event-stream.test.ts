import { createServer } from 'node:http'
import { routeRequests } from '@attache/core'
import { createNodeListener, createRouter } from '@attache/express'
import express from 'express'
import { afterEach, describe, expect, test } from 'vitest'
import {
  API,
  createWallet,
  createWorld,
  fetchRequest,
  postResponse,
  QUERY,
  soundBody,
  type World,
} from '../support/presentation-world.js'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

function createSite(): World {
  const role = { title: 'Role', purpose: 'To see it.', query: QUERY, crossDevice: true }
  return createWorld({ pages: { role } }, undefined, { qr: () => ({ size: 1, data: [true] }) })
}

/** The site behind a real server; says where it listens. */
async function listen(listener: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer({}, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

async function begin(world: World) {
  const begun = await world.send(
    new Request(`${API}/attache/present/role`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'device=other',
    }),
  )
  const cookie = (begun.headers.get('Set-Cookie') ?? '').replace(/;.*/, '')
  const here = begun.headers.get('Location') ?? ''
  const text = await (await world.send(new Request(here, { headers: { Cookie: cookie } }))).text()
  const [, url = ''] = /id="request-url">([^<]+)/.exec(text) ?? []
  return { cookie, path: `${new URL(here).pathname}/events`, requestUrl: url.replaceAll('&#38;', '&') }
}

const hosts: readonly (readonly [string, (world: World) => Promise<string>])[] = [
  [
    'node:http',
    (world) => {
      const routes = routeRequests(world.verifier.routes)
      return listen(
        createNodeListener(async (request) => (await routes(request)) ?? new Response(null, { status: 404 })),
      )
    },
  ],
  ['Express', (world) => listen(express().use(createRouter(world.verifier.routes)))],
]

describe.each(hosts)('a stream of events on %s', (_name, host) => {
  test('arrives as it happens, and ends', async () => {
    const world = createSite()
    const origin = await host(world)
    const { cookie, path, requestUrl } = await begin(world)
    const answer = await fetch(`${origin}${path}`, { headers: { Cookie: cookie } })
    const reader = answer.body?.getReader()
    let text = ''
    const readUntil = async (wanted: string) => {
      while (!text.includes(wanted)) {
        const { value } = (await reader?.read()) ?? {}
        if (value === undefined) throw new Error('The stream ended too soon.')
        text += new TextDecoder().decode(value)
      }
    }
    // Before anything else happened: nothing on the way holds the first event back.
    await readUntil('data: waiting')
    const wallet = await createWallet()
    const { request, responseUri } = await fetchRequest(world, requestUrl)
    await postResponse(world, responseUri, await soundBody(wallet, request))
    await readUntil('data: answered')
    expect((await reader?.read())?.done).toBe(true)
  })

  test('is followed no longer when the other side goes away', async () => {
    const world = createSite()
    const origin = await host(world)
    const { cookie, path } = await begin(world)
    // Four may follow; ten in a row only fit when each of them leaves its place.
    for (let round = 0; round < 10; round += 1) {
      const gone = new AbortController()
      const follow = () => fetch(`${origin}${path}`, { headers: { Cookie: cookie }, signal: gone.signal })
      let answer = await follow()
      for (let attempt = 0; answer.status === 429 && attempt < 500; attempt += 1) answer = await follow()
      expect(answer.status).toBe(200)
      await answer.body?.getReader().read()
      gone.abort()
    }
  })
})
