/**
 * A wallet in a process that can be killed at each write of its store and at each call it makes.
 *
 * The process is real and so is its database; issuer and verifier answer from the test's own process, so that what
 * they did stays known when the wallet is gone.
 *
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isJsonObject, type JsonObject, type JsonValue, member, VerificationError } from '@attache/core'
import { jwkThumbprint, parsePublicJwk } from '@attache/keys'
import { createWalletProvider } from '@attache/wallet'
import { build } from 'vite'
import { ISSUER } from '../flows/issuer-bench.js'
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

const root = fileURLToPath(new URL('../..', import.meta.url))

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

/** Bundles the child once: a start is then a matter of milliseconds. @returns The bundle, and its removal. */
export async function bundleChild(): Promise<{ readonly path: string; remove(): void }> {
  // Inside node_modules, so that the database's native part is found.
  const folder = mkdtempSync(join(root, 'node_modules', '.attache-child-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const alias = Object.fromEntries(
    readdirSync(join(root, 'packages')).map((room) => [
      `@attache/${room}`,
      join(root, 'packages', room, 'src/index.ts'),
    ]),
  )
  await build({
    root,
    configFile: false,
    logLevel: 'silent',
    resolve: { alias },
    ssr: { noExternal: true, external: ['level', '@cedar-policy/cedar-wasm'] },
    build: {
      ssr: join(root, 'test/abuse/issuance-child.ts'),
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      rollupOptions: { output: { entryFileNames: 'child.mjs', format: 'es' } },
    },
  }).catch((error: unknown) => {
    remove()
    throw error
  })
  return { path: join(folder, 'child.mjs'), remove }
}

/** A world with an issuer and an API, and a database for wallet processes. */
export async function createKillableWorld(
  bundle: string,
  options: WorldOptions = {},
): Promise<KillableWorld> {
  const world = await createWalletWorld({ ...options, issuer: { batchSize: 2, ...options.issuer } })
  const folder = mkdtempSync(join(tmpdir(), 'attache-killed-'))
  const running: ChildProcess[] = []
  const { bench } = world
  return {
    world,
    async start(point = { at: 'never' }) {
      const child = fork(bundle, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      running.push(child)
      const wallet = converse(child, world, point)
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
      return { ask: wallet.call, calls: wallet.calls, end: () => end(child) }
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
      await Promise.all(running.map(end))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
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
  child.on('message', (message: unknown) => {
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
  })
  child.once('exit', () => {
    for (const { resolve } of waiting.values()) resolve(undefined)
    waiting.clear()
  })
  const call = (what: string, argument: JsonObject = {}): Promise<JsonObject | undefined> =>
    new Promise((resolve, reject) => {
      if (!child.connected) return resolve(undefined)
      ids += 1
      waiting.set(ids, { resolve, reject })
      child.send({ call: ids, what, argument }, () => {})
    })
  return { call, calls }
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
