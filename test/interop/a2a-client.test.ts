/**
 * The A2A client of npm over the fetch of an agent, at an A2A server whose route wants signed calls.
 */

import { AgentCard, Message, Role } from '@a2a-js/sdk'
import {
  type Client,
  ClientFactory,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from '@a2a-js/sdk/client'
import { AgentEvent, type AgentExecutor, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { agentCardHandler, jsonRpcHandler, restHandler, UserBuilder } from '@a2a-js/sdk/server/express'
import { callSocket, RECEIVE_PATH } from '@attache/agent'
import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { type Loopback, listenOnLoopback } from '../support/loopback.js'
import { AGENT } from '../support/wallet-world.js'

let world: DaemonWorld
let behind: Loopback

const say = (text: string, role: Role, contextId: string) =>
  Message.fromJSON({ messageId: `m-${text}`, role, contextId, parts: [{ text }] })

const executor: AgentExecutor = {
  async execute({ contextId, userMessage }, bus) {
    const [part] = userMessage.parts
    const said = part?.content?.$case === 'text' ? part.content.value : ''
    bus.publish(AgentEvent.message(say(`exported ${said}`, Role.ROLE_AGENT, contextId)))
    bus.finished()
  },
  async cancelTask() {},
}

function cardOf(api: string): AgentCard {
  const at = (path: string, protocolBinding: string) => ({
    url: `${api}${path}`,
    protocolBinding,
    protocolVersion: '1.0',
  })
  return AgentCard.fromJSON({
    name: 'payroll',
    description: 'Exports the payroll.',
    version: '1.0.0',
    supportedInterfaces: [at('/a2a/rpc', 'JSONRPC'), at('/a2a/rest', 'HTTP+JSON')],
    capabilities: { streaming: true },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [{ id: 'export', name: 'Export', description: 'Exports a month.', tags: ['payroll'] }],
  })
}

beforeAll(async () => {
  world = await createDaemonWorld(undefined, { requirement: { requestSignature: 'required' } })
  const requestHandler = new DefaultRequestHandler(cardOf(world.api), new InMemoryTaskStore(), executor)
  const userBuilder = UserBuilder.noAuthentication
  const app = express()
  app.use('/.well-known/agent-card.json', agentCardHandler({ agentCardProvider: requestHandler }))
  app.use('/a2a/rpc', jsonRpcHandler({ requestHandler, userBuilder }))
  app.use('/a2a/rest', restHandler({ requestHandler, userBuilder }))
  behind = await listenOnLoopback(app)
  world.serveApi((guarded) => async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/.well-known/agent-card.json') return behind.handle(request)
    const answer = await guarded(request.clone())
    return pathname.startsWith('/a2a/') && answer.status === 200 ? behind.handle(request) : answer
  })
  const { uri, txCode } = await world.bench.issuer.createOffer(
    { agent: AGENT, by: 'value' },
    world.bench.time.clock(),
  )
  const body = JSON.stringify({ agent: AGENT, offer: uri, txCode })
  await callSocket({ socketPath: world.daemon().operatorSocket, method: 'POST', path: RECEIVE_PATH, body })
})
afterAll(async () => {
  await world.close()
  await behind.close()
})

function connect(agent: string, preferred: string): Promise<Client> {
  const fetchImpl = world.agentFetch(agent)
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory({ fetchImpl }), new RestTransportFactory({ fetchImpl })],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
    preferredTransports: [preferred],
  })
  return factory.createFromUrl(world.api)
}

const asking = (text: string) => ({
  tenant: '',
  message: say(text, Role.ROLE_USER, ''),
  configuration: undefined,
  metadata: undefined,
})

const texts = (value: unknown): string => JSON.stringify(value)
const calls = () => world.seen.filter(({ url, method }) => url.includes('/a2a/') && method === 'POST')

describe.each(['JSONRPC', 'HTTP+JSON'])('the A2A client over the fetch of an agent, by %s', (binding) => {
  test('sends messages to a guarded agent; every call with a token is signed [HMS-P-01]', async () => {
    const before = calls().length
    const client = await connect(AGENT, binding)
    expect(texts(await client.sendMessage(asking('May')))).toContain('exported May')
    expect(texts(await client.sendMessage(asking('June')))).toContain('exported June')

    const sent = calls().slice(before)
    const authorized = sent.filter(({ headers }) => headers.get('authorization')?.startsWith('DPoP '))
    expect(authorized.length).toBeGreaterThanOrEqual(2)
    expect(authorized.every(({ headers }) => headers.has('signature') && headers.has('content-digest'))).toBe(
      true,
    )
    const proofs = authorized.map(({ headers }) => headers.get('dpop'))
    expect(new Set(proofs).size).toBe(proofs.length)
  })

  test('reads a stream of events', async () => {
    const client = await connect(AGENT, binding)
    const events: string[] = []
    for await (const event of client.sendMessageStream(asking('July'))) events.push(texts(event))
    expect(events.join()).toContain('exported July')
  })

  test('stops with the signal of the caller', async () => {
    const client = await connect(AGENT, binding)
    const before = calls().length
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(client.sendMessage(asking('August'), { signal })).rejects.toThrow()
    expect(calls()).toHaveLength(before)
  })

  test('hears of the refusal from the API itself where the agent holds nothing', async () => {
    const client = await connect('other-agent', binding)
    await expect(client.sendMessage(asking('May'))).rejects.toThrow()
    expect(calls().at(-1)?.headers.has('authorization')).toBe(false)
  })
})
