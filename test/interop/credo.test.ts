import { Kms } from '@credo-ts/core'
import { importJWK, SignJWT } from 'jose'
import { afterAll, describe, expect, test } from 'vitest'
import { approveInBrowser } from './approve-in-browser.js'
import { createCredoAgent } from './credo-agent.js'
import { CLIENT } from './openid4vc-wallet.js'
import { serveIssuer } from './our-issuer.js'
import { roleQuery, serveVerifier } from './our-verifier.js'
import { AGENT, createOurWallet } from './our-wallet.js'
import { createPeerFetch } from './peer-fetch.js'
import { closeAll, closeAtEnd, ecPrivateJwk } from './world.js'

afterAll(closeAll)

function didJwk(privateJwk: Parameters<typeof ecPrivateJwk>[0]): string {
  const { d: _d, ...publicJwk } = ecPrivateJwk(privateJwk)
  return `did:jwk:${Buffer.from(JSON.stringify(publicJwk)).toString('base64url')}`
}

const CREDO_VCT = 'https://credo.example/types/agent-role'

const issuer = closeAtEnd(
  await serveIssuer({ grants: ['pre-authorized_code', 'authorization_code'], batchSize: 3 }),
)
const api = closeAtEnd(
  await serveVerifier({
    vct: issuer.vct,
    issuer: issuer.credentialIssuer,
    anchors: issuer.signing.anchors,
  }),
)
const didApi = closeAtEnd(
  await serveVerifier(
    { vct: issuer.vct, issuer: issuer.credentialIssuer, anchors: issuer.signing.anchors },
    { identity: ({ privateJwk }) => ({ clientId: `decentralized_identifier:${didJwk(privateJwk)}` }) },
  ),
)
const credo = await createCredoAgent([
  issuer.signing.authority.pem,
  api.signing.authority.pem,
  issuer.provider.authority.pem,
])
const { holder, issuer: credoIssuer, verifier: credoVerifier } = credo.agent.openid4vc

/** A wallet attestation for a key that the agent keeps; it finds the key by `kid` in `cnf`. */
async function attestCredo(): Promise<string> {
  const { signer, privateJwk } = issuer.provider
  const { publicJwk } = await credo.agent.kms.createKey({ type: { kty: 'EC', crv: 'P-256' } })
  return new SignJWT({ cnf: { jwk: { ...publicJwk } } })
    .setProtectedHeader({ alg: 'ES256', typ: 'oauth-client-attestation+jwt', x5c: [...(signer.x5c ?? [])] })
    .setIssuer('https://provider.example')
    .setSubject(CLIENT)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(await importJWK(ecPrivateJwk(privateJwk), 'ES256'))
}

type Offer = Awaited<ReturnType<typeof holder.resolveCredentialOffer>>
type Token = Awaited<ReturnType<typeof holder.requestToken>>

const scopesOf = ({ offeredCredentialConfigurations }: Offer): string[] =>
  Object.values(offeredCredentialConfigurations).flatMap(({ scope }) => scope ?? [])

/** Asks for copies, each bound to a key of its own. */
function requestWithCredo(resolvedCredentialOffer: Offer, token: Token, copies: number) {
  return holder.requestCredentials({
    resolvedCredentialOffer,
    ...token,
    credentialBindingResolver: async () => {
      const keys = Array.from({ length: copies }, async () => {
        const { publicJwk } = await credo.agent.kms.createKey({ type: { kty: 'EC', crv: 'P-256' } })
        return Kms.PublicJwk.fromPublicJwk(publicJwk)
      })
      return { method: 'jwk', keys: await Promise.all(keys) }
    },
  })
}

async function receiveWithCredo(copies: number) {
  const { uri, txCode = '' } = await issuer.offer()
  const resolvedCredentialOffer = await holder.resolveCredentialOffer(uri)
  const walletAttestationJwt = await attestCredo()
  const token = await holder.requestToken({ resolvedCredentialOffer, txCode, walletAttestationJwt })
  const received = await requestWithCredo(resolvedCredentialOffer, token, copies)
  return { token, received }
}

