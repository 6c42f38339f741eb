import { X509Certificate } from 'node:crypto'
import { isJsonObject, type JsonObject } from '@attache/core'
import { parseJws, signJws } from '@attache/keys'
import { certificateThumbprint } from '@attache/oauth'
import { createTokenVerifier } from '@attache/verifier'
import { describe, expect, test } from 'vitest'
import {
  API,
  answerWith,
  call,
  certified,
  createWallet,
  createWorld,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  signers,
} from '../support/presentation-world.js'

const wallet = await createWallet()
const field = (x5c: readonly string[] = []) => `:${x5c[0]}:`
const [own, other] = [await certified('agent.example'), await certified('other.example')]
const certificate = field(own.x5c)

// The proxy of these tests: says what it saw of the connection, and nothing a client said under that name.
function behindProxy(shown: string | undefined, options: JsonObject = {}) {
  const clientCertificate = { from: 'proxy', header: 'Client-Cert' } as const
  const world = createWorld({ clientCertificate, ...options })
  const proxy = (request: Request, seen: string | undefined = shown) => {
    const headers = new Headers(request.headers)
    headers.delete('Client-Cert')
    if (seen !== undefined) headers.set('Client-Cert', seen)
    return new Request(request, { headers })
  }
  const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
  const remote = { ...world, send: (request: Request) => world.send(proxy(request)) }
  const knock = async (token: string, seen?: string) => {
    const asked = await call(world, token, { dpop: wallet.dpop, headers: { 'Client-Cert': certificate } })
    const outcome = await gate(proxy(asked, seen))
    return outcome.allowed ? 200 : outcome.response.status
  }
  return { world, remote, knock, gate }
}

describe('a token asked for with a client certificate', () => {
  test('is bound to it by x5t#S256, beside the DPoP key [MTLS-01]', async () => {
    const { remote } = behindProxy(certificate)
    const { payload } = parseJws(await obtainToken(remote, wallet))
    const der = new X509Certificate(Buffer.from(own.x5c?.[0] ?? '', 'base64')).raw
    expect(payload['cnf']).toEqual({ jkt: wallet.dpop.kid, 'x5t#S256': certificateThumbprint(der) })
    const without = behindProxy(undefined)
    const bare = parseJws(await obtainToken(without.remote, wallet))
    expect(bare.payload['cnf']).toEqual({ jkt: wallet.dpop.kid })
  })

  test('opens with that certificate alone [MTLS-02] [MTLS-06]', async () => {
    const { remote, knock } = behindProxy(undefined)
    const withCertificate = { ...remote, send: behindSame(remote, certificate) }
    const token = await obtainToken(withCertificate, wallet)
    expect(await knock(token, certificate)).toBe(200)
    expect(await knock(token, field(other.x5c))).toBe(401)
    expect(await knock(token)).toBe(401)
    expect(await knock(token, ':malformed')).toBe(400)
  })

  test('a binding that nobody here knows opens nothing [MTLS-06]', async () => {
    const { remote, knock } = behindProxy(certificate)
    const { header, payload } = parseJws(await obtainToken(remote, wallet))
    const resigned = (cnf: JsonObject) => signJws({ header, payload: { ...payload, cnf } }, signers.api)
    const { cnf } = payload
    if (!isJsonObject(cnf)) throw new Error('The token is not bound.')
    expect(await knock(await resigned(cnf), certificate)).toBe(200)
    expect(await knock(await resigned({ foo: 1 }), certificate)).toBe(401)
    expect(await knock(await resigned({ ...cnf, foo: 1 }), certificate)).toBe(401)
  })

  test('the field counts only where the configuration names it [MTLS-03]', async () => {
    const { remote, knock } = behindProxy(undefined)
    // A client that sends the field itself: the proxy takes it away, so its token is bound to no certificate.
    const spoofing = {
      ...remote,
      send: (request: Request) => {
        const headers = new Headers(request.headers)
        headers.set('Client-Cert', certificate)
        return remote.send(new Request(request, { headers }))
      },
    }
    const { payload } = parseJws(await obtainToken(spoofing, wallet))
    expect(payload['cnf']).toEqual({ jkt: wallet.dpop.kid })

    const direct = createWorld()
    direct.verifier.requirePresentation(MANAGERS_IN_EU)
    const ignored = { ...direct, send: behindSame(direct, certificate) }
    const unbound = parseJws(await obtainToken(ignored, wallet))
    expect(unbound.payload['cnf']).toEqual({ jkt: wallet.dpop.kid })

    const bound = await obtainToken({ ...remote, send: behindSame(remote, certificate) }, wallet)
    expect(await knock(bound)).toBe(401)
  })

  test('is announced where certificates are looked at', async () => {
    for (const document of ['oauth-authorization-server', 'oauth-protected-resource']) {
      const read = async (world: ReturnType<typeof createWorld>) =>
        objectOf(await world.send(new Request(`${API}/.well-known/${document}`)))
      expect(await read(behindProxy(undefined).world)).toMatchObject({
        tls_client_certificate_bound_access_tokens: true,
      })
      expect(await read(createWorld())).not.toHaveProperty('tls_client_certificate_bound_access_tokens')
    }
  })
})

