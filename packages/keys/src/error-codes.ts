/**
 * Every code this room refuses with, in one table for each of its two audiences.
 *
 * Adding a code is compatible, renaming one is not: audit trails and dashboards know them.
 *
 * @module
 */
import { configurationError, VerificationError } from '@attache/core'

/** Why something a peer sent, or something read back from a store, was refused. */
export const KEY_ERRORS = {
  anchor_not_found: 'The certificate chain ends at none of the anchors of the list that counts.',
  certificate_anchor_in_chain: 'The chain brings its own root.',
  certificate_chain_broken: 'A certificate of the chain was not signed by the next one.',
  certificate_chain_too_long: 'The chain has more than six certificates.',
  certificate_critical_extension: 'A certificate carries a restriction that is not understood here.',
  certificate_expired: 'A certificate of the path has expired.',
  certificate_extended_key_usage: 'The leaf lacks the extended key usage that was asked for.',
  certificate_key_usage: 'A certificate is used for something it was not issued for.',
  certificate_malformed: 'An entry of x5c is no DER certificate in standard base64.',
  certificate_not_ca: 'A certificate was signed by one that is no authority.',
  certificate_not_yet_valid: 'A certificate of the path is not valid yet.',
  certificate_path_length: 'The chain is longer than one of its authorities allows.',
  certificate_self_signed: 'The signing certificate is signed by itself.',
  certificate_weak: 'A certificate is signed with an algorithm that is not accepted.',
  issuer_identifier_invalid: 'The issuer is no https URL without query and fragment.',
  issuer_key_ambiguous: 'Several keys of the issuer match.',
  issuer_key_not_found: 'No key of the issuer matches, also after asking again.',
  issuer_keys_unavailable: 'The keys of the issuer cannot be fetched, and none young enough are kept.',
  issuer_mechanism_refused: 'The token brings its key by another way than the policy has for its issuer.',
  issuer_metadata_invalid: 'The metadata or keys of the issuer are not as the standard wants them.',
  issuer_not_bound: 'The certificate does not name the issuer of the token.',
  issuer_untrusted: 'The policy does not know the issuer.',
  jwe_decryption_failed: 'The message was changed, or is for another key.',
  jwe_header_rejected: 'The message is encrypted or compressed in a way that was not offered.',
  jwe_key_unknown: 'The message names no key of ours.',
  jwe_malformed: 'The message is no compact JWE with direct key agreement.',
  jwe_too_large: 'The message, or what it unfolds to, is too long.',
  jwk_malformed: 'The JWK does not describe a valid public key.',
  jwk_private_member: 'The JWK carries private or secret material.',
  jwk_type_refused: 'The key type or curve is not used here.',
  jwk_weak: 'The key is too weak (RSA size, Ed25519 point of small order), or too large to be reasonable.',
  jwks_malformed: 'The JWK Set is no object with an array of keys.',
  jws_algorithm: 'The algorithm of the token is not in the list that is accepted.',
  jws_crit: 'The token demands a header extension.',
  jws_key_mismatch: 'The algorithm of the token does not fit the key.',
  jws_malformed: 'The token is no compact JWS with JSON objects, strictly encoded.',
  jws_signature: 'The signature does not hold for the key.',
  jws_too_large: 'The token is too long.',
  jws_typ: 'The token is of another type.',
  jwt_expired: 'The token has expired.',
  jwt_issued_in_future: 'The token was issued in the future.',
  jwt_not_yet_valid: 'The token is not valid yet.',
  jwt_time_malformed: 'A time of the token is no NumericDate in seconds.',
  record_changed: 'A stored record was altered, or moved from where it belongs.',
  record_malformed: 'A stored record is not one that an envelope has written.',
  record_master_key_unknown: 'The master key of a stored record is missing.',
  record_version_unknown: 'A stored record was written by a newer release.',
} as const

/** Why a configuration, or a call of our own, was refused. */
export const KEY_CONFIGURATION_ERRORS = {
  algorithm_refused: 'The algorithm is not an asymmetric one used here, or does not fit its key.',
  anchor_malformed: 'A list of anchors holds something that is no CA certificate in PEM.',
  encryption_key_refused: 'A message was to be encrypted to a key that is not meant for it.',
  issuer_trust_invalid: 'The policy for an issuer could never hold.',
  jws_header_refused: 'A header was to be signed that nobody would accept.',
  master_keys_invalid: 'The master keys are none, too short, or share an id.',
  passphrase_parameters_invalid: 'The stored scrypt parameters are not ones that were made here.',
  passphrase_too_short: 'The passphrase has fewer than 12 characters.',
  private_key_malformed: 'A private key cannot be imported, or its halves differ.',
  seal_keys_invalid: 'The sealing keys are none, too short, or share an id.',
  self_signed: 'Our signing certificate is signed by itself.',
  x5c_anchor: 'Our certificate chain contains a root.',
  x5c_key_mismatch: 'Our certificate is not one of our signing key.',
  x5c_malformed: 'Our certificate chain is no list of base64 DER certificates.',
} as const

/** Makes the error for a failed check; the code has to be in the table. */
export function refusal(
  code: keyof typeof KEY_ERRORS,
  message: string,
  options: { readonly cause?: unknown } = {},
): VerificationError {
  return new VerificationError(code, message, options)
}

/** Makes the error for a wrong configuration; the code has to be in the table. */
export function misconfiguration(code: keyof typeof KEY_CONFIGURATION_ERRORS, message: string): TypeError {
  return configurationError(code, message)
}
