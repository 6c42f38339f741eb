/**
 * Tokens bound to a client certificate alone, behind a real nginx that ends TLS and names the certificate.
 */
import { request as sendRequest } from 'node:http'
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
import { type Loopback, listenOnLoopback } from '../support/loopback.js'
import {
  API,
  ca,
  createWallet,
  createWorld,
  ISSUER,
  MANAGERS_IN_EU,
  objectOf,
  obtainToken,
  signers,
  VCT,
} from '../support/presentation-world.js'
import { type Nginx, startNginx } from './nginx.js'

const FIELD = 'X-Client-Certificate'
const world = createWorld()
const options = {
  origin: API,
  trustedIssuers: [{ vct: VCT, anchors: [ca.pem], issuer: ISSUER }],
  keyBinding: 'required',
  walletAttesters: [{ name: 'wallet', anchors: createAnchors('walletAttesters', [ca.pem]), clients: 'any' }],
  clientCertificate: { from: 'proxy', header: FIELD, format: 'url-encoded-pem' },
  senderConstraint: 'dpop-or-certificate',
  pathPrefix: '/hr',
} as const
const deps = { signer: signers.api, store: world.store, fetch: world.network.fetch, clock: world.time.clock }
const verifier = createExpressVerifier({ ...options, trustedProxies: ['127.0.0.1'] }, deps)
const app = express()
app.use(verifier.routes)
app.post('/payroll/export', verifier.requirePresentation(MANAGERS_IN_EU), (_request, response) => {
  response.json({ done: true })
})

async function clientOf(commonName: string) {
  const privateJwk = generatePrivateJwk('ES256')
  const now = systemClock()
  const { pem, x5c } = await issueCertificate(
    {
      commonName,
      dnsNames: [commonName],
      publicJwk: createSoftwareSigner(privateJwk).publicJwk,
      issuer: await createTlsAuthority(),
      notBefore: now - 86_400,
      notAfter: now + 86_400,
    },
    { random: systemRandom },
  )
  return { cert: pem, key: privateJwkToPem(privateJwk), der: Buffer.from(x5c[0] ?? '', 'base64') }
}

const [own, other] = [await clientOf('agent.example'), await clientOf('other.example')]
const spoofed = { [FIELD]: encodeURIComponent(own.cert), 'Client-Cert': `:${own.der.toString('base64')}:` }
let server: Loopback
let nginx: Nginx
let token: string
beforeAll(async () => {
  server = await listenOnLoopback(app)
  nginx = await startNginx({ api: server.port, legacy: server.port })
  const send = withoutProof(nginx.handleAs(own))
  token = await obtainToken({ ...world, send }, await createWallet())
})
afterAll(async () => {
  await nginx.close()
  await server.close()
})

// A stock OAuth client with a certificate: it knows no DPoP.
function withoutProof(send: (request: Request) => Promise<Response>) {
  return (request: Request) => {
    const headers = new Headers(request.headers)
    headers.delete('DPoP')
    return send(new Request(request, { headers }))
  }
}

type Fields = Readonly<Record<string, string>>
const knock = async (send: (request: Request) => Promise<Response>, headers: Fields = {}) => {
  const authorization = { Authorization: `Bearer ${token}` }
  const asked = new Request(`${API}/hr/payroll/export`, {
    method: 'POST',
    headers: { ...authorization, ...headers },
  })
  return (await send(asked)).status
}

/** Straight to the server behind the proxy, from an address of one's own. */
function knockDirectly(localAddress: string, headers: Fields): Promise<number> {
  return new Promise((resolve, reject) => {
    const target = {
      host: '127.0.0.1',
      port: server.port,
      path: '/payroll/export',
      method: 'POST',
      localAddress,
    }
    const outgoing = sendRequest(
      { ...target, headers: { Authorization: `Bearer ${token}`, ...headers } },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode ?? 0)
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
  })
}

describe('a token bound to the certificate that nginx names', () => {
  test('is a Bearer token, bound by x5t#S256 and by nothing else [MTLS-01]', () => {
    expect(parseJws(token).payload['cnf']).toEqual({ 'x5t#S256': certificateThumbprint(own.der) })
  })

  test('opens with that certificate alone [MTLS-02]', async () => {
    expect(await knock(nginx.handleAs(own))).toBe(200)
    expect(await knock(nginx.handleAs(other))).toBe(401)
    expect(await knock(nginx.handle)).toBe(401)
  })

  test('opens for nobody who names the certificate without having it [MTLS-03]', async () => {
    expect(await knock(nginx.handle, spoofed)).toBe(401)
    expect(await knock(nginx.handleAs(other), spoofed)).toBe(401)
    expect(await knock(nginx.handleAs(own), { [FIELD]: encodeURIComponent(other.cert) })).toBe(200)
  })

  test('opens past the proxy for nobody but the proxy [MTLS-03]', async () => {
    expect(await knockDirectly('127.0.0.2', spoofed)).toBe(401)
    // The same bytes from the address that the configuration names: that hop is believed.
    expect(await knockDirectly('127.0.0.1', spoofed)).toBe(200)
  })

  test('needs neither proof nor DPoP, and is announced so', async () => {
    const metadata = await objectOf(
      await nginx.handle(new Request(`${API}/.well-known/oauth-protected-resource`)),
    )
    expect(metadata).toMatchObject({
      dpop_bound_access_tokens_required: false,
      tls_client_certificate_bound_access_tokens: true,
    })
    const refusal = await nginx.handle(new Request(`${API}/hr/payroll/export`, { method: 'POST' }))
    expect(refusal.headers.get('WWW-Authenticate')).toMatch(/^DPoP .*, Bearer /)
  })

  test('is granted to nobody who shows neither', async () => {
    const send = withoutProof(nginx.handle)
    await expect(obtainToken({ ...world, send }, await createWallet())).rejects.toThrow()
  })
})

test('a field is read only where somebody is named who writes it [MTLS-03]', () => {
  const make = (change: object) => () => createExpressVerifier({ ...options, ...change }, deps)
  for (const change of [
    {},
    { trustedProxies: [] },
    { trustedProxies: ['127.0.0.1'], clientCertificate: undefined },
  ]) {
    expect(make(change)).toThrow(expect.objectContaining({ code: 'trusted_proxies' }))
  }
  const both = { trustedProxies: ['127.0.0.1'], tlsClientCertificates: true }
  expect(make(both)).toThrow(expect.objectContaining({ code: 'trusted_proxies' }))
  expect(make({ trustedProxies: ['proxy.example'] })).toThrow(
    expect.objectContaining({ code: 'address_malformed' }),
  )
})
