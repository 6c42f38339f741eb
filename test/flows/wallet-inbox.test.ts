import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ACCEPT_PATH, callSocket, EXPLAIN_PATH, INBOX_PATH, STATUS_PATH } from '@attache/agent'
import { createGuardedFetch, isJsonArray, isJsonObject, type JsonObject } from '@attache/core'
import { afterEach, describe, expect, test } from 'vitest'
import { createWalletClient } from '../../apps/cli/src/wallet-client.js'
import { describeInbox, describeVisits } from '../../apps/cli/src/wallet-output.js'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { certifyTls } from '../support/https-origin.js'
import { AGENT } from '../support/wallet-world.js'

let world: DaemonWorld | undefined
afterEach(async () => {
  await world?.close()
  world = undefined
})

function withInbox(inbox: JsonObject = {}, issuer: { transactionCode?: null } = {}): Promise<DaemonWorld> {
  return createDaemonWorld(
    (configuration) => ({
      ...configuration,
      inbox: { folder: 'inbox', everySeconds: 1, ...inbox },
    }),
    {
      issuer,
      files: async (tls) => {
        const { key, cert } = await certifyTls(tls, { name: 'localhost' })
        return { 'inbox.key': key, 'inbox.pem': cert }
      },
    },
  )
}
const PUSH = {
  push: {
    listen: { port: 0, tls: { certificate: 'inbox.pem', key: 'inbox.key' } },
    origin: 'https://localhost',
  },
}

