/**
 * The issuer server from its configuration file, with a company's OpenID Provider behind its sign-in: from the
 * pushed request to the credential, and every way in which the provider can fail.
 *
 * @module
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createGuardedFetch,
  encodeBase64url,
  isJsonObject,
  type JsonObject,
  parseJson,
  selectByPath,
  systemClock,
  systemRandom,
} from '@attache/core'
import {
  createSoftwareSigner,
  generatePrivateJwk,
  issueCertificate,
  parseJws,
  privateJwkToPem,
  verifyCertificateChain,
} from '@attache/keys'
import {
  createClientAttestation,
  createClientAttestationPop,
  createDpopProof,
  createPkce,
} from '@attache/oauth'
import { createKeyProof } from '@attache/openid4vci'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RunningServer, serve } from '../../apps/issuer-server/src/serve.js'
import {
  type Company,
  type CompanyBrowser,
  companyListener,
  createBrowser,
  errorOn,
  SECRET,
} from './oidc-company.js'
import {
  type Certified,
  certify,
  createPeerServer,
  freshSigner,
  type PeerServer,
  tlsAuthority,
} from './world.js'

// The identifier is a name of its own; the port behind it is a free one.
const ISSUER = 'https://issuer.example/hr'
const CALLBACK = `${ISSUER}/authorize/callback`
const WALLET = 'https://wallet.example/callback'
const CLIENT = 'https://wallet.example/agents'
const TOKEN = 'management-token-of-the-upstream-test-01234'
const PEOPLE =
  'employee_id,family_name,given_name,email,birth_date,role,region,department,salary_band,leave_date,status\r\n' +
  'E-10442,Okafor,Ngozi,ngozi@acme.example,1984-03-12,Manager,EU,Sales,B7,,active\r\n' +
  'E-2,Brandt,Jo,jo@acme.example,1990-01-02,Clerk,EU,Sales,B2,,active\r\n'
const AGENTS = 'agent,owner,purpose\r\npayroll-export,E-10442,Exports\r\nledger-sync,E-2,Syncs\r\n'
const TEMPLATE = `
id: agent-role
version: 1
vct: /types/agent-role/v1
name: Agent role
lifetime_days: 7
claims:
  - { name: agent, from: agent.id, mandatory: true, disclosable: never }
  - { name: role, from: owner.role, mandatory: true }
`

let folder: string
let company: PeerServer
let signing: Certified
let attester: Certified
let server: RunningServer
const fetch = createGuardedFetch({ ca: [tlsAuthority.pem], allowPrivate: ['localhost'] })
const at = (url: string) => url.replace('https://issuer.example', `https://localhost:${server.listen.port}`)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'attache-upstream-'))
  company = await createPeerServer()
  signing = await certify('Acme', { dnsNames: ['issuer.example'] })
  attester = await certify('Wallet Provider')
  await writeFiles()
  server = await serve(join(folder, 'issuer.json'))
  const manage = (path: string, body: string) =>
    fetch(`https://localhost:${server.management?.port}/manage/v1/${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'text/csv' },
      body,
    })
  await manage('people', PEOPLE)
  await manage('agents', AGENTS)
})

afterAll(async () => {
  await server?.close()
  await company?.close()
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(() => company.serve(companyListener(company.origin, CALLBACK)))

async function writeFiles(): Promise<void> {
  const write = (name: string, content: string) => writeFileSync(join(folder, name), content, { mode: 0o600 })
  const pem = (x5c: readonly string[] = []) =>
    x5c.map((der) => `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----\n`).join('')
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
  write('tls.key', privateJwkToPem(tlsKey))
  write('tls.pem', tls.pem)
  write('company-ca.pem', tlsAuthority.pem)
  write('signing.key', privateJwkToPem(signing.privateJwk))
  write('signing.pem', pem(signing.signer.x5c))
  write('wallets.pem', attester.authority.pem)
  write('seal.key', encodeBase64url(systemRandom(32)))
  write('management.token', TOKEN)
  write('client-secret', SECRET)
  write('agent-role.yaml', TEMPLATE)
  write('issuer.json', JSON.stringify(configuration()))
}

function configuration(): JsonObject {
  const tls = { certificate: 'tls.pem', key: 'tls.key' }
  return {
    version: 1,
    credentialIssuer: ISSUER,
    mode: 'haip',
    dataFolder: 'data',
    listen: { port: 0, tls },
    management: { port: 0, tls, tokenFile: 'management.token' },
    signing: { key: 'signing.key', certificates: 'signing.pem' },
    sealKeys: ['seal.key'],
    clientAuthentication: 'attestation',
    walletAttesters: [{ name: 'wallets', anchors: 'wallets.pem', clients: 'any' }],
    templates: ['agent-role.yaml'],
    grants: ['authorization_code'],
    redirectUris: [WALLET],
    transactionCode: null,
    upstream: {
      issuer: company.origin,
      clientId: 'attache-issuer',
      clientSecretFile: 'client-secret',
      ownerClaim: 'employee_id',
      certificateAuthority: 'company-ca.pem',
      allowPrivate: ['localhost'],
    },
    statusList: { ttlSeconds: 5, lifetimeSeconds: 3600 },
    logLevel: 'silent',
  }
}

/** A wallet: one instance key, one DPoP key, PKCE. */
async function createWallet() {
  const [instance, dpop] = [freshSigner(), freshSigner()]
  const random = systemRandom
  const pkce = createPkce(random)
  const attestation = await createClientAttestation(
    { clientId: CLIENT, instanceKey: instance.publicJwk, expiresAt: systemClock() + 600 },
    attester.signer,
    systemClock(),
  )
  const form = async (path: string, parameters: Readonly<Record<string, string>>) => {
    const facts = { now: systemClock(), random }
    const pop = await createClientAttestationPop({ audience: ISSUER, clientId: CLIENT }, instance, facts)
    return call(path, {
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        'OAuth-Client-Attestation': attestation,
        'OAuth-Client-Attestation-PoP': pop,
        DPoP: await createDpopProof({ method: 'POST', url: `${ISSUER}${path}` }, dpop, facts),
      },
      body: new URLSearchParams({ client_id: CLIENT, ...parameters }).toString(),
    })
  }
  return {
    /** Pushes a request and says where the browser goes. */
    async push(): Promise<string> {
      const pushed = await form('/par', {
        response_type: 'code',
        redirect_uri: WALLET,
        scope: `${ISSUER}/types/agent-role/v1`,
        state: 'of the wallet',
        code_challenge: pkce.codeChallenge,
        code_challenge_method: 'S256',
      })
      const query = new URLSearchParams({
        client_id: CLIENT,
        request_uri: String(pushed.body['request_uri']),
      })
      return `${ISSUER}/authorize?${query}`
    },
    async redeem(code: string): Promise<{ status: number; body: JsonObject }> {
      const parameters = { code, redirect_uri: WALLET, code_verifier: pkce.codeVerifier }
      return form('/token', { grant_type: 'authorization_code', ...parameters })
    },
    async credential(accessToken: string): Promise<{ status: number; body: JsonObject }> {
      const nonce = String((await call('/nonce', {})).body['c_nonce'])
      const proof = await createKeyProof({ audience: ISSUER, nonce }, freshSigner(), systemClock())
      const request = { method: 'POST', url: `${ISSUER}/credential`, accessToken }
      return call('/credential', {
        headers: {
          'Content-Type': 'application/json',
          Authorization: `DPoP ${accessToken}`,
          DPoP: await createDpopProof(request, dpop, { now: systemClock(), random }),
        },
        body: JSON.stringify({ credential_configuration_id: 'agent-role', proofs: { jwt: [proof] } }),
      })
    },
  }
}