/** Makes sure that Credo holds one role credential of ours. */
async function holdRole(): Promise<void> {
  if ((await credo.agent.sdJwtVc.getAll()).length > 0) return
  const { received } = await receiveWithCredo(1)
  for (const { record } of received.credentials) {
    if (record.type === 'SdJwtVcRecord') await credo.agent.sdJwtVc.store({ record })
  }
}

describe('the holder of Credo-TS', () => {
  test('receives a batch from our issuer, by tx_code, attestation and DPoP', async () => {
    const { token, received } = await receiveWithCredo(3)

    expect(token.accessTokenResponse.token_type).toBe('DPoP')
    expect(received.credentials).toHaveLength(1)
    const [{ record } = { record: undefined }] = received.credentials
    expect(record?.type).toBe('SdJwtVcRecord')
  })
})

/** Credo answers a request, as far as its holder takes part. */
async function presentWithCredo(requestUrl: string) {
  await holdRole()
  const resolved = await holder.resolveOpenId4VpAuthorizationRequest(requestUrl)
  if (resolved.dcql === undefined) throw new Error('Credo found no query.')
  const credentials = holder.selectCredentialsForDcqlRequest(resolved.dcql.queryResult)
  const { authorizationRequestPayload } = resolved
  const { serverResponse } = await holder.acceptOpenId4VpAuthorizationRequest({
    authorizationRequestPayload,
    dcql: { credentials },
  })
  return { resolved, status: serverResponse?.status }
}

// Of the prefixes that its holder knows: `origin` belongs to the browser's API, which is out of scope here.
const CREDO_PREFIXES = ['x509_hash', 'x509_san_dns', 'redirect_uri', 'decentralized_identifier'] as const
const CREDO_MODES = ['direct_post.jwt', 'direct_post'] as const

describe('the holder of Credo-TS at our verifier', () => {
  test.each(CREDO_PREFIXES.flatMap((prefix) => CREDO_MODES.map((mode) => [prefix, mode] as const)))(
    'presents by %s, %s',
    async (prefix, responseMode) => {
      const [asking, prefixed] =
        prefix === 'decentralized_identifier' ? [didApi, {}] : [api, { clientIdPrefix: prefix }]
      const { requestUrl, transactionId } = await asking.verifier.startTransaction({
        query: roleQuery(issuer.vct),
        ...prefixed,
        responseMode,
        crossDevice: true,
      })

      const { status, resolved } = await presentWithCredo(requestUrl)

      expect(status, asking.lines.join('\n')).toBe(200)
      expect(resolved.verifier.clientIdPrefix).toBe(prefix)
      expect(await asking.verifier.redeemResult({ transactionId })).toMatchObject({
        status: 'answered',
        presentation: { credentials: [{ claims: { role: 'Manager', region: 'EU' } }] },
      })
    },
  )
})

/** Credo as an issuer: a fresh offer, with its Transaction Code. */
async function offerOfCredo() {
  const { issuerId } = await credoIssuer.createIssuer({
    batchCredentialIssuance: { batchSize: 3 },
    dpopSigningAlgValuesSupported: ['ES256'],
    credentialConfigurationsSupported: {
      'agent-role': {
        format: 'dc+sd-jwt',
        vct: CREDO_VCT,
        scope: 'agent-role',
        cryptographic_binding_methods_supported: ['jwk'],
        credential_signing_alg_values_supported: ['ES256'],
        proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
      },
    },
  })
  const { credentialOffer, issuanceSession } = await credoIssuer.createCredentialOffer({
    issuerId,
    credentialConfigurationIds: ['agent-role'],
    preAuthorizedCodeFlowConfig: { txCode: { input_mode: 'numeric', length: 6 } },
    authorization: { requireWalletAttestation: true, requireDpop: true },
    version: 'v1',
  })
  const credentialIssuer = `${credo.origin}/issuer/${issuerId}`
  return { credentialIssuer, credentialOffer, txCode: issuanceSession.userPin }
}

/** Credo as a verifier: a fresh request. */
async function requestOfCredo() {
  const { verifierId } = await credoVerifier.createVerifier()
  return credoVerifier.createAuthorizationRequest({
    verifierId,
    requestSigner: { method: 'x5c', x5c: credo.x5c, clientIdPrefix: 'x509_san_dns' },
    responseMode: 'direct_post.jwt',
    version: 'v1',
    dcql: {
      query: {
        credentials: [
          {
            id: 'role_cred',
            format: 'dc+sd-jwt',
            meta: { vct_values: [CREDO_VCT] },
            claims: [{ path: ['role'] }, { path: ['region'] }],
          },
        ],
      },
    },
  })
}

