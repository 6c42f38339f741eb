/**
 * Ways around a guarded route: spellings of its path, a second method, header fields sent twice.
 *
 * Every attacker here is a client with a valid token and makes proofs for whatever it sends; what it wants is a
 * handler that runs though the decision looked at something else.
 */
import { createExpressVerifier, createNodeListener } from '@attache/express'
import { createAnchors } from '@attache/keys'
import { createDpopProof } from '@attache/oauth'
import { guardHandler } from '@attache/verifier'
import express, { type RequestHandler } from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Loopback, listenOnLoopback, sendRaw, statusOf } from '../support/loopback.js'
import {
  API,
  ca,
  createWallet,
  createWorld,
  ISSUER,
  MANAGERS_IN_EU,
  obtainToken,
  signers,
  VCT,
  type Wallet,
} from '../support/presentation-world.js'

interface Host {
  readonly server: Loopback
  /** What each handler was asked for, as it saw it. */
  readonly served: string[]
  /** What each decision looked at. */
  readonly decided: string[]
  readonly world: ReturnType<typeof createWorld>
}

let wallet: Wallet
const hosts: Record<string, Host> = {}

// Everything below one guard, whose decision goes by the URL alone.
const onlyExport = (decided: string[]) => ({
  ...MANAGERS_IN_EU,
  decide: (_claims: unknown, { method, url }: { method: string; url: string }) => {
    decided.push(`${method} ${url}`)
    return url === `${API}/payroll/export` && method === 'POST'
  },
})

async function expressHost(before?: RequestHandler): Promise<Host> {
  const world = createWorld()
  const [served, decided]: [string[], string[]] = [[], []]
  const verifier = createExpressVerifier(
    {
      origin: API,
      trustedIssuers: [{ vct: VCT, anchors: [ca.pem], issuer: ISSUER }],
      keyBinding: 'required',
      walletAttesters: [
        { name: 'wallet', anchors: createAnchors('walletAttesters', [ca.pem]), clients: 'any' },
      ],
    },
    { signer: signers.api, store: world.store, fetch: world.network.fetch, clock: world.time.clock },
  )
  const app = express()
  app.use(verifier.routes)
  if (before !== undefined) app.use(before)
  app.all('/{*path}', verifier.requirePresentation(onlyExport(decided)), (request, response) => {
    served.push(`${request.method} ${API}${request.originalUrl}`)
    response.end('served')
  })
  return { server: await listenOnLoopback(app), served, decided, world }
}

async function nodeHost(): Promise<Host> {
  const world = createWorld()
  const [served, decided]: [string[], string[]] = [[], []]
  const gate = world.verifier.requirePresentation(onlyExport(decided))
  const guarded = guardHandler(gate, (request) => {
    served.push(`${request.method} ${API}${new URL(request.url).pathname}`)
    return new Response('served')
  })
  const listener = createNodeListener(async (request) =>
    new URL(request.url).pathname.startsWith('/attache/') ? world.send(request) : guarded(request),
  )
  return { server: await listenOnLoopback(listener), served, decided, world }
}

const override: RequestHandler = (request, _response, next) => {
  const wanted = request.headers['x-http-method-override']
  if (typeof wanted === 'string') request.method = wanted
  next()
}

beforeAll(async () => {
  wallet = await createWallet()
  hosts['Express'] = await expressHost()
  hosts['Express with method override'] = await expressHost(override)
  hosts['node:http'] = await nodeHost()
})
afterAll(() => Promise.all(Object.values(hosts).map(({ server }) => server.close())))

function hostOf(name: string): Host {
  const host = hosts[name]
  if (host === undefined) throw new Error('Unknown host.')
  return host
}

async function tokenFor({ world, server }: Host): Promise<string> {
  return obtainToken({ ...world, send: server.handle }, wallet)
}

const proof = (
  world: Host['world'],
  token: string,
  { method = 'POST', url = `${API}/payroll/export` } = {},
) =>
  createDpopProof({ method, url, accessToken: token }, wallet.dpop, {
    now: world.time.clock(),
    random: world.random,
  })

