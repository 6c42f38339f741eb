import { Openid4vciClient } from '@openid4vc/openid4vci'
import { afterAll, describe, expect, test } from 'vitest'
import { approveInBrowser } from './approve-in-browser.js'
import { createPeerKeys } from './openid4vc-callbacks.js'
import { CLIENT, meet, obtainToken, prove, retrieve } from './openid4vc-wallet.js'
import { AGENT, CONFIGURATION, serveIssuer } from './our-issuer.js'
import { createPeerFetch } from './peer-fetch.js'
import { readCredential } from './read-credential.js'
import { closeAll, closeAtEnd } from './world.js'

afterAll(closeAll)

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
    const ours = closeAtEnd(
      await serveIssuer({ mode: 'base', clientAuthentication: { method: 'none', anonymousAccess: true } }),
    )
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
