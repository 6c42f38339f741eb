/**
 * `oidc-provider` with its openid4vci feature, as an issuer for our wallet.
 *
 * Clients authenticate by attestation with challenge, tokens are bound by DPoP with nonces. What the package
 * leaves to its host is little: whose attestation counts, and making the credential.
 *
 * @module
 */
import { createPublicKey, randomBytes, X509Certificate } from 'node:crypto'
import Provider from 'oidc-provider'
import { CLIENT } from './openid4vc-wallet.js'
import { issueByPeer } from './peer-credential.js'
import { type Certified, certify, createPeerServer } from './world.js'

const PRE_AUTHORIZED_CODE = 'urn:ietf:params:oauth:grant-type:pre-authorized_code'
const CONFIGURATION = 'agent-role'
const ACCOUNT = 'payroll-export'

export interface OidcProviderIssuer {
  readonly credentialIssuer: string
  readonly vct: string
  readonly signing: Certified
  /** An offer by value, as a link. */
  offer(txCode: string): Promise<string>
  close(): Promise<void>
}

/** @param attester Authority of the wallet provider. */
export async function serveOidcProvider(attester: Certified): Promise<OidcProviderIssuer> {
  const server = await createPeerServer()
  const signing = await certify('Foreign issuer', { dnsNames: ['localhost'], uris: [server.origin] })
  const credentialIssuer = server.origin
  const vct = `${credentialIssuer}/types/agent-role`
  const credentialEndpoint = `${credentialIssuer}/credential`
  const provider = new Provider(credentialIssuer, {
    clients: [
      {
        client_id: CLIENT,
        token_endpoint_auth_method: 'attest_jwt_client_auth',
        grant_types: [PRE_AUTHORIZED_CODE],
        redirect_uris: [],
        response_types: [],
      },
    ],
    clientAuthMethods: ['attest_jwt_client_auth'],
    scopes: [CONFIGURATION],
    ttl: { Grant: 600, PreAuthorizedCode: 600, AccessToken: 600 },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
      attestClientAuth: {
        enabled: true,
        ack: 'draft-12',
        challengeSecret: randomBytes(32),
        getAttestationSignaturePublicKey: (_context, header) => attesterKey(header, attester),
        assertAttestationJwtAndPop: async () => {},
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => credentialEndpoint,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: CONFIGURATION, audience: credentialEndpoint }),
      },
      openid4vci: {
        enabled: true,
        ack: 'experimental-01',
        nonceSecret: randomBytes(32),
        preAuthorizedCodeGrant: true,
        metadata: { batch_credential_issuance: { batch_size: 5 } },
        credentialConfigurationsSupported: {
          [CONFIGURATION]: {
            format: 'dc+sd-jwt',
            vct,
            scope: CONFIGURATION,
            cryptographic_binding_methods_supported: ['jwk'],
            credential_signing_alg_values_supported: ['ES256'],
            proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
          },
        },
        issueCredential: async (_context, { proofs }) => {
          const issue = (proof: string) => issueByPeer({ vct, issuer: credentialIssuer, proof }, signing)
          const made = await Promise.all((proofs?.jwt ?? []).map(issue))
          return { credentials: made.map((credential) => ({ credential })) }
        },
      },
    },
  })
  server.serve(provider.callback())
  return {
    credentialIssuer,
    vct,
    signing,
    offer: async (txCode) => {
      const grant = new provider.Grant({ accountId: ACCOUNT, clientId: CLIENT })
      grant.addResourceScope(credentialEndpoint, CONFIGURATION)
      const grantId = await grant.save()
      const facts = { accountId: ACCOUNT, clientId: CLIENT, grantId, scope: CONFIGURATION, txCode }
      const code = await new provider.PreAuthorizedCode({ ...facts, resource: credentialEndpoint }).save()
      const offer = {
        credential_issuer: credentialIssuer,
        credential_configuration_ids: [CONFIGURATION],
        grants: {
          [PRE_AUTHORIZED_CODE]: {
            'pre-authorized_code': code,
            tx_code: { input_mode: 'numeric', length: txCode.length },
          },
        },
      }
      return `openid-credential-offer://?${new URLSearchParams({ credential_offer: JSON.stringify(offer) })}`
    },
    close: server.close,
  }
}

function attesterKey(header: Readonly<Record<string, unknown>>, attester: Certified) {
  const [leaf] = Array.isArray(header['x5c']) ? header['x5c'] : []
  const certificate = new X509Certificate(Buffer.from(String(leaf), 'base64'))
  if (!certificate.verify(new X509Certificate(attester.authority.pem).publicKey))
    throw new Error('Nobody vouches.')
  return createPublicKey(certificate.publicKey.export({ type: 'spki', format: 'pem' }))
}
