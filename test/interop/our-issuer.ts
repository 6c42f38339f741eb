/**
 * Our issuer, served over https: one person, the agent `payroll-export`, one template.
 *
 * @module
 */
import { createMemoryStore, routeRequests, systemClock, systemRandom } from '@attache/core'
import {
  createDirectory,
  createIssuer,
  type Directory,
  type Issuer,
  type IssuerOptions,
  parseCredentialTemplate,
  type SignIn,
} from '@attache/issuer'
import { createSeal } from '@attache/keys'
import { createStatusLists } from '@attache/status-list'
import { createHttpsOrigin } from '../support/https-origin.js'
import { OPERATOR } from './approve-in-browser.js'
import { type Certified, certify, recordingLog, tlsAuthority } from './world.js'

const TEMPLATE = `
id: agent-role
version: 1
vct: /types/agent-role/v1
name: Agent role
lifetime_days: 30
display:
  - { name: Agent role, locale: en }
claims:
  - { name: agent, from: agent.name, mandatory: true }
  - { name: owner, from: owner.name, mandatory: true }
  - { name: role, from: owner.role, mandatory: true, display: [{ name: Role, locale: en }] }
  - { name: region, from: owner.region, mandatory: true }
  - { name: purpose, from: agent.purpose }
  - { name: employee_id, from: owner.employee_id }
  - { name: birth_date, from: owner.birth_date }
  - { name: salary_band, from: owner.salary_band }
`

const PERSON: Readonly<Record<string, string>> = {
  employee_id: 'E-10442',
  family_name: 'Okafor',
  given_name: 'Ngozi',
  email: 'ngozi.okafor@acme.example',
  birth_date: '1984-03-12',
  role: 'Manager',
  region: 'EU',
  department: 'Sales',
  salary_band: 'B7',
  leave_date: '',
  status: 'active',
}

export const AGENT = 'payroll-export'
export const CONFIGURATION = 'agent-role'

/** Our issuer behind an https origin. */
export interface ServedIssuer {
  readonly issuer: Issuer
  readonly credentialIssuer: string
  readonly vct: string
  /** Signs credentials. */
  readonly signing: Certified
  /** Vouches for wallets. */
  readonly provider: Certified
  /** Log lines as JSON. */
  readonly lines: readonly string[]
  offer(wanted?: Partial<Parameters<Issuer['createOffer']>[0]>): ReturnType<Issuer['createOffer']>
  close(): Promise<void>
}

/** Serves an issuer below a path, as a tenant has one. People sign in as `OPERATOR` unless said otherwise. */
export async function serveIssuer(
  options: Partial<Omit<IssuerOptions, 'templates'>> = {},
  signIn: (directory: Directory) => SignIn = signInAsOperator,
): Promise<ServedIssuer> {
  const server = await createHttpsOrigin(tlsAuthority)
  const credentialIssuer = `${server.origin}/acme`
  const { log, lines } = recordingLog()
  const store = createMemoryStore({ clock: systemClock })
  const [signing, provider] = await Promise.all([
    certify('Acme', { dnsNames: ['localhost'], uris: [credentialIssuer] }),
    certify('Wallet Provider'),
  ])
  const shared = { store, clock: systemClock, random: systemRandom, log, signer: signing.signer }
  const directory = createDirectory({ store })
  await directory.importPeople([{ line: 2, cells: PERSON }], systemClock())
  const cells = { agent: AGENT, owner: 'E-10442', purpose: 'Exports the payroll' }
  await directory.importAgents([{ line: 2, cells }], systemClock())
  const lists = { issuer: credentialIssuer, tenant: 'default', bits: 2, ttlSeconds: 300 } as const
  const issuer = createIssuer(
    {
      mode: 'haip',
      grants: ['pre-authorized_code'],
      clientAuthentication: {
        method: 'attestation',
        attesters: [{ name: 'provider', anchors: provider.anchors, clients: 'any' }],
        challenges: false,
      },
      transactionCode: { inputMode: 'numeric', length: 6 },
      ...options,
      credentialIssuer,
      templates: [parseCredentialTemplate(TEMPLATE, { credentialIssuer })],
    },
    {
      ...shared,
      claims: directory,
      statusLists: createStatusLists({ ...lists, lifetimeSeconds: 86_400, size: 100_000 }, shared),
      signIn: signIn(directory),
      seal: createSeal([{ id: 'k1', key: systemRandom(32) }], shared),
    },
  )
  const answer = routeRequests(issuer.routes)
  server.serve(async (request) => (await answer(request)) ?? new Response(null, { status: 404 }))
  return {
    issuer,
    credentialIssuer,
    vct: `${credentialIssuer}/types/agent-role/v1`,
    signing,
    provider,
    lines,
    offer: (wanted = {}) => issuer.createOffer({ agent: AGENT, by: 'value', ...wanted }, systemClock()),
    close: server.close,
  }
}

function signInAsOperator(): SignIn {
  return {
    signIn: async ({ username, password }) =>
      username === OPERATOR.username && password === OPERATOR.password
        ? { name: username, agents: [AGENT] }
        : undefined,
  }
}
