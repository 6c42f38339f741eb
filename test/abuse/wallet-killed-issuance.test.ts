/**
 * A wallet that is killed anywhere while it receives or renews: nothing an issuer gave is lost, and no copy is used
 * twice.
 *
 * Every write of its store and every call it makes is a point where the process ends: before the write, before the
 * call is answered, and after the other side has done its part but before the answer is here. Only one of them costs
 * a person's time: a token answer that never arrived takes the offer's one code with it, before any credential
 * exists, and a new offer is needed.
 */
import { isJsonArray, isJsonObject, type JsonObject, member } from '@attache/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TEMPLATE } from '../flows/issuer-bench.js'
import type { WorldOptions } from '../support/wallet-world.js'
import {
  bundleChild,
  createKillableWorld,
  type KillableWorld,
  type KillPoint,
  type WalletProcess,
} from './killable-wallet.js'

let bundle: Awaited<ReturnType<typeof bundleChild>>
beforeAll(async () => {
  bundle = await bundleChild()
}, 120_000)
afterAll(() => bundle.remove())

const REFRESHING = { refreshTokenSeconds: 90 * 86_400 }

/** Longer than an issuance that was left behind waits for its turn, in seconds. */
const A_WHILE = 61

async function overview(wallet: WalletProcess) {
  const reply = (await wallet.ask('overview')) ?? {}
  const credentials = member(reply, 'credentials')
  const list = credentials !== undefined && isJsonArray(credentials) ? credentials.filter(isJsonObject) : []
  return { credentials: list, pending: Number(member(reply, 'pending')) }
}

async function count(wallet: WalletProcess, name: 'writes' | 'marks' | 'keys'): Promise<number> {
  return Number(member((await wallet.ask('counts')) ?? {}, name))
}

const issuedBy = async ({ world }: KillableWorld) =>
  (await world.bench.issuer.listCredentials({ limit: 100 })).length

/** Presents until nothing is left. @returns How often it was delivered. */
async function presentAll(killable: KillableWorld, wallet: WalletProcess): Promise<number> {
  for (let delivered = 0; ; delivered += 1) {
    const reply = await wallet.ask('present', { request: await killable.request() })
    if (member(reply ?? {}, 'outcome') !== 'delivered') return delivered
  }
}

/** Where the work can end: measured in a run that is not killed. */
async function killPoints(
  options: WorldOptions,
  work: (
    killable: KillableWorld,
    start: (point: KillPoint) => Promise<WalletProcess>,
  ) => Promise<WalletProcess>,
): Promise<readonly KillPoint[]> {
  const killable = await createKillableWorld(bundle, options)
  try {
    const wallet = await work(killable, killable.start)
    const points: KillPoint[] = []
    for (let nth = 1; nth <= (await count(wallet, 'writes')); nth += 1) points.push({ at: 'write', nth })
    for (let nth = 1; nth <= wallet.calls.length; nth += 1)
      points.push({ at: 'call', nth }, { at: 'answer', nth })
    return points
  } finally {
    await killable.close()
  }
}

async function atEach(
  points: readonly KillPoint[],
  options: WorldOptions,
  attempt: (killable: KillableWorld, point: KillPoint) => Promise<void>,
): Promise<void> {
  for (const point of points) {
    const killable = await createKillableWorld(bundle, options)
    try {
      await attempt(killable, point)
    } catch (error) {
      throw new Error(`Killed at ${JSON.stringify(point)}: ${error instanceof Error ? error.stack : error}`)
    } finally {
      await killable.close()
    }
  }
}

test('while it receives: the credential comes, or nothing was issued and the offer says so', async () => {
  const receive = async (
    killable: KillableWorld,
    start: (point: KillPoint) => Promise<WalletProcess>,
    point: KillPoint = { at: 'never' },
  ) => {
    const { uri: offer, txCode } = await killable.world.offer()
    const wallet = await start(point)
    return { wallet, offer: { offer, txCode }, reply: await wallet.ask('receive', { offer, txCode }) }
  }
  const points = await killPoints({}, async (killable, start) => {
    const { wallet, reply } = await receive(killable, start)
    expect(reply).toMatchObject({ outcome: 'stored' })
    return wallet
  })
  expect(points.length).toBeGreaterThan(20)

  let lostOffers = 0
  await atEach(points, {}, async (killable, point) => {
    const { wallet: killed, offer, reply } = await receive(killable, killable.start, point)
    expect(reply).toBeUndefined()
    await killed.end()

    killable.world.bench.time.advance(A_WHILE)
    const wallet = await killable.start()
    await wallet.ask('maintain')
    if ((await overview(wallet)).credentials.length === 0) {
      // Nothing was issued yet, and nothing waits: the operator hands the offer in again, or gets a new one.
      expect(await issuedBy(killable)).toBe(0)
      expect((await overview(wallet)).pending).toBe(0)
      const again = (await wallet.ask('receive', offer)) ?? {}
      if (member(again, 'outcome') !== 'stored') {
        expect(again).toMatchObject({ outcome: 'refused', code: 'invalid_grant' })
        lostOffers += 1
        const fresh = await killable.world.offer()
        expect(await wallet.ask('receive', { offer: fresh.uri, txCode: fresh.txCode })).toMatchObject({
          outcome: 'stored',
        })
      }
    }
    const { credentials, pending } = await overview(wallet)
    expect([credentials.length, pending]).toEqual([1, 0])
    const copies = Number(member(credentials[0] ?? {}, 'copiesLeft'))
    expect(copies).toBe(2)
    expect(await presentAll(killable, wallet)).toBe(copies)
    expect(await count(wallet, 'marks')).toBe(copies)
  })
  // The answer of the token endpoint, lost on its way or before it was written down.
  expect(lostOffers).toBe(2)
}, 600_000)