const ask = async (daemon: DaemonWorld, path: string, body?: object) => {
  const reply = await callSocket({
    socketPath: daemon.daemon().operatorSocket,
    path,
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { ...reply, value: isJsonObject(reply.value) ? reply.value : {} }
}
const waiting = async (daemon: DaemonWorld) => {
  const { offers } = (await ask(daemon, INBOX_PATH)).value
  return isJsonArray(offers) ? offers.filter(isJsonObject) : []
}
const held = async (daemon: DaemonWorld) => {
  const { agents } = (await ask(daemon, STATUS_PATH)).value
  const [first] = isJsonArray(agents) ? agents.filter(isJsonObject) : []
  const credentials = first?.['credentials']
  return isJsonArray(credentials) ? credentials.length : 0
}
const offered = (daemon: DaemonWorld, by: 'value' | 'reference') =>
  daemon.bench.issuer.createOffer({ agent: AGENT, by }, daemon.bench.time.clock())
const eventually = { timeout: 30_000, interval: 100 }

/** Puts a file there at once and whole, as a careful carrier does. */
function drop(daemon: DaemonWorld, name: string, content: string): string {
  const path = join(daemon.folder, 'inbox', AGENT, name)
  writeFileSync(`${path}.part`, content)
  renameSync(`${path}.part`, path)
  return path
}
const filesIn = (daemon: DaemonWorld) => readdirSync(join(daemon.folder, 'inbox', AGENT)).sort()

async function pusher(daemon: DaemonWorld) {
  const ca = [readFileSync(daemon.caFile, 'utf8')]
  const fetch = createGuardedFetch({ ca, allowPrivate: ['localhost'] })
  const origin = `https://localhost:${daemon.daemon().ports.inbox}`
  return async (body: string | JsonObject, path = `/offers/${AGENT}`) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const headers = { 'Content-Type': 'application/json' }
    const response = await fetch(`${origin}${path}`, {
      method: 'POST',
      headers,
      body: text,
      timeoutMs: 30_000,
    })
    const said: unknown = await response.json().catch(() => ({}))
    return {
      status: response.status,
      code: isJsonObject(said) ? (said['error'] ?? said['outcome']) : undefined,
      retryAfter: response.headers.get('Retry-After'),
    }
  }
}

describe('the inbox folder', () => {
  test('is private, and receives an offer that needs nothing', async () => {
    world = await withInbox({}, { transactionCode: null })
    const daemon = world
    for (const folder of ['inbox', join('inbox', AGENT)])
      expect(statSync(join(world.folder, folder)).mode & 0o777).toBe(0o700)
    const { uri } = await offered(world, 'value')
    const path = drop(world, 'first.offer', `${uri}\n`)
    await expect.poll(() => held(daemon), eventually).toBe(1)
    await expect.poll(() => existsSync(path), eventually).toBe(false)
    expect(await waiting(world)).toEqual([])
  })

  test('keeps an offer until its transaction code comes by the operator', async () => {
    world = await withInbox()
    const daemon = world
    const { uri, txCode = '' } = await offered(world, 'reference')
    const path = drop(world, 'first.offer', uri)
    await expect.poll(() => waiting(daemon), eventually).toHaveLength(1)
    const [entry] = await waiting(world)
    expect(entry).toMatchObject({ agent: AGENT, needs: 'transaction_code', from: 'folder' })
    expect(await held(world)).toBe(0)

    const id = entry?.['id']
    const wrong = txCode === '000000' ? '000001' : '000000'
    expect((await ask(world, ACCEPT_PATH, { id, txCode: wrong })).value).toMatchObject({
      outcome: 'tx_code_required',
    })
    // It waits on, over a restart too.
    await world.restart()
    await expect.poll(() => waiting(daemon), eventually).toHaveLength(1)
    expect((await ask(world, ACCEPT_PATH, { id, txCode })).value).toMatchObject({ outcome: 'stored' })
    expect(existsSync(path)).toBe(false)
    expect((await ask(world, ACCEPT_PATH, { id, txCode })).status).toBe(404)
  })

  test('puts aside what nobody will receive: other issuers, no link, too much; symlinks stay unread', async () => {
    world = await withInbox()
    const daemon = world
    const foreign = encodeURIComponent(
      JSON.stringify({
        credential_issuer: 'https://other.example',
        credential_configuration_ids: ['role'],
        grants: { authorization_code: {} },
      }),
    )
    drop(world, 'foreign.offer', `openid-credential-offer://?credential_offer=${foreign}`)
    drop(world, 'garbage.offer', 'not a link')
    drop(world, 'huge.offer', `openid-credential-offer://?credential_offer=${'x'.repeat(70_000)}`)
    symlinkSync(join(world.folder, 'master.key'), join(world.folder, 'inbox', AGENT, 'link.offer'))
    await expect
      .poll(() => filesIn(daemon), eventually)
      .toEqual(['foreign.refused', 'garbage.refused', 'huge.refused', 'link.offer'])
    expect(await waiting(world)).toEqual([])
  })

  test('does not start where the folder is a file', async () => {
    await expect(withInbox({ folder: 'master.key' })).rejects.toMatchObject({ code: 'start_up_failed' })
  })
})

describe('offers that issuers push', () => {
  test('are kept by reference, wait for their code, and count once', async () => {
    world = await withInbox(PUSH)
    const daemon = world
    const push = await pusher(world)
    const { credentialOfferUri = '', txCode } = await offered(world, 'reference')
    const body = { credential_offer_uri: credentialOfferUri }
    expect(await push(body)).toMatchObject({ status: 202, code: 'kept' })
    expect(await push(body)).toMatchObject({ status: 409, code: 'offer_known' })
    await expect.poll(() => waiting(daemon), eventually).toHaveLength(1)
    const [entry] = await waiting(world)
    expect(entry).toMatchObject({ needs: 'transaction_code', from: 'push' })
    expect((await ask(world, ACCEPT_PATH, { id: entry?.['id'], txCode })).value).toMatchObject({
      outcome: 'stored',
    })
    // Replayed after it was redeemed, and after a restart: still known, and nothing of it left on disk.
    await world.restart()
    expect(await (await pusher(world))(body)).toMatchObject({ status: 409, code: 'offer_known' })
    const [mark = ''] = filesIn(world)
    expect(mark).toMatch(/\.done$/)
    const path = join(world.folder, 'inbox', AGENT, mark)
    expect(readFileSync(path, 'utf8')).toBe('')
    // Marks are kept as long as the wallet itself remembers offers, by the clock of the file system.
    const past = Date.now() / 1000 - 31 * 86_400
    utimesSync(path, past, past)
    await world.restart()
    expect(filesIn(world)).toEqual([])
  })

  test('without a transaction code are refused: a link alone fills no wallet', async () => {
    world = await withInbox(PUSH, { transactionCode: null })
    const daemon = world
    const { credentialOfferUri = '' } = await offered(world, 'reference')
    await (await pusher(world))({ credential_offer_uri: credentialOfferUri })
    await expect
      .poll(() => filesIn(daemon), eventually)
      .toEqual([expect.stringMatching(/^[\w-]{22}\.refused$/)])
    expect(await held(world)).toBe(0)
  })

  test('of other issuers, by value, oversized or to nobody are refused, and nothing is kept', async () => {
    world = await withInbox(PUSH)
    const push = await pusher(world)
    const { credentialOfferUri = '', uri } = await offered(world, 'reference')
    const cases: readonly [string | JsonObject, number, string, string?][] = [
      [{ credential_offer_uri: 'https://other.example/offer/1' }, 403, 'untrusted_issuer'],
      [{ credential_offer_uri: 'https://169.254.169.254/latest' }, 403, 'untrusted_issuer'],
      [{ credential_offer_uri: credentialOfferUri.replace('https:', 'http:') }, 400, 'invalid_request'],
      [{ credential_offer: { credential_issuer: 'x' } }, 400, 'invalid_request'],
      [{ credential_offer_uri: uri }, 400, 'invalid_request'],
      ['not json', 400, 'invalid_request'],
      [{ credential_offer_uri: `${credentialOfferUri}?${'x'.repeat(10_000)}` }, 413, 'request_too_large'],
      [{ credential_offer_uri: credentialOfferUri }, 404, 'unknown_agent', '/offers/nobody'],
      [{ credential_offer_uri: credentialOfferUri }, 404, 'unknown_agent', '/offers/..%2Fother-agent'],
    ]
    for (const [body, status, code, path] of cases) {
      expect(await push(body, path)).toMatchObject({ status, code })
    }
    expect(filesIn(world)).toEqual([])
  })

  test('in a flood meet one limit, and a full inbox takes no more', async () => {
    const flooded = {
      push: { ...PUSH.push, perMinute: 3 },
    }
    world = await withInbox(flooded)
    const push = await pusher(world)
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => push({ credential_offer_uri: `https://other.example/${at}` })),
    )
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(3)
    const late = answers.filter(({ status }) => status === 429)
    expect(late).toHaveLength(17)
    expect(late.every(({ retryAfter }) => retryAfter === '60')).toBe(true)
    await world.close()

    world = await withInbox({ ...PUSH, most: 2 })
    const next = await pusher(world)
    const codes = []
    for (let at = 0; at < 3; at += 1) {
      const { credentialOfferUri = '' } = await offered(world, 'reference')
      codes.push((await next({ credential_offer_uri: credentialOfferUri })).code)
    }
    expect(codes).toEqual(['kept', 'kept', 'inbox_full'])
  })
})

