/**
 * The peer as a server: Credo-TS as issuer and verifier, everything in memory, tags looked up by an index.
 *
 * It does the same exchange: pre-authorized code with Transaction Code, wallet attestation, DPoP, nonce, one
 * key proof, eight disclosable claims; a signed request and an encrypted answer. It keeps sessions in memory
 * and publishes no status; ours allocates a status index and writes a register entry in the same commit.
 *
 * @module
 */
import 'reflect-metadata'
import {
  Agent,
  ClaimFormat,
  ConsoleLogger,
  InjectionSymbols,
  Kms,
  LogLevel,
  RecordNotFoundError,
  X509Certificate,
  X509Module,
} from '@credo-ts/core'
import { agentDependencies, NodeInMemoryKeyManagementStorage, NodeKeyManagementService } from '@credo-ts/node'
import { OpenId4VcModule } from '@credo-ts/openid4vc'
import express from 'express'
import { createClient } from './http-client.mjs'
import { QUERY } from './presented-credential.mjs'
import { serveProcess } from './server-process.mjs'

const KEY_ID = 'credo'
const CLAIMS = {
  agent: 'payroll-export',
  owner: 'Ngozi Okafor',
  role: 'Manager',
  region: 'EU',
  purpose: 'Exports the payroll',
  employee_id: 'E-10442',
  birth_date: '1984-03-12',
  salary_band: 'B7',
}

/** Records in memory; a query by a tag's text reads an index, as a database would. */
function createStorage() {
  const types = new Map()
  const kindOf = (type) => {
    if (!types.has(type)) types.set(type, { records: new Map(), index: new Map() })
    return types.get(type)
  }
  const textTags = (record) =>
    Object.entries(record.getTags()).filter(([, value]) => typeof value === 'string')
  const keep = async (_context, record) => {
    const { records, index } = kindOf(record.type)
    forget(record.type, record.id)
    records.set(record.id, record.clone())
    for (const [name, value] of textTags(record)) {
      const key = `${name}=${value}`
      if (!index.has(key)) index.set(key, new Set())
      index.get(key).add(record.id)
    }
  }
  const forget = (type, id) => {
    const { records, index } = kindOf(type)
    const old = records.get(id)
    if (old === undefined) return
    for (const [name, value] of textTags(old)) index.get(`${name}=${value}`)?.delete(id)
    records.delete(id)
  }
  const candidates = (type, query) => {
    const { records, index } = kindOf(type)
    const [first] = Object.entries(query).filter(([, value]) => typeof value === 'string')
    if (first === undefined) return [...records.values()]
    return [...(index.get(`${first[0]}=${first[1]}`) ?? [])].map((id) => records.get(id))
  }
  return {
    supportsCursorPagination: false,
    save: keep,
    update: keep,
    delete: async (_context, record) => forget(record.type, record.id),
    deleteById: async (_context, { type }, id) => forget(type, id),
    getById: async (_context, { type }, id) => {
      const record = kindOf(type).records.get(id)
      if (record === undefined) throw new RecordNotFoundError('No such record.', { recordType: type })
      return record.clone()
    },
    getAll: async (_context, { type }) => [...kindOf(type).records.values()].map((record) => record.clone()),
    findByQuery: async (_context, { type }, query) =>
      candidates(type, query)
        .filter((record) => fits(record.getTags(), query))
        .map((record) => record.clone()),
  }
}

function fits(tags, { $and: all = [], $or: some, $not: none, ...rest }) {
  return (
    all.every((part) => fits(tags, part)) &&
    (some?.some((part) => fits(tags, part)) ?? true) &&
    (none === undefined || !fits(tags, none)) &&
    Object.entries(rest).every(([name, value]) => value === undefined || hasTag(tags[name], value))
  )
}

function hasTag(tag, wanted) {
  if (!Array.isArray(wanted)) return tag === wanted
  return Array.isArray(tag) && wanted.every((one) => tag.includes(one))
}

/** Credo fetches its own keys at every credential request; a kept connection is the cheapest way to let it. */
function createSelfFetch(origin, tls) {
  const client = createClient({ port: new URL(origin).port, ...(tls && { ca: tls.ca }) })
  return async (url) => {
    const { status, headers, text } = await client.send(String(url))
    const response = new Response(text, { status, headers })
    Object.defineProperty(response, 'url', { value: String(url) })
    return response
  }
}

