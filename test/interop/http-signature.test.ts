/**
 * http-message-signatures 1.0.6 as judge: it verifies a call that our agent and daemon signed, and signs a call that
 * our gate takes; the same for answers.
 */
import { createHash } from 'node:crypto'
import { callSocket, RECEIVE_PATH } from '@attache/agent'
import { jwkThumbprint, parsePublicJwk, type Signer, verifySignature } from '@attache/keys'
import {
  createContentDigest,
  createDpopProof,
  RESPONSE_SIGNATURE_TAG,
  verifySignedResponse,
} from '@attache/oauth'
import { guardHandler, type Requirement } from '@attache/verifier'
import { httpbis } from 'http-message-signatures'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDaemonWorld, type DaemonWorld } from '../support/daemon-world.js'
import {
  API,
  call,
  createWallet,
  createWorld,
  MANAGERS_IN_EU,
  obtainToken,
  signers,
} from '../support/presentation-world.js'
import { AGENT } from '../support/wallet-world.js'

const FAR = 1_000_000_000
const dateOf = (seconds: number) => new Date(seconds * 1000)

/** The key of a signature as the judge wants it: found by its id, and by nothing in the message. */
function judgeKey(kid: string, publicJwk: Signer['publicJwk'], sign?: Signer['sign']) {
  return {
    id: kid,
    alg: 'ecdsa-p256-sha256',
    verify: async (data: Buffer, signature: Buffer) =>
      verifySignature(signature, { bytes: data, alg: 'ES256' }, publicJwk),
    sign: async (data: Buffer) => Buffer.from((await sign?.(data)) ?? []),
  }
}

const proofKey = (proof: string) => {
  const header: unknown = JSON.parse(Buffer.from(proof.split('.')[0] ?? '', 'base64url').toString())
  if (typeof header !== 'object' || header === null || !('jwk' in header))
    throw new Error('The proof has no key.')
  return header.jwk
}

describe('a call that our agent sends', () => {
  let world: DaemonWorld
  beforeAll(async () => {
    world = await createDaemonWorld(undefined, { requirement: { requestSignature: 'required' } })
    const { uri, txCode } = await world.bench.issuer.createOffer(
      { agent: AGENT, by: 'value' },
      world.bench.time.clock(),
    )
    const body = JSON.stringify({ agent: AGENT, offer: uri, txCode })
    await callSocket({ socketPath: world.daemon().operatorSocket, method: 'POST', path: RECEIVE_PATH, body })
  })
  afterAll(() => world.close())

  test('is signed as the judge reads RFC 9421, by the key of its DPoP proof [HMS-S-05] [HMS-S-06]', async () => {
    const body = '{"month":9}'
    const headers = { 'Content-Type': 'application/json' }
    const answer = await world.agentFetch()(`${world.api}/payroll/export?month=9`, {
      method: 'POST',
      body,
      headers,
    })
    expect(answer.status).toBe(200)
    const sent = world.seen.at(-1)
    if (sent === undefined) throw new Error('Nothing was sent.')
    const digest = createHash('sha256').update(body).digest('base64')
    expect(sent.headers.get('content-digest')).toBe(`sha-256=:${digest}:`)

    const jwk = proofKey(sent.headers.get('dpop') ?? '')
    const publicJwk = parsePublicJwk(jwk)
    const asked: (string | undefined)[] = []
    const keyLookup = async ({ keyid }: { keyid?: string }) => {
      asked.push(keyid)
      return judgeKey(jwkThumbprint(publicJwk), publicJwk)
    }
    const message = { method: sent.method, url: sent.url, headers: Object.fromEntries(sent.headers) }
    const now = world.bench.time.clock()
    const options = { keyLookup, tolerance: FAR, notAfter: now + 60 }
    expect(await httpbis.verifyMessage(options, message)).toBe(true)
    expect(asked).toEqual([jwkThumbprint(publicJwk)])
    for (const change of [{ method: 'PUT' }, { url: `${sent.url}1` }]) {
      const changed = { ...message, ...change }
      expect(await httpbis.verifyMessage(options, changed)).not.toBe(true)
    }
  })
})

