/**
 * An attester as it runs, beside a platform that hands out workload tokens: files, https, a folder of its own.
 *
 * It listens on a free port behind an origin that is known before: its identifier does not depend on where it
 * listens, as behind a proxy.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuardedFetch, type JsonObject } from '@attache/core'
import type { CertificateAuthority, TrustAnchors } from '@attache/keys'
import type { JWTPayload } from 'jose'
import { writeProvider } from './daemon-world.js'
import { certifyLocalhost, createHttpsOrigin, createTlsAuthority, type HttpsOrigin } from './https-origin.js'
import { createTokenIssuer, serviceAccountClaims, type TokenIssuer } from './token-issuer.js'
import { AGENT, CLIENT } from './wallet-world.js'

export interface AttesterWorld {
  readonly folder: string
  readonly configPath: string
  readonly tls: CertificateAuthority
  /** Anchors of the key that vouches, and the PEM file that has them. */
  readonly anchors: TrustAnchors
  readonly anchorsFile: string
  /** Its identifier. */
  readonly attester: string
  readonly front: HttpsOrigin
  readonly cluster: TokenIssuer
  /** Where the platform writes the token of the wallet's workload. */
  readonly tokenFile: string
  /** Forwards what comes to the identifier. */
  forwardTo(port: number): void
  /** The platform writes a token. */
  mount(claims?: JWTPayload): Promise<void>
  close(): Promise<void>
}

/** @param change Alters the configuration before it is written. */
export async function createAttesterWorld(
  change: (configuration: JsonObject) => JsonObject = (same) => same,
): Promise<AttesterWorld> {
  const tls = await createTlsAuthority()
  const [front, platform] = [await createHttpsOrigin(tls), await createHttpsOrigin(tls)]
  const cluster = await createTokenIssuer(platform.origin)
  platform.serve(cluster.handle)
  const [folder, mounted] = [
    mkdtempSync(join(tmpdir(), 'attache-attester-')),
    mkdtempSync(join(tmpdir(), 'attache-token-')),
  ]
  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 })
    return name
  }
  const anchors = await writeProvider(folder)
  const anchorsFile = join(folder, write('attester-ca.pem', anchors.certificates.join('\n')))
  const { key, cert } = await certifyLocalhost(tls)
  const attester = front.origin
  const configuration: JsonObject = {
    version: 1,
    attester,
    listen: { port: 0, tls: { key: write('tls.key', key), certificate: write('tls.pem', cert) } },
    signing: { key: 'provider.key', certificates: 'provider.pem' },
    trustedCertificates: [write('tls-ca.pem', tls.pem)],
    allowPrivate: ['localhost'],
    tokenIssuers: [{ issuer: cluster.issuer, audience: attester, discovery: true, algorithms: ['RS256'] }],
    rules: [
      {
        id: 'payroll',
        issuer: cluster.issuer,
        subject: 'system:serviceaccount:payroll:export',
        claims: [{ path: ['kubernetes.io', 'namespace'], equals: 'payroll' }],
        clientId: CLIENT,
        agents: [AGENT],
      },
    ],
    logLevel: 'silent',
  }
  const configPath = join(folder, write('attester.json', JSON.stringify(change(configuration))))
  const fetch = createGuardedFetch({ ca: [tls.pem], allowPrivate: ['localhost', '127.0.0.1'] })
  const tokenFile = join(mounted, 'token')
  return {
    folder,
    configPath,
    tls,
    anchors,
    anchorsFile,
    attester,
    front,
    cluster,
    tokenFile,
    forwardTo: (port) =>
      front.serve(async (request) => {
        const { pathname } = new URL(request.url)
        const { method } = request
        const headers = { 'content-type': request.headers.get('content-type') ?? '' }
        const body = method === 'POST' ? { body: await request.text() } : {}
        // As patient as who asks: a proxy is not what is tested.
        return fetch(`https://localhost:${port}${pathname}`, { method, headers, timeoutMs: 20_000, ...body })
      }),
    async mount(claims = {}) {
      const place = { issuer: cluster.issuer, audience: attester }
      writeFileSync(tokenFile, `${await cluster.sign(serviceAccountClaims(place, claims))}\n`)
    },
    async close() {
      await Promise.all([front.close(), platform.close()])
      for (const each of [folder, mounted]) rmSync(each, { recursive: true, force: true })
    },
  }
}
