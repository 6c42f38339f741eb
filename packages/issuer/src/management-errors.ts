/**
 * What the operator of an issuer is answered: code -> HTTP status, for the management API.
 *
 * Source: the house design, section Errors.
 *
 * @module
 */

/** Codes of the issuer's operations, for whoever serves them over HTTP. */
export const ISSUER_MANAGEMENT_ERRORS: Readonly<Record<string, number>> = {
  invalid_request: 400,
  unknown_agent: 404,
  unknown_configuration: 400,
  grant_not_offered: 400,
  unknown_credential: 404,
  unknown_deferred: 404,
  deferred_decided: 409,
  status_not_supported: 409,
  status_final: 409,
  status_list_unknown: 409,
  status_index_out_of_bounds: 409,
}
