import { systemClock } from '@attache/core'
import { parsePublicJwk } from '@attache/keys'
import { createClientAttestation } from '@attache/oauth'
import { clientAuthenticationClientAttestationJwt, type JwtSignerJwk } from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { afterAll, describe, expect, test } from 'vitest'
import { approveInBrowser } from './approve-in-browser.js'
import { createPeerKeys } from './openid4vc-callbacks.js'
import { AGENT, CONFIGURATION, type ServedIssuer, serveIssuer } from './our-issuer.js'
import { createPeerFetch } from './peer-fetch.js'
import { readCredential } from './read-credential.js'

const CLIENT = 'https://wallet.example/agents'
const open: ServedIssuer[] = []
afterAll(async () => {
  for (const one of open) await one.close()
})

async function meet(options: Parameters<typeof serveIssuer>[0] = {}) {
  const ours = await serveIssuer(options)
  open.push(ours)
  const network = createPeerFetch()
  const keys = createPeerKeys(network.fetch)
  const instance = await keys.create()
  const statement = {
    clientId: CLIENT,
    instanceKey: parsePublicJwk(keys.publicJwk(instance)),
    expiresAt: systemClock() + 3600,
    issuer: 'https://provider.example',
  }
  const callbacks = {
    ...keys.callbacks,
    clientAuthentication: clientAuthenticationClientAttestationJwt({
      callbacks: keys.callbacks,
      clientAttestationJwt: await createClientAttestation(statement, ours.provider.signer, systemClock()),
    }),
  }
  return { ours, network, keys, client: new Openid4vciClient({ callbacks }) }
}

type Meeting = Awaited<ReturnType<typeof meet>>

/** Everything up to the token. */
async function obtainToken({ ours, client, keys }: Meeting, by: 'value' | 'reference' = 'value') {
  const created = await ours.offer({ by })
  const credentialOffer = await client.resolveCredentialOffer(created.uri)
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
  const txCode = created.txCode
  const { accessTokenResponse, dpop } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
    ...(txCode === undefined ? {} : { txCode }),
    dpop: { signer: await keys.create() },
  })
  if (dpop === undefined) throw new Error('The client made no DPoP proof.')
  return {
    credentialOffer,
    issuerMetadata,
    accessTokenResponse,
    dpop,
    accessToken: accessTokenResponse.access_token,
  }
}

/** Proofs of fresh keys, one per copy. */
async function prove({ client, keys }: Meeting, issuerMetadata: IssuerMetadata, copies: number) {
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata })
  const signers: JwtSignerJwk[] = []
  const jwts: string[] = []
  for (let copy = 0; copy < copies; copy += 1) {
    const signer = await keys.create()
    const proof = { issuerMetadata, signer, nonce, credentialConfigurationId: CONFIGURATION }
    jwts.push((await client.createCredentialRequestJwtProof(proof)).jwt)
    signers.push(signer)
  }
  return { signers, jwts }
}
type IssuerMetadata = Awaited<ReturnType<Openid4vciClient['resolveIssuerMetadata']>>

async function retrieve(meeting: Meeting, copies = 1) {
  const granted = await obtainToken(meeting)
  const { issuerMetadata, accessToken, dpop } = granted
  const { signers, jwts } = await prove(meeting, issuerMetadata, copies)
  const { credentialResponse } = await meeting.client.retrieveCredentials({
    issuerMetadata,
    accessToken,
    dpop,
    credentialConfigurationId: CONFIGURATION,
    proofs: { jwt: jwts },
  })
  const held = (credentialResponse.credentials ?? []).map(credentialText)
  return { ...granted, signers, credentialResponse, held }
}

function credentialText(entry: unknown): string {
  if (
    typeof entry === 'object' &&
    entry !== null &&
    'credential' in entry &&
    typeof entry.credential === 'string'
  ) {
    return entry.credential
  }
  throw new Error('An entry of credentials has no credential.')
}

