/**
 * A wallet in a process that can be killed at each write of its store and at each call it makes.
 *
 * The process is real and so is its database; issuer and verifier answer from the test's own process, so that what
 * they did stays known when the wallet is gone. A wallet that is to be killed has a process to itself. One that is
 * not, before a kill or after it, is opened anew from the database in one process that serves all of them in turn: a
 * wallet keeps nothing but in its store and in what `createWallet` made.
 *
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isJsonObject, type JsonObject, type JsonValue, member, VerificationError } from '@attache/core'
import { jwkThumbprint, parsePublicJwk } from '@attache/keys'
import { createWalletProvider } from '@attache/wallet'
import { ISSUER } from '../flows/issuer-bench.js'
import { bundle } from '../support/bundle.js'
import {
  API,
  CLIENT,
  createWalletWorld,
  mandate,
  QUERY,
  VCT,
  type WalletWorld,
  type WorldOptions,
} from '../support/wallet-world.js'

/** Where a process ends: before a write, before a call is answered, or with the answer under way. */
export type KillPoint =
  | { readonly at: 'write' | 'call' | 'answer'; readonly nth: number }
  | { readonly at: 'never' }

/** A wallet process, to be asked. */
export interface WalletProcess {
  /** @returns `undefined` when the process was killed meanwhile. */
  ask(
    what: 'receive' | 'present' | 'maintain' | 'overview' | 'counts',
    argument?: JsonObject,
  ): Promise<JsonObject | undefined>
  /** Calls it made so far. */
  readonly calls: readonly string[]
  end(): Promise<void>
}

export interface KillableWorld {
  readonly world: WalletWorld
  /** Starts a process over the same database. */
  start(point?: KillPoint): Promise<WalletProcess>
  /** A fresh request for a presentation. */
  request(): Promise<string>
  close(): Promise<void>
}

/** The bundled child. */
export interface ChildBundle {
  /** A process that is to be killed. */
  fork(): ChildProcess
  /** The process of all wallets that are not, one after the other. */
  steady(): ChildProcess
  remove(): Promise<void>
}

