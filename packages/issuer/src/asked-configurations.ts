/**
 * Which credential configurations an authorization request asks for: by scope, by details, or both.
 *
 * Source: OpenID4VCI 1.0, sections 5.1.1 and 5.1.2; RFC 8707; requirements/issuer.md D-04.
 *
 * @module
 */
import { type JsonObject, ProtocolError } from '@attache/core'
import type { AuthorizationRequest } from '@attache/oauth'
import type { CredentialTemplate } from './credential-template.js'
import { detailedConfiguration } from './granted-datasets.js'

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
  requireOwnResource(request.resource, deps)
  const detailed = (request.authorizationDetails ?? []).map((detail) => knownConfiguration(detail, deps))
  const scoped = scopedConfigurations(request.scope, deps.templates)
  const configurationIds = [...new Set([...detailed, ...scoped])]
  if (configurationIds.length === 0) {
    throw new ProtocolError('invalid_scope', 'Ask for a credential by scope or authorization_details.')
  }
  return { configurationIds, byDetails: detailed.length > 0 }
}

/** Refuses a request for another resource (RFC 8707, section 2). @throws {ProtocolError} `invalid_target`. */
export function requireOwnResource(
  resource: string | undefined,
  deps: { readonly credentialIssuer: string },
): void {
  if (resource === undefined || resource === deps.credentialIssuer) return
  throw new ProtocolError('invalid_target', 'The only resource here is the Credential Issuer Identifier.')
}

function knownConfiguration(
  detail: JsonObject,
  deps: { readonly credentialIssuer: string; readonly templates: ReadonlyMap<string, CredentialTemplate> },
): string {
  const id = detailedConfiguration(detail, deps.credentialIssuer)
  if (deps.templates.has(id)) return id
  throw new ProtocolError(
    'invalid_authorization_details',
    'The details name an unknown credential configuration. See the metadata.',
  )
}

function scopedConfigurations(
  scope: string | undefined,
  templates: ReadonlyMap<string, CredentialTemplate>,
): readonly string[] {
  const wanted = scope?.split(' ') ?? []
  return [...templates.values()].filter((template) => wanted.includes(template.scope)).map(({ id }) => id)
}
