/**
 * Authorization details of type `openid_credential`: what one of them names here, which configurations a
 * request narrows to, and the identifiers of the datasets that are granted.
 *
 * Source: OpenID4VCI 1.0, sections 5.1.1, 6.1.1 and 6.2; RFC 9396, section 6.1.
 *
 * @module
 */
import { type JsonObject, ProtocolError, type Random, randomId } from '@attache/core'
import { parseCredentialAuthorizationDetail } from '@attache/openid4vci'
import type { GrantedDataset } from './grant-record.js'

/**
 * The configuration that a detail names at this issuer.
 *
 * @throws {ProtocolError} `invalid_authorization_details`: malformed, of another type, or for another location.
 */
export function detailedConfiguration(detail: JsonObject, credentialIssuer: string): string {
  const { credentialConfigurationId, locations } = parseCredentialAuthorizationDetail(detail)
  if (locations === undefined || (locations.length === 1 && locations[0] === credentialIssuer)) {
    return credentialConfigurationId
  }
  throw new ProtocolError(
    'invalid_authorization_details',
    'The only location here is this Credential Issuer. Send its identifier, or leave locations out.',
  )
}

/**
 * The configurations a token request is for: all that were granted, or those its details name.
 *
 * @throws {ProtocolError} `invalid_authorization_details`: an unknown type, another location, or more than was
 *   granted.
 */
export function narrowedConfigurations(
  granted: readonly string[],
  details: readonly JsonObject[] | undefined,
  deps: { readonly credentialIssuer: string },
): readonly string[] {
  if (details === undefined) return granted
  const wanted = details.map((detail) => detailedConfiguration(detail, deps.credentialIssuer))
  if (wanted.every((id) => granted.includes(id))) return [...new Set(wanted)]
  throw new ProtocolError('invalid_authorization_details', 'The details ask for more than was granted.')
}

/** One dataset for each configuration: an agent has one role at a time. */
function datasetsFor(configurationIds: readonly string[], random: Random): readonly GrantedDataset[] {
  return configurationIds.map((configurationId) => ({
    configurationId,
    identifiers: [randomId(random, 'dts')],
  }))
}

/** The datasets a token response names, or null where configuration ids are to be used. */
export function namedDatasets(
  configurationIds: readonly string[],
  asked: boolean,
  deps: { readonly random: Random; readonly credentialIdentifiers: boolean },
): readonly GrantedDataset[] | null {
  return asked || deps.credentialIdentifiers ? datasetsFor(configurationIds, deps.random) : null
}
