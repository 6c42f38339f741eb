/**
 * A wallet that others wrote: `@openid4vc/*` with keys of its own.
 *
 * Receives from our issuer, and presents with the presentation half of `@sd-jwt/sd-jwt-vc`.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { systemClock } from '@attache/core'
import { parsePublicJwk } from '@attache/keys'
import { createClientAttestation } from '@attache/oauth'
import { clientAuthenticationClientAttestationJwt, type JwtSignerJwk } from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { createPeerKeys } from './openid4vc-callbacks.js'
import { CONFIGURATION, type ServedIssuer, serveIssuer } from './our-issuer.js'
import { createPeerFetch } from './peer-fetch.js'
import { closeAtEnd } from './world.js'

/** OAuth client identifier of the wallet. */
export const CLIENT = 'https://wallet.example/agents'

/** A wallet and the issuer it gets its credentials from. */
export async function meet(options: Parameters<typeof serveIssuer>[0] = {}) {
  return meetIssuer(closeAtEnd(await serveIssuer(options)))
}

async function meetIssuer(ours: ServedIssuer) {
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

export type Meeting = Awaited<ReturnType<typeof meet>>

/** Everything up to the token. */
export async function obtainToken({ ours, client, keys }: Meeting, by: 'value' | 'reference' = 'value') {
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
export async function prove({ client, keys }: Meeting, issuerMetadata: IssuerMetadata, copies: number) {
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

/** The whole way from offer to credentials. */
export async function retrieve(meeting: Meeting, copies = 1) {
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

/** A credential and the key it is bound to. */
export interface HeldByPeer {
  readonly credential: string
  readonly holder: JwtSignerJwk
}

/** Receives one credential. */
export async function receiveOne(meeting: Meeting): Promise<HeldByPeer> {
  const { held, signers } = await retrieve(meeting)
  const [credential, holder] = [held[0], signers[0]]
  if (credential === undefined || holder === undefined) throw new Error('The wallet got nothing.')
  return { credential, holder }
}

/** What a presentation is bent by, to be refused. */
export interface Bending {
  readonly nonce?: string
  readonly audience?: string
  readonly holder?: JwtSignerJwk
}

/** Resolves a request as the library does. */
export async function resolveRequest({ keys }: Pick<Meeting, 'keys'>, requestUrl: string) {
  const client = new Openid4vpClient({ callbacks: keys.callbacks })
  const parsed = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: requestUrl })
  if (parsed.type === 'openid4vp_dc_api') throw new Error('There is no browser here.')
  return client.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: parsed.params })
}

/** Answers a request for role and region, as far as the library takes part. */
export async function presentRole(
  meeting: Pick<Meeting, 'keys'>,
  facts: HeldByPeer & { readonly requestUrl: string; readonly bend?: Bending },
): Promise<Response> {
  const { keys } = meeting
  const client = new Openid4vpClient({ callbacks: keys.callbacks })
  const { authorizationRequestPayload: request, client: verifier } = await resolveRequest(
    meeting,
    facts.requestUrl,
  )
  if (!('client_id' in request) || !('response_uri' in request)) throw new Error('There is no response_uri.')
  const { bend = {} } = facts
  const presentation = await bindRole(keys, {
    credential: facts.credential,
    holder: bend.holder ?? facts.holder,
    audience: bend.audience ?? verifier.effective,
    nonce: bend.nonce ?? request.nonce,
  })
  const encrypted = request.response_mode === 'direct_post.jwt'
  const answer = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request,
    authorizationResponsePayload: { vp_token: { role_cred: [presentation] } },
    ...(encrypted ? { jarm: ENCRYPTION } : {}),
  })
  const { response } = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: { response_uri: String(request.response_uri) },
    authorizationResponsePayload: answer.authorizationResponsePayload,
    ...(answer.jarm === undefined ? {} : { jarm: answer.jarm }),
  })
  return response
}

const ENCRYPTION = {
  encryption: { nonce: '' },
  serverMetadata: {
    authorization_signing_alg_values_supported: [],
    authorization_encryption_alg_values_supported: ['ECDH-ES'],
    authorization_encryption_enc_values_supported: ['A256GCM'],
  },
}

/** Discloses role and region, bound as told. */
export async function bindRole(
  keys: Meeting['keys'],
  facts: HeldByPeer & { readonly audience: string; readonly nonce: string },
): Promise<string> {
  const library = new SDJwtVcInstance({
    hasher: (data, algorithm) =>
      createHash(algorithm.replace('-', ''))
        .update(typeof data === 'string' ? data : new Uint8Array(data))
        .digest(),
    kbSignAlg: 'ES256',
    kbSigner: (data) => keys.sign(facts.holder, data),
  })
  const payload = { iat: systemClock(), aud: facts.audience, nonce: facts.nonce }
  return library.present(facts.credential, { role: true, region: true }, { kb: { payload } })
}