/** Bundles the child once: a start is then a matter of milliseconds. */
export async function bundleChild(): Promise<ChildBundle> {
  const { path, remove } = await bundle('test/abuse/issuance-child.ts')
  const forked = () => fork(path, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  let steady: ChildProcess | undefined
  return {
    fork: forked,
    steady: () => {
      if (steady === undefined || hasEnded(steady)) steady = forked()
      return steady
    },
    async remove() {
      if (steady !== undefined) await end(steady)
      remove()
    },
  }
}

/** A world with an issuer and an API, and a database for wallet processes. */
export async function createKillableWorld(
  children: ChildBundle,
  options: WorldOptions = {},
): Promise<KillableWorld> {
  const world = await createWalletWorld({ ...options, issuer: { batchSize: 2, ...options.issuer } })
  const folder = mkdtempSync(join(tmpdir(), 'attache-killed-'))
  const running: (() => Promise<void>)[] = []
  const { bench } = world
  return {
    world,
    async start(point = { at: 'never' }) {
      const steady = point.at === 'never'
      const child = steady ? children.steady() : children.fork()
      const wallet = converse(child, world, point)
      const leave = once(async () => {
        // A wallet that does not stop must not be the next one's trouble.
        const stop = () =>
          wallet.call('stop').catch(async (error: unknown) => {
            await end(child)
            throw error
          })
        await (steady ? stop() : end(child))
        wallet.hangUp()
      })
      running.push(leave)
      await wallet.call('start', {
        folder,
        now: bench.time.clock(),
        client: CLIENT,
        issuer: ISSUER,
        vct: VCT,
        api: API,
        issuerAnchors: bench.signing.anchors.certificates,
        apiAnchors: world.api.anchors.certificates,
        verifier: world.clientId,
        rules: mandate(world.clientId),
        killAt: point.at === 'write' ? point.nth : 0,
      })
      return { ask: wallet.call, calls: wallet.calls, end: leave }
    },
    async request() {
      const started = await world.verifier.startTransaction({
        query: QUERY,
        responseMode: 'direct_post.jwt',
        crossDevice: true,
      })
      return started.requestUrl
    },
    async close() {
      await Promise.all(running.map((leave) => leave()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exit
}

/** The parent's end of the messages: calls into the wallet, and what the wallet asks of the world. */
function converse(child: ChildProcess, world: WalletWorld, point: KillPoint) {
  const waiting = new Map<
    number,
    { resolve(value: JsonObject | undefined): void; reject(error: Error): void }
  >()
  const calls: string[] = []
  let ids = 0
  const answer = async (what: string, argument: JsonObject): Promise<JsonObject | undefined> => {
    if (what === 'attest') return attest(argument, world)
    calls.push(String(member(argument, 'url')))
    const isLast = calls.length === (point.at === 'call' || point.at === 'answer' ? point.nth : 0)
    if (isLast && point.at === 'call') return undefined
    const answered = await carry(argument, world)
    return isLast ? undefined : answered
  }
  const hear = (message: unknown) => {
    if (!isJsonObject(message)) return
    const asked = member(message, 'ask')
    const argument = member(message, 'argument')
    if (typeof asked === 'number') {
      answer(String(member(message, 'what')), isJsonObject(argument) ? argument : {}).then(
        (value) =>
          value === undefined
            ? child.kill('SIGKILL')
            : child.connected && child.send({ answer: asked, value }),
        (error: unknown) => {
          process.stderr.write(
            `The world could not answer: ${error instanceof Error ? error.stack : error}\n`,
          )
          child.kill('SIGKILL')
        },
      )
      return
    }
    const done = waiting.get(Number(member(message, 'done')))
    waiting.delete(Number(member(message, 'done')))
    const [value, error] = [member(message, 'value'), member(message, 'error')]
    if (error === undefined) done?.resolve(isJsonObject(value) ? value : {})
    else done?.reject(new Error(String(error)))
  }
  const giveUp = () => {
    for (const { resolve } of waiting.values()) resolve(undefined)
    waiting.clear()
  }
  child.on('message', hear)
  child.once('exit', giveUp)
  const call = (what: string, argument: JsonObject = {}): Promise<JsonObject | undefined> =>
    new Promise((resolve, reject) => {
      if (!child.connected) return resolve(undefined)
      ids += 1
      waiting.set(ids, { resolve, reject })
      child.send({ call: ids, what, argument }, () => {})
    })
  const hangUp = () => {
    child.off('message', hear)
    child.off('exit', giveUp)
  }
  return { call, calls, hangUp }
}

/** Carries a call into the in-process network. */
async function carry(argument: JsonObject, world: WalletWorld): Promise<JsonObject> {
  const [headers, body] = [member(argument, 'headers'), member(argument, 'body')]
  try {
    const response = await world.network.fetch(String(member(argument, 'url')), {
      method: String(member(argument, 'method')),
      headers: Object.fromEntries(
        Object.entries(isJsonObject(headers) ? headers : {}).map(([name, value]) => [name, String(value)]),
      ),
      ...(typeof body === 'string' ? { body } : {}),
    })
    const pairs: JsonValue = [...response.headers].map(([name, value]) => [name, value])
    const bytes = Buffer.from(await response.arrayBuffer())
    return { status: response.status, headers: pairs, body: bytes.toString('base64') }
  } catch (error) {
    if (error instanceof VerificationError) return { error: error.code }
    throw error
  }
}

async function attest(argument: JsonObject, world: WalletWorld): Promise<JsonObject> {
  const provider = createWalletProvider(
    { issuer: 'https://provider.example' },
    { signer: world.bench.provider.signer },
  )
  const publicJwk = parsePublicJwk(member(argument, 'instanceKey'))
  const sign = () => Promise.reject(new Error('The key is in the other process.'))
  const instance = { alg: 'ES256', kid: jwkThumbprint(publicJwk), publicJwk, sign } as const
  const [clientId, agent] = [String(member(argument, 'clientId')), String(member(argument, 'agent'))]
  const request = { clientId, agent, instance }
  const { jwt, expiresAt } = await provider.attest(request, Number(member(argument, 'now')))
  return { jwt, expiresAt }
}
