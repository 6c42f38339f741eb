/**
 * What every meeting needs: an https server on loopback for whoever serves, and certificates for keys.
 *
 * Peers read the machine's clock, so everything here does.
 *
 * @module
 */
import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import { type JsonObject, type Log, type LogFields, member, systemClock, systemRandom } from '@attache/core'
import {
  type CertificateAuthority,
  createAnchors,
  createCertificateAuthority,
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  privateJwkToPem,
  type Signer,
  type TrustAnchors,
} from '@attache/keys'
import { createTlsAuthority } from '../support/https-origin.js'

/** The authority behind every https server of this run. */
export const tlsAuthority = await createTlsAuthority()

const DAY = 86_400

/** One certified key of some party, and what trusts it. */
export interface Certified {
  readonly signer: Signer
  readonly anchors: TrustAnchors
  readonly authority: CertificateAuthority
  readonly privateJwk: ReturnType<typeof generatePrivateJwk>
}

/** Makes an authority and a key below it. */
export async function certify(
  name: string,
  names: { readonly dnsNames?: readonly string[]; readonly uris?: readonly string[] } = {},
): Promise<Certified> {
  const now = systemClock()
  const validity = { notBefore: now - DAY, notAfter: now + 90 * DAY }
  const random = { random: systemRandom }
  const authority = await createCertificateAuthority(
    { commonName: `${name} root`, privateJwk: generatePrivateJwk('ES256'), ...validity },
    random,
  )
  const privateJwk = generatePrivateJwk('ES256')
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const leaf = await issueCertificate(
    { commonName: name, publicJwk, issuer: authority, ...names, ...validity },
    random,
  )
  return {
    signer: createSoftwareSigner(privateJwk, { x5c: leaf.x5c }),
    anchors: createAnchors(name, [authority.pem]),
    authority,
    privateJwk,
  }
}

/** A fresh key without certificate. */
export function freshSigner(): Signer {
  return createSoftwareSigner(generatePrivateJwk('ES256'))
}

/** An https server of a peer that brings its own request listener. */
export interface PeerServer {
  readonly origin: string
  /** Answers from now on; before, everything is 503. */
  serve(listener: RequestListener): void
  close(): Promise<void>
}

/** Listens on a free port of loopback. */
export async function createPeerServer(): Promise<PeerServer> {
  const privateJwk = generatePrivateJwk('ES256')
  const now = systemClock()
  const { pem } = await issueCertificate(
    {
      commonName: 'localhost',
      dnsNames: ['localhost'],
      publicJwk: createSoftwareSigner(privateJwk).publicJwk,
      issuer: tlsAuthority,
      notBefore: now - DAY,
      notAfter: now + DAY,
      extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'],
    },
    { random: systemRandom },
  )
  let listener: RequestListener = (_request, response) => void response.writeHead(503).end()
  const server = createServer({ key: privateJwkToPem(privateJwk), cert: pem }, (request, response) =>
    listener(request, response),
  )
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  return {
    origin: originOf(server),
    serve: (next) => {
      listener = next
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

/** A log that keeps its lines as JSON, to be shown when something was refused. */
export function recordingLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = []
  const write = (event: string, fields: LogFields = {}) => {
    lines.push(JSON.stringify({ event, ...fields }))
  }
  return { log: { info: write, warn: write, error: write }, lines }
}

interface Closable {
  close(): Promise<void>
}

const open: Closable[] = []

/** Remembers what {@link closeAll} has to close. */
export function closeAtEnd<Server extends Closable>(server: Server): Server {
  open.push(server)
  return server
}

/** For the end of a test file. */
export async function closeAll(): Promise<void> {
  for (const one of open.splice(0)) await one.close()
}

/** An EC private JWK as other libraries want it. */
export interface EcPrivateJwk {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly y: string
  readonly d: string
}

/** The same key, in the shape that other libraries want. */
export function ecPrivateJwk(jwk: JsonObject): EcPrivateJwk {
  const of = (name: string) => {
    const value = member(jwk, name)
    if (typeof value !== 'string') throw new Error(`The key has no ${name}.`)
    return value
  }
  return { kty: of('kty'), crv: of('crv'), x: of('x'), y: of('y'), d: of('d') }
}
