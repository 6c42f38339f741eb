/**
 * A Credo-TS agent: issuer, holder and verifier in one, behind an https origin.
 *
 * @module
 */
import 'reflect-metadata'
import {
  Agent,
  ClaimFormat,
  ConsoleLogger,
  type DependencyManager,
  InjectionSymbols,
  Kms,
  LogLevel,
  X509Certificate,
  X509Module,
} from '@credo-ts/core'
import { agentDependencies, NodeInMemoryKeyManagementStorage, NodeKeyManagementService } from '@credo-ts/node'
import { OpenId4VcModule } from '@credo-ts/openid4vc'
import express from 'express'
import { createCredoStorage } from './credo-storage.js'
import { createPeerFetch } from './peer-fetch.js'
import { certify, closeAtEnd, createPeerServer, ecPrivateJwk } from './world.js'

const KEY_ID = 'credo'

/** Makes an agent whose certificate names `localhost`. @param trusted PEM of whom it trusts. */
export async function createCredoAgent(trusted: readonly string[]) {
  const server = closeAtEnd(await createPeerServer())
  const signing = await certify('Credo', { dnsNames: ['localhost'], uris: [server.origin] })
  const app = express()
  const { fetch, calls } = createPeerFetch()
  const x5c = (signing.signer.x5c ?? []).map((encoded) => X509Certificate.fromEncodedCertificate(encoded))
  if (x5c[0] !== undefined) x5c[0].keyId = KEY_ID
  const issuer = { method: 'x5c' as const, x5c, issuer: server.origin }
  const agent = new Agent({
    config: { logger: new ConsoleLogger(LogLevel.off), autoUpdateStorageOnStartup: true },
    dependencies: { ...agentDependencies, fetch },
    modules: {
      storage: {
        register: (manager: DependencyManager) =>
          manager.registerInstance(InjectionSymbols.StorageService, createCredoStorage()),
      },
      kms: new Kms.KeyManagementModule({
        backends: [new NodeKeyManagementService(new NodeInMemoryKeyManagementStorage())],
      }),
      x509: new X509Module({ trustedCertificates: [...trusted, signing.authority.pem] }),
      openid4vc: new OpenId4VcModule({
        app,
        issuer: {
          baseUrl: `${server.origin}/issuer`,
          credentialRequestToCredentialMapper: ({ holderBinding, credentialConfiguration }) => ({
            type: 'credentials',
            format: ClaimFormat.SdJwtDc,
            credentials: holderBinding.keys.map((key) => ({
              payload: {
                vct: String(credentialConfiguration['vct']),
                agent: 'payroll-export',
                role: 'Manager',
                region: 'EU',
                birth_date: '1984-03-12',
                exp: Math.floor(Date.now() / 1000) + 86_400,
              },
              holder: key,
              issuer,
              disclosureFrame: { _sd: ['agent', 'role', 'region', 'birth_date'] },
            })),
          }),
        },
        verifier: { baseUrl: `${server.origin}/verifier` },
      }),
    },
  })
  await agent.initialize()
  await agent.kms.importKey({
    privateJwk: { ...ecPrivateJwk(signing.privateJwk), kty: 'EC', crv: 'P-256', kid: KEY_ID },
  })
  server.serve(app)
  return { agent, signing, origin: server.origin, calls, x5c }
}