describe('a token bound to a certificate alone', () => {
  const proxied = { clientCertificate: { from: 'proxy', header: 'Client-Cert' } } as const
  const alone = { ...proxied, senderConstraint: 'dpop-or-certificate' } as const

  async function granted() {
    const world = createWorld(alone)
    const gate = world.verifier.requirePresentation(MANAGERS_IN_EU)
    const answer = answerWith(world.verifier.routes)
    const send = (request: Request) => {
      const headers = new Headers(request.headers)
      headers.delete('DPoP')
      headers.set('Client-Cert', certificate)
      return answer(new Request(request, { headers }))
    }
    const token = await obtainToken({ ...world, send }, wallet)
    return { world, gate, token }
  }
  const asked = (token: string, shown?: string) => {
    const named = shown === undefined ? {} : { 'Client-Cert': shown }
    const headers = { Authorization: `Bearer ${token}`, ...named }
    return new Request(`${API}/payroll/export`, { method: 'POST', headers })
  }

  test('opens the gate, and a service that verifies offline, with that certificate alone [MTLS-02]', async () => {
    const { world, gate, token } = await granted()
    const offline = createTokenVerifier(
      { issuer: API, audience: API, keys: { jwks: { keys: [{ ...signers.api.publicJwk }] } }, ...proxied },
      { store: world.store, fetch: world.network.fetch, clock: world.time.clock, random: world.random },
    )
    for (const [shown, opens] of [
      [certificate, true],
      [certificate, true],
      [field(other.x5c), false],
      [undefined, false],
    ] as const) {
      expect((await gate(asked(token, shown))).allowed).toBe(opens)
      expect((await offline(asked(token, shown), { scope: 'payroll:export' })).allowed).toBe(opens)
    }
  })

  test('opens no route that wants signed calls: nobody has shown a key to sign with [HMS-P-05]', async () => {
    const { world, token } = await granted()
    const gate = world.verifier.requirePresentation({ ...MANAGERS_IN_EU, requestSignature: 'required' })
    const outcome = await gate(asked(token, certificate))
    if (outcome.allowed) throw new Error('The call was let in.')
    expect(await objectOf(outcome.response)).toMatchObject({ status: 401, code: 'signature_invalid' })
  })

  test('is not for a client that names a DPoP key and shows none', async () => {
    const world = createWorld(alone)
    world.verifier.requirePresentation(MANAGERS_IN_EU)
    const answer = answerWith(world.verifier.routes)
    const send = async (request: Request) => {
      const headers = new Headers(request.headers)
      headers.delete('DPoP')
      headers.set('Client-Cert', certificate)
      const form = new URLSearchParams(await request.text())
      if (form.has('code_challenge')) form.set('dpop_jkt', wallet.dpop.kid)
      return answer(new Request(request.url, { method: 'POST', headers, body: form.toString() }))
    }
    await expect(obtainToken({ ...world, send }, wallet)).rejects.toThrow()
  })

  test('is granted only where certificates are read, and where that is said', async () => {
    expect(() => createWorld({ senderConstraint: 'dpop-or-certificate' })).toThrow(
      expect.objectContaining({ code: 'sender_constraint' }),
    )
    const { remote } = behindProxy(certificate)
    const send = (request: Request) => {
      const headers = new Headers(request.headers)
      headers.delete('DPoP')
      return remote.send(new Request(request, { headers }))
    }
    await expect(obtainToken({ ...remote, send }, wallet)).rejects.toThrow()
  })
})

// The proxy sees a certificate on the connection: the field reaches the verifier from the trusted hop.
function behindSame(world: { verifier: ReturnType<typeof createWorld>['verifier'] }, seen: string) {
  const { routes } = world.verifier
  const answer = answerWith(routes)
  return async (request: Request): Promise<Response> => {
    const headers = new Headers(request.headers)
    headers.set('Client-Cert', seen)
    return answer(new Request(request, { headers }))
  }
}
