/**
 * Somebody wants the verifier to be slow, to fetch, or to fill up: what it costs to refuse, and who else notices.
 */
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { deflateSync } from 'node:zlib'
import { VerificationError } from '@attache/core'
import { createRouter, guard } from '@attache/express'
import type { Signer } from '@attache/keys'
import type { AuthorizationRequest } from '@attache/openid4vp'
import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { forgedFor, judge, only, plainJwk, signRaw } from '../support/forged-presentation.js'
import { type Loopback, listenOnLoopback, sendRaw, statusOf } from '../support/loopback.js'
import {
  CHALLENGE,
  call,
  clientHeaders,
  createWallet,
  createWorld,
  freshKey,
  ISSUER,
  MANAGERS_IN_EU,
  obtainToken,
  postForm,
  QUERY,
  STATUS_URI,
  signers,
  VCT,
} from '../support/presentation-world.js'

const victim = await createWallet()

describe('on a real Express listener', () => {
  let server: Loopback
  let token = ''
  const world = createWorld()
  const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)

  beforeAll(async () => {
    const app = express()
    app.use(createRouter(world.verifier.routes))
    app.post('/payroll/export', guard(gate), (_request, response) => void response.end('served'))
    server = await listenOnLoopback(app)
    token = await obtainToken({ ...world, send: server.handle }, victim)
  })
  afterAll(() => server.close())

  /** Everybody else, meanwhile. */
  async function somebodyElse(): Promise<number> {
    return (await server.handle(await call(world, token, { dpop: victim.dpop }))).status
  }

  const head = (fields: readonly string[]) =>
    ['POST /payroll/export HTTP/1.1', 'Host: api.example', ...fields].join('\r\n')

  test.each(['Authorization', 'DPoP', 'X-Anything'])(
    'ten megabytes in %s are not read to their end',
    async (name) => {
      const answer = await sendRaw(server.port, head([`${name}: ${'x'.repeat(10_000_000)}`, '', '']))

      // The connection may be gone before the answer is out.
      expect([0, 431]).toContain(statusOf(answer))
      expect(await somebodyElse()).toBe(200)
    },
  )

  test('ten megabytes posted as a presentation are 413', async () => {
    const { responseUri } = await world.verifier.startTransaction({ query: QUERY })
    const body = `response=${'x'.repeat(10_000_000)}`
    const type = 'Content-Type: application/x-www-form-urlencoded'
    const line = `POST ${new URL(responseUri).pathname} HTTP/1.1`
    const text = [
      line,
      'Host: api.example',
      type,
      `Content-Length: ${body.length}`,
      'Connection: close',
      '',
      body,
    ]
    const answer = await sendRaw(server.port, text.join('\r\n'))

    expect([0, 413]).toContain(statusOf(answer))
    expect(await somebodyElse()).toBe(200)
  })

  test('a hundred who never finish what they say keep nobody else waiting', async () => {
    const { responseUri } = await world.verifier.startTransaction({ query: QUERY })
    const begun = [
      head(['DPoP: begun']),
      'POST',
      [
        `POST ${new URL(responseUri).pathname} HTTP/1.1`,
        'Host: api.example',
        'Content-Type: application/x-www-form-urlencoded',
        'Content-Length: 1000',
        '',
        'response=',
      ].join('\r\n'),
      [
        `POST ${new URL(CHALLENGE).pathname} HTTP/1.1`,
        'Host: a',
        'Transfer-Encoding: chunked',
        '',
        '5\r\nab',
      ].join('\r\n'),
    ]
    const sockets: Socket[] = []
    for (let nth = 0; nth < 100; nth += 1) {
      sockets.push(await openWith(server.port, begun[nth % begun.length] ?? ''))
    }
    expect(await Promise.all([1, 2, 3, 4, 5].map(somebodyElse))).toEqual([200, 200, 200, 200, 200])
    // They are still there: nobody was served because they were thrown out.
    expect(sockets.filter(({ destroyed }) => destroyed)).toEqual([])
    for (const socket of sockets) socket.destroy()
  })
})

function openWith(port: number, text: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text, () => resolve(socket)))
    socket.on('error', reject)
  })
}

describe('a status list that unfolds to 64 MiB, four times what is taken', () => {
  test('is refused, and the presentation with it', async () => {
    const world = createWorld({ keyBinding: 'not-required' })
    const bomb = deflateSync(Buffer.alloc(64 * 1_048_576)).toString('base64url')
    world.network.serve(ISSUER, async () => {
      const header = { alg: 'ES256', typ: 'statuslist+jwt', x5c: [...(signers.issuer.x5c ?? [])] }
      const payload = { sub: STATUS_URI, iat: NOW, exp: NOW + 3600, status_list: { bits: 1, lst: bomb } }
      const headers = { 'Content-Type': 'application/statuslist+jwt' }
      return new Response(await signRaw(header, payload, signers.issuer), { headers })
    })
    const status = { status_list: { idx: 7, uri: STATUS_URI } }
    const before = process.memoryUsage().arrayBuffers

    const verdict = await judge(async (request) => only(await forgedFor(request, { payload: { status } })), {
      world,
    })

    expect([verdict.status, verdict.reason]).toEqual([400, 'status_unavailable'])
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1_048_576)
  })
})

