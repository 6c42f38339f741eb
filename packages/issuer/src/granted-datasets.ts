/**
 * Authorization details of type `openid_credential`: which configurations a request narrows to, and the
 * identifiers of the datasets that are granted.
 *
 * Source: OpenID4VCI 1.0, sections 5.1.1, 6.1.1 and 6.2; RFC 9396, section 6.1.
 *
 * @module
 */
import { type JsonObject, ProtocolError, type Random, randomId } from '@attache/core'
import { parseCredentialAuthorizationDetail } from '@attache/openid4vci'
import type { GrantedDataset } from './grant-record.js'

/**
 * The configurations a token request is for: all that were granted, or those its details name.
 *
 * @throws {ProtocolError} `invalid_authorization_details`: an unknown type, or more than was granted.
 */
export function narrowedConfigurations(
  granted: readonly string[],
  details: readonly JsonObject[] | undefined,
): readonly string[] {
  if (details === undefined) return granted
  const wanted = details.map((detail) => parseCredentialAuthorizationDetail(detail).credentialConfigurationId)
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
