import { createDpopProof } from '@attache/oauth'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import { forge, forgedFor, judge, only, reasonIn } from '../support/forged-presentation.js'
import {
  API,
  call,
  createWallet,
  createWorld,
  freshKey,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  QUERY,
  STATUS_URI,
  type World,
} from '../support/presentation-world.js'

const wallet = await createWallet()
const URL_ = `${API}/payroll/export`

function guarded(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld(options)
  return { ...world, gate: world.verifier.requirePresentation(MANAGERS_IN_EU) }
}

async function verdict(
  world: World & { gate: ReturnType<World['verifier']['requirePresentation']> },
  request: Request,
) {
  const outcome = await world.gate(request)
  if (outcome.allowed) return { status: 200, code: 'allowed', response: new Response() }
  const { response } = outcome
  return { status: response.status, code: (await objectOf(response.clone()))['code'], response }
}

const plain = (headers: Readonly<Record<string, string>>, url = URL_) =>
  new Request(url, { method: 'POST', headers })

describe('the gate', () => {
  test('reads the DPoP scheme whatever its case [DPOP-R-01]', async () => {
    const world = guarded()
    const token = await obtainToken(world, wallet)
    for (const scheme of ['DPoP', 'dpop', 'DPOP']) {
      const asked = await call(world, token, {
        dpop: wallet.dpop,
        headers: { Authorization: `${scheme} ${token}` },
      })
      expect((await verdict(world, asked)).status).toBe(200)
    }
    const spaces = await call(world, token, {
      dpop: wallet.dpop,
      headers: { Authorization: `DPoP  ${token}` },
    })
    expect((await verdict(world, spaces)).status).toBe(400)
  })

  test('names an error only where a token was sent [DPOP-R-02] [PRM-07]', async () => {
    const world = guarded()
    const without = await verdict(world, plain({}))
    expect([without.status, without.code]).toEqual([401, 'token_missing'])
    expect(without.response.headers.get('WWW-Authenticate')).toMatch(/^DPoP .*algs="ES256"/)
    expect(without.response.headers.get('WWW-Authenticate')).not.toContain('error')
    const bad = await verdict(world, plain({ Authorization: 'DPoP abc' }))
    expect([bad.status, bad.code]).toEqual([401, 'token_invalid'])
    expect(bad.response.headers.get('WWW-Authenticate')).toContain('error="invalid_token"')
  })

  test('takes no bound token as Bearer, proof or no proof [DPOP-R-03]', async () => {
    const world = guarded()
    const token = await obtainToken(world, wallet)
    expect((await verdict(world, plain({ Authorization: `Bearer ${token}` }))).status).toBe(401)
    const withProof = await call(world, token, {
      dpop: wallet.dpop,
      headers: { Authorization: `Bearer ${token}` },
    })
    expect((await verdict(world, withProof)).status).toBe(401)
  })

  test('takes one way of sending a token, and not the URL [DPOP-R-04] [DPOP-R-05]', async () => {
    const world = guarded()
    const token = await obtainToken(world, wallet)
    const headers = new Headers({ Authorization: `DPoP ${token}` })
    headers.append('Authorization', `DPoP ${token}`)
    expect((await verdict(world, new Request(URL_, { method: 'POST', headers }))).status).toBe(400)
    expect((await verdict(world, plain({}, `${URL_}?access_token=${token}`))).status).toBe(400)
  })

  test('binds a proof to the token, the target and one use [DPOP-S-14] [DPOP-S-15] [DPOP-S-17]', async () => {
    const world = guarded()
    const token = await obtainToken(world, wallet)
    const proofFor = async (
      request: { method?: string; url?: string; accessToken?: string },
      key = wallet.dpop,
    ) => {
      const facts = { now: NOW, random: world.random }
      const sound = { method: 'POST', url: URL_, accessToken: token, ...request }
      return plain({ Authorization: `DPoP ${token}`, DPoP: await createDpopProof(sound, key, facts) })
    }
    for (const wrong of [{ method: 'GET' }, { url: `${API}/other` }, { accessToken: 'other' }]) {
      expect((await verdict(world, await proofFor(wrong))).code).toBe('proof_invalid')
    }
    const other = await verdict(world, await proofFor({}, freshKey()))
    expect([other.status, other.code]).toEqual([401, 'token_invalid'])
    const sound = await proofFor({})
    expect((await verdict(world, sound.clone())).status).toBe(200)
    expect((await verdict(world, sound.clone())).code).toBe('proof_invalid')
    expect((await verdict(world, plain({ Authorization: `DPoP ${token}`, DPoP: 'broken' }))).code).toBe(
      'proof_invalid',
    )
  })

  test('asks for a nonce of its own where that is switched on [DPOP-N-04]', async () => {
    const world = guarded({ requireDpopNonce: true })
    const outcome = await verdict(world, plain({ Authorization: 'DPoP abc' }))
    expect(outcome.code).toBe('token_invalid')
    const open = guarded()
    const token = await obtainToken(open, wallet)
    // The same token at a second process that shares the store and demands nonces.
    const strict = { ...open, gate: guarded({ requireDpopNonce: true }).gate }
    const first = await verdict(strict, await call(open, token, { dpop: wallet.dpop }))
    expect([first.status, first.code]).toEqual([401, 'proof_nonce_needed'])
    expect(first.response.headers.get('DPoP-Nonce')).toBeTruthy()
    expect(first.response.headers.get('WWW-Authenticate')).toContain('error="use_dpop_nonce"')
  })

  test('answers a token of another scope with the scope that helps [PRM-08]', async () => {
    const world = guarded()
    world.verifier.requirePresentation({ ...MANAGERS_IN_EU, scope: 'reports:read' })
    const token = await obtainToken(world, wallet, 'reports:read')
    const outcome = await verdict(world, await call(world, token, { dpop: wallet.dpop }))
    expect([outcome.status, outcome.code]).toEqual([403, 'scope_insufficient'])
    const field = outcome.response.headers.get('WWW-Authenticate') ?? ''
    expect(field).toContain('error="insufficient_scope"')
    expect(field).toContain('scope="payroll:export"')
  })

  test('never takes a presentation for a token [VP-V-SEC-02] [VP401-13]', async () => {
    const world = guarded()
    const { requestUrl } = await world.verifier.startTransaction({ query: QUERY })
    expect(requestUrl).toContain('request_uri')
    const presentation = await forge()
    for (const scheme of ['Bearer', 'DPoP']) {
      expect([400, 401]).toContain(
        (await verdict(world, plain({ Authorization: `${scheme} ${presentation}` }))).status,
      )
      const jwt = presentation.split('~')[0] ?? ''
      expect((await verdict(world, plain({ Authorization: `${scheme} ${jwt}` }))).status).toBe(401)
    }
  })

  test('denies where the decision fails or answers anything but true', async () => {
    for (const decide of [
      () => false,
      () => ({}),
      () => Promise.reject(new Error('down')),
      () => {
        throw new Error('bug')
      },
    ]) {
      const world = createWorld()
      const gate = world.verifier.requirePresentation({ ...MANAGERS_IN_EU, decide })
      const token = await obtainToken(world, wallet)
      expect(
        (await verdict({ ...world, gate }, await call(world, token, { dpop: wallet.dpop }))).status,
      ).toBe(403)
    }
  })

  test('denies while the status cannot be learned, or serves the copy it has where that is allowed', async () => {
    const run = async (staleStatusSeconds: number) => {
      const world = guarded({ staleStatusSeconds })
      world.status.ttl = 5
      const token = await obtainToken(world, wallet)
      world.status.online = false
      world.time.advance(30)
      return verdict(world, await call(world, token, { dpop: wallet.dpop }))
    }
    expect(await run(0)).toMatchObject({ status: 403, code: 'status_unavailable' })
    expect(await run(120)).toMatchObject({ status: 200 })
  })

  test('keeps one scope for one query', () => {
    const world = createWorld()
    world.verifier.requirePresentation(MANAGERS_IN_EU)
    world.verifier.requirePresentation(MANAGERS_IN_EU)
    const other = { credentials: [{ ...QUERY.credentials[0], id: 'other' }] }
    expect(() => world.verifier.requirePresentation({ ...MANAGERS_IN_EU, query: other })).toThrow(
      expect.objectContaining({ code: 'scope_taken' }),
    )
  })
})

