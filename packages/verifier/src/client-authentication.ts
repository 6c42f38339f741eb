/**
 * Who calls the challenge and token endpoints: an attested client instance and the DPoP key of its flow.
 *
 * Both are checked on every request; that a proof is new is one store step, taken together with the step
 * that the request is about.
 *
 * Source: attestation-based client authentication -11, section 7; RFC 9449, sections 4.3 and 5.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type StoreStep } from '@attache/core'
import type { KeyPool } from '@attache/keys'
import {
  type AttestedClient,
  CLIENT_ATTESTATION_HEADER,
  CLIENT_ATTESTATION_POP_HEADER,
  type DpopProof,
  type FormParameters,
  refuseSecondAuthentication,
  rememberPop,
  rememberProof,
  type ServerNonces,
  verifyClientAttestation,
  verifyDpopProof,
} from '@attache/oauth'
import type { Settings } from './settings.js'
import { shownCertificate } from './shown-certificate.js'

/** A caller whose attestation and proof hold. */
export interface AuthenticatedCaller {
  readonly client: AttestedClient
  readonly proof: DpopProof
  /** Of the client certificate that was shown, where the configuration says who may name it. */
  readonly certificateThumbprint: string | undefined
  /** Steps that record the one use of the proofs. */
  readonly remember: readonly StoreStep[]
}

/** What authenticating needs. */
export interface ClientAuthenticationDeps {
  readonly settings: Settings
  /** When given, proofs need a nonce of this server. */
  readonly serverNonces?: ServerNonces | undefined
  /** Keys of proofs, imported once. */
  readonly proofKeys?: KeyPool | undefined
}

/** Where this room's entries lie in a store. */
export const PLACE = { tenant: 'default', room: 'verifier' } as const

/**
 * Authenticates a caller.
 *
 * @param call.path Path of the endpoint; with the configured origin it is what the proof must name.
 * @throws {ProtocolError} `invalid_client`, `unauthorized_client`, `invalid_dpop_proof`, `use_dpop_nonce` and what the OAuth room adds.
 *
 * Source: attestation-based client authentication -11, section 7.
 */
export function authenticateCaller(
  call: { readonly headers: Headers; readonly path: string; readonly form: FormParameters },
  { settings, serverNonces, proofKeys: keys }: ClientAuthenticationDeps,
  now: NumericDate,
): AuthenticatedCaller {
  refuseSecondAuthentication({ form: call.form, authorization: call.headers.get('Authorization') })
  const { algorithms, walletAttesters, origin, allowedClients } = settings
  const target = { method: 'POST', url: `${origin}${call.path}`, algorithms, nonces: serverNonces, keys }
  const proof = verifyDpopProof(call.headers.get('DPoP'), target, now)
  const presented = {
    attestation: call.headers.get(CLIENT_ATTESTATION_HEADER),
    pop: call.headers.get(CLIENT_ATTESTATION_POP_HEADER),
    dpop: proof,
    clientId: call.form.get('client_id'),
  }
  const expected = { audience: origin, attesters: walletAttesters, algorithms, dpopCombined: true }
  const client = verifyClientAttestation(presented, expected, now)
  if (allowedClients !== 'any' && !allowedClients.includes(client.clientId)) {
    throw new ProtocolError('unauthorized_client', 'This client may not use this flow.')
  }
  const steps = client.pop === undefined ? [] : [rememberPop(client.pop, PLACE)]
  const certificateThumbprint = shownCertificate(call.headers, settings.clientCertificate)
  return { client, proof, certificateThumbprint, remember: [rememberProof(proof, PLACE), ...steps] }
}
