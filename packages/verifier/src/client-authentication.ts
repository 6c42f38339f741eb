/**
 * Who calls the challenge and token endpoints: an attested client instance and the key or certificate of its flow.
 *
 * Both are checked on every request; that a proof is new is one store step, taken together with the step
 * that the request is about.
 *
 * Source: attestation-based client authentication -11, section 7; RFC 9449, sections 4.3 and 5; RFC 8705, section 3.
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
  /** Absent where a client certificate stands in for it. */
  readonly proof: DpopProof | undefined
  /** Of the client certificate that was shown, where the configuration says who may name it. */
  readonly certificateThumbprint: string | undefined
  /** What the flow is tied to from its first request to its token: see {@link bindingOf}. */
  readonly binding: string
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
 * Without a DPoP proof, a client certificate takes its place, where the configuration lets it.
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
  const certificateThumbprint = shownCertificate(call.headers, settings.clientCertificate)
  const dpop = call.headers.get('DPoP')
  const byCertificate =
    dpop === null &&
    settings.senderConstraint === 'dpop-or-certificate' &&
    certificateThumbprint !== undefined
  const proof = byCertificate ? undefined : verifyDpopProof(dpop, target, now)
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
  const remember = [...(proof === undefined ? [] : [rememberProof(proof, PLACE)]), ...steps]
  const binding = bindingOf(proof, certificateThumbprint)
  return { client, proof, certificateThumbprint, binding, remember }
}

/**
 * The thumbprint of the proof's key; without a proof, the certificate's under its own name, so that neither can be
 * taken for the other.
 */
function bindingOf(proof: DpopProof | undefined, certificateThumbprint: string | undefined): string {
  return proof?.jkt ?? `x5t#S256:${certificateThumbprint}`
}
