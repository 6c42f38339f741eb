import { createMemoryStore, type JsonObject, SILENT_LOG } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk } from '@attache/keys'
import { createAccessToken } from '@attache/oauth'
import { createTokenVerifier, type TokenVerifierOptions } from '@attache/verifier'
import { describe, expect, test } from 'vitest'
import { NOW } from '../support/clock.js'
import {
  API,
  call,
  createWallet,
  createWorld,
  freshKey,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  STATUS_URI,
  signers,
  VCT,
  type World,
} from '../support/presentation-world.js'

const SCOPE = 'payroll:export'
const JWKS = `${API}/attache/jwks`
const wallet = await createWallet()

/** A second service that knows of the verifier its name and its keys, and shares nothing else with it. */
function service(world: World, options: Partial<TokenVerifierOptions> = {}) {
  world.network.serve(API, world.send)
  const store = createMemoryStore(world.time)
  const { clock } = world.time
  const deps = { store, fetch: world.network.fetch, clock, random: world.random, log: SILENT_LOG }
  const verify = createTokenVerifier(
    { issuer: API, audience: API, keys: { jwksUri: JWKS }, ...options },
    deps,
  )
  return { store, verify: (request: Request, scope = SCOPE) => verify(request, { scope }) }
}

async function granted(options: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld(options)
  world.verifier.requirePresentation(MANAGERS_IN_EU)
  return { world, token: await obtainToken(world, wallet) }
}

async function problem(outcome: Awaited<ReturnType<ReturnType<typeof service>['verify']>>) {
  if (outcome.allowed) throw new Error('The call was let in.')
  const body = await objectOf(outcome.response.clone())
  return { status: outcome.response.status, code: body['code'], response: outcome.response }
}

