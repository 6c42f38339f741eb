/**
 * Every reason for which a credential is not made: mistakes of the issuer's own template or data.
 *
 * They are thrown as `TypeError` with a `code`, since no other party has sent anything wrong.
 *
 * @module
 */
import { type ConfigurationError, configurationError } from '@attache/core'

/** Code and sentence of every refusal to issue. */
export const ISSUANCE_ERRORS = {
  claims_not_json: 'The claims are not plain JSON values. Hand in finite numbers, texts, objects and arrays.',
  claims_too_deep: 'The claims are nested deeper than receivers accept. Flatten them.',
  claim_name_reserved: 'A claim has a name reserved for selective disclosure. Rename it.',
  claim_name_refused: 'A claim has a name that cannot be issued safely. Rename it.',
  vct_missing: 'A credential needs vct, a non-empty text. Name the type.',
  aka_vcts_malformed: 'The claim aka_vcts must be a non-empty array of other type names. Correct it.',
  status_malformed: 'The claim status breaks its rules. Hand in the reference of the status list.',
  time_malformed: 'A time claim is not a whole number of seconds. Correct it.',
  cnf_given: 'The claim cnf is made from holderKey only. Leave it out of the claims.',
  disclosable_path: 'A disclosable path is not a claims path. Use texts, indexes and null.',
  disclosable_absent: 'A disclosable path selects no claim. Correct the template or the data.',
  disclosable_forbidden: 'A disclosable path hides a claim that must stay visible. Remove it.',
  decoys_malformed: 'A decoy target must name an object or array and a number from 1 to 256. Correct it.',
  sd_alg_refused: 'The hash algorithm must be sha-256, sha-384 or sha-512. Choose one of these.',
  sd_alg_weak: 'The hash algorithm is weaker than the signature. Use the one that matches.',
  type_rules: 'The credential breaks a rule of its type metadata. Correct the template or the claims.',
  salt_repeated: 'The source of randomness repeated itself. Replace it before issuing anything.',
  too_many_disclosures:
    'There are more disclosable claims than receivers accept. Hide whole objects instead.',
  self_check_failed: 'The credential made does not say what was asked for. Nothing was issued.',
} as const

/** One of the codes of {@link ISSUANCE_ERRORS}. */
export type IssuanceErrorCode = keyof typeof ISSUANCE_ERRORS

/** Makes the error for a code, with its sentence from {@link ISSUANCE_ERRORS}. */
export function issuanceError(code: IssuanceErrorCode): ConfigurationError {
  return configurationError(code, ISSUANCE_ERRORS[code])
}