const raw = (target: string, fields: readonly string[], method = 'POST') =>
  [
    `${method} ${target} HTTP/1.1`,
    'Host: api.example',
    'Connection: close',
    'Content-Length: 0',
    ...fields,
    '',
    '',
  ].join('\r\n')

const SPELLINGS = [
  '//payroll/export',
  '/payroll//export',
  '/payroll/./export',
  '/payroll/x/../export',
  '/admin/..;/payroll/export',
  '/payroll/%2e/export',
  '/admin/%2e%2e/payroll/export',
  '/admin/..%2fpayroll/export',
  '/payroll%2fexport',
  '/payroll%2Fexport',
  '/payroll%5cexport',
  '/payroll\\export',
  '/payroll/export%00',
  '/payroll/export%',
  '/PAYROLL/export',
  '/payroll/EXPORT',
  '/payroll/export/',
  '/payroll/%65xport',
  '/payroll/export;x=1',
  'https://api.example/payroll/export',
  'https://evil.example/payroll/export',
]

describe.each(['Express', 'Express with method override', 'node:http'])('%s', (name) => {
  test('the plain call is served', async () => {
    const host = hostOf(name)
    const token = await tokenFor(host)
    const fields = [`Authorization: DPoP ${token}`, `DPoP: ${await proof(host.world, token)}`]
    expect(statusOf(await sendRaw(host.server.port, raw('/payroll/export', fields)))).toBe(200)
  })

  test.each(SPELLINGS)('%s never runs a handler that the decision did not see', async (target) => {
    const host = hostOf(name)
    const token = await tokenFor(host)
    const [served, decided] = [host.served.length, host.decided.length]
    // Proofs for the canonical path, for the target as written, and for what a URL parser makes of it.
    const absolute = target.startsWith('/') ? `${API}${target}` : target
    const urls = [`${API}/payroll/export`, absolute, URL.canParse(absolute) ? new URL(absolute).href : API]
    for (const url of urls) {
      const made = await proof(host.world, token, { url }).catch(() => undefined)
      const fields = [`Authorization: DPoP ${token}`, ...(made === undefined ? [] : [`DPoP: ${made}`])]
      const status = statusOf(await sendRaw(host.server.port, raw(target, fields)))
      expect([0, 400, 401, 403, 404]).toContain(status)
    }
    expect(host.served.slice(served)).toEqual([])
    expect(host.decided.slice(decided).filter((seen) => seen === `POST ${API}/payroll/export`)).toEqual([])
  })

  test.each(['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])(
    'a second method in %s is refused',
    async (field) => {
      const host = hostOf(name)
      const token = await tokenFor(host)
      const before = host.served.length
      for (const [line, second] of [
        ['POST', 'DELETE'],
        ['GET', 'POST'],
      ] as const) {
        for (const method of [line, second]) {
          const fields = [
            `Authorization: DPoP ${token}`,
            `DPoP: ${await proof(host.world, token, { method })}`,
            `${field}: ${second}`,
          ]
          const status = statusOf(await sendRaw(host.server.port, raw('/payroll/export', fields, line)))
          expect(status).toBe(400)
        }
      }
      expect(host.served.slice(before)).toEqual([])
    },
  )

  test('Authorization or DPoP sent twice is refused, in whatever order', async () => {
    const host = hostOf(name)
    const token = await tokenFor(host)
    const before = host.served.length
    const twice = async (make: (good: string, dpop: string) => readonly string[]) => {
      const fields = make(`Authorization: DPoP ${token}`, `DPoP: ${await proof(host.world, token)}`)
      return statusOf(await sendRaw(host.server.port, raw('/payroll/export', fields)))
    }
    const other = 'Authorization: DPoP other'
    expect(await twice((good, dpop) => [good, other, dpop])).toBe(400)
    expect(await twice((good, dpop) => [other, good, dpop])).toBe(400)
    expect(await twice((good, dpop) => [good, good, dpop])).toBe(400)
    expect(await twice((good, dpop) => [good, 'Authorization: Basic eDp5', dpop])).not.toBe(200)
    expect(await twice((good, dpop) => [good, dpop, dpop])).toBe(401)
    expect(await twice((good, dpop) => [good, dpop, 'dpop: x'])).toBe(401)
    expect(host.served.slice(before)).toEqual([])
  })
})
