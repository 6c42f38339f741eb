/**
 * Every reason for which a credential, a presentation or a type document is refused, by stable code.
 *
 * The sentence beside a code is the whole message: nothing of the refused text is ever put into it.
 * Codes of `@attache/keys` that pass through (`jws_*`, `jwk_*`, `jwt_*`) stand here too, so that one table
 * is enough to map a judgement. What a key resolver throws is its own.
 *
 * @module
 */
import { VerificationError } from '@attache/core'

/** Code and sentence of every refusal; adding one is compatible, renaming is not. */
export const SD_JWT_ERRORS = {
  // Form and size (RFC 9901, section 4; limits of this house)
  sd_jwt_too_large: 'The SD-JWT exceeds a size limit. Send fewer or smaller Disclosures.',
  sd_jwt_malformed: 'The text is not an SD-JWT in compact form. Send the issuer JWT, Disclosures and tildes.',
  sd_jwt_json_serialization: 'The JWS JSON form is not accepted here. Send the compact form.',
  disclosures_too_many: 'There are more Disclosures than accepted. Send fewer.',
  digests_too_many: 'There are more digests than accepted. Issue a smaller credential.',
  sd_jwt_too_deep: 'Claims or Disclosures are nested deeper than accepted. Issue a flatter credential.',
  // Issuer-signed JWT (RFC 9901, section 7.1, step 2)
  jws_malformed: 'The issuer-signed JWT is not a well-formed JWS with JSON objects. Ask the issuer.',
  jws_too_large: 'The JWT exceeds its size limit. Send a smaller one.',
  jws_typ: 'The typ header is not the one accepted here. Present an SD-JWT VC of type dc+sd-jwt.',
  jws_algorithm: 'The alg header is not an accepted algorithm. Use one that the verifier lists.',
  jws_crit: 'The JWT demands a header extension that is not understood here. Leave crit out.',
  jws_key_mismatch: 'The algorithm does not fit the key. Use the algorithm of the key.',
  jws_signature: 'The signature of the issuer does not verify. Present the credential as issued.',
  sd_alg_refused: 'The hash algorithm in _sd_alg is not accepted. Use sha-256.',
  issuer_not_trusted: 'No key for this issuer is known by a permitted mechanism. Configure the issuer.',
  // Disclosures (RFC 9901, section 7.1, steps 3 to 5)
  disclosure_malformed: 'A Disclosure is not a JSON array of the expected form. Present it as issued.',
  disclosure_repeated: 'A Disclosure is sent twice. Send each once.',
  disclosure_unreferenced: 'A Disclosure belongs to no digest of this credential. Send only its own.',
  disclosure_kind: 'A Disclosure has the wrong number of elements for its place. Present it as issued.',
  digest_repeated: 'A digest occurs twice in the credential. It must be issued again.',
  digest_placement: 'A member _sd or ... stands where no digest may be. The credential must be issued again.',
  sd_alg_misplaced: 'A member _sd_alg stands below the top level. The credential must be issued again.',
  claim_name_reserved: 'A Disclosure carries a reserved claim name. The credential must be issued again.',
  claim_name_taken: 'A Disclosure names a claim that is already there. The credential must be issued again.',
  // Claims (RFC 9901, section 7.1, step 6; SD-JWT VC, section 2.2.2)
  jwt_expired: 'The credential or proof has expired. Obtain a new one.',
  jwt_not_yet_valid: 'The credential or proof is not valid yet. Wait or correct the clock.',
  jwt_issued_in_future: 'The time of issuance lies in the future. Correct the clock.',
  jwt_time_malformed: 'A time claim is not a number. The credential must be issued again.',
  claim_required: 'A claim that this verifier needs is absent. Disclose it.',
  audience_mismatch: 'The credential is meant for another audience. Use one for this verifier.',
  vct_malformed: 'The vct claim is missing or not a non-empty text. The credential must be issued again.',
  vct_not_accepted: 'The credential type is not among the accepted ones. Present another credential.',
  aka_vcts_malformed: 'The aka_vcts claim breaks its rules. The credential must be issued again.',
  issuer_malformed: 'The iss claim is missing or not a text. The credential must be issued again.',
  claim_not_disclosable: 'A claim that must be visible is selectively disclosable. Issue it again.',
  status_malformed: 'The status claim breaks its rules. The credential must be issued again.',
  cnf_malformed: 'The cnf claim is not a JSON object. The credential must be issued again.',
  cnf_remote_key: 'The cnf claim points at a remote key, which is not fetched. Use cnf.jwk.',
  jwk_malformed: 'A key is not a well-formed JWK. Use a valid public key.',
  jwk_private_member: 'A key carries private members. Send public keys only.',
  jwk_type_refused: 'A key is of a type that is not used here. Use an EC P-256 key.',
  jwk_weak: 'A key is too weak. Use an EC P-256 key.',
  // Key binding (RFC 9901, section 7.3)
  key_binding_missing: 'Key binding is required and there is no KB-JWT. Present with a key binding proof.',
  key_binding_unexpected: 'A KB-JWT came where none is accepted. Send the SD-JWT without it.',
  key_binding_no_key: 'The credential is bound to no key in cnf.jwk. Present one that is.',
  key_binding_malformed: 'The KB-JWT is not a well-formed JWS with JSON objects. Make a new one.',
  key_binding_type: 'The typ header of the KB-JWT is not kb+jwt. Make a new one.',
  key_binding_algorithm:
    'The algorithm of the KB-JWT is not accepted or does not fit the key. Use the bound key.',
  key_binding_crit: 'The KB-JWT demands a header extension that is not understood here. Leave crit out.',
  key_binding_signature: 'The signature of the KB-JWT does not verify with the bound key. Use that key.',
  key_binding_times: 'The KB-JWT is outside its time window. Make a new one.',
  key_binding_audience_mismatch: 'The KB-JWT was made for another verifier. Make one for this verifier.',
  key_binding_nonce_mismatch: 'The KB-JWT answers another request. Use the nonce of this request.',
  key_binding_hash_mismatch: 'The KB-JWT covers other Disclosures than were sent. Sign after choosing them.',
  // Type metadata (SD-JWT VC, sections 5 and 6)
  type_metadata_unavailable: 'The type metadata cannot be had. Publish it or switch its processing off.',
  type_metadata_publisher: 'Nobody recognised publishes metadata for this type. Configure the publisher.',
  type_metadata_malformed: 'The type metadata document breaks its rules. Correct the document.',
  type_metadata_vct: 'The type metadata document is for another type. Publish it under its own vct.',
  type_metadata_cycle: 'The type extends itself. Break the circle.',
  type_metadata_too_deep: 'The chain of extended types is too long. Shorten it.',
  type_metadata_extends: 'The type loosens a rule of the type it extends. Keep or tighten it.',
  type_claim_path: 'A claims path of the type contradicts the credential. Correct either.',
  type_claim_sd: 'A claim is hidden or visible against the rule of its type. Issue it again.',
  type_claim_mandatory: 'A claim that the type makes mandatory is missing. Issue it again.',
  integrity_malformed: 'The integrity value is not in the form of W3C SRI. Use padded standard base64.',
  integrity_mismatch: 'The octets received do not have the stated integrity. Publish what was hashed.',
  display_resource_refused: 'A display resource is not at an https or data URL or is no image. Correct it.',
  svg_refused: 'The SVG template holds what is not rendered here. Use plain shapes, text and placeholders.',
} as const

/** One of the codes of {@link SD_JWT_ERRORS}. */
export type SdJwtErrorCode = keyof typeof SD_JWT_ERRORS

/** Makes the refusal for a code, with its sentence from {@link SD_JWT_ERRORS}. */
export function refusal(code: SdJwtErrorCode, cause?: unknown): VerificationError {
  return new VerificationError(code, SD_JWT_ERRORS[code], cause === undefined ? {} : { cause })
}