serveProcess(async ({ signing, trusted, tls }, origin) => {
  const app = express()
  const x5c = signing.x5c.map((encoded) => X509Certificate.fromEncodedCertificate(encoded))
  x5c[0].keyId = KEY_ID
  const issuer = { method: 'x5c', x5c, issuer: origin }
  const agent = new Agent({
    config: { logger: new ConsoleLogger(LogLevel.off), autoUpdateStorageOnStartup: true },
    dependencies: { ...agentDependencies, fetch: createSelfFetch(origin, tls) },
    modules: {
      storage: {
        register: (manager) => manager.registerInstance(InjectionSymbols.StorageService, createStorage()),
      },
      kms: new Kms.KeyManagementModule({
        backends: [new NodeKeyManagementService(new NodeInMemoryKeyManagementStorage())],
      }),
      x509: new X509Module({ trustedCertificates: trusted }),
      openid4vc: new OpenId4VcModule({
        app,
        issuer: {
          baseUrl: `${origin}/issuer`,
          credentialRequestToCredentialMapper: ({ holderBinding, credentialConfiguration }) => ({
            type: 'credentials',
            format: ClaimFormat.SdJwtDc,
            credentials: holderBinding.keys.map((key) => ({
              payload: {
                vct: String(credentialConfiguration.vct),
                exp: Math.floor(Date.now() / 1000) + 86_400,
                ...CLAIMS,
              },
              holder: key,
              issuer,
              disclosureFrame: { _sd: Object.keys(CLAIMS) },
            })),
          }),
        },
        verifier: { baseUrl: `${origin}/verifier` },
      }),
    },
  })
  await agent.initialize()
  const { kty, crv, x, y, d } = signing.privateJwk
  await agent.kms.importKey({ privateJwk: { kty, crv, x, y, d, kid: KEY_ID } })
  const { issuer: issuing, verifier: verifying } = agent.openid4vc
  const { issuerId } = await issuing.createIssuer({
    dpopSigningAlgValuesSupported: ['ES256'],
    credentialConfigurationsSupported: {
      'agent-role': {
        format: 'dc+sd-jwt',
        vct: 'https://credo.example/types/agent-role',
        scope: 'agent-role',
        cryptographic_binding_methods_supported: ['jwk'],
        credential_signing_alg_values_supported: ['ES256'],
        proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
      },
    },
  })
  const { verifierId } = await verifying.createVerifier()
  const credentialIssuer = `${origin}/issuer/${issuerId}`
  return {
    listener: app,
    facts: {
      credentialIssuer,
      token: `${credentialIssuer}/token`,
      nonce: `${credentialIssuer}/nonce`,
      credential: `${credentialIssuer}/credential`,
    },
    operations: {
      async offers(count) {
        const made = []
        for (let nth = 0; nth < count; nth += 1) {
          const { issuanceSession } = await issuing.createCredentialOffer({
            issuerId,
            credentialConfigurationIds: ['agent-role'],
            preAuthorizedCodeFlowConfig: { txCode: { input_mode: 'numeric', length: 6 } },
            authorization: { requireWalletAttestation: true, requireDpop: true },
            version: 'v1',
          })
          made.push({ code: issuanceSession.preAuthorizedCode, txCode: issuanceSession.userPin })
        }
        return made
      },
      async requests(count, responseMode = 'direct_post.jwt') {
        const made = []
        for (let nth = 0; nth < count; nth += 1) {
          const { authorizationRequest, verificationSession } = await verifying.createAuthorizationRequest({
            verifierId,
            requestSigner: { method: 'x5c', x5c, clientIdPrefix: 'x509_hash' },
            responseMode,
            version: 'v1',
            dcql: { query: QUERY },
          })
          made.push({ url: authorizationRequest, id: verificationSession.id })
        }
        return made
      },
      async results(ids) {
        const roles = []
        for (const id of ids) {
          const { dcql } = await verifying.getVerifiedAuthorizationResponse(id)
          roles.push(dcql?.presentations.role_cred?.[0]?.prettyClaims.role)
        }
        return roles
      },
    },
  }
})
