/**
 * Who makes a call to a guarded route: the token, and that its sender holds what it is bound to.
 *
 * Token first, then proof and certificate, then the signature where the route wants one; that proof and signature
 * are new is one store step, taken last, so that a refused call uses up nothing.
 *
 * Source: RFC 9449, section 7; RFC 8705, section 3; RFC 9421, section 3.2; requirements/sender-constraint.md,
 * HMS-P-08.
 *
 * @module
 */
import { type NumericDate, ProtocolError, type Store } from '@attache/core'
import type { KeyPool, PublicJwk } from '@attache/keys'
import {
  type AccessTokenClaims,
  type DpopProof,
  parsePresentedToken,
  rememberProof,
  rememberSignature,
  replayedProof,
  requireConfirmation,
  type ServerNonces,
  type VerifiedSignature,
  verifyAccessToken,
  verifyDpopProof,
} from '@attache/oauth'
import { verifyCallSignature } from './call-signature.js'
import { PLACE } from './client-authentication.js'
import type { ReadSigning } from './message-signing.js'
import type { Settings } from './settings.js'
import { shownCertificate } from './shown-certificate.js'

/** What authenticating a call needs. */
export interface AuthenticateCallDeps {
  readonly settings: Settings
  /** Keys that sign access tokens. */
  readonly tokenKeys: readonly PublicJwk[]
  /** When given, proofs need a nonce of this resource. */
  readonly resourceNonces?: ServerNonces | undefined
  /** Keys of proofs, imported once. */
  readonly proofKeys?: KeyPool | undefined
  readonly store: Pick<Store, 'commit'>
}

/** A call whose sender is known. */
export interface AuthenticatedCall {
  readonly token: AccessTokenClaims
  /** What the call's signature covers; absent where none was asked for. */
  readonly signedComponents: readonly string[] | undefined
}

/**
 * Authenticates a call.
 *
 * @param call.url As the client sees it.
 * @throws {ProtocolError} `token_missing`, `invalid_token`, `invalid_request`, `invalid_dpop_proof`,
 * `use_dpop_nonce`, `invalid_signature`, `request_too_large`, `request_timed_out`.
 *
 * Source: RFC 9449, section 7.1.
 */
export async function authenticateCall(
  call: {
    readonly request: Request
    readonly url: string
    readonly now: NumericDate
    readonly signing: ReadSigning
  },
  deps: AuthenticateCallDeps,
): Promise<AuthenticatedCall> {
  const { request, url, now, signing } = call
  const { token, proof } = verifyBoundToken({ request, url, now }, deps)
  const signature =
    signing.requests === undefined
      ? undefined
      : await verifyCallSignature({ request, url, key: proof?.publicJwk, now }, signing.requests)
  await rememberOnce(proof, signature, deps)
  return { token, signedComponents: signature?.covered }
}

function verifyBoundToken(
  { request, url, now }: { readonly request: Request; readonly url: string; readonly now: NumericDate },
  { settings, tokenKeys, resourceNonces, proofKeys: keys }: AuthenticateCallDeps,
): { readonly token: AccessTokenClaims; readonly proof: DpopProof | undefined } {
  const presented = parsePresentedToken(request.headers.get('Authorization'), request.url)
  if (presented === undefined) throw new ProtocolError('token_missing', 'Send an access token.')
  const { origin, algorithms } = settings
  const { accessToken, scheme } = presented
  const expected = { issuer: origin, audience: origin, keys: tokenKeys, algorithms }
  const token = verifyAccessToken(accessToken, expected, now)
  const certificateThumbprint = shownCertificate(request.headers, settings.clientCertificate)
  const { confirmation } = token
  // As Bearer goes what is bound to a certificate and to nothing else (RFC 9449, section 7.2).
  if (scheme === 'bearer') {
    requireConfirmation({ scheme, confirmation }, { certificateThumbprint })
    return { token, proof: undefined }
  }
  const target = { method: request.method, url, algorithms, accessToken, nonces: resourceNonces, keys }
  const proof = verifyDpopProof(request.headers.get('DPoP'), target, now)
  requireConfirmation({ scheme, confirmation }, { jkt: proof.jkt, certificateThumbprint })
  return { token, proof }
}

// Last: what fails another check must not use up the number of one that would hold.
async function rememberOnce(
  proof: DpopProof | undefined,
  signature: VerifiedSignature | undefined,
  { store }: AuthenticateCallDeps,
): Promise<void> {
  const steps = [
    ...(proof === undefined ? [] : [rememberProof(proof, PLACE)]),
    ...(signature === undefined ? [] : [rememberSignature(signature, PLACE)]),
  ]
  if (steps.length > 0 && !(await store.commit(steps))) throw replayedProof()
}
