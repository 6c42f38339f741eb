/**
 * What has to be known about a server before a client authenticates there with an attestation.
 *
 * Source: attestation-based client authentication -11, sections 6.3 and 8; HAIP 1.0, section 4.4.1.
 *
 * @module
 */
import { parseJson, VerificationError } from '@attache/core'
import { type AuthorizationServerMetadata, parseChallengeResponse } from '@attache/oauth'
import type { AuthorizationServerCallDeps } from './authorization-server-call.js'
import type { ClientInstance } from './client-instance.js'

/**
 * Refuses a server that says it takes other client authentication; one that says nothing is tried.
 *
 * @throws {VerificationError} `client_auth`
 */
export function requireAttestationSupport(server: AuthorizationServerMetadata): void {
  const lists = [
    { values: server.tokenEndpointAuthMethodsSupported, wanted: 'attest_jwt_client_auth' },
    { values: server.clientAttestationSigningAlgValuesSupported, wanted: 'ES256' },
    { values: server.clientAttestationPopSigningAlgValuesSupported, wanted: 'ES256' },
    { values: server.dpopSigningAlgValuesSupported, wanted: 'ES256' },
  ]
  const missing = lists.find(({ values, wanted }) => values !== undefined && !values.includes(wanted))
  if (missing === undefined) return
  throw new VerificationError('client_auth', `The authorization server does not take ${missing.wanted}.`)
}

/**
 * Fetches an attestation challenge where the server hands them out. One that does not is not asked.
 *
 * @throws {VerificationError} `client_auth`: the endpoint gave no challenge.
 */
export async function refreshChallenge(
  client: ClientInstance,
  server: AuthorizationServerMetadata,
  deps: AuthorizationServerCallDeps,
): Promise<void> {
  const { challengeEndpoint } = server
  if (challengeEndpoint === undefined) return
  const response = await deps.fetch(challengeEndpoint, {
    method: 'POST',
    headers: { accept: 'application/json' },
  })
  deps.memory.nonces(client.agent, 'authorization-server').note(challengeEndpoint, response.headers)
  const parsed = parseJson(await response.text())
  if (response.status !== 200 || !parsed.ok) {
    throw new VerificationError('client_auth', 'The challenge endpoint gave no attestation challenge.')
  }
  deps.memory.setChallenge(client.agent, client.authorizationServer, parseChallengeResponse(parsed.value))
}
