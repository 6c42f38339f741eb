import { createMemoryStore, type JsonObject } from '@attache/core'
import { createSeal, type Signer } from '@attache/keys'
import { createDpopProof } from '@attache/oauth'
import { describe, expect, test } from 'vitest'
import { createFixedClock } from '../support/clock.js'
import {
  API,
  call,
  createWallet,
  createWorld,
  fetchRequest,
  freshKey,
  MANAGERS_IN_EU,
  objectOf,
  postForm,
  soundBody,
  storedText,
  textOf,
  type Wallet,
  type World,
} from '../support/presentation-world.js'
import { createSeededRandom } from '../support/random.js'

const CALL = `${API}/payroll/export`
const REDEEM = `${API}/attache/redeem`
const wallet = await createWallet()

type Guarded = World & { readonly gate: ReturnType<World['verifier']['requirePresentation']> }

/** An API without an authorization server. */
function guarded(
  options: Parameters<typeof createWorld>[0] = {},
  more: Parameters<typeof createWorld>[2] = {},
): Guarded {
  const world = createWorld({ walletAttesters: [], ...options }, undefined, more)
  const requirement = { ...MANAGERS_IN_EU, challenge: 'request_uri' } as const
  return { ...world, gate: world.verifier.requirePresentation(requirement) }
}

async function proof(world: World, url: string, signer: Signer, method = 'POST') {
  const facts = { now: world.time.clock(), random: world.random }
  return { DPoP: await createDpopProof({ method, url }, signer, facts) }
}

async function refusal(world: Guarded, request: Request): Promise<Response> {
  const outcome = await world.gate(request)
  if (outcome.allowed) throw new Error('The call was let in.')
  return outcome.response
}

/** A call without a token, and what the challenge says. */
async function begin(world: Guarded, headers: Readonly<Record<string, string>> = {}) {
  const response = await refusal(world, new Request(CALL, { headers }))
  const body = await objectOf(response.clone())
  const openid4vp: JsonObject = JSON.parse(JSON.stringify(body['openid4vp'] ?? {}))
  return { response, body, openid4vp, transactionId: textOf(body, 'transaction_id') }
}

function requestUrl(openid4vp: JsonObject): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(openid4vp)) parameters.set(name, String(value))
  return `openid4vp://?${parameters}`
}

/** Presents, with a proof of the agent's key unless told otherwise. */
async function presentTo(
  world: Guarded,
  { openid4vp }: { readonly openid4vp: JsonObject },
  { as = wallet, dpop = as.dpop }: { as?: Wallet; dpop?: Signer | null } = {},
) {
  const nonce = new Map([['wallet_nonce', 'w-1']])
  const { request, responseUri } = await fetchRequest(world, requestUrl(openid4vp), nonce)
  const headers = dpop === null ? {} : await proof(world, responseUri, dpop)
  const form = new Map(new URLSearchParams(await soundBody(as, request)))
  return postForm(world, responseUri, form, headers)
}

async function earned(world: Guarded, begun: { readonly openid4vp: JsonObject }) {
  const redirect = new URL(textOf(await objectOf(await presentTo(world, begun)), 'redirect_uri'))
  return redirect.searchParams.get('response_code') ?? ''
}

async function redeem(
  world: World,
  parameters: Readonly<Record<string, string>>,
  signer: Signer | null = wallet.dpop,
) {
  const headers = signer === null ? {} : await proof(world, REDEEM, signer)
  return postForm(world, REDEEM, new Map(Object.entries(parameters)), headers)
}

