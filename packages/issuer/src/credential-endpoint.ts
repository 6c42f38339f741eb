/**
 * The Credential Endpoint.
 *
 * Owns the shell: token and proof are checked by `protected-endpoint.ts`, issuing is `issue-credential.ts`.
 *
 * Source: OpenID4VCI 1.0, section 8.
 *
 * @module
 */
import { ProtocolError, type Route } from '@attache/core'
import { makeCredentialResponse, parseCredentialRequest, type WantedCredential } from '@attache/openid4vci'
import { acceptedMessages, answerEncryption, answerMessage, openMessage } from './credential-message.js'
import type { CredentialTemplate } from './credential-template.js'
import type { EndpointUrls } from './endpoint-urls.js'
import { grantedTemplate } from './granted-credential.js'
import { type IssueCredentialDeps, issueCredential } from './issue-credential.js'
import type { MessageEncryptionOptions } from './issuer-options.js'
import {
  type AuthorizedRequest,
  challenged,
  type ProtectedEndpointDeps,
  protectedEndpoint,
} from './protected-endpoint.js'

/** What the endpoint needs. */
export interface CredentialEndpointDeps extends IssueCredentialDeps, ProtectedEndpointDeps {
  readonly store: ProtectedEndpointDeps['store']
  readonly keys: ProtectedEndpointDeps['keys']
  readonly random: ProtectedEndpointDeps['random']
  readonly templates: ReadonlyMap<string, CredentialTemplate>
  readonly encryption: MessageEncryptionOptions | undefined
  readonly urls: EndpointUrls
}

/** The route of the Credential Endpoint. */
export function credentialEndpoint(deps: CredentialEndpointDeps): Route {
  const work = async (request: Request, authorized: AuthorizedRequest): Promise<Response> => {
    const message = await openMessage(request, deps.encryption)
    const wanted = parseCredentialRequest(message.body)
    const template = coveredTemplate(wanted.wanted, authorized, deps)
    const encryption = answerEncryption(wanted.responseEncryption, message, deps.encryption)
    const issued = await issueCredential({ template, proofs: wanted.proofs, ...authorized }, deps)
    return answerMessage(makeCredentialResponse(issued), encryption)
  }
  const accepts = acceptedMessages(deps.encryption)
  return protectedEndpoint({ url: deps.urls.credential, event: 'issuer.credential', accepts }, work, deps)
}

/** A token that does not reach is answered as RFC 6750 says, with the scope that would. */
function coveredTemplate(
  wanted: WantedCredential,
  { grant, scheme }: AuthorizedRequest,
  deps: CredentialEndpointDeps,
): CredentialTemplate {
  try {
    return grantedTemplate(wanted, grant, deps.templates)
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code !== 'insufficient_scope') throw error
    const id = wanted.by === 'configuration' ? wanted.credentialConfigurationId : ''
    throw challenged(error, deps, { scope: deps.templates.get(id)?.scope, sent: scheme })
  }
}
