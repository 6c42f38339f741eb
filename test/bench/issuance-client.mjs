/**
 * The wallet's half of an issuance, as little as an issuer accepts: token, nonce, credential.
 *
 * @module
 */
import { systemClock, systemRandom } from '@attache/core'
import { createClientAttestation, createClientAttestationPop, createDpopProof } from '@attache/oauth'
import { createKeyProof, PRE_AUTHORIZED_CODE_GRANT, parseCredentialOfferUri } from '@attache/openid4vci'
import { freshSigner, signerOf } from './certificates.mjs'
import { FORM, jsonOf } from './http-client.mjs'

const CLIENT_ID = 'https://wallet.example/agents'

/** Keys of one wallet, made once; the holder's key is made anew for each credential. */
export async function createIssuanceWallet(provider) {
  const instance = freshSigner()
  const now = systemClock()
  const statement = {
    clientId: CLIENT_ID,
    instanceKey: instance.publicJwk,
    expiresAt: now + 3600,
    issuer: 'https://provider.example',
  }
  const attestation = await createClientAttestation(statement, signerOf(provider), now)
  return { instance, attestation, dpop: freshSigner() }
}

/**
 * Takes one offer to its credential.
 *
 * @param {{ uri?: string, code?: string, txCode: string }} offer By value, or its code.
 * @returns {Promise<string>} The credential.
 */
export async function receive(offer, { wallet, server, client }) {
  const code =
    offer.code ?? parseCredentialOfferUri(offer.uri).offer.grants.preAuthorizedCode.preAuthorizedCode
  const facts = { now: systemClock(), random: systemRandom }
  const statement = { audience: server.credentialIssuer, clientId: CLIENT_ID }
  const form = new URLSearchParams({
    grant_type: PRE_AUTHORIZED_CODE_GRANT,
    'pre-authorized_code': code,
    tx_code: offer.txCode,
    client_id: CLIENT_ID,
  })
  const token = jsonOf(
    await client.send(server.token, {
      method: 'POST',
      headers: {
        ...FORM,
        'OAuth-Client-Attestation': wallet.attestation,
        'OAuth-Client-Attestation-PoP': await createClientAttestationPop(statement, wallet.instance, facts),
        DPoP: await createDpopProof({ method: 'POST', url: server.token }, wallet.dpop, facts),
      },
      body: form.toString(),
    }),
  )
  const { c_nonce: nonce } = jsonOf(await client.send(server.nonce, { method: 'POST', body: '' }))
  const proof = await createKeyProof(
    { audience: server.credentialIssuer, nonce, clientId: CLIENT_ID },
    freshSigner(),
    systemClock(),
  )
  const accessToken = token.access_token
  const asked = { method: 'POST', url: server.credential, accessToken }
  const answer = await client.send(server.credential, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Authorization: `DPoP ${accessToken}`,
      DPoP: await createDpopProof(asked, wallet.dpop, facts),
    },
    body: JSON.stringify({ credential_configuration_id: 'agent-role', proofs: { jwt: [proof] } }),
  })
  return jsonOf(answer).credentials[0].credential
}
