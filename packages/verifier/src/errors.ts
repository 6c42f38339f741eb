/**
 * Every reason for which a presentation is refused, and every code of a guarded route's problem body.
 *
 * Reasons are for logs and the verifier's own operators; on the wire a refused presentation is one uniform
 * error. Problem codes are for programs on the other side and never change their meaning.
 *
 * Source: OpenID4VP 1.0, section 8.6; RFC 9457; requirements/verifier.md, Errors.
 *
 * @module
 */
import { VerificationError } from '@attache/core'

/** Statuses of the protocol endpoints by error code; what is not listed answers 400. */
export const VERIFIER_STATUSES = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  access_denied: 400,
  insufficient_authorization: 401,
  unsupported_media_type: 415,
  request_too_large: 413,
  not_found: 404,
  session_mismatch: 403,
} as const

/** Why a presentation was refused; logged, never sent. */
export const PRESENTATION_REASONS = {
  unknown_transaction: 'The response answers no transaction that is open here.',
  transaction_expired: 'The transaction ended before the response came.',
  transaction_consumed: 'The transaction was answered before.',
  state_mismatch: 'The state belongs to another transaction.',
  response_malformed: 'The response cannot be read.',
  response_code_invalid: 'The response code is absent, another one, or was used.',
  encryption_required: 'Presentations came in the clear though encryption was asked for.',
  decryption_failed: 'The response cannot be decrypted with the key of this transaction.',
  jwe_header_rejected: 'The response is encrypted otherwise than asked.',
  vp_token_malformed: 'The vp_token cannot be read.',
  unknown_credential_id: 'The vp_token answers a query that was not asked.',
  too_many_presentations: 'The vp_token holds more presentations than asked.',
  query_unsatisfied: 'A required credential query has no valid answer.',
  credential_set_unsatisfied: 'A required credential set has no complete option.',
  limits: 'The presentation exceeds a limit.',
  sdjwt_malformed: 'The presentation is no SD-JWT.',
  issuer_alg_rejected: 'The credential is signed with an algorithm that is not accepted.',
  issuer_signature_invalid: 'The signature of the issuer does not hold.',
  issuer_untrusted: 'No configured trust covers the issuer for this type.',
  typ_rejected: 'The credential is not of type dc+sd-jwt.',
  credential_malformed: 'The credential breaks a rule of its format.',
  sd_alg_rejected: 'The credential uses a hash algorithm that is not accepted.',
  disclosure_invalid: 'A disclosure is malformed or stands in the wrong place.',
  disclosure_unreferenced: 'A disclosure belongs to no digest, or is sent twice.',
  digest_duplicate: 'A digest occurs twice.',
  protected_claim_disclosed: 'A claim that must be visible came in a disclosure.',
  credential_expired: 'The credential has expired.',
  credential_not_yet_valid: 'The credential is not valid yet.',
  kb_missing: 'Holder binding is required and the proof or the bound key is missing.',
  kb_typ: 'The key binding proof has another type.',
  kb_alg: 'The key binding proof is signed with an algorithm that is not accepted.',
  kb_signature_invalid: 'The key binding proof is not signed by the bound key.',
  kb_iat_out_of_window: 'The key binding proof is too old or from the future.',
  kb_nonce_mismatch: 'The key binding proof answers another request.',
  kb_aud_mismatch: 'The key binding proof was made for another verifier.',
  kb_sd_hash_mismatch: 'The key binding proof covers other disclosures.',
  kb_malformed: 'The key binding proof cannot be read.',
  vct_mismatch: 'The credential is of another type than asked for.',
  format_mismatch: 'The presentation is of another format than asked for.',
  holder_binding_missing: 'The credential is not bound to a holder.',
  authority_mismatch: 'The credential does not come from an authority that was asked for.',
  claim_missing: 'A claim that was asked for is not there.',
  value_mismatch: 'A claim has none of the values that were asked for.',
  status_invalid: 'The credential was revoked or suspended.',
  status_unavailable: 'The status of the credential cannot be learned now.',
  td_missing: 'A transaction data entry is covered by no presentation.',
  td_ambiguous: 'A transaction data entry is covered under two queries.',
  td_hash_mismatch: 'A transaction data hash fits no entry.',
  td_malformed: 'The transaction data members of the key binding proof are malformed.',
} as const