describe('an issuer whose keys are fetched', () => {
  const JWKS = 'https://keys.example/jwks'

  function fetching() {
    const issuerKey = freshKey()
    const trustedIssuers = [{ vct: VCT, issuer: ISSUER, discovery: { jwksUri: JWKS } }]
    const world = createWorld({ keyBinding: 'not-required', trustedIssuers })
    const host = { hanging: false, giveUp: (): void => undefined }
    const keys = { keys: [{ ...plainJwk(issuerKey), kid: issuerKey.kid }] }
    world.network.serve('https://keys.example', async () =>
      host.hanging
        ? new Promise<Response>((_resolve, reject) => {
            host.giveUp = () => reject(new VerificationError('fetch_timed_out', 'It took too long.'))
          })
        : Response.json(keys),
    )
    const made = (request: AuthorizationRequest, kid: string, issuer: Signer) => {
      const iat = world.time.clock()
      return forgedFor(request, { issuer, header: { kid } }, { payload: { iat } })
    }
    const present = (kid: string) =>
      judge(async (request) => only(await made(request, kid, issuerKey)), { world })
    /** Thirty-two at once, each by another key. */
    const presentUnknown = (nth: number, stranger: Signer) =>
      judge(
        async (request) => ({
          role_cred: await Promise.all(
            Array.from({ length: 32 }, (_, one) => made(request, `kid-${nth}-${one}`, stranger)),
          ),
        }),
        { world, query: { credentials: [{ ...QUERY.credentials[0], multiple: true }] } },
      )
    const fetches = () => world.network.calls.filter(({ url }) => url === JWKS).length
    return { world, host, present, presentUnknown, fetches, kid: issuerKey.kid }
  }

  test('is asked once for a thousand keys that nobody has', async () => {
    const { present, presentUnknown, fetches, kid } = fetching()
    expect((await present(kid)).status).toBe(200)
    const stranger = freshKey()
    for (let nth = 0; nth < 32; nth += 1) {
      const verdict = await presentUnknown(nth, stranger)
      expect([verdict.status, verdict.reason]).toEqual([400, 'issuer_untrusted'])
    }
    // The first fetch, and at most one more that an unknown key may force.
    expect(fetches()).toBeLessThanOrEqual(2)
    expect((await present(kid)).status).toBe(200)
  })

  test('may hang: one waits for it, the others are served with the keys that are known', async () => {
    const { world, host, present, fetches, kid } = fetching()
    expect((await present(kid)).status).toBe(200)
    world.time.advance(301)
    host.hanging = true
    const waits = present(kid)
    await expect.poll(fetches).toBe(2)

    const served = await Promise.all([1, 2, 3, 4, 5].map(() => present(kid)))
    expect(served.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(fetches()).toBe(2)
    // What the guarded fetch does to a host that hangs.
    host.giveUp()
    expect((await waits).status).toBe(200)
  })
})

describe('challenges that nobody answers', () => {
  test('leave nothing in the store and nothing in memory', { timeout: 120_000 }, async () => {
    setFlagsFromString('--expose-gc')
    const collect: unknown = runInNewContext('gc')
    const heap = () => {
      if (typeof collect === 'function') for (let nth = 0; nth < 3; nth += 1) collect()
      return process.memoryUsage().heapUsed
    }
    const world = createWorld()
    world.verifier.requirePresentation(MANAGERS_IN_EU)
    let headers: Record<string, string> = {}
    const form = new Map([
      ['response_type', 'code'],
      ['scope', 'payroll:export'],
      ['code_challenge', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'],
      ['code_challenge_method', 'S256'],
      ['interaction_types_supported', 'urn:openid:dcp:ia:openid4vp_presentation'],
    ])
    const flood = async (count: number) => {
      for (let nth = 0; nth < count; nth += 1) {
        // A first request is not remembered, so a flood may as well be of copies; a proof lasts a minute.
        if (nth % 20 === 0) {
          world.time.advance(1)
          headers = await clientHeaders(world, victim, CHALLENGE)
        }
        expect((await postForm(world, CHALLENGE, form, headers)).status).toBe(401)
      }
      return heap()
    }
    const before = await flood(500)
    world.lines.length = 0
    const after = await flood(2000)

    expect(await world.store.list('')).toEqual([])
    // A session kept in memory is more than a kilobyte; the run over a million is test/bench/memory.bench.mjs.
    expect(after - before).toBeLessThan(2 * 1_048_576)
  })
})
