/**
 * Why an issuance ends: one table of codes, for the journal and for the operator.
 *
 * An abort means: nothing is stored, no further request is sent. The codes are those of the requirement
 * tables; what a lower room refused with a code of its own keeps it as the cause.
 *
 * Source: OpenID4VCI 1.0, sections 4 to 12; requirements/wallet-issuance.md.
 *
 * @module
 */
import { ProtocolError, VerificationError } from '@attache/core'
import { OAUTH_ERRORS } from '@attache/oauth'
import { ATTESTATION_FAILURES } from './attester-errors.js'

/** Code and sentence of every abort; adding one is compatible, renaming is not. */
export const ISSUANCE_ABORTS = {
  invalid_offer: 'The credential offer is malformed or cannot be fetched. Ask the issuer for a new one.',
  untrusted_issuer: 'The issuer is not configured. Add it to the trusted issuers first.',
  unknown_configuration: 'The offer names a credential that the issuer metadata does not.',
  unwanted_credential: 'The offer holds no credential type that is taken from this issuer.',
  as_mismatch: 'The offer names an authorization server that the issuer metadata does not.',
  no_as: 'No trusted authorization server of this issuer supports a usable grant.',
  no_scope: 'The credential has no scope, which the profile demands for this flow.',
  no_redirect_uri: 'The authorization code flow needs a redirect URI in the configuration.',
  metadata: 'The metadata is malformed, incomplete or cannot be fetched.',
  metadata_signature: 'The issuer metadata is not signed as the configuration demands.',
  issuer_mismatch: 'The metadata speaks for another identifier than the one it was fetched for.',
  client_auth: 'The authorization server does not accept this wallet as a client.',
  mix_up: 'The authorization response does not come from the server that was asked.',
  unknown_state: 'The authorization response belongs to no open request of this wallet.',
  not_sender_constrained: 'The token is not bound to our key.',
  token_response: 'The token response is malformed or does not fit the request.',
  invalid_grant: 'The code was not accepted. Ask the issuer for a new offer.',
  proof_type: 'The issuer takes no key proof that this wallet can make.',
  alg: 'The issuer takes no algorithm that this wallet signs with.',
  key_attestation: 'The issuer demands a key attestation that this wallet cannot give.',
  encryption: 'The message cannot be encrypted, or came unencrypted, against what was agreed.',
  response: 'The credential response is malformed or breaks a rule.',
  verification: 'A received credential failed a check.',
  wrong_type: 'A received credential is of another type than the one offered.',
  untrusted_credential: 'The signer of a received credential is not trusted for this issuer.',
  binding: 'A received credential is bound to a key that was not proven in this request.',
  missing_claim: 'A received credential lacks a claim that must be there.',
  status: 'A received credential is revoked or suspended.',
  credential_request_denied: 'The issuer denied the credential.',
  deferral_ended: 'The issuer did not issue the credential in time.',
  tx_code_attempts: 'The transaction code was wrong too often. Ask the issuer for a new offer.',
  offer_used: 'This offer was redeemed before.',
  agent_unknown: 'No agent of this name is configured.',
  agent_stopped: 'The kill switch of this agent is on.',
  ...ATTESTATION_FAILURES,
} as const

/** One of the codes of {@link ISSUANCE_ABORTS}. */
export type IssuanceAbort = keyof typeof ISSUANCE_ABORTS

/** Makes the error that ends an issuance, with the sentence of its code. */
export function abort(code: IssuanceAbort, cause?: unknown): VerificationError {
  return new VerificationError(code, ISSUANCE_ABORTS[code], cause === undefined ? {} : { cause })
}

/**
 * The error of an authorization server as it may stand in log, journal and reply: whoever calls the redirect URI
 * writes it, and any other word would pass for one of ours, or carry a text along.
 */
export function serverError(error: string): string {
  return Object.hasOwn(OAUTH_ERRORS, error) ? error : 'unknown_error'
}

/** Runs a check of a lower room; what it refuses becomes an abort of ours, the cause kept. */
export async function abortWith<T>(
  code: IssuanceAbort | ((cause: VerificationError | ProtocolError) => IssuanceAbort),
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof VerificationError) && !(cause instanceof ProtocolError)) throw cause
    if (Object.hasOwn(ISSUANCE_ABORTS, cause.code)) throw cause
    throw abort(typeof code === 'string' ? code : code(cause), cause)
  }
}
