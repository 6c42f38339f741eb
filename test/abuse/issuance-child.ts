/**
 * A wallet over a database of its own, in a process that kills itself before the nth write.
 *
 * Bundled and started by `killable-wallet.ts`; issuer, verifier and attester are the parent's, asked by messages. A
 * process that is not killed may be told to stop its wallet and to start another one.
 *
 * @module
 */
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  SILENT_LOG,
  type Store,
  systemRandom,
  VerificationError,
} from '@attache/core'
import { createAnchors, createEnvelope } from '@attache/keys'
import { createRulePdp } from '@attache/policy'
import { createLevelStore } from '@attache/storage'
import { createWallet } from '@attache/wallet'

const AGENT = 'payroll-export'
const asked = new Map<number, (answer: JsonObject) => void>()
let questions = 0
let writes = 0

function ask(what: string, argument: JsonValue): Promise<JsonObject> {
  questions += 1
  const id = questions
  return new Promise((resolve) => {
    asked.set(id, resolve)
    process.send?.({ ask: id, what, argument })
  })
}

const text = (object: JsonObject, name: string): string => String(member(object, name) ?? '')
const texts = (object: JsonObject, name: string): readonly string[] => {
  const value = member(object, name)
  return Array.isArray(value) ? value.map(String) : []
}

/** Dies before write number `killAt`; what was written before is on the disk. */
function killing(store: Store, killAt: number): Store {
  const counted =
    <Arguments extends readonly unknown[], Result>(verb: (...given: Arguments) => Promise<Result>) =>
    (...given: Arguments): Promise<Result> => {
      writes += 1
      if (writes !== killAt) return verb(...given)
      process.kill(process.pid, 'SIGKILL')
      return new Promise(() => {})
    }
  return {
    ...store,
    put: counted(store.put),
    putIfAbsent: counted(store.putIfAbsent),
    replace: counted(store.replace),
    take: counted(store.take),
    commit: counted(store.commit),
  }
}

async function open(start: JsonObject) {
  writes = 0
  const clock = () => Number(member(start, 'now'))
  const level = await createLevelStore({ path: text(start, 'folder'), clock })
  const store = killing(level, Number(member(start, 'killAt') ?? 0))
  const rules = member(start, 'rules')
  const wallet = createWallet(
    {
      profile: 'haip',
      algorithms: ['ES256'],
      agents: [{ id: AGENT, clientId: text(start, 'client') }],
      issuers: [
        {
          credentialIssuer: text(start, 'issuer'),
          vcts: [text(start, 'vct')],
          anchors: createAnchors('issuer', texts(start, 'issuerAnchors')),
          use: 'once',
        },
      ],
      verifiers: [
        {
          clientId: text(start, 'verifier'),
          anchors: createAnchors('api', texts(start, 'apiAnchors')),
          apis: [text(start, 'api')],
        },
      ],
    },
    {
      store,
      clock,
      random: systemRandom,
      log: SILENT_LOG,
      pdp: createRulePdp(rules),
      envelope: createEnvelope([{ id: 'm1', key: new Uint8Array(32).fill(5) }], { random: systemRandom }),
      fetch: async (url, init = {}) => {
        const body = typeof init.body === 'string' ? { body: init.body } : {}
        const answer = await ask('fetch', {
          url,
          method: init.method ?? 'GET',
          headers: { ...init.headers },
          ...body,
        })
        const failed = member(answer, 'error')
        if (typeof failed === 'string') throw new VerificationError(failed, 'The call failed.')
        const headers = member(answer, 'headers')
        const pairs = Array.isArray(headers)
          ? headers.map((pair): [string, string] => [String(pair[0]), String(pair[1])])
          : []
        const bytes = Buffer.from(text(answer, 'body'), 'base64')
        return new Response(bytes.length === 0 ? null : bytes, {
          status: Number(member(answer, 'status')),
          headers: pairs,
        })
      },
      attester: {
        attest: async ({ clientId, agent, instance }, now) => {
          const instanceKey = { ...instance.publicJwk }
          const answer = await ask('attest', { clientId, agent, instanceKey, now })
          return { jwt: text(answer, 'jwt'), expiresAt: Number(member(answer, 'expiresAt')) }
        },
      },
    },
  )
  return { wallet, level }
}

let opened: Awaited<ReturnType<typeof open>> | undefined

async function perform(what: string, argument: JsonObject): Promise<unknown> {
  if (what === 'start') {
    if (opened !== undefined) throw new Error('Another wallet is still open.')
    opened = await open(argument)
    return {}
  }
  if (opened === undefined) throw new Error('The wallet is not open.')
  const { wallet, level } = opened
  switch (what) {
    case 'stop':
      // Nothing of one wallet may reach into the time of the next.
      if (asked.size > 0) throw new Error('The wallet is still calling somebody.')
      await level.close()
      opened = undefined
      return {}
    case 'receive':
      return wallet.receive(AGENT, text(argument, 'offer'), text(argument, 'txCode'))
    case 'present':
      return wallet.present(AGENT, text(argument, 'request'))
    case 'maintain':
      await wallet.maintain()
      return {}
    case 'overview':
      return wallet.overview(AGENT)
    case 'counts': {
      const marks = await level.list('t/default/wallet/spent/')
      const copies = marks.filter(({ key }) => key.includes('/cpy_'))
      const keys = await level.list('t/default/wallet/key/')
      return { writes, marks: copies.length, keys: keys.length }
    }
    default:
      throw new Error(`Nobody does ${what}.`)
  }
}

process.on('message', (message: unknown) => {
  if (!isJsonObject(message)) return
  const answered = member(message, 'answer')
  if (typeof answered === 'number') {
    const value = member(message, 'value')
    asked.get(answered)?.(isJsonObject(value) ? value : {})
    asked.delete(answered)
    return
  }
  const id = member(message, 'call')
  const argument = member(message, 'argument')
  perform(text(message, 'what'), isJsonObject(argument) ? argument : {}).then(
    (value) => process.send?.({ done: id, value }),
    (error: unknown) =>
      process.send?.({ done: id, error: String(error instanceof Error ? error.stack : error) }),
  )
})