async function call(
  path: string,
  init: { readonly headers?: Record<string, string>; readonly body?: string },
): Promise<{ status: number; body: JsonObject }> {
  const response = await fetch(at(`${ISSUER}${path}`), { method: 'POST', ...init })
  const parsed = parseJson(await response.text(), { maxDepth: 32 })
  return { status: response.status, body: parsed.ok && isJsonObject(parsed.value) ? parsed.value : {} }
}

const person = () => createBrowser({ wallet: WALLET, at })

async function decide(browser: CompanyBrowser, page: string, decision: 'approve' | 'deny'): Promise<URL> {
  const interaction = /name="interaction" value="([^"]+)"/.exec(page)?.[1] ?? ''
  const agent = /<option value="([^"]+)">/.exec(page)?.[1] ?? ''
  const form = new URLSearchParams({ interaction, agent, decision })
  return new URL((await browser.open(`${ISSUER}/authorize/decision`, form)).url)
}

/** Approves, redeems, and gives the claims of the credential. */
async function received(
  wallet: Awaited<ReturnType<typeof createWallet>>,
  browser: CompanyBrowser,
  page: string,
): Promise<JsonObject> {
  const back = await decide(browser, page, 'approve')
  expect(Object.fromEntries(back.searchParams)).toMatchObject({ iss: ISSUER, state: 'of the wallet' })
  const token = await wallet.redeem(back.searchParams.get('code') ?? '')
  expect([token.status, token.body['token_type']]).toEqual([200, 'DPoP'])
  const issued = await wallet.credential(String(token.body['access_token']))
  expect(issued.status).toBe(200)
  const [credential] = selectByPath(issued.body, ['credentials', 0, 'credential']) ?? []
  const { header, payload } = parseJws(String(credential).split('~')[0] ?? '', { maxDepth: 32 })
  const [chain] = selectByPath(header, ['x5c']) ?? []
  const x5c = Array.isArray(chain) ? chain.map(String) : []
  expect(verifyCertificateChain(x5c, { anchors: signing.anchors, now: systemClock() }).subject).toContain(
    'Acme',
  )
  return payload
}