describe('a 401 that hands over a request_uri', () => {
  test('has exactly these members and header fields [VP401-01]', async () => {
    const { response, body, openid4vp } = await begin(guarded())
    expect(response.status).toBe(401)
    expect(response.headers.get('WWW-Authenticate')).toBe('OpenID4VP version="1"')
    expect(response.headers.get('Content-Type')).toBe('application/json')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(Object.keys(body).sort()).toEqual(['error', 'expires_in', 'openid4vp', 'transaction_id'])
    expect(body).toMatchObject({ error: 'presentation_required', expires_in: 120 })
    expect(Object.keys(openid4vp).sort()).toEqual(['client_id', 'request_uri', 'request_uri_method'])
    expect(openid4vp).toMatchObject({ request_uri_method: 'post' })
    // With an authorization server the same call is answered by metadata.
    const world = createWorld()
    const other = await world.verifier.requirePresentation(MANAGERS_IN_EU)(new Request(CALL))
    expect(other.allowed ? '' : other.response.headers.get('WWW-Authenticate')).toMatch(/^DPoP /i)
  })

  test('has a configurable scheme name [VP401-02]', async () => {
    const { response } = await begin(guarded({ challengeScheme: 'Present-Role' }))
    expect(response.headers.get('WWW-Authenticate')).toBe('Present-Role version="1"')
    for (const challengeScheme of ['', 'two words', 'a"b']) {
      expect(() => guarded({ challengeScheme })).toThrow(
        expect.objectContaining({ code: 'challenge_scheme' }),
      )
    }
  })

  test('names a transaction that nothing else gives away [VP401-03]', async () => {
    const world = guarded()
    const ids = new Set<string>()
    for (let round = 0; round < 1000; round += 1) {
      const { transactionId, openid4vp } = await begin(world)
      expect(transactionId).toMatch(/^[\w-]{43}$/)
      expect(JSON.stringify(openid4vp)).not.toContain(transactionId)
      ids.add(transactionId)
    }
    expect(ids.size).toBe(1000)
    const begun = await begin(world)
    const { request, text } = await fetchRequest(world, requestUrl(begun.openid4vp), new Map())
    expect(text).not.toContain(begun.transactionId)
    expect([request.nonce, request.state]).not.toContain(begun.transactionId)
    expect(await storedText(world)).not.toContain(begun.transactionId)
  })

  test('is stored nowhere, however many are asked for; only its answer is', async () => {
    const world = guarded()
    for (let round = 0; round < 200; round += 1) await begin(world)
    const begun = await begin(world, await proof(world, CALL, wallet.dpop, 'GET'))
    const requestUri = textOf(begun.openid4vp, 'request_uri')
    expect(requestUri.length).toBeLessThanOrEqual(512)
    // Neither fetching a request nor posting nonsense to it leaves a trace.
    const { responseUri } = await fetchRequest(world, requestUrl(begun.openid4vp), new Map())
    for (let round = 0; round < 10; round += 1) {
      expect((await postForm(world, responseUri, new Map([['response', 'x']]))).status).toBe(400)
    }
    expect(await world.store.list('')).toEqual([])
    expect((await presentTo(world, begun)).status).toBe(200)
    const kept = await world.store.list('t/default/verifier/transaction/')
    expect(kept).toHaveLength(1)
    expect((await postForm(world, requestUri, new Map())).status).toBe(404)
  })

  test('is the same at every fetch, for any process that shares the seal, and for no other [VP-V-JAR-10]', async () => {
    const seal = createSeal([{ id: 'shared', key: new Uint8Array(32).fill(9) }], {
      random: createSeededRandom('seal'),
    })
    const world = guarded({}, { seal })
    const { openid4vp, transactionId } = await begin(world)
    const elsewhere = guarded({}, { seal, store: world.store })
    const stranger = guarded({}, { store: world.store })
    const fetched = await Promise.all(
      [world, elsewhere].map((place) => fetchRequest(place, requestUrl(openid4vp), new Map())),
    )
    const [first, second] = fetched.map(({ request }) => request)
    expect(second).toEqual(first)
    const requestUri = textOf(openid4vp, 'request_uri')
    expect((await postForm(stranger, requestUri, new Map())).status).toBe(404)
    // Answered at one, redeemed at the other.
    const code = await earned(elsewhere, { openid4vp })
    expect((await redeem(world, { transaction_id: transactionId, response_code: code })).status).toBe(200)
    const swapped = requestUri.at(-9) === 'A' ? 'B' : 'A'
    const changed = `${requestUri.slice(0, -9)}${swapped}${requestUri.slice(-8)}`
    expect((await postForm(world, changed, new Map())).status).toBe(404)
  })

  test('is unknown to another API, even one that shares seal and store', async () => {
    const seal = createSeal([{ id: 'shared', key: new Uint8Array(32).fill(9) }], {
      random: createSeededRandom('seal'),
    })
    const world = guarded({}, { seal })
    const { openid4vp } = await begin(world)
    const handle = textOf(openid4vp, 'request_uri').split('/').at(-1) ?? ''
    const elsewhere = guarded({ origin: 'https://other.example' }, { seal, store: world.store })
    const found = async (place: World, origin: string) =>
      (await place.send(new Request(`${origin}/attache/request/${handle}`))).status
    expect(await found(world, API)).toBe(200)
    expect(await found(elsewhere, 'https://other.example')).toBe(404)
  })

  test('takes one of many answers at once [VP-V-RSP-06]', async () => {
    const world = guarded()
    const begun = await begin(world)
    const { request, responseUri } = await fetchRequest(world, requestUrl(begun.openid4vp), new Map())
    const form = new Map(new URLSearchParams(await soundBody(wallet, request)))
    const answers = await Promise.all(Array.from({ length: 20 }, () => postForm(world, responseUri, form)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
  })

  test('that would not fit its address stops the start', () => {
    const long = `https://${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.example`
    const world = createWorld({ walletAttesters: [], origin: long })
    const requirement = { ...MANAGERS_IN_EU, challenge: 'request_uri', scope: 's'.repeat(120) } as const
    expect(() => world.verifier.requirePresentation(requirement)).toThrow(
      expect.objectContaining({ code: 'request_uri' }),
    )
  })

  test('leads to a request object that echoes the wallet_nonce [VP401-06]', async () => {
    const world = guarded()
    const { openid4vp } = await begin(world)
    const url = requestUrl(openid4vp)
    const { request } = await fetchRequest(world, url, new Map([['wallet_nonce', 'w-17']]))
    expect(request.walletNonce).toBe('w-17')
    const { request: plain } = await fetchRequest(world, url, new Map())
    expect(plain.walletNonce).toBeUndefined()
  })
})

describe('the answer to it', () => {
  test('earns a fresh code in the query, by 200 and never by 3xx [VP401-07] [VP401-12]', async () => {
    const world = guarded()
    const codes = new Set<string>()
    for (let round = 0; round < 2; round += 1) {
      const answer = await presentTo(world, await begin(world))
      expect(answer.status).toBe(200)
      const redirect = new URL(textOf(await objectOf(answer), 'redirect_uri'))
      expect([redirect.origin + redirect.pathname, redirect.hash]).toEqual([REDEEM, ''])
      codes.add(redirect.searchParams.get('response_code') ?? '')
      // A user agent that follows the link gets a page, and nothing is used up.
      expect((await world.send(new Request(redirect))).status).toBe(200)
    }
    expect([...codes].every((code) => /^[\w-]{43}$/.test(code))).toBe(true)
    expect(codes.size).toBe(2)
    const begun = await begin(world)
    const refused = [
      await redeem(world, { transaction_id: begun.transactionId, response_code: 'x' }),
      await world.send(new Request(`${API}/attache/request/unknown`)),
      await postForm(world, `${API}/attache/response/unknown`, new Map([['vp_token', '{}']])),
    ]
    for (const { status } of refused) expect(status).toBeGreaterThanOrEqual(400)
    for (const { status } of refused) expect(status).toBeLessThan(500)
  })

  test('carries no access token; the redeemed one is bound to the key of the proof [VP401-10]', async () => {
    const world = guarded()
    const begun = await begin(world)
    const answer = await presentTo(world, begun)
    const body = await objectOf(answer)
    expect(Object.keys(body)).toEqual(['redirect_uri'])
    const code = new URL(textOf(body, 'redirect_uri')).searchParams.get('response_code') ?? ''
    const token = await objectOf(
      await redeem(world, { transaction_id: begun.transactionId, response_code: code }),
    )
    expect(token).toMatchObject({ token_type: 'DPoP', expires_in: 300, scope: 'payroll:export' })
    const accessToken = textOf(token, 'access_token')
    const own = await world.gate(await call(world, accessToken, { dpop: wallet.dpop }))
    expect(own).toMatchObject({ allowed: true, presentation: { claims: { role: 'Manager', region: 'EU' } } })
    expect((await refusal(world, await call(world, accessToken, { dpop: freshKey() }))).status).toBe(401)
    // The token dies with its credential, and the challenge says that it was the token.
    world.revoke()
    world.time.advance(61)
    const revoked = await refusal(world, await call(world, accessToken, { dpop: wallet.dpop }))
    expect(revoked.status).toBe(401)
    expect(revoked.headers.get('WWW-Authenticate')).toBe('OpenID4VP version="1", error="invalid_token"')
    expect(await objectOf(revoked)).toMatchObject({ error: 'presentation_required' })
  })
})

describe('redeeming', () => {
  const sound = async (world: Guarded) => {
    const begun = await begin(world)
    return { transaction_id: begun.transactionId, response_code: await earned(world, begun) }
  }

  test('needs transaction, code and key together, once [VP401-08]', async () => {
    const world = guarded()
    const right = await sound(world)
    const other = await sound(world)
    for (const wrong of [
      { ...right, transaction_id: other.transaction_id },
      { ...right, response_code: other.response_code },
      { ...right, response_code: '' },
      { transaction_id: right.transaction_id },
      { response_code: right.response_code },
    ]) {
      const answer = await redeem(world, wrong)
      expect(answer.status).toBe(400)
      expect(await objectOf(answer)).not.toHaveProperty('access_token')
    }
    expect((await redeem(world, right, freshKey())).status).toBe(400)
    expect((await redeem(world, right, null)).status).toBe(400)
    expect((await redeem(world, right)).status).toBe(200)
    expect((await redeem(world, right)).status).toBe(400)
  })

  test('and not again where the store’s clock runs ahead [VP401-08]', async () => {
    const ahead = createFixedClock()
    const world = guarded({}, { store: createMemoryStore(ahead) })
    const begun = await begin(world)
    const right = { transaction_id: begun.transactionId, response_code: await earned(world, begun) }
    expect((await redeem(world, right)).status).toBe(200)
    // For the verifier no second has passed: its request is still open.
    ahead.advance(120)
    const again = await postForm(world, textOf(begun.openid4vp, 'request_uri'), new Map())
    expect(again.status).toBe(404)
  })

  test('ends in time, however slowly its redemption is sent [VP401-11]', async () => {
    const world = guarded()
    const right = await sound(world)
    const bytes = new TextEncoder().encode(new URLSearchParams(right).toString())
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          world.time.advance(30)
          controller.enqueue(bytes)
          controller.close()
        },
      },
      { highWaterMark: 0 },
    )
    world.time.advance(100)
    const headers = {
      ...(await proof(world, REDEEM, wallet.dpop)),
      'Content-Type': 'application/x-www-form-urlencoded',
    }
    const answer = await world.send(new Request(REDEEM, { method: 'POST', headers, body, duplex: 'half' }))
    expect([answer.status, (await objectOf(answer))['error']]).toEqual([400, 'invalid_grant'])
  })

  test('takes a proof once, also for two transactions of one key [VP401-08]', async () => {
    const world = guarded()
    const begun = [await begin(world), await begin(world)]
    const forms = []
    for (const one of begun) {
      const code = await earned(world, one)
      forms.push(
        new Map([
          ['transaction_id', one.transactionId],
          ['response_code', code],
        ] as const),
      )
    }
    const headers = await proof(world, REDEEM, wallet.dpop)
    const [first, second] = [forms[0] ?? new Map(), forms[1] ?? new Map()]
    expect((await postForm(world, REDEEM, first, headers)).status).toBe(200)
    expect((await postForm(world, REDEEM, second, headers)).status).toBe(400)
    // The second transaction is not spent by it.
    const fresh = await proof(world, REDEEM, wallet.dpop)
    expect((await postForm(world, REDEEM, second, fresh)).status).toBe(200)
  })

  test('gives one token to twenty at once [VP401-08]', async () => {
    const world = guarded()
    const right = await sound(world)
    const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(world, right)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
  })

  test('is bound to the key of the refused call, where that showed one [VP401-08]', async () => {
    const world = guarded()
    const begun = await begin(world, await proof(world, CALL, wallet.dpop, 'GET'))
    expect((await presentTo(world, begun, { dpop: freshKey() })).status).toBe(400)
    // Somebody else's key did not spoil it for the owner.
    const body = await objectOf(await presentTo(world, begun, { dpop: null }))
    const code = new URL(textOf(body, 'redirect_uri')).searchParams.get('response_code') ?? ''
    const right = { transaction_id: begun.transactionId, response_code: code }
    expect((await redeem(world, right, freshKey())).status).toBe(400)
    expect((await redeem(world, right)).status).toBe(200)
    expect((await refusal(world, new Request(CALL, { headers: { DPoP: 'x' } }))).status).toBe(401)
    const answer = await refusal(world, new Request(CALL, { headers: { DPoP: 'x' } }))
    expect(await objectOf(answer)).toMatchObject({ code: 'proof_invalid' })
  })

  test('is nobody’s where no key was ever shown [VP401-08]', async () => {
    const world = guarded()
    const begun = await begin(world)
    const body = await objectOf(await presentTo(world, begun, { dpop: null }))
    const code = new URL(textOf(body, 'redirect_uri')).searchParams.get('response_code') ?? ''
    expect((await redeem(world, { transaction_id: begun.transactionId, response_code: code })).status).toBe(
      400,
    )
  })

  test('gives a relay nothing [VP401-09]', async () => {
    const world = guarded()
    const attacker = freshKey()
    // The attacker calls, the victim's wallet presents and alone learns the code.
    const begun = await begin(world)
    const code = await earned(world, begun)
    const id = { transaction_id: begun.transactionId }
    expect((await redeem(world, id, attacker)).status).toBe(400)
    expect((await redeem(world, { ...id, response_code: code }, attacker)).status).toBe(400)
    const read = await postForm(
      world,
      `${API}/attache/result`,
      new Map([...Object.entries(id), ['response_code', code]]),
    )
    expect(read.status).toBe(404)
    // Begun with the attacker's own key, the victim's answer is refused.
    const own = await begin(world, await proof(world, CALL, attacker, 'GET'))
    expect((await presentTo(world, own)).status).toBe(400)
  })

  test('ends with the transaction, and so do its other endpoints [VP401-11]', async () => {
    const world = guarded()
    const open = await begin(world)
    const answered = await sound(world)
    const fetched = await fetchRequest(world, requestUrl(open.openid4vp), new Map())
    const body = new Map(new URLSearchParams(await soundBody(wallet, fetched.request)))
    world.time.advance(121)
    const requestUri = textOf(open.openid4vp, 'request_uri')
    expect((await postForm(world, requestUri, new Map())).status).toBe(404)
    expect((await postForm(world, fetched.responseUri, body)).status).toBe(400)
    expect((await redeem(world, answered)).status).toBe(400)
  })
})