describe('offers of the configuration', () => {
  test('are received at the start, once', async () => {
    world = await createDaemonWorld()
    const daemon = world
    const { uri, txCode = '' } = await offered(world, 'value')
    mkdirSync(join(world.folder, 'offers'))
    writeFileSync(join(world.folder, 'offers', 'payroll.offer'), `${uri}\n`)
    writeFileSync(join(world.folder, 'offers', 'payroll.code'), `${txCode}\n`, { mode: 0o600 })
    const configuration: unknown = JSON.parse(readFileSync(world.configPath, 'utf8'))
    const offers = [
      { agent: AGENT, offer: 'offers/payroll.offer', transactionCodeFile: 'offers/payroll.code' },
    ]
    writeFileSync(
      world.configPath,
      JSON.stringify({ ...(isJsonObject(configuration) ? configuration : {}), offers }),
    )
    await world.restart()
    await expect.poll(() => held(daemon), eventually).toBe(1)
    const received = async () => {
      const { explanations } = (await ask(daemon, EXPLAIN_PATH, { agent: AGENT })).value
      const decisions = isJsonArray(explanations) ? explanations.filter(isJsonObject) : []
      return decisions.filter(({ event }) => event === 'receive').map(({ code }) => code)
    }
    expect(await received()).toEqual(['stored'])
    await world.restart()
    // Closing waits for offers under way: what the second start did is on record by now.
    await world.restart()
    expect(await received()).toEqual(['stored'])
    expect(await held(world)).toBe(1)
  })

  test('whose file is missing stop the start', async () => {
    await expect(
      createDaemonWorld((configuration) => ({
        ...configuration,
        offers: [{ agent: AGENT, offer: 'missing.offer' }],
      })),
    ).rejects.toMatchObject({ code: 'start_up_failed' })
  })
})

describe('attache wallet', () => {
  test('lists what waits and receives it; asks an issuer without an offer', async () => {
    world = await withInbox()
    const daemon = world
    const client = createWalletClient(world.daemon().operatorSocket)
    expect(describeInbox(await client.inbox())).toBe('No offer waits.')
    expect(describeVisits(await client.visits())).toBe('There was no visit.')
    const { uri, txCode } = await offered(world, 'value')
    drop(world, 'first.offer', uri)
    await expect.poll(() => client.inbox(), eventually).toHaveLength(1)
    const offers = await client.inbox()
    const [{ id } = { id: '' }] = offers
    expect(describeInbox(offers)).toContain(`attache wallet accept ${id} --tx-code <code>`)
    expect(await client.accept({ id, txCode })).toMatchObject({ outcome: 'stored' })
    await expect(client.accept({ id, txCode })).rejects.toMatchObject({ code: 'nothing_waits' })
    await expect(client.consent('vis_1')).rejects.toMatchObject({ code: 'nothing_waits' })

    const { credentialIssuer: issuer } = daemon.bench.issuer
    const ask = (agent: string, configurations: readonly string[]) =>
      client.request({ agent, issuer, configurations })
    // This wallet has no redirect URI, so nobody could come back from a login.
    expect(await ask(AGENT, ['agent-role'])).toMatchObject({ outcome: 'refused' })
    await expect(ask('nobody', ['agent-role'])).rejects.toMatchObject({ code: 'unknown_agent' })
    await expect(ask(AGENT, [])).rejects.toMatchObject({ code: 'invalid_request' })
  })

  test('shows what a peer wrote without control characters', () => {
    const shown = describeInbox([
      {
        id: 'inb_1',
        agent: AGENT,
        issuer: 'https://issuer.example',
        needs: 'transaction_code',
        description: 'code\u001b[2J by mail',
        from: 'push',
      },
    ])
    expect(shown).toContain('The issuer says: code?[2J by mail')
    const visit = { id: 'vis_1', kind: 'request', at: 0, state: 'error', code: 'x\u0007' } as const
    expect(describeVisits([visit])).toBe('1970-01-01T00:00:00.000Z  vis_1  request error (x?)')
  })
})