/** The provider with one thing of a request or an answer changed. */
function intercept(
  change: (
    request: Parameters<RequestListener>[0],
    response: Parameters<RequestListener>[1],
  ) => 'answered' | undefined,
  honest = companyListener(company.origin, CALLBACK),
): RequestListener {
  return (request, response) => {
    if (change(request, response) !== 'answered') honest(request, response)
  }
}

describe('the issuer server with a provider of the company', () => {
  test('pushed request, sign-in over there, consent, code, token, credential', async () => {
    const wallet = await createWallet()
    const browser = person()
    const consent = await browser.open(await wallet.push())
    expect(consent.status).toBe(200)
    expect(consent.text).toContain('<strong id="person">Ngozi Okafor</strong>')
    // For her own agents, and nobody else's.
    expect(consent.text.match(/<option value="[^"]+">/g)).toEqual(['<option value="payroll-export">'])

    const payload = await received(wallet, browser, consent.text)
    expect(payload).toMatchObject({ vct: `${ISSUER}/types/agent-role/v1`, agent: 'payroll-export' })
  })

  test('a denial after the sign-in goes back to the wallet', async () => {
    const wallet = await createWallet()
    const browser = person()
    const consent = await browser.open(await wallet.push())
    const back = await decide(browser, consent.text, 'deny')
    expect(Object.fromEntries(back.searchParams)).toMatchObject({
      error: 'access_denied',
      iss: ISSUER,
      state: 'of the wallet',
    })
  })

  test.each<[string, Company]>([
    ['gave up over there', { interaction: 'gives up' }],
    ['has no employee id', { claims: { name: 'Somebody' } }],
    ['is not in the directory', { claims: { name: 'Somebody', employee_id: 'E-404' } }],
  ])("who %s sees a page, and the wallet's request goes on with the right person", async (_, other) => {
    const wallet = await createWallet()
    const url = await wallet.push()
    company.serve(companyListener(company.origin, CALLBACK, other))
    const page = await person().open(url)
    expect([page.status, errorOn(page.text)]).toEqual([400, 'access_denied'])

    company.serve(companyListener(company.origin, CALLBACK))
    const browser = person()
    const consent = await browser.open(url)
    expect(await received(wallet, browser, consent.text)).toMatchObject({ agent: 'payroll-export' })
  })

  test.each<[string, (url: string) => string | undefined]>([
    [
      'nonce',
      (url) =>
        url.startsWith('/auth?') ? url.replace(/nonce=[\w-]+/, 'nonce=of-another-sign-in') : undefined,
    ],
    [
      'PKCE challenge',
      (url) =>
        url.startsWith('/auth?')
          ? url.replace(/code_challenge=[\w-]{43}/, `code_challenge=${'A'.repeat(43)}`)
          : undefined,
    ],
  ])('an answer to another %s is refused', async (_, change) => {
    company.serve(
      intercept((request) => {
        const url = change(request.url ?? '')
        if (url !== undefined) request.url = url
        return undefined
      }),
    )
    const wallet = await createWallet()
    const page = await person().open(await wallet.push())
    expect([page.status, errorOn(page.text)]).toEqual([400, 'access_denied'])
  })

  test('an answer to another state is refused', async () => {
    const wallet = await createWallet()
    const browser = person()
    await browser.open(await wallet.push())
    const back = new URL(browser.visited.at(-1) ?? '')
    expect(back.href.startsWith(CALLBACK)).toBe(true)
    back.searchParams.set('state', 'of-another-sign-in')
    const page = await browser.open(back.href)
    expect([page.status, errorOn(page.text)]).toEqual([400, 'invalid_request'])
  })

  test.each<[string, (response: Parameters<RequestListener>[1]) => void]>([
    ['is busy', (response) => void response.writeHead(503).end()],
    ['hangs up', (response) => void response.destroy()],
  ])('a provider that %s on the way back is said to be down; a reload goes on', async (_, fail) => {
    const honest = companyListener(company.origin, CALLBACK)
    company.serve(
      intercept((request, response) => {
        if (request.url !== '/token') return undefined
        fail(response)
        return 'answered'
      }, honest),
    )
    const wallet = await createWallet()
    const browser = person()
    const page = await browser.open(await wallet.push())
    expect([page.status, errorOn(page.text)]).toEqual([503, 'temporarily_unavailable'])
    expect(page.text).toContain('Try again')

    company.serve(honest)
    const consent = await browser.open(page.url)
    expect(consent.status).toBe(200)
    expect(await received(wallet, browser, consent.text)).toMatchObject({ agent: 'payroll-export' })
  })

  test('the client secret is in its file alone', () => {
    expect(readFileSync(join(folder, 'issuer.json'), 'utf8')).not.toContain(SECRET)
  })
})
