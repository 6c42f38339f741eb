/**
 * The issuer server and the wallet daemon as a company deploys them: configuration files, https, sockets.
 *
 * High assurance on both sides: pushed requests, PKCE, DPoP with server nonces, wallet attestation with
 * challenges. HR data and offers go in over the management API, the operator speaks to the wallet's socket.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CALLBACK_PATH, callSocket, EXPLAIN_PATH, RECEIVE_PATH, STATUS_PATH } from '@attache/agent'
import {
  createGuardedFetch,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  type OutboundFetch,
  parseJson,
  systemClock,
  systemRandom,
} from '@attache/core'
import { createSoftwareSigner, generatePrivateJwk, issueCertificate, privateJwkToPem } from '@attache/keys'
import { serve as serveIssuer } from '../../apps/issuer-server/src/serve.js'
import { serve as serveWallet } from '../../apps/wallet/src/serve.js'
import { certify, createPeerServer, tlsAuthority } from '../interop/world.js'

export const AGENT = 'payroll-export'
/** Long and without a space, as client identifiers may be: it must not widen a page. */
export const CLIENT =
  'https://wallet.example/agents_of_the_platform_for_payroll_and_revenue_reports_in_europe'
export const OPERATOR = { name: 'ngozi', password: 'correct-horse-battery' }

const MANAGEMENT_TOKEN = 'management-token-of-the-browser-run-01234'
const PEOPLE =
  'employee_id,family_name,given_name,email,birth_date,role,region,department,salary_band,leave_date,status\r\n' +
  'E-10442,Okafor,Ngozi,ngozi.okafor@acme.example,1984-03-12,Manager,EU,Sales,B7,,active\r\n'
const AGENTS = `agent,owner,purpose\r\n${AGENT},E-10442,Exports the payroll\r\nrevenue-report,E-10442,Reports\r\n`
const TEMPLATE = `
id: agent-role
version: 1
vct: /types/agent-role/v1
name: Agent role
description: The role in which an agent acts, and for whom.
lifetime_days: 7
claims:
  - { name: agent, from: agent.id, mandatory: true }
  - { name: owner, from: owner.name, mandatory: true, display: [{ name: Acts for, locale: en }] }
  - { name: role, from: owner.role, mandatory: true, display: [{ name: Role, locale: en }] }
  - { name: region, from: owner.region, mandatory: true }
`

export interface Deployment {
  readonly credentialIssuer: string
  readonly vct: string
  /** Where the wallet has the browser sent back to. */
  readonly redirectUri: string
  /** An offer of the code flow, as the management API made it. */
  offer(): Promise<string>
  /** What the issuer lists as issued. */
  issued(): Promise<JsonObject>
  /** Calls of the wallet's operator. */
  receive(offer: string): Promise<JsonObject>
  callback(url: string): Promise<JsonObject>
  status(): Promise<JsonObject>
  explain(): Promise<JsonObject>
  close(): Promise<void>
}