describe('a token at a service that has the issuer’s keys alone', () => {
  test('is verified offline, with what stands behind it', async () => {
    const { world, token } = await granted()
    const { verify } = service(world)
    const before = world.network.calls.length
    for (let round = 0; round < 3; round += 1) {
      const outcome = await verify(await call(world, token, { dpop: wallet.dpop }))
      expect(outcome).toMatchObject({
        allowed: true,
        token: {
          clientId: wallet.clientId,
          scopes: [SCOPE],
          expiresAt: NOW + 300,
          credentials: [
            {
              queryId: 'role_cred',
              issuer: 'https://issuer.example',
              vct: VCT,
              holderKey: wallet.holder.kid,
            },
          ],
        },
      })
    }
    // One fetch of the keys for all calls, and none of anything else.
    expect(world.network.calls.slice(before).map(({ url }) => url)).toEqual([JWKS])
  })

  test('is bound to its key, its route and one use of each proof', async () => {
    const { world, token } = await granted()
    const { verify } = service(world)
    const sound = await call(world, token, { dpop: wallet.dpop })
    const copies = await Promise.all(Array.from({ length: 10 }, () => verify(sound.clone())))
    expect(copies.filter(({ allowed }) => allowed)).toHaveLength(1)
    expect(await problem(await verify(sound))).toMatchObject({ status: 401, code: 'proof_invalid' })
    const thief = await verify(await call(world, token, { dpop: freshKey() }))
    expect(await problem(thief)).toMatchObject({ status: 401, code: 'token_invalid' })
    const bearer = new Request(`${API}/payroll/export`, { headers: { Authorization: `Bearer ${token}` } })
    expect(await problem(await verify(bearer))).toMatchObject({ status: 401, code: 'token_invalid' })
    const other = await call(world, token, { dpop: wallet.dpop, url: `${API}/other` })
    const moved = new Request(`${API}/payroll/export`, { method: 'POST', headers: other.headers })
    expect(await problem(await verify(moved))).toMatchObject({ status: 401, code: 'proof_invalid' })
    const without = await problem(await verify(new Request(`${API}/payroll/export`)))
    expect(without).toMatchObject({ status: 401, code: 'token_missing' })
    const challenge = without.response.headers.get('WWW-Authenticate') ?? ''
    expect(challenge).toContain(`resource_metadata="${API}/.well-known/oauth-protected-resource"`)
    expect(challenge).not.toContain('error=')
    const double = await call(world, token, { dpop: wallet.dpop, url: `${API}//payroll` })
    expect(await problem(await verify(double))).toMatchObject({ status: 400, code: 'request_malformed' })
  })

  test('names its scope, its audience and its issuer', async () => {
    const { world, token } = await granted()
    const asked = () => call(world, token, { dpop: wallet.dpop })
    const scope = await problem(await service(world).verify(await asked(), 'orders:read'))
    expect(scope).toMatchObject({ status: 403, code: 'scope_insufficient' })
    expect(scope.response.headers.get('WWW-Authenticate')).toContain('error="insufficient_scope"')
    for (const wrong of [
      { audience: 'https://other.example', origin: API },
      { issuer: 'https://other.example' },
    ]) {
      const verdict = await problem(await service(world, wrong).verify(await asked()))
      expect(verdict).toMatchObject({ status: 401, code: 'token_invalid' })
    }
  })

  test('lives as long as the service accepts, which bounds how late a revocation is felt', async () => {
    const { world, token } = await granted()
    const { verify } = service(world)
    const asked = async () => verify(await call(world, token, { dpop: wallet.dpop }))
    world.revoke()
    world.time.advance(61)
    // The gate sees the status at once; offline it is felt when the token ends.
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    expect((await gate(await call(world, token, { dpop: wallet.dpop }))).allowed).toBe(false)
    expect((await asked()).allowed).toBe(true)
    expect(world.network.calls.filter(({ url }) => url === STATUS_URI).length).toBeGreaterThan(0)
    world.time.advance(240)
    expect(await problem(await asked())).toMatchObject({ status: 401, code: 'token_invalid' })

    const long = await granted()
    const strict = service(long.world, { maxLifetimeSeconds: 120 })
    const refused = await strict.verify(await call(long.world, long.token, { dpop: wallet.dpop }))
    expect(await problem(refused)).toMatchObject({ status: 401, code: 'token_invalid' })
  })

  test('is refused while the keys cannot be learned, and served from kept keys during an outage', async () => {
    const { world, token } = await granted()
    const asked = () => call(world, token, { dpop: wallet.dpop })
    const late = service(world)
    world.network.serve(API, async () => new Response(null, { status: 503 }))
    expect(await problem(await late.verify(await asked()))).toMatchObject({
      status: 403,
      code: 'keys_unavailable',
    })

    const { verify } = service(world)
    expect((await verify(await asked())).allowed).toBe(true)
    world.network.serve(API, async () => new Response(null, { status: 503 }))
    expect((await verify(await asked())).allowed).toBe(true)
    // A stranger's token makes nobody ask for keys.
    const before = world.network.calls.length
    const stranger = createSoftwareSigner(generatePrivateJwk('ES256'))
    const forged = await createAccessToken(
      {
        issuer: 'https://evil.example',
        subject: 'x',
        audience: API,
        clientId: 'x',
        scope: SCOPE,
        issuedAt: NOW,
        expiresAt: NOW + 300,
        jti: 'j',
        confirmation: { jkt: wallet.dpop.kid },
        claims: {},
      },
      stranger,
    )
    expect((await verify(await call(world, forged, { dpop: wallet.dpop }))).allowed).toBe(false)
    expect(world.network.calls).toHaveLength(before)
  })

  test('takes keys that are handed in, and stops the start on unusable options', async () => {
    const { world, token } = await granted()
    const { kty, ...rest } = signers.api.publicJwk
    const jwks: JsonObject = { keys: [JSON.parse(JSON.stringify({ kty, ...rest, kid: signers.api.kid }))] }
    const { verify } = service(world, { keys: { jwks } })
    expect((await verify(await call(world, token, { dpop: wallet.dpop }))).allowed).toBe(true)
    for (const [wrong, code] of [
      [{ issuer: 'http://api.example' }, 'token_issuer'],
      [{ keys: { jwksUri: 'http://api.example/jwks' } }, 'token_keys'],
      [{ keys: { jwks: { keys: [] } } }, 'token_keys'],
      [{ maxLifetimeSeconds: 0 }, 'lifetime'],
      [{ algorithms: ['HS256'] }, 'algorithm_refused'],
    ] as const) {
      expect(() => service(world, wrong)).toThrow(expect.objectContaining({ code }))
    }
  })
})
