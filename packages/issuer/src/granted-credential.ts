/**
 * Which credential a request is for, and whether the access token covers it.
 *
 * Owns the order of the refusals: an unknown configuration or a foreign identifier first, then the wrong one
 * of the two ways of naming, then a token that does not reach.
 *
 * Source: OpenID4VCI 1.0, sections 8.2, 8.3.1.1 and 8.3.1.2.
 *
 * @module
 */
import { ProtocolError } from '@attache/core'
import type { WantedCredential } from '@attache/openid4vci'
import type { CredentialTemplate } from './credential-template.js'
import type { GrantRecord } from './grant-record.js'

/**
 * Finds the template of the wanted credential.
 *
 * @throws {ProtocolError} `unknown_credential_configuration`, `unknown_credential_identifier`,
 *   `invalid_credential_request`, `insufficient_scope`.
 */
export function grantedTemplate(
  wanted: WantedCredential,
  grant: GrantRecord,
  templates: ReadonlyMap<string, CredentialTemplate>,
): CredentialTemplate {
  const configurationId = configurationOf(wanted, grant)
  const template = configurationId === undefined ? undefined : templates.get(configurationId)
  if (template === undefined) {
    throw wanted.by === 'configuration'
      ? new ProtocolError(
          'unknown_credential_configuration',
          'This issuer does not offer that configuration.',
        )
      : new ProtocolError('unknown_credential_identifier', 'The access token brought no such identifier.')
  }
  if (wanted.by === 'configuration' && grant.datasets !== null) {
    throw new ProtocolError(
      'invalid_credential_request',
      'The token response had credential_identifiers. Send one as credential_identifier.',
    )
  }
  if (!grant.configurationIds.includes(template.id)) {
    throw new ProtocolError('insufficient_scope', 'The access token does not cover this credential.')
  }
  return template
}

function configurationOf(wanted: WantedCredential, grant: GrantRecord): string | undefined {
  if (wanted.by === 'configuration') return wanted.credentialConfigurationId
  const holds = (identifiers: readonly string[]) => identifiers.includes(wanted.credentialIdentifier)
  return grant.datasets?.find((dataset) => holds(dataset.identifiers))?.configurationId
}