describe('at our gate', () => {
  const world = createWorld()
  const requirement: Requirement = { ...MANAGERS_IN_EU, requestSignature: 'required', signResponses: true }
  const handle = guardHandler(world.verifier.requirePresentation(requirement), async (request) =>
    Response.json({ said: await request.text() }),
  )
  const url = `${API}/payroll/export?month=9`

  async function exchange(body: string, sent = body) {
    const wallet = await createWallet()
    const token = await obtainToken(world, wallet)
    const now = world.time.clock()
    const facts = { now, random: world.random }
    const proof = await createDpopProof({ method: 'POST', url, accessToken: token }, wallet.dpop, facts)
    const headers = {
      'Content-Type': 'text/plain',
      'Content-Digest': createContentDigest(new TextEncoder().encode(body)),
      Authorization: `DPoP ${token}`,
      DPoP: proof,
    }
    const signed = await httpbis.signMessage(
      {
        key: judgeKey(wallet.dpop.kid, wallet.dpop.publicJwk, wallet.dpop.sign),
        name: 'theirs',
        fields: [
          '@method',
          '@target-uri',
          '@authority',
          'content-digest',
          'content-type',
          'authorization',
          'dpop',
        ],
        params: ['created', 'expires', 'nonce', 'keyid', 'tag'],
        paramValues: {
          created: dateOf(now),
          expires: dateOf(now + 60),
          nonce: `${'n'.repeat(22)}${body.length}`,
          tag: 'agent-tool-call',
        },
      },
      { method: 'POST', url, headers },
    )
    const fields = new Headers(
      Object.entries(signed.headers).map(([name, value]): [string, string] => [name, String(value)]),
    )
    const response = await handle(new Request(url, { method: 'POST', headers: fields, body: sent }), {})
    return { response, request: { method: 'POST', url, headers: Object.fromEntries(fields) } }
  }

  test('a call that the judge signed opens, and a changed one does not [HMS-V-06]', async () => {
    const { response } = await exchange('hello')
    expect(await response.clone().json()).toEqual({ said: 'hello' })
    expect((await exchange('hello!', 'other')).response.status).toBe(401)
  })

  test('the judge verifies our answer with its request, and with no other [HMS-R-01] [HMS-R-02]', async () => {
    const { response, request } = await exchange('hello, answer')
    const key = judgeKey(signers.api.kid, signers.api.publicJwk)
    const options = { keyLookup: async () => key, tolerance: FAR, notAfter: world.time.clock() + 60 }
    const message = { status: response.status, headers: Object.fromEntries(response.headers) }
    expect(await httpbis.verifyMessage(options, message, request)).toBe(true)
    const other = { ...request, headers: { ...request.headers, dpop: 'another' } }
    expect(await httpbis.verifyMessage(options, message, other)).not.toBe(true)
  })

  test('we verify an answer that the judge signed [HMS-R-01]', async () => {
    const asked = await call(world, 'to.ken', { url, dpop: signers.attester })
    const request = { method: 'POST', url, headers: Object.fromEntries(asked.headers) }
    const now = world.time.clock()
    const body = new TextEncoder().encode('{}')
    const headers = { 'content-type': 'application/json', 'content-digest': createContentDigest(body) }
    const signed = await httpbis.signMessage(
      {
        key: judgeKey(signers.api.kid, signers.api.publicJwk, signers.api.sign),
        name: 'theirs',
        fields: ['@status', 'content-digest', 'content-type', '@method;req', '@target-uri;req', 'dpop;req'],
        params: ['created', 'expires', 'nonce', 'keyid', 'tag'],
        paramValues: {
          created: dateOf(now),
          expires: dateOf(now + 60),
          nonce: 'n'.repeat(22),
          tag: RESPONSE_SIGNATURE_TAG,
        },
      },
      { status: 200, headers },
      request,
    )
    const message = {
      status: 200,
      headers: Object.entries(signed.headers).map(([name, value]) => [name, String(value)] as const),
      body,
      request: { ...request, headers: Object.entries(request.headers) },
    }
    const expected = { keys: [signers.api.publicJwk], required: ['dpop;req'] }
    expect(verifySignedResponse(message, expected, now).label).toBe('theirs')
  })
})
