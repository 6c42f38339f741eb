/**
 * A plain OAuth client that an attester vouches for: `oauth4webapi` with one more way to authenticate.
 *
 * The library knows no attestation; it lets its host add headers, and the PoP is made with `jose`.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { systemClock } from '@attache/core'
import { parsePublicJwk, type Signer } from '@attache/keys'
import { createClientAttestation } from '@attache/oauth'
import { exportJWK, SignJWT } from 'jose'
import { type ClientAuth, generateKeyPair } from 'oauth4webapi'

/**
 * Makes the client authentication of one instance.
 *
 * @param attester Key of the wallet provider that the server trusts.
 */
export async function attestedBy(attester: Signer, clientId: string): Promise<ClientAuth> {
  const instance = await generateKeyPair('ES256', { extractable: true })
  const instanceKey = parsePublicJwk(await exportJWK(instance.publicKey))
  const now = systemClock()
  const attestation = await createClientAttestation(
    { clientId, instanceKey, expiresAt: now + 3600 },
    attester,
    now,
  )
  return async (server, client, body, headers) => {
    const pop = await new SignJWT({ jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', typ: 'oauth-client-attestation-pop+jwt' })
      .setIssuer(client.client_id)
      .setAudience(server.issuer)
      .setIssuedAt()
      .sign(instance.privateKey)
    body.set('client_id', client.client_id)
    headers.set('OAuth-Client-Attestation', attestation)
    headers.set('OAuth-Client-Attestation-PoP', pop)
  }
}
