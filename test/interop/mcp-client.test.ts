import { callSocket, RECEIVE_PATH } from '@attache/agent'
import { isJsonObject, type JsonObject, type JsonValue } from '@attache/core'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiRequirement, createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import { AGENT } from '../support/wallet-world.js'

let world: DaemonWorld
const answers = { jsonrpc: '2.0' }

/** A tool server without sessions, as far as one call of one tool needs it. */
function resultOf(method: JsonValue | undefined, parameters: JsonObject): JsonObject | undefined {
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: parameters['protocolVersion'] ?? '',
        capabilities: { tools: {} },
        serverInfo: { name: 'payroll', version: '1.0.0' },
      }
    case 'tools/list':
      return { tools: [{ name: 'export', inputSchema: { type: 'object' } }] }
    case 'tools/call':
      return { content: [{ type: 'text', text: 'exported' }] }
    default:
      return undefined
  }
}

async function answerRpc(request: Request): Promise<Response> {
  const message: unknown = await request.json()
  if (!isJsonObject(message) || message['id'] === undefined) return new Response(null, { status: 202 })
  const { params } = message
  const result = resultOf(message['method'], isJsonObject(params) ? params : {})
  const outcome = result === undefined ? { error: { code: -32_601, message: 'unknown' } } : { result }
  return Response.json({ ...answers, id: message['id'], ...outcome })
}

async function begin(requirement: ApiRequirement): Promise<void> {
  world = await createDaemonWorld(undefined, { requirement })
  const { uri, txCode } = await world.bench.issuer.createOffer(
    { agent: AGENT, by: 'value' },
    world.bench.time.clock(),
  )
  const body = JSON.stringify({ agent: AGENT, offer: uri, txCode })
  await callSocket({ socketPath: world.daemon().operatorSocket, method: 'POST', path: RECEIVE_PATH, body })
  world.serveApi((guarded) => async (request) => {
    if (new URL(request.url).pathname !== '/mcp') return guarded(request)
    if (request.method === 'GET') return new Response(null, { status: 405, headers: { Allow: 'POST' } })
    const answer = await guarded(request.clone())
    return answer.status === 200 ? answerRpc(request) : answer
  })
}

async function connect(agent: string): Promise<Client> {
  const client = new Client({ name: agent, version: '1.0.0' })
  const fetch = world.agentFetch(agent)
  await client.connect(new StreamableHTTPClientTransport(new URL(`${world.api}/mcp`), { fetch }))
  return client
}

describe.each<[string, ApiRequirement]>([
  ['bound to a key', {}],
  ['bound and signed', { requestSignature: 'required' }],
])('the MCP client over the fetch of an agent, calls %s', (_what, requirement) => {
  beforeAll(() => begin(requirement))
  afterAll(() => world.close())

  test('calls tools of a guarded server; the presentation stays out of its sight', async () => {
    const client = await connect(AGENT)
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['export'])
    expect(await client.callTool({ name: 'export', arguments: {} })).toMatchObject({
      content: [{ type: 'text', text: 'exported' }],
    })
    await client.close()

    const sent = world.seen.filter(({ url, method }) => url.endsWith('/mcp') && method === 'POST')
    const authorized = sent.filter(({ headers }) => headers.get('authorization')?.startsWith('DPoP '))
    // One refusal, then a token that serves the whole session, with a proof of its own each time.
    expect(sent.length - authorized.length).toBe(1)
    const wanted = requirement.requestSignature === 'required'
    expect(authorized.every(({ headers }) => headers.has('signature') === wanted)).toBe(true)
    const proofs = authorized.map(({ headers }) => headers.get('dpop'))
    expect(new Set(proofs).size).toBe(proofs.length)
  })

  test('hears of the refusal from the server itself where the agent holds nothing', async () => {
    await expect(connect('other-agent')).rejects.toThrow()
    const last = world.seen.filter(({ url }) => url.endsWith('/mcp')).at(-1)
    expect(last?.headers.has('authorization')).toBe(false)
  })
})
