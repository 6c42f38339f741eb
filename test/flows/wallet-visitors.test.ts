import { chmodSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import {
  CONSENT_PATH,
  callSocket,
  EXPLAIN_PATH,
  KILL_SWITCH_PATH,
  STATUS_PATH,
  VISITS_PATH,
} from '@attache/agent'
import {
  createGuardedFetch,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  routeRequests,
  SILENT_LOG,
} from '@attache/core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createOpener } from '../../apps/wallet/src/open-address.js'
import { visitorRoutes } from '../../apps/wallet/src/visitor-routes.js'
import { createVisits, summaryOf, type Visits } from '../../apps/wallet/src/visits.js'
import { createFixedClock } from '../support/clock.js'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { certifyTls } from '../support/https-origin.js'
import { createSeededRandom } from '../support/random.js'
import { AGENT as SCRIPTED_AGENT } from '../support/scripted-issuer.js'
import { createPresentationWorld, REQUEST_URI } from '../support/scripted-verifier.js'
import { AGENT } from '../support/wallet-world.js'

const TOKEN = 'status-token-of-the-test-peers-0123456789'

function withVisitors(
  more: JsonObject = {},
  issuer: { transactionCode?: null } = { transactionCode: null },
): Promise<DaemonWorld> {
  return createDaemonWorld(
    (configuration) => ({
      ...configuration,
      visitors: {
        listen: { port: 0, tls: { certificate: 'visitors.pem', key: 'visitors.key' } },
        origin: 'https://localhost',
        agent: AGENT,
        dataFolder: 'visitors-data',
        statusTokenFile: 'status.token',
        consent: 'automatic',
        ...more,
      },
    }),
    {
      issuer,
      files: async (tls) => {
        const { key, cert } = await certifyTls(tls, { name: 'localhost' })
        return {
          'visitors.key': key,
          'visitors.pem': cert,
          'visitors.code': '000000',
          'status.token': TOKEN,
        }
      },
    },
  )
}

/** A browser of a strict peer: follows nothing by itself. */
function visitor(world: DaemonWorld) {
  const ca = [readFileSync(world.caFile, 'utf8')]
  const fetch = createGuardedFetch({ ca, allowPrivate: ['localhost'] })
  const origin = `https://localhost:${world.daemon().ports.visitors}`
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${origin}${path}`, { headers, redirects: 'return', timeoutMs: 30_000 })
  return {
    get,
    async interactions() {
      const answer = await get('/status', { Authorization: `Bearer ${TOKEN}` })
      const body: unknown = await answer.json()
      const listed = isJsonObject(body) ? body['interactions'] : undefined
      return isJsonArray(listed) ? listed : []
    },
  }
}

const offerPath = async (world: DaemonWorld) => {
  const wanted = { agent: AGENT, by: 'value' } as const
  const { uri } = await world.bench.issuer.createOffer(wanted, world.bench.time.clock())
  return `/credential-offer${new URL(uri).search}`
}
const ask = (world: DaemonWorld, path: string, body?: object) =>
  callSocket({
    socketPath: world.daemon().operatorSocket,
    path,
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })

let world: DaemonWorld | undefined
afterEach(async () => {
  await world?.close()
  world = undefined
})

describe('visitors of the wallet daemon', () => {
  test('an offer by GET runs to its end, a page and the status API say so [IOP-W-01]', async () => {
    world = await withVisitors()
    const peer = visitor(world)
    const page = await peer.get(await offerPath(world))
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('<main id="success">')
    expect(page.headers.get('Content-Security-Policy')).toContain("default-src 'none'")
    expect(page.headers.get('Cache-Control')).toContain('no-store')
    expect(await peer.interactions()).toEqual([
      expect.objectContaining({ kind: 'offer', state: 'success', outcome: 'stored' }),
    ])
    expect((await peer.get('/status')).status).toBe(401)
    // Nothing of it lies beside the agents' credentials.
    expect((await ask(world, STATUS_PATH)).value).toMatchObject({
      agents: [{ agent: AGENT, credentials: [] }, { credentials: [] }],
    })
    expect(existsSync(join(world.folder, 'visitors-data'))).toBe(true)
  })

  test('the same lists and policy hold: other issuers and verifiers get an error page [IOP-W-01]', async () => {
    world = await withVisitors()
    const peer = visitor(world)
    const foreign = {
      credential_issuer: 'https://other.example',
      credential_configuration_ids: ['role'],
      grants: {
        'urn:ietf:params:oauth:grant-type:pre-authorized_code': { 'pre-authorized_code': 'code' },
      },
    }
    for (const path of [
      `/credential-offer?credential_offer=${encodeURIComponent(JSON.stringify(foreign))}`,
      '/credential-offer',
      '/presentation-request?client_id=x509_hash:other&request_uri=https://other.example/r',
      '/presentation-request?client_id=foo:bar&request_uri=https://other.example/r',
    ]) {
      const page = await peer.get(path)
      const html = await page.text()
      expect(html).toContain('<main id="error">')
      expect(html).not.toContain('other.example')
    }
    expect(await peer.interactions()).toMatchObject([
      { kind: 'request', state: 'error', code: 'invalid_request' },
      { kind: 'request', state: 'error', code: 'unknown_client' },
      { kind: 'offer', state: 'error', code: 'invalid_offer' },
      { kind: 'offer', state: 'error', code: 'untrusted_issuer' },
    ])
  })

  test('without automatic consent a visit waits for the operator [IOP-W-01]', async () => {
    world = await withVisitors({ consent: 'wait' })
    const peer = visitor(world)
    const page = await (await peer.get(await offerPath(world))).text()
    expect(page).toContain('<main id="waiting">')
    const id = /id="visit">(vis_[\w-]{22})</.exec(page)?.[1] ?? ''
    expect(page).toContain(`url=/visits/${id}`)
    expect((await ask(world, VISITS_PATH)).value).toMatchObject({ visits: [{ id, state: 'waiting' }] })
    expect(await (await peer.get(`/visits/${id}`)).text()).toContain('<main id="waiting">')

    expect((await ask(world, CONSENT_PATH, { id })).value).toMatchObject({ id, state: 'success' })
    expect(await (await peer.get(`/visits/${id}`)).text()).toContain('<main id="success">')
    // One yes is one run.
    expect((await ask(world, CONSENT_PATH, { id })).status).toBe(404)
    expect((await peer.get('/visits/vis_unknown')).status).toBe(404)
  })

  test('the kill switch stops visits as well, and explain tells of them', async () => {
    world = await withVisitors()
    const peer = visitor(world)
    await ask(world, KILL_SWITCH_PATH, { agent: AGENT, stopped: true })
    expect(await (await peer.get(await offerPath(world))).text()).toContain('<main id="error">')
    expect(await peer.interactions()).toMatchObject([{ state: 'error', code: 'agent_stopped' }])
    // Over a restart as well.
    await world.restart()
    expect(await (await visitor(world).get(await offerPath(world))).text()).toContain('<main id="error">')
    await ask(world, KILL_SWITCH_PATH, { agent: AGENT, stopped: false })
    expect(await (await visitor(world).get(await offerPath(world))).text()).toContain('<main id="success">')
    const { value } = await ask(world, EXPLAIN_PATH, { agent: AGENT })
    const decisions = isJsonObject(value) && isJsonArray(value['explanations']) ? value['explanations'] : []
    expect(decisions.filter(isJsonObject).map(({ code }) => code)).toEqual(
      expect.arrayContaining(['stored', 'agent_stopped', 'released']),
    )
  })

  test('what visitors brought opens in no other place: the folder put where the agents’ is holds nothing for them', async () => {
    world = await withVisitors()
    expect(await (await visitor(world).get(await offerPath(world))).text()).toContain('<main id="success">')
    await world.daemon().close()
    rmSync(join(world.folder, 'data'), { recursive: true })
    cpSync(join(world.folder, 'visitors-data'), join(world.folder, 'data'), { recursive: true })
    await world.restart()
    const { value } = await ask(world, STATUS_PATH)
    expect(value).toMatchObject({ agents: [{ agent: AGENT, credentials: [] }, {}] })
  })

  test('a configured transaction code answers offers that ask for one [IOP-W-05]', async () => {
    // What code the issuer will ask for is known only once it has made the offer.
    world = await withVisitors({ transactionCodeFile: 'visitors.code' }, {})
    const daemon = world
    const wanted = { agent: AGENT, by: 'reference' } as const
    const { uri, txCode = '' } = await world.bench.issuer.createOffer(wanted, world.bench.time.clock())
    const path = `/credential-offer${new URL(uri).search}`
    expect(await (await visitor(world).get(path)).text()).toContain('<main id="error">')
    writeFileSync(join(daemon.folder, 'visitors.code'), `${txCode}\n`)
    await world.restart()
    expect(await (await visitor(world).get(path)).text()).toContain('<main id="success">')
  })

  test('a fault is a page, and nothing about it', async () => {
    const broken: Visits = {
      begin: () => Promise.reject(new Error('secret-canary')),
      finishLogin: () => Promise.reject(new Error('secret-canary')),
      consent: async () => undefined,
      find: () => undefined,
      list: () => [],
    }
    const router = routeRequests(visitorRoutes(broken, TOKEN, { ...createFixedClock(), log: SILENT_LOG }))
    for (const path of ['/credential-offer?x=1', '/presentation-request?x=1', '/callback?code=1']) {
      const answer = await router(new Request(`https://wallet.example${path}`))
      expect(answer?.status).toBe(500)
      expect(await answer?.text()).toMatch(/<main id="error">(?!.*canary)/)
    }
  })

  test('is off unless configured: nobody listens, and nothing waits [IOP-W-01]', async () => {
    world = await withVisitors()
    const port = world.daemon().ports.visitors ?? 0
    expect(world.daemon().warnings).toEqual([expect.stringContaining('Visitors are let in')])
    const configuration: unknown = JSON.parse(readFileSync(world.configPath, 'utf8'))
    const { visitors: _off, ...without } = isJsonObject(configuration) ? configuration : {}
    writeFileSync(world.configPath, JSON.stringify(without))
    await world.restart()
    expect(world.daemon().ports).toEqual({})
    expect(world.daemon().warnings).toEqual([])
    const outcome = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve('connected'))
      socket.once('error', (error) => resolve('code' in error ? error.code : 'error'))
    })
    expect(outcome).toBe('ECONNREFUSED')
    expect((await ask(world, VISITS_PATH)).value).toEqual({ visits: [] })
  })

  test.each([
    [{ dataFolder: 'data' }, 'visitors_data_folder'],
    [{ agent: 'nobody' }, 'visitors_agent_unknown'],
    [{ statusTokenFile: 'missing' }, 'start_up_failed'],
    [{ consent: 'sometimes' }, 'configuration_malformed'],
    [{ listen: { port: 0 } }, 'configuration_malformed'],
    [{ origin: 'http://localhost' }, 'configuration_malformed'],
  ])('does not start with %j', async (more, code) => {
    await expect(withVisitors(more)).rejects.toMatchObject({ code })
  })
})