test('while it waits for a deferred credential: it comes all the same', async () => {
  const template = `${TEMPLATE}\nissuance: deferred\n`
  const options: WorldOptions = { issuer: { ...REFRESHING, template } }
  const approveAll = async ({ world }: KillableWorld) => {
    for (const { id, state } of await world.bench.issuer.listDeferred())
      if (state === 'pending') await world.bench.issuer.decideDeferred(id, 'approved')
  }
  const deferred = async (killable: KillableWorld) => {
    const { uri: offer, txCode } = await killable.world.offer()
    const wallet = await killable.start()
    expect(await wallet.ask('receive', { offer, txCode })).toMatchObject({ outcome: 'pending' })
    await wallet.end()
    await approveAll(killable)
    killable.world.bench.time.advance(3600)
  }
  const points = await killPoints(options, async (killable, start) => {
    await deferred(killable)
    const wallet = await start({ at: 'never' })
    await wallet.ask('maintain')
    expect((await overview(wallet)).credentials).toHaveLength(1)
    return wallet
  })
  expect(points.length).toBeGreaterThan(10)

  let askedAnew = 0
  await atEach(points, options, async (killable, point) => {
    await deferred(killable)
    const killed = await killable.start(point)
    expect(await killed.ask('maintain')).toBeUndefined()
    await killed.end()
    killable.world.bench.time.advance(A_WHILE)
    for (let round = 0; round < 3; round += 1) {
      const wallet = await killable.start()
      await wallet.ask('maintain')
      const { credentials, pending } = await overview(wallet)
      if (pending === 0) {
        expect(credentials).toMatchObject([{ state: 'active', copiesLeft: 2 }])
        return
      }
      // Delivered to nobody: the wallet has asked anew, and the issuer decides again.
      if (round === 0) askedAnew += 1
      await wallet.end()
      await approveAll(killable)
      killable.world.bench.time.advance(3600)
    }
    throw new Error('The credential never came.')
  })
  expect(askedAnew).toBeGreaterThan(0)
}, 600_000)

test('while it renews: the old copies serve until the new ones are there, each once; the refresh token stays', async () => {
  // The issuer replaces refresh tokens, and lets the old one work on for a while: an answer can be lost.
  const options: WorldOptions = {
    issuer: { ...REFRESHING, mode: 'base', refreshRotationGraceSeconds: 3600 },
  }
  const dueSoon = async (killable: KillableWorld) => {
    const { uri: offer, txCode } = await killable.world.offer()
    const wallet = await killable.start()
    expect(await wallet.ask('receive', { offer, txCode })).toMatchObject({ outcome: 'stored' })
    // One of the two copies is used: it must never be used again, however the renewal ends.
    expect(await wallet.ask('present', { request: await killable.request() })).toMatchObject({
      outcome: 'delivered',
    })
    const [credential] = (await overview(wallet)).credentials
    await wallet.end()
    const { time } = killable.world.bench
    time.advance(Number(member(credential ?? {}, 'renewAt')) - time.clock())
    return String(member(credential ?? {}, 'id'))
  }
  const points = await killPoints(options, async (killable, start) => {
    const id = await dueSoon(killable)
    const wallet = await start({ at: 'never' })
    await wallet.ask('maintain')
    expect((await overview(wallet)).credentials).not.toMatchObject([{ id }])
    return wallet
  })
  expect(points.length).toBeGreaterThan(20)

  await atEach(points, options, async (killable, point) => {
    const id = await dueSoon(killable)
    const killed = await killable.start(point)
    expect(await killed.ask('maintain')).toBeUndefined()
    await killed.end()

    killable.world.bench.time.advance(A_WHILE)
    const wallet = await killable.start()
    const [held] = (await overview(wallet)).credentials
    expect(held).toMatchObject({ state: 'active', copiesLeft: member(held ?? {}, 'id') === id ? 1 : 2 })
    await wallet.ask('maintain')
    const { credentials, pending } = await overview(wallet)
    expect([credentials.length, pending]).toEqual([1, 0])
    expect(credentials).toMatchObject([{ state: 'active', copiesLeft: 2 }])
    expect(credentials).not.toMatchObject([{ id }])
    // The one before and the two new ones: three presentations, three marks.
    expect(await presentAll(killable, wallet)).toBe(2)
    expect(await count(wallet, 'marks')).toBe(3)

    // And it can be renewed once more: the refresh token was not lost with an answer.
    if (point.at === 'write') return
    const renewAt = Number(member(credentials[0] ?? ({} satisfies JsonObject), 'renewAt'))
    killable.world.bench.time.advance(renewAt - killable.world.bench.time.clock())
    await wallet.end()
    const later = await killable.start()
    await later.ask('maintain')
    expect((await overview(later)).credentials).toMatchObject([{ state: 'active', copiesLeft: 2 }])
  })
}, 600_000)