/** One of the reasons of {@link PRESENTATION_REASONS}. */
export type PresentationReason = keyof typeof PRESENTATION_REASONS

/** Makes the refusal for a reason, with its sentence. */
export function refusedPresentation(reason: PresentationReason, cause?: unknown): VerificationError {
  return new VerificationError(reason, PRESENTATION_REASONS[reason], cause === undefined ? {} : { cause })
}

// The rooms below speak of any SD-JWT, JWS or certificate; here their codes become reasons.
const REASON_OF: ReadonlyMap<string, PresentationReason> = new Map([
  ['sd_jwt_malformed', 'sdjwt_malformed'],
  ['sd_jwt_json_serialization', 'sdjwt_malformed'],
  ['jws_malformed', 'sdjwt_malformed'],
  ['sd_jwt_too_large', 'limits'],
  ['jws_too_large', 'limits'],
  ['disclosures_too_many', 'limits'],
  ['digests_too_many', 'limits'],
  ['sd_jwt_too_deep', 'limits'],
  ['jws_typ', 'typ_rejected'],
  ['jws_algorithm', 'issuer_alg_rejected'],
  ['jws_key_mismatch', 'issuer_alg_rejected'],
  ['jws_crit', 'credential_malformed'],
  ['jws_signature', 'issuer_signature_invalid'],
  ['issuer_not_trusted', 'issuer_untrusted'],
  ['issuer_malformed', 'credential_malformed'],
  ['sd_alg_refused', 'sd_alg_rejected'],
  ['sd_alg_misplaced', 'sd_alg_rejected'],
  ['disclosure_malformed', 'disclosure_invalid'],
  ['disclosure_kind', 'disclosure_invalid'],
  ['claim_name_reserved', 'disclosure_invalid'],
  ['claim_name_taken', 'disclosure_invalid'],
  ['digest_placement', 'disclosure_invalid'],
  ['disclosure_repeated', 'disclosure_unreferenced'],
  ['disclosure_unreferenced', 'disclosure_unreferenced'],
  ['digest_repeated', 'digest_duplicate'],
  ['claim_not_disclosable', 'protected_claim_disclosed'],
  ['jwt_expired', 'credential_expired'],
  ['jwt_not_yet_valid', 'credential_not_yet_valid'],
  ['jwt_issued_in_future', 'credential_not_yet_valid'],
  ['vct_not_accepted', 'vct_mismatch'],
  ['status_suspended', 'status_invalid'],
  ['status_not_valid', 'status_invalid'],
  ['status_malformed', 'credential_malformed'],
  ['key_binding_missing', 'kb_missing'],
  ['key_binding_no_key', 'kb_missing'],
  ['cnf_remote_key', 'kb_missing'],
  ['key_binding_type', 'kb_typ'],
  ['key_binding_algorithm', 'kb_alg'],
  ['key_binding_signature', 'kb_signature_invalid'],
  ['key_binding_times', 'kb_iat_out_of_window'],
  ['key_binding_audience_mismatch', 'kb_aud_mismatch'],
  ['key_binding_nonce_mismatch', 'kb_nonce_mismatch'],
  ['key_binding_hash_mismatch', 'kb_sd_hash_mismatch'],
  ['key_binding_malformed', 'kb_malformed'],
  ['key_binding_crit', 'kb_malformed'],
])

/**
 * The reason behind a failed check of a room below.
 *
 * @returns Nothing for a fault, which is nobody's presentation and must not be answered as one.
 */