describe('after a presentation', () => {
  const redirected = 'https://api.example/done?x=1#response_code=r-1'
  const world = () =>
    createPresentationWorld({
      verifierScript: { steps: { '/response': () => Response.json({ redirect_uri: redirected }) } },
    })
  type World = Awaited<ReturnType<typeof createPresentationWorld>>
  const visitsOf = ({ wallet }: World, open?: (url: string) => void) =>
    createVisits(
      { agent: SCRIPTED_AGENT, consent: 'automatic' },
      {
        wallet,
        clock: createFixedClock().clock,
        random: createSeededRandom('visits'),
        log: SILENT_LOG,
        ...(open === undefined ? {} : { open }),
      },
    )
  const link = ({ clientId }: World) =>
    `https://wallet.example/presentation-request?${new URLSearchParams({ client_id: clientId, request_uri: REQUEST_URI })}`
  const browse = async (visits: Visits, url: string) => {
    const router = routeRequests(visitorRoutes(visits, TOKEN, { ...createFixedClock(), log: SILENT_LOG }))
    return (await router(new Request(url))) ?? new Response(null, { status: 404 })
  }

  test('the visiting browser is sent on, fragment and all [IOP-W-01] [IOP-W-23]', async () => {
    const peer = await world()
    const answer = await browse(visitsOf(peer), link(peer))
    expect(answer.status).toBe(303)
    expect(answer.headers.get('Location')).toBe(redirected)
    expect(answer.headers.get('Referrer-Policy')).toBe('no-referrer')
  })

  test('a configured command opens the address, and the browser sees a page [IOP-W-23]', async () => {
    const peer = await world()
    const opened: string[] = []
    const visits = visitsOf(peer, (url) => opened.push(url))
    const answer = await browse(visits, link(peer))
    expect(opened).toEqual([redirected])
    expect(await answer.text()).toContain('<main id="success">')
    // The address may carry a code: what is told of a visit does not repeat it.
    expect(JSON.stringify(visits.list().map(summaryOf))).not.toContain('response_code')
  })

  test('an answer without redirect_uri, or a refusal, ends on a page [IOP-W-23]', async () => {
    const silent = await createPresentationWorld({
      verifierScript: { steps: { '/response': () => Response.json({}) } },
    })
    const done = await browse(visitsOf(silent), link(silent))
    expect([done.status, await done.text()]).toEqual([200, expect.stringContaining('id="success"')])
    const refusing = await createPresentationWorld({ rules: () => [] })
    const refused = await browse(visitsOf(refusing), link(refusing))
    expect([refused.status, await refused.text()]).toEqual([200, expect.stringContaining('id="error"')])
  })

  test('at most twenty visits wait', async () => {
    const peer = await world()
    const visits = createVisits(
      { agent: SCRIPTED_AGENT, consent: 'wait' },
      {
        wallet: peer.wallet,
        clock: createFixedClock().clock,
        random: createSeededRandom('waiting'),
        log: SILENT_LOG,
      },
    )
    const begun = await Promise.all(Array.from({ length: 21 }, () => visits.begin('request', link(peer))))
    expect(begun.filter((visit) => visit === undefined)).toHaveLength(1)
  })
})

describe('the command that opens addresses', () => {
  let folder = ''
  let opening: DaemonWorld
  beforeAll(async () => {
    opening = await createDaemonWorld()
    folder = opening.folder
  })
  afterAll(() => opening.close())

  test('gets the address as one argument, without a shell [IOP-W-23]', async () => {
    const script = join(folder, 'open.sh')
    const target = join(folder, 'opened')
    writeFileSync(script, `#!/bin/sh\nprintf '%s|' "$@" > "$1.new" && mv "$1.new" "$1"\n`)
    chmodSync(script, 0o700)
    const url = 'https://api.example/done?a=$(id)&b=`id`;x#code=1'
    createOpener([script, target], { log: SILENT_LOG })(url)
    await expect.poll(() => existsSync(target), { timeout: 20_000 }).toBe(true)
    expect(readFileSync(target, 'utf8')).toBe(`${target}|${url}|`)
  })
})
