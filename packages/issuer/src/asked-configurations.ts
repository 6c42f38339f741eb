/**
 * Which credential configurations an authorization request asks for: by scope, by details, or both.
 *
 * Source: OpenID4VCI 1.0, sections 5.1.1 and 5.1.2; RFC 8707; requirements/issuer.md D-04.
 *
 * @module
 */
import { ProtocolError } from '@attache/core'
import type { AuthorizationRequest } from '@attache/oauth'
import { parseCredentialAuthorizationDetail } from '@attache/openid4vci'
import type { CredentialTemplate } from './credential-template.js'

/** What is asked for. */
export interface AskedConfigurations {
  readonly configurationIds: readonly string[]
  /** Details win over a scope for the same credential. */
  readonly byDetails: boolean
}

/**
 * Finds what is asked for. Unknown scope values are ignored, as long as a known one is left.
 *
 * @throws {ProtocolError} `invalid_scope`, `invalid_authorization_details`, `invalid_target`.
 */
export function askedConfigurations(
  request: Pick<AuthorizationRequest, 'scope' | 'authorizationDetails' | 'resource'>,
  deps: { readonly credentialIssuer: string; readonly templates: ReadonlyMap<string, CredentialTemplate> },
): AskedConfigurations {
  if (request.resource !== undefined && request.resource !== deps.credentialIssuer) {
    throw new ProtocolError('invalid_target', 'The only resource here is the Credential Issuer Identifier.')
  }
  const detailed = (request.authorizationDetails ?? []).map((detail) => detailedConfiguration(detail, deps))
  const scoped = scopedConfigurations(request.scope, deps.templates)
  const configurationIds = [...new Set([...detailed, ...scoped])]
  if (configurationIds.length === 0) {
    throw new ProtocolError('invalid_scope', 'Ask for a credential by scope or authorization_details.')
  }
  return { configurationIds, byDetails: detailed.length > 0 }
}

function detailedConfiguration(
  detail: unknown,
  deps: { readonly credentialIssuer: string; readonly templates: ReadonlyMap<string, CredentialTemplate> },
): string {
  const { credentialConfigurationId: id, locations } = parseCredentialAuthorizationDetail(detail)
  if (!deps.templates.has(id)) {
    throw new ProtocolError(
      'invalid_authorization_details',
      'The details name an unknown credential configuration.',
    )
  }
  if (locations !== undefined && !(locations.length === 1 && locations[0] === deps.credentialIssuer)) {
    throw new ProtocolError(
      'invalid_authorization_details',
      'The only location here is this Credential Issuer.',
    )
  }
  return id
}

function scopedConfigurations(
  scope: string | undefined,
  templates: ReadonlyMap<string, CredentialTemplate>,
): readonly string[] {
  const wanted = scope?.split(' ') ?? []
  return [...templates.values()].filter((template) => wanted.includes(template.scope)).map(({ id }) => id)
}
