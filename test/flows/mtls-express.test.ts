import { createServer, request as httpsRequest } from 'node:https'
import { systemClock, systemRandom } from '@attache/core'
import { createExpressVerifier } from '@attache/express'
import {
  createAnchors,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  parseJws,
  privateJwkToPem,
} from '@attache/keys'
import { certificateThumbprint } from '@attache/oauth'
import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTlsAuthority } from '../support/https-origin.js'
import {
  API,
  ca,
  call,
  createWallet,
  createWorld,
  ISSUER,
  MANAGERS_IN_EU,
  obtainToken,
  signers,
  VCT,
} from '../support/presentation-world.js'

interface TlsParty {
  readonly key: string
  readonly cert: string
  readonly der: Uint8Array
}

const authority = await createTlsAuthority()
async function party(commonName: string): Promise<TlsParty> {
  const privateJwk = generatePrivateJwk('ES256')
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const now = systemClock()
  const times = { notBefore: now - 86_400, notAfter: now + 86_400 }
  const { pem, x5c } = await issueCertificate(
    { commonName, dnsNames: [commonName], publicJwk, issuer: authority, ...times },
    { random: systemRandom },
  )
  const der = Buffer.from(x5c[0] ?? '', 'base64')
  return { key: privateJwkToPem(privateJwk), cert: pem, der }
}

const [own, other] = [await party('agent.example'), await party('other.example')]
const world = createWorld()
const verifier = createExpressVerifier(
  {
    origin: API,
    trustedIssuers: [{ vct: VCT, anchors: [ca.pem], issuer: ISSUER }],
    keyBinding: 'required',
    walletAttesters: [
      { name: 'wallet', anchors: createAnchors('walletAttesters', [ca.pem]), clients: 'any' },
    ],
    tlsClientCertificates: true,
    senderConstraint: 'dpop-or-certificate',
  },
  { signer: signers.api, store: world.store, fetch: world.network.fetch, clock: world.time.clock },
)
const app = express()
app.use(verifier.routes)
app.post('/payroll/export', verifier.requirePresentation(MANAGERS_IN_EU), (_request, response) => {
  response.json({ done: true })
})
// Whose certificate it is does not matter to the binding (RFC 8705, section 3), so none is refused here.
const api = await party('api.example')
const server = createServer({ ...api, requestCert: true, rejectUnauthorized: false }, app)
beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => {
  server.close()
  server.closeAllConnections()
})

function connection(client?: TlsParty) {
  return async (request: Request): Promise<Response> => {
    const body = Buffer.from(await request.arrayBuffer())
    const address = server.address()
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(
        {
          host: '127.0.0.1',
          port: typeof address === 'object' ? address?.port : 0,
          path: new URL(request.url).pathname,
          method: request.method,
          headers: { ...Object.fromEntries(request.headers), 'content-length': body.length },
          servername: 'api.example',
          ca: authority.pem,
          agent: false,
          ...(client === undefined ? {} : { key: client.key, cert: client.cert }),
        },
        (answer) => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk) => chunks.push(Buffer.from(chunk)))
          answer.on('end', () =>
            resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 0 })),
          )
        },
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }
}

describe('a client with a certificate and without DPoP', () => {
  const withoutProof = (client?: TlsParty) => (request: Request) => {
    const headers = new Headers(request.headers)
    headers.delete('DPoP')
    return connection(client)(new Request(request, { headers }))
  }
  const knock = async (token: string, client?: TlsParty, scheme = 'Bearer') => {
    const headers = { Authorization: `${scheme} ${token}` }
    const asked = new Request(`${API}/payroll/export`, { method: 'POST', headers })
    return (await connection(client)(asked)).status
  }

  test('gets a Bearer token that opens over its own connections alone [MTLS-01] [MTLS-02]', async () => {
    const token = await obtainToken({ ...world, send: withoutProof(own) }, await createWallet())
    expect(parseJws(token).payload['cnf']).toEqual({ 'x5t#S256': certificateThumbprint(own.der) })
    expect(await knock(token, own)).toBe(200)
    expect(await knock(token, own)).toBe(200)
    expect(await knock(token, other)).toBe(401)
    expect(await knock(token)).toBe(401)
    expect(await knock(token, own, 'DPoP')).toBe(401)
  })

  test('gets none without the certificate, nor halfway with another one', async () => {
    const wallet = await createWallet()
    await expect(obtainToken({ ...world, send: withoutProof() }, wallet)).rejects.toThrow()
    // The code goes to the token endpoint over somebody else's connection.
    const send = (request: Request) => withoutProof(request.url.endsWith('/token') ? other : own)(request)
    await expect(obtainToken({ ...world, send }, wallet)).rejects.toThrow()
  })

  test('a token bound to a DPoP key stays one: as Bearer it opens nothing [DPOP-R-03] [MTLS-06]', async () => {
    const token = await obtainToken({ ...world, send: connection(own) }, await createWallet())
    expect(await knock(token, own)).toBe(401)
  })
})

describe('Express ends TLS itself', () => {
  test('a token is bound to the certificate of the connection, and opens on such connections alone [MTLS-01] [MTLS-02]', async () => {
    const wallet = await createWallet()
    const token = await obtainToken({ ...world, send: connection(own) }, wallet)
    expect(parseJws(token).payload['cnf']).toMatchObject({ 'x5t#S256': certificateThumbprint(own.der) })
    const knock = async (client?: TlsParty, headers = {}) =>
      (await connection(client)(await call(world, token, { dpop: wallet.dpop, headers }))).status
    expect(await knock(own)).toBe(200)
    expect(await knock(other)).toBe(401)
    expect(await knock()).toBe(401)
  })

  test('a field that a client sends itself is dropped [MTLS-03]', async () => {
    const wallet = await createWallet()
    const token = await obtainToken({ ...world, send: connection(own) }, wallet)
    const spoofed = { 'Client-Cert': `:${Buffer.from(own.der).toString('base64')}:` }
    for (const client of [undefined, other]) {
      const asked = await call(world, token, { dpop: wallet.dpop, headers: spoofed })
      expect((await connection(client)(asked)).status).toBe(401)
    }
    const asked = await call(world, token, { dpop: wallet.dpop, headers: { 'Client-Cert': ':AAAA:' } })
    expect((await connection(own)(asked)).status).toBe(200)
  })
})