export async function deploy(): Promise<Deployment> {
  const folder = mkdtempSync(join(tmpdir(), 'attache-'))
  const credentialIssuer = `https://localhost:${await freePort()}`
  const vct = `${credentialIssuer}/types/agent-role/v1`
  const callbackPage = await createPeerServer()
  callbackPage.serve((_request, response) => void response.end('<title>Back at the wallet</title>'))
  const redirectUri = `${callbackPage.origin}/callback`
  await writeKeys(folder, credentialIssuer)
  write(folder, 'issuer.json', JSON.stringify(issuerConfiguration(credentialIssuer, redirectUri)))
  write(folder, 'wallet.json', JSON.stringify(walletConfiguration(credentialIssuer, vct, redirectUri)))

  const issuer = await serveIssuer(join(folder, 'issuer.json'))
  const wallet = await serveWallet(join(folder, 'wallet.json'))
  const manage = managementOf(`https://localhost:${issuer.management?.port}/manage/v1`)
  await manage('people', 'text/csv', PEOPLE)
  await manage('agents', 'text/csv', AGENTS)
  const ask = async (path: string, body?: JsonObject): Promise<JsonObject> => {
    const { operatorSocket: socketPath } = wallet
    const question = body === undefined ? {} : { body: JSON.stringify(body) }
    const { value } = await callSocket({ socketPath, path, method: body ? 'POST' : 'GET', ...question })
    return objectOf(JSON.stringify(value))
  }
  return {
    credentialIssuer,
    vct,
    redirectUri,
    async offer() {
      const wanted = { agent: AGENT, by: 'value', grant: 'authorization_code' }
      return String((await manage('offers', 'application/json', JSON.stringify(wanted)))['offer'])
    },
    issued: () => manage('credentials'),
    receive: (offer) => ask(RECEIVE_PATH, { agent: AGENT, offer }),
    callback: (url) => ask(CALLBACK_PATH, { agent: AGENT, url }),
    status: () => ask(STATUS_PATH),
    explain: () => ask(EXPLAIN_PATH, { agent: AGENT }),
    async close() {
      await wallet.close()
      await issuer.close()
      await callbackPage.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function issuerConfiguration(credentialIssuer: string, redirectUri: string): JsonObject {
  const tls = { certificate: 'tls.pem', key: 'tls.key' }
  return {
    version: 1,
    credentialIssuer,
    mode: 'haip',
    dataFolder: 'issuer',
    listen: { port: Number(new URL(credentialIssuer).port), tls },
    management: { port: 0, tls, tokenFile: 'management.token' },
    signing: { key: 'signing.key', certificates: 'signing.pem' },
    sealKeys: ['seal.key'],
    clientAuthentication: 'attestation',
    attestationChallenges: true,
    dpopNonces: true,
    walletAttesters: [{ name: 'agent platform', anchors: 'provider-ca.pem', clients: 'any' }],
    templates: ['agent-role.yaml'],
    grants: ['authorization_code'],
    redirectUris: [redirectUri],
    operators: [{ name: OPERATOR.name, passwordFile: 'operator.password', owner: 'E-10442' }],
    transactionCode: null,
    statusList: { ttlSeconds: 5, lifetimeSeconds: 3600 },
    logLevel: 'silent',
  }
}

function walletConfiguration(credentialIssuer: string, vct: string, redirectUri: string): JsonObject {
  return {
    version: 1,
    profile: 'haip',
    dataFolder: 'wallet',
    runtimeFolder: 'run',
    masterKeys: ['master.key'],
    walletProvider: {
      issuer: 'https://provider.example',
      key: 'provider.key',
      certificates: 'provider.pem',
    },
    trustedCertificates: ['tls-ca.pem'],
    allowPrivate: ['localhost'],
    agents: [{ id: AGENT, clientId: CLIENT }],
    issuers: [{ credentialIssuer, vcts: [vct], anchors: 'signing-ca.pem' }],
    policy: { rules: 'release-rules.json' },
    redirectUri,
    logLevel: 'silent',
  }
}

async function writeKeys(folder: string, credentialIssuer: string): Promise<void> {
  const names = { dnsNames: ['localhost'], uris: [credentialIssuer] }
  for (const [name, certified] of [
    ['signing', await certify('Acme', names)],
    ['provider', await certify('Wallet Provider')],
  ] as const) {
    write(folder, `${name}.key`, privateJwkToPem(certified.privateJwk))
    write(folder, `${name}.pem`, pemOf(certified.signer.x5c ?? []))
    write(folder, `${name}-ca.pem`, certified.authority.pem)
  }
  const tlsKey = generatePrivateJwk('ES256')
  const now = systemClock()
  const tls = await issueCertificate(
    {
      commonName: 'localhost',
      dnsNames: ['localhost'],
      publicJwk: createSoftwareSigner(tlsKey).publicJwk,
      issuer: tlsAuthority,
      notBefore: now - 3600,
      notAfter: now + 86_400,
      extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'],
    },
    { random: systemRandom },
  )
  write(folder, 'tls.key', privateJwkToPem(tlsKey))
  write(folder, 'tls.pem', tls.pem)
  write(folder, 'tls-ca.pem', tlsAuthority.pem)
  for (const name of ['seal.key', 'master.key']) write(folder, name, encodeBase64url(systemRandom(32)))
  write(folder, 'management.token', MANAGEMENT_TOKEN)
  write(folder, 'operator.password', OPERATOR.password)
  write(folder, 'agent-role.yaml', TEMPLATE)
  write(folder, 'release-rules.json', '[]')
}

function pemOf(x5c: readonly string[]): string {
  return x5c.map((der) => `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----\n`).join('')
}

function write(folder: string, name: string, content: string): void {
  writeFileSync(join(folder, name), content, { mode: 0o600 })
}

function managementOf(base: string) {
  const fetch: OutboundFetch = createGuardedFetch({ ca: [tlsAuthority.pem], allowPrivate: ['localhost'] })
  return async (path: string, type?: string, body?: string): Promise<JsonObject> => {
    const headers = { Authorization: `Bearer ${MANAGEMENT_TOKEN}` }
    const posting =
      type === undefined || body === undefined
        ? { headers }
        : { method: 'POST', headers: { ...headers, 'Content-Type': type }, body }
    const answer = await fetch(`${base}/${path}`, posting)
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return objectOf(await answer.text())
  }
}

function objectOf(text: string): JsonObject {
  const parsed = parseJson(text)
  if (parsed.ok && isJsonObject(parsed.value)) return parsed.value
  throw new Error('A JSON object was expected.')
}

/** The identifier of an issuer contains its port, so it is chosen before the server starts. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