describe('profile and status', () => {
  const haip = () => createWorld({ keyBinding: 'not-required', profile: 'haip' })

  test('a bound credential needs its proof in the haip profile, whatever the query says [VP-V-KB-12]', async () => {
    const query = { credentials: [{ ...QUERY.credentials[0], require_cryptographic_holder_binding: false }] }
    const encrypted = async (world: World) => {
      const started = await world.verifier.startTransaction({ query })
      const { fetchRequest, postResponse } = await import('../support/presentation-world.js')
      const { directPostBody } = await import('@attache/openid4vp')
      const { request, responseUri } = await fetchRequest(world, started.requestUrl)
      const body = await directPostBody(request, { vpToken: new Map([['role_cred', [await forge()]]]) })
      return (await postResponse(world, responseUri, body)).status
    }
    const strict = haip()
    expect(await encrypted(strict)).toBe(400)
    expect(reasonIn(strict.lines)).toBe('kb_missing')
    expect(await encrypted(createWorld({ keyBinding: 'not-required' }))).toBe(200)
  })

  test('the haip profile answers only by direct_post.jwt', async () => {
    await expect(
      haip().verifier.startTransaction({ query: QUERY, responseMode: 'direct_post' }),
    ).rejects.toMatchObject({
      code: 'haip_response_mode',
    })
    await expect(
      haip().verifier.startTransaction({ query: QUERY, clientIdPrefix: 'x509_san_dns' }),
    ).rejects.toMatchObject({ code: 'haip_prefix' })
  })

  test('a status list is believed only when it is what it should be [VP-V-TRU-05]', async () => {
    const status = (idx: number) => ({ payload: { status: { status_list: { idx, uri: STATUS_URI } } } })
    const ask = async (idx: number, tamper?: (world: World) => void) => {
      const world = createWorld({ keyBinding: 'not-required' })
      tamper?.(world)
      const { reason } = await judge(async (request) => only(await forgedFor(request, status(idx))), {
        world,
      })
      return reason
    }
    expect(await ask(7)).toBe('accepted')
    expect(await ask(1_000_000)).toBe('status_unavailable')
    const serve =
      (body: string, type = 'application/statuslist+jwt') =>
      (world: World) =>
        world.network.serve(
          'https://issuer.example',
          async () => new Response(body, { headers: { 'Content-Type': type } }),
        )
    expect(await ask(7, serve('no token'))).toBe('status_unavailable')
    const { createStatusList, createStatusListToken } = await import('@attache/status-list')
    const { signers, certified } = await import('../support/presentation-world.js')
    const token = { uri: STATUS_URI, iat: NOW, exp: NOW + 60, ttl: 60, list: createStatusList(1024, 2) }
    const sound = await createStatusListToken(token, signers.issuer)
    expect(await ask(7, serve(sound))).toBe('accepted')
    for (const bad of [
      await createStatusListToken({ ...token, uri: 'https://issuer.example/status/2' }, signers.issuer),
      await createStatusListToken({ ...token, iat: NOW - 7200, exp: NOW - 3600 }, signers.issuer),
      await createStatusListToken(token, freshKey()),
      await createStatusListToken(token, await certified('other.example')),
      `${sound.slice(0, -4)}AAAA`,
    ]) {
      expect(await ask(7, serve(bad))).toBe('status_unavailable')
    }
  })

  test('a status list is fetched again after its ttl, not after what HTTP says [VP-V-TRU-06]', async () => {
    const world = guarded()
    world.status.ttl = 60
    const token = await obtainToken(world, wallet)
    const fetches = () => world.network.calls.length
    const before = fetches()
    world.time.advance(59)
    await world.gate(await call(world, token, { dpop: wallet.dpop }))
    expect(fetches()).toBe(before)
    world.time.advance(2)
    await world.gate(await call(world, token, { dpop: wallet.dpop }))
    expect(fetches()).toBe(before + 1)
    // The whole list is asked for: nobody learns whose status was of interest.
    expect(world.network.calls.every(({ url }) => url === STATUS_URI)).toBe(true)
  })

  test('who a credential is about counts only together with its issuer [VP-V-TRU-08]', async () => {
    const { certified, ca, VCT } = await import('../support/presentation-world.js')
    const other = await certified('other.example')
    const world = createWorld({
      keyBinding: 'not-required',
      trustedIssuers: [{ vct: VCT, anchors: [ca.pem] }],
    })
    const issuerOf = async (iss: string, issuer?: typeof other) => {
      const started = await world.verifier.startTransaction({
        query: QUERY,
        responseMode: 'direct_post',
        crossDevice: true,
      })
      const { fetchRequest, postResponse } = await import('../support/presentation-world.js')
      const { request, responseUri } = await fetchRequest(world, started.requestUrl)
      const forgery = { payload: { iss }, ...(issuer === undefined ? {} : { issuer }) }
      const form = new URLSearchParams({
        vp_token: JSON.stringify(only(await forgedFor(request, forgery))),
        state: request.state ?? '',
      })
      await postResponse(world, responseUri, form.toString())
      const result = await world.verifier.redeemResult({ transactionId: started.transactionId })
      return result.status === 'answered' ? result.presentation.credentials[0]?.issuer : result.status
    }
    expect(await issuerOf('https://issuer.example')).toBe('https://issuer.example')
    // The other issuer may write the first one's name; it is known by its own certificate.
    expect(await issuerOf('https://issuer.example', other)).not.toBe('https://issuer.example')
  })
})
