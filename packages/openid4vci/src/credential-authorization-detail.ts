/**
 * Authorization details of type `openid_credential`.
 *
 * Owns both halves of one entry, in requests and in token responses. The envelope (an array in a form
 * parameter or a response member) is `@attache/oauth`.
 *
 * Source: OpenID4VCI 1.0, sections 5.1.1, 6.1.1 and 6.2; RFC 9396, sections 2 and 5.
 *
 * @module
 */
import { type JsonObject, type JsonValue, member, ProtocolError } from '@attache/core'
import { type ClaimDescription, makeClaimDescriptions, parseClaimDescriptions } from './claim-descriptions.js'
import { made, wireObject } from './make-message.js'
import { openMembers, optional, readersFor, refusal, required } from './read-members.js'

/** The `type` of these details. Source: OpenID4VCI 1.0, section 5.1.1. */
export const CREDENTIAL_AUTHORIZATION_DETAIL = 'openid_credential'

/**
 * One entry.
 *
 * Source: OpenID4VCI 1.0, sections 5.1.1 and 6.2.
 */
export interface CredentialAuthorizationDetail {
  readonly credentialConfigurationId: string
  /** Issuer identifiers; required where the metadata name authorization servers. */
  readonly locations?: readonly string[] | undefined
  readonly claims?: readonly ClaimDescription[] | undefined
  /** In a token response only: what Credential Requests must use. */
  readonly credentialIdentifiers?: readonly string[] | undefined
}

const CODE = 'invalid_authorization_details'
const read = readersFor(CODE)

/**
 * Makes one entry.
 *
 * @throws {TypeError} `message_refused`: an empty id, an identifier twice, or claims that contradict each other.
 *
 * Source: OpenID4VCI 1.0, section 5.1.1.
 */
export function makeCredentialAuthorizationDetail(detail: CredentialAuthorizationDetail): JsonObject {
  const wire = wireObject({
    type: CREDENTIAL_AUTHORIZATION_DETAIL,
    credential_configuration_id: detail.credentialConfigurationId,
    locations: detail.locations,
    claims: detail.claims && makeClaimDescriptions(detail.claims),
    credential_identifiers: detail.credentialIdentifiers,
  })
  return made(wire, parseCredentialAuthorizationDetail)
}

/**
 * Reads one entry. Further members never invalidate it; another type does.
 *
 * @throws {ProtocolError} `invalid_authorization_details`: another type, a missing or malformed member, or
 *   claims that are repeated or contradict each other.
 *
 * Source: OpenID4VCI 1.0, sections 5.1.1 and 6.2 and Appendix B.3; RFC 9396, section 5.
 */
export function parseCredentialAuthorizationDetail(value: unknown): CredentialAuthorizationDetail {
  const from = openMembers(value, '', CODE)
  if (required(from, 'type', read.text) !== CREDENTIAL_AUTHORIZATION_DETAIL) {
    throw new ProtocolError(CODE, 'The only type of authorization details here is openid_credential.')
  }
  const given = member(from.object, 'claims')
  const claims = given === undefined ? undefined : parseClaimDescriptions(given)
  if (given !== undefined && claims === undefined) {
    throw refusal(from, 'claims', 'must be valid paths, none repeated or contradictory.')
  }
  return {
    credentialConfigurationId: required(from, 'credential_configuration_id', read.text),
    locations: optional(from, 'locations', read.list(read.text)),
    claims,
    credentialIdentifiers: optional(from, 'credential_identifiers', readIdentifiers),
  }
}

// Each one names a dataset: twice the same would be two Credential Requests for one credential.
function readIdentifiers(value: JsonValue, path: string): readonly string[] {
  const identifiers = read.list(read.text)(value, path)
  if (new Set(identifiers).size === identifiers.length) return identifiers
  throw new ProtocolError(CODE, `${path} must not name an identifier twice.`)
}