describe('the client of @openid4vc/openid4vci at our issuer', () => {
  test('offer, tx_code, attestation, DPoP, nonce, credential', async () => {
    const meeting = await meet()
    const { ours, network, keys } = meeting

    const { held, signers, accessTokenResponse } = await retrieve(meeting)

    expect(accessTokenResponse).toMatchObject({ token_type: 'DPoP' })
    expect(held).toHaveLength(1)
    const [signer] = signers
    const claims = await readCredential(held[0] ?? '', ours.signing.authority.pem)
    expect(claims).toMatchObject({ vct: ours.vct, cnf: { jwk: signer && keys.publicJwk(signer) } })
    expect(claims).toMatchObject({ agent: AGENT, role: 'Manager', region: 'EU', birth_date: '1984-03-12' })
    expect(network.calls.filter(({ status }) => status >= 400)).toEqual([])
  })

  test('an offer by reference', async () => {
    const meeting = await meet()

    const { accessTokenResponse, credentialOffer } = await obtainToken(meeting, 'reference')

    expect(credentialOffer.credential_issuer).toBe(meeting.ours.credentialIssuer)
    expect(accessTokenResponse.token_type).toBe('DPoP')
  })

  test('a batch: one copy for each key, none linkable by what it discloses', async () => {
    const meeting = await meet({ batchSize: 5 })

    const { held, signers } = await retrieve(meeting, 3)

    const read = await Promise.all(held.map((one) => readCredential(one, meeting.ours.signing.authority.pem)))
    expect(read.map((claims) => claims['cnf'])).toEqual(
      signers.map((signer) => ({ jwk: meeting.keys.publicJwk(signer) })),
    )
    expect(new Set(held.flatMap((one) => one.split('~').slice(1, -1))).size).toBe(read.length * 8)
    expect(new Set(read.map((claims) => JSON.stringify(claims['status']))).size).toBe(3)
  })

  test('DPoP nonces of authorization server and issuer are answered', async () => {
    const meeting = await meet({ dpopNonces: true })

    const { held } = await retrieve(meeting)

    expect(held).toHaveLength(1)
    const refused = meeting.network.calls.filter(({ status }) => status >= 400)
    expect(refused.map(({ url, status }) => [new URL(url).pathname, status])).toEqual([
      ['/acme/token', 400],
      ['/acme/credential', 401],
    ])
  })

  test('a wrong tx_code is an invalid_grant that the client reads, and burns nothing', async () => {
    const meeting = await meet()
    const { client, keys, ours } = meeting
    const created = await ours.offer()
    const credentialOffer = await client.resolveCredentialOffer(created.uri)
    const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
    const dpop = { signer: await keys.create() }
    const txCode = created.txCode ?? ''
    const wrong = txCode === '000000' ? '000001' : '000000'
    const attempt = (code: string) =>
      client.retrievePreAuthorizedCodeAccessTokenFromOffer({
        credentialOffer,
        issuerMetadata,
        txCode: code,
        dpop,
      })

    await expect(attempt(wrong)).rejects.toMatchObject({ errorResponse: { error: 'invalid_grant' } })
    expect((await attempt(txCode)).accessTokenResponse.token_type).toBe('DPoP')
  })

  test('a trial issuer lets an anonymous client in', async () => {
    const ours = await serveIssuer({
      mode: 'base',
      clientAuthentication: { method: 'none', anonymousAccess: true },
    })
    open.push(ours)
    const network = createPeerFetch()
    const keys = createPeerKeys(network.fetch)
    const client = new Openid4vciClient({ callbacks: keys.callbacks })

    const { held } = await retrieve({ ours, network, keys, client })

    expect(held).toHaveLength(1)
  })

  test('a notification is taken', async () => {
    const meeting = await meet({ notifications: true })

    const { credentialResponse, issuerMetadata, accessToken, dpop } = await retrieve(meeting)
    const notificationId = credentialResponse.notification_id ?? ''
    const { response } = await meeting.client.sendNotification({
      issuerMetadata,
      accessToken,
      dpop,
      notification: { notificationId, event: 'credential_accepted' },
    })

    expect(response.status).toBe(204)
  })
})

describe('the client of @openid4vc/openid4vci by the authorization code flow', () => {
  const codeFlow = { grants: ['authorization_code'], batchSize: 3 } as const
  const redirectUri = 'https://wallet.example/callback'

  test('an offer, PAR, approval, code, credentials', async () => {
    const meeting = await meet(codeFlow)
    const { client, keys, ours, network } = meeting
    const { uri } = await ours.offer()
    const credentialOffer = await client.resolveCredentialOffer(uri)
    const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
    const signer = await keys.create()
    const begun = await client.initiateAuthorization({
      credentialOffer,
      issuerMetadata,
      clientId: CLIENT,
      redirectUri,
      scope: issuerMetadata.credentialIssuer.credential_configurations_supported[CONFIGURATION]?.scope ?? '',
      dpop: { signer },
    })
    if (begun.authorizationFlow === 'PresentationDuringIssuance') throw new Error('Nobody asked for that.')
    const approval = { agent: AGENT, decision: 'approve' } as const
    const url = await approveInBrowser(begun.authorizationRequestUrl, approval, network.fetch)
    const [authorizationServerMetadata] = issuerMetadata.authorizationServers
    if (authorizationServerMetadata === undefined) throw new Error('The issuer names no server.')
    const { code = '' } = client.parseAndVerifyAuthorizationResponseRedirectUrl({
      url,
      authorizationServerMetadata,
    })
    const granted = await client.retrieveAuthorizationCodeAccessTokenFromOffer({
      credentialOffer,
      issuerMetadata,
      authorizationCode: code,
      pkceCodeVerifier: begun.pkce?.codeVerifier ?? '',
      redirectUri,
      dpop: { signer },
    })
    const { jwts } = await prove(meeting, issuerMetadata, 3)
    const { credentialResponse } = await client.retrieveCredentials({
      issuerMetadata,
      accessToken: granted.accessTokenResponse.access_token,
      ...(granted.dpop === undefined ? {} : { dpop: granted.dpop }),
      credentialConfigurationId: CONFIGURATION,
      proofs: { jwt: jwts },
    })

    expect(begun.authorizationRequestUrl).toContain('request_uri=')
    expect(granted.accessTokenResponse.token_type).toBe('DPoP')
    expect(credentialResponse.credentials).toHaveLength(3)
  })
})
