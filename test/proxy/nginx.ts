/**
 * nginx as a child process in front of an API: own configuration and folder, a loopback port, TLS.
 *
 * The configuration is the one an operator would write; comments in it say which line keeps which promise.
 *
 * @module
 */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { type Handler, systemClock, systemRandom } from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, issueCertificate, privateJwkToPem } from '@attache/keys'
import { createTlsAuthority } from '../support/https-origin.js'

/** The public name; nothing behind the proxy knows its address. */
export const HOST = 'api.example'

export interface Nginx {
  /** Sends a request to the public name. */
  readonly handle: Handler
  /** The same, over connections with a client certificate. */
  handleAs(client: ClientCertificate): Handler
  /** Sends bytes over TLS as they are; everything that came back. */
  sendRaw(text: string): Promise<string>
  close(): Promise<void>
}

/** A client's certificate and key, in PEM. */
export interface ClientCertificate {
  readonly cert: string
  readonly key: string
}

/** Ports of the two servers behind the proxy. */
export interface Upstreams {
  /** Guards itself, and answers for the verifier. */
  readonly api: number
  /** Knows nothing of credentials and believes its header fields. */
  readonly legacy: number
}

const configuration = (port: number, { api, legacy }: Upstreams): string => `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {}
http {
  access_log off;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  # Kept open, so that a request hidden in another one would have a connection to arrive on.
  upstream legacy { server 127.0.0.1:${legacy}; keepalive 1; }
  server {
    listen 127.0.0.1:${port} ssl;
    server_name ${HOST};
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    # Asked for and handed on, whoever issued it: whose it is, the token says (RFC 8705, section 3).
    ssl_verify_client optional_no_ca;

    # The verifier's own routes lie at the root of the origin, unchanged.
    location /attache/ {
      # Set replaces whatever the client sent under that name; without a certificate no field is sent at all.
      proxy_set_header X-Client-Certificate $ssl_client_escaped_cert;
      proxy_pass http://127.0.0.1:${api};
    }
    location /.well-known/oauth- { proxy_pass http://127.0.0.1:${api}; }

    # An API that guards itself; the prefix is taken away.
    location /hr/ {
      proxy_set_header X-Client-Certificate $ssl_client_escaped_cert;
      proxy_pass http://127.0.0.1:${api}/;
    }

    # An API that cannot: the gate is asked first.
    location /legacy/ {
      auth_request /_gate;
      auth_request_set $claim_role $upstream_http_x_claim_role;
      auth_request_set $claim_region $upstream_http_x_claim_region;
      auth_request_set $dpop_nonce $upstream_http_dpop_nonce;
      add_header DPoP-Nonce $dpop_nonce always;
      # Set replaces whatever the client sent; an empty value sends no field at all.
      proxy_set_header X-Claim-Role $claim_role;
      proxy_set_header X-Claim-Region $claim_region;
      # The token was for the gate.
      proxy_set_header Authorization "";
      proxy_set_header DPoP "";
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass http://legacy/;
    }
    location = /_gate {
      internal;
      proxy_pass http://127.0.0.1:${api}/_gate;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      # The target as the client wrote it, before nginx resolves it.
      proxy_set_header X-Original-URI $request_uri;
      proxy_set_header X-Original-Method $request_method;
    }
  }
}
`

export async function startNginx(upstreams: Upstreams): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'attache-nginx-'))
  mkdirSync(join(folder, 'tmp'))
  const ca = await writeCertificate(folder)
  const port = await freePort()
  writeFileSync(join(folder, 'nginx.conf'), configuration(port, upstreams))
  const child = spawn('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let complaints = ''
  child.stderr.on('data', (chunk) => {
    complaints += String(chunk)
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await listening(port, () => (child.exitCode === null ? undefined : complaints))
  return {
    handle: (request) => send(request, { port, ca }),
    handleAs: (client) => (request) => send(request, { port, ca, ...client }),
    sendRaw: (text) => sendRaw(text, { port, ca }),
    async close() {
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function writeCertificate(folder: string): Promise<string> {
  const issuer = await createTlsAuthority()
  const privateJwk = generatePrivateJwk('ES256')
  const { publicJwk } = createSoftwareSigner(privateJwk)
  const now = systemClock()
  const { pem } = await issueCertificate(
    {
      commonName: HOST,
      dnsNames: [HOST],
      publicJwk,
      issuer,
      notBefore: now - 86_400,
      notAfter: now + 86_400,
      extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'],
    },
    { random: systemRandom },
  )
  writeFileSync(join(folder, 'server.pem'), pem)
  writeFileSync(join(folder, 'server.key'), privateJwkToPem(privateJwk), { mode: 0o600 })
  return issuer.pem
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

// Tries again with every refused connection until the port answers or the process is gone.
function listening(port: number, failure: () => string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const attempt = () => {
      const failed = failure()
      if (failed !== undefined) {
        reject(new Error(`nginx did not start: ${failed}`))
        return
      }
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        socket.destroy()
        resolve()
      })
      socket.once('error', () => setTimeout(attempt, 20))
    }
    attempt()
  })
}

interface Peer extends Partial<ClientCertificate> {
  readonly port: number
  readonly ca: string
}

async function send(request: Request, { port, ...tls }: Peer): Promise<Response> {
  const { pathname, search } = new URL(request.url)
  const body = Buffer.from(await request.arrayBuffer())
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        ...tls,
        servername: HOST,
        path: `${pathname}${search}`,
        method: request.method,
        headers: { ...Object.fromEntries(request.headers), host: HOST, 'content-length': body.length },
        agent: false,
      },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk) => chunks.push(Buffer.from(chunk)))
        answer.on('end', () => {
          const headers = new Headers()
          for (const [name, value] of Object.entries(answer.headers)) headers.set(name, String(value))
          const status = answer.statusCode ?? 0
          resolve(new Response(status === 204 ? null : Buffer.concat(chunks), { status, headers }))
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

function sendRaw(text: string, { port, ca }: Peer): Promise<string> {
  return new Promise((resolve) => {
    // Left open: to nginx a client that closes has lost interest.
    const socket = connect({ port, host: '127.0.0.1', ca, servername: HOST }, () => socket.write(text))
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', () => undefined)
  })
}