/** Our wallet with a batch of Credo's credentials. */
async function holdingWallet(requestAudience: 'static' | 'request-uri') {
  const { credentialIssuer, credentialOffer, txCode } = await offerOfCredo()
  const { anchors } = credo.signing
  const { wallet, lines } = createOurWallet({
    provider: issuer.provider,
    issuers: [{ credentialIssuer, vcts: [CREDO_VCT], anchors, copies: 3 }],
    verifiers: [{ clientId: 'x509_san_dns:localhost', origin: credo.origin, anchors, requestAudience }],
  })
  const reply = await wallet.receive(AGENT, credentialOffer, txCode)
  if (reply.outcome !== 'stored') throw new Error(lines.join('\n'))
  return { wallet, lines }
}

describe('our wallet at Credo-TS', () => {
  test('receives a batch from its issuer by tx_code, attestation and DPoP, and presents to its verifier', async () => {
    const { wallet, lines } = await holdingWallet('request-uri')
    const { authorizationRequest, verificationSession } = await requestOfCredo()

    const reply = await wallet.present(AGENT, authorizationRequest)

    expect(reply, lines.join('\n')).toMatchObject({ outcome: 'delivered' })
    const { dcql } = await credoVerifier.getVerifiedAuthorizationResponse(verificationSession.id)
    const [presentation] = dcql?.presentations['role_cred'] ?? []
    expect(presentation).toMatchObject({ prettyClaims: { role: 'Manager', region: 'EU' } })
    expect(presentation).not.toHaveProperty('prettyClaims.birth_date')
  })

  // OpenID4VP 1.0, section 5.8: `aud` is the wallet's issuer, or https://self-issued.me/v2. Credo sends its own
  // request_uri, so a wallet takes that only from a verifier it was told about.
  test('refuses a request made out to the request_uri unless the verifier is known for it', async () => {
    const { wallet, lines } = await holdingWallet('static')
    const { authorizationRequest } = await requestOfCredo()

    expect(await wallet.present(AGENT, authorizationRequest)).toMatchObject({ outcome: 'refused' })
    expect(lines.at(-1)).toContain('"code":"aud"')
  })
})

describe('the holder of Credo-TS by the authorization code flow', () => {
  test('PAR, approval, code, DPoP, a batch', async () => {
    const redirectUri = 'https://wallet.example/callback'
    const { uri } = await issuer.offer({ grant: 'authorization_code' })
    const resolvedCredentialOffer = await holder.resolveCredentialOffer(uri)
    const walletAttestationJwt = await attestCredo()
    const begun = await holder.resolveOpenId4VciAuthorizationRequest(resolvedCredentialOffer, {
      clientId: CLIENT,
      redirectUri,
      walletAttestationJwt,
      scope: scopesOf(resolvedCredentialOffer),
    })
    if (begun.authorizationFlow === 'PresentationDuringIssuance') throw new Error('Nobody asked for that.')
    const approval = { agent: AGENT, decision: 'approve' } as const
    const { fetch } = createPeerFetch()
    const authorizationResponseRedirectUrl = await approveInBrowser(
      begun.authorizationRequestUrl,
      approval,
      fetch,
    )
    const { authorizationCode: code } = holder.parseAuthorizationCodeFromAuthorizationResponse({
      authorizationResponseRedirectUrl,
      resolvedCredentialOffer,
    })
    const token = await holder.requestToken({
      resolvedCredentialOffer,
      code,
      clientId: CLIENT,
      redirectUri,
      walletAttestationJwt,
      ...(begun.codeVerifier === undefined ? {} : { codeVerifier: begun.codeVerifier }),
      ...(begun.dpop === undefined ? {} : { dpop: begun.dpop }),
    })
    const received = await requestWithCredo(resolvedCredentialOffer, token, 3)

    expect(begun.authorizationRequestUrl).toContain('request_uri=')
    expect(token.accessTokenResponse.token_type).toBe('DPoP')
    expect(received.credentials).toHaveLength(1)
  })
})