export function reasonOf(error: unknown): PresentationReason | undefined {
  if (!(error instanceof VerificationError)) return undefined
  if (isPresentationReason(error.code)) return error.code
  const known = REASON_OF.get(error.code)
  if (known !== undefined) return known
  if (/^(certificate_|anchor_|issuer_)/.test(error.code)) return 'issuer_untrusted'
  if (error.code.startsWith('status_')) return 'status_unavailable'
  return 'credential_malformed'
}

/** Whether a text is one of the reasons. */
export function isPresentationReason(code: string): code is PresentationReason {
  return Object.hasOwn(PRESENTATION_REASONS, code)
}

/** Problem codes of a guarded route, each with its title, its status and what to do about it. */
export const PROBLEMS = {
  token_missing: {
    status: 401,
    title: 'An access token is needed',
    hint: 'Present for the scope at the authorization server of resource_metadata, then send its token.',
  },
  token_invalid: {
    status: 401,
    title: 'The access token is not accepted',
    hint: 'Present again, and send the new token to this origin alone.',
  },
  proof_invalid: {
    status: 401,
    title: 'The DPoP proof is not accepted',
    hint: 'Make a new DPoP proof for this method, URL and token, by the key of the token.',
  },
  proof_nonce_needed: {
    status: 401,
    title: 'The DPoP proof needs a nonce of this server',
    hint: 'Put the value of DPoP-Nonce into the next proof.',
  },
  signature_invalid: {
    status: 401,
    title: 'The request is not signed as this route asks',
    hint: 'Sign the request as Accept-Signature says, by the key of the token.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is larger than this route verifies',
    hint: 'Send a smaller body.',
  },
  body_too_slow: {
    status: 408,
    title: 'The body took too long',
    hint: 'Send the body at once.',
  },
  request_malformed: {
    status: 400,
    title: 'The request cannot be read',
    hint: 'Send one token in the Authorization field, to a plain path, without method override.',
  },
  credential_revoked: {
    status: 401,
    title: 'The credential behind the token is no longer valid',
    hint: 'Ask the issuer why. If there is a newer credential, present that one.',
  },
  credential_expired: {
    status: 401,
    title: 'The credential behind the token has expired',
    hint: 'Renew the credential, then present it.',
  },
  status_unavailable: {
    status: 403,
    title: 'The status of the credential cannot be learned now',
    hint: 'Try again later. The issuer of the credential does not answer for its status.',
  },
  keys_unavailable: {
    status: 403,
    title: 'The keys of the issuer cannot be learned now',
    hint: 'Try again later. The issuer of the token does not show its keys.',
  },
  step_up_needed: {
    status: 401,
    title: 'A fresher or stronger presentation is needed',
    hint: 'Present again, in the way that acr_values and max_age ask for.',
  },
  scope_insufficient: {
    status: 403,
    title: 'The access token grants another scope',
    hint: 'Present for the scope named here.',
  },
  decision_denied: {
    status: 403,
    title: 'The credential does not allow this',
    hint: 'Another credential may do: see which claims are missing or do not suffice.',
  },
  decision_failed: {
    status: 403,
    title: 'No decision could be made',
    hint: 'Tell whoever runs this API the transaction id.',
  },
} as const

/** One of the codes of {@link PROBLEMS}. */
export type ProblemCode = keyof typeof PROBLEMS

/** Whether a text is one of the problem codes. */
export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code)
}

/** The problem that an error of the token or of its proof is, on a guarded route. */
export function tokenProblem(code: string): ProblemCode {
  switch (code) {
    case 'token_missing':
    case 'keys_unavailable':
      return code
    case 'invalid_dpop_proof':
      return 'proof_invalid'
    case 'use_dpop_nonce':
      return 'proof_nonce_needed'
    case 'insufficient_scope':
      return 'scope_insufficient'
    case 'invalid_request':
      return 'request_malformed'
    case 'invalid_signature':
      return 'signature_invalid'
    case 'request_too_large':
      return 'body_too_large'
    case 'request_timed_out':
      return 'body_too_slow'
    default:
      return 'token_invalid'
  }
}
