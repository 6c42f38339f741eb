/**
 * Our issuer as a server: the main job's configuration, over one store or the other.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryStore, routeRequests, SILENT_LOG, systemClock, systemRandom } from '@attache/core'
import { createNodeListener } from '@attache/express'
import { createDirectory, createIssuer, parseCredentialTemplate } from '@attache/issuer'
import { createSeal } from '@attache/keys'
import { createStatusLists } from '@attache/status-list'
import { createLevelStore } from '@attache/storage'
import { anchorsOf, signerOf } from './certificates.mjs'
import { serveProcess } from './server-process.mjs'

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
  - { name: role, from: owner.role, mandatory: true }
  - { name: region, from: owner.region, mandatory: true }
  - { name: purpose, from: agent.purpose }
  - { name: employee_id, from: owner.employee_id }
  - { name: birth_date, from: owner.birth_date }
  - { name: salary_band, from: owner.salary_band }
`
const PERSON = {
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

async function openStore(kind) {
  if (kind === 'memory') return createMemoryStore({ clock: systemClock })
  const folder = mkdtempSync(join(tmpdir(), 'attache-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return createLevelStore({ path: folder, clock: systemClock })
}

serveProcess(async ({ store: kind, signing, provider }, credentialIssuer) => {
  const store = await openStore(kind)
  const shared = {
    store,
    clock: systemClock,
    random: systemRandom,
    log: SILENT_LOG,
    signer: signerOf(signing),
  }
  const directory = createDirectory({ store })
  const now = systemClock()
  await directory.importPeople([{ line: 2, cells: PERSON }], now)
  const cells = { agent: 'payroll-export', owner: PERSON.employee_id, purpose: 'Exports the payroll' }
  await directory.importAgents([{ line: 2, cells }], now)
  const lists = { issuer: credentialIssuer, tenant: 'default', bits: 2, ttlSeconds: 300 }
  const issuer = createIssuer(
    {
      credentialIssuer,
      mode: 'haip',
      grants: ['pre-authorized_code'],
      clientAuthentication: {
        method: 'attestation',
        attesters: [{ name: 'provider', anchors: anchorsOf(provider), clients: 'any' }],
        challenges: false,
      },
      transactionCode: { inputMode: 'numeric', length: 6 },
      templates: [parseCredentialTemplate(TEMPLATE, { credentialIssuer })],
    },
    {
      ...shared,
      claims: directory,
      statusLists: createStatusLists({ ...lists, lifetimeSeconds: 86_400 }, shared),
      seal: createSeal([{ id: 'k1', key: systemRandom(32) }], shared),
    },
  )
  const answer = routeRequests(issuer.routes)
  return {
    listener: createNodeListener(
      async (request) => (await answer(request)) ?? new Response(null, { status: 404 }),
    ),
    facts: {
      credentialIssuer,
      token: `${credentialIssuer}/token`,
      nonce: `${credentialIssuer}/nonce`,
      credential: `${credentialIssuer}/credential`,
    },
    operations: {
      /** Offers by value, one after the other. */
      async offers(count) {
        const made = []
        for (let nth = 0; nth < count; nth += 1) {
          made.push(await issuer.createOffer({ agent: 'payroll-export', by: 'value' }, systemClock()))
        }
        return made.map(({ uri, txCode }) => ({ uri, txCode }))
      },
    },
  }
})
