/**
 * An https server on localhost for one handler, with certificates under an authority made for the run.
 *
 * Certificates of TLS are judged by the machine's clock, so they are made by it; everything inside may run on
 * another one.
 *
 * @module
 */
import { createServer, type Server } from 'node:https'
import { type Handler, systemClock, systemRandom } from '@attache/core'
import {
  type CertificateAuthority,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  privateJwkToPem,
} from '@attache/keys'

export async function createTlsAuthority(): Promise<CertificateAuthority> {
  const now = systemClock()
  return createCertificateAuthority(
    {
      commonName: 'Test TLS',
      privateJwk: generatePrivateJwk('ES256'),
      notBefore: now - 86_400,
      notAfter: now + 86_400,
    },
    { random: systemRandom },
  )
}

export interface HttpsOrigin {
  readonly origin: string
  serve(handler: Handler): void
  close(): Promise<void>
}

/** A certificate for localhost and its key, both PEM. */
export async function certifyLocalhost(issuer: CertificateAuthority): Promise<{ key: string; cert: string }> {
  return certifyTls(issuer, { name: 'localhost' })
}

/** A certificate for TLS and its key, both PEM, by the machine's clock. */
export async function certifyTls(
  issuer: CertificateAuthority,
  subject: { readonly name: string; readonly client?: boolean; readonly notAfter?: number },
): Promise<{ key: string; cert: string }> {
  const privateJwk = generatePrivateJwk('ES256')
  const now = systemClock()
  const { pem } = await issueCertificate(
    {
      commonName: subject.name,
      ...(subject.client === true ? {} : { dnsNames: [subject.name] }),
      publicJwk: createSoftwareSigner(privateJwk).publicJwk,
      issuer,
      notBefore: now - 86_400,
      notAfter: subject.notAfter ?? now + 86_400,
      extendedKeyUsages: [`1.3.6.1.5.5.7.3.${subject.client === true ? 2 : 1}`],
    },
    { random: systemRandom },
  )
  return { key: privateJwkToPem(privateJwk), cert: pem }
}

/** Listens on a free port; until a handler is set, everything is 503. */
export async function createHttpsOrigin(issuer: CertificateAuthority): Promise<HttpsOrigin> {
  const certified = await certifyLocalhost(issuer)
  let handler: Handler = async () => new Response(null, { status: 503 })
  const server = createServer(certified, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value))
    const init = { method: request.method ?? 'GET', headers }
    const withBody =
      init.method === 'GET' || init.method === 'HEAD' ? init : { ...init, body: Buffer.concat(chunks) }
    const answer = await handler(new Request(`${originOf(server)}${request.url}`, withBody))
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    response.end(Buffer.from(await answer.arrayBuffer()))
  })
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  return {
    origin: originOf(server),
    serve: (next) => {
      handler = next
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function originOf(server: Server): string {
  const address = server.address()
  return `https://localhost:${typeof address === 'object' ? address?.port : ''}`
}
